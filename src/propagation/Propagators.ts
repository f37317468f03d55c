/**
 * The formats in which this process reads and writes traces: what `OTEL_PROPAGATORS` names.
 *
 * `CurrentPropagators` holds the configured set, by default W3C Trace Context and W3C Baggage. Reading and writing work on
 * any carrier (`propagation/Carrier`), so that a queue message, a job row or a child process continues a trace the same
 * way as an HTTP request.
 *
 * **Example** (Passing a trace to a child process)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Carrier from "effect-telemetry/propagation/Carrier"
 * import * as Propagators from "effect-telemetry/propagation/Propagators"
 *
 * const incoming = { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" }
 *
 * const program = Effect.gen(function* () {
 *   const { span } = yield* Propagators.extract(incoming)
 *   const environment = Effect.map(Propagators.inject, Carrier.toEnvironment)
 *   return yield* span === undefined ? environment : Effect.withParentSpan(environment, span)
 * })
 *
 * console.log(Object.keys(await Effect.runPromise(program))) // [ 'TRACEPARENT' ]
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otel/context/api-propagators/
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Tracer from "effect/Tracer"
import * as B3 from "./B3.ts"
import * as Baggage from "./Baggage.ts"
import * as Carrier from "./Carrier.ts"
import * as TraceContext from "./TraceContext.ts"

/** What is read from a carrier. */
export interface Extracted {
  /** The remote parent, where there is a valid one. */
  readonly span: Tracer.ExternalSpan | undefined
  /** The baggage; empty where there is none. */
  readonly baggage: Baggage.Baggage
}

/** What is written to a carrier. */
export interface Sent {
  /** The span that is the parent over there. Default: no field of a trace is written. */
  readonly span?: Tracer.AnySpan | undefined
  /** Default: none. */
  readonly baggage?: Baggage.Baggage | undefined
}

/** One format. What can't be read is not there; a function that throws reads and writes nothing. */
export interface Propagator {
  /** The name in `OTEL_PROPAGATORS`. */
  readonly name: string
  /** The names of its fields, in lower case. */
  readonly fields: ReadonlyArray<string>
  /** Reads the remote parent. Absent where the format has none. */
  readonly extractSpan?: ((carrier: Carrier.Carrier) => Tracer.ExternalSpan | undefined) | undefined
  /** Reads baggage. Absent where the format has none. */
  readonly extractBaggage?: ((carrier: Carrier.Carrier) => Baggage.Baggage) | undefined
  /** Writes its fields into a record. */
  readonly inject: (sent: Sent, fields: Record<string, string>) => void
}

/** W3C Trace Context: `traceparent` and `tracestate`. */
export const tracecontext: Propagator = {
  name: "tracecontext",
  fields: ["traceparent", "tracestate"],
  extractSpan: (carrier) => {
    const parent = Carrier.values(carrier, "traceparent")
    return parent.length === 0 ? undefined : TraceContext.parseSpan(parent, Carrier.values(carrier, "tracestate"))
  },
  inject: (sent, fields) => {
    const context = TraceContext.fromSpan(sent.span)
    if (context === undefined) return
    fields["traceparent"] = TraceContext.formatTraceparent(context)
    if (context.traceState !== undefined && context.traceState !== "") fields["tracestate"] = context.traceState
  }
}

/** W3C Baggage: `baggage`. */
export const baggage: Propagator = {
  name: "baggage",
  fields: ["baggage"],
  extractBaggage: (carrier) => {
    const header = Carrier.values(carrier, "baggage")
    return header.length === 0 ? Baggage.empty : Baggage.parse(header)
  },
  inject: (sent, fields) => {
    const header = sent.baggage === undefined ? undefined : Baggage.format(sent.baggage)
    if (header !== undefined) fields["baggage"] = header
  }
}

const b3Fields = ["b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags"]

/** Either form is read, whichever is written (B3 Requirements of OpenTelemetry): the single header wins. */
const extractB3 = (carrier: Carrier.Carrier): Tracer.ExternalSpan | undefined => {
  const single = only(Carrier.values(carrier, "b3"))
  const context = (single === undefined ? undefined : B3.parse(single)) ?? extractB3Multi(carrier)
  return context === undefined ? undefined : B3.toExternalSpan(context)
}

const extractB3Multi = (carrier: Carrier.Carrier): B3.B3Context | undefined => {
  const traceId = only(Carrier.values(carrier, "x-b3-traceid"))
  const spanId = only(Carrier.values(carrier, "x-b3-spanid"))
  if (traceId === undefined || spanId === undefined) return undefined
  return B3.parseMulti({
    traceId,
    spanId,
    sampled: only(Carrier.values(carrier, "x-b3-sampled")),
    flags: only(Carrier.values(carrier, "x-b3-flags"))
  })
}

const only = (values: ReadonlyArray<string>): string | undefined => (values.length === 1 ? values[0] : undefined)

