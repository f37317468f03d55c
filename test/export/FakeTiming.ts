/** Time that a test moves itself. Real input and output go on meanwhile. */
import type { Timing } from "../../src/export/Timing.ts"

export interface FakeTiming extends Timing {
  /** Moves time, and runs what is due, in order. */
  readonly advance: (millis: number) => void
  /** Timers that are set. */
  readonly timers: () => number
  /** Lets promises and immediates run. */
  readonly settle: () => Promise<void>
}

export const fakeTiming = (random = 0.5): FakeTiming => {
  let now = 1_000
  let order = 0
  const timers = new Set<{ readonly at: number; readonly order: number; readonly run: () => void }>()
  return {
    now: () => now,
    date: () => 1_700_000_000_000 + now,
    random: () => random,
    soon: (run) => void setImmediate(run),
    after: (millis, run) => {
      const timer = { at: now + Math.max(0, millis), order: order++, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    timers: () => timers.size,
    advance: (millis) => {
      const end = now + millis
      for (;;) {
        const [due] = [...timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at || a.order - b.order)
        if (due === undefined) break
        timers.delete(due)
        now = Math.max(now, due.at)
        due.run()
      }
      now = end
    },
    settle: async () => {
      for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
    }
  }
}
