/**
 * Tracing switched off: `withSpan` of this folder returns the bare effect, and Effect's own makes its cheapest span.
 *
 * Code that asks for the current span still gets one, which keeps nothing: switching tracing off must not make
 * `Effect.currentSpan` fail where it succeeded.
 *
 * **Example** (An application that is not traced)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Disabled from "effect-telemetry/tracer/Disabled"
 *
 * const program = Effect.currentSpan.pipe(Effect.map((span) => span.sampled), Effect.withSpan("work"))
 * Effect.runPromise(Effect.provide(program, Disabled.layer)).then(console.log) // false
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration
 */
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"

const disabled: Context.Context<never> = Context.make(Tracer.DisablePropagation, true)

/** A span that keeps nothing and takes no part in propagation. */
class DisabledSpan implements Tracer.Span {
  readonly _tag = "Span"
  readonly name: string
  readonly parent: Option.Option<Tracer.AnySpan>
  readonly annotations: Context.Context<never>

  constructor(name: string, parent: Option.Option<Tracer.AnySpan>, annotations: Context.Context<never>) {
    this.name = name
    this.parent = parent
    this.annotations = annotations
  }

  get kind(): Tracer.SpanKind {
    return "internal"
  }
  get spanId(): string {
    return "noop"
  }
  get traceId(): string {
    return "noop"
  }
  get sampled(): boolean {
    return false
  }
  get status(): Tracer.SpanStatus {
    return ended
  }
  get attributes(): ReadonlyMap<string, unknown> {
    return noAttributes
  }
  get links(): ReadonlyArray<Tracer.SpanLink> {
    return noLinks
  }
  attribute(): void {}
  event(): void {}
  addLinks(): void {}
  end(): void {}
}

const ended: Tracer.SpanStatus = { _tag: "Ended", startTime: 0n, endTime: 0n, exit: Exit.void }
const noAttributes: ReadonlyMap<string, unknown> = new Map()
const noLinks: ReadonlyArray<Tracer.SpanLink> = []

/** A span for a place where tracing is disabled, as Effect makes one there. */
export const span = (
  name: string,
  parent: Tracer.AnySpan | undefined,
  annotations: Context.Context<never>
): Tracer.Span =>
  new DisabledSpan(name, Option.fromUndefinedOr(parent), Context.add(annotations, Tracer.DisablePropagation, true))

/** The tracer of an application that is not traced. */
export const tracer: Tracer.Tracer = {
  span: (options) => new DisabledSpan(options.name, options.parent, disabled)
}

/** Whether the code that runs belongs to a fiber in which tracing is switched off. */
export const isCurrent = (): boolean => Fiber.getCurrent()?.cache.tracer === tracer

/** Switches tracing off. */
export const layer: Layer.Layer<never> = Layer.succeedContext(
  Context.empty().pipe(
    Context.add(Tracer.Tracer, tracer),
    Context.add(References.TracerEnabled, false),
    Context.add(Tracer.ParentSpan, new DisabledSpan("disabled", Option.none(), disabled))
  ) as Context.Context<never>
)
