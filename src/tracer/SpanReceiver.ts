/**
 * Where the tracer hands its spans: the one thing that a pipeline has to implement.
 *
 * A receiver is called on the application's own path, so it must return at once and must not throw.
 *
 * **Example** (Which spans took half a second or more)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import type { SpanReceiver } from "effect-telemetry/tracer/SpanReceiver"
 * import * as Tracer from "effect-telemetry/tracer/Tracer"
 *
 * const slow: Array<string> = []
 * const receiver: SpanReceiver = {
 *   takesUnsampled: false,
 *   ended: (span) => {
 *     if (span.durationNanos >= 500_000_000) slow.push(span.seal().name)
 *   }
 * }
 * const program = Effect.void.pipe(Effect.withSpan("work"), Effect.provide(Tracer.layer({ receiver })))
 * Effect.runPromise(program).then(() => console.log(slow)) // []
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-processor
 */
import type { SpanData } from "./SpanData.ts"

/**
 * What the spans of one local trace (the part of a trace that this process makes under one local root) share.
 * Its identity is the key under which a tail decision holds spans.
 */
export interface LocalTrace {
  /** How many recording spans of it have started and not ended. */
  openSpans: number
  /** Whether its local root has ended. */
  rootEnded: boolean
  /** Room for the stage that decides: whatever it holds for this local trace. */
  held: unknown
}

/** A span that has ended, as the tracer hands it over. */
export interface EndedSpan extends SpanData {
  /** The head decision: bit 0 of the trace flags. False only where the tracer records for tail decisions. */
  readonly sampled: boolean
  /** Whether it is the root of its local trace (it has no parent, or a remote one). */
  readonly isLocalRoot: boolean
  /** What it shares with the other spans of its local trace. */
  readonly localTrace: LocalTrace
  /** Elapsed time in nanoseconds. */
  readonly durationNanos: number
  /**
   * Converts, limits and redacts what the span holds. Before it, attributes, events and links are raw; after it the
   * span is `SpanData` to the letter and never changes again. Called once, and only for spans that are kept. Attributes
   * given (`sampling.reason`) are added first.
   */
  readonly seal: (more?: Readonly<Record<string, unknown>>) => SpanData
}

/** Takes the spans of a tracer. */
export interface SpanReceiver {
  /**
   * Whether spans that head sampling dropped are recorded and offered too (for tail decisions). Where false, an
   * unsampled span costs next to nothing and is never seen.
   */
  readonly takesUnsampled: boolean
  /** A recording span started. Absent where nobody wants to know. */
  readonly started?: ((span: EndedSpan) => void) | undefined
  /** A span started that nobody keeps, and of which nothing is to be seen. Absent where nobody counts them. */
  readonly unrecorded?: (() => void) | undefined
  /** A recording span ended. It is not sealed yet. */
  readonly ended: (span: EndedSpan) => void
}
