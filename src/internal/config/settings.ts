/**
 * Every setting, written once: its option in code, its variables, what it means, its default, and how it is read. The
 * table of the documentation and the messages of errors are made of these same words.
 *
 * @internal
 */
import * as Result from "effect/Result"
import type { Propagator, SamplerName, SemconvOptIn, SettingRow, TelemetryOptions } from "../../TelemetryConfig.ts"
import * as Kinds from "./kinds.ts"

/** A setting: a row of the table, with the way to read it. */
export interface Setting<A> extends SettingRow {
  readonly option: keyof TelemetryOptions
  readonly kind: Kinds.Kind<A>
}

const fails = "startup fails and names the variable, the value and what is accepted"
const failsSecretly = "startup fails and names the variable and what is accepted, never a value"

const setting = <A>(
  option: keyof TelemetryOptions,
  variables: ReadonlyArray<string>,
  kind: Kinds.Kind<A>,
  row: { readonly meaning: string; readonly default: string; readonly badInput?: string | undefined }
): Setting<A> => ({
  option,
  variables,
  meaning: row.meaning,
  default: row.default,
  accepted: kind.accepted,
  badInput: row.badInput ?? fails,
  kind
})

/** The traces form of an OTLP exporter variable goes before the general one. */
const otlp = (name: string): ReadonlyArray<string> => [
  `OTEL_EXPORTER_OTLP_TRACES_${name}`,
  `OTEL_EXPORTER_OTLP_${name}`
]

/** What holds where nothing is said; beside each the specification's word for it. */
export const defaults = {
  endpoint: "http://localhost:4318",
  serviceName: "unknown_service:node",
  /** OTLP exporter, "Timeout". */
  timeoutMillis: 10_000,
  /** Batch span processor, "maxQueueSize". */
  maxQueueSize: 2048,
  /** Batch span processor, "maxExportBatchSize". */
  maxExportBatchSize: 512,
  /** Batch span processor, "scheduledDelayMillis". */
  scheduleDelayMillis: 5000,
  /** Batch span processor, "exportTimeoutMillis". */
  exportTimeoutMillis: 30_000,
  /** Span limits, "AttributeCountLimit", "EventCountLimit", "LinkCountLimit" and the two per event and per link. */
  count: 128,
  /** Span limits, "AttributeValueLengthLimit": there without limit. */
  attributeValueLength: 8192,
  spoolMaxBytes: 256_000_000
} as const

export const samplerNames: ReadonlyArray<SamplerName> = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio"
]

const propagatorNames: ReadonlyArray<Propagator | "none"> = ["tracecontext", "baggage", "b3", "b3multi", "none"]

/** What `OTEL_SEMCONV_STABILITY_OPT_IN` can say here. Other words are of other areas, or of nobody. */
export const semconvWords: ReadonlyArray<SemconvOptIn> = ["http", "http/dup", "database", "database/dup"]

export const enabled = setting("enabled", ["OTEL_ENABLED"], Kinds.boolean, {
  meaning: "`true` turns tracing on",
  default: "false"
})

export const sdkDisabled = setting("sdkDisabled", ["OTEL_SDK_DISABLED"], Kinds.boolean, {
  meaning: "`true` wins over everything: no tracing, and what is wrong elsewhere becomes a warning",
  default: "false"
})

export const serviceName = setting("serviceName", ["OTEL_SERVICE_NAME"], Kinds.text, {
  meaning: "`service.name`",
  default: `name in the nearest package.json, else ${defaults.serviceName}`,
  badInput: "empty is unset"
})

export const environment = setting("environment", ["OTEL_ENVIRONMENT"], Kinds.text, {
  meaning: "`deployment.environment.name`",
  default: "unset",
  badInput: "empty is unset"
})

export const resourceAttributes = setting(
  "resourceAttributes",
  ["OTEL_RESOURCE_ATTRIBUTES"],
  Kinds.resourceAttributes,
  {
    meaning: "more attributes of the resource; those of code and environment are joined",
    default: "unset",
    badInput: "startup fails and names the variable, the malformed pair and what is accepted"
  }
)

export const tracesEndpoint = setting(
  "tracesEndpoint",
  ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"],
  Kinds.endpoint("traces"),
  { meaning: "the full URL that spans are sent to, used as it is", default: "unset" }
)

