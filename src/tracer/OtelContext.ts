/**
 * Keeps the active context of `@opentelemetry/api` in step with the current span of the running fiber, so that libraries
 * which speak OpenTelemetry by themselves nest under spans of Effect, and spans of Effect under theirs.
 *
 * **Details**
 *
 * The context is entered once for a stretch of a fiber's work with one current span, not around each of its steps: while
 * entered, the steps run in a loop of our own, which hands back to the fiber's loop for whatever is the fiber's business
 * (yielding, interruption, what is no effect at all). A child span's stretch runs inside of its parent's, so that leaving it
 * costs nothing. Steps that only put themselves on the fiber's stack run outside: no code of the user runs in them.
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
 */
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks"
import * as Otel from "@opentelemetry/api"
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks"
import type * as Fiber from "effect/Fiber"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import { TelemetrySpan } from "./Span.ts"
import { UnsampledSpan } from "./UnsampledSpan.ts"
import * as SpanContext from "./SpanContext.ts"

const Yield: unknown = Symbol.for("effect/Effect/Yield")

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

const manual = { requireManualDestroy: true }

/**
 * Whether what is current (every storage's value) is replaced as a whole when a storage is entered, and never changed: then it
 * can be kept and returned to. Before Node.js 24 storages write into the resource that is running.
 */
const isKept = ((): boolean => {
  const storage = new AsyncLocalStorage<number>()
  return storage.run(1, () => {
    const resource = new AsyncResource("effect-telemetry/Span", manual)
    resource.runInAsyncScope(() => storage.enterWith(2))
    const kept = resource.runInAsyncScope(() => storage.getStore()) === 1
    resource.emitDestroy()
    return kept
  })
})()

/**
 * What is current while a span of a fiber is active, to return to each time that the fiber goes on in the span: making it
 * anew costs many times as much.
 */
class Frame extends AsyncResource {
  readonly fiber: Running
  /** What is active where the fiber's own loop runs, which it does not change between two stretches in one span. */
  readonly base: Otel.Context

  constructor(fiber: Running, base: Otel.Context) {
    super("effect-telemetry/Span", manual)
    this.fiber = fiber
    this.base = base
  }
}

/** Runs steps with a span active. `base` is what is active where the fiber's own loop runs. */
const enter = (
  span: Tracer.AnySpan,
  before: Otel.Context,
  first: Primitive,
  fiber: Running,
  depth: number,
  base: Otel.Context
): unknown => {
  if (installed === undefined) {
    return Otel.context.with(withSpan(before, span), loop, undefined, first, fiber, depth, base)
  }
  // Entered in a resource of its own, the storage need not be told to leave: the resource's end restores what was before.
  const resource = new AsyncResource("effect-telemetry/Span", manual)
  try {
    return resource.runInAsyncScope(entered, undefined, span, before, first, fiber, depth, base)
  } finally {
    resource.emitDestroy()
  }
}

const entered = (
  span: Tracer.AnySpan,
  before: Otel.Context,
  first: Primitive,
  fiber: Running,
  depth: number,
  base: Otel.Context
): unknown => {
  installed!.storage.enterWith(withSpan(before, span))
  if (isKept) keep(span, fiber, base)
  return loop(first, fiber, depth, base)
}

/** Keeps what is current now for the stretches to come of a fiber in a span. */
const keep = (span: Tracer.AnySpan, fiber: Running, base: Otel.Context): void => {
  if (span instanceof TelemetrySpan || span instanceof UnsampledSpan) {
    span.leave()
    span.frame = new Frame(fiber, base)
  }
}

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

// ---------------------------------------------------------------------------------------------------------------------
// Running effects
// ---------------------------------------------------------------------------------------------------------------------

interface Primitive {
  readonly "~effect/Effect/identifier"?: string | undefined
  "~effect/Effect/evaluate"(fiber: Fiber.Fiber<unknown, unknown>): Primitive | typeof Yield
}

type Running = Fiber.Fiber<unknown, unknown> & {
  currentOpCount: number
  readonly _deferredInterrupt?: boolean | undefined
  readonly _stack?: ReadonlyArray<unknown> | undefined
}

/** Stretches that may run inside of one another: each takes a few frames of the JavaScript stack. */
const maximumDepth = 24

/** Steps in which no code of the user runs: they put themselves on the fiber's stack, or end a span of ours. */
const isPlumbing = (primitive: Primitive, fiber: Running): boolean => {
  switch (primitive?.["~effect/Effect/identifier"]) {
    case "OnSuccess":
    case "OnFailure":
    case "OnSuccessAndFailure":
    case "OnExit":
    case "effect-telemetry/withSpan":
      return true
    case "Success":
    case "Failure": {
      // What an effect came to goes to what is on top of the stack: the end of the current span, or code of the user.
      const stack = fiber._stack
      const { span } = fiber.cache
      return (
        stack !== undefined &&
        (span instanceof TelemetrySpan || span instanceof UnsampledSpan) &&
        span.lastStep !== undefined &&
        stack[stack.length - 1] === span.lastStep
      )
    }
    default:
      return false
  }
}

