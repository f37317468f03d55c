/**
 * The configuration of tracing: environment and code become one typed value, or one error that names everything that is
 * wrong.
 *
 * `load` reads every variable through the current `ConfigProvider`, the process's environment where no other is given.
 * Options in code go before the environment, and the environment before defaults. An empty or blank variable counts as
 * unset. Whatever is not accepted fails the start, with the name, the value and what is accepted; all of it at once, so
 * that nobody mends one variable a start. A value that is shadowed by a stronger one is not looked at.
 *
 * What can surprise:
 *
 * - With `OTEL_SDK_DISABLED=true` nothing fails: it is the switch with which an operator gets an application to start, so
 *   what is wrong elsewhere becomes a warning.
 * - Credentials in an endpoint's URL are sent as a basic `Authorization` header, as OTLP exporters on Node.js do, unless
 *   the headers have one. They are kept out of the URL.
 * - A headers variable for traces takes the place of the general one as a whole, so that a key for one backend is not sent
 *   to another. Resource attributes of code and environment are joined, key by key, as the specification asks.
 * - Attributes of the resource under a key that looks like a secret (`tracer/SecretNames`) become `[REDACTED]`.
 * - Header values and the endpoint with its query are `Redacted`: nothing here shows them, in errors, as JSON or by inspection.
 *
 * **Example** (From an environment, with one option in code)
 *
 * ```ts
 * import * as ConfigProvider from "effect/ConfigProvider"
 * import * as Effect from "effect/Effect"
 * import * as TelemetryConfig from "effect-telemetry/TelemetryConfig"
 *
 * const environment = ConfigProvider.fromEnv({
 *   env: { OTEL_ENABLED: "true", OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318", OTEL_TRACE_SAMPLER_RATE: "0.1" }
 * })
 * const program = TelemetryConfig.load({ serviceName: "checkout" }).pipe(
 *   Effect.provideService(ConfigProvider.ConfigProvider, environment)
 * )
 *
 * const config = Effect.runSync(program)
 * console.log(TelemetryConfig.describe(config))
 * // OpenTelemetry tracing enabled: service checkout, endpoint http://collector:4318/v1/traces, sampler parentbased_traceidratio(0.1)
 * console.log(config.sources.endpoint)
 * // { from: "environment", name: "OTEL_EXPORTER_OTLP_ENDPOINT" }
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 * @see https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { Sampler } from "@opentelemetry/sdk-trace-base"
import * as Environment from "./internal/config/environment.ts"
import { Reader } from "./internal/config/reader.ts"
import { resolve } from "./internal/config/resolve.ts"
import * as Settings from "./internal/config/settings.ts"

/** The standard samplers, as `OTEL_TRACES_SAMPLER` names them. */
export type SamplerName =
  | "always_on"
  | "always_off"
  | "traceidratio"
  | "parentbased_always_on"
  | "parentbased_always_off"
  | "parentbased_traceidratio"

/** The formats in which a trace crosses to other processes, as `OTEL_PROPAGATORS` names them. */
export type Propagator = "tracecontext" | "baggage" | "b3" | "b3multi"

/**
 * Which attribute names: `http` and `database` are the stable ones, which are there anyway; with `/dup` the older ones
 * stand beside them. Where both are given, `/dup` holds.
 */
export type SemconvOptIn = "http" | "http/dup" | "database" | "database/dup"

/** A value of an attribute of the resource. */
export type ResourceAttributeValue =
  string | number | boolean | ReadonlyArray<string> | ReadonlyArray<number> | ReadonlyArray<boolean>

/**
 * Every setting as an option in code; each is optional and goes before the environment. Values are checked as those of the
 * environment are. Durations are `Duration.Input`; a number is milliseconds.
 */