export const endpoint = setting("endpoint", ["OTEL_EXPORTER_OTLP_ENDPOINT"], Kinds.endpoint("base"), {
  meaning: "base URL, to which `/v1/traces` is appended; a bare `host:port` means `http://host:port`",
  default: defaults.endpoint
})

export const headers = setting("headers", otlp("HEADERS"), Kinds.headers, {
  meaning: "headers of every export; the traces form takes the place of the general one",
  default: "unset",
  badInput: failsSecretly
})

export const timeout = setting("timeout", otlp("TIMEOUT"), Kinds.millis("means no limit"), {
  meaning: "how long one export may take",
  default: String(defaults.timeoutMillis)
})

export const compression = setting("compression", otlp("COMPRESSION"), Kinds.oneOf(["none", "gzip"]), {
  meaning: "compression of what is sent",
  default: "none"
})

export const protocol = setting("protocol", otlp("PROTOCOL"), Kinds.oneOf(["http/protobuf", "http/json"]), {
  meaning: "encoding of what is sent",
  default: "http/protobuf"
})

export const certificate = setting("certificate", otlp("CERTIFICATE"), Kinds.path, {
  meaning: "PEM file of the authorities that the server's certificate is checked against",
  default: "unset",
  badInput: "not a readable PEM file: startup fails and names it"
})

export const clientCertificate = setting("clientCertificate", otlp("CLIENT_CERTIFICATE"), Kinds.path, {
  meaning: "PEM file of the client's certificate, with its key beside it",
  default: "unset",
  badInput: "not a readable PEM file, or without its key: startup fails and names it"
})

export const clientKey = setting("clientKey", otlp("CLIENT_KEY"), Kinds.path, {
  meaning: "PEM file of the client certificate's private key",
  default: "unset",
  badInput: "not a readable PEM file, or without its certificate: startup fails and names it"
})

export const samplerRate = setting("samplerRate", ["OTEL_TRACE_SAMPLER_RATE"], Kinds.ratio, {
  meaning: "share of new traces that are kept, parent-based; wins over `OTEL_TRACES_SAMPLER`",
  default: "1.0"
})

const samplerKind: Kinds.Kind<SamplerName> = {
  ...Kinds.oneOf(samplerNames),
  acceptedInCode: `one of ${samplerNames.join(", ")}, or an OpenTelemetry Sampler`
}

export const samplerName = setting("sampler", ["OTEL_TRACES_SAMPLER"], samplerKind, {
  meaning: "a standard sampler; used when `OTEL_TRACE_SAMPLER_RATE` is unset",
  default: "parentbased_always_on"
})

export const samplerArg = setting("samplerArg", ["OTEL_TRACES_SAMPLER_ARG"], Kinds.ratio, {
  meaning: "share for `traceidratio` and `parentbased_traceidratio`",
  default: "1.0"
})

export const exporter = setting("exporter", ["OTEL_TRACES_EXPORTER"], Kinds.oneOf(["otlp", "console", "none"]), {
  meaning: "where spans go",
  default: "otlp"
})

export const maxQueueSize = setting("maxQueueSize", ["OTEL_BSP_MAX_QUEUE_SIZE"], Kinds.integer(1), {
  meaning: "how many spans may wait in memory",
  default: String(defaults.maxQueueSize)
})

export const maxExportBatchSize = setting("maxExportBatchSize", ["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"], Kinds.integer(1), {
  meaning: "how many spans one export holds at most; not more than the queue",
  default: String(defaults.maxExportBatchSize)
})

export const scheduleDelay = setting("scheduleDelay", ["OTEL_BSP_SCHEDULE_DELAY"], Kinds.millis("is zero"), {
  meaning: "how long spans wait for a batch to fill",
  default: String(defaults.scheduleDelayMillis)
})

export const exportTimeout = setting("exportTimeout", ["OTEL_BSP_EXPORT_TIMEOUT"], Kinds.millis("means no limit"), {
  meaning: "how long a batch may take with all its tries",
  default: String(defaults.exportTimeoutMillis)
})

const limit = (option: keyof TelemetryOptions, variables: ReadonlyArray<string>, meaning: string, value: number) =>
  setting(option, variables, Kinds.integer(0), { meaning, default: String(value) })

export const attributeCountLimit = limit(
  "attributeCountLimit",
  ["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"],
  "attributes of a span; more are dropped and counted",
  defaults.count
)

