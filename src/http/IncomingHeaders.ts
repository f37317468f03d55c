/**
 * The headers of a request that is served, read where they stand: most requests are asked for a few names, which they do not
 * have.
 *
 * @internal
 */
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Baggage from "../propagation/Baggage.ts"
import * as Propagators from "../propagation/Propagators.ts"

/** Names in lower case, values as texts. */
export type IncomingHeaders = Readonly<Record<string, unknown>>

/** What a request of Effect's server for Node.js stands for, and what it holds in place of the headers that stand there. */
interface Native {
  readonly source: { readonly rawHeaders?: unknown; readonly headers?: unknown }
  readonly headersOverride?: unknown
}

/**
 * The headers of a request. Effect's copies what Node.js has read, the first time that it is asked; where nobody has asked,
 * and no middleware has put others in their place, they are taken from there.
 */
export const of = (request: HttpServerRequest): IncomingHeaders => {
  const { headersOverride, source } = request as unknown as Native
  return headersOverride === undefined && Array.isArray(source.rawHeaders) && isRecord(source.headers)
    ? source.headers
    : request.headers
}

const isRecord = (value: unknown): value is IncomingHeaders => typeof value === "object" && value !== null

/** The text of a header. */
export const text = (request: HttpServerRequest, name: string): string | undefined => {
  const value = of(request)[name]
  return typeof value === "string" ? value : undefined
}

/** The host that was asked for: in HTTP/2 it is not a header by name, and goes before one. */
export const host = (request: HttpServerRequest): string | undefined =>
  text(request, ":authority") ?? text(request, "host")

const nothing: Propagators.Extracted = { span: undefined, baggage: Baggage.empty }

/** Reads the formats, where one of their headers is there. */
export const extract = (
  propagators: ReadonlyArray<Propagators.Propagator>,
  headers: IncomingHeaders,
  request: HttpServerRequest
): Propagators.Extracted => {
  const names = namesRead(propagators)
  // A format of the application's own may read more than its fields.
  if (names === undefined) return Propagators.extractWith(propagators, request.headers)
  for (const name of names) {
    if (headers[name] !== undefined) return Propagators.extractWith(propagators, headers)
  }
  return nothing
}

const standard: ReadonlyArray<Propagators.Propagator> = [
  Propagators.tracecontext,
  Propagators.baggage,
  Propagators.b3,
  Propagators.b3multi
]

const known = new WeakMap<ReadonlyArray<Propagators.Propagator>, ReadonlyArray<string> | undefined>()

/** The names that formats read. `undefined`: nobody knows. */
const namesRead = (propagators: ReadonlyArray<Propagators.Propagator>): ReadonlyArray<string> | undefined => {
  if (known.has(propagators)) return known.get(propagators)
  const names = propagators.every((propagator) => standard.includes(propagator))
    ? Propagators.fieldsOf(propagators)
    : undefined
  known.set(propagators, names)
  return names
}