/** B3 in one header. */
export const b3: Propagator = {
  name: "b3",
  fields: b3Fields,
  extractSpan: extractB3,
  inject: (sent, fields) => {
    const context = B3.fromSpan(sent.span)
    if (context !== undefined) fields["b3"] = B3.format(context)
  }
}

/** B3 in several headers. */
export const b3multi: Propagator = {
  name: "b3multi",
  fields: b3Fields,
  extractSpan: extractB3,
  inject: (sent, fields) => {
    const context = B3.fromSpan(sent.span)
    if (context !== undefined) Object.assign(fields, B3.formatMulti(context))
  }
}

/** A name that is no format. */
export class UnknownPropagatorError extends Data.TaggedError("UnknownPropagatorError")<{
  /** The name, cut at 64 characters. */
  readonly propagator: string
}> {
  override get message(): string {
    return `Unknown propagator ${JSON.stringify(this.propagator)}: accepted are ${Object.keys(known).join(", ")} and none`
  }
}

const known: Readonly<Record<string, Propagator>> = { tracecontext, baggage, b3, b3multi }

/**
 * Finds formats by their names, as `OTEL_PROPAGATORS` lists them. A name given twice counts once; `none` is no format at
 * all and silences the others. Fails with the first name that is no format.
 */
export const fromNames = (
  names: ReadonlyArray<string>
): Result.Result<ReadonlyArray<Propagator>, UnknownPropagatorError> => {
  const found: Array<Propagator> = []
  for (const name of names) {
    if (name === "none") continue
    if (!Object.hasOwn(known, name)) return Result.fail(new UnknownPropagatorError({ propagator: name.slice(0, 64) }))
    if (!found.includes(known[name]!)) found.push(known[name]!)
  }
  return Result.succeed(names.includes("none") ? [] : found)
}

/** The formats in use: by default `tracecontext` and `baggage`. */
export const CurrentPropagators: Context.Reference<ReadonlyArray<Propagator>> = Context.Reference<
  ReadonlyArray<Propagator>
>("effect-telemetry/propagation/Propagators/CurrentPropagators", { defaultValue: () => [tracecontext, baggage] })

/** Reads a carrier. Where several formats name a parent, the first of the list is believed. */
export const extractWith = (propagators: ReadonlyArray<Propagator>, carrier: Carrier.Carrier): Extracted => {
  let span: Tracer.ExternalSpan | undefined
  let found: Baggage.Baggage = Baggage.empty
  for (const propagator of propagators) {
    try {
      span ??= propagator.extractSpan?.(carrier)
      if (found.size === 0) found = propagator.extractBaggage?.(carrier) ?? found
    } catch {
      // A format of the application's own: it must not fail the request.
    }
  }
  return { span, baggage: found }
}

/** Writes the fields of all formats. */
export const injectWith = (propagators: ReadonlyArray<Propagator>, sent: Sent): Record<string, string> => {
  const fields: Record<string, string> = {}
  for (const propagator of propagators) {
    try {
      propagator.inject(sent, fields)
    } catch {
      // As above.
    }
  }
  return fields
}

/** The names of the fields of all formats, in lower case: what has to be taken away before new ones are put in. */
export const fieldsOf = (propagators: ReadonlyArray<Propagator>): ReadonlyArray<string> => [
  ...new Set(propagators.flatMap((propagator) => propagator.fields))
]

/** Reads a carrier in the configured formats. */
export const extract = (carrier: Carrier.Carrier): Effect.Effect<Extracted> =>
  Effect.map(CurrentPropagators, (propagators) => extractWith(propagators, carrier))

/**
 * Whether spans are made that anybody sees: there is a tracer, and it is not switched off.
 *
 * @internal
 */
export const isTracing = (fiber: Fiber.Fiber<unknown, unknown>): boolean =>
  fiber.cache.tracerEnabled && (fiber.cache.tracer ?? Tracer.nativeTracer) !== Tracer.nativeTracer

/**
 * The span that a fiber sends on: its own, or, where nobody sees those, the remote one under which it runs. A service that is
 * not traced must not come between two that are.
 *
 * @internal
 */
export const sentSpan = (fiber: Fiber.Fiber<unknown, unknown>): Tracer.AnySpan | undefined =>
  isTracing(fiber) ? fiber.cache.span : TraceContext.remoteParent(fiber.cache.span)

/** The fields that carry the current span and the current baggage, in the configured formats. */
export const inject: Effect.Effect<Record<string, string>> = Effect.withFiber((fiber) =>
  Effect.succeed(
    injectWith(fiber.getRef(CurrentPropagators), {
      span: sentSpan(fiber),
      baggage: fiber.getRef(Baggage.CurrentBaggage)
    })
  )
)

/** Writes the current span and the current baggage over what a record holds. Gives a new record. */
export const injectInto = <A>(carrier: Readonly<Record<string, A>>): Effect.Effect<Record<string, A | string>> =>
  Effect.withFiber((fiber) =>
    Effect.map(inject, (fields) => Carrier.replace(carrier, fieldsOf(fiber.getRef(CurrentPropagators)), fields))
  )