export const eventCountLimit = limit(
  "eventCountLimit",
  ["OTEL_SPAN_EVENT_COUNT_LIMIT"],
  "events of a span; more are dropped and counted",
  defaults.count
)

export const linkCountLimit = limit(
  "linkCountLimit",
  ["OTEL_SPAN_LINK_COUNT_LIMIT"],
  "links of a span; more are dropped and counted",
  defaults.count
)

export const attributeValueLengthLimit = limit(
  "attributeValueLengthLimit",
  ["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"],
  "characters of an attribute's text; the rest is cut off",
  defaults.attributeValueLength
)

export const attributePerEventCountLimit = limit(
  "attributePerEventCountLimit",
  ["OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"],
  "attributes of an event; more are dropped and counted",
  defaults.count
)

export const attributePerLinkCountLimit = limit(
  "attributePerLinkCountLimit",
  ["OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"],
  "attributes of a link; more are dropped and counted",
  defaults.count
)

export const keepErrors = setting("keepErrors", ["OTEL_TRACE_KEEP_ERRORS"], Kinds.boolean, {
  meaning: "keep local traces with an error although head sampling said no",
  default: "true"
})

export const keepSlowerThan = setting("keepSlowerThan", ["OTEL_TRACE_KEEP_SLOWER_THAN"], Kinds.duration, {
  meaning: "keep local traces that took longer than this although head sampling said no",
  default: "unset"
})

export const spoolDirectory = setting("spoolDirectory", ["OTEL_SPOOL_DIRECTORY"], Kinds.path, {
  meaning: "where spans wait on disk; made where it is missing",
  default: "unset (memory only)",
  badInput: "not a directory, not writable: one warning, memory only"
})

export const spoolMaxBytes = setting("spoolMaxBytes", ["OTEL_SPOOL_MAX_BYTES"], Kinds.size, {
  meaning: "how much of the disk waiting spans may take",
  default: "256MB"
})

const semconvList = Kinds.listOf(`a list of ${semconvWords.join(", ")}`, () => undefined)

/** The variable belongs to all of OpenTelemetry, so that whatever it holds is no reason to fail here. */
const semconvKind: Kinds.Kind<ReadonlyArray<string>> = {
  ...semconvList,
  fromText: (text) => Result.orElse(semconvList.fromText(text), () => semconvList.fromCode(text.split(",")))
}

export const semconvStabilityOptIn = setting("semconvStabilityOptIn", ["OTEL_SEMCONV_STABILITY_OPT_IN"], semconvKind, {
  meaning: "`http/dup`, `database/dup`: the older attribute names beside the stable ones",
  default: "unset",
  badInput: "an unknown value is ignored, with a warning"
})

const propagatorRefusal = (words: ReadonlyArray<string>): Kinds.Refusal | undefined => {
  const unknown = words.find((word) => !(propagatorNames as ReadonlyArray<string>).includes(word))
  if (unknown !== undefined) return { detail: `${JSON.stringify(unknown)} is unknown` }
  if (words.length === 0) return { detail: "it is empty; none turns propagation off" }
  return words.includes("none") && words.length > 1 ? { detail: "none stands alone" } : undefined
}

export const propagators = setting(
  "propagators",
  ["OTEL_PROPAGATORS"],
  Kinds.listOf(`a list of ${propagatorNames.join(", ")}`, propagatorRefusal),
  { meaning: "how a trace crosses to other processes", default: "tracecontext,baggage" }
)

/** All of them, in the order of the documentation. */
export const all: ReadonlyArray<Setting<unknown>> = [
  enabled,
  sdkDisabled,
  serviceName,
  environment,
  resourceAttributes,
  endpoint,
  tracesEndpoint,
  headers,
  timeout,
  compression,
  protocol,
  certificate,
  clientCertificate,
  clientKey,
  samplerRate,
  samplerName,
  samplerArg,
  exporter,
  maxQueueSize,
  maxExportBatchSize,
  scheduleDelay,
  exportTimeout,
  attributeCountLimit,
  eventCountLimit,
  linkCountLimit,
  attributeValueLengthLimit,
  attributePerEventCountLimit,
  attributePerLinkCountLimit,
  keepErrors,
  keepSlowerThan,
  spoolDirectory,
  spoolMaxBytes,
  semconvStabilityOptIn,
  propagators
]
