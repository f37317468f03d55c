/**
 * What a failure is to the caller: the one place where errors become responses.
 *
 * Handlers fail with whatever went wrong. The middleware attaches the response to the error and lets it pass, so that the
 * server's span records the error itself: as an event where it is the caller's (4xx), as the span's failure where it is
 * ours (5xx). Bodies are problem details (RFC 9457).
 */
import { Cause, Effect, Predicate, Schema, SchemaIssue } from "effect"
import { HttpRouter, HttpServerError, HttpServerRespondable, HttpServerResponse, ProblemDetails } from "effect/http"
import { SqlError } from "effect/sql"
import * as Database from "effect-telemetry/Database"
import { isReason } from "effect-telemetry/operation/Reason"
import * as Correlation from "effect-telemetry/propagation/Correlation"

interface Problem {
  readonly status: number
  readonly title: string
  readonly detail?: string | undefined
  /** Where in the request, and what is wrong there. */
  readonly issues?: ReadonlyArray<{ readonly path: string; readonly message: string }> | undefined
  /** Seconds after which another try makes sense. */
  readonly retryAfter?: number | undefined
}

const problemOf = (error: unknown): Problem => {
  if (Schema.isSchemaError(error)) return invalid(error)
  if (SqlError.isSqlError(error)) return databaseProblem(error)
  if (HttpServerError.isHttpServerError(error)) return requestProblem(error)
  const detail = Predicate.isError(error) ? error.message : undefined
  switch (Predicate.hasProperty(error, "_tag") ? error._tag : undefined) {
    case "NotSignedIn":
      return { status: 401, title: "Not signed in", detail }
    case "NotAllowed":
      return { status: 403, title: "Not allowed", detail }
    case "NotFound":
      return { status: 404, title: "Not found", detail }
    case "TooLarge":
      return { status: 413, title: "Too large", detail }
    case "Senseless":
      return { status: 422, title: "Cannot be done", detail }
  }
  if (Predicate.hasProperty(error, "reason") && isReason(error.reason)) {
    return error.reason.isRetryable || error.reason._tag === "CircuitOpen"
      ? { status: 503, title: "A service is away", retryAfter: 1 }
      : { status: 502, title: "A service failed" }
  }
  return { status: 500, title: "Internal error" }
}

const describe = SchemaIssue.makeFormatterStandardSchemaV1()

const invalid = (error: Schema.SchemaError): Problem => ({
  status: 400,
  title: "Invalid request",
  issues: describe(error.issue).issues.map(({ message, path }) => ({
    path: (path ?? []).map((part) => (Predicate.isObject(part) ? part.key : part)).join("."),
    message
  }))
})

const databaseProblem = (error: SqlError.SqlError): Problem => {
  const reason = Database.reasonOf(error)
  if (reason._tag === "Conflict") return { status: 409, title: "Already done" }
  // A foreign key: the user, the post or the comment of that id is not there.
  if (reason.code === "23503") return { status: 422, title: "Refers to something that is not there" }
  if (reason.isRetryable) return { status: 503, title: "The database is away", retryAfter: 1 }
  return { status: 500, title: "Internal error" }
}

const requestProblem = ({ reason }: HttpServerError.HttpServerError): Problem => {
  switch (reason._tag) {
    case "RouteNotFound":
      return { status: 404, title: "Not found", detail: "GET / lists what there is" }
    case "RequestParseError":
      return reason.reason === "BodyTooLarge"
        ? { status: 413, title: "Too large" }
        : { status: 400, title: "Invalid request", detail: "the body is not JSON" }
    default:
      return { status: 500, title: "Internal error" }
  }
}

const toResponse = ({ retryAfter, ...problem }: Problem) =>
  Effect.map(Correlation.current, ({ requestId }) => {
    const response = ProblemDetails.toResponse({ type: ProblemDetails.blankType, ...problem, requestId } as never)
    return retryAfter === undefined
      ? response
      : HttpServerResponse.setHeader(response, "retry-after", String(retryAfter))
  })

/** The same error, which knows its response. */
const answered = <E>(error: E): E =>
  Predicate.isObject(error)
    ? Object.assign(error, { [HttpServerRespondable.symbol]: () => toResponse(problemOf(error)) })
    : error

/** Gives every failure of every route its response. */
export const middleware = HttpRouter.middleware(
  (app) =>
    Effect.mapError(app, answered).pipe(Effect.catchDefect((defect) => Effect.failCause(Cause.die(answered(defect))))),
  { global: true }
)
