/**
 * Puts the settings together: precedence, what settings ask of one another, defaults.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"
import type { Sampler as OtelSampler } from "@opentelemetry/sdk-trace-base"
import type {
  ResourceAttributeValue,
  SamplerDescription,
  SamplerName,
  SemconvOptIn,
  Propagator,
  SettingName,
  Source,
  TelemetryConfig,
  TelemetryOptions
} from "../../TelemetryConfig.ts"
import { defaults, REDACTED } from "../../tracer/Redaction.ts"
import { type ParsedEndpoint, parseEndpoint, tracesPath } from "./endpoint.ts"
import { byDefault, type Found, type Reader } from "./reader.ts"
import * as Settings from "./settings.ts"
import { notPem, notSpoolable, packageName, workingDirectory } from "./surroundings.ts"

const withFallback = <A>(found: Found<A> | undefined, value: A): { readonly value: A; readonly source: Source } => ({
  value: found?.value ?? value,
  source: found?.source ?? byDefault
})

const nameOf = (source: Source): string => source.name ?? "the default"

/** Whether tracing is on, and if not, why. */
const resolveEnabled = (reader: Reader) => {
  const disabled = reader.find(Settings.sdkDisabled)
  const enabled = reader.find(Settings.enabled)
  if (disabled?.value === true) {
    const disabledReason = `${nameOf(disabled.source)} is true`
    return { enabled: false, disabledReason, source: disabled.source, switchedOff: true }
  }
  const source = enabled?.source ?? byDefault
  if (enabled?.value === true) return { enabled: true, disabledReason: undefined, source, switchedOff: false }
  const disabledReason =
    enabled === undefined ? "OTEL_ENABLED is not set; OTEL_ENABLED=true turns it on" : `${nameOf(source)} is false`
  return { enabled: false, disabledReason, source, switchedOff: false }
}

/** Attributes of the resource are there to be sent, with every batch: so secrets go at once. */
const withoutSecrets = (key: string, value: ResourceAttributeValue): ResourceAttributeValue => {
  if (defaults.isSecretKey(key)) return REDACTED
  if (typeof value === "string") return defaults.text(value)
  return Array.isArray(value)
    ? (value.map((item) => (typeof item === "string" ? defaults.text(item) : item)) as ReadonlyArray<string>)
    : value
}

/** What describes the process. Dedicated settings go before the same key among the attributes, and code before environment. */
const resolveResource = (reader: Reader) => {
  const attributes = new Map<string, ResourceAttributeValue>()
  const sources = new Map<string, Source>()
  const put = (key: string, value: ResourceAttributeValue | undefined, source: Source): void => {
    if (value === undefined) return
    attributes.set(key, withoutSecrets(key, value))
    sources.set(key, source)
  }
  const putAll = (found: Found<Readonly<Record<string, ResourceAttributeValue>>> | undefined): void => {
    for (const [key, value] of Object.entries(found?.value ?? {})) put(key, value, found!.source)
  }
  const environmentAttributes = reader.environment(Settings.resourceAttributes)
  const codeAttributes = reader.code(Settings.resourceAttributes)
  const dedicated = [
    ["service.name", Settings.serviceName],
    ["deployment.environment.name", Settings.environment]
  ] as const
  const putDedicated = (read: "code" | "environment"): void => {
    for (const [key, setting] of dedicated) {
      const found = reader[read](setting)
      if (found !== undefined) put(key, found.value, found.source)
    }
  }
  // From the weakest to the strongest: each overwrites the one before.
  putAll(environmentAttributes)
  putDedicated("environment")
  putAll(codeAttributes)
  putDedicated("code")

  let serviceName = attributes.get("service.name")
  if (typeof serviceName !== "string" || serviceName.trim() === "") {
    const found = packageName(process.argv[1], workingDirectory())
    serviceName = found?.name ?? Settings.defaults.serviceName
    put("service.name", serviceName, { from: "default", name: found?.file })
  }
  const environment = attributes.get("deployment.environment.name")
  return {
    serviceName,
    environment: typeof environment === "string" && environment !== "" ? environment : undefined,
    resourceAttributes: Object.fromEntries(attributes),
    resourceSources: Object.fromEntries(sources),
    serviceNameSource: sources.get("service.name")!,
    environmentSource: sources.get("deployment.environment.name") ?? byDefault,
    attributesSource: (codeAttributes ?? environmentAttributes)?.source ?? byDefault
  }
}

