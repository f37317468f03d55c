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
 * comes after is its own business; where nobody does, the process ends as it would have without us, once the flush is over and
 * `shutdown` has said what was lost.
 */
export const installSignalFlush = (
  flush: () => Promise<unknown>,
  shutdown: () => Promise<unknown>
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => {
        const listeners = signals.map((signal) => {
          const listener = () => {
            process.removeListener(signal, listener)
            const isAlone = () => process.listenerCount(signal) === 0
            const alone = isAlone()
            void flush().finally(() => {
              if (!alone || !isAlone()) return
              void shutdown().finally(() => setImmediate(() => process.kill(process.pid, signal)))
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
