/**
 * The clock of a local trace: wall time read once, monotonic time from then on.
 *
 * All spans of a local trace take their times from one clock, so a wall clock that is set back in the middle of a request
 * makes no span end before it started. The anchor agrees with that of Effect's own clock, so that spans which Effect stamps
 * and spans which are stamped here line up within a microsecond; a wall clock that moved by more than a second is followed
 * at the next local trace. A clock that is not Effect's default (`TestClock`) is taken as it is.
 *
 * **Example** (The time that the spans of this moment carry)
 *
 * ```ts
 * import * as TraceClock from "effect-telemetry/tracer/TraceClock"
 *
 * const clock = TraceClock.current()
 * clock.read()
 * console.log(clock.seconds, clock.nanos)
 * ```
 */
import { performance } from "node:perf_hooks"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"

/** Reads the time. One object is read many times: what it read last stands in `seconds` and `nanos`. */
export interface TraceClock {
  /** Whether it runs on this machine's monotonic clock. */
  readonly live: boolean
  /** Whole seconds since the Unix epoch. */
  seconds: number
  /** Nanoseconds within the second. */
  nanos: number
  /** Reads the time anew. */
  read(): void
}

/** Effect's default clock: what a fiber has where none was provided. */
export const defaultClock: Clock.Clock = Context.get(Context.empty(), Clock.Clock)

/** Beyond this the wall clock was set, and a new local trace follows it. */
const reanchorMillis = 1000

/** Wall time in nanoseconds where `performance.now()` was zero: of several readings, that with the least time between its two halves. */
const measureOrigin = (): bigint => {
  let origin = 0n
  let least = Infinity
  for (let i = 0; i < 8; i++) {
    const before = performance.now()
    const wall = defaultClock.currentTimeNanosUnsafe()
    const between = performance.now() - before
    if (between >= least) continue
    least = between
    origin = wall - BigInt(Math.round((before + between / 2) * 1e6))
  }
  return origin
}

class LiveClock implements TraceClock {
  readonly live = true
  seconds = 0
  nanos = 0
  /** Wall time where `performance.now()` was zero, split so that no digit is lost. */
  readonly originSeconds: number
  readonly originNanos: number

  constructor() {
    const origin = measureOrigin()
    this.originSeconds = Number(origin / 1_000_000_000n)
    this.originNanos = Number(origin % 1_000_000_000n)
  }

  read(): void {
    const total = this.originNanos + performance.now() * 1e6
    const seconds = Math.floor(total / 1e9)
    // The shifts keep both small integers, which fields hold without an object around them.
    this.seconds = (this.originSeconds + seconds) >>> 0
    this.nanos = (total - seconds * 1e9) >>> 0
  }
}

class EffectClock implements TraceClock {
  readonly live = false
  seconds = 0
  nanos = 0
  private readonly clock: Clock.Clock

  constructor(clock: Clock.Clock) {
    this.clock = clock
  }

  read(): void {
    set(this, this.clock.currentTimeNanosUnsafe())
  }
}

let live = new LiveClock()
const others = new WeakMap<Clock.Clock, EffectClock>()

/** The clock for a local trace that starts now. */
export const current = (): TraceClock => {
  const elapsed = performance.now()
  const mine = live.originSeconds * 1e3 + live.originNanos / 1e6 + elapsed
  if (Math.abs(Date.now() - mine) > reanchorMillis) live = new LiveClock()
  return live
}

/** The clock for a local trace that starts now in a fiber with this clock. */
export const of = (clock: Clock.Clock): TraceClock => {
  if (clock === defaultClock) return current()
  let other = others.get(clock)
  if (other === undefined) {
    other = new EffectClock(clock)
    others.set(clock, other)
  }
  return other
}

/** Seconds and nanoseconds as Effect has them. */
export const toBigInt = (seconds: number, nanos: number): bigint => BigInt(seconds) * 1_000_000_000n + BigInt(nanos)

/** Nanoseconds from one time to another; zero where the second is earlier. */
export const elapsedNanos = (fromSeconds: number, fromNanos: number, toSeconds: number, toNanos: number): number =>
  Math.max(0, (toSeconds - fromSeconds) * 1e9 + (toNanos - fromNanos))

/**
 * Sets `clock` to a time that somebody else read. What was the present of Effect's default clock a moment ago becomes the
 * present of this one: the two differ where the wall clock was set since the trace started. Other times are taken as they
 * are.
 */
export const take = (clock: TraceClock, time: bigint): void => {
  // Who computes with numbers gets the present, not an exception.
  if (typeof time !== "bigint") return clock.read()
  if (clock.live) {
    const now = defaultClock.currentTimeNanosUnsafe()
    const behind = Number(now - time)
    if (behind >= 0 && behind < momentNanos) {
      clock.read()
      back(clock, behind)
      return
    }
    if (behind >= 0 && behind < rememberedNanos) {
      clock.read()
      const stepped = Number(now - toBigInt(clock.seconds, clock.nanos))
      if (Math.abs(stepped) > momentNanos) {
        back(clock, behind)
        return
      }
    }
  }
  set(clock, time)
}

const momentNanos = 1e6
const rememberedNanos = 60e9

const back = (clock: TraceClock, behind: number): void => {
  const nanos = clock.nanos - behind
  const borrowed = nanos < 0 ? Math.ceil(-nanos / 1e9) : 0
  clock.seconds -= borrowed
  clock.nanos = (nanos + borrowed * 1e9) >>> 0
}

/** Sets `clock` to a time as Effect has it. Times before 1970 are 1970. */
export const set = (clock: TraceClock, time: bigint): void => {
  if (typeof time !== "bigint") return clock.read()
  const positive = time < 0n ? 0n : time
  clock.seconds = Number(positive / 1_000_000_000n)
  clock.nanos = Number(positive % 1_000_000_000n)
}
