/**
 * Why an operation failed: one small vocabulary for every service.
 *
 * A client library reports failure in its own way; a live layer maps that to one of these reasons, once, and everything
 * behind it (retry, circuit, span, the caller's `Effect.catchReason`) speaks this vocabulary only. A reason is data. It
 * knows two things that decide about a retry: whether another try may help (`isRetryable`), and whether the server may
 * have acted on the failed one (`mayHaveActed`), which forbids to repeat an operation that is not idempotent.
 *
 * **Example** (Reading a reason)
 *
 * ```ts
 * import * as Reason from "effect-telemetry/operation/Reason"
 *
 * const refused = Reason.fromStatus(503, { message: "overloaded", retryAfter: "2 seconds" })
 * console.log(refused._tag, refused.isRetryable)
 * ```
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Headers from "effect/http/Headers"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"

/** What every reason may carry. */
export interface Details {
  /** What happened, in words that may be shown and logged: never a secret, never a payload. */
  readonly message: string
  /** The client library's own error. */
  readonly cause?: unknown
  /** The HTTP status (or the status in the service's answer), where there was one. */
  readonly status?: number | undefined
  /** The service's own code (`NoSuchKey`, `WRONGTYPE`, `16`), kept apart from the status. */
  readonly code?: string | number | undefined
}

/** The service asks to be left alone for a while, or a quota is used up. It has not acted. */
export class RateLimited extends Data.TaggedError("RateLimited")<
  Details & {
    /** How long the service asked to wait. */
    readonly retryAfter?: Duration.Duration | undefined
    /** Whether it is a quota that no waiting within a request refills; such a failure is not retried. Default `false`. */
    readonly quota?: boolean | undefined
  }
> {
  get isRetryable(): boolean {
    return this.quota !== true
  }
  get mayHaveActed(): boolean {
    return false
  }
}

/** The credentials are missing, wrong, or not enough for this. */
export class Unauthorized extends Data.TaggedError("Unauthorized")<Details> {
  get isRetryable(): boolean {
    return false
  }
  get mayHaveActed(): boolean {
    return false
  }
}

/** The thing that the operation needs is not there. Where absence is an answer, an operation gives an `Option` instead. */
export class NotFound extends Data.TaggedError("NotFound")<Details> {
  get isRetryable(): boolean {
    return false
  }
  get mayHaveActed(): boolean {
    return false
  }
}

/** The state of the thing forbids it: it exists already, or another version does. */
export class Conflict extends Data.TaggedError("Conflict")<Details> {
  get isRetryable(): boolean {
    return false
  }
  get mayHaveActed(): boolean {
    return false
  }
}

/** The service understood that the request is wrong. Repeating it is of no use. */
export class InvalidRequest extends Data.TaggedError("InvalidRequest")<Details> {
  get isRetryable(): boolean {
    return false
  }
  get mayHaveActed(): boolean {
    return false
  }
}

/** The service could not be reached, or answered that it is in trouble. */
export class Unavailable extends Data.TaggedError("Unavailable")<
  Details & {
    /** How long the service asked to wait. */
    readonly retryAfter?: Duration.Duration | undefined
    /**
     * Whether the request cannot have reached the service's logic (connection refused, name not resolved, refused
     * before it was read). Default `false`: the outcome is unknown.
     */
    readonly notActed?: boolean | undefined
    /** Whether another try may help. Default `true`. */
    readonly retryable?: boolean | undefined
  }
> {
  get isRetryable(): boolean {
    return this.retryable !== false
  }
  get mayHaveActed(): boolean {
    return this.notActed !== true
  }
}

/** No answer within the deadline of an attempt or of the operation. The outcome is unknown. */
export class Timeout extends Data.TaggedError("Timeout")<
  Details & {
    /** The deadline that passed. */
    readonly duration?: Duration.Duration | undefined
  }
> {
  get isRetryable(): boolean {
    return true
  }
  get mayHaveActed(): boolean {
    return true
  }
}

/** The service answered something that is not what its API promises. */
export class Decode extends Data.TaggedError("Decode")<Details> {
  get isRetryable(): boolean {
    return false
  }
  get mayHaveActed(): boolean {
    return true
  }
}

/** The circuit towards the service is open: the call was not made. */
export class CircuitOpen extends Data.TaggedError("CircuitOpen")<
  Details & {
    /** When the circuit lets a probe through. */
    readonly retryAfter?: Duration.Duration | undefined
  }
> {
  get isRetryable(): boolean {
    return false
  }
  get mayHaveActed(): boolean {
    return false
  }
}

/** Every reason for which an operation fails. */
export type Reason =
  RateLimited | Unauthorized | NotFound | Conflict | InvalidRequest | Unavailable | Timeout | Decode | CircuitOpen

