/**
 * Any OpenTelemetry span processor as a receiver of the tracer.
 *
 * The processor sees each span through its face of OpenTelemetry: `onStart` with a span that can be written to, `onEnd` with one
 * that has ended, limited and redacted.
 *
 * **Example** (OpenTelemetry's own exporter of the console behind our tracer)
 *
 * ```ts
 * import { ConsoleSpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
 * import * as Effect from "effect/Effect"
 * import * as SpanProcessorBridge from "effect-telemetry/tracer/SpanProcessorBridge"
 * import * as Tracer from "effect-telemetry/tracer/Tracer"
 *
 * const bridge = SpanProcessorBridge.make(new SimpleSpanProcessor(new ConsoleSpanExporter()))
 * const program = Effect.void.pipe(Effect.withSpan("work"), Effect.provide(Tracer.layer({ receiver: bridge.receiver })))
 * Effect.runPromise(program).then(() => bridge.shutdown(1_000))
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-processor
 */
import * as Otel from "@opentelemetry/api"
import type { ReadableSpan, Span as SdkSpan, SpanProcessor } from "@opentelemetry/sdk-trace-base"
import * as OtelContext from "./OtelContext.ts"
import type { ProcessorReceiver } from "./Receivers.ts"
import { TelemetrySpan } from "./Span.ts"
import type { SpanData } from "./SpanData.ts"
import type { EndedSpan } from "./SpanReceiver.ts"

/** A processor behind the tracer. */
export interface SpanProcessorBridge {
  readonly receiver: ProcessorReceiver
  /** Resolves to whether the processor flushed within the time. Never rejects. */
  readonly forceFlush: (timeoutMillis: number) => Promise<boolean>
  /** Resolves to whether the processor shut down within the time. Never rejects. */
  readonly shutdown: (timeoutMillis: number) => Promise<boolean>
}

const faceOf = (span: EndedSpan): SdkSpan & ReadableSpan =>
  OtelContext.otelSpanOf(span as TelemetrySpan) as SdkSpan & ReadableSpan

const parentContext = (span: EndedSpan): Otel.Context => {
  const parent = (span as TelemetrySpan).parentSpan
  return parent === undefined
    ? Otel.ROOT_CONTEXT
    : Otel.trace.setSpan(Otel.ROOT_CONTEXT, OtelContext.otelSpanOf(parent))
}

/** How OpenTelemetry sees a span of ours that has ended. */
export const toReadable = (span: SpanData): ReadableSpan => {
  if (span instanceof TelemetrySpan) return faceOf(span)
  throw new TypeError("not a span of effect-telemetry's tracer")
}

/** Makes a receiver of a processor. What the processor throws stays here. */
export const make = (processor: SpanProcessor): SpanProcessorBridge => {
  const { onEnding } = processor
  return {
    receiver: {
      takesUnsampled: false,
      takesRecordOnly: true,
      started: (span) => processor.onStart(faceOf(span), parentContext(span)),
      ...(onEnding === undefined ? undefined : { ending: (span: EndedSpan) => onEnding.call(processor, faceOf(span)) }),
      ended: (span) => processor.onEnd(faceOf(span))
    },
    forceFlush: (timeoutMillis) => within(() => processor.forceFlush(), timeoutMillis),
    shutdown: (timeoutMillis) => within(() => processor.shutdown(), timeoutMillis)
  }
}

const within = (run: () => Promise<void>, timeoutMillis: number): Promise<boolean> =>
  new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), timeoutMillis)
    timer.unref()
    const settle = (done: boolean) => () => {
      clearTimeout(timer)
      resolve(done)
    }
    try {
      run().then(settle(true), settle(false))
    } catch {
      settle(false)()
    }
  })