/** Headers that belong to the exporter: another value of theirs would make a request that no server can read. */
const reservedHeaders = ["connection", "content-encoding", "content-length", "content-type", "transfer-encoding"]

/** Where spans go over the network, and with which headers. */
const resolveTarget = (reader: Reader) => {
  const found =
    reader.code(Settings.tracesEndpoint) ??
    reader.code(Settings.endpoint) ??
    reader.environment(Settings.tracesEndpoint) ??
    reader.environment(Settings.endpoint)
  const parsed = found?.value ?? (parseEndpoint(Settings.defaults.endpoint, "base") as ParsedEndpoint)
  if (parsed.doubled) {
    const full = found!.source.from === "code" ? "tracesEndpoint" : "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
    reader.warnings.push(
      `${nameOf(found!.source)}: ends with ${tracesPath}, which is appended once more; a full URL goes into ${full}`
    )
  }
  const headers = reader.find(Settings.headers)
  const given: Record<string, Redacted.Redacted<string>> = { ...headers?.value }
  for (const name of reservedHeaders) {
    if (!Object.hasOwn(given, name)) continue
    delete given[name]
    reader.warnings.push(`${nameOf(headers!.source)}: ${name} is the exporter's own and is ignored`)
  }
  // An explicit header goes before the credentials of the URL, as with every HTTP client.
  if (parsed.authorization !== undefined && !Object.hasOwn(given, "authorization")) {
    given["authorization"] = parsed.authorization
  }
  return {
    endpoint: parsed.endpoint,
    endpointSource: found?.source ?? byDefault,
    headers: given,
    headersSource: headers?.source ?? byDefault
  }
}

/** Files are looked at only where they will be used. */
const resolveTls = (reader: Reader, used: boolean) => {
  const read = (
    setting: Settings.Setting<string>,
    what: Parameters<typeof notPem>[1] = "CERTIFICATE"
  ): Found<string> | undefined => {
    const found = reader.find(setting)
    const wrong = used && found?.value !== undefined ? notPem(found.value, what) : undefined
    if (wrong !== undefined)
      reader.refuse(nameOf(found!.source), found!.shown, "the path of a readable PEM file", wrong)
    return found
  }
  const certificate = read(Settings.certificate)
  const clientCertificate = read(Settings.clientCertificate)
  const clientKey = read(Settings.clientKey, "PRIVATE KEY")
  if (clientCertificate !== undefined && clientKey === undefined) {
    const key = clientCertificate.source.from === "code" ? "clientKey" : "OTEL_EXPORTER_OTLP_CLIENT_KEY"
    reader.refuse(nameOf(clientCertificate.source), clientCertificate.shown, `its private key in ${key} too`)
  }
  if (clientKey !== undefined && clientCertificate === undefined) {
    const pem = clientKey.source.from === "code" ? "clientCertificate" : "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"
    reader.refuse(nameOf(clientKey.source), clientKey.shown, `its certificate in ${pem} too`)
  }
  return { certificate, clientCertificate, clientKey }
}

const isOtelSampler = (value: unknown): value is OtelSampler =>
  typeof value === "object" && value !== null && typeof (value as OtelSampler).shouldSample === "function"

const describeSampler = (name: SamplerName, rate: number): SamplerDescription => {
  const parentBased = name.startsWith("parentbased_")
  if (name.endsWith("traceidratio")) return { _tag: "TraceIdRatio", rate, parentBased }
  return name.endsWith("always_on")
    ? { _tag: "AlwaysOn", rate: 1, parentBased }
    : { _tag: "AlwaysOff", rate: 0, parentBased }
}

