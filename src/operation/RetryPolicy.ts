/**
 * When an operation is tried again: exponential backoff with jitter, a few attempts, only where it can help.
 *
 * The policy is an option of a service's layer and a `Context.Reference`, so that one call can change it
 * (`RetryPolicy.with`). What it never does: repeat a reason that another try cannot mend, repeat an operation that is not
 * idempotent where the server may have acted, wait longer than the deadline allows, or ignore how long the service asked to
 * wait.
 *
 * **Example** (One call with a policy of its own)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as RetryPolicy from "effect-telemetry/operation/RetryPolicy"
 *
 * const policy = RetryPolicy.make({ attempts: 5, baseDelay: "50 millis" })
 * console.log(policy.attempts)
 * const call = Effect.succeed("the call").pipe(RetryPolicy.with({ attempts: 1 }))
 * Effect.runSync(call)
 * ```
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import { type Reason, retryAfterOf } from "./Reason.ts"

/** When and how often to try again. */
export interface RetryPolicy {
  /** Attempts in all, the first included; 1 means no retry. Default 3. */
  readonly attempts: number
  /** The delay before the second attempt. Default 100 ms. */
  readonly baseDelay: Duration.Duration
  /** By what the delay grows each time. Default 2. */
  readonly factor: number
  /** The longest delay that backoff comes to. Default 5 s. */
  readonly maxDelay: Duration.Duration
  /** The share of a delay that is random: 0.2 means between 80 % and 120 % of it. Default 0.2. */
  readonly jitter: number
  /** A service that asks to wait longer than this is not waited for: the operation fails at once. Default 30 s. */
  readonly maxRetryAfter: Duration.Duration
}

/**
 * A policy as it is written, with the names and units of `RetryPolicy`. What is left out stays as it is in the policy that this
 * one changes; `make` starts from `defaultPolicy`.
 */
export interface RetryPolicyInput {
  readonly attempts?: number | undefined
  readonly baseDelay?: Duration.Input | undefined
  readonly factor?: number | undefined
  readonly maxDelay?: Duration.Input | undefined
  readonly jitter?: number | undefined
  readonly maxRetryAfter?: Duration.Input | undefined
}

const checked = (name: string, value: number, accepts: (value: number) => boolean, accepted: string): number => {
  if (!accepts(value)) throw new RangeError(`RetryPolicy: ${name} is ${value}; expected ${accepted}`)
  return value
}

/**
 * Completes a policy.
 *
 * Throws a `RangeError` that names the setting, its value and what is accepted.
 */
export const make = (input: RetryPolicyInput = {}, base?: RetryPolicy): RetryPolicy => ({
  attempts: checked(
    "attempts",
    input.attempts ?? base?.attempts ?? 3,
    (n) => Number.isInteger(n) && n >= 1 && n <= 100,
    "an integer from 1 to 100"
  ),
  baseDelay: Duration.fromInputUnsafe(input.baseDelay ?? base?.baseDelay ?? "100 millis"),
  factor: checked("factor", input.factor ?? base?.factor ?? 2, (n) => n >= 1 && n <= 10, "a number from 1 to 10"),
  maxDelay: Duration.fromInputUnsafe(input.maxDelay ?? base?.maxDelay ?? "5 seconds"),
  jitter: checked("jitter", input.jitter ?? base?.jitter ?? 0.2, (n) => n >= 0 && n <= 1, "a number from 0 to 1"),
  maxRetryAfter: Duration.fromInputUnsafe(input.maxRetryAfter ?? base?.maxRetryAfter ?? "30 seconds")
})

/** The policy where nothing says otherwise: 3 attempts, 100 ms doubling to 5 s at most, 20 % jitter. */
export const defaultPolicy: RetryPolicy = make()

/** No retry. */
export const none: RetryPolicy = make({ attempts: 1 })

/** What the call at hand wants changed of its service's policy; `undefined` where nothing. */
export const Current: Context.Reference<RetryPolicyInput | undefined> = Context.Reference<RetryPolicyInput | undefined>(
  "effect-telemetry/operation/RetryPolicy",
  { defaultValue: () => undefined }
)

const withPolicy: {
  (policy: RetryPolicyInput): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, policy: RetryPolicyInput): Effect.Effect<A, E, R>
} = dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, policy: RetryPolicyInput): Effect.Effect<A, E, R> =>
  Effect.provideService(self, Current, policy)
)

export {
  /** Changes the policy for the operations of one effect. Settings that are not given stay as the service has them. */
  withPolicy as with
}

/** Whether a failed attempt may be followed by another. `remainingMillis` is what the operation's deadline leaves. */
export const allows = (policy: RetryPolicy, reason: Reason, idempotent: boolean, remainingMillis: number): boolean => {
  if (policy.attempts <= 1 || !reason.isRetryable) return false
  if (!idempotent && reason.mayHaveActed) return false
  const asked = retryAfterOf(reason)
  if (asked === undefined) return remainingMillis > 0
  return Duration.isLessThanOrEqualTo(asked, policy.maxRetryAfter) && Duration.toMillis(asked) < remainingMillis
}

/** The delays between attempts as a schedule: exponential, jittered, capped, and never shorter than the service asked. */
export const schedule = (policy: RetryPolicy): Schedule.Schedule<Duration.Duration, Reason> =>
  Schedule.exponential(policy.baseDelay, policy.factor).pipe(
    Schedule.setInputType<Reason>(),
    Schedule.modifyDelay((metadata) => {
      const asked = retryAfterOf(metadata.input)
      const backoff = Math.min(Duration.toMillis(metadata.duration), Duration.toMillis(policy.maxDelay))
      return Effect.map(Random.next, (random) => {
        const jittered = backoff * (1 - policy.jitter + 2 * policy.jitter * random)
        return Duration.millis(
          Math.round(asked === undefined ? jittered : Math.max(jittered, Duration.toMillis(asked)))
        )
      })
    })
  )
