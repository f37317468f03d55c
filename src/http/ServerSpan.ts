/**
 * The span of a served request: how it starts, and how it ends, with its name, its attributes, its status.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { constFalse } from "effect/Function"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRespondable from "effect/http/HttpServerRespondable"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Tracer from "effect/Tracer"
import * as FiberContext from "../tracer/FiberContext.ts"
import { isRecording } from "../tracer/Recording.ts"
import * as SemconvStability from "../tracer/SemconvStability.ts"
import { TelemetrySpan } from "../tracer/Span.ts"
import * as SpanContext from "../tracer/SpanContext.ts"
import { kindCode } from "../tracer/SpanKind.ts"
import * as SpanSettings from "../tracer/SpanSettings.ts"
import type { TelemetryTracer } from "../tracer/Tracer.ts"
import { UnsampledSpan } from "../tracer/UnsampledSpan.ts"
import * as HttpAttributes from "./HttpAttributes.ts"
import * as IncomingHeaders from "./IncomingHeaders.ts"

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

/** The names of spans by method, and by route: both are few, and a name that is known need not be made and searched again. */
const names = new Map<string, Map<string, string>>()

/** `{METHOD} {http.route}`, or `{METHOD}`. */
export const nameOf = (request: HttpServerRequest.HttpServerRequest, route: string | undefined): string => {
  const method = HttpAttributes.methodInName(request.method)
  if (route === undefined) return method
  let ofMethod = names.get(method)
  if (ofMethod === undefined) names.set(method, (ofMethod = new Map()))
  let name = ofMethod.get(route)
  if (name === undefined) {
    // A router that makes its routes up as it goes would have ever more.
    if (ofMethod.size >= rememberedNames) ofMethod.clear()
    ofMethod.set(route, (name = `${method} ${route}`))
  }
  return name
}

const rememberedNames = 1024

/**
 * Starts the span: below the caller's, where the caller is trusted; otherwise a trace of its own, linked to the caller's.
 * The ids of the request are in the fiber's context by then. The span is the fiber's current one afterwards.
 */
export const start = (
  fiber: Fiber.Fiber<unknown, unknown>,
  tracer: TelemetryTracer,
  request: HttpServerRequest.HttpServerRequest,
  remote: Tracer.ExternalSpan | undefined,
  trusted: boolean
): TelemetrySpan | UnsampledSpan => {
  const settings = SpanSettings.resolve(fiber)
  const parent = trusted ? remote : undefined
  const span = tracer.start(
    nameOf(request, undefined),
    parent === undefined ? undefined : tracer.parentOf(parent, true, true),
    SpanContext.emptyAnnotations,
    parent === remote ? settings.links : [...settings.links, { span: remote!, attributes: {} }],
    SERVER,
    // What a caller did not sample is the sampler's business, whatever the level.
    settings.levelAllowed || parent?.sampled === false ? undefined : false,
    settings.clock,
    settings.holder,
    settings.annotations,
    undefined
  )
  const provided = FiberContext.enterSpan(fiber, fiber.context, span as Tracer.Span)
  if (span instanceof TelemetrySpan) {
    span.settings = settings
    span.provided = provided
    span.begin(settings.timing)
  }
  return span
}

const SERVER = kindCode("server")

/** The same for a tracer that is not ours. */
export const make = (
  request: HttpServerRequest.HttpServerRequest,
  remote: Tracer.ExternalSpan | undefined,
  trusted: boolean
): Effect.Effect<Tracer.Span> =>
  Effect.makeSpan(nameOf(request, undefined), {
    kind: "server",
    ...(trusted && remote !== undefined ? { parent: remote } : { root: true }),
    ...(trusted || remote === undefined ? undefined : { links: [{ span: remote, attributes: {} }] })
  })

/** Ends the span. A span that can't be described ends all the same. */
export const end = (
  fiber: Fiber.Fiber<unknown, unknown>,
  span: Tracer.Span,
  observed: Observed,
  exit: Exit.Exit<HttpServerResponse.HttpServerResponse, unknown>
): void => {
  if (span instanceof UnsampledSpan) {
    span.lastStep = undefined
    span.end()
    return
  }
  const outcome = outcomeOf(exit)
  try {
    if (isRecording(span)) describe(fiber, span, observed, outcome)
  } catch {
    // A setting of the application threw, as a filter of headers may.
  }
  if (outcome.failed && outcome.cause === undefined) endWithStatus(fiber, span, outcome.status ?? 500)
  else finish(fiber, span, outcome.failed || outcome.interrupted ? Exit.failCause(outcome.cause!) : Exit.void)
}

const endWithStatus = (fiber: Fiber.Fiber<unknown, unknown>, span: Tracer.Span, status: number): void => {
  if (!(span instanceof TelemetrySpan)) {
    HttpAttributes.endWithStatus(span, HttpAttributes.now(fiber), status)
    return
  }
  span.statusCode = 2
  span.finish(Exit.void)
}

const finish = (fiber: Fiber.Fiber<unknown, unknown>, span: Tracer.Span, exit: Exit.Exit<unknown, unknown>): void => {
  if (span instanceof TelemetrySpan) span.finish(exit)
  else span.end(HttpAttributes.now(fiber), exit)
}

