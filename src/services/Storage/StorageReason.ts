/**
 * Why a request to S3 failed: the client's errors and the service's codes as reasons.
 *
 * @internal
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 */
import * as Duration from "effect/Duration"
import {
  Conflict,
  Decode,
  type Details,
  fromConnection,
  fromStatus,
  InvalidRequest,
  isReason,
  NotFound,
  RateLimited,
  type Reason,
  systemCode,
  Timeout,
  Unauthorized,
  Unavailable
} from "../../operation/Reason.ts"

/** What the client's errors may have. */
interface ClientError {
  readonly name?: unknown
  readonly message?: unknown
  readonly stack?: unknown
  readonly $metadata?: { readonly httpStatusCode?: unknown; readonly requestId?: unknown } | undefined
  readonly $response?: { readonly statusCode?: unknown; readonly headers?: unknown } | undefined
}

const slower = new Set([
  "SlowDown",
  "SlowDownRead",
  "SlowDownWrite",
  "RequestLimitExceeded",
  "RequestThrottled",
  "RequestThrottledException",
  "Throttling",
  "ThrottlingException",
  "ThrottledException",
  "TooManyRequests",
  "TooManyRequestsException",
  "BandwidthLimitExceeded",
  "EC2ThrottledException",
  "PriorRequestNotComplete",
  "LimitExceededException"
])

const missing = new Set(["NoSuchKey", "NotFound", "NoSuchBucket", "NoSuchUpload", "NoSuchVersion"])

const unauthorized = new Set([
  "AccessDenied",
  "AccountProblem",
  "AllAccessDisabled",
  "AuthorizationHeaderMalformed",
  "CredentialsProviderError",
  "ExpiredToken",
  "ExpiredTokenException",
  "InvalidAccessKeyId",
  "InvalidSecurity",
  "InvalidToken",
  "MissingSecurityHeader",
  "NotSignedUp",
  "RequestExpired",
  "RequestTimeTooSkewed",
  "SignatureDoesNotMatch",
  "TokenRefreshRequired",
  "UnauthorizedAccess"
])

const conflicting = new Set([
  "BucketAlreadyExists",
  "BucketAlreadyOwnedByYou",
  "BucketNotEmpty",
  "ConditionalRequestConflict",
  "InvalidObjectState",
  "OperationAborted",
  "PreconditionFailed",
  "RestoreAlreadyInProgress"
])

