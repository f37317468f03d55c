/** A tracer with a collector of its own, for the tests of the tracer itself. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type { TelemetrySpan } from "../../src/tracer/Span.ts"
import type { EndedSpan } from "../../src/tracer/SpanReceiver.ts"
import * as Tracer from "../../src/tracer/Tracer.ts"

export interface Collector {
  /** Sealed, in the order in which they ended. */
  readonly spans: Array<TelemetrySpan>
  readonly started: Array<EndedSpan>
  readonly receiver: Tracer.ProcessorReceiver
  /** The one span of that name. */
  readonly span: (name: string) => TelemetrySpan
}

export const collector = (more: Partial<Tracer.ProcessorReceiver> = {}): Collector => {
  const spans: Array<TelemetrySpan> = []
  const started: Array<EndedSpan> = []
  return {
    spans,
    started,
    receiver: {
      takesUnsampled: false,
      started: (span) => {
        started.push(span)
      },
      ended: (span) => {
        span.seal()
        spans.push(span as TelemetrySpan)
      },
      ...more
    },
    span: (name) => {
      const found = spans.filter((span) => span.name === name)
      if (found.length !== 1)
        throw new Error(`${found.length} spans are named ${name}: ${spans.map((s) => s.name).join(", ")}`)
      return found[0]!
    }
  }
}

type Options = Omit<Tracer.TracerOptions, "receiver">

/** An assertion that failed inside of an effect under test fails the test. */
const failedAssertion = (exit: Exit.Exit<unknown, unknown>): unknown =>
  Exit.isFailure(exit)
    ? exit.cause.reasons
        .map((reason) => (reason._tag === "Die" ? reason.defect : undefined))
        .find((defect) => defect instanceof Error && defect.name === "AssertionError")
    : undefined

/** Runs an effect under a tracer and gives what was collected, however the effect ended. */
export const collect = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: Options & { readonly receiver?: Partial<Tracer.ProcessorReceiver> } = {}
): Effect.Effect<Collector, never, R> =>
  Effect.suspend(() => {
    const { receiver, ...rest } = options
    const collected = collector(receiver)
    return effect.pipe(
      Effect.provide(Tracer.layer({ ...rest, receiver: collected.receiver })),
      Effect.exit,
      Effect.flatMap((exit) => {
        const failed = failedAssertion(exit)
        return failed === undefined ? Effect.succeed(collected) : Effect.die(failed)
      })
    )
  })

/** Ids that count, so that two runs can be compared. */
export const counting = () => {
  let traces = 0
  let spans = 0
  return {
    generateTraceId: () => (++traces).toString(16).padStart(32, "0"),
    generateSpanId: () => (++spans).toString(16).padStart(16, "0")
  }
}

export const attributesOf = (span: {
  readonly attributeKeys: ReadonlyArray<string>
  readonly attributeValues: ReadonlyArray<unknown>
}): Record<string, unknown> => Object.fromEntries(span.attributeKeys.map((key, i) => [key, span.attributeValues[i]]))

/** A context for a fiber of its own, outside of the tests'. */
export const contextOf = (layer: Layer.Layer<never>): Context.Context<never> =>
  Effect.runSync(Effect.scoped(Layer.build(layer)))
