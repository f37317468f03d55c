/**
 * The part of a trace that this process makes under one local root.
 *
 * @internal
 */
import type { TelemetrySpan } from "./Span.ts"
import type { LocalTrace as LocalTraceShape } from "./SpanReceiver.ts"
import type * as TraceClock from "./TraceClock.ts"

/** What the spans of one local trace share. */
export class LocalTrace implements LocalTraceShape {
  openSpans = 0
  rootEnded = false
  held: unknown = undefined
  root: TelemetrySpan | undefined = undefined
  readonly clock: TraceClock.TraceClock

  constructor(clock: TraceClock.TraceClock) {
    this.clock = clock
  }
}
