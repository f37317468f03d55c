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
import type * as Fiber from "effect/Fiber"
import { constFalse } from "effect/Function"
import * as Headers from "effect/http/Headers"
import * as HttpServerError from "effect/http/HttpServerError"
import * as UrlParams from "effect/http/UrlParams"
import * as References from "effect/References"
import type * as Tracer from "effect/Tracer"
import { defaults, REDACTED } from "../tracer/Redaction.ts"
import * as SemconvStability from "../tracer/SemconvStability.ts"

/** The most characters of `user_agent.original`. */
export const MAX_USER_AGENT = 200

/** RFC 9110 (section 9.1), RFC 5789 (PATCH) and the draft of QUERY. */
const knownMethods = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"])

/** The method as span names have it: a stranger must not make names up, so one that is not known is `HTTP`. */
export const methodInName = (method: string): string => (knownMethods.has(method) ? method : "HTTP")

/** Writes attributes to a span. What is `undefined` is left out. */
export class Writer {
  readonly #span: Tracer.Span
  readonly #old: boolean

  constructor(fiber: Fiber.Fiber<unknown, unknown>, span: Tracer.Span) {
    this.#span = span
    this.#old = fiber.getRef(SemconvStability.CurrentSemconvStability).httpDup
  }

  /** Sets an attribute under its name and, where asked for, under the older one. */
  put(key: string, value: string | number | undefined, oldKey?: string): void {
    if (value === undefined) return
    this.#span.attribute(key, value)
    if (oldKey !== undefined) this.putOld(oldKey, value)
  }

  /** Sets an attribute that has an older name only. */
  putOld(key: string, value: string | number | undefined): void {
    if (this.#old && value !== undefined) this.#span.attribute(key, value)
  }

  /** `http.request.method`; what is not known is `_OTHER`, with the original beside it. */
  putMethod(method: string): void {
    const known = knownMethods.has(method)
    this.put("http.request.method", known ? method : "_OTHER")
    if (!known) this.put("http.request.method_original", cut(method, MAX_USER_AGENT))
    this.putOld("http.method", method)
  }

  /** Headers, where Effect's own setting asks for them. */
  putHeaders(
    fiber: Fiber.Fiber<unknown, unknown>,
    phase: "request" | "response",
    headers: Headers.Headers,
    filter: (name: string, phase: "request" | "response") => boolean
  ): void {
    if (filter === constFalse) return
    const secret = fiber.getRef(Headers.CurrentRedactedNames)
    for (const name of Object.keys(headers)) {
      if (!filter(name, phase)) continue
      const hidden = Headers.isRedactedName(name, secret) || defaults.isSecretKey(name)
      this.#span.attribute(`http.${phase}.header.${name}`, [hidden ? REDACTED : headers[name]])
    }
  }
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

/**
 * A URL or a request's target without its secrets: by our rules, by Effect's list of names, and parameters that were
 * given as `Redacted`.
 */
export const redactUrl = (
  fiber: Fiber.Fiber<unknown, unknown>,
  url: string,
  parameters?: UrlParams.UrlParams | undefined
): string => {
  if (!url.includes("?") && !url.includes("@")) return url
  const names = fiber.getRef(UrlParams.CurrentRedactedNames)
  const hidden = parameters?.params.filter(([, value]) => typeof value !== "string").map(([name]) => name) ?? []
  return defaults.text(UrlParams.redactUrl(url, hidden.length === 0 ? names : [...names, ...hidden]))
}

/** The time of a span's end. */
export const now = (fiber: Fiber.Fiber<unknown, unknown>): bigint =>
  fiber.getRef(References.TracerTimingEnabled) ? fiber.getRef(Clock.Clock).currentTimeNanosUnsafe() : 0n

/** What spans of one tracer or another have beyond Effect's. */
interface Renamable {
  name: string
  updateName?: (name: string) => unknown
  readonly span?: { readonly updateName?: (name: string) => unknown } | undefined
}

/** Renames a span: one of ours, one of `@effect/opentelemetry`, or one of Effect's. */
export const rename = (span: Tracer.Span, name: string): void => {
  const renamable = span as unknown as Renamable
  if (typeof renamable.updateName === "function") {
    renamable.updateName(name)
    return
  }
  renamable.span?.updateName?.(name)
  renamable.name = name
}

/**
 * Records failures that were turned into a response which is no error of the server. That no route matched is none: the
 * status says so.
 */
export const recordFailures = (span: Tracer.Span, cause: Cause.Cause<unknown>, time: bigint): void => {
  const failures = cause.reasons.filter(
    (reason) => !(reason._tag === "Interrupt" || (reason._tag === "Fail" && isRouteNotFound(reason.error)))
  )
  for (const error of Cause.prettyErrors(Cause.fromReasons(failures), { includeCauseInStack: true })) {
    span.event("exception", time, {
      "exception.type": error.name,
      "exception.message": error.message,
      "exception.stacktrace": error.stack ?? ""
    })
  }
}

const isRouteNotFound = (error: unknown): boolean =>
  HttpServerError.isHttpServerError(error) && error.reason._tag === "RouteNotFound"
