/**
 * An event on the current span, at the time that it is now.
 *
 * Effect's own `span.event` wants the span, and the time in nanoseconds. A log line inside a span becomes an event too; this is
 * for what should be seen in the trace and not in the log.
 *
 * **Details**
 *
 * `attributes` may also be a function: it is called where the span records, and nowhere else. Outside of a span, and where tracing
 * is off, nothing happens.
 *
 * **Example** (What happened on the way)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { event } from "effect-telemetry/tracer/event"
 *
 * const upload = event("encoded", { "file.size_bytes": 4096 }).pipe(Effect.withSpan("track.upload"))
 * Effect.runSync(upload)
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otel/trace/api/#add-events
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { recordingSpan } from "./Recording.ts"

/** Adds an event to the current span. A function for the attributes that throws loses its attributes, and nothing else. */
export const event = (
  name: string,
  attributes?: Readonly<Record<string, unknown>> | (() => Readonly<Record<string, unknown>>) | undefined
): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    recordingSpan(fiber)?.event(name, fiber.getRef(Clock.Clock).currentTimeNanosUnsafe(), read(attributes))
    return Effect.void
  })

const read = (
  attributes: Readonly<Record<string, unknown>> | (() => Readonly<Record<string, unknown>>) | undefined
): Record<string, unknown> | undefined => {
  try {
    return typeof attributes === "function" ? attributes() : attributes
  } catch {
    return undefined
  }
}
