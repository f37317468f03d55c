/**
 * A span's status as Effect has it, made when somebody reads it.
 *
 * @internal
 */
import * as Exit from "effect/Exit"
import type * as Tracer from "effect/Tracer"
import type { TelemetrySpan } from "./Span.ts"
import * as TraceClock from "./TraceClock.ts"

class Started {
  readonly _tag = "Started"
  #span: TelemetrySpan

  constructor(span: TelemetrySpan) {
    this.#span = span
  }

  get startTime(): bigint {
    return TraceClock.toBigInt(this.#span.startSeconds, this.#span.startNanos)
  }
}

/** Of a span that has not ended. Effect reads its tag at the end of each span: the time is computed only where it is read. */
export const started = (span: TelemetrySpan): Tracer.SpanStatus => new Started(span)

/** Of one that has. Where OpenTelemetry ended it there is no exit: its status stands for one. */
export const ended = (span: TelemetrySpan): Tracer.SpanStatus => ({
  _tag: "Ended",
  startTime: TraceClock.toBigInt(span.startSeconds, span.startNanos),
  endTime: TraceClock.toBigInt(span.endSeconds, span.endNanos),
  exit: span.exit ?? (span.statusCode === 2 ? Exit.die(span.statusMessage ?? "Unknown error") : Exit.void)
})
