/**
 * Faults on purpose: makes operations slow or failing, so that one can see in a trace what retries, an open circuit and a
 * fallback look like.
 *
 * A list such as `stream.follow=fail:2,es=down,cache.get=slow:300ms` names operations (or all of a service, by its prefix) and
 * what befalls them:
 *
 * | fault | what happens |
 * |---|---|
 * | `down` | every call fails as `Unavailable` |
 * | `fail:N` | the first N calls fail as `Unavailable`, the others pass |
 * | `flaky:R` | a share R of the calls (0 to 1) fails as `Unavailable` |
 * | `slow:D` | every call takes the duration D longer (`300ms`, `2s`) |
 * | `hang` | no call ever answers: its deadline ends it |
 * | `limited:D` | every call fails as `RateLimited`, to be tried again after D |
 *
 * For development and tests; a production layer never reads it by itself.
 *
 * **Example** (A follow that works at the third attempt)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Faults from "effect-telemetry/operation/Faults"
 *
 * const program = Effect.gen(function* () {
 *   const faults = yield* Faults.parse("stream.follow=fail:2")
 *   console.log(faults.length)
 * })
 * Effect.runPromise(program)
 * ```
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import { RateLimited, type Reason, Unavailable } from "./Reason.ts"

/** What befalls a call: the faults of the module's table. `times` is at least 1, `rate` from 0 to 1. */
export type Fault =
  | { readonly _tag: "Down" }
  | { readonly _tag: "Fail"; readonly times: number }
  | { readonly _tag: "Flaky"; readonly rate: number }
  | { readonly _tag: "Slow"; readonly delay: Duration.Duration }
  | { readonly _tag: "Hang" }
  | { readonly _tag: "Limited"; readonly retryAfter: Duration.Duration }

/** A fault of an operation (`stream.follow`) or of a whole service (`stream`). */
export interface FaultRule {
  /** A service's prefix, or `{prefix}.{operation}`. */
  readonly target: string
  /** What befalls its calls. */
  readonly fault: Fault
}

/** A part of a list of faults that is not understood. */
export class FaultsError extends Data.TaggedError("FaultsError")<{
  /** The part, as it was given. */
  readonly value: string
}> {
  override get message(): string {
    return `FAULTS: ${JSON.stringify(this.value)} is not accepted; expected service=fault or service.operation=fault, where fault is down, fail:N, flaky:0..1, slow:300ms, hang or limited:2s`
  }
}

/** The faults of the layers that are built under it. Default: none. */
export const CurrentFaults: Context.Reference<ReadonlyArray<FaultRule>> = Context.Reference<ReadonlyArray<FaultRule>>(
  "effect-telemetry/operation/Faults",
  { defaultValue: () => [] }
)

/** Reads a list of faults, separated by commas. Fails with a `FaultsError` at the first part that is not understood. */
export const parse = (text: string): Effect.Effect<ReadonlyArray<FaultRule>, FaultsError> =>
  Effect.forEach(
    text
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== ""),
    (part) => {
      const match = /^([a-z0-9]+(?:\.[a-z0-9_]+)?)=([a-z]+)(?::(.+))?$/.exec(part)
      const fault = match === null ? undefined : faultOf(match[2]!, match[3])
      return fault === undefined
        ? Effect.fail(new FaultsError({ value: part }))
        : Effect.succeed({ target: match![1]!, fault })
    }
  )

/** Provides the faults of a list to the layers that are built under it. Fails as `parse` does. */
export const layer = (text: string): Layer.Layer<never, FaultsError> => Layer.effect(CurrentFaults, parse(text))

const faultOf = (kind: string, argument: string | undefined): Fault | undefined => {
  const number = argument === undefined ? NaN : Number(argument)
  const duration = /^(\d+(?:\.\d+)?)(ms|s)$/.exec(argument ?? "")
  const span = duration === null ? undefined : Duration.millis(Number(duration[1]) * (duration[2] === "s" ? 1000 : 1))
  switch (kind) {
    case "down":
      return argument === undefined ? { _tag: "Down" } : undefined
    case "hang":
      return argument === undefined ? { _tag: "Hang" } : undefined
    case "fail":
      return Number.isInteger(number) && number > 0 ? { _tag: "Fail", times: number } : undefined
    case "flaky":
      return number >= 0 && number <= 1 ? { _tag: "Flaky", rate: number } : undefined
    case "slow":
      return span === undefined ? undefined : { _tag: "Slow", delay: span }
    case "limited":
      return span === undefined ? undefined : { _tag: "Limited", retryAfter: span }
  }
  return undefined
}

/**
 * What befalls the calls of one operation, as an effect that runs before each; `undefined` where nothing does.
 *
 * @internal
 */
export const before = (
  rules: ReadonlyArray<FaultRule>,
  prefix: string,
  operation: string
): Effect.Effect<void, Reason> | undefined => {
  const own = rules.filter(({ target }) => target === prefix || target === `${prefix}.${operation}`)
  if (own.length === 0) return undefined
  return Effect.forEach(
    own.map(({ fault }) => strike(fault)),
    (effect) => effect,
    { discard: true }
  )
}

const unavailable = Effect.fail(new Unavailable({ message: "a fault on purpose (FAULTS)", notActed: true }))

const strike = (fault: Fault): Effect.Effect<void, Reason> => {
  switch (fault._tag) {
    case "Down":
      return unavailable
    case "Hang":
      return Effect.never
    case "Slow":
      return Effect.sleep(fault.delay)
    case "Limited":
      return Effect.fail(new RateLimited({ message: "a fault on purpose (FAULTS)", retryAfter: fault.retryAfter }))
    case "Flaky":
      return Effect.flatMap(Random.next, (random) => (random < fault.rate ? unavailable : Effect.void))
    case "Fail": {
      let left = fault.times
      return Effect.suspend(() => (left-- > 0 ? unavailable : Effect.void))
    }
  }
}