/** What became of a request. */
interface Outcome {
  /** The status that was sent, if one was. */
  readonly status: number | undefined
  /** What went wrong, whoever answers for it. */
  readonly cause: Cause.Cause<unknown> | undefined
  /** Whether it is an error of the server. */
  readonly failed: boolean
  /** Whether the caller went away. */
  readonly interrupted: boolean
}

const outcomeOf = (exit: Exit.Exit<HttpServerResponse.HttpServerResponse, unknown>): Outcome => {
  const [response, rest] = Exit.isSuccess(exit)
    ? ([exit.value, Option.none()] as const)
    : HttpServerError.causeResponseStripped(exit.cause)
  const { status } = response
  const failed = status >= 500
  if (Option.isNone(rest)) return { status, cause: undefined, failed, interrupted: false }
  const cause: Cause.Cause<unknown> = rest.value
  if (!Cause.hasInterruptsOnly(cause)) {
    // A failure that makes no response of its own broke off one that was being sent.
    return { status, cause, failed: failed || cause.reasons.some(isUnanswered), interrupted: false }
  }
  // A server that shuts down answers with a 503, which is its error.
  if (failed) return { status, cause: undefined, failed, interrupted: false }
  // 499 is what Effect calls a caller that left before it was answered: nobody was sent that.
  return { status: status === 499 ? undefined : status, cause, failed, interrupted: true }
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
  outcome: Outcome
): void => {
  // The router names the route on the span by itself, where no other span stands between them.
  const route = observed.route ?? routeOn(span)
  if (route !== undefined) HttpAttributes.rename(span, nameOf(observed.received, route))
  if (outcome.failed && outcome.cause === undefined) span.attribute("error.type", String(outcome.status))
  if (!outcome.failed && !outcome.interrupted && outcome.cause !== undefined) {
    HttpAttributes.recordFailures(span, outcome.cause, HttpAttributes.now(fiber))
  }
  HttpAttributes.describe(span, attributesOf(fiber, observed, route, outcome.status))
}

const routeOn = (span: Tracer.Span): string | undefined => {
  const route = span.attributes.get("http.route")
  return typeof route === "string" ? route : undefined
}

/** Reads what the attributes are made of; a span that waits must not keep the request itself alive. */
const attributesOf = (
  fiber: Fiber.Fiber<unknown, unknown>,
  { received, request, response }: Observed,
  route: string | undefined,
  status: number | undefined
): ((scrub: HttpAttributes.Scrub) => Readonly<Record<string, unknown>>) => {
  const { method, url } = received
  const agent = IncomingHeaders.text(received, "user-agent")
  const host = IncomingHeaders.host(request)
  const client = Option.getOrUndefined(request.remoteAddress)
  const scheme = request.protocol ?? (/^https:/i.test(received.originalUrl) ? "https" : "http")
  const stability = fiber.getRef(SemconvStability.CurrentSemconvStability)
  const secret = HttpAttributes.secretParameters(fiber)
  const filter = fiber.getRef(HttpMiddleware.TracerHeaderFilter)
  const headers =
    filter === constFalse
      ? undefined
      : {
          ...HttpAttributes.headersOf(fiber, "request", received.headers, filter),
          ...(response === undefined
            ? undefined
            : HttpAttributes.headersOf(fiber, "response", response.headers, filter))
        }
  return (scrub) => {
    const attributes = new HttpAttributes.Attributes(stability)
    attributes.putMethod(method)
    attributes.put("http.route", route)
    putTarget(attributes, HttpAttributes.redactUrl(url, secret, scrub))
    attributes.put("url.scheme", scheme, "http.scheme")
    if (host !== undefined) putAuthority(attributes, host, scheme)
    if (client !== undefined) attributes.put("client.address", HttpAttributes.plainAddress(client), "http.client_ip")
    if (agent !== undefined) {
      const shortened = HttpAttributes.shorten(agent, HttpAttributes.MAX_USER_AGENT)
      attributes.put("user_agent.original", shortened, "http.user_agent")
    }
    attributes.put("http.response.status_code", status, "http.status_code")
    return headers === undefined ? attributes.record : Object.assign(attributes.record, headers)
  }
}

const putTarget = (attributes: HttpAttributes.Attributes, target: string): void => {
  const queryAt = target.indexOf("?")
  attributes.put("url.path", queryAt < 0 ? target : target.slice(0, queryAt))
  if (queryAt >= 0 && queryAt < target.length - 1) attributes.put("url.query", target.slice(queryAt + 1))
  attributes.putOld("http.target", target)
}

const putAuthority = (attributes: HttpAttributes.Attributes, host: string, scheme: string): void => {
  const authority = authorityOf(scheme, host)
  if (authority === undefined) return
  attributes.put("server.address", authority.host, "net.host.name")
  attributes.put("server.port", authority.port, "net.host.port")
}

/** A server is known by few names, and reading one as a URL takes longer than everything else that is said of a request. */
const authorities = new Map<string, HttpAttributes.Authority | undefined>()

/** Strangers make names up: as many are remembered, up to this length. */
const rememberedAuthorities = 256
const rememberedLength = 256

const authorityOf = (scheme: string, host: string): HttpAttributes.Authority | undefined => {
  const url = `${scheme}://${host}`
  if (authorities.has(url)) return authorities.get(url)
  const authority = URL.canParse(url) ? HttpAttributes.authorityOf(new URL(url)) : undefined
  if (url.length <= rememberedLength) {
    if (authorities.size >= rememberedAuthorities) authorities.clear()
    authorities.set(url, authority)
  }
  return authority
}
