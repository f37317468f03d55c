/**
 * What of a span goes to its children and over a border: ids, flag byte, `tracestate`, whether it is remote.
 *
 * Effect's spans have no place for the flag byte and for `tracestate`. Ours carry them themselves; an external span has them
 * in the annotations `OtelTraceFlags` and `OtelTraceState` of `@effect/opentelemetry`.
 *
 * **Example** (The flags of any parent)
 *
 * ```ts
 * import * as Tracer from "effect/Tracer"
 * import * as SpanContext from "effect-telemetry/tracer/SpanContext"
 *
 * const parent = Tracer.externalSpan({ traceId: "1".repeat(32), spanId: "2".repeat(16), sampled: false })
 * console.log(SpanContext.flagsOf(parent)) // 0
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otel/trace/api/#spancontext
 */
import type * as OtelTracer from "@effect/opentelemetry/OtelTracer"
import type * as Otel from "@opentelemetry/api"
import * as Context from "effect/Context"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"

/** The caller may have recorded the trace. */
export const SAMPLED = 0x01
/** The right-most seven bytes of the trace id are random (W3C Trace Context, level 2). */
export const RANDOM = 0x02

/** The key by which `@effect/opentelemetry` knows spans that hold a span of OpenTelemetry. */
export const OtelSpanTypeId = "~@effect/opentelemetry/OtelTracer/OtelSpan"

/**
 * The annotations of `@effect/opentelemetry` for the flag byte and `tracestate`, by their keys: its module, and what that
 * brings along, is nothing that a start should pay for.
 */
export const OtelTraceFlags: Context.Service<OtelTracer.OtelTraceFlags, Otel.TraceFlags> = Context.Service(
  "@effect/opentelemetry/Tracer/OtelTraceFlags"
)
/**
 * The annotation of an external span that holds its `tracestate`, by the name that `@effect/opentelemetry` gives it.
 */
export const OtelTraceState: Context.Service<OtelTracer.OtelTraceState, Otel.TraceState> = Context.Service(
  "@effect/opentelemetry/Tracer/OtelTraceState"
)

/** No annotations: one value, so that a span without any is told by a comparison. */
export const emptyAnnotations: Context.Context<never> = Context.empty()

/** A span of OpenTelemetry that was active where a span of Effect started, and so became its parent. */
export class AmbientSpan implements Tracer.ExternalSpan {
  readonly _tag = "ExternalSpan"
  readonly otelSpan: Otel.Span
  readonly context: Otel.SpanContext
  readonly traceId: string
  readonly spanId: string
  readonly sampled: boolean
  #annotations: Context.Context<never> | undefined = undefined

  constructor(otelSpan: Otel.Span, context: Otel.SpanContext) {
    this.otelSpan = otelSpan
    this.context = context
    this.traceId = context.traceId
    this.spanId = context.spanId
    this.sampled = (context.traceFlags & SAMPLED) !== 0
  }

  get annotations(): Context.Context<never> {
    return (this.#annotations ??= annotate(this.context))
  }
}

const annotate = (context: Otel.SpanContext): Context.Context<never> => {
  const flags = Context.make(OtelTraceFlags, context.traceFlags)
  return (
    context.traceState === undefined ? flags : Context.add(flags, OtelTraceState, context.traceState)
  ) as Context.Context<never>
}

/** Our own spans have these fields themselves. */
interface Carries {
  readonly traceFlags?: number | undefined
  readonly traceStateObject?: Otel.TraceState | undefined
  /** Spans of `@effect/opentelemetry`. */
  readonly span?: { readonly spanContext?: (() => Otel.SpanContext) | undefined } | undefined
}

/** The flag byte of any span. Annotations of the child, where given, win over its own. */
export const flagsOf = (span: Tracer.AnySpan, annotations: Context.Context<never> = emptyAnnotations): number => {
  const asked = annotations === emptyAnnotations ? undefined : Context.getOrUndefined(annotations, OtelTraceFlags)
  if (asked !== undefined) return asked
  const own = (span as Carries).traceFlags
  if (own !== undefined) return own
  return (
    Context.getOrUndefined(span.annotations, OtelTraceFlags) ??
    (span as Carries).span?.spanContext?.().traceFlags ??
    (span.sampled ? SAMPLED : 0)
  )
}

/** The `tracestate` of any span. Annotations of the child, where given, win over its own. */
export const traceStateOf = (
  span: Tracer.AnySpan | undefined,
  annotations: Context.Context<never> = emptyAnnotations
): Otel.TraceState | undefined => {
  const asked = annotations === emptyAnnotations ? undefined : Context.getOrUndefined(annotations, OtelTraceState)
  if (asked !== undefined || span === undefined) return asked
  if ((span as Carries).traceFlags !== undefined) return (span as Carries).traceStateObject
  return Context.getOrUndefined(span.annotations, OtelTraceState) ?? (span as Carries).span?.spanContext?.().traceState
}

/** Whether a span is of another process. An external span is, unless it is known to be of this one. */
export const isRemote = (span: Tracer.AnySpan): boolean =>
  span instanceof AmbientSpan ? span.context.isRemote === true : span._tag === "ExternalSpan"

/** The span's context as OpenTelemetry has it. */
export const toOtel = (span: Tracer.AnySpan): Otel.SpanContext => {
  if (span instanceof AmbientSpan) return span.context
  const traceState = traceStateOf(span)
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    traceFlags: flagsOf(span),
    isRemote: isRemote(span),
    ...(traceState === undefined ? undefined : { traceState })
  }
}

/** The nearest span that takes part in propagation: the span itself, or an ancestor of a disabled one. */
export const propagated = (span: Tracer.AnySpan | undefined): Tracer.AnySpan | undefined => {
  let current = span
  while (
    current !== undefined &&
    current.annotations !== emptyAnnotations &&
    Context.get(current.annotations, Tracer.DisablePropagation)
  ) {
    current = current._tag === "Span" ? Option.getOrUndefined(current.parent) : undefined
  }
  return current
}
