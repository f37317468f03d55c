import { assert, describe, it } from "@effect/vitest"
import * as Check from "../../../src/cli/checks/settings.ts"
import { config } from "../support.ts"

describe("settings", () => {
  it("variables that are set are named, warnings are findings", () => {
    const [first, second] = Check.settings(config({ OTEL_TRACES_SAMPLER_ARG: "0.5" }))
    assert.strictEqual(first!.found, "2 variables set (OTEL_ENABLED, OTEL_SERVICE_NAME), the rest are defaults")
    assert.deepInclude(second, { check: "settings", status: "warning" })
    assert.include(second!.found, "OTEL_TRACES_SAMPLER_ARG")
  })

  it("what a check of its own says is not said twice", () => {
    assert.lengthOf(Check.settings(config({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://a/v1/traces" })), 1)
  })
})

describe("enabled", () => {
  it("off by nobody, by OTEL_ENABLED, by OTEL_SDK_DISABLED: the reason and its remedy", () => {
    const off = (env: Record<string, string>) => Check.enabled(config(env))
    assert.include(off({ OTEL_ENABLED: "" }), {
      status: "failed",
      found: "tracing is off: OTEL_ENABLED is not set"
    })
    assert.include(off({ OTEL_ENABLED: "no" }).found, "OTEL_ENABLED is false")
    assert.include(off({ OTEL_SDK_DISABLED: "true" }), { status: "failed", todo: "remove OTEL_SDK_DISABLED" })
  })

  it("an exporter that sends nothing fails", () => {
    for (const exporter of ["none", "console"]) {
      const finding = Check.enabled(config({ OTEL_TRACES_EXPORTER: exporter }))
      assert.include(finding, { status: "failed", todo: "set OTEL_TRACES_EXPORTER=otlp" })
      assert.include(finding.found, exporter)
    }
  })

  it("on", () => {
    assert.deepInclude(Check.enabled(config()), { status: "ok", found: "tracing is on, by OTEL_ENABLED" })
  })
})

describe("sampling", () => {
  it("a share is a warning that says what is kept besides", () => {
    const finding = Check.sampling(config({ OTEL_TRACE_SAMPLER_RATE: "0.1", OTEL_TRACE_KEEP_SLOWER_THAN: "500ms" }))
    assert.include(finding, {
      status: "warning",
      todo: "to see every trace while you look, set OTEL_TRACE_SAMPLER_RATE=1"
    })
    assert.include(finding.found, "10 % of new traces are kept, by OTEL_TRACE_SAMPLER_RATE")
    assert.include(finding.found, "with an error or slower than 500 ms")
  })

  it("nothing kept fails, by the rate and by a sampler of that name", () => {
    const byRate = Check.sampling(config({ OTEL_TRACE_SAMPLER_RATE: "0" }))
    assert.include(byRate, { status: "failed", todo: "raise OTEL_TRACE_SAMPLER_RATE to 1" })
    const byName = Check.sampling(config({ OTEL_TRACES_SAMPLER: "always_off", OTEL_TRACE_KEEP_ERRORS: "false" }))
    assert.include(byName, { status: "failed", found: "no new trace is kept" })
    assert.include(byName.todo, "OTEL_TRACES_SAMPLER")
  })

  it("everything kept is fine", () => {
    assert.strictEqual(Check.sampling(config()).status, "ok")
  })
})
