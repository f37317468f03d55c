/**
 * A bulk in rounds: what the engine refused for the moment is sent again, alone.
 *
 * The engine answers 200 though it refused some operations. Those that may pass later, and that it has not acted upon, go into
 * the next round, after the delay of the retry policy and at most as often as that says.
 *
 * @internal
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import type { Call } from "../../../operation/Operation.ts"
import { RateLimited, type Reason } from "../../../operation/Reason.ts"
import { ResendCount } from "../../../operation/ResendCount.ts"
import * as RetryPolicy from "../../../operation/RetryPolicy.ts"
import type * as Types from "../SearchTypes.ts"

/** Sends some operations of a bulk and gives what became of each. */
export type SendRound = (
  operations: ReadonlyArray<Types.BulkOperation>
) => Effect.Effect<ReadonlyArray<Types.BulkItem>, Reason>

const isIdempotent = ({ action, id }: Types.BulkOperation): boolean => action !== "create" && id !== undefined

const mayPassLater = (operation: Types.BulkOperation, reason: Reason): boolean =>
  reason.isRetryable && (!reason.mayHaveActed || isIdempotent(operation))

/** Runs a bulk. What it gives may be run again after it failed: it goes on where it was. */
export const inRounds = (
  input: Types.BulkInput,
  call: Call,
  options: RetryPolicy.RetryPolicyInput | undefined,
  send: SendRound
): Effect.Effect<Types.BulkResult, Reason> => {
  const items: Array<Types.BulkItem> = []
  let pending = input.operations.map((_, at) => at)
  let resent = 0

  const settle = (answers: ReadonlyArray<Types.BulkItem>): void => {
    pending = pending.filter((at, n) => {
      const item = (items[at] = answers[n]!)
      return Result.isFailure(item.result) && mayPassLater(input.operations[at]!, item.result.failure)
    })
  }

  /** Only the first round may fail: after that it is known what became of most operations. */
  const sendPending = Effect.suspend(() => {
    const operations = pending.map((at) => input.operations[at]!)
    return send(operations).pipe(
      Effect.catch((reason) =>
        items.length === 0
          ? Effect.fail(reason)
          : Effect.succeed(operations.map((_, n) => failed(items[pending[n]!]!, reason)))
      ),
      Effect.map(settle)
    )
  })

  const round = Effect.withFiber<void, Reason>((fiber) => {
    const { duration, input: refused } = fiber.getRef(Schedule.CurrentMetadata)
    if (refused !== undefined) {
      resent++
      const attempt = fiber.getRef(ResendCount) + resent
      call.span?.event("retry", fiber.getRef(Clock.Clock).currentTimeNanosUnsafe(), {
        "retry.attempt": attempt,
        "retry.delay_ms": Math.round(Duration.toMillis(duration)),
        "error.type": (refused as Reason)._tag,
        "error.message": (refused as Reason).message
      })
      call.annotate("external.retry_count", attempt)
    }
    return Effect.updateService(sendPending, ResendCount, (count) => count + resent).pipe(
      Effect.andThen(Effect.suspend(() => (pending.length === 0 ? Effect.void : Effect.fail(refusal(items, pending)))))
    )
  })

  return Effect.withFiber((fiber) => {
    if (input.operations.length === 0) return Effect.succeed({ items: [], failures: [] })
    const asked = fiber.getRef(RetryPolicy.Current)
    const base = RetryPolicy.make(options)
    const policy = asked === undefined ? base : RetryPolicy.make(asked, base)
    return Effect.retry(round, {
      schedule: RetryPolicy.schedule(policy),
      times: policy.attempts - 1,
      while: () => items.length > 0
    }).pipe(
      Effect.catch((reason) => (items.length > 0 ? Effect.void : Effect.fail(reason))),
      Effect.map(() => ({ items, failures: items.filter(({ result }) => Result.isFailure(result)) }))
    )
  })
}

const failed = ({ action, id, index }: Types.BulkItem, reason: Reason): Types.BulkItem => ({
  action,
  index,
  id: Option.isSome(id) ? id : Option.none(),
  result: Result.fail(reason)
})

/** Why there is another round. */
const refusal = (items: ReadonlyArray<Types.BulkItem>, pending: ReadonlyArray<number>): Reason => {
  const first = items[pending[0]!]!.result
  return new RateLimited({
    message: `${pending.length} of ${items.length} operations were refused for the moment: ${Result.isFailure(first) ? first.failure.message : ""}`
  })
}
