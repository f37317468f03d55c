/** What the tests of the database share: the spans of one effect. */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"

export interface SeenSpan extends Omit<TestTelemetry.TestSpan, "attributes"> {
  readonly attributes: Readonly<Record<string, unknown>>
  /** The name of its parent, where that is among the spans. */
  readonly parent: string | undefined
}

/** Runs an effect under a tracer of its own; gives how it ended and the spans that have ended, in the order of their ends. */
export const observe = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options?: TestTelemetry.Options
): Effect.Effect<{ readonly exit: Exit.Exit<A, E>; readonly spans: ReadonlyArray<SeenSpan> }, never, R> =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(effect)
    const spans = yield* TestTelemetry.spans
    const names = new Map(spans.map(({ name, spanId }) => [spanId, name]))
    return { exit, spans: spans.map((span) => ({ ...span, parent: names.get(span.parentSpanId ?? "") })) }
  }).pipe(Effect.provide(TestTelemetry.layer(options))) as never

/** The spans of an effect that succeeds. */
export const spansOf = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<ReadonlyArray<SeenSpan>, E, R> =>
  Effect.flatMap(observe(effect), ({ exit, spans }) => Effect.as(exit, spans))

/** `name < parent` of each span. */
export const tree = (spans: ReadonlyArray<SeenSpan>): ReadonlyArray<string> =>
  spans.map(({ name, parent }) => (parent === undefined ? name : `${name} < ${parent}`))
