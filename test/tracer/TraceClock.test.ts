import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { afterEach, vi } from "vitest"
import * as TraceClock from "../../src/tracer/TraceClock.ts"

const read = (clock: TraceClock.TraceClock): bigint => {
  clock.read()
  return TraceClock.toBigInt(clock.seconds, clock.nanos)
}

describe("the live clock", () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  it("agrees with Effect's default clock", () => {
    const clock = TraceClock.current()
    for (let i = 0; i < 1000; i++) {
      const before = TraceClock.defaultClock.currentTimeNanosUnsafe()
      const mine = read(clock)
      const after = TraceClock.defaultClock.currentTimeNanosUnsafe()
      assert.isTrue(mine >= before - 20_000n && mine <= after + 20_000n, `${before} ${mine} ${after}`)
    }
  })

  it("never goes back, has whole numbers, and nanoseconds within the second", () => {
    const clock = TraceClock.current()
    let last = 0n
    for (let i = 0; i < 100_000; i++) {
      const now = read(clock)
      assert.isTrue(now >= last)
      last = now
    }
    assert.isTrue(
      Number.isInteger(clock.seconds) && Number.isInteger(clock.nanos) && clock.nanos >= 0 && clock.nanos < 1e9
    )
  })

  it("is one until the wall clock was set", () => {
    const first = TraceClock.current()
    assert.strictEqual(TraceClock.current(), first)
    const now = Date.now
    vi.spyOn(Date, "now").mockImplementation(() => now() + 3_600_000)
    const second = TraceClock.current()
    assert.notStrictEqual(second, first)
    assert.strictEqual(TraceClock.current(), second)
    assert.closeTo(Number(read(second) - read(first)) / 1e9, 3600, 1)
    vi.restoreAllMocks()
    // Back again: once more a clock of its own.
    assert.closeTo(Number(read(TraceClock.current()) - read(first)) / 1e9, 0, 1)
  })
})

describe("a time that somebody else read", () => {
  it("is taken as it is, if it is no moment ago", () => {
    const clock = TraceClock.current()
    for (const time of [0n, 1n, 1_234_567_890_123_456_789n, 4_000_000_000_000_000_001n]) {
      TraceClock.take(clock, time)
      assert.strictEqual(TraceClock.toBigInt(clock.seconds, clock.nanos), time)
    }
    const past = TraceClock.defaultClock.currentTimeNanosUnsafe() - 5_000_000_000n
    TraceClock.take(clock, past)
    assert.strictEqual(TraceClock.toBigInt(clock.seconds, clock.nanos), past)
  })

  it("before 1970 is 1970", () => {
    const clock = TraceClock.current()
    TraceClock.take(clock, -5n)
    assert.deepStrictEqual([clock.seconds, clock.nanos], [0, 0])
  })

  it("in a trace that is older than a step of the wall clock is moved by the step", () => {
    const clock = TraceClock.current()
    const now = Date.now
    vi.spyOn(Date, "now").mockImplementation(() => now() - 7_200_000)
    const effects = TraceClock.defaultClock.currentTimeNanosUnsafe()
    TraceClock.take(clock, effects)
    const taken = TraceClock.toBigInt(clock.seconds, clock.nanos)
    assert.closeTo(Number(read(clock) - taken) / 1e6, 0, 1000)
    TraceClock.take(clock, effects - 3_000_000_000n)
    assert.closeTo(Number(taken - TraceClock.toBigInt(clock.seconds, clock.nanos)) / 1e9, 3, 1)
    vi.restoreAllMocks()
    TraceClock.defaultClock.currentTimeNanosUnsafe()
  })
})

describe("another clock", () => {
  it.effect("is read as it is, the same object for the same clock", () =>
    Effect.gen(function* () {
      const effects = yield* Clock.Clock
      const clock = TraceClock.of(effects)
      assert.isFalse(clock.live)
      assert.strictEqual(TraceClock.of(effects), clock)
      yield* TestClock.setTime(1_234_567)
      assert.strictEqual(read(clock), 1_234_567_000_000n)
      assert.isTrue(TraceClock.of(TraceClock.defaultClock).live)
    })
  )
})

describe("elapsed time", () => {
  it("is exact over long spans, and never below zero", () => {
    assert.strictEqual(TraceClock.elapsedNanos(1, 999_999_999, 3, 1), 1_000_000_002)
    assert.strictEqual(TraceClock.elapsedNanos(3, 0, 1, 0), 0)
  })
})
