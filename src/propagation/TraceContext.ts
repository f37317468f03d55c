/**
 * W3C Trace Context, level 2: reads and writes the `traceparent` and `tracestate` of a trace that crosses a border.
 *
 * Reading never throws: what the specification calls invalid is `undefined`, which starts a new trace. What surprises
 * people: an invalid `tracestate` is dropped whole and does not touch `traceparent`; a `traceparent` of a version above
 * `00` is read by its first four fields; and flags that level 2 does not define are cleared.
 *
 * **Example** (Reading and writing a header)
 *
 * ```ts
 * import * as TraceContext from "effect-telemetry/propagation/TraceContext"
 *
 * const context = TraceContext.parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "rojo=00f067aa0ba902b7")
 * console.log(context?.traceId) // 4bf92f3577b34da6a3ce929d0e0e4736
 * console.log(context && TraceContext.formatTraceparent(context))
 * ```
 *
 * @see https://www.w3.org/TR/trace-context-2/
 */
import * as Context from "effect/Context"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import * as SpanContext from "../tracer/SpanContext.ts"
import * as TraceState from "./TraceState.ts"

/** The caller may have recorded the trace (level 2, section 3.2.2.5.1). */
export const SAMPLED = SpanContext.SAMPLED

/** At least the right-most seven bytes of the trace id are random (level 2, section 3.2.2.5.2). */
export const RANDOM = SpanContext.RANDOM

/** The flags that level 2 defines. All others are reserved and sent as zero. */
const KNOWN_FLAGS = SAMPLED | RANDOM

const TRACEPARENT_LENGTH = 55
const traceparentPattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/
const traceIdPattern = /^[0-9a-f]{32}$/
const spanIdPattern = /^[0-9a-f]{16}$/
const ZERO_TRACE_ID = "0".repeat(32)
const ZERO_SPAN_ID = "0".repeat(16)

/** What of a span crosses a border. */
export interface TraceContext {
  /** 32 lower-case hexadecimal digits, not all zero. */
  readonly traceId: string
  /** 16 lower-case hexadecimal digits, not all zero: the `parent-id` of the header. */
  readonly spanId: string
  /** One byte: {@link SAMPLED}, {@link RANDOM}. */
  readonly traceFlags: number
  /** The value of `tracestate`, valid and within its limits; `undefined` where there is none. */
  readonly traceState: string | undefined
}

/** Whether the text is a trace id: 32 lower-case hexadecimal digits, not all zero. */
export const isTraceId = (id: string): boolean => traceIdPattern.test(id) && id !== ZERO_TRACE_ID

/** Whether the text is a span id: 16 lower-case hexadecimal digits, not all zero. */
export const isSpanId = (id: string): boolean => spanIdPattern.test(id) && id !== ZERO_SPAN_ID

/**
 * Reads a `traceparent`. `undefined` means that the trace has to be restarted.
 *
 * **Details**
 *
 * White space around the value is ignored (RFC 9110, `OWS`). Version `00` has exactly 55 characters; a higher one may
 * go on after a dash; `ff` is forbidden (level 2, section 3.2.4).
 */
export const parseTraceparent = (value: string): Omit<TraceContext, "traceState"> | undefined => {
  const header = TraceState.trimWhitespace(value)
  const match = traceparentPattern.exec(header.slice(0, TRACEPARENT_LENGTH))
  if (match === null) return undefined
  const [, version, traceId, spanId, flags] = match as unknown as [string, string, string, string, string]
  if (version === "ff") return undefined
  if (header.length > TRACEPARENT_LENGTH && (version === "00" || header[TRACEPARENT_LENGTH] !== "-")) return undefined
  if (traceId === ZERO_TRACE_ID || spanId === ZERO_SPAN_ID) return undefined
  return { traceId, spanId, traceFlags: parseInt(flags, 16) & KNOWN_FLAGS }
}

/**
 * Reads both headers. Several values are what a carrier with several fields of one name holds: `tracestate` is combined
 * in their order, more than one `traceparent` is invalid.
 */
export const parse = (
  traceparent: string | ReadonlyArray<string> | undefined,
  tracestate?: string | ReadonlyArray<string> | undefined
): TraceContext | undefined => {
  const parent = parseOne(traceparent)
  return parent === undefined ? undefined : { ...parent, traceState: parseState(tracestate)?.serialize() }
}

const parseOne = (traceparent: string | ReadonlyArray<string> | undefined): ReturnType<typeof parseTraceparent> => {
  const single = typeof traceparent === "string" ? traceparent : traceparent?.length === 1 ? traceparent[0] : undefined
  return single === undefined ? undefined : parseTraceparent(single)
}

const parseState = (tracestate: string | ReadonlyArray<string> | undefined): TraceState.TraceState | undefined =>
  tracestate === undefined || tracestate.length === 0 ? undefined : TraceState.parse(tracestate)

/**
 * Reads both headers as the parent that a span of this process gets.
 *
 * @internal
 */
