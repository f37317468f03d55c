/**
 * The attributes of HTTP spans, in the one place where their names stand: the stable ones of OpenTelemetry's semantic
 * conventions, and beside them, where `OTEL_SEMCONV_STABILITY_OPT_IN` asks for it, those of before.
 *
 * @internal
 *
 * @see https://opentelemetry.io/docs/specs/semconv/http/http-spans/
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { constFalse } from "effect/Function"
import * as Headers from "effect/http/Headers"
import * as HttpServerError from "effect/http/HttpServerError"
import * as UrlParams from "effect/http/UrlParams"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import type * as Tracer from "effect/Tracer"
import { defaults, REDACTED } from "../tracer/Redaction.ts"
import type { SemconvStability } from "../tracer/SemconvStability.ts"
import { TelemetrySpan } from "../tracer/Span.ts"
import * as SpanFailure from "../tracer/SpanFailure.ts"

/** The most characters of `user_agent.original`. */
export const MAX_USER_AGENT = 200

/** RFC 9110 (section 9.1), RFC 5789 (PATCH) and the draft of QUERY. */
const knownMethods = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"])

/** The method as span names have it: a stranger must not make names up, so one that is not known is `HTTP`. */
export const methodInName = (method: string): string => (knownMethods.has(method) ? method : "HTTP")

/** Attributes in the making. What is `undefined` is left out. */
export class Attributes {
  readonly record: Record<string, unknown> = {}
  readonly #old: boolean

  constructor(stability: SemconvStability) {
    this.#old = stability.httpDup
  }

  /** Sets an attribute under its name and, where asked for, under the older one. */
  put(key: string, value: string | number | undefined, oldKey?: string): void {
    if (value === undefined) return
    this.record[key] = value
    if (oldKey !== undefined) this.putOld(oldKey, value)
  }

  /** Sets an attribute that has an older name only. */
  putOld(key: string, value: string | number | undefined): void {
    if (this.#old && value !== undefined) this.record[key] = value
  }

  /** `http.request.method`; what is not known is `_OTHER`, with the original beside it. */
  putMethod(method: string): void {
    const known = knownMethods.has(method)
    this.put("http.request.method", known ? method : "_OTHER")
    if (!known) this.put("http.request.method_original", shorten(method, MAX_USER_AGENT))
    this.putOld("http.method", known ? method : shorten(method, MAX_USER_AGENT))
  }
}

/** Takes secrets out of a text. */
export type Scrub = (text: string) => string

const asItIs: Scrub = (text) => text

/**
 * Gives attributes to a span, as a function: a span of ours calls it when it is kept, and not otherwise, and scrubs them by
 * the rules that are configured. What is set on the span by then stays.
 */
export const describe = (span: Tracer.Span, make: (scrub: Scrub) => Readonly<Record<string, unknown>>): void => {
  if (span instanceof TelemetrySpan && span.lazyAttributes === undefined) {
    span.lazyAttributes = () => make(asItIs)
    return
  }
  const attributes = make(defaults.text)
  for (const key of Object.keys(attributes)) span.attribute(key, attributes[key])
}

/** Ends a span as an error that no failure made: a status code says it all. */
export const endWithStatus = (span: Tracer.Span, time: bigint, status: number): void => {
  if (span instanceof TelemetrySpan) {
    span.statusCode = 2
    span.end(time, Exit.void)
  } else {
    span.end(time, Exit.fail(new HttpStatusError({ status })))
  }
}

/** What the spans of other tracers need in order to end as an error. */
class HttpStatusError extends Schema.TaggedError<HttpStatusError>()("HttpStatusError", { status: Schema.Number }) {
  override get message(): string {
    return `The response has the status ${this.status}`
  }
}

/** Ends a span with what failed, which must not show values that were given as secrets. */
export const endWithFailure = (
  span: Tracer.Span,
  time: bigint,
  cause: Cause.Cause<unknown>,
  secrets: ReadonlyArray<string>
): void => {
  const hidden = secrets.filter((secret) => secret !== "")
  if (hidden.length === 0 || Cause.hasInterruptsOnly(cause)) {
    span.end(time, Exit.failCause(cause))
    return
  }
  const clean = (text: string): string =>
    hidden.reduce((shown, secret) => {
      const form = new URLSearchParams([["", secret]]).toString().slice(1)
      const forms = [secret, form, encodeURIComponent(secret.toWellFormed())]
      return forms.reduce((text, hidden) => text.replaceAll(hidden, "REDACTED"), shown)
    }, text)
  const error = new Error(clean(SpanFailure.message(cause) ?? ""))
  error.stack = clean(SpanFailure.exceptions(cause).described[0]?.stacktrace ?? "")
  error.name = SpanFailure.errorType(cause) ?? error.name
  span.end(time, Exit.fail(error))
}

type HeaderFilter = (name: string, phase: "request" | "response") => boolean

/** Headers, where Effect's own setting asks for them: none by default. */
export const headersOf = (
  fiber: Fiber.Fiber<unknown, unknown>,
  phase: "request" | "response",
  headers: Headers.Headers,
  filter: HeaderFilter
): Readonly<Record<string, unknown>> | undefined => {
  if (filter === constFalse) return undefined
  const secret = fiber.getRef(Headers.CurrentRedactedNames)
  const attributes: Record<string, unknown> = {}
  for (const name of Object.keys(headers)) {
    if (!filter(name, phase)) continue
    const hidden = Headers.isRedactedName(name, secret) || defaults.isSecretKey(name)
    attributes[`http.${phase}.header.${name}`] = [hidden ? REDACTED : headers[name]]
  }
  return attributes
}

/** A host and its port, as `server.address` and `server.port` have them. */
export interface Authority {
  readonly host: string
  readonly port: number | undefined
}

const defaultPorts: Readonly<Record<string, number>> = { "http:": 80, "https:": 443, "ws:": 80, "wss:": 443 }

/** The authority of a URL: an IPv6 address without its brackets, the scheme's port where none is named. */
export const authorityOf = (url: URL): Authority => ({
  host: url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname,
  port: url.port === "" ? defaultPorts[url.protocol] : Number(url.port)
})

/** An IPv4 address that a server on both families sees in IPv6's dress, undressed. */
export const plainAddress = (address: string): string =>
  address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address

/** Cuts a text at a number of characters, never within one. */
export const cut = (text: string, length: number): string => {
  if (text.length <= length) return text
  const last = text.charCodeAt(length - 1)
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? length - 1 : length)
}

