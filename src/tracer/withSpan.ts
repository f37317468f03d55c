/**
 * `withSpan` and `fn`: Effect's combinators of these names, with the same signatures and the same meaning, at the price of one
 * step of the fiber, one change of its context and one finalizer.
 *
 * **Details**
 *
 * - `attributes` may also be a function: it is called for a span that is kept, and for no other.
 * - Under a tracer that is not of this library both do what Effect's own do.
 * - Where tracing is switched off (`Disabled`), the bare effect runs; an effect that a fiber makes there is the bare effect, and
 *   stays it wherever it is run.
 * - `captureStackTrace: false` saves more than the span costs. Data-last, it is read from the third argument, as Effect does.
 *
 * **Example** (As everybody knows it)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { fn, withSpan } from "effect-telemetry/tracer/withSpan"
 *
 * const load = (id: string) =>
 *   Effect.succeed({ id }).pipe(
 *     withSpan("user.load", { kind: "client", attributes: () => ({ "user.id": id }) }, { captureStackTrace: false })
 *   )
 *
 * const greet = fn("user.greet")(function* (id: string) {
 *   const user = yield* load(id)
 *   return `hello ${user.id}`
 * })
 *
 * console.log(Effect.runSync(greet("u-1")))
 * ```
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import * as Disabled from "./Disabled.ts"
import * as FiberContext from "./FiberContext.ts"
import { TelemetrySpan } from "./Span.ts"
import { kindCode } from "./SpanKind.ts"
import { UnsampledSpan } from "./UnsampledSpan.ts"
import * as SpanContext from "./SpanContext.ts"
import * as SpanSettings from "./SpanSettings.ts"
import * as StackTrace from "./StackTrace.ts"
import { TelemetryTracer } from "./Tracer.ts"

/** Effect's options, whose attributes may be a function that makes them for spans that are kept. */
export interface SpanOptionsNoTrace extends Omit<Tracer.SpanOptionsNoTrace, "attributes"> {
  readonly attributes?: Record<string, unknown> | (() => Readonly<Record<string, unknown>>) | undefined
}

/** The same, with what the third argument says in the data-last form. */
export interface SpanOptions extends SpanOptionsNoTrace, Tracer.TraceOptions {}

type AnyEffect = Effect.Effect<any, any, any>
type AnyFiber = Fiber.Fiber<unknown, unknown>
type MakeFrame = (parent: References.StackFrame | undefined) => References.StackFrame

const noStack = (): undefined => undefined

// ---------------------------------------------------------------------------------------------------------------------
// The step
// ---------------------------------------------------------------------------------------------------------------------

/** An effect in a span. A step of its own, so that it needs no closure. */
interface WithSpan extends AnyEffect {
  readonly self: AnyEffect
  readonly spanName: string
  readonly options: SpanOptionsNoTrace | undefined
  /** The location where the span was asked for. */
  readonly stack: () => string | undefined
  /** In place of the location: the frames of `fn`. */
  readonly makeFrame: MakeFrame | undefined
}

const WithSpanImpl = function (
  this: { -readonly [K in keyof WithSpan]: WithSpan[K] },
  self: AnyEffect,
  spanName: string,
  options: SpanOptionsNoTrace | undefined,
  stack: () => string | undefined,
  makeFrame: MakeFrame | undefined
) {
  this.self = self
  this.spanName = spanName
  this.options = options
  this.stack = stack
  this.makeFrame = makeFrame
} as unknown as new (
  self: AnyEffect,
  spanName: string,
  options: SpanOptionsNoTrace | undefined,
  stack: () => string | undefined,
  makeFrame: MakeFrame | undefined
) => WithSpan

WithSpanImpl.prototype = Effectable.Prototype<WithSpan>({
  label: "effect-telemetry/withSpan",
  evaluate(fiber) {
    const { tracer } = fiber.cache
    if (tracer === Disabled.tracer) return this.self
    return tracer instanceof TelemetryTracer ? inSpan(this, fiber, tracer) : foreign(this)
  }
})

