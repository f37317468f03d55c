/**
 * What a pipeline can be told, with the defaults, and what is done about nonsense: it is refused by name.
 *
 * **Example** (An option that makes no sense)
 *
 * ```ts
 * import * as Pipeline from "effect-telemetry/export/Pipeline"
 *
 * try {
 *   Pipeline.make({
 *     endpoint: "localhost:4318",
 *     resource: { attributes: {} },
 *     scope: { name: "shop" }
 *   })
 *   throw new Error("unexpected")
 * } catch (error) {
 *   if (!(error instanceof Pipeline.ExportOptionsError)) throw error
 *   console.log(error.message) // endpoint is a localhost: URL, but must be an http: or https: URL
 * }
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 * @see https://opentelemetry.io/docs/specs/otel/trace/sdk/#batching-processor
 */
import * as Data from "effect/Data"
import type { Log } from "./Diagnostics.ts"
import type { TlsOptions } from "./HttpTransport.ts"
import type { InstrumentationScope, Resource } from "./OtlpEncoder.ts"
import type { SpoolOptions } from "./Spool.ts"
import type { TailOptions } from "./Tail.ts"
import type { Timing } from "./Timing.ts"

/** `OTEL_EXPORTER_OTLP_TIMEOUT`: milliseconds for one request, from its start to the end of its answer. */
export const defaultTimeoutMillis = 10_000
/** `OTEL_BSP_SCHEDULE_DELAY`: milliseconds for which a span waits for its batch to fill. */
export const defaultScheduleDelayMillis = 5_000
/** `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`, where batches are counted in spans: for a queue in spans, and for exporters in code. */
export const defaultMaxExportBatchSize = 512
/** `OTEL_BSP_EXPORT_TIMEOUT`: milliseconds for which a batch is tried before it is parked. */
export const defaultExportTimeoutMillis = 30_000
/** 960 KiB, some 5,000 ordinary spans. With its resource a request stays below the MiB that nginx takes where nobody says otherwise. */
export const defaultMaxExportBatchBytes = 960 * 1024
const leastBatchBytes = 16 * 1024
/** Bytes of spans that wait in memory: 64 MiB, a third of a million ordinary spans. */
export const defaultMaxQueueBytes = 64 * 1024 * 1024
/** Bytes of spans that wait in memory where they are on disk too: 16 MiB. */
export const defaultSpooledQueueBytes = 16 * 1024 * 1024
/** Requests at a time. */
export const defaultMaxConcurrentExports = 4

/** Options of every pipeline. */
export interface BatchingOptions {
  /**
   * `OTEL_BSP_MAX_QUEUE_SIZE`: spans that may wait in memory. Default: no limit but the one in bytes. (The
   * specification's default, 2,048, loses most of a burst of 10,000.)
   */
  readonly maxQueueSize?: number | undefined
  /** Bytes that may wait in memory, default 64 MiB (16 with a spool). The oldest batches give way. */
  readonly maxQueueBytes?: number | undefined
  /**
   * `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`: spans of a batch. Default: no limit but the one in bytes, `maxExportBatchBytes`; 512
   * where `maxQueueSize` is given, and for an exporter in code. (A request costs as much CPU as a hundred spans, so the
   * specification's 512 spans a request make each span dearer by a fifth.)
   */
  readonly maxExportBatchSize?: number | undefined
  /** `OTEL_BSP_SCHEDULE_DELAY`: how long a span waits for its batch to fill, default 5,000 ms. */
  readonly scheduleDelayMillis?: number | undefined
  /**
   * `OTEL_BSP_EXPORT_TIMEOUT`, default 30,000 ms: how long a batch is tried before it is parked (OTLP), or may take
   * (any other exporter).
   */
  readonly exportTimeoutMillis?: number | undefined
  /** Which local traces to keep although head sampling said no. Default: none, and unsampled spans cost nothing. */
  readonly tail?: TailOptions | undefined
  /** Takes the pipeline's lines: see `Diagnostics`. */
  readonly log?: Log | undefined
  /** For tests. */
  readonly timing?: Timing | undefined
}

