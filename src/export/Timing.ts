/**
 * Time as the export stages see it: one monotonic clock, timers that do not keep a process alive, and "soon".
 *
 * A value, so that a test can give one whose time it moves itself. The real one runs its callbacks in the context in
 * which it was made: a timer that is set while a request is handled must not keep that request's context in memory.
 *
 * **Example** (A timer)
 *
 * ```ts
 * import * as Timing from "effect-telemetry/export/Timing"
 *
 * const timing = Timing.make()
 * const cancel = timing.after(60_000, () => {})
 * cancel()
 * if (timing.now() < 0) throw new Error("unexpected")
 * ```
 */
import { AsyncLocalStorage } from "node:async_hooks"

/** Time, as a value: what `make` gives, or what a test moves itself. */
export interface Timing {
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** Milliseconds since the Unix epoch: for dates that a server names, and for people. May step. */
  readonly date: () => number
  /**
   * Runs a callback once, after some milliseconds; returns how to cancel it. The process stays alive for it only where
   * somebody awaits what comes of it (`isAwaited`).
   */
  readonly after: (millis: number, run: () => void, isAwaited?: boolean) => () => void
  /** Runs a callback when what runs now, and the input that waits, has been worked off. */
  readonly soon: (run: () => void) => void
  /** 0 to 1: for jitter. */
  readonly random: () => number
}

/** Timers longer than this fire at once in Node.js. */
const longest = 2_147_483_647

/** The real clock and timers, bound to the asynchronous context of the caller. */
export const make = (): Timing => {
  const inContext = AsyncLocalStorage.snapshot()
  return {
    now: () => performance.now(),
    date: () => Date.now(),
    after: (millis, run, isAwaited = false) => {
      const timer = inContext(setTimeout, run, Math.min(longest, Math.max(0, millis))) as NodeJS.Timeout
      if (!isAwaited) timer.unref()
      return () => clearTimeout(timer)
    },
    soon: (run) => void inContext(setImmediate, run),
    random: () => Math.random()
  }
}
