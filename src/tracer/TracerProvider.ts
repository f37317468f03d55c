/**
 * Our tracer for libraries that speak OpenTelemetry by themselves: an `@opentelemetry/api` `TracerProvider` whose spans are ours,
 * so that they are sampled, limited, redacted and exported with all others, in the same trace.
 *
 * **Example** (A span of a library, under one of Effect)
 *
 * ```ts
 * import { trace } from "@opentelemetry/api"
 * import * as Effect from "effect/Effect"
 * import * as Telemetry from "effect-telemetry/Telemetry"
 *
 * const library = Effect.sync(() => trace.getTracer("some-library").startSpan("their work").end())
 * const TelemetryLive = Telemetry.layer({ enabled: true, exporter: "console", serviceName: "mixed" })
 * Effect.runPromise(library.pipe(Effect.withSpan("ours"), Effect.provide(TelemetryLive)))
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otel/trace/api/#tracerprovider
 */
import * as Otel from "@opentelemetry/api"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as EffectTracer from "effect/Tracer"
import * as OtelContext from "./OtelContext.ts"
import { momentOf } from "./ReadableSpan.ts"
import { TelemetrySpan } from "./Span.ts"
import type { KindCode } from "./SpanKind.ts"
import * as SpanContext from "./SpanContext.ts"
import * as TraceAttributes from "./TraceAttributes.ts"
import * as TraceClock from "./TraceClock.ts"
import { TelemetryTracer } from "./Tracer.ts"

/** The key by which `@opentelemetry/core` marks contexts in which nothing is to be traced. Loading it for one key takes long. */
const suppressKey = Otel.createContextKey("OpenTelemetry SDK Context Key SUPPRESS_TRACING")

/** Makes the provider of a tracer. */
export const make = (tracer: TelemetryTracer): Otel.TracerProvider => {
  const tracers = new Map<string, Otel.Tracer>()
  return {
    getTracer: (name, version, options) => {
      const key = JSON.stringify([name, version, options?.schemaUrl])
      let found = tracers.get(key)
      if (found === undefined) {
        found = new LibraryTracer(
          tracer.withScope({
            name: name === "" ? "unknown" : name,
            ...(version === undefined ? undefined : { version }),
            ...(options?.schemaUrl === undefined ? undefined : { schemaUrl: options.schemaUrl })
          })
        )
        tracers.set(key, found)
      }
      return found
    }
  }
}

/**
 * Registers the provider with the API, where none is registered, for as long as the scope is open. Where the application has a
 * provider of its own, that one stays, and so do the spans that it makes.
 */
export const registerTracerProvider = (
  tracer: TelemetryTracer,
  api: Otel.TraceAPI
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => {
        if (isRegistered(api)) return false
        return api.setGlobalTracerProvider(make(tracer))
      }),
      (registered) =>
        Effect.sync(() => {
          if (registered) api.disable()
        })
    )
  )

/** The same as a layer, over the current tracer if that is ours. */
export const layer: Layer.Layer<never> = Layer.effectDiscard(
  Effect.flatMap(Effect.tracer, (tracer) =>
    tracer instanceof TelemetryTracer ? registerTracerProvider(tracer, Otel.trace) : Effect.void
  )
)

/** The API gives a proxy, whose delegate is the no-op provider until one is registered. */
const isRegistered = (api: Otel.TraceAPI): boolean => {
  const provider = api.getTracerProvider()
  if (!(provider instanceof Otel.ProxyTracerProvider)) return true
  return provider.getDelegate().constructor.name !== "NoopTracerProvider"
}

class LibraryTracer implements Otel.Tracer {
  readonly #tracer: TelemetryTracer

  constructor(tracer: TelemetryTracer) {
    this.#tracer = tracer
  }

  startSpan(name: string, options: Otel.SpanOptions = {}, context: Otel.Context = OtelContext.active()): Otel.Span {
    if (context.getValue(suppressKey) === true) return Otel.trace.wrapSpanContext(Otel.INVALID_SPAN_CONTEXT)
    const active = options.root === true ? undefined : Otel.trace.getSpan(context)
    const parent = active === undefined ? undefined : OtelContext.adopt(active)
    const fiber = Fiber.getCurrent()
    const span = this.#tracer.start(
      name,
      parent,
      SpanContext.emptyAnnotations,
      linksOf(options.links),
      (options.kind ?? Otel.SpanKind.INTERNAL) as KindCode,
      undefined,
      TraceClock.defaultClock,
      fiber === undefined ? holderOf(parent) : TraceAttributes.ofFiber(fiber),
      undefined,
      definedOf(options.attributes)
    )
    if (span instanceof TelemetrySpan) {
      const moment = options.startTime === undefined ? undefined : momentOf(options.startTime)
      if (moment === undefined) span.begin(true)
      else span.beginAt(moment.seconds, moment.nanos)
    }
    return OtelContext.otelSpanOf(span)
  }

  startActiveSpan<F extends (span: Otel.Span) => unknown>(
    name: string,
    ...rest: [F] | [Otel.SpanOptions, F] | [Otel.SpanOptions, Otel.Context, F]
  ): ReturnType<F> {
    const run = rest[rest.length - 1] as F
    const options = rest.length > 1 ? (rest[0] as Otel.SpanOptions) : {}
    const parent = rest.length > 2 ? (rest[1] as Otel.Context) : OtelContext.active()
    const span = this.startSpan(name, options, parent)
    return Otel.context.with(Otel.trace.setSpan(parent, span), () => run(span)) as ReturnType<F>
  }
}

/** As in the SDK: without a name or a value it is no attribute. */
const definedOf = (attributes: Otel.Attributes | undefined): Readonly<Record<string, unknown>> | undefined => {
  if (attributes === undefined) return undefined
  for (const key in attributes) {
    if (key === "" || attributes[key] === null) {
      return Object.fromEntries(Object.entries(attributes).filter(([name, value]) => name !== "" && value !== null))
    }
  }
  return attributes
}

/** Outside of any fiber, a span carries what its parent carries. */
const holderOf = (parent: EffectTracer.AnySpan | undefined): TraceAttributes.TraceAttributes | undefined =>
  parent instanceof TelemetrySpan ? parent.holder : undefined

const linksOf = (links: ReadonlyArray<Otel.Link> | undefined): ReadonlyArray<EffectTracer.SpanLink> =>
  links === undefined
    ? []
    : links.map((link) => ({
        span: new SpanContext.AmbientSpan(Otel.trace.wrapSpanContext(link.context), link.context),
        attributes: link.attributes ?? {}
      }))