/** Options of a pipeline that sends OTLP. */
export interface PipelineOptions extends BatchingOptions {
  /** The full URL of traces: `http://localhost:4318/v1/traces`. */
  readonly endpoint: string
  /** Sent with each request, as they are. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** `OTEL_EXPORTER_OTLP_TIMEOUT`: for one request, from its start to the end of its answer, default 10,000 ms. */
  readonly timeoutMillis?: number | undefined
  /** `OTEL_EXPORTER_OTLP_COMPRESSION`, default `none`. */
  readonly compression?: "none" | "gzip" | undefined
  /** `OTEL_EXPORTER_OTLP_PROTOCOL`, default `http/protobuf`. */
  readonly protocol?: "http/protobuf" | "http/json" | undefined
  /** Certificates and keys for an `https:` endpoint. Default: the authorities of Node.js, no certificate of the client. */
  readonly tls?: TlsOptions | undefined
  /** Put before the default `User-Agent`. */
  readonly userAgent?: string | undefined
  /** What every span says of its process. */
  readonly resource: Resource
  /** Of spans that do not name their own. */
  readonly scope: InstrumentationScope
  /**
   * Bytes of a request's spans, before compression, default 960 KiB, but an eighth of `maxQueueBytes` and a file of the spool
   * at most; halved when a collector answers 413.
   */
  readonly maxExportBatchBytes?: number | undefined
  /** Requests at a time, default 4; 1 with a spool, so that order is kept. */
  readonly maxConcurrentExports?: number | undefined
  /** The first and the longest wait after a failure that may pass, default 500 and 8,000 ms. */
  readonly retryMinMillis?: number | undefined
  readonly retryMaxMillis?: number | undefined
  /** Where spans wait on disk. Default: in memory only. */
  readonly spool?: SpoolOptions | undefined
}

/** How large a batch may become: in spans as the specification has it, never larger than the queue, and in bytes. */
export const batchLimits = (
  options: Pick<PipelineOptions, "maxQueueSize" | "maxExportBatchSize" | "maxExportBatchBytes">,
  maxQueueBytes: number,
  segmentBytes = Infinity
): { readonly maxSpans: number; readonly maxBytes: number } => {
  const { maxExportBatchBytes, maxExportBatchSize, maxQueueSize = Infinity } = options
  return {
    maxSpans: Math.min(
      maxExportBatchSize ?? (maxQueueSize === Infinity ? Infinity : defaultMaxExportBatchSize),
      maxQueueSize
    ),
    // What gives way gives way by the batch.
    maxBytes:
      maxExportBatchBytes ??
      Math.min(defaultMaxExportBatchBytes, Math.max(leastBatchBytes, maxQueueBytes >> 3), segmentBytes)
  }
}

/** An option that makes no sense. Its message names the option, the value and what is accepted. */
export class ExportOptionsError extends Data.TaggedError("ExportOptionsError")<{
  readonly option: string
  readonly value: string
  readonly accepted: string
}> {
  override get message(): string {
    return `${this.option} is ${this.value}, but must be ${this.accepted}`
  }
}

/** Throws an `ExportOptionsError` where a number is not at least `least`. */
export const checkNumbers = (options: object, least: Readonly<Record<string, number>>): void => {
  for (const [option, lowest] of Object.entries(least)) {
    const value = (options as Readonly<Record<string, unknown>>)[option]
    if (value === undefined) continue
    if (typeof value !== "number" || Number.isNaN(value) || value < lowest) {
      throw new ExportOptionsError({ option, value: String(value), accepted: `a number, ${lowest} or more` })
    }
  }
}

/** Throws an `ExportOptionsError` where an endpoint is no HTTP URL. Shows nothing that could be a secret. */
export const checkEndpoint = (endpoint: string): void => {
  const accepted = "an http: or https: URL"
  if (!URL.canParse(endpoint)) throw new ExportOptionsError({ option: "endpoint", value: "not a URL", accepted })
  const { protocol } = new URL(endpoint)
  if (protocol !== "http:" && protocol !== "https:") {
    throw new ExportOptionsError({ option: "endpoint", value: `a ${protocol} URL`, accepted })
  }
}
