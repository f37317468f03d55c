/**
 * What code that adds to spans asks of them: whether anything is recorded, and that a failure be taken as expected.
 *
 * Works with the spans of every tracer: one that knows nothing of these questions records what it samples.
 *
 * **Example** (An attribute that is costly to make)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Recording from "effect-telemetry/tracer/Recording"
 *
 * const report = Effect.withFiber((fiber) => {
 *   Recording.recordingSpan(fiber)?.attribute("report.rows", JSON.stringify([1, 2, 3]))
 *   return Effect.void
 * })
 * Effect.runSync(report.pipe(Effect.withSpan("report")))
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otel/trace/api/#isrecording
 */
import type * as Fiber from "effect/Fiber"
import type * as Tracer from "effect/Tracer"

/** What our own spans answer. */
interface Recording {
  readonly isRecording: boolean
  expected: boolean
}

/** Whether attributes set on a span are kept anywhere: where not, they need not be made. */
export const isRecording = (span: Tracer.Span): boolean => {
  const own = (span as Partial<Recording>).isRecording
  return own === undefined ? span.sampled && span.status._tag === "Started" : own
}

/** The current span of a fiber, if it is of this process and records. */
export const recordingSpan = (fiber: Fiber.Fiber<unknown, unknown>): Tracer.Span | undefined => {
  const span = fiber.cache.span
  return span !== undefined && span._tag === "Span" && isRecording(span) ? span : undefined
}

/** Says that the failure with which a span will end is expected: it is recorded, but the span's status stays unset. */
export const markExpected = (span: Tracer.Span): void => {
  ;(span as unknown as Recording).expected = true
}
