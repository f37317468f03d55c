/**
 * B3, the headers of Zipkin: in one header (`b3`) or in several (`X-B3-…`).
 *
 * Read and written only where `OTEL_PROPAGATORS` names `b3` or `b3multi`. Ids of 64 bits are padded with zeros on the
 * left. A caller that leaves the decision open (no sampling state) is taken as sampled; a header that carries only a
 * decision (`b3: 0`) names no parent and is ignored.
 *
 * **Example** (Reading the single header)
 *
 * ```ts
 * import * as B3 from "effect-telemetry/propagation/B3"
 *
 * console.log(B3.parse("a3ce929d0e0e4736-00f067aa0ba902b7-1")?.traceId) // 0000000000000000a3ce929d0e0e4736
 * ```
 *
 * @see https://github.com/openzipkin/b3-propagation
 */
import * as Context from "effect/Context"
import type * as Tracer from "effect/Tracer"
import * as TraceContext from "./TraceContext.ts"
import { trimWhitespace } from "./TraceState.ts"

/** What B3 says of a parent. */
export interface B3Context extends TraceContext.TraceContext {
  /** The debug flag: sampled, and every service on the way has to know that it was asked for. */
  readonly debug: boolean
}

/** Where the annotation of a remote parent says that the debug flag was set, so that it can be sent on. */
export const Debug: Context.Reference<boolean> = Context.Reference("effect-telemetry/propagation/B3/Debug", {
  defaultValue: () => false
})

const traceIdPattern = /^(?:[0-9a-f]{16}|[0-9a-f]{32})$/

const make = (traceId: string, spanId: string, sampled: boolean, debug: boolean): B3Context | undefined => {
  const lower = traceId.toLowerCase()
  if (!traceIdPattern.test(lower)) return undefined
  const padded = lower.padStart(32, "0")
  const span = spanId.toLowerCase()
  if (!TraceContext.isTraceId(padded) || !TraceContext.isSpanId(span)) return undefined
  return { traceId: padded, spanId: span, traceFlags: sampled ? TraceContext.SAMPLED : 0, traceState: undefined, debug }
}

const samplingStates: Readonly<Record<string, boolean>> = { "0": false, "1": true, d: true }

/** Reads the single header: `{trace id}-{span id}[-{0, 1 or d}[-{parent span id}]]`. */
export const parse = (value: string): B3Context | undefined => {
  // The longest valid header has 32 + 16 + 1 + 16 characters and three dashes.
  if (value.length > 128) return undefined
  const parts = trimWhitespace(value).split("-")
  if (parts.length < 2 || parts.length > 4) return undefined
  const [traceId, spanId, state = "1"] = parts as [string, string, string?]
  if (!Object.hasOwn(samplingStates, state)) return undefined
  return make(traceId, spanId, samplingStates[state]!, state === "d")
}

/** The headers of the form with several, in lower case. */
export interface B3Fields {
  /** `X-B3-TraceId`: 16 or 32 hexadecimal digits. */
  readonly traceId: string
  /** `X-B3-SpanId`: 16 hexadecimal digits. */
  readonly spanId: string
  /** `X-B3-Sampled`. */
  readonly sampled?: string | undefined
  /** `X-B3-Flags`. */
  readonly flags?: string | undefined
}

/** Reads the several headers. `X-B3-Flags: 1` (debug) beats `X-B3-Sampled`, which may be `true` or `false` of old. */
export const parseMulti = (fields: B3Fields): B3Context | undefined => {
  const debug = fields.flags === "1"
  const sampled = debug || fields.sampled === undefined || fields.sampled === "1" || fields.sampled === "true"
  return make(trimWhitespace(fields.traceId), trimWhitespace(fields.spanId), sampled, debug)
}

/** Writes the single header. */
export const format = (context: Omit<B3Context, "traceState">): string =>
  `${context.traceId}-${context.spanId}-${context.debug ? "d" : isSampled(context) ? "1" : "0"}`

/** Writes the several headers. With the debug flag there is no `x-b3-sampled`: it is implied. */
export const formatMulti = (context: Omit<B3Context, "traceState">): Record<string, string> => ({
  "x-b3-traceid": context.traceId,
  "x-b3-spanid": context.spanId,
  ...(context.debug ? { "x-b3-flags": "1" } : { "x-b3-sampled": isSampled(context) ? "1" : "0" })
})

const isSampled = (context: { readonly traceFlags: number }): boolean =>
  (context.traceFlags & TraceContext.SAMPLED) !== 0

/** Makes the parent that a span of this process gets. */
export const toExternalSpan = (context: B3Context): Tracer.ExternalSpan =>
  TraceContext.toExternalSpan(
    context,
    context.debug ? (Context.make(Debug, true) as Context.Context<never>) : undefined
  )

/** Reads what a span sends on. */
export const fromSpan = (span: Tracer.AnySpan | undefined): B3Context | undefined => {
  const context = TraceContext.fromSpan(span)
  if (context === undefined) return undefined
  const remote = TraceContext.remoteParent(span)
  return { ...context, debug: remote !== undefined && Context.get(remote.annotations, Debug) }
}
