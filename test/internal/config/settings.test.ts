/** Every setting but the resource's and the exporter's: default, what is accepted, what is not and in which words, which source wins. */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import { AlwaysOffSampler } from "@opentelemetry/sdk-trace-base"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { errorOf, exitOf, load, messageOf, millisOf, untyped } from "./support.ts"

let root: string
let file: string
beforeAll(() => {
  root = Fs.mkdtempSync(Path.join(Os.tmpdir(), "telemetry-config-"))
  file = Path.join(root, "ca.pem")
  Fs.writeFileSync(file, "")
})
afterAll(() => Fs.rmSync(root, { recursive: true, force: true }))

const booleans = "one of true, false, 1, 0, yes, no, on, off"
const maximum = 2_147_483_647

describe("OTEL_ENABLED", () => {
  it("is off unless said", () => {
    const exit = exitOf({})
    if (Exit.isFailure(exit)) return expect.fail("failed")
    expect(exit.value.enabled).toBe(false)
    expect(exit.value.disabledReason).toBe("OTEL_ENABLED is not set; OTEL_ENABLED=true turns it on")
    expect(exit.value.sources.enabled).toEqual({ from: "default", name: undefined })
  })

  it.each(["true", "TRUE", "1", "yes", "on", " true "])("is on with %j", (text) => {
    expect(load({ OTEL_ENABLED: text }).enabled).toBe(true)
  })

  it.each(["false", "False", "0", "no", "off"])("is off with %j", (text) => {
    const config = load({ OTEL_ENABLED: text })
    expect(config.enabled).toBe(false)
    expect(config.disabledReason).toBe("OTEL_ENABLED is false")
  })

  it("fails with anything else, in words that a person can act on", () => {
    const error = errorOf({ OTEL_ENABLED: "maybe" })
    expect(error._tag).toBe("TelemetryConfigError")
    expect(error.message).toBe(`OTEL_ENABLED: "maybe" is not accepted; expected ${booleans}`)
    expect(error.problems).toEqual([
      { variable: "OTEL_ENABLED", value: '"maybe"', accepted: booleans, message: error.message }
    ])
  })

  it("in code takes only true and false", () => {
    expect(load({ OTEL_ENABLED: "false" }, { enabled: true }).sources.enabled).toEqual({
      from: "code",
      name: "enabled"
    })
    expect(load({}, { enabled: false }).disabledReason).toBe("enabled is false")
    expect(messageOf({}, untyped({ enabled: "yes" }))).toBe('enabled: "yes" is not accepted; expected true or false')
  })
})

describe("OTEL_SDK_DISABLED", () => {
  it("wins over OTEL_ENABLED, in code too", () => {
    const config = load({ OTEL_SDK_DISABLED: "true" }, { enabled: true })
    expect(config.enabled).toBe(false)
    expect(config.disabledReason).toBe("OTEL_SDK_DISABLED is true")
    expect(config.sources.enabled).toEqual({ from: "environment", name: "OTEL_SDK_DISABLED" })
    expect(load({}, { sdkDisabled: true }).disabledReason).toBe("sdkDisabled is true")
  })

  it("is false by default, and code goes before it", () => {
    expect(load({ OTEL_SDK_DISABLED: "no" }).enabled).toBe(true)
    expect(load({ OTEL_SDK_DISABLED: "true" }, { sdkDisabled: false }).enabled).toBe(true)
  })

  it("lets an application start whatever else is wrong, and still says it", () => {
    const config = load({ OTEL_SDK_DISABLED: "true", OTEL_ENABLED: "maybe", OTEL_TRACE_SAMPLER_RATE: "7" })
    expect(config.enabled).toBe(false)
    expect(config.warnings).toEqual([
      `OTEL_ENABLED: "maybe" is not accepted; expected ${booleans}`,
      'OTEL_TRACE_SAMPLER_RATE: "7" is not accepted; expected a number from 0 to 1'
    ])
  })

  it("fails with anything else", () => {
    expect(messageOf({ OTEL_SDK_DISABLED: "2" })).toBe(`OTEL_SDK_DISABLED: "2" is not accepted; expected ${booleans}`)
  })
})