const inSpan = (step: WithSpan, fiber: AnyFiber, tracer: TelemetryTracer): AnyEffect => {
  const { cache } = fiber
  const { options } = step
  const annotations = options?.annotations ?? SpanContext.emptyAnnotations
  if (
    !cache.tracerEnabled ||
    (annotations !== SpanContext.emptyAnnotations && Context.get(annotations, Tracer.DisablePropagation))
  ) {
    return inDisabledSpan(step, fiber, annotations)
  }
  const root = options?.root === true
  const explicit = options?.parent
  const current = cache.span
  const given = explicit ?? (root ? undefined : SpanContext.propagated(current))
  if (current instanceof UnsampledSpan && given === current && explicit === undefined && options?.sampled !== true) {
    // Most spans of a service that samples one trace in a hundred: nothing but the ids is needed.
    const span = tracer.startUnderUnsampled(step.spanName, current, annotations, kindCode(options?.kind))
    if (span !== undefined) return run(step, fiber, span)
  }
  const settings = settingsIn(fiber, current)
  const span = tracer.start(
    step.spanName,
    tracer.parentOf(given, root, explicit !== undefined),
    annotations,
    linksOf(options?.links, settings.links),
    kindCode(options?.kind),
    overruled(options, given, settings),
    settings.clock,
    settings.holder,
    settings.annotations,
    options?.attributes
  )
  if (span instanceof UnsampledSpan) return run(step, fiber, span)
  const previous = fiber.context
  const provided = FiberContext.enter(fiber, span, frameOf(step, cache.stackFrame))
  span.settings = settings
  span.provided = provided
  span.begin(settings.timing)
  const last = Effect.onExitPrimitive(step.self, (exit: Exit.Exit<unknown, unknown>) => {
    span.finish(exit)
    fiber.setContext(previous)
    return undefined
  })
  span.lastStep = last
  return last
}

/** What a fiber's context says, found once for all spans that start in the same one, as those of a handler do. */
const settingsIn = (fiber: AnyFiber, current: Tracer.AnySpan | undefined): SpanSettings.SpanSettings => {
  if (!(current instanceof TelemetrySpan)) return SpanSettings.resolve(fiber)
  if (current.provided === fiber.context) return current.settings!
  const settings = SpanSettings.resolve(fiber)
  // A span that has ended may wait for long, and keeps no context alive.
  if (!current.ended) {
    current.settings = settings
    current.provided = fiber.context
  }
  return settings
}

/** Runs the effect under a span that does not record. */
const run = (step: WithSpan, fiber: AnyFiber, span: UnsampledSpan): AnyEffect => {
  const previous = fiber.context
  FiberContext.enter(fiber, span as Tracer.AnySpan, frameOf(step, fiber.cache.stackFrame))
  const last = Effect.onExitPrimitive(step.self, () => {
    span.lastStep = undefined
    span.leave()
    fiber.setContext(previous)
    return undefined
  })
  span.lastStep = last
  return last
}

const frameOf = (step: WithSpan, parent: References.StackFrame | undefined): References.StackFrame =>
  step.makeFrame === undefined ? { name: step.spanName, stack: step.stack, parent } : step.makeFrame(parent)

const linksOf = (
  own: ReadonlyArray<Tracer.SpanLink> | undefined,
  common: ReadonlyArray<Tracer.SpanLink>
): ReadonlyArray<Tracer.SpanLink> =>
  own === undefined ? common : common.length === 0 ? own.slice() : [...common, ...own]

/** As Effect decides it: an explicit choice, else the parent's, else the level's. `undefined` leaves it to the sampler. */
const overruled = (
  options: SpanOptionsNoTrace | undefined,
  parent: Tracer.AnySpan | undefined,
  settings: SpanSettings.SpanSettings
): boolean | undefined => {
  const dropped = parent !== undefined && !parent.sampled
  if (options?.sampled === true) return dropped ? true : undefined
  if (options?.sampled === false) return false
  if (dropped) return undefined
  const allowed =
    options?.level === undefined
      ? settings.levelAllowed
      : SpanSettings.isLevelAllowed(settings.minimumLevel, options.level)
  return allowed ? undefined : false
}

/** What Effect does where tracing is disabled: a span that keeps nothing, which `Effect.currentSpan` gives. */
const inDisabledSpan = (step: WithSpan, fiber: AnyFiber, annotations: Context.Context<never>): AnyEffect => {
  const { options } = step
  const given = options?.parent ?? (options?.root === true ? undefined : SpanContext.propagated(fiber.cache.span))
  const span = Disabled.span(step.spanName, given, annotations)
  return Effect.provideService(
    Effect.updateService(step.self, References.CurrentStackFrame, (parent) => frameOf(step, parent)),
    Tracer.ParentSpan,
    span
  )
}

/** What Effect's own combinators do, for a tracer that is not ours. */
const foreign = (step: WithSpan): AnyEffect => {
  const { makeFrame, options, self, spanName, stack } = step
  const plain: Tracer.SpanOptionsNoTrace =
    typeof options?.attributes === "function" ? built(options) : ((options ?? {}) as Tracer.SpanOptionsNoTrace)
  return makeFrame === undefined
    ? Effect.useSpan(spanName, plain, (span) => Effect.withParentSpan(self, span, { captureStackTrace: stack }))
    : Effect.updateService(
        Effect.useSpan(spanName, plain, (span) => Effect.provideService(self, Tracer.ParentSpan, span)),
        References.CurrentStackFrame,
        makeFrame
      )
}