/** `Tracer.context`. */
export const context = (first: Primitive, fiber: Running): unknown => {
  const span = fiber.cache.span
  if (span === undefined || isPlumbing(first, fiber)) return first["~effect/Effect/evaluate"](fiber)
  return stretch(first, fiber)
}

/** Runs steps with the fiber's current span active, for the fiber's own loop. */
const stretch = (first: Primitive, fiber: Running): unknown => {
  const span = shownOf(fiber.cache.span)
  if (span === undefined) return first["~effect/Effect/evaluate"](fiber)
  const base = active()
  if (base instanceof EffectContext ? base.span === span : isUnder(base, span)) {
    return isKept ? inOwnScope(first, fiber, base) : loop(first, fiber, 0, base)
  }
  if (span instanceof TelemetrySpan || span instanceof UnsampledSpan) {
    const frame = span.frame as Frame | undefined
    if (frame !== undefined && frame.fiber === fiber && frame.base === base) {
      return frame.runInAsyncScope(loop, undefined, first, fiber, 0, base)
    }
  }
  return enter(span, base, first, fiber, 0, base)
}

/** The same inside of the stretch of the span's parent. */
const inner = (first: Primitive, fiber: Running, depth: number, base: Otel.Context): unknown => {
  const span = shownOf(fiber.cache.span)
  if (span === undefined) return first["~effect/Effect/evaluate"](fiber)
  const before = active()
  if (before instanceof EffectContext ? before.span === span : isUnder(before, span)) {
    return loop(first, fiber, depth, base)
  }
  if (!isKept || installed === undefined) return enter(span, before, first, fiber, depth, base)
  // The stretch around this one ends when this one does, and restores what was before.
  installed.storage.enterWith(withSpan(before, span))
  keep(span, fiber, base)
  return loop(first, fiber, depth, base)
}

/** The span that is made active for a span. */
const shownOf = (span: Tracer.AnySpan | undefined): Tracer.AnySpan | undefined =>
  span instanceof TelemetrySpan ? span : span instanceof UnsampledSpan ? span.shown : SpanContext.propagated(span)

/** Runs steps where their span is active already: what they enter is left when they end. */
const inOwnScope = (first: Primitive, fiber: Running, base: Otel.Context): unknown => {
  const resource = new AsyncResource("effect-telemetry/Span", manual)
  try {
    return resource.runInAsyncScope(loop, undefined, first, fiber, 0, base)
  } finally {
    resource.emitDestroy()
  }
}

/** Whether the next step is for the fiber's own loop: it has to yield, or was interrupted. */
const mustLeave = (fiber: Running, cache: Fiber.Fiber.Cache): boolean =>
  fiber._deferredInterrupt === true || (!cache.preventYield && cache.scheduler.shouldYield(fiber))

/** Only a child's stretch runs inside of another. Where a span ends, its stretch ends too. */
const isChild = (span: Tracer.AnySpan | undefined, parent: Tracer.AnySpan | undefined): boolean =>
  (span instanceof TelemetrySpan || span instanceof UnsampledSpan) && span.parentSpan === parent

/** Whether one span and another are made active as the same. */
const isShownAlike = (a: Tracer.AnySpan | undefined, b: Tracer.AnySpan | undefined): boolean =>
  a === b || (a instanceof UnsampledSpan && b instanceof UnsampledSpan && a.shown === b.shown)

const loop = (first: Primitive, fiber: Running, depth: number, base: Otel.Context): unknown => {
  let cache = fiber.cache
  const { span, tracerContext } = cache
  let current: Primitive = first
  try {
    while (true) {
      const next = current["~effect/Effect/evaluate"](fiber)
      if (next === Yield) return next
      current = next as Primitive
      fiber.currentOpCount++
      while (fiber.cache !== cache) {
        cache = fiber.cache
        if (isShownAlike(cache.span, span) && cache.tracerContext === tracerContext) break
        if (
          depth >= maximumDepth ||
          !isChild(cache.span, span) ||
          cache.tracerContext !== tracerContext ||
          mustLeave(fiber, cache)
        ) {
          return current
        }
        const after = nested(current, fiber, cache, depth, base)
        // Where a child's stretch is left by this one's end, this one ends with it.
        if (after === Yield || isKept) return after
        current = after as Primitive
        if (fiber.cache === cache) return current
      }
      if (mustLeave(fiber, cache)) return current
    }
  } catch (error) {
    // What is no effect at all is handed to the fiber's own loop, and reported by it when it hands it back.
    if (current !== first && typeof current?.["~effect/Effect/evaluate"] !== "function") return current
    throw error
  }
}

/** Runs a child span's steps, up to where the fiber's context is another one. */
const nested = (
  first: Primitive,
  fiber: Running,
  cache: Fiber.Fiber.Cache,
  depth: number,
  base: Otel.Context
): unknown => {
  let current = first
  while (isPlumbing(current, fiber)) {
    const next = current["~effect/Effect/evaluate"](fiber)
    if (next === Yield) return next
    current = next as Primitive
    fiber.currentOpCount++
    if (fiber.cache !== cache || mustLeave(fiber, cache)) return current
  }
  return inner(current, fiber, depth + 1, base)
}