describe("the sampler", () => {
  const rateAccepted = "a number from 0 to 1"
  const names =
    "one of always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio"

  it("keeps everything that its parent keeps, by default", () => {
    const config = load()
    expect(config.sampler).toEqual({ _tag: "AlwaysOn", rate: 1, parentBased: true })
    expect(config.sources.sampler).toEqual({ from: "default", name: undefined })
  })

  it.each([
    ["0", 0],
    ["0.25", 0.25],
    ["1", 1],
    ["1.0", 1]
  ])("OTEL_TRACE_SAMPLER_RATE=%s", (text, rate) => {
    const config = load({ OTEL_TRACE_SAMPLER_RATE: text, OTEL_TRACES_SAMPLER: "always_off" })
    expect(config.sampler).toEqual({ _tag: "TraceIdRatio", rate, parentBased: true })
    expect(config.sources.sampler).toEqual({ from: "environment", name: "OTEL_TRACE_SAMPLER_RATE" })
  })

  it.each(["1.01", "-0.1", "10%", "0,5", "half", "NaN"])("OTEL_TRACE_SAMPLER_RATE=%s fails", (text) => {
    expect(messageOf({ OTEL_TRACE_SAMPLER_RATE: text })).toBe(
      `OTEL_TRACE_SAMPLER_RATE: "${text}" is not accepted; expected ${rateAccepted}`
    )
  })

  it.each([
    ["always_on", { _tag: "AlwaysOn", rate: 1, parentBased: false }],
    ["always_off", { _tag: "AlwaysOff", rate: 0, parentBased: false }],
    ["traceidratio", { _tag: "TraceIdRatio", rate: 1, parentBased: false }],
    ["parentbased_always_on", { _tag: "AlwaysOn", rate: 1, parentBased: true }],
    ["parentbased_always_off", { _tag: "AlwaysOff", rate: 0, parentBased: true }],
    ["ParentBased_TraceIdRatio", { _tag: "TraceIdRatio", rate: 1, parentBased: true }]
  ])("OTEL_TRACES_SAMPLER=%s", (text, sampler) => {
    expect(load({ OTEL_TRACES_SAMPLER: text }).sampler).toEqual(sampler)
  })

  it("takes its share from OTEL_TRACES_SAMPLER_ARG", () => {
    const env = { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.1" }
    expect(load(env).sampler).toEqual({ _tag: "TraceIdRatio", rate: 0.1, parentBased: false })
    expect(load(env, { samplerArg: 0.2 }).sampler).toEqual({ _tag: "TraceIdRatio", rate: 0.2, parentBased: false })
    expect(messageOf({ ...env, OTEL_TRACES_SAMPLER_ARG: "2" })).toBe(
      `OTEL_TRACES_SAMPLER_ARG: "2" is not accepted; expected ${rateAccepted}`
    )
  })

  it("says where OTEL_TRACES_SAMPLER_ARG is of no use", () => {
    expect(load({ OTEL_TRACES_SAMPLER_ARG: "0.1" }).warnings).toEqual([
      "OTEL_TRACES_SAMPLER_ARG: is not used without OTEL_TRACES_SAMPLER"
    ])
    expect(load({ OTEL_TRACES_SAMPLER: "always_on", OTEL_TRACES_SAMPLER_ARG: "0.1" }).warnings).toEqual([
      "OTEL_TRACES_SAMPLER_ARG: is not used by the sampler always_on"
    ])
  })

  it("fails with another name", () => {
    expect(messageOf({ OTEL_TRACES_SAMPLER: "jaeger_remote" })).toBe(
      `OTEL_TRACES_SAMPLER: "jaeger_remote" is not accepted; expected ${names}`
    )
  })

  it("in code is a rate, a name, or any OpenTelemetry sampler", () => {
    const env = { OTEL_TRACE_SAMPLER_RATE: "0.5" }
    expect(load(env, { samplerRate: 0.1 }).sampler).toEqual({ _tag: "TraceIdRatio", rate: 0.1, parentBased: true })
    expect(load(env, { sampler: "always_off" }).sampler).toEqual({ _tag: "AlwaysOff", rate: 0, parentBased: false })
    const sampler = new AlwaysOffSampler()
    const config = load(env, { sampler })
    expect(config.sampler).toEqual({ _tag: "Custom", sampler })
    expect(config.sources.sampler).toEqual({ from: "code", name: "sampler" })
  })

  it("is checked in code", () => {
    expect(messageOf({}, { samplerRate: 2 })).toBe(`samplerRate: 2 is not accepted; expected ${rateAccepted}`)
    expect(messageOf({}, untyped({ sampler: "sometimes" }))).toBe(
      `sampler: "sometimes" is not accepted; expected ${names}, or an OpenTelemetry Sampler`
    )
    expect(messageOf({}, untyped({ sampler: {} }))).toContain("sampler: {} is not accepted")
    expect(messageOf({}, { samplerRate: 0.5, sampler: "always_on" })).toBe(
      "samplerRate: 0.5 is not accepted; expected either samplerRate or sampler, not both"
    )
  })
})

describe("integers", () => {
  const cases = [
    ["maxQueueSize", "OTEL_BSP_MAX_QUEUE_SIZE", 2048, 1],
    ["maxExportBatchSize", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512, 1],
    ["attributeCountLimit", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", 128, 0],
    ["attributeCountLimit", "OTEL_ATTRIBUTE_COUNT_LIMIT", 128, 0],
    ["eventCountLimit", "OTEL_SPAN_EVENT_COUNT_LIMIT", 128, 0],
    ["linkCountLimit", "OTEL_SPAN_LINK_COUNT_LIMIT", 128, 0],
    ["attributeValueLengthLimit", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", 8192, 0],
    ["attributeValueLengthLimit", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", 8192, 0],
    ["attributePerEventCountLimit", "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", 128, 0],
    ["attributePerLinkCountLimit", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", 128, 0]
  ] as const

  it.each(cases)("%s by %s", (option, variable, byDefault, minimum) => {
    expect(load()[option]).toBe(byDefault)
    expect(load({ [variable]: "600" })[option]).toBe(600)
    expect(load({ [variable]: String(minimum) })[option]).toBe(minimum)
    expect(load({ [variable]: "600" }, { [option]: 700 })[option]).toBe(700)
    expect(load({}, { [option]: 9 }).sources[option]).toEqual({ from: "code", name: option })
    const accepted = `an integer from ${minimum} to ${maximum}`
    for (const bad of [String(minimum - 1), "1.5", "many", "1e3", String(maximum + 1)]) {
      expect(messageOf({ [variable]: bad })).toContain(`${variable}: "${bad}" is not accepted; expected ${accepted}`)
    }
    for (const bad of [minimum - 1, 1.5, "5", Number.NaN, Infinity]) {
      expect(messageOf({}, untyped({ [option]: bad }))).toContain(` is not accepted; expected ${accepted}`)
    }
  })

  it("lets the span's own limits go before the general ones", () => {
    const config = load({
      OTEL_ATTRIBUTE_COUNT_LIMIT: "10",
      OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: "20",
      OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: "30",
      OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT: "40"
    })
    expect(config.attributeCountLimit).toBe(20)
    expect(config.attributePerEventCountLimit).toBe(10)
    expect(config.attributePerLinkCountLimit).toBe(10)
    expect(config.attributeValueLengthLimit).toBe(40)
  })

  it("holds a batch within the queue: a default gives way, a value of the user's is refused", () => {
    expect(load({ OTEL_BSP_MAX_QUEUE_SIZE: "100" }).maxExportBatchSize).toBe(100)
    expect(load({ OTEL_BSP_MAX_QUEUE_SIZE: "100", OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "100" }).maxExportBatchSize).toBe(100)
    expect(messageOf({ OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "4096" })).toBe(
      'OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "4096" is not accepted; expected an integer from 1 to 2048, which is the default of OTEL_BSP_MAX_QUEUE_SIZE'
    )
    expect(messageOf({ OTEL_BSP_MAX_QUEUE_SIZE: "10" }, { maxExportBatchSize: 11 })).toBe(
      "maxExportBatchSize: 11 is not accepted; expected an integer from 1 to 10, which is OTEL_BSP_MAX_QUEUE_SIZE"
    )
  })
})

describe("what is kept against head sampling", () => {
  it("OTEL_TRACE_KEEP_ERRORS", () => {
    expect(load().keepErrors).toBe(true)
    expect(load({ OTEL_TRACE_KEEP_ERRORS: "off" }).keepErrors).toBe(false)
    expect(load({ OTEL_TRACE_KEEP_ERRORS: "off" }, { keepErrors: true }).keepErrors).toBe(true)
    expect(messageOf({ OTEL_TRACE_KEEP_ERRORS: "some" })).toBe(
      `OTEL_TRACE_KEEP_ERRORS: "some" is not accepted; expected ${booleans}`
    )
  })

  it("OTEL_TRACE_KEEP_SLOWER_THAN", () => {
    expect(load().keepSlowerThan).toBeUndefined()
    for (const [text, millis] of Object.entries({ "500ms": 500, "2s": 2000, "1.5s": 1500, "1m": 60_000 })) {
      expect(millisOf(load({ OTEL_TRACE_KEEP_SLOWER_THAN: text }).keepSlowerThan)).toBe(millis)
    }
    expect(millisOf(load({}, { keepSlowerThan: "2 seconds" }).keepSlowerThan)).toBe(2000)
    for (const bad of ["500", "fast", "-2s"]) {
      expect(messageOf({ OTEL_TRACE_KEEP_SLOWER_THAN: bad })).toBe(
        `OTEL_TRACE_KEEP_SLOWER_THAN: "${bad}" is not accepted; expected a duration with its unit, such as 500ms, 2s, 1.5s or 1m30s`
      )
    }
    expect(messageOf({}, { keepSlowerThan: Duration.infinity })).toContain(
      "expected a finite duration that is not negative"
    )
  })
})

describe("the spool", () => {
  it("is memory only by default", () => {
    const config = load()
    expect(config.spoolDirectory).toBeUndefined()
    expect(config.spoolMaxBytes).toBe(256_000_000)
  })

  it("takes a directory, which is made where it is missing", () => {
    const directory = Path.join(root, "deep", "spool")
    const config = load({ OTEL_SPOOL_DIRECTORY: directory })
    expect(config.spoolDirectory).toBe(directory)
    expect(config.warnings).toEqual([])
    expect(Fs.statSync(directory).isDirectory()).toBe(true)
    expect(load({ OTEL_SPOOL_DIRECTORY: "/none" }, { spoolDirectory: directory }).spoolDirectory).toBe(directory)
  })

  it("costs one warning where it is not a directory, and spans wait in memory", () => {
    const config = load({ OTEL_SPOOL_DIRECTORY: file })
    expect(config.spoolDirectory).toBeUndefined()
    expect(config.sources.spoolDirectory).toEqual({ from: "environment", name: "OTEL_SPOOL_DIRECTORY" })
    expect(config.warnings).toEqual([
      `OTEL_SPOOL_DIRECTORY: "${file}" cannot hold spans (it is not a directory); they wait in memory only`
    ])
  })

  it("is not touched where nothing is sent", () => {
    const directory = Path.join(root, "untouched")
    load({ OTEL_ENABLED: "false", OTEL_SPOOL_DIRECTORY: directory })
    load({ OTEL_TRACES_EXPORTER: "none", OTEL_SPOOL_DIRECTORY: directory })
    expect(Fs.existsSync(directory)).toBe(false)
  })

  it("OTEL_SPOOL_MAX_BYTES", () => {
    for (const [text, bytes] of Object.entries({
      "256MB": 256e6,
      "1GiB": 2 ** 30,
      "1048576": 1_048_576,
      "1 kb": 1000
    })) {
      expect(load({ OTEL_SPOOL_MAX_BYTES: text }).spoolMaxBytes).toBe(bytes)
    }
    for (const given of [5000, 5000n, "5kB"]) {
      expect(load({ OTEL_SPOOL_MAX_BYTES: "1" }, { spoolMaxBytes: given }).spoolMaxBytes).toBe(5000)
    }
    const accepted = "a size such as 256MB, 1GiB or 1048576 (bytes)"
    for (const bad of ["lots", "0", "-1MB", "5 elephants"]) {
      expect(messageOf({ OTEL_SPOOL_MAX_BYTES: bad })).toBe(
        `OTEL_SPOOL_MAX_BYTES: "${bad}" is not accepted; expected ${accepted}`
      )
    }
    expect(messageOf({}, { spoolMaxBytes: 0.5 })).toBe(`spoolMaxBytes: 0.5 is not accepted; expected ${accepted}`)
  })
})

describe("OTEL_SEMCONV_STABILITY_OPT_IN", () => {
  it("is none by default, and takes what it knows, decoded", () => {
    expect(load().semconvStabilityOptIn).toEqual([])
    const env = { OTEL_SEMCONV_STABILITY_OPT_IN: "http/dup, database%2Fdup,http/dup" }
    expect(load(env).semconvStabilityOptIn).toEqual(["http/dup", "database/dup"])
    expect(load({ OTEL_SEMCONV_STABILITY_OPT_IN: "http,database" }).semconvStabilityOptIn).toEqual(["http", "database"])
    expect(load(env, { semconvStabilityOptIn: ["http"] }).semconvStabilityOptIn).toEqual(["http"])
  })

  it("ignores what it does not know, with a warning, even what cannot be decoded", () => {
    const config = load({ OTEL_SEMCONV_STABILITY_OPT_IN: "messaging,http/dup,%zz" })
    expect(config.semconvStabilityOptIn).toEqual(["http/dup"])
    expect(config.warnings).toEqual(
      ["messaging", "%zz"].map(
        (word) =>
          `OTEL_SEMCONV_STABILITY_OPT_IN: "${word}" is unknown here and ignored; known are http, http/dup, database, database/dup`
      )
    )
  })
})

describe("OTEL_PROPAGATORS", () => {
  it("is W3C by default, and each name counts once", () => {
    expect(load().propagators).toEqual(["tracecontext", "baggage"])
    expect(load({ OTEL_PROPAGATORS: "b3multi,b3, B3 ,baggage" }).propagators).toEqual(["b3multi", "b3", "baggage"])
    expect(load({ OTEL_PROPAGATORS: "none" }).propagators).toEqual([])
    expect(load({ OTEL_PROPAGATORS: "none" }, { propagators: ["b3"] }).propagators).toEqual(["b3"])
  })

  it.each([
    ["tracecontext,jaeger", '"jaeger" is unknown'],
    ["none,b3", "none stands alone"],
    [",", "it is empty; none turns propagation off"]
  ])("fails with %s", (text, why) => {
    expect(messageOf({ OTEL_PROPAGATORS: text })).toBe(
      `OTEL_PROPAGATORS: "${text}" is not accepted; expected a list of tracecontext, baggage, b3, b3multi, none (${why})`
    )
  })

  it("is checked in code", () => {
    expect(messageOf({}, untyped({ propagators: "b3" }))).toContain("(it is no list)")
    expect(messageOf({}, untyped({ propagators: ["b4"] }))).toContain('("b4" is unknown)')
  })
})
