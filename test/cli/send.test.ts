import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Receiver from "../support/OtlpReceiver.ts"
import { project, run } from "./support.ts"

describe("send", () => {
  it.effect("a trace, its id, and where to look, although tracing is off and sampled away", () =>
    Effect.gen(function* () {
      const receiver = yield* Receiver.scoped()
      const cwd = yield* project()
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, OTEL_TRACE_SAMPLER_RATE: "0" }
      const args = ["send", "--name", "hello", "--jaeger", "http://localhost:16686"]
      const { code, stderr, stdout } = yield* run(args, { env, cwd })
      assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
      const root = receiver.spans.find(({ name }) => name === "hello")!
      const child = receiver.spans.find(({ name }) => name === "hello child")!
      assert.strictEqual(child.parentSpanId, root.spanId)
      assert.strictEqual(
        stdout,
        `sent trace ${root.traceId} (2 spans) to ${receiver.url}\n` +
          "look for it by its id, or for service checkout, span hello\n" +
          `http://localhost:16686/trace/${root.traceId}\n`
      )
    }).pipe(Effect.scoped)
  )

  it.effect("a spool is left alone", () =>
    Effect.gen(function* () {
      const receiver = yield* Receiver.scoped()
      const cwd = yield* project()
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, OTEL_SPOOL_DIRECTORY: `${cwd}/spool` }
      const { code, stdout } = yield* run(["send", "--json"], { env, cwd })
      assert.strictEqual(code, 0)
      assert.deepInclude(JSON.parse(stdout), {
        ok: true,
        endpoint: receiver.url,
        service: "checkout",
        traceId: receiver.spans[0]!.traceId,
        spans: 2,
        delivered: 2,
        look: []
      })
      assert.include((yield* run(["spool", "list"], { env, cwd })).stdout, "0 spans in 0 files")
    }).pipe(Effect.scoped)
  )

  it.effect("not delivered: why, and exit code 1", () =>
    Effect.gen(function* () {
      const receiver = yield* Receiver.scoped()
      receiver.answer(Receiver.status(401, { message: "who are you?" }))
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint }
      const { code, stderr, stdout } = yield* run(["send"], { env })
      assert.deepStrictEqual({ code, stdout }, { code: 1, stdout: "" })
      assert.include(stderr, `was not delivered to ${receiver.url}: HTTP 401, "who are you?"`)
      assert.include(stderr, "effect-telemetry doctor")
      receiver.answer(Receiver.hang)
      const hanging = yield* run(["send"], { env: { ...env, OTEL_EXPORTER_OTLP_TIMEOUT: "200" } })
      assert.strictEqual(hanging.code, 1)
      const bad = yield* run(["send"], { env: { OTEL_EXPORTER_OTLP_ENDPOINT: "ftp://x" } })
      assert.strictEqual(bad.code, 1)
      assert.include(bad.stderr, "OTEL_EXPORTER_OTLP_ENDPOINT")
    }).pipe(Effect.scoped)
  )
})
