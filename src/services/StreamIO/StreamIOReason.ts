/**
 * The reason that a failure of Stream's client means.
 *
 * The client's `StreamError` is not what it seems: where Stream answered with an error of its own, `code` is Stream's code and the
 * status stands in `metadata`; where a proxy answered with HTML, `code` is the status; where nothing answered, `code` is the
 * error of `fetch`, an object. The class is not exported, so it is known by its shape.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import { Decode, fromConnection, fromStatus, type Reason, Timeout } from "../../operation/Reason.ts"

interface StreamError extends Error {
  readonly code?: unknown
  readonly metadata: {
    readonly responseCode?: number | undefined
    readonly responseHeaders?: Headers | undefined
    readonly rateLimit?: { readonly rateLimitReset?: Date | undefined } | undefined
  }
}

const isStreamError = (error: unknown): error is StreamError =>
  error instanceof Error && Predicate.hasProperty(error, "metadata") && Predicate.isObject(error.metadata)

/** `now`: milliseconds since the epoch, for a server that does not say what time it is. */
export const reasonOf = (error: unknown, now: number): Reason => {
  if (!isStreamError(error)) {
    // The client fell over an answer that it does not understand.
    return new Decode({ message: "Stream answered with something that its client cannot read", cause: error })
  }
  const { code, metadata } = error
  const status = metadata.responseCode
  if (status === undefined) return withoutAnswer(error)
  return fromStatus(status, {
    message: typeof code === "number" && code !== status ? error.message : `Stream answered ${status}`,
    cause: error,
    code: typeof code === "number" && code !== status ? code : undefined,
    retryAfter: retryAfter(error, now)
  })
}

const withoutAnswer = (error: StreamError): Reason => {
  const { code } = error
  if (Predicate.isObject(code) && code instanceof SyntaxError) {
    return new Decode({ message: "Stream answered with something that is no JSON", cause: code })
  }
  // The client's own timeout leaves no code.
  if (code === undefined)
    return new Timeout({ message: "Stream did not answer within the time of its client", cause: error })
  return fromConnection(code)
}

/**
 * How long to wait: what `Retry-After` says, else until the limit is reset, by the clock of the server that set it.
 *
 * @see https://getstream.io/activity-feeds/docs/node/rate-limits/
 */
const retryAfter = ({ metadata }: StreamError, now: number): Duration.Duration | undefined => {
  const seconds = metadata.responseHeaders?.get("retry-after")?.trim()
  if (seconds !== undefined && /^\d+$/.test(seconds)) return Duration.seconds(Number(seconds))
  const reset = metadata.rateLimit?.rateLimitReset?.getTime() ?? NaN
  if (Number.isNaN(reset)) return undefined
  const theirs = Date.parse(metadata.responseHeaders?.get("date") ?? "")
  return Duration.millis(Math.max(0, reset - (Number.isNaN(theirs) ? now : theirs)))
}
