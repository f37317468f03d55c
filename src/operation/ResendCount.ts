/**
 * How often the request at hand was sent before: what `http.request.resend_count` says on the span of an attempt.
 *
 * @see https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-request-retries-and-redirects
 */
import * as Context from "effect/Context"

/** 0 for the first attempt, 1 for its first repetition, and so on. Set by the operation that retries. */
export const ResendCount: Context.Reference<number> = Context.Reference("effect-telemetry/operation/ResendCount", {
  defaultValue: () => 0
})