export interface TelemetryOptions {
  /** Turns tracing on. `OTEL_ENABLED`; default false. */
  readonly enabled?: boolean | undefined
  /** Turns everything off, whatever else is said. `OTEL_SDK_DISABLED`; default false. */
  readonly sdkDisabled?: boolean | undefined
  /** `service.name`. `OTEL_SERVICE_NAME`; default the name in the nearest `package.json`, else `unknown_service:node`. */
  readonly serviceName?: string | undefined
  /** `deployment.environment.name`. `OTEL_ENVIRONMENT`; default unset. */
  readonly environment?: string | undefined
  /** More attributes of the resource. Joined with those of `OTEL_RESOURCE_ATTRIBUTES`, before which they go key by key. */
  readonly resourceAttributes?: Readonly<Record<string, ResourceAttributeValue | undefined>> | undefined
  /** Base URL; `/v1/traces` is appended. `OTEL_EXPORTER_OTLP_ENDPOINT`; default `http://localhost:4318`. */
  readonly endpoint?: string | URL | Redacted.Redacted<string> | undefined
  /** Full URL, used as it is; goes before `endpoint`. `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`; default unset. */
  readonly tracesEndpoint?: string | URL | Redacted.Redacted<string> | undefined
  /** Headers of every export. `OTEL_EXPORTER_OTLP_[TRACES_]HEADERS`, whose place they take; default none. */
  readonly headers?: Readonly<Record<string, string | Redacted.Redacted<string>>> | undefined
  /** How long one export may take; 0 means no limit. `OTEL_EXPORTER_OTLP_[TRACES_]TIMEOUT`; default 10 s. */
  readonly timeout?: Duration.Input | undefined
  /** `OTEL_EXPORTER_OTLP_[TRACES_]COMPRESSION`; default `none`. */
  readonly compression?: "none" | "gzip" | undefined
  /** `OTEL_EXPORTER_OTLP_[TRACES_]PROTOCOL`; default `http/protobuf`. */
  readonly protocol?: "http/protobuf" | "http/json" | undefined
  /** PEM file of authorities. `OTEL_EXPORTER_OTLP_[TRACES_]CERTIFICATE`; default those of Node.js. */
  readonly certificate?: string | undefined
  /** PEM file; needs `clientKey`. `OTEL_EXPORTER_OTLP_[TRACES_]CLIENT_CERTIFICATE`; default none. */
  readonly clientCertificate?: string | undefined
  /** PEM file; needs `clientCertificate`. `OTEL_EXPORTER_OTLP_[TRACES_]CLIENT_KEY`; default none. */
  readonly clientKey?: string | undefined
  /** Share of new traces that are kept, 0 to 1, parent-based. `OTEL_TRACE_SAMPLER_RATE`; default 1. Not with `sampler`. */
  readonly samplerRate?: number | undefined
  /** A standard sampler, or any OpenTelemetry sampler. `OTEL_TRACES_SAMPLER`; default `parentbased_always_on`. */
  readonly sampler?: SamplerName | Sampler | undefined
  /** Share for the ratio samplers, 0 to 1. `OTEL_TRACES_SAMPLER_ARG`; default 1. */
  readonly samplerArg?: number | undefined
  /** Where spans go. `OTEL_TRACES_EXPORTER`; default `otlp`. */
  readonly exporter?: "otlp" | "console" | "none" | undefined
  /** Spans that may wait in memory. `OTEL_BSP_MAX_QUEUE_SIZE`; default 2048, but for OTLP 64 MiB where it is not set. */
  readonly maxQueueSize?: number | undefined
  /**
   * Spans of one export. `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`; default 512, or the queue's size where that is less, but for OTLP
   * 960 KiB where neither is set.
   */
  readonly maxExportBatchSize?: number | undefined
  /** How long spans wait for a batch to fill. `OTEL_BSP_SCHEDULE_DELAY`; default 5 s. */
  readonly scheduleDelay?: Duration.Input | undefined
  /** How long a batch may take with all its tries; 0 means no limit. `OTEL_BSP_EXPORT_TIMEOUT`; default 30 s. */
  readonly exportTimeout?: Duration.Input | undefined
  /** Attributes of a span. `OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT`, `OTEL_ATTRIBUTE_COUNT_LIMIT`; default 128. */
  readonly attributeCountLimit?: number | undefined
  /** Events of a span. `OTEL_SPAN_EVENT_COUNT_LIMIT`; default 128. */
  readonly eventCountLimit?: number | undefined
  /** Links of a span. `OTEL_SPAN_LINK_COUNT_LIMIT`; default 128. */
  readonly linkCountLimit?: number | undefined
  /** Characters of a text. `OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT`, `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT`; default 8192. */
  readonly attributeValueLengthLimit?: number | undefined
  /** Attributes of an event. `OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT`, `OTEL_ATTRIBUTE_COUNT_LIMIT`; default 128. */
  readonly attributePerEventCountLimit?: number | undefined
  /** Attributes of a link. `OTEL_LINK_ATTRIBUTE_COUNT_LIMIT`, `OTEL_ATTRIBUTE_COUNT_LIMIT`; default 128. */
  readonly attributePerLinkCountLimit?: number | undefined
  /** Keep local traces with an error although head sampling said no. `OTEL_TRACE_KEEP_ERRORS`; default true. */
  readonly keepErrors?: boolean | undefined
  /** The same for local traces that took longer. `OTEL_TRACE_KEEP_SLOWER_THAN`; default unset. */
  readonly keepSlowerThan?: Duration.Input | undefined
  /** Where spans wait on disk; made where it is missing. `OTEL_SPOOL_DIRECTORY`; default unset: memory only. */
  readonly spoolDirectory?: string | undefined
  /** Bytes, or text such as `256MB`. `OTEL_SPOOL_MAX_BYTES`; default 256 MB. */
  readonly spoolMaxBytes?: number | bigint | string | undefined
  /** `OTEL_SEMCONV_STABILITY_OPT_IN`; default none. */
  readonly semconvStabilityOptIn?: ReadonlyArray<SemconvOptIn> | undefined
  /** `OTEL_PROPAGATORS`; default `tracecontext` and `baggage`. */
  readonly propagators?: ReadonlyArray<Propagator | "none"> | undefined
}

