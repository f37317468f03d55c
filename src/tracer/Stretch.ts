/**
 * Keeps the active context of `@opentelemetry/api` in step with the current span of the running fiber, so that libraries
 * which speak OpenTelemetry by themselves nest under spans of Effect, and spans of Effect under theirs.
 *
 * **Details**
 *
 * The context is entered once for a stretch of a fiber's work with one current span, not around each of its steps: while
 * entered, the steps run in a loop of our own, which hands back to the fiber's loop for whatever is the fiber's business
 * (yielding, interruption, what is no effect at all). A child span's stretch runs inside of its parent's, and both end
 * together. What is current in a stretch is kept, so that the fiber goes on in the span, when it has waited, at a tenth of the
 * price. Steps that only put themselves on the fiber's stack run outside: no code of the user runs in them.
 *
 * @internal
 */
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks"
import * as Otel from "@opentelemetry/api"
import type * as Fiber from "effect/Fiber"
import type * as Tracer from "effect/Tracer"
import * as OtelContext from "./OtelContext.ts"
import { TelemetrySpan } from "./Span.ts"
import { UnsampledSpan } from "./UnsampledSpan.ts"
import * as SpanContext from "./SpanContext.ts"

const Yield: unknown = Symbol.for("effect/Effect/Yield")

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
  if (OtelContext.ownStorage() === undefined) {
    return Otel.context.with(OtelContext.withSpan(before, span), loop, undefined, first, fiber, depth, base)
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
  OtelContext.ownStorage()!.enterWith(OtelContext.withSpan(before, span))
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
  const base = OtelContext.active()
  if (OtelContext.isActive(base, span)) {
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
  const before = OtelContext.active()
  if (OtelContext.isActive(before, span)) {
    return loop(first, fiber, depth, base)
  }
  const storage = OtelContext.ownStorage()
  if (!isKept || storage === undefined) return enter(span, before, first, fiber, depth, base)
  // The stretch around this one ends when this one does, and restores what was before.
  storage.enterWith(OtelContext.withSpan(before, span))
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