/** Text of a stranger, cut. Its secrets go before it is cut: half a secret can no longer be told from other text. */
export const shorten = (text: string, length: number): string =>
  text.length <= length ? text : cut(defaults.text(cut(text, length * 8)), length)

/** The names of query parameters that are secrets: Effect's list, and those that were given as `Redacted`. */
export const secretParameters = (
  fiber: Fiber.Fiber<unknown, unknown>,
  parameters?: UrlParams.UrlParams | undefined
): ReadonlyArray<string | RegExp> => {
  const names = fiber.getRef(UrlParams.CurrentRedactedNames)
  const hidden = parameters?.params.filter(([, value]) => typeof value !== "string").map(([name]) => name) ?? []
  return hidden.length === 0 ? names : [...names, ...hidden]
}

/** A URL or a request's target without its secrets: by those names and by the rules for texts. */
export const redactUrl = (url: string, secret: ReadonlyArray<string | RegExp>, scrub: Scrub): string =>
  url.includes("?") || url.includes("@") ? scrub(UrlParams.redactUrl(url, secret)) : url

/** The time of a span's end. */
export const now = (fiber: Fiber.Fiber<unknown, unknown>): bigint =>
  fiber.getRef(References.TracerTimingEnabled) ? fiber.getRef(Clock.Clock).currentTimeNanosUnsafe() : 0n

/** What spans of one tracer or another have beyond Effect's. */
interface Renamable {
  name: string
  readonly span?: { readonly updateName?: (name: string) => unknown } | undefined
}

/** Renames a span: one of ours, one of `@effect/opentelemetry`, or one of Effect's. */
export const rename = (span: Tracer.Span, name: string): void => {
  const renamable = span as unknown as Renamable
  if (!(span instanceof TelemetrySpan)) renamable.span?.updateName?.(name)
  renamable.name = name
}

/**
 * Records failures that were turned into a response which is no error of the server. That no route matched is none: the
 * status says so.
 */
export const recordFailures = (span: Tracer.Span, cause: Cause.Cause<unknown>, time: bigint): void => {
  const failures = cause.reasons.filter((reason) => !(reason._tag === "Fail" && isRouteNotFound(reason.error)))
  for (const exception of SpanFailure.exceptions(Cause.fromReasons(failures)).described) {
    span.event("exception", time, {
      "exception.type": exception.type,
      "exception.message": exception.message,
      "exception.stacktrace": exception.stacktrace
    })
  }
}

const isRouteNotFound = (error: unknown): boolean =>
  HttpServerError.isHttpServerError(error) && error.reason._tag === "RouteNotFound"
