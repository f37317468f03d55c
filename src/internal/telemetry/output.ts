/**
 * Where the spans of a configuration go: the exporter, and whatever else sees them.
 *
 * @internal
 */
import { readFileSync } from "node:fs"
import type { SpanExporter, SpanProcessor } from "@opentelemetry/sdk-trace-base"
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import * as ConsoleExporter from "../../export/ConsoleExporter.ts"
import type { Log, Status } from "../../export/Diagnostics.ts"
import type { Observed } from "../../export/Metrics.ts"
import * as Pipeline from "../../export/Pipeline.ts"
import type { TailOptions, TailRule } from "../../export/Tail.ts"
import type { TelemetryConfig } from "../../TelemetryConfig.ts"
import type { ProcessorReceiver } from "../../tracer/Receivers.ts"
import type { ResourceLike } from "../../tracer/SpanCore.ts"
import * as SpanProcessorBridge from "../../tracer/SpanProcessorBridge.ts"
import type { SpanReceiver } from "../../tracer/SpanReceiver.ts"
import { version } from "../version.ts"

/** What leaves the process, and how to wait for it. */
export interface Output {
  readonly receivers: ReadonlyArray<ProcessorReceiver>
  readonly flush: (timeoutMillis: number) => Promise<Pipeline.FlushResult>
  readonly shutdown: (timeoutMillis: number) => Promise<void>
  readonly status: () => Status
  /** What metrics are read from, where anything is counted. */
  readonly observed: Observed | undefined
}

/** What is beside the configuration. */
export interface OutputOptions {
  readonly resource: ResourceLike
  readonly log: Log
  /** Takes the place of the configured exporter. */
  readonly exporter: SpanExporter | undefined
  readonly spanProcessors: ReadonlyArray<SpanProcessor>
  readonly receivers: ReadonlyArray<SpanReceiver>
  readonly keepRules: ReadonlyArray<TailRule>
}

/** What is counted where nothing is made. */
export const idleStatus: Status = {
  started: 0,
  ended: 0,
  sampled: 0,
  keptByRule: {},
  notKept: 0,
  decidedEarly: 0,
  late: 0,
  held: 0,
  queued: 0,
  queuedBytes: 0,
  inFlight: 0,
  parked: 0,
  spooled: 0,
  spooledBytes: 0,
  recovered: 0,
  exported: 0,
  dropped: {},
  droppedTotal: 0,
  lastError: undefined,
  reachable: undefined
}

/** Makes everything that spans go to. */
export const make = (config: TelemetryConfig, options: OutputOptions): Output => {
  const pipeline = makePipeline(config, options)
  const printer = config.exporter === "console" && options.exporter === undefined ? ConsoleExporter.make() : undefined
  const bridges = options.spanProcessors.map((processor) => SpanProcessorBridge.make(processor))
  return {
    receivers: [
      ...(pipeline === undefined ? [] : [pipeline.receiver]),
      ...(printer === undefined ? [] : [printer]),
      ...bridges.map((bridge) => bridge.receiver),
      ...options.receivers
    ],
    flush: async (timeoutMillis) => {
      printer?.flush()
      const others = Promise.all(bridges.map((bridge) => bridge.forceFlush(timeoutMillis)))
      const result = await (pipeline?.flush(timeoutMillis) ?? nothing)
      const flushed = await others
      return flushed.every(Boolean) ? result : { ...result, complete: false }
    },
    shutdown: async (timeoutMillis) => {
      printer?.close()
      await Promise.all([pipeline?.shutdown(timeoutMillis), ...bridges.map((bridge) => bridge.shutdown(timeoutMillis))])
    },
    status: () => pipeline?.status() ?? idleStatus,
    observed: pipeline?.observed
  }
}

const nothing: Pipeline.FlushResult = { complete: true, exported: 0, dropped: 0, waiting: 0 }

const makePipeline = (config: TelemetryConfig, options: OutputOptions): Pipeline.Pipeline | undefined => {
  const batching: Pipeline.BatchingOptions = {
    // The specification's default of 2,048 spans would lose most of a burst: where nobody asks for a number, bytes are the limit.
    maxQueueSize: config.sources.maxQueueSize.from === "default" ? undefined : config.maxQueueSize,
    // A request for every 512 spans would be a fifth of what a span costs: the same holds for batches.
    maxExportBatchSize:
      config.sources.maxExportBatchSize.from === "default" && config.sources.maxQueueSize.from === "default"
        ? undefined
        : config.maxExportBatchSize,
    scheduleDelayMillis: Duration.toMillis(config.scheduleDelay),
    exportTimeoutMillis: Duration.toMillis(config.exportTimeout),
    tail: tailOptions(config, options.keepRules),
    log: options.log
  }
  if (options.exporter !== undefined) {
    return Pipeline.fromExporter(options.exporter, { ...batching, toReadable: SpanProcessorBridge.toReadable })
  }
  if (config.exporter !== "otlp") return undefined
  return Pipeline.make({
    ...batching,
    endpoint: Redacted.value(config.endpoint.url),
    headers: Object.fromEntries(Object.entries(config.headers).map(([name, value]) => [name, Redacted.value(value)])),
    timeoutMillis: Duration.toMillis(config.timeout),
    compression: config.compression,
    protocol: config.protocol,
    tls: {
      ca: fileOf(config.certificate),
      certificate: fileOf(config.clientCertificate),
      key: fileOf(config.clientKey)
    },
    userAgent: `effect-telemetry/${version}`,
    resource: options.resource,
    scope: { name: "effect-telemetry", version },
    spool:
      config.spoolDirectory === undefined
        ? undefined
        : { directory: config.spoolDirectory, maxBytes: config.spoolMaxBytes }
  })
}

const fileOf = (path: string | undefined): string | undefined =>
  path === undefined ? undefined : readFileSync(path, "utf8")

/** Only where a sampler can say no is anything held for a decision at a trace's end. */
const tailOptions = (config: TelemetryConfig, rules: ReadonlyArray<TailRule>): TailOptions | undefined => {
  const { sampler } = config
  if (sampler._tag === "AlwaysOn" && !sampler.parentBased) return undefined
  return {
    keepErrors: config.keepErrors,
    keepSlowerThanMillis: config.keepSlowerThan === undefined ? undefined : Duration.toMillis(config.keepSlowerThan),
    rules
  }
}