export const parseSpan = (
  traceparent: ReadonlyArray<string>,
  tracestate: ReadonlyArray<string>
): Tracer.ExternalSpan | undefined => {
  const parent = parseOne(traceparent)
  return parent === undefined ? undefined : new RemoteSpan(parent, parseState(tracestate))
}

/** Writes a `traceparent`, always of version `00`. */
export const formatTraceparent = (context: Omit<TraceContext, "traceState">): string =>
  `00-${context.traceId}-${context.spanId}-${(context.traceFlags & KNOWN_FLAGS).toString(16).padStart(2, "0")}`

/** A caller's span. What Effect has no field for is in fields of its own, and in annotations where somebody asks for those. */
class RemoteSpan implements Tracer.ExternalSpan {
  readonly _tag = "ExternalSpan"
  readonly traceId: string
  readonly spanId: string
  readonly sampled: boolean
  readonly traceFlags: number
  readonly traceStateObject: TraceState.TraceState | undefined
  #annotations: Context.Context<never> | undefined = undefined

  constructor(context: Omit<TraceContext, "traceState">, traceState: TraceState.TraceState | undefined) {
    this.traceId = context.traceId
    this.spanId = context.spanId
    this.sampled = (context.traceFlags & SAMPLED) !== 0
    this.traceFlags = context.traceFlags
    this.traceStateObject = traceState
  }

  get annotations(): Context.Context<never> {
    return (this.#annotations ??= annotate(Context.empty(), this.traceFlags, this.traceStateObject))
  }
}

const annotate = (
  annotations: Context.Context<never>,
  traceFlags: number,
  traceState: TraceState.TraceState | undefined
): Context.Context<never> => {
  const flags = Context.add(annotations, SpanContext.OtelTraceFlags, traceFlags)
  return (
    traceState === undefined ? flags : Context.add(flags, SpanContext.OtelTraceState, traceState)
  ) as Context.Context<never>
}

/**
 * Makes the parent that a span of this process gets. Flag byte and `tracestate` travel in the annotations
 * `OtelTraceFlags` and `OtelTraceState` of `@effect/opentelemetry`, where every tracer of the house looks for them.
 */
export const toExternalSpan = (
  context: TraceContext,
  more?: Context.Context<never> | undefined
): Tracer.ExternalSpan => {
  const traceState = context.traceState === undefined ? undefined : TraceState.parse(context.traceState)
  if (more === undefined) return new RemoteSpan(context, traceState)
  return Tracer.externalSpan({
    traceId: context.traceId,
    spanId: context.spanId,
    sampled: (context.traceFlags & SAMPLED) !== 0,
    annotations: annotate(more, context.traceFlags, traceState)
  })
}

/**
 * Reads what a span sends on. `undefined` where it has nothing that could be sent: it is disabled and has no ancestor
 * that is not, or its ids are not those of the specification.
 *
 * **Details**
 *
 * A span of this library knows its flags and its `tracestate`; so does one of `@effect/opentelemetry`. Of a span of
 * another tracer only `sampled` is known: it inherits the random flag and `tracestate` of the remote parent of its
 * trace. Ids of 64 bits are padded with zeros on the left (level 2, section 4.4.4).
 */
export const fromSpan = (span: Tracer.AnySpan | undefined): TraceContext | undefined => {
  const current = SpanContext.propagated(span)
  if (current === undefined) return undefined
  const traceId = current.traceId.length < 32 ? current.traceId.padStart(32, "0") : current.traceId
  if (!isTraceId(traceId) || !isSpanId(current.spanId)) return undefined
  const remote = knowsItsFlags(current) ? undefined : remoteParent(current)
  const inherited = remote === undefined ? 0 : SpanContext.flagsOf(remote) & RANDOM
  const traceState = SpanContext.traceStateOf(remote ?? current)?.serialize()
  return {
    traceId,
    spanId: current.spanId,
    traceFlags: SpanContext.flagsOf(current) | inherited,
    traceState: traceState === "" ? undefined : traceState
  }
}

const knowsItsFlags = (span: Tracer.AnySpan): boolean => {
  const carries = span as { readonly traceFlags?: number; readonly span?: { readonly spanContext?: unknown } }
  return span._tag === "ExternalSpan" || carries.traceFlags !== undefined || carries.span?.spanContext !== undefined
}

/** The remote span under which the part of its trace began that this process makes. */
export const remoteParent = (span: Tracer.AnySpan | undefined): Tracer.ExternalSpan | undefined => {
  let current = span
  while (current !== undefined && current._tag === "Span") {
    const parent: Tracer.AnySpan | undefined = Option.getOrUndefined(current.parent)
    // A span that was given another trace than its parent's inherits nothing from it.
    if (parent === undefined || (current.traceId !== parent.traceId && SpanContext.propagated(current) === current)) {
      return undefined
    }
    current = parent
  }
  return current
}
