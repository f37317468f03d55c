/**
 * The active context of `@opentelemetry/api`: contexts with a span of Effect made active, the context manager that is registered
 * where there is none, and the parents that are found in a context. When a fiber enters one is the matter of `Stretch`.
 *
 * A span of OpenTelemetry that was started in the current span's context and is active stays active, and becomes the parent
 * of spans which start there.
 *
 * **Example** (The active span of OpenTelemetry inside of an effect)
 *
 * ```ts
 * import { trace } from "@opentelemetry/api"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Tracer from "effect-telemetry/tracer/Tracer"
 *
 * const program = Effect.sync(() => trace.getActiveSpan()?.spanContext().traceId).pipe(Effect.withSpan("work"))
 * const receiver = { takesUnsampled: false, ended: () => {} }
 *
 * Effect.runPromise(Effect.provide(program, Tracer.layer({ receiver }))).then(console.log)
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otel/context/
 */
import { AsyncLocalStorage } from "node:async_hooks"
import * as Otel from "@opentelemetry/api"
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import { TelemetrySpan } from "./Span.ts"
import { UnsampledSpan } from "./UnsampledSpan.ts"
import * as SpanContext from "./SpanContext.ts"

/** As `@effect/opentelemetry` marks the spans that it made active itself. */
const effectSpanKey = Otel.createContextKey("@effect/opentelemetry/OtelTracer/EffectSpan")
const spanKey = Otel.createContextKey("OpenTelemetry Context Key SPAN")

/** Whether this version of the API keeps a context's span under that key. */
const knowsSpanKey = ((): boolean => {
  const probe = Otel.trace.wrapSpanContext(Otel.INVALID_SPAN_CONTEXT)
  return Otel.trace.setSpan(Otel.ROOT_CONTEXT, probe).getValue(spanKey) === probe
})()

type OwnSpan = TelemetrySpan | UnsampledSpan

const externals = new WeakMap<Tracer.AnySpan, Otel.Span>()

/** The span of OpenTelemetry that stands for any span of Effect. */
export const otelSpanOf = (span: Tracer.AnySpan): Otel.Span => {
  if (span instanceof TelemetrySpan || span instanceof UnsampledSpan) return span.span
  if (span instanceof SpanContext.AmbientSpan) return span.otelSpan
  let external = externals.get(span)
  if (external === undefined) {
    const theirs = (span as { readonly span?: unknown }).span
    external =
      typeof (theirs as Otel.Span | undefined)?.spanContext === "function"
        ? (theirs as Otel.Span)
        : Otel.trace.wrapSpanContext(SpanContext.toOtel(span))
    externals.set(span, external)
  }
  return external
}

/** A context with a span of Effect made active: made without copying the context below, its span of OpenTelemetry only when asked for. */
class EffectContext implements Otel.Context {
  readonly span: Tracer.AnySpan
  readonly base: Otel.Context

  constructor(span: Tracer.AnySpan, base: Otel.Context) {
    this.span = span
    this.base = base
  }

  getValue(key: symbol): unknown {
    return key === spanKey || key === effectSpanKey ? otelSpanOf(this.span) : this.base.getValue(key)
  }

  setValue(key: symbol, value: unknown): Otel.Context {
    return copy(this).setValue(key, value)
  }

  deleteValue(key: symbol): Otel.Context {
    return copy(this).deleteValue(key)
  }
}

const copy = (context: EffectContext): Otel.Context => {
  const span = otelSpanOf(context.span)
  return Otel.trace.setSpan(context.base, span).setValue(effectSpanKey, span)
}

/** The context in which a span is active and everything else is as in `base`. */
export const withSpan = (base: Otel.Context, span: Tracer.AnySpan): Otel.Context => {
  if (!knowsSpanKey) {
    const otel = otelSpanOf(span)
    return Otel.trace.setSpan(base, otel).setValue(effectSpanKey, otel)
  }
  const below = base instanceof EffectContext ? base.base : base
  if (!(span instanceof TelemetrySpan || span instanceof UnsampledSpan)) return new EffectContext(span, below)
  const cached = span.otelContext
  if (cached instanceof EffectContext && cached.base === below) return cached
  return (span.otelContext = new EffectContext(span, below))
}

/** Whether a span of OpenTelemetry is active that was started under this span, of OpenTelemetry too, of Effect. */
const isUnder = (active: Otel.Context, span: Tracer.AnySpan): boolean => {
  const marked = active.getValue(effectSpanKey)
  return marked !== undefined && marked !== active.getValue(spanKey) && marked === faceOf(span)
}

/** What a span's face is if it has one already: without a face it cannot have been made active. */
const faceOf = (span: Tracer.AnySpan): Otel.Span | undefined =>
  span instanceof TelemetrySpan ? span.face : span instanceof UnsampledSpan ? span.shown.face : externals.get(span)

