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
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { recordingSpan } from "../tracer/Recording.ts"

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

/** The tag by which a failure is known: its reason's, else its own, else the name of its class. */
export const errorType = (error: unknown): string => {
  if (Predicate.hasProperty(error, "reason") && Predicate.hasProperty(error.reason, "_tag"))
    return String(error.reason._tag)
  if (Predicate.hasProperty(error, "_tag")) return String(error._tag)
  return error instanceof Error ? error.constructor.name || error.name : typeof error
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : typeof error === "string" ? error : errorType(error)

/**
 * Records on the current span that a service failed: `external.service`, `external.error.retryable` (where the error knows),
 * `error.type`, and an `exception` event. The span's status stays what its own exit makes of it: an error that is handled does
 * not make its span an error.
 */
export const recordServiceError = (service: string, error: unknown): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const span = recordingSpan(fiber)
    if (span === undefined) return Effect.void
    const type = errorType(error)
    span.attribute("external.service", service)
    span.attribute("error.type", type)
    if (Predicate.hasProperty(error, "isRetryable") && typeof error.isRetryable === "boolean") {
      span.attribute("external.error.retryable", error.isRetryable)
    }
    const stack = error instanceof Error ? error.stack : undefined
    span.event("exception", fiber.getRef(Clock.Clock).currentTimeNanosUnsafe(), {
      "exception.type": type,
      "exception.message": messageOf(error),
      ...(stack === undefined ? undefined : { "exception.stacktrace": stack })
    })
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
