import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as Telemetry from "../../src/Telemetry.ts"
import * as TestTelemetry from "../../src/testing/TestTelemetry.ts"

describe("event", () => {
  it.effect("stands on the current span, at the present time, in the order of the calls", () =>
    Effect.gen(function* () {
      yield* Effect.gen(function* () {
        yield* TestClock.adjust("5 millis")
        yield* Telemetry.event("encoded", { "file.size_bytes": 4096 })
        yield* Telemetry.event("stored")
      }).pipe(Effect.withSpan("track.upload"))
      const span = yield* TestTelemetry.expectTrace({
        name: "track.upload",
        events: [{ name: "encoded", attributes: { "file.size_bytes": 4096 } }, "stored"]
      })
      assert.strictEqual(span.events[0]!.time - span.startTime, 5_000_000n)
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )

  it.effect("makes its attributes only where the span records, and survives that they throw", () =>
    Effect.gen(function* () {
      let made = 0
      const attributes = () => ({ made: ++made })
      const work = Telemetry.event("asked", attributes).pipe(Effect.withSpan("work"))
      yield* Telemetry.event("outside", attributes)
      yield* work.pipe(Effect.withTracerEnabled(false))
      yield* work.pipe(Effect.withSpan("dropped", { sampled: false }))
      assert.strictEqual(made, 0)
      yield* work
      assert.strictEqual(made, 1)
      yield* Telemetry.event("odd", () => {
        throw new Error("no attributes")
      }).pipe(Effect.withSpan("odd"))
      yield* TestTelemetry.expectTrace({ name: "odd", status: "unset", events: ["odd"] })
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )
})