/** Whether a span is active, or a span of OpenTelemetry that was started under it. */
export const isActive = (context: Otel.Context, span: Tracer.AnySpan): boolean =>
  context instanceof EffectContext ? context.span === span : isUnder(context, span)

// ---------------------------------------------------------------------------------------------------------------------
// The context manager
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The context manager that is registered where nobody registered one: the official one, over a storage that can be entered
 * without what its `run` does to leave it.
 */
class ContextManager extends AsyncLocalStorageContextManager {
  readonly storage = new AsyncLocalStorage<Otel.Context>()

  override active(): Otel.Context {
    return this.storage.getStore() ?? Otel.ROOT_CONTEXT
  }

  override with<A extends Array<unknown>, F extends (...args: A) => ReturnType<F>>(
    context: Otel.Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.storage.run(context, () => fn.apply(thisArg, args))
  }

  override attach(context: Otel.Context): { dispose: () => void } {
    const previous = this.active()
    let attached = true
    this.storage.enterWith(context)
    return {
      dispose: () => {
        if (attached) this.storage.enterWith(previous)
        attached = false
      }
    }
  }

  override disable(): this {
    this.storage.disable()
    return this
  }
}

// One for the process: a storage leaves its mark in every context that was current when it was used.
let ours: ContextManager | undefined
let installed: ContextManager | undefined
let installations = 0

const probeKey = Otel.createContextKey("effect-telemetry/tracer/OtelContext/probe")

const isManaged = (): boolean => {
  const probe = Otel.ROOT_CONTEXT.setValue(probeKey, true)
  return Otel.context.with(probe, () => Otel.context.active()) === probe
}

const isRegistered = (manager: ContextManager): boolean => {
  const probe = Otel.ROOT_CONTEXT.setValue(probeKey, true)
  return manager.with(probe, () => Otel.context.active()) === probe
}

/** Registers a context manager if none is. What was registered here is undone by the last scope that closes. */
export const install: Effect.Effect<void, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    installations++
    if (installed !== undefined || isManaged()) return
    const manager = (ours ??= new ContextManager())
    manager.enable()
    if (Otel.context.setGlobalContextManager(manager)) installed = manager
  }),
  () =>
    Effect.sync(() => {
      installations--
      if (installations > 0 || installed === undefined) return
      if (isRegistered(installed)) Otel.context.disable()
      installed = undefined
    })
)

/** The active context. */
export const active = (): Otel.Context => (installed === undefined ? Otel.context.active() : installed.active())

/** The storage to enter, where the context manager is the one that was registered here. */
export const ownStorage = (): AsyncLocalStorage<Otel.Context> | undefined => installed?.storage

// ---------------------------------------------------------------------------------------------------------------------
// Parents
// ---------------------------------------------------------------------------------------------------------------------

/** How our own face of a span says whose it is. */
export interface Face extends Otel.Span {
  readonly telemetrySpan: OwnSpan
}

/** The span of Effect that a span of OpenTelemetry is, or stands for as a parent. `undefined`: its ids are invalid. */
export const adopt = (otel: Otel.Span): Tracer.AnySpan | undefined => {
  const own = (otel as Partial<Face>).telemetrySpan
  if (own !== undefined) return own
  const context = otel.spanContext()
  return Otel.isSpanContextValid(context) ? new SpanContext.AmbientSpan(otel, context) : undefined
}

/** The parent for a span that has none: the active span of OpenTelemetry, unless a fiber made it active. */
export const ambientParent = (): Tracer.AnySpan | undefined => {
  const context = active()
  if (context instanceof EffectContext) return undefined
  const otel = Otel.trace.getSpan(context)
  return otel === undefined || otel === context.getValue(effectSpanKey) ? undefined : adopt(otel)
}

/** A nearer parent than the fiber's current span: a span of OpenTelemetry that was started under it and is active. */
export const nearerParent = (span: Tracer.AnySpan): Tracer.AnySpan | undefined => {
  const context = active()
  if (context instanceof EffectContext || context === Otel.ROOT_CONTEXT || !isUnder(context, span)) return undefined
  const otel = Otel.trace.getSpan(context)
  return otel === undefined ? undefined : adopt(otel)
}

/** The context that a sampler is told: the active one, with the parent's span as its span. */
export const samplerContext = (parent: Tracer.AnySpan | undefined, interoperation: boolean): Otel.Context => {
  const base = interoperation ? active() : Otel.ROOT_CONTEXT
  return parent === undefined ? Otel.trace.deleteSpan(base) : Otel.trace.setSpan(base, otelSpanOf(parent))
}
