/**
 * Which failures are expected: recorded on the span, but no error of it, so that a 404 wakes nobody.
 *
 * An operation's definition names the reasons that are part of its normal life, a layer's option and
 * `ExpectedFailures.expect` add to them. Defects are never expected.
 *
 * **Example** (A conflict that is an answer)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as ExpectedFailures from "effect-telemetry/operation/ExpectedFailures"
 *
 * const reserveName = Effect.succeed("the call that may conflict").pipe(ExpectedFailures.expect("Conflict"))
 * Effect.runSync(reserveName)
 * ```
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Tag } from "./Reason.ts"

/** The reasons that the effect at hand expects, beside those of the operations themselves. */
export const ExpectedFailures: Context.Reference<ReadonlySet<Tag>> = Context.Reference<ReadonlySet<Tag>>(
  "effect-telemetry/operation/ExpectedFailures",
  { defaultValue: () => new Set<Tag>() }
)

/** Declares reasons as expected for every operation of an effect, beside those that are already. They fail as before. */
export const expect =
  (...tags: ReadonlyArray<Tag>) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.updateService(self, ExpectedFailures, (current) => new Set([...current, ...tags]))
