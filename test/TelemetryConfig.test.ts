import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { AlwaysOffSampler } from "@opentelemetry/sdk-trace-base"
import { execFileSync } from "node:child_process"
import { inspect } from "node:util"
import * as TelemetryConfig from "../src/TelemetryConfig.ts"
import {
  type Environment,
  errorOf,
  exitOf,
  headersOf,
  load,
  messageOf,
  type Options,
  untyped,
  urlOf
} from "./internal/config/support.ts"

describe("load", () => {
  it("says everything that is wrong at once", () => {
    const error = errorOf({ OTEL_TRACES_EXPORTER: "zipkin", OTEL_TRACE_SAMPLER_RATE: "7" }, { timeout: -1 })
    expect(error.problems.map((problem) => problem.variable).sort()).toEqual([
      "OTEL_TRACES_EXPORTER",
      "OTEL_TRACE_SAMPLER_RATE",
      "timeout"
    ])
    expect(error.message).toMatch(/^3 settings are not accepted:\n- OTEL_TRACES_EXPORTER: .*\n- .*\n- .*$/)
  })

  it("says once what is wrong with a variable that serves several settings", () => {
    expect(messageOf({ OTEL_ATTRIBUTE_COUNT_LIMIT: "many" })).toBe(
      'OTEL_ATTRIBUTE_COUNT_LIMIT: "many" is not accepted; expected an integer from 0 to 2147483647'
    )
  })

  it("fails on a bad value although tracing is off, before the day on which it is turned on", () => {
    expect(messageOf({ OTEL_ENABLED: "false", OTEL_TRACE_SAMPLER_RATE: "7" })).toContain("OTEL_TRACE_SAMPLER_RATE")
  })

  it("cuts a long value, and escapes what would break a line", () => {
    const long = messageOf({ OTEL_TRACES_EXPORTER: "x".repeat(100_000) })
    expect(long.length).toBeLessThan(300)
    expect(long).toContain("(100002 characters)")
    expect(messageOf({ OTEL_TRACES_EXPORTER: "a\nb" })).not.toContain("\n")
  })

  it.effect("reads any ConfigProvider, numbers and booleans of a file included", () =>
    Effect.gen(function* () {
      const config = yield* TelemetryConfig.load()
      expect(config.enabled).toBe(true)
      expect(config.maxQueueSize).toBe(99)
    }).pipe(
      Effect.provide(
        ConfigProvider.layer(ConfigProvider.fromUnknown({ OTEL_ENABLED: true, OTEL_BSP_MAX_QUEUE_SIZE: 99 }))
      )
    )
  )

  it.effect("says which variable its source could not give, and nothing of a secret one", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(TelemetryConfig.load())
      expect(error.problems.map((problem) => problem.message)).toEqual([
        "OTEL_ENABLED: cannot be read: vault said s3cret",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS: cannot be read"
      ])
    }).pipe(
      Effect.provideService(
        ConfigProvider.ConfigProvider,
        ConfigProvider.make(([name]) =>
          name === "OTEL_ENABLED" || name === "OTEL_EXPORTER_OTLP_TRACES_HEADERS"
            ? Effect.fail(new ConfigProvider.SourceError({ message: "vault said s3cret" }))
            : Effect.succeed(undefined)
        )
      )
    )
  )

  it("reads the environment of the process where no provider is given", () => {
    const script = `
      import * as Effect from "effect/Effect"
      import * as TelemetryConfig from "effect-telemetry/TelemetryConfig"
      console.log(TelemetryConfig.describe(Effect.runSync(TelemetryConfig.load())))`
    const line = execFileSync(process.execPath, ["--conditions=source", "--input-type=module", "-e", script], {
      env: { PATH: process.env["PATH"], OTEL_ENABLED: "on", OTEL_EXPORTER_OTLP_ENDPOINT: "[::1]:4318" },
      encoding: "utf8"
    })
    expect(line).toBe(
      "OpenTelemetry tracing enabled: service effect-telemetry, endpoint http://[::1]:4318/v1/traces, sampler parentbased_always_on\n"
    )
  })
})