/** The head decision: a rate, or a standard sampler by name, or in code a sampler of the user's own. */
const resolveSampler = (
  reader: Reader,
  options: TelemetryOptions
): { readonly sampler: SamplerDescription; readonly source: Source } => {
  const standard = describeSampler("parentbased_always_on", 1)
  const fromRate = (rate: Found<number>) => ({
    sampler: describeSampler("parentbased_traceidratio", rate.value ?? 1),
    source: rate.source
  })
  const fromName = (name: Found<SamplerName>) => {
    const arg = reader.find(Settings.samplerArg)
    if (name.value === undefined) return { sampler: standard, source: name.source }
    if (arg !== undefined && !name.value.endsWith("traceidratio")) {
      reader.warnings.push(`${nameOf(arg.source)}: is not used by the sampler ${name.value}`)
    }
    return { sampler: describeSampler(name.value, arg?.value ?? 1), source: name.source }
  }

  if (options.sampler !== undefined && options.samplerRate !== undefined) {
    reader.refuse("samplerRate", String(options.samplerRate), "either samplerRate or sampler, not both")
  }
  if (isOtelSampler(options.sampler)) {
    return { sampler: { _tag: "Custom", sampler: options.sampler }, source: { from: "code", name: "sampler" } }
  }
  const codeRate = reader.code(Settings.samplerRate)
  if (codeRate !== undefined) return fromRate(codeRate)
  const codeName = reader.code(Settings.samplerName)
  if (codeName !== undefined) return fromName(codeName)
  const rate = reader.environment(Settings.samplerRate)
  if (rate !== undefined) return fromRate(rate)
  const name = reader.environment(Settings.samplerName)
  if (name !== undefined) return fromName(name)
  const lone = reader.find(Settings.samplerArg)
  if (lone !== undefined) {
    reader.warnings.push(`${nameOf(lone.source)}: is not used without ${Settings.samplerName.variables[0]}`)
  }
  return { sampler: standard, source: byDefault }
}

/** A batch is taken from the queue, so that it cannot be larger. A default gives way; a value of the user's is refused. */
const resolveBatch = (reader: Reader) => {
  const queue = reader.find(Settings.maxQueueSize)
  const batch = reader.find(Settings.maxExportBatchSize)
  const queueRefused = queue !== undefined && queue.value === undefined
  const maxQueueSize = queue?.value ?? Settings.defaults.maxQueueSize
  if (batch?.value !== undefined && batch.value > maxQueueSize && !queueRefused) {
    const limit = queue === undefined ? "the default of OTEL_BSP_MAX_QUEUE_SIZE" : nameOf(queue.source)
    reader.refuse(nameOf(batch.source), batch.shown, `an integer from 1 to ${maxQueueSize}, which is ${limit}`)
  }
  return {
    maxQueueSize: { value: maxQueueSize, source: queue?.source ?? byDefault },
    maxExportBatchSize: withFallback(batch, Math.min(Settings.defaults.maxExportBatchSize, maxQueueSize))
  }
}

/** A directory that cannot hold spans costs one warning, not the start: spans then wait in memory. */
const resolveSpool = (reader: Reader, used: boolean) => {
  const directory = reader.find(Settings.spoolDirectory)
  const wrong = used && directory?.value !== undefined ? notSpoolable(directory.value) : undefined
  if (wrong !== undefined) {
    reader.warnings.push(
      `${nameOf(directory!.source)}: ${directory!.shown} cannot hold spans (${wrong}); they wait in memory only`
    )
  }
  return {
    spoolDirectory: {
      value: wrong === undefined ? directory?.value : undefined,
      source: directory?.source ?? byDefault
    },
    spoolMaxBytes: withFallback(reader.find(Settings.spoolMaxBytes), Settings.defaults.spoolMaxBytes)
  }
}

const resolveSemconv = (reader: Reader) => {
  const found = reader.find(Settings.semconvStabilityOptIn)
  const words = found?.value ?? []
  const isKnown = (word: string): word is SemconvOptIn =>
    (Settings.semconvWords as ReadonlyArray<string>).includes(word)
  for (const word of words.filter((word) => !isKnown(word))) {
    reader.warnings.push(
      `${nameOf(found!.source)}: ${JSON.stringify(word)} is unknown here and ignored; known are ${Settings.semconvWords.join(", ")}`
    )
  }
  return { value: words.filter(isKnown), source: found?.source ?? byDefault }
}

