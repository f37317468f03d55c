/**
 * How a span leaves: one way in, a `SpanReceiver`, and one way out, with a stage a file in between.
 *
 * ```text
 * collect (Collect) → decide (Tail) → encode (Batcher) → hold (Delivery, Spool) → send (OtlpSink, HttpTransport)
 * ```
 *
 * The application is never in the way of any of it: `receiver.ended` puts a span into a slot and returns, and all else
 * happens when the thread is free. Nothing in it throws into the application or rejects unhandled; every span that does
 * not arrive is counted, by reason, in `status()`. What is not used costs nothing: no timer before the first span, no
 * socket before the first batch.
 *
 * **Example** (A pipeline from its options to its end)
 *
 * ```ts
 * import * as Pipeline from "effect-telemetry/export/Pipeline"
 *
 * const pipeline = Pipeline.make({
 *   endpoint: "http://localhost:4318/v1/traces",
 *   resource: { attributes: { "service.name": "shop" } },
 *   scope: { name: "effect-telemetry" },
 *   tail: { keepErrors: true },
 *   log: (level, message, fields) => process.stderr.write(`${level} ${message} ${JSON.stringify(fields)}\n`)
 * })
 *
 * // pipeline.receiver is given to the tracer
 * const { complete } = await pipeline.flush(1_000)
 * await pipeline.shutdown(1_000)
 * if (!complete || pipeline.status().droppedTotal !== 0) throw new Error("nothing was sent, so nothing was lost")
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#otlphttp
 */
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace-base"
import type { SpanData } from "../tracer/SpanData.ts"
import type { SpanReceiver } from "../tracer/SpanReceiver.ts"
import { Batcher } from "./Batcher.ts"
import { Collect } from "./Collect.ts"
import { Delivery } from "./Delivery.ts"
import { Diagnostics, type Status } from "./Diagnostics.ts"
import * as ExporterSink from "./ExporterSink.ts"
import type { Observed } from "./Metrics.ts"
import { json } from "./OtlpJson.ts"
import { protobuf } from "./OtlpProtobuf.ts"
import * as OtlpSink from "./OtlpSink.ts"
import {
  batchLimits,
  type BatchingOptions,
  checkEndpoint,
  checkNumbers,
  defaultExportTimeoutMillis,
  defaultMaxConcurrentExports,
  defaultMaxExportBatchSize,
  defaultMaxQueueBytes,
  defaultScheduleDelayMillis,
  defaultSpooledQueueBytes,
  defaultTimeoutMillis,
  type PipelineOptions
} from "./PipelineOptions.ts"
import { defaultSpoolMaxBytes, Spool } from "./Spool.ts"
import { keepReasons } from "./Tail.ts"
import * as TimingModule from "./Timing.ts"

export type { Status } from "./Diagnostics.ts"
export { type BatchingOptions, ExportOptionsError, type PipelineOptions } from "./PipelineOptions.ts"

/** What a flush or a shutdown came to. */
export interface FlushResult {
  /** Whether everything that was there has been delivered or refused for good. */
  readonly complete: boolean
  /** Spans delivered meanwhile. */
  readonly exported: number
  /** Spans lost meanwhile; `status()` says why. */
  readonly dropped: number
  /** Spans that still wait, in memory or in the spool. */
  readonly waiting: number
}

/** A running pipeline. */
export interface Pipeline {
  /** Give it to the tracer. */
  readonly receiver: SpanReceiver
  /**
   * Sends everything that has ended, and waits for the answers: of what waits, what is in flight, and what has to be
   * tried again. Takes `timeoutMillis` at most, whatever a server asks to wait. Never rejects.
   */
  readonly flush: (timeoutMillis: number) => Promise<FlushResult>
  /**
   * Decides all that is undecided, flushes, and ends everything: within `timeoutMillis`. Spans that are in the spool
   * stay there, others that still wait are counted as `shutdown`. The first call counts. Never rejects.
   */
  readonly shutdown: (timeoutMillis: number) => Promise<FlushResult>
  /** The counters now. Never throws. */
  readonly status: () => Status
  /** What its metrics are read from: see `Metrics.register`. */
  readonly observed: Observed
}