const built = (options: SpanOptionsNoTrace): Tracer.SpanOptionsNoTrace => {
  try {
    return { ...options, attributes: { ...(options.attributes as () => Record<string, unknown>)() } }
  } catch {
    return { ...options, attributes: undefined }
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// withSpan
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Runs an effect in a span of its own, which becomes the parent of the spans that start in it and ends with what the effect
 * comes to. A drop-in for `Effect.withSpan`.
 */
export const withSpan: {
  <Args extends ReadonlyArray<any>>(
    name: string,
    options?: SpanOptionsNoTrace | ((...args: NoInfer<Args>) => SpanOptionsNoTrace) | undefined,
    traceOptions?: Tracer.TraceOptions | undefined
  ): <A, E, R>(self: Effect.Effect<A, E, R>, ...args: Args) => Effect.Effect<A, E, Exclude<R, Tracer.ParentSpan>>
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    name: string,
    options?: SpanOptions | undefined
  ): Effect.Effect<A, E, Exclude<R, Tracer.ParentSpan>>
} = function (first: unknown, second: unknown, third: any) {
  if (!Disabled.isCurrent()) return stepOf(first, second, third)
  return typeof first === "string" ? identity : first
} as any

/** Apart, since a function that makes others is dearer to call, and where tracing is off only the one above is. */
const stepOf = (first: unknown, second: unknown, third: any): unknown => {
  const stack = stackOf(third as Tracer.TraceOptions | undefined)
  if (typeof first !== "string") return new WithSpanImpl(first as AnyEffect, second as string, third, stack, undefined)
  if (typeof second === "function") {
    return (self: AnyEffect, ...args: Array<unknown>) =>
      new WithSpanImpl(self, first, second(...args), stack, undefined)
  }
  const options = second as SpanOptionsNoTrace | undefined
  return (self: AnyEffect) => new WithSpanImpl(self, first, options, stack, undefined)
}

/** Where `withSpan` was called. Called by `stepOf` alone: it takes the fourth line of the stack. */
const stackOf = (options: Tracer.TraceOptions | undefined): (() => string | undefined) => {
  const capture = options?.captureStackTrace
  if (capture === false) return noStack
  if (typeof capture === "function") return capture
  const limit = StackTrace.limit()
  if (limit === 0 && capture !== true) return noStack
  StackTrace.setLimit(4)
  const error = new Error()
  StackTrace.setLimit(limit)
  return StackTrace.line(error, 4)
}

// ---------------------------------------------------------------------------------------------------------------------
// fn
// ---------------------------------------------------------------------------------------------------------------------

/** Makes a function that returns an effect, traced under its name. A drop-in for `Effect.fn`. */
export const fn: typeof Effect.fn = function (first: unknown, second: unknown, ...rest: Array<any>) {
  const limit = StackTrace.limit()
  let definition: () => string | undefined = noStack
  if (limit !== 0) {
    StackTrace.setLimit(2)
    const error = new Error()
    StackTrace.setLimit(limit)
    definition = StackTrace.line(error, 2)
  }
  if (typeof first === "string") {
    return (body: unknown, ...pipeables: Array<any>) =>
      makeFn(first, body, definition, pipeables, { options: second as SpanOptionsNoTrace | undefined })
  }
  return makeFn("Effect.fn", first, definition, second === undefined ? rest : [second, ...rest], undefined)
} as any

const makeFn = (
  name: string,
  bodyOrOptions: unknown,
  definition: () => string | undefined,
  pipeables: Array<(...args: ReadonlyArray<any>) => any>,
  span: { readonly options: SpanOptionsNoTrace | undefined } | undefined
) => {
  const body = (
    typeof bodyOrOptions === "function"
      ? bodyOrOptions
      : pipeables.shift()!.bind((bodyOrOptions as { readonly self: unknown }).self)
  ) as (...args: ReadonlyArray<unknown>) => any
  // Made outside of the function that is called, so that a frame does not keep the call's arguments alive.
  const frameMaker =
    (stack: () => string | undefined): MakeFrame =>
    (previous) => ({ name, stack, parent: { name: `${name} (definition)`, stack: definition, parent: previous } })
  const traced = function (this: unknown, ...args: Array<any>): any {
    let result: any = Effect.suspend(() => {
      const made = body.apply(this, args)
      return Effect.isEffect(made) ? (made as AnyEffect) : Effect.gen(() => made)
    })
    for (const pipeable of pipeables) result = pipeable(result, ...args)
    if (!Effect.isEffect(result) || (span !== undefined && Disabled.isCurrent())) return result
    const limit = StackTrace.limit()
    let stack: () => string | undefined = noStack
    if (limit !== 0) {
      StackTrace.setLimit(2)
      const error = new Error()
      StackTrace.setLimit(limit)
      stack = StackTrace.line(error, 2)
    }
    const makeFrame = frameMaker(stack)
    return span === undefined
      ? Effect.updateService(result as AnyEffect, References.CurrentStackFrame, makeFrame)
      : new WithSpanImpl(result as AnyEffect, name, span.options, noStack, makeFrame)
  }
  return Object.defineProperty(traced, "length", { value: body.length, configurable: true })
}
