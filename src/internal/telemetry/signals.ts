/**
 * A flush when the process is asked to end.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

const signals = ["SIGTERM", "SIGINT"] as const

/**
 * Flushes at the first signal of its kind. Where the application listens for the signal too (as `NodeRuntime.runMain` does), what
 * comes after is its own business; where nobody does, the process ends as it would have without us, once the flush is over.
 */
export const installSignalFlush = (flush: () => Promise<unknown>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => {
        const listeners = signals.map((signal) => {
          const listener = () => {
            process.removeListener(signal, listener)
            const alone = process.listenerCount(signal) === 0
            void flush().finally(() => {
              if (alone && process.listenerCount(signal) === 0) process.kill(process.pid, signal)
            })
          }
          process.on(signal, listener)
          return [signal, listener] as const
        })
        return listeners
      }),
      (listeners) =>
        Effect.sync(() => {
          for (const [signal, listener] of listeners) process.removeListener(signal, listener)
        })
    )
  )