describe("secrets", () => {
  const secret = "s3cret"
  const renderings = (value: unknown): string =>
    [String(value), JSON.stringify(value), inspect(value, { depth: Infinity, showHidden: true, getters: true })].join(
      "\n"
    )

  it("do not show in a configuration", () => {
    const config = load({
      OTEL_EXPORTER_OTLP_ENDPOINT: `https://user:${secret}@collector:4318/?api_key=${secret}`,
      OTEL_EXPORTER_OTLP_HEADERS: `x-api-key=${secret}`
    })
    expect(headersOf(config)["x-api-key"]).toBe(secret)
    expect(urlOf(config)).toContain(secret)
    for (const text of [
      renderings(config),
      renderings(config.headers),
      TelemetryConfig.describe(config),
      renderings(TelemetryConfig.effective(config))
    ]) {
      expect(text).not.toContain(secret)
      expect(text).not.toContain(Buffer.from(`user:${secret}`).toString("base64"))
    }
  })

  const bad: ReadonlyArray<readonly [string, Environment, Options]> = [
    ["a header", { OTEL_EXPORTER_OTLP_HEADERS: `x-a=${secret}%0a` }, {}],
    ["a header without a name", { OTEL_EXPORTER_OTLP_HEADERS: `Bearer ${secret}` }, {}],
    ["a header in code", {}, { headers: { "x-a": `${secret}\n` } }],
    ["a header's name in code", {}, { headers: { [`Bearer ${secret}`]: "" } }],
    ["headers of the wrong kind", {}, untyped({ headers: [secret] })],
    ["headers as text", {}, untyped({ headers: `a=${secret}` })],
    ["an endpoint", { OTEL_EXPORTER_OTLP_ENDPOINT: `ftp://user:${secret}@host` }, {}],
    ["an endpoint's query", { OTEL_EXPORTER_OTLP_ENDPOINT: `host/path?key=${secret}` }, {}],
    ["an endpoint for traces", { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://user:${secret}@host:1x` }, {}],
    ["an endpoint in code", {}, { endpoint: `https//user:${secret}@host` }],
    ["an endpoint as URL", {}, { endpoint: new URL(`ftp://user:${secret}@host`) }],
    ["an endpoint that is redacted", {}, { tracesEndpoint: Redacted.make(secret) }]
  ]
  it.each(bad)("do not show in an error about %s", (_, env, options) => {
    const exit = exitOf(env, options)
    if (Exit.isSuccess(exit)) return expect.fail("accepted")
    const error = Cause.squash(exit.cause) as Error
    for (const text of [renderings(error), renderings(exit), Cause.pretty(exit.cause), error.stack, error.message]) {
      expect(text).not.toContain(secret)
    }
    expect(error.cause).toBeUndefined()
  })

  const word = Schema.String.check(Schema.isPattern(/^[\u0021-\u002b\u002d-\u007e]{6,20}$/))
  it.prop("do not show in errors about headers, however malformed", [word, word], ([name, value]) => {
    for (const text of [`${name}=${value}%`, `${name} ${value}`, `${name}=${encodeURIComponent(value)}%00`]) {
      const exit = exitOf({ OTEL_EXPORTER_OTLP_HEADERS: text })
      if (Exit.isSuccess(exit)) continue
      const { problems } = Cause.squash(exit.cause) as TelemetryConfig.TelemetryConfigError
      expect(problems[0].value).toBe("<redacted>")
      const said = problems[0].message.replace(problems[0].accepted, "").replace(/the value of \S+ has/, "")
      expect(said).not.toContain(value)
    }
  })
})

describe("describe", () => {
  it("begins as operators know it, on and off", () => {
    const on = load({ OTEL_TRACE_SAMPLER_RATE: "0.1" }, { serviceName: "checkout" })
    expect(TelemetryConfig.describe(on)).toBe(
      "OpenTelemetry tracing enabled: service checkout, endpoint http://localhost:4318/v1/traces, sampler parentbased_traceidratio(0.1)"
    )
    expect(TelemetryConfig.describe(load({ OTEL_ENABLED: "false" }))).toBe(
      "OpenTelemetry tracing disabled: OTEL_ENABLED is false"
    )
  })

  it("says where spans go instead of an endpoint that is not used", () => {
    const config = load({ OTEL_TRACES_EXPORTER: "console" }, { serviceName: "a", sampler: new AlwaysOffSampler() })
    expect(TelemetryConfig.describe(config)).toBe(
      "OpenTelemetry tracing enabled: service a, exporter console, sampler AlwaysOffSampler"
    )
  })

  it("stays one line", () => {
    expect(TelemetryConfig.describe(load({}, { serviceName: "a\nb c" }))).toContain(String.raw`service "a\nb c",`)
  })
})

describe("effective", () => {
  it("gives every setting with its source, as text", () => {
    const config = load(
      { OTEL_EXPORTER_OTLP_HEADERS: "x-a=1", OTEL_PROPAGATORS: "none", OTEL_SERVICE_NAME: "a" },
      { timeout: 5 }
    )
    const rows = TelemetryConfig.effective(config)
    const row = (setting: string) => rows.find((row) => row.setting === setting)
    expect(rows).toHaveLength(Object.keys(config.sources).length)
    expect(row("headers")?.value).toBe("x-a=<redacted>")
    expect(row("propagators")?.value).toBe("none")
    expect(row("keepSlowerThan")?.value).toBe("unset")
    expect(row("resourceAttributes")?.value).toBe("service.name=a")
    expect(row("timeout")).toEqual({ setting: "timeout", value: "5ms", source: { from: "code", name: "timeout" } })
  })
})

describe("table", () => {
  const rowOf = (variable: string) => TelemetryConfig.table.find((row) => row.variables.includes(variable))

  it("has every variable of the contract", () => {
    const otlp = ["HEADERS", "TIMEOUT", "COMPRESSION", "PROTOCOL", "CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"]
    const variables = [
      "OTEL_ENABLED",
      "OTEL_SDK_DISABLED",
      "OTEL_SERVICE_NAME",
      "OTEL_ENVIRONMENT",
      "OTEL_RESOURCE_ATTRIBUTES",
      "OTEL_EXPORTER_OTLP_ENDPOINT",
      "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
      ...otlp.flatMap((name) => [`OTEL_EXPORTER_OTLP_${name}`, `OTEL_EXPORTER_OTLP_TRACES_${name}`]),
      "OTEL_TRACE_SAMPLER_RATE",
      "OTEL_TRACES_SAMPLER",
      "OTEL_TRACES_SAMPLER_ARG",
      "OTEL_TRACES_EXPORTER",
      "OTEL_BSP_MAX_QUEUE_SIZE",
      "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
      "OTEL_BSP_SCHEDULE_DELAY",
      "OTEL_BSP_EXPORT_TIMEOUT",
      "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
      "OTEL_SPAN_EVENT_COUNT_LIMIT",
      "OTEL_SPAN_LINK_COUNT_LIMIT",
      "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
      "OTEL_TRACE_KEEP_ERRORS",
      "OTEL_TRACE_KEEP_SLOWER_THAN",
      "OTEL_SPOOL_DIRECTORY",
      "OTEL_SPOOL_MAX_BYTES",
      "OTEL_SEMCONV_STABILITY_OPT_IN",
      "OTEL_PROPAGATORS"
    ]
    for (const variable of variables) expect(rowOf(variable), variable).toBeDefined()
  })

  it("says the defaults that hold: written into the environment, they change nothing", () => {
    // Prose is no value: it tells what happens where nothing is said.
    const written = TelemetryConfig.table.filter((row) => !/^(unset|name in )/.test(row.default))
    const env = Object.fromEntries(written.map((row) => [row.variables[0]!, row.default]))
    // These two say the same as the third, in the other form.
    delete env["OTEL_TRACE_SAMPLER_RATE"]
    delete env["OTEL_TRACES_SAMPLER_ARG"]
    expect(written.length).toBeGreaterThan(20)
    const values = (config: TelemetryConfig.TelemetryConfig) =>
      TelemetryConfig.effective(config).map(({ setting, value }) => `${setting}=${value}`)
    expect(values(load({ ...env, OTEL_ENABLED: "true" }))).toEqual(values(load()))
    expect(env["OTEL_ENABLED"]).toBe("false")
    expect(values(load({ OTEL_TRACE_SAMPLER_RATE: "1.0" }))).toContain("sampler=parentbased_traceidratio(1)")
  })

  it("says what errors say", () => {
    const refused = TelemetryConfig.table.filter((row) => row.badInput.startsWith("startup fails"))
    for (const row of refused) {
      for (const variable of row.variables) {
        const env = { OTEL_TRACES_SAMPLER: "traceidratio", [variable]: "\u0000 % ?" }
        const { problems } = errorOf(env)
        expect(problems.find((problem) => problem.variable === variable)?.accepted, variable).toBe(row.accepted)
      }
    }
    expect(refused.length).toBeGreaterThan(20)
  })
})