/** Makes a pipeline that sends OTLP over HTTP. Throws an `ExportOptionsError` where an option makes no sense. */
export const make = (options: PipelineOptions): Pipeline => {
  checkEndpoint(options.endpoint)
  checkNumbers(options, {
    timeoutMillis: 1,
    maxQueueSize: 1,
    maxQueueBytes: 1,
    maxExportBatchSize: 1,
    maxExportBatchBytes: 1,
    maxConcurrentExports: 1,
    scheduleDelayMillis: 0,
    exportTimeoutMillis: 1,
    retryMinMillis: 1,
    retryMaxMillis: 1
  })
  const timing = options.timing ?? TimingModule.make()
  const diagnostics = new Diagnostics(timing, options.log)
  const spool = options.spool === undefined ? undefined : new Spool(options.spool, { diagnostics, timing })
  const concurrency = options.maxConcurrentExports ?? (spool === undefined ? defaultMaxConcurrentExports : 1)
  const maxBytes = options.maxQueueBytes ?? (spool === undefined ? defaultMaxQueueBytes : defaultSpooledQueueBytes)
  const limits = batchLimits(options, maxBytes, spool?.segmentBytes)
  const encoding = options.protocol === "http/json" ? json : protobuf
  const sink = OtlpSink.make({
    url: options.endpoint,
    headers: options.headers,
    compression: options.compression,
    tls: options.tls,
    userAgent: options.userAgent,
    maxConnections: concurrency,
    timing
  })
  const delivery = new Delivery({
    sink,
    diagnostics,
    timing,
    concurrency,
    timeoutMillis: options.timeoutMillis ?? defaultTimeoutMillis,
    deadlineMillis: options.exportTimeoutMillis ?? defaultExportTimeoutMillis,
    maxSpans: options.maxQueueSize ?? Infinity,
    maxBytes,
    retryMinMillis: options.retryMinMillis ?? 500,
    retryMaxMillis: options.retryMaxMillis ?? 8_000,
    waitsIn:
      spool === undefined ? `memory (${Math.round(maxBytes / 1024 / 1024)} MiB)` : `the spool ${spool.directory}`,
    tooLarge: (bytes) => {
      batcher.maxBytes = Math.max(64 * 1024, Math.min(batcher.maxBytes, bytes >> 1))
    }
  })
  const batcher = new Batcher({
    encoding,
    resource: options.resource,
    scope: options.scope,
    ...limits,
    ...(spool === undefined
      ? { full: (part) => delivery.add(part) }
      : { record: spool.record, full: (part) => delivery.add(part, spool.seal(part)) })
  })
  spool?.open({
    encoding,
    resource: encoding.resource(options.resource),
    delivery,
    maxSpans: limits.maxSpans,
    maxBatchBytes: limits.maxBytes
  })
  const { hostname, port, protocol } = new URL(options.endpoint)
  return assemble(options, {
    batcher,
    maxBatchSpans: limits.maxSpans,
    delivery,
    diagnostics,
    timing,
    spool,
    exporterType: options.protocol === "http/json" ? "otlp_http_json_span_exporter" : "otlp_http_span_exporter",
    server: { address: hostname.replace(/^\[|\]$/g, ""), port: Number(port) || (protocol === "https:" ? 443 : 80) },
    maxBytes,
    spoolMaxBytes: options.spool === undefined ? undefined : (options.spool.maxBytes ?? defaultSpoolMaxBytes)
  })
}

/** Makes a pipeline that hands its spans to an OpenTelemetry exporter of the user's own. */
export const fromExporter = (
  exporter: SpanExporter,
  options: BatchingOptions & {
    /** How OpenTelemetry sees a span of ours. */
    readonly toReadable: (span: SpanData) => ReadableSpan
  }
): Pipeline => {
  checkNumbers(options, {
    maxQueueSize: 1,
    maxQueueBytes: 1,
    maxExportBatchSize: 1,
    scheduleDelayMillis: 0,
    exportTimeoutMillis: 1
  })
  const timing = options.timing ?? TimingModule.make()
  const diagnostics = new Diagnostics(timing, options.log)
  const timeoutMillis = options.exportTimeoutMillis ?? defaultExportTimeoutMillis
  const maxBytes = options.maxQueueBytes ?? defaultMaxQueueBytes
  const delivery = new Delivery({
    sink: ExporterSink.make(exporter, timing),
    diagnostics,
    timing,
    concurrency: 1,
    timeoutMillis,
    deadlineMillis: timeoutMillis,
    maxSpans: options.maxQueueSize ?? Infinity,
    maxBytes,
    retryMinMillis: 500,
    retryMaxMillis: 8_000,
    waitsIn: `memory (${Math.round(maxBytes / 1024 / 1024)} MiB)`
  })
  // The specification: a batch is never larger than the queue.
  const maxBatchSpans = Math.min(
    options.maxExportBatchSize ?? defaultMaxExportBatchSize,
    options.maxQueueSize ?? Infinity
  )
  const batcher = new ExporterSink.ReadableBatcher(options.toReadable, maxBatchSpans, (part) => delivery.add(part))
  return assemble(options, {
    batcher,
    maxBatchSpans,
    delivery,
    diagnostics,
    timing,
    spool: undefined,
    exporter,
    exporterType: exporter.constructor?.name || "SpanExporter",
    server: undefined,
    maxBytes,
    spoolMaxBytes: undefined
  })
}