/** Where spans are sent: `url` to send to, `display` to show (the values of its query are masked). */
export interface Endpoint {
  /** The full URL without credentials. Redacted, since a query may hold a key. */
  readonly url: Redacted.Redacted<string>
  readonly display: string
}

/** How new traces are chosen: a standard sampler with its share, or one of the user's own. */
export type SamplerDescription =
  | {
      readonly _tag: "AlwaysOn" | "AlwaysOff" | "TraceIdRatio"
      /** 0 to 1. */
      readonly rate: number
      /** Whether the decision of a parent is followed where there is one. */
      readonly parentBased: boolean
    }
  | { readonly _tag: "Custom"; readonly sampler: Sampler }

/**
 * Where a value came from. `name` is the option, the variable, or the file that a default was read from
 * (`package.json` for the service's name).
 */
export interface Source {
  readonly from: "code" | "environment" | "default"
  readonly name: string | undefined
}

/**
 * The configuration, complete: what each setting is, and who said so. A setting means what the option of its name means, and is in the
 * same unit; texts have been read, and defaults put in.
 */
export interface TelemetryConfig {
  readonly enabled: boolean
  /** Why tracing is off, for a person; `undefined` where it is on. */
  readonly disabledReason: string | undefined
  readonly serviceName: string
  readonly environment: string | undefined
  /** All attributes of the resource that are configured, `service.name` and `deployment.environment.name` included. */
  readonly resourceAttributes: Readonly<Record<string, ResourceAttributeValue>>
  readonly exporter: "otlp" | "console" | "none"
  readonly endpoint: Endpoint
  /** By name in lower case; `authorization` from the endpoint's credentials included. */
  readonly headers: Readonly<Record<string, Redacted.Redacted<string>>>
  /** At most 2,147,483,647 ms, which stands for "no limit". */
  readonly timeout: Duration.Duration
  readonly compression: "none" | "gzip"
  readonly protocol: "http/protobuf" | "http/json"
  /** Absolute paths; readable files where they will be used. */
  readonly certificate: string | undefined
  readonly clientCertificate: string | undefined
  readonly clientKey: string | undefined
  readonly sampler: SamplerDescription
  readonly maxQueueSize: number
  /** Never more than `maxQueueSize`. */
  readonly maxExportBatchSize: number
  readonly scheduleDelay: Duration.Duration
  /** At most 2,147,483,647 ms, which stands for "no limit". */
  readonly exportTimeout: Duration.Duration
  /** The limits have the names of OpenTelemetry's `SpanLimits`. */
  readonly attributeCountLimit: number
  readonly eventCountLimit: number
  readonly linkCountLimit: number
  readonly attributeValueLengthLimit: number
  readonly attributePerEventCountLimit: number
  readonly attributePerLinkCountLimit: number
  readonly keepErrors: boolean
  readonly keepSlowerThan: Duration.Duration | undefined
  /** An absolute path that was written to just now; `undefined` means memory only. */
  readonly spoolDirectory: string | undefined
  readonly spoolMaxBytes: number
  readonly semconvStabilityOptIn: ReadonlyArray<SemconvOptIn>
  /** Empty where `none` was said. */
  readonly propagators: ReadonlyArray<Propagator>
  /** Which source won, for each setting. */
  readonly sources: Readonly<Record<SettingName, Source>>
  /** Which source won, for each attribute of the resource. */
  readonly resourceSources: Readonly<Record<string, Source>>
  /** What is worth telling a person and no failure. */
  readonly warnings: ReadonlyArray<string>
}

/** The settings of a configuration. */
export type SettingName = Exclude<keyof TelemetryConfig, "disabledReason" | "sources" | "resourceSources" | "warnings">

/** One value that is not accepted. */
export interface TelemetryConfigProblem {
  /** The variable, or the option in code. */
  readonly variable: string
  /** The value as it may be shown: what is secret in it is masked. */
  readonly value: string
  /** What is accepted. */
  readonly accepted: string
  /** All of it in one line. */
  readonly message: string
}

/** Everything that is wrong with the configuration. Holds no secret, neither in its message nor elsewhere. */
export class TelemetryConfigError extends Data.TaggedError("TelemetryConfigError")<{
  readonly problems: readonly [TelemetryConfigProblem, ...Array<TelemetryConfigProblem>]
}> {
  override get message(): string {
    const messages = this.problems.map((problem) => problem.message)
    return messages.length === 1
      ? messages[0]!
      : `${messages.length} settings are not accepted:\n${messages.map((message) => `- ${message}`).join("\n")}`
  }
}

