/**
 * Where finished spans go in this program: those of the demo's own requests are handed over trace by trace, so that each can
 * be printed under its request; all others are printed as they complete.
 */
import { Queue } from "effect"
import * as ConsoleExporter from "effect-telemetry/export/ConsoleExporter"
import type { SpanData } from "effect-telemetry/tracer/SpanData"
import type { EndedSpan, LocalTrace, SpanReceiver } from "effect-telemetry/tracer/SpanReceiver"

/** The request ids of the demo begin so. */
export const demoPrefix = "demo-"

/** The spans of one request, or of one background job. */
export interface Trace {
  readonly requestId: string
  readonly spans: ReadonlyArray<SpanData>
}

export const attributeOf = (span: SpanData, key: string): unknown =>
  span.attributeValues[span.attributeKeys.indexOf(key)]

/** Receives spans; complete traces of the demo are offered to the queue, the others printed to the output. */
export const makeReceiver = (demo: Queue.Queue<Trace>, output: ConsoleExporter.ConsoleOutput): SpanReceiver => {
  const printer = ConsoleExporter.make({ output })
  const open = new Map<LocalTrace, Array<SpanData>>()

  const handOver = (localTrace: LocalTrace, requestId: string): void => {
    const spans = open.get(localTrace)
    if (spans === undefined || !localTrace.rootEnded || localTrace.openSpans > 0) return
    open.delete(localTrace)
    Queue.offerUnsafe(demo, { requestId, spans })
  }

  return {
    takesUnsampled: false,
    ended: (span: EndedSpan) => {
      if (!span.sampled) return
      const requestId = attributeOf(span.seal(), "request.id")
      if (typeof requestId !== "string" || !requestId.startsWith(demoPrefix)) return printer.ended(span)
      const spans = open.get(span.localTrace)
      if (spans === undefined) open.set(span.localTrace, [span])
      else spans.push(span)
      // A moment later the tracer has counted the span out.
      setImmediate(handOver, span.localTrace, requestId)
    }
  }
}