/** The tags of all reasons: what `error.type` says on the span of a failed operation. */
export type Tag = Reason["_tag"]

/** All tags, in the order of the documentation. */
export const tags: ReadonlyArray<Tag> = [
  "RateLimited",
  "Unauthorized",
  "NotFound",
  "Conflict",
  "InvalidRequest",
  "Unavailable",
  "Timeout",
  "Decode",
  "CircuitOpen"
]

/** How long the service asked to wait, for the reasons that can say so. */
export const retryAfterOf = (reason: Reason): Duration.Duration | undefined =>
  reason._tag === "RateLimited" || reason._tag === "Unavailable" || reason._tag === "CircuitOpen"
    ? reason.retryAfter
    : undefined

/**
 * The reason that an HTTP status means.
 *
 * 401 and 403 are `Unauthorized`, 404 and 410 `NotFound`, 409 and 412 `Conflict`, 408 and 504 `Timeout`, 429
 * `RateLimited`; every other 4xx is `InvalidRequest`, every 5xx `Unavailable`. 503 counts as "has not acted": it is what a
 * server answers before it takes the request on. 501 and 505 are not retried.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#name-status-codes
 */
export const fromStatus = (
  status: number,
  details: Details & { readonly retryAfter?: Duration.Input | undefined }
): Reason => {
  const { retryAfter: wait, ...rest } = details
  const retryAfter = wait === undefined ? undefined : Duration.fromInputUnsafe(wait)
  const all = { ...rest, status }
  switch (status) {
    case 401:
    case 403:
    case 407:
      return new Unauthorized(all)
    case 404:
    case 410:
      return new NotFound(all)
    case 409:
    case 412:
      return new Conflict(all)
    case 408:
    case 504:
      return new Timeout(all)
    case 429:
      return new RateLimited({ ...all, retryAfter })
    case 501:
    case 505:
      return new Unavailable({ ...all, notActed: true, retryable: false })
    case 503:
      return new Unavailable({ ...all, retryAfter, notActed: true })
  }
  return status >= 500 ? new Unavailable({ ...all, retryAfter }) : new InvalidRequest(all)
}

const notReached: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EADDRNOTAVAIL",
  "UND_ERR_CONNECT_TIMEOUT",
  "CERT_HAS_EXPIRED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "ERR_TLS_CERT_ALTNAME_INVALID"
])

const neverBetter = (code: string): boolean => code.includes("CERT") || code.includes("UNABLE_TO_VERIFY")

/**
 * The system's code of a connection fault (`ECONNREFUSED`, `UND_ERR_SOCKET`), searched for in the error, in what it
 * aggregates and in its causes; `undefined` where there is none. A `code` that is not a string is never taken for one.
 */
export const systemCode = (error: unknown): string | undefined => {
  const queue: Array<unknown> = [error]
  for (let read = 0; read < queue.length && read < 16; read++) {
    const current = queue[read]
    if (!Predicate.isObject(current)) continue
    const code: unknown = (current as { code?: unknown }).code
    if (
      typeof code === "string" &&
      (/^E[A-Z]+$/.test(code) || code.startsWith("UND_ERR") || code.includes("CERT") || code.startsWith("UNABLE_TO"))
    ) {
      return code
    }
    if (Predicate.isObject(code)) queue.push(code)
    const { cause, errors, reason } = current as { cause?: unknown; errors?: unknown; reason?: unknown }
    if (Array.isArray(errors)) queue.push(...errors.slice(0, 4))
    queue.push(cause, reason)
  }
  return undefined
}

/**
 * The reason that a fault of the connection means: refused, not resolved and not trusted peers have not acted; after a reset
 * the outcome is unknown.
 */
export const fromConnection = (error: unknown, message?: string): Unavailable => {
  const code = systemCode(error)
  return new Unavailable({
    message: message ?? (code === undefined ? "the connection failed" : `the connection failed (${code})`),
    cause: error,
    code,
    notActed: code !== undefined && notReached.has(code),
    retryable: code === undefined || !neverBetter(code)
  })
}

/**
 * How long a `Retry-After` header asks to wait, in either of its forms: seconds, or an HTTP date, which is compared with
 * `nowMillis`. `undefined` where there is none, or it says nothing that can be understood.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 */
export const retryAfter = (header: string | null | undefined, nowMillis: number): Duration.Duration | undefined => {
  if (header === null || header === undefined) return undefined
  const parsed = Headers.parseRetryAfter(header)
  return Result.isSuccess(parsed) ? Headers.retryAfterDelay(parsed.success, nowMillis) : undefined
}

/** Whether a value is a reason. */
export const isReason = (u: unknown): u is Reason =>
  Predicate.hasProperty(u, "_tag") &&
  (tags as ReadonlyArray<unknown>).includes(u._tag) &&
  Predicate.hasProperty(u, "isRetryable")
