/**
 * How the span of a served request ends: its name, its attributes, its status.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRespondable from "effect/http/HttpServerRespondable"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Tracer from "effect/Tracer"
import { isRecording } from "../tracer/Recording.ts"
import * as HttpAttributes from "./HttpAttributes.ts"

/** What was found out about a request while it was handled. */
export interface Observed {
  /** The request as the server received it. */
  readonly received: HttpServerRequest.HttpServerRequest
  /** The request as the innermost middleware left it: a proxy's changes the client's address, the host and the scheme. */
  readonly request: HttpServerRequest.HttpServerRequest
  /** The response as it was sent. */
  readonly response: HttpServerResponse.HttpServerResponse | undefined
  /** The route that matched, as its pattern. */
  readonly route: string | undefined
}

/** `{METHOD} {http.route}`, or `{METHOD}`. */
export const nameOf = (request: HttpServerRequest.HttpServerRequest, route: string | undefined): string => {
  const method = HttpAttributes.methodInName(request.method)
  return route === undefined ? method : `${method} ${route}`
}

/** Ends the span. Never throws: a span that can't be described is better than a request that fails of it. */
export const end = (
  fiber: Fiber.Fiber<unknown, unknown>,
  span: Tracer.Span,
  observed: Observed,
  exit: Exit.Exit<HttpServerResponse.HttpServerResponse, unknown>
): void => {
  const time = HttpAttributes.now(fiber)
  let outcome: Outcome = { exit, status: undefined }
  try {
    outcome = outcomeOf(exit)
    if (isRecording(span)) describe(fiber, span, observed, outcome, time)
  } finally {
    span.end(time, outcome.exit)
  }
}

/** What became of a request. */
interface Outcome {
  /** The status that was sent, if one was. */
  readonly status: number | undefined
  /** The exit as the span has to know it: a success where the response is no error of the server. */
  readonly exit: Exit.Exit<unknown, unknown>
  /** Failures that became a response which is no error of the server. */
  readonly handled?: Cause.Cause<unknown> | undefined
  /** The `error.type` of a response that no failure made. */
  readonly errorType?: string | undefined
}

const outcomeOf = (exit: Exit.Exit<HttpServerResponse.HttpServerResponse, unknown>): Outcome => {
  if (Exit.isSuccess(exit)) return outcomeOfStatus(exit.value.status)
  const [response, rest] = HttpServerError.causeResponseStripped(exit.cause)
  const status = response.status
  if (Option.isNone(rest)) return outcomeOfStatus(status)
  const cause: Cause.Cause<unknown> = rest.value
  if (Cause.hasInterruptsOnly(cause)) {
    const byClient = cause.reasons.some((reason) => reason.annotations.has(HttpServerError.ClientAbort.key))
    // 499 is what Effect calls a client that left before it was answered: nobody was sent it.
    if (byClient) return { status: status === 499 ? undefined : status, exit: Exit.failCause(cause) }
    return status >= 500 ? outcomeOfStatus(status) : { status, exit: Exit.failCause(cause) }
  }
  // A failure that made no response of its own broke off one that was being sent.
  if (status >= 500 || cause.reasons.some(isUnanswered)) return { status, exit: Exit.failCause(cause) }
  return { ...outcomeOfStatus(status), handled: cause }
}

const outcomeOfStatus = (status: number): Outcome =>
  status >= 500
    ? { status, exit: Exit.fail(new StatusError({ status })), errorType: String(status) }
    : { status, exit: Exit.void }

/** What ends the span of a response with a 5xx that the handler gave by itself. */
class StatusError extends Schema.TaggedError<StatusError>()("HttpStatusError", { status: Schema.Number }) {
  override get message(): string {
    return `The response has the status ${this.status}`
  }
}

/** Whether a failure is none that Effect turns into a response other than 500. */
const isUnanswered = (reason: Cause.Reason<unknown>): boolean => {
  if (reason._tag === "Interrupt") return false
  const error = reason._tag === "Fail" ? reason.error : reason.defect
  if (HttpServerRespondable.isRespondable(error)) return false
  return !(reason._tag === "Fail" && (Schema.isSchemaError(error) || Cause.isNoSuchElementError(error)))
}

const describe = (
  fiber: Fiber.Fiber<unknown, unknown>,
  span: Tracer.Span,
  observed: Observed,
  outcome: Outcome,
  time: bigint
): void => {
  const { received, request } = observed
  // The router names the route on the span by itself, where no other span stands between them.
  const route = observed.route ?? routeOn(span)
  if (route !== undefined) HttpAttributes.rename(span, nameOf(received, route))

  const writer = new HttpAttributes.Writer(fiber, span)
  writer.putMethod(received.method)
  writer.put("http.route", route)
  putTarget(writer, HttpAttributes.redactUrl(fiber, received.url))
  const scheme = request.protocol ?? (/^https:/i.test(received.originalUrl) ? "https" : "http")
  writer.put("url.scheme", scheme, "http.scheme")
  putAuthority(writer, request.headers["host"], scheme)
  const client = Option.getOrUndefined(request.remoteAddress)
  if (client !== undefined) writer.put("client.address", HttpAttributes.plainAddress(client), "http.client_ip")
  const agent = received.headers["user-agent"]
  if (agent !== undefined) {
    writer.put("user_agent.original", HttpAttributes.cut(agent, HttpAttributes.MAX_USER_AGENT), "http.user_agent")
  }
  writer.put("http.response.status_code", outcome.status, "http.status_code")
  writer.put("error.type", outcome.errorType)
  const filter = fiber.getRef(HttpMiddleware.TracerHeaderFilter)
  writer.putHeaders(fiber, "request", received.headers, filter)
  if (observed.response !== undefined) writer.putHeaders(fiber, "response", observed.response.headers, filter)
  if (outcome.handled !== undefined) HttpAttributes.recordFailures(span, outcome.handled, time)
}

const routeOn = (span: Tracer.Span): string | undefined => {
  const route = span.attributes.get("http.route")
  return typeof route === "string" ? route : undefined
}

const putTarget = (writer: HttpAttributes.Writer, target: string): void => {
  const queryAt = target.indexOf("?")
  writer.put("url.path", queryAt < 0 ? target : target.slice(0, queryAt))
  if (queryAt >= 0 && queryAt < target.length - 1) writer.put("url.query", target.slice(queryAt + 1))
  writer.putOld("http.target", target)
}

const putAuthority = (writer: HttpAttributes.Writer, host: string | undefined, scheme: string): void => {
  if (host === undefined || !URL.canParse(`${scheme}://${host}`)) return
  const authority = HttpAttributes.authorityOf(new URL(`${scheme}://${host}`))
  writer.put("server.address", authority.host, "net.host.name")
  writer.put("server.port", authority.port, "net.host.port")
}
