/**
 * How often the request at hand was sent before: what `http.request.resend_count` says on the span of an attempt.
 *
 * **Example** (What an attempt knows of those before it)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { ResendCount } from "effect-telemetry/operation/ResendCount"
 *
 * const attempt = Effect.gen(function* () {
 *   return yield* ResendCount
 * })
 * Effect.runPromise(Effect.provideService(attempt, ResendCount, 1)).then(console.log) // 1
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-request-retries-and-redirects
 */
import * as Context from "effect/Context"

/** 0 for the first attempt, 1 for its first repetition, and so on. Set by the operation that retries. */
export const ResendCount: Context.Reference<number> = Context.Reference("effect-telemetry/operation/ResendCount", {
  defaultValue: () => 0
})