/** The bytes that came are not those that were sent: nothing was stored. */
const damaged = new Set(["BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "IncompleteBody"])

/** What the client throws by itself, without an answer, when it was called wrongly. */
const misuse = new Set(["TypeError", "RangeError", "SyntaxError"])

/** The reason that a failure of the S3 client means. */
export const reasonOf = (error: unknown): Reason => {
  if (isReason(error)) return error
  const failure = (typeof error === "object" && error !== null ? error : {}) as ClientError
  const name = typeof failure.name === "string" ? failure.name : ""
  const status = statusOf(failure)
  if (name === "CredentialsProviderError" || name === "TokenProviderError") {
    return new Unauthorized({
      message:
        "no AWS credentials were found; expected AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role or a profile",
      cause: error,
      code: name
    })
  }
  if (status !== undefined) return answered(failure, name, status)
  if (name === "TimeoutError" || name === "AbortError") return timeOut(error, String(failure.message ?? ""))
  const message = typeof failure.message === "string" ? failure.message : ""
  if (message.startsWith("Checksum mismatch")) {
    return new Decode({
      message: "the body that came is not the one that was stored: its checksum differs",
      cause: error
    })
  }
  if (message.startsWith("Connection lost")) {
    return new Unavailable({ message: "the connection to s3 was lost before all of the body had come", cause: error })
  }
  // A part whose answer has no entity tag, XML that is none, HTTP that is none: neither an answer nor a fault of the system.
  const code = (failure as { readonly code?: unknown }).code
  const isOfNode = typeof code === "string" && !code.startsWith("HPE_") && !code.startsWith("ERR_INVALID")
  if (!isOfNode && systemCode(error) === undefined && (misuse.has(name) || name === "Error")) {
    return new Decode({ message: "the S3 client does not understand what it got", cause: error })
  }
  return fromConnection(error, connectionMessage(error))
}

/** What was answered: by the service's code, and where that says nothing, by the status. */
const answered = (failure: ClientError, name: string, status: number): Reason => {
  const details = detailsOf(failure, name, status)
  const retryAfter = retryAfterOf(failure)
  if (slower.has(name)) return new RateLimited({ ...details, retryAfter })
  if (missing.has(name)) return new NotFound(details)
  if (unauthorized.has(name)) return new Unauthorized(details)
  if (conflicting.has(name)) return new Conflict(details)
  if (damaged.has(name)) return new Unavailable({ ...details, notActed: true })
  if (name === "RequestTimeout" || name === "RequestTimeoutException") return new Timeout(details)
  // A copy and the end of an upload answer 200 first and fail later: whether they have acted is not known.
  if (name === "InternalError") return new Unavailable({ ...details, retryAfter })
  if (status < 300)
    return new Decode({ ...details, message: `the S3 client does not understand the answer (status ${status})` })
  if (status < 400) {
    return new InvalidRequest({
      ...details,
      message: `s3 says that the bucket is elsewhere (status ${status}); check region and endpoint`
    })
  }
  return fromStatus(status, { ...details, retryAfter })
}

/** `UnknownError` is what the client says of an answer without a body; then the status is all there is. */
const detailsOf = (failure: ClientError, name: string, status: number): Details => {
  const told = typeof failure.message === "string" ? failure.message : ""
  const isTold = told !== "" && told !== "UnknownError" && !told.startsWith("Deserialization") && !misuse.has(name)
  const code = name === "" || name === "Error" || name === "Unknown" || misuse.has(name) ? undefined : name
  const message = isTold ? told : `s3 answered with status ${status}${code === undefined ? "" : ` (${code})`}`
  return { message: message.slice(0, 500), status, code, cause: withoutSecrets(failure, name) }
}

/**
 * The client's error without what the service repeats in it: answers to a signature that is wrong or a token that has expired hold
 * the token and what was signed, and the client makes properties of them.
 */
const withoutSecrets = (failure: ClientError, name: string): Error => {
  const clean = new Error(String(failure.message ?? ""))
  clean.name = name === "" ? "Error" : name
  if (typeof failure.stack === "string") clean.stack = failure.stack
  return Object.assign(clean, { requestId: failure.$metadata?.requestId })
}

const statusOf = (failure: ClientError): number | undefined => {
  for (const status of [failure.$metadata?.httpStatusCode, failure.$response?.statusCode]) {
    if (typeof status === "number" && status >= 100) return status
  }
  return undefined
}

const retryAfterOf = (failure: ClientError): Duration.Duration | undefined => {
  const headers = failure.$response?.headers
  const value: unknown =
    typeof headers === "object" && headers !== null ? (headers as Record<string, unknown>)["retry-after"] : undefined
  if (typeof value !== "string") return undefined
  if (/^\d{1,9}$/.test(value.trim())) return Duration.seconds(Number(value))
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : Duration.millis(Math.max(0, at - Date.now()))
}

/** The client calls a reset connection a timeout too. */
const timeOut = (error: unknown, message: string): Reason => {
  const code = systemCode(error)
  if (code !== undefined && code !== "ETIMEDOUT") return fromConnection(error, connectionMessage(error))
  if (message.includes("did not establish a connection")) {
    return new Unavailable({ message: "s3 does not accept the connection in time", cause: error, code, notActed: true })
  }
  return new Timeout({ message: "s3 did not answer the request in time", cause: error })
}

const connectionMessage = (error: unknown): string => {
  const code = systemCode(error)
  return code === undefined ? "the connection to s3 failed" : `the connection to s3 failed (${code})`
}
