/**
 * The body of an object that was opened: a stream that belongs to its operation until it ends.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Readable } from "node:stream"
import type { Call } from "../../operation/Operation.ts"
import { InvalidRequest, type Reason, Timeout } from "../../operation/Reason.ts"
import { StorageError } from "./StorageError.ts"

/** What was opened. */
export interface OpenBody {
  readonly readable: Readable
  /** The call of the operation, whose span ends with the body. */
  readonly call: Call
  /** Why reading failed. */
  readonly reasonOf: (error: unknown) => Reason
}

const failure = (reason: Reason): StorageError => new StorageError({ operation: "get_object", reason })

/**
 * A Node.js stream as a body: read once, released when it ends, when its reader stops, when the scope closes or when the
 * operation's deadline passes, whichever is first. How it ends is how the operation's span ends.
 */
export const stream = (open: OpenBody): Effect.Effect<Stream.Stream<Uint8Array, StorageError>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { call, readable } = open
    let expired: Timeout | undefined
    let isRead = false
    // Between opening and reading nobody listens: an error of the connection there must not be an uncaught one.
    readable.on("error", () => {})
    yield* Effect.addFinalizer(() => Effect.sync(() => readable.destroy()))

    const failWith = (reason: Reason): Effect.Effect<void> =>
      Effect.andThen(
        Effect.sync(() => readable.destroy()),
        call.fail(reason)
      )

    const endWith = (exit: Exit.Exit<unknown, StorageError>): Effect.Effect<void> => {
      if (Exit.isSuccess(exit)) return call.complete
      const error = Cause.findErrorOption(exit.cause)
      // The reader's own failure arrives here too; it is no reason of ours.
      return Option.isSome(error) && error.value instanceof StorageError
        ? failWith(error.value.reason)
        : Effect.andThen(
            Effect.sync(() => readable.destroy()),
            call.end(exit)
          )
    }

    const expire = Effect.suspend(() => {
      const duration = Duration.millis(call.deadlineMillis)
      expired = new Timeout({
        message: `s3 did not give the whole body within ${Duration.format(duration)}, the limit of the operation`,
        duration
      })
      return failWith(expired)
    })
    const timer =
      call.deadlineAt === Infinity
        ? undefined
        : yield* Effect.forkScoped(
            Effect.andThen(Effect.sleep(Math.max(0, call.deadlineAt - (yield* Clock.currentTimeMillis))), expire)
          )

    return Stream.suspend(() => {
      if (isRead) {
        return Stream.fail(
          failure(new InvalidRequest({ message: "the body was read already; ask for the object again" }))
        )
      }
      isRead = true
      if (expired !== undefined) return Stream.fail(failure(expired))
      return Stream.fromAsyncIterable<Uint8Array, StorageError>(chunksOf(readable), (error) =>
        failure(expired ?? open.reasonOf(error))
      ).pipe(
        Stream.onExit((exit) =>
          Effect.andThen(endWith(exit), timer === undefined ? Effect.void : Fiber.interrupt(timer))
        )
      )
    })
  })

/** The chunks of a Node.js stream, which is destroyed when its reader stops. */
const chunksOf = (readable: Readable): AsyncIterable<Uint8Array> => ({
  [Symbol.asyncIterator]: () => {
    const chunks = readable[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
    return {
      next: () => chunks.next(),
      // Not the iterator's own, which waits for a chunk that may never come.
      return: () => {
        readable.destroy()
        return Promise.resolve({ done: true, value: undefined })
      }
    }
  }
})
