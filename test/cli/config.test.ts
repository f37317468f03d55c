import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { project, run } from "./support.ts"

const env = {
  OTEL_ENABLED: "true",
  OTEL_TRACE_SAMPLER_RATE: "0.25",
  OTEL_EXPORTER_OTLP_ENDPOINT: "https://me:hunter2@collector.example?key=hunter2",
  OTEL_EXPORTER_OTLP_HEADERS: "x-key=hunter2",
  OTEL_TRACES_SAMPLER_ARG: "0.5"
}

describe("config", () => {
  it.effect("a table: each setting, its value without secrets, its source", () =>
    Effect.gen(function* () {
      const cwd = yield* project()
      const { code, stderr, stdout } = yield* run(["config"], { env, cwd })
      assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
      assert.notInclude(stdout, "hunter2")
      const lines = stdout.split("\n")
      assert.match(lines[0]!, /^OpenTelemetry tracing enabled: service checkout, endpoint https:\/\/collector\.example/)
      assert.match(stdout, /^sampler +parentbased_traceidratio\(0\.25\) +OTEL_TRACE_SAMPLER_RATE$/m)
      assert.match(stdout, /^serviceName +checkout +default, from .*package\.json$/m)
      assert.match(stdout, /^headers +.*x-key=<redacted>.* +OTEL_EXPORTER_OTLP_HEADERS$/m)
      assert.match(stdout, /^timeout +10000ms +default$/m)
    }).pipe(Effect.scoped)
  )

  it.effect("for a machine", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* run(["config", "--json"], { env })
      assert.strictEqual(code, 0)
      assert.notInclude(stdout, "hunter2")
      const report = JSON.parse(stdout) as { ok: boolean; settings: ReadonlyArray<Record<string, string>> }
      assert.isTrue(report.ok)
      assert.deepInclude(report.settings, {
        setting: "enabled",
        value: "true",
        from: "environment",
        name: "OTEL_ENABLED"
      })
    })
  )

  it.effect("what is not accepted, all of it, and exit code 1", () =>
    Effect.gen(function* () {
      const bad = { OTEL_ENABLED: "maybe", OTEL_TRACE_SAMPLER_RATE: "7" }
      const { code, stderr, stdout } = yield* run(["config"], { env: bad })
      assert.deepStrictEqual({ code, stdout }, { code: 1, stdout: "" })
      assert.lengthOf(stderr.trim().split("\n"), 2)
      assert.include(stderr, "OTEL_TRACE_SAMPLER_RATE")
      const machine = yield* run(["config", "--json"], { env: bad })
      assert.strictEqual(machine.code, 1)
      const { ok, problems } = JSON.parse(machine.stdout) as {
        ok: boolean
        problems: ReadonlyArray<{ variable: string }>
      }
      assert.isFalse(ok)
      assert.deepStrictEqual(
        problems.map(({ variable }) => variable),
        ["OTEL_ENABLED", "OTEL_TRACE_SAMPLER_RATE"]
      )
    })
  )
})
