/**
 * For code that is no operation: what an operation does to its own span, done to the current one.
 *
 * **Example** (A call by hand)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { recordServiceError, recordServiceSuccess } from "effect-telemetry/operation/record"
 *
 * const program = Effect.tryPromise(() => Promise.resolve(["a", "b"])).pipe(
 *   Effect.tap((found) => recordServiceSuccess({ itemCount: found.length, fromCache: false })),
 *   Effect.tapError((error) => recordServiceError("geo", error)),
 *   Effect.withSpan("geo.lookup", { kind: "client" })
 * )
 * Effect.runPromise(program)
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/semconv/general/recording-errors/
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { recordingSpan } from "../tracer/Recording.ts"
import * as SpanFailure from "../tracer/SpanFailure.ts"

/** What a result says of itself. */
export interface ServiceSuccess {
  /** `result.item_count`. */
  readonly itemCount?: number | undefined
  /** `result.from_cache`. */
  readonly fromCache?: boolean | undefined
  /** `result.partial`: shards failed, the service timed out, some items of a bulk were refused. */
  readonly partial?: boolean | undefined
  /** Any other attributes, by their full names. */
  readonly attributes?: Readonly<Record<string, string | number | boolean>> | undefined
}

/** Whether another try may help, where the error knows; a getter of it may throw. */
const isRetryable = (error: unknown): boolean | undefined => {
  try {
    const known = Predicate.hasProperty(error, "isRetryable") ? error.isRetryable : undefined
    return typeof known === "boolean" ? known : undefined
  } catch {
    return undefined
  }
}

/**
 * Records on the current span that a service failed: `external.service`, `external.error.retryable` (where the error knows),
 * `error.type`, and an `exception` event with the nested causes. The span's status stays what its own exit makes of it: an
 * error that is handled does not make its span an error. Takes any value as the error, and never throws.
 */
export const recordServiceError = (service: string, error: unknown): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const span = recordingSpan(fiber)
    if (span === undefined) return Effect.void
    const cause = Cause.fail(error)
    span.attribute("external.service", service)
    const type = SpanFailure.errorType(cause) ?? SpanFailure.OTHER
    span.attribute("error.type", type)
    const retryable = isRetryable(error)
    if (retryable !== undefined) span.attribute("external.error.retryable", retryable)
    // Many failures may be handled under one span: each event says its own reason.
    for (const { message, stacktrace } of SpanFailure.exceptions(cause).described) {
      span.event("exception", fiber.getRef(Clock.Clock).currentTimeNanosUnsafe(), {
        "exception.type": type,
        "exception.message": message,
        ...(stacktrace === "" ? undefined : { "exception.stacktrace": stacktrace })
      })
    }
    return Effect.void
  })

/** Records on the current span what a service's answer amounts to. */
export const recordServiceSuccess = (success: ServiceSuccess): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const span = recordingSpan(fiber)
    if (span === undefined) return Effect.void
    if (success.itemCount !== undefined) span.attribute("result.item_count", success.itemCount)
    if (success.fromCache !== undefined) span.attribute("result.from_cache", success.fromCache)
    if (success.partial !== undefined) span.attribute("result.partial", success.partial)
    for (const key in success.attributes) span.attribute(key, success.attributes[key])
    return Effect.void
  })