const assemble = <P>(
  options: BatchingOptions,
  stages: {
    readonly batcher: Batcher | ExporterSink.ReadableBatcher
    readonly maxBatchSpans: number
    readonly delivery: Delivery<P>
    readonly diagnostics: Diagnostics
    readonly timing: TimingModule.Timing
    readonly spool: Spool | undefined
    readonly exporter?: SpanExporter | undefined
  } & Pick<Observed, "exporterType" | "server" | "maxBytes" | "spoolMaxBytes">
): Pipeline => {
  const { batcher, delivery, diagnostics, exporter, spool, timing } = stages
  const collect = new Collect({
    batcher,
    diagnostics,
    timing,
    tail: options.tail,
    maxSpans: stages.maxBatchSpans,
    scheduleDelayMillis: options.scheduleDelayMillis ?? defaultScheduleDelayMillis,
    everyTick: spool !== undefined
  })
  spool?.beforeExit(() => collect.flush())

  const status = (): Status =>
    diagnostics.snapshot({
      held: collect.heldSpans,
      queued: collect.waitingSpans + delivery.queuedSpans,
      queuedBytes: batcher.bytes + delivery.queuedBytes,
      inFlight: delivery.inFlightSpans,
      parked: delivery.parkedSpans,
      spooled: spool?.spans ?? 0,
      spooledBytes: spool?.bytes ?? 0
    })

  const observed: Observed = {
    diagnostics,
    whereabouts: () => {
      const retrying = delivery.retryingSpans
      return {
        held: collect.heldSpans,
        waiting: collect.waitingSpans + delivery.waitingSpans - delivery.inFlightSpans - retrying,
        inFlight: delivery.inFlightSpans + retrying,
        parked: delivery.parkedSpans,
        bytes: batcher.bytes + delivery.queuedBytes,
        spooled: spool?.spans ?? 0,
        spooledBytes: spool?.bytes ?? 0
      }
    },
    exporterType: stages.exporterType,
    server: stages.server,
    maxSpans: options.maxQueueSize ?? Infinity,
    maxBytes: stages.maxBytes,
    keepReasons: keepReasons(options.tail),
    spoolMaxBytes: stages.spoolMaxBytes
  }

  const measured = async (run: () => Promise<boolean>): Promise<FlushResult> => {
    const exported = diagnostics.exported
    const dropped = diagnostics.droppedTotal
    let complete = false
    try {
      complete = await run()
    } catch (error) {
      diagnostics.internal("flush", error)
    }
    return {
      complete,
      exported: diagnostics.exported - exported,
      dropped: diagnostics.droppedTotal - dropped,
      waiting: collect.waitingSpans + delivery.waitingSpans
    }
  }

  const flush = (timeoutMillis: number): Promise<FlushResult> =>
    measured(async () => {
      const start = timing.now()
      const rest = () => Math.max(0, timeoutMillis - (timing.now() - start))
      collect.flush()
      if (spool !== undefined) await within(timing, rest(), spool.recovered())
      const complete = await delivery.flush(rest())
      if (exporter?.forceFlush === undefined) return complete
      return (await ExporterSink.settle(() => exporter.forceFlush!(), rest(), timing)) && complete
    })

  const end = (timeoutMillis: number): Promise<FlushResult> =>
    measured(async () => {
      const start = timing.now()
      const rest = () => Math.max(0, timeoutMillis - (timing.now() - start))
      collect.close()
      if (spool !== undefined) await within(timing, rest(), spool.written())
      const complete = await delivery.flush(rest(), spool !== undefined)
      const lost = delivery.stop()
      // What a disk that hangs does not take in time is written no more.
      if (spool !== undefined) await within(timing, Math.max(1_000, rest()), spool.close())
      if (exporter !== undefined) await ExporterSink.settle(() => exporter.shutdown(), rest(), timing)
      closingLine(diagnostics, lost, spool?.spans ?? 0)
      return complete
    })

  let ended: Promise<FlushResult> | undefined
  return {
    receiver: collect,
    flush: (timeoutMillis) => ended ?? flush(timeoutMillis),
    shutdown: (timeoutMillis) => (ended ??= end(timeoutMillis)),
    status,
    observed
  }
}

/** Waits for a promise that does not reject, for a limited time. */
const within = (timing: TimingModule.Timing, millis: number, promise: Promise<void>): Promise<void> =>
  new Promise((resolve) => {
    const cancel = timing.after(millis, resolve, true)
    void promise.then(() => {
      cancel()
      resolve()
    })
  })

/** Only where there is something to say: what was lost, and what waits for the next process. */
const closingLine = (diagnostics: Diagnostics, lost: number, spooled: number): void => {
  const dropped = diagnostics.droppedTotal
  if (dropped === 0 && spooled === 0) return
  const reasons = Object.fromEntries([...diagnostics.dropped].map(([reason, count]) => [`dropped.${reason}`, count]))
  const kept = spooled === 0 ? "" : `, ${spooled} spans are kept in the spool for the next process`
  diagnostics.say(
    dropped === 0 ? "info" : "warn",
    `OpenTelemetry export: shut down with ${dropped} spans lost${lost > 0 ? ` (${lost} of them were still waiting)` : ""}${kept}`,
    { exported: diagnostics.exported, spooled, ...reasons }
  )
}