/**
 * Reads the configuration.
 *
 * **Details**
 *
 * Where tracing is on and goes out over OTLP, the files for TLS must be readable, and the spool's directory is made and
 * written to once; a directory that cannot be costs a warning and spans wait in memory. Otherwise no file is touched but
 * `package.json`, for the service's name, where nothing else names it.
 *
 * Fails with a `TelemetryConfigError` that lists all that is not accepted.
 */
export const load = (options: TelemetryOptions = {}): Effect.Effect<TelemetryConfig, TelemetryConfigError> =>
  Effect.gen(function* () {
    const reader = new Reader(options, yield* Environment.read)
    const { config, switchedOff } = resolve(reader, options)
    const [first, ...others] = reader.problems
    if (first === undefined) return config
    if (switchedOff) {
      return { ...config, warnings: [...config.warnings, ...reader.problems.map((problem) => problem.message)] }
    }
    return yield* new TelemetryConfigError({ problems: [first, ...others] })
  })

const showSampler = (sampler: SamplerDescription): string => {
  switch (sampler._tag) {
    case "Custom": {
      try {
        return sampler.sampler.toString().replace(/\p{Cc}+/gu, " ")
      } catch {
        return "custom"
      }
    }
    case "AlwaysOn":
      return sampler.parentBased ? "parentbased_always_on" : "always_on"
    case "AlwaysOff":
      return sampler.parentBased ? "parentbased_always_off" : "always_off"
    case "TraceIdRatio":
      return `${sampler.parentBased ? "parentbased_" : ""}traceidratio(${sampler.rate})`
  }
}

/** Quotes what would not read as one word of a log line, line breaks above all. */
const plain = (text: string): string =>
  // The second is slow to make, and seldom needed.
  /^[\w.:/@+-]+$/.test(text) || /^[\p{L}\p{N}_.:/@+-]+$/u.test(text) ? text : JSON.stringify(text)

/**
 * The line of the start: whether tracing is on, with service, endpoint and sampler, or off, with the reason. `exporter` names
 * one that code gives and the configuration does not know.
 */
export const describe = (config: TelemetryConfig, exporter: string = config.exporter): string => {
  if (!config.enabled) return `OpenTelemetry tracing disabled: ${config.disabledReason}`
  const target = config.exporter === "otlp" ? `endpoint ${config.endpoint.display}` : `exporter ${plain(exporter)}`
  return `OpenTelemetry tracing enabled: service ${plain(config.serviceName)}, ${target}, sampler ${showSampler(config.sampler)}`
}

const show = (config: TelemetryConfig, name: SettingName): string => {
  if (name === "endpoint") return config.endpoint.display
  if (name === "sampler") return showSampler(config.sampler)
  const value: unknown = config[name]
  if (value === undefined) return "unset"
  if (Duration.isDuration(value)) return `${Duration.toMillis(value)}ms`
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.join(",")
  if (typeof value === "object") {
    // A header's value is Redacted, which prints itself as such.
    const pairs = Object.entries(value as Record<string, unknown>).map(([key, item]) => `${key}=${String(item)}`)
    return pairs.length === 0 ? "none" : pairs.join(",")
  }
  return String(value)
}

/** A setting as it is in effect, as text that holds no secret. */
export interface EffectiveSetting {
  readonly setting: SettingName
  /** The value as text; a secret is masked. */
  readonly value: string
  /** Who said so. */
  readonly source: Source
}

/** Every setting as it is in effect and the source that won: for a person who asks why. */
export const effective = (config: TelemetryConfig): ReadonlyArray<EffectiveSetting> =>
  (Object.keys(config.sources) as ReadonlyArray<SettingName>).map((setting) => ({
    setting,
    value: show(config, setting),
    source: config.sources[setting]
  }))

/** A row of the table of settings. */
export interface SettingRow {
  /** The option in code. */
  readonly option: keyof TelemetryOptions
  /** The variables, the one that wins first. */
  readonly variables: ReadonlyArray<string>
  /** What it means; Markdown. */
  readonly meaning: string
  readonly default: string
  /** What is accepted, as an error says it. */
  readonly accepted: string
  /** What happens with anything else. */
  readonly badInput: string
}

/** Every setting: the table of the documentation, made of the very definitions that `load` reads by. */
export const table: ReadonlyArray<SettingRow> = Settings.all.map(
  ({ accepted, badInput, default: byDefault, meaning, option, variables }): SettingRow => ({
    option,
    variables,
    meaning,
    default: byDefault,
    accepted,
    badInput
  })
)
