/**
 * Puts a span into a fiber's context, with as little work as the fiber allows.
 *
 * A fiber derives eleven values from its context whenever one of the keys changes that it looks up often; a span changes two of
 * them. The derived values are the same but for those two, so they are handed over with the context. That rests on how this
 * version of Effect keeps them, which is tried out once, when the module is loaded; where it is found otherwise, the fiber
 * derives them itself. So it is with the context: what was added last lies on top, and both keys are put there at once.
 *
 * @internal
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"

type AnyFiber = Fiber.Fiber<unknown, unknown>

interface Caching {
  cacheRoot?: unknown
  _fiberCache?: Fiber.Fiber.Cache | undefined
}

const stackFrameKey = References.CurrentStackFrame.key
const parentSpanKey = Tracer.ParentSpan.key

const withBoth = (
  context: Context.Context<never>,
  span: Tracer.AnySpan,
  frame: References.StackFrame
): Context.Context<never> => Context.addUnsafe(Context.addUnsafe(context, stackFrameKey, frame), parentSpanKey, span)

/** How a context keeps what was added to it. */
interface Overlaying extends Context.Context<never> {
  overlay?: Overlay | undefined
  depth: number
}

interface Overlay {
  readonly key: string
  readonly value: unknown
  parent: Overlay | undefined
}

/** The same without the context in between, which nobody sees. */
const together = (
  context: Context.Context<never>,
  span: Tracer.AnySpan,
  frame: References.StackFrame
): Context.Context<never> => {
  const made = Context.addUnsafe(context, parentSpanKey, span) as unknown as Overlaying
  const { overlay } = made
  if (overlay === undefined) return Context.addUnsafe(made, stackFrameKey, frame)
  overlay.parent = { key: stackFrameKey, value: frame, parent: overlay.parent }
  made.depth++
  return made
}

const probeSpan = Tracer.externalSpan({ spanId: "1".repeat(16), traceId: "1".repeat(32) })
const probeFrame: References.StackFrame = { name: "probe", stack: () => undefined, parent: undefined }

const isSame = (a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean =>
  a.size === b.size && [...a].every(([key, value]) => b.has(key) && b.get(key) === value)

/** Whether that is so, for contexts of every depth. */
export const isTogether: boolean = ((): boolean => {
  try {
    let context: Context.Context<never> = Context.make(Tracer.Tracer, Tracer.nativeTracer) as Context.Context<never>
    for (let depth = 0; depth < 24; depth++) {
      const before = new Map(context.mapUnsafe)
      const made = together(context, probeSpan, probeFrame)
      const expected = withBoth(context, probeSpan, probeFrame)
      const holds =
        Context.getOrUndefined(made, Tracer.ParentSpan) === probeSpan &&
        Context.get(made, References.CurrentStackFrame) === probeFrame &&
        (made as Caching).cacheRoot === made &&
        isSame(made.mapUnsafe, expected.mapUnsafe) &&
        isSame(context.mapUnsafe, before)
      if (!holds) return false
      context = depth % 3 === 0 ? made : Context.addUnsafe(context, `probe ${depth}`, depth)
    }
    return true
  } catch {
    return false
  }
})()

/** Written out, because copying an object key by key costs twice as much; that no key is missing is part of the trial. */
const preset = (
  cache: Fiber.Fiber.Cache,
  span: Tracer.AnySpan,
  stackFrame: References.StackFrame | undefined
): Fiber.Fiber.Cache => ({
  scheduler: cache.scheduler,
  tracer: cache.tracer,
  tracerContext: cache.tracerContext,
  tracerEnabled: cache.tracerEnabled,
  span,
  logLevel: cache.logLevel,
  minimumLogLevel: cache.minimumLogLevel,
  stackFrame,
  runtimeMetrics: cache.runtimeMetrics,
  maxOpsBeforeYield: cache.maxOpsBeforeYield,
  preventYield: cache.preventYield
})

/** Whether a context that brings its derived values along is taken at its word. */
export const takesPreset: boolean = Effect.runSync(
  Effect.withFiber((fiber) => {
    const before = fiber.context
    try {
      const span = probeSpan
      const frame = probeFrame
      const context = withBoth(before, span, frame)
      const ownCaching = (before as Caching).cacheRoot as Caching | undefined
      if (ownCaching?._fiberCache !== fiber.cache || (context as Caching).cacheRoot !== context) {
        return Effect.succeed(false)
      }
      const given = preset(fiber.cache, span, frame)
      ;(context as Caching)._fiberCache = given
      fiber.setContext(context)
      const taken = fiber.cache === given
      // What the fiber would have derived itself has to be the same, key by key.
      const derived = withBoth(before, span, frame)
      fiber.setContext(derived)
      const own = fiber.cache as unknown as Record<string, unknown>
      const keys = Object.keys(own)
      const same =
        keys.length === Object.keys(given).length &&
        keys.every((key) => (given as unknown as Record<string, unknown>)[key] === own[key])
      return Effect.succeed(taken && same && fiber.cache !== given)
    } catch {
      return Effect.succeed(false)
    } finally {
      fiber.setContext(before)
    }
  })
)

/** Makes a span the current one of a fiber, and returns the context that does it. */
export const enter = (fiber: AnyFiber, span: Tracer.AnySpan, frame: References.StackFrame): Context.Context<never> => {
  const context = isTogether ? together(fiber.context, span, frame) : withBoth(fiber.context, span, frame)
  if (takesPreset) (context as Caching)._fiberCache = preset(fiber.cache, span, frame)
  fiber.setContext(context)
  return context
}

/**
 * Makes a span the current one of a fiber, in a context that differs from the fiber's in nothing that a fiber derives values
 * from; returns the context that does it.
 */
export const enterSpan = (
  fiber: AnyFiber,
  context: Context.Context<never>,
  span: Tracer.AnySpan
): Context.Context<never> => {
  const inner = Context.addUnsafe(context, parentSpanKey, span)
  if (takesPreset) (inner as Caching)._fiberCache = preset(fiber.cache, span, fiber.cache.stackFrame)
  fiber.setContext(inner)
  return inner
}