/** The configuration, which counts if the reader has no problems on its list or the switch is off. */
export interface Resolved {
  readonly config: TelemetryConfig
  /** Whether `OTEL_SDK_DISABLED` or its option turned everything off. */
  readonly switchedOff: boolean
}

/** Reads all settings, in the order of the documentation. */
export const resolve = (reader: Reader, options: TelemetryOptions): Resolved => {
  const on = resolveEnabled(reader)
  const resource = resolveResource(reader)
  const exporter = withFallback(reader.find(Settings.exporter), "otlp")
  const sends = on.enabled && exporter.value === "otlp"
  const target = resolveTarget(reader)
  const tls = resolveTls(reader, sends)
  const sampling = resolveSampler(reader, options)
  const batch = resolveBatch(reader)
  const spool = resolveSpool(reader, sends)
  const propagators = withFallback(reader.find(Settings.propagators), ["tracecontext", "baggage"])
  const millis = (setting: Settings.Setting<Duration.Duration>, value: number) =>
    withFallback(reader.find(setting), Duration.millis(value))
  const count = (setting: Settings.Setting<number>) => withFallback(reader.find(setting), Settings.defaults.count)
  const optional = <A>(found: Found<A> | undefined) => ({ value: found?.value, source: found?.source ?? byDefault })

  const settled = {
    enabled: { value: on.enabled, source: on.source },
    serviceName: { value: resource.serviceName, source: resource.serviceNameSource },
    environment: { value: resource.environment, source: resource.environmentSource },
    resourceAttributes: { value: resource.resourceAttributes, source: resource.attributesSource },
    exporter,
    endpoint: { value: target.endpoint, source: target.endpointSource },
    headers: { value: target.headers, source: target.headersSource },
    timeout: millis(Settings.timeout, Settings.defaults.timeoutMillis),
    compression: withFallback(reader.find(Settings.compression), "none"),
    protocol: withFallback(reader.find(Settings.protocol), "http/protobuf"),
    certificate: optional(tls.certificate),
    clientCertificate: optional(tls.clientCertificate),
    clientKey: optional(tls.clientKey),
    sampler: { value: sampling.sampler, source: sampling.source },
    maxQueueSize: batch.maxQueueSize,
    maxExportBatchSize: batch.maxExportBatchSize,
    scheduleDelay: millis(Settings.scheduleDelay, Settings.defaults.scheduleDelayMillis),
    exportTimeout: millis(Settings.exportTimeout, Settings.defaults.exportTimeoutMillis),
    attributeCountLimit: count(Settings.attributeCountLimit),
    eventCountLimit: count(Settings.eventCountLimit),
    linkCountLimit: count(Settings.linkCountLimit),
    attributeValueLengthLimit: withFallback(
      reader.find(Settings.attributeValueLengthLimit),
      Settings.defaults.attributeValueLength
    ),
    attributePerEventCountLimit: count(Settings.attributePerEventCountLimit),
    attributePerLinkCountLimit: count(Settings.attributePerLinkCountLimit),
    keepErrors: withFallback(reader.find(Settings.keepErrors), true),
    keepSlowerThan: optional(reader.find(Settings.keepSlowerThan)),
    spoolDirectory: spool.spoolDirectory,
    spoolMaxBytes: spool.spoolMaxBytes,
    semconvStabilityOptIn: resolveSemconv(reader),
    propagators: {
      value: propagators.value.filter((name): name is Propagator => name !== "none"),
      source: propagators.source
    }
  } satisfies { readonly [Name in SettingName]: { readonly value: TelemetryConfig[Name]; readonly source: Source } }

  const settings = Object.entries(settled)
  const values: unknown = Object.fromEntries(settings.map(([name, { value }]) => [name, value]))
  const sources: unknown = Object.fromEntries(settings.map(([name, { source }]) => [name, source]))
  return {
    switchedOff: on.switchedOff,
    config: {
      ...(values as { readonly [Name in SettingName]: TelemetryConfig[Name] }),
      disabledReason: on.disabledReason,
      sources: sources as { readonly [Name in SettingName]: Source },
      resourceSources: resource.resourceSources,
      warnings: reader.warnings
    }
  }
}
