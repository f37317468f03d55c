import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as ExpectedFailures from "../../src/operation/ExpectedFailures.ts"
import * as Operation from "../../src/operation/Operation.ts"
import { Conflict, InvalidRequest, NotFound, RateLimited, Timeout, Unavailable } from "../../src/operation/Reason.ts"
import { ResendCount } from "../../src/operation/ResendCount.ts"
import * as RetryPolicy from "../../src/operation/RetryPolicy.ts"
import * as TestTelemetry from "../../src/testing/TestTelemetry.ts"
import { failing, table } from "./support.ts"

const steady = { jitter: 0, baseDelay: "100 millis" } as const
const down = (notActed: boolean) => new Unavailable({ message: "geo is down", notActed })

/** Runs an effect whose waits pass at once. */
const inNoTime = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect)
    yield* TestClock.adjust("10 minutes")
    return yield* Fiber.await(fiber)
  })

describe("Operation", () => {
  it.effect("is a client span with the operation's attributes, from its arguments and from its result", () =>
    Effect.gen(function* () {
      const geo = yield* Operation.implement(table, failing().bare)
      assert.deepStrictEqual(yield* geo.locate({ place: "Oslo, Norway" }), [59.9, 10.7])
      yield* TestTelemetry.expectTrace({
        name: "geo.locate",
        kind: "client",
        status: "unset",
        attributes: {
          "external.service": "geo",
          "external.operation": "locate",
          "geo.operation": "locate",
          "geo.planet": "earth",
          "geo.place": "Oslo, Norw",
          "result.item_count": 2,
          "external.retry_count": undefined,
          "error.type": undefined
        }
      })
    }).pipe(Effect.scoped, Effect.provide(TestTelemetry.layer()))
  )

  it.effect("retries with backoff, says so with an event each, and is no error when it succeeds in the end", () =>
    Effect.gen(function* () {
      const client = failing(down(false), down(false))
      const geo = yield* Operation.implement(table, client.bare, { retry: steady })
      const exit = yield* inNoTime(geo.locate({ place: "Oslo" }))
      assert.strictEqual(exit._tag, "Success")
      assert.strictEqual(client.calls(), 3)
      yield* TestTelemetry.expectTrace({
        name: "geo.locate",
        status: "unset",
        attributes: { "external.retry_count": 2, "error.type": undefined, "external.error.retryable": undefined },
        events: [
          {
            name: "retry",
            attributes: {
              "retry.attempt": 1,
              "retry.delay_ms": 100,
              "error.type": "Unavailable",
              "error.message": "geo is down"
            }
          },
          { name: "retry", attributes: { "retry.attempt": 2, "retry.delay_ms": 200 } }
        ]
      })
    }).pipe(Effect.scoped, Effect.provide(TestTelemetry.layer()))
  )

  it.effect("gives up after three attempts with the service's error, its reason as error.type", () =>
    Effect.gen(function* () {
      const client = failing(down(false), down(false), down(false), down(false))
      const geo = yield* Operation.implement(table, client.bare, { retry: steady })
      const error = yield* inNoTime(Effect.flip(geo.locate({ place: "Oslo" })))
      assert.strictEqual(client.calls(), 3)
      assert(error._tag === "Success")
      assert.strictEqual(error.value._tag, "GeoError")
      assert.strictEqual(error.value.reason._tag, "Unavailable")
      assert.strictEqual(error.value.message, "geo locate: Unavailable: geo is down")
      yield* TestTelemetry.expectTrace({
        name: "geo.locate",
        status: "error",
        statusMessage: "geo locate: Unavailable: geo is down",
        attributes: { "error.type": "Unavailable", "external.error.retryable": true, "external.retry_count": 2 },
        events: ["retry", "retry", { name: "exception", attributes: { "exception.type": "GeoError" } }]
      })
    }).pipe(Effect.scoped, Effect.provide(TestTelemetry.layer()))
  )

  it.effect("does not retry what another try cannot mend", () =>
    Effect.gen(function* () {
      const client = failing(new InvalidRequest({ message: "no" }))
      const geo = yield* Operation.implement(table, client.bare)
      const error = yield* Effect.flip(geo.locate({ place: "Oslo" }))
      assert.strictEqual(error.reason._tag, "InvalidRequest")
      assert.strictEqual(client.calls(), 1)
    }).pipe(Effect.scoped, Effect.provide(TestTelemetry.layer()))
  )

  it.effect("repeats a write only where the server cannot have acted", () =>
    Effect.gen(function* () {
      const unknown = failing(down(false))
      const first = yield* Operation.implement(table, unknown.bare, { retry: steady })
      assert.strictEqual((yield* inNoTime(first.name({ place: "Oslo" })))._tag, "Failure")
      assert.strictEqual(unknown.calls(), 1)
      const refused = failing(down(true))
      const second = yield* Operation.implement(table, refused.bare, { retry: steady })
      assert.strictEqual((yield* inNoTime(second.name({ place: "Oslo" })))._tag, "Success")
      assert.strictEqual(refused.calls(), 2)
    }).pipe(Effect.scoped, Effect.provide(TestTelemetry.layer()))
  )

  it.effect("waits as long as the service asks, and not at all where that is too long", () =>
    Effect.gen(function* () {
      const client = failing(new RateLimited({ message: "slow down", retryAfter: Duration.seconds(7) }))
      const geo = yield* Operation.implement(table, client.bare, { retry: steady })
      const fiber = yield* Effect.forkChild(geo.locate({ place: "Oslo" }))
      yield* TestClock.adjust("6900 millis")
      assert.strictEqual(client.calls(), 1)
      yield* TestClock.adjust("100 millis")
      yield* Fiber.join(fiber)
      yield* TestTelemetry.expectTrace({
        name: "geo.locate",
        events: [{ name: "retry", attributes: { "retry.delay_ms": 7000, "error.type": "RateLimited" } }]
      })
      const patient = failing(new RateLimited({ message: "slow down", retryAfter: Duration.seconds(31) }))
      const other = yield* Operation.implement(table, patient.bare, { retry: steady })
      assert.strictEqual((yield* Effect.flip(other.locate({ place: "Oslo" }))).reason._tag, "RateLimited")
      assert.strictEqual(patient.calls(), 1)
    }).pipe(Effect.scoped, Effect.provide(TestTelemetry.layer()))
  )

  it.effect("a quota is not waited for", () =>
    Effect.gen(function* () {
      const client = failing(new RateLimited({ message: "quota used up", quota: true }))
      const geo = yield* Operation.implement(table, client.bare)
      assert.strictEqual((yield* Effect.flip(geo.locate({ place: "Oslo" }))).isRetryable, false)
      assert.strictEqual(client.calls(), 1)
    }).pipe(Effect.scoped, Effect.provide(TestTelemetry.layer()))
  )

  it.effect("one call can have a policy of its own", () =>
    Effect.gen(function* () {
      const client = failing(down(true))
      const geo = yield* Operation.implement(table, client.bare, { retry: steady })
      yield* Effect.flip(geo.locate({ place: "Oslo" }).pipe(RetryPolicy.with({ attempts: 1 })))
      assert.strictEqual(client.calls(), 1)
    }).pipe(Effect.scoped, Effect.provide(TestTelemetry.layer()))
  )

  it.effect("an attempt that does not answer is a Timeout, retried only where that is safe", () =>
    Effect.gen(function* () {
      let calls = 0
      let interrupted = 0
      const hang = Effect.suspend(() => {
        calls++
        return Effect.never.pipe(
          Effect.onInterrupt(() =>
            Effect.sync(() => {
              interrupted++
            })
          )
        )
      })
      const geo = yield* Operation.implement(
        table,
        { ...failing().bare, locate: () => hang, name: () => hang },
        { timeout: "2 seconds", retry: steady }
      )
      const read = yield* inNoTime(Effect.flip(geo.locate({ place: "Oslo" })))
      assert(read._tag === "Success" && read.value.reason instanceof Timeout)
      assert.deepStrictEqual([calls, interrupted], [3, 3])
      yield* inNoTime(Effect.flip(geo.name({ place: "Oslo" })))
      assert.deepStrictEqual([calls, interrupted], [4, 4])
      yield* TestTelemetry.expectSpan("geo.name", {
        status: "error",
        attributes: { "error.type": "Timeout", "external.error.retryable": true }
      })
    }).pipe(Effect.scoped, Effect.provide(TestTelemetry.layer()))
  )

  it.effect("the deadline covers all attempts and waits", () =>
    Effect.gen(function* () {
      const client = failing(...Array.from({ length: 50 }, () => down(true)))
      const geo = yield* Operation.implement(table, client.bare, {
        retry: { attempts: 50, baseDelay: "1 second", factor: 1, jitter: 0 },
        circuit: false,
        deadline: "3500 millis"
      })
      const fiber = yield* Effect.forkChild(Effect.flip(geo.locate({ place: "Oslo" })))
      yield* TestClock.adjust("3500 millis")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error.reason._tag, "Timeout")
      assert.strictEqual(client.calls(), 4)
    }).pipe(Effect.scoped, Effect.provide(TestTelemetry.layer()))
  )

  it.effect("an open circuit refuses at once, says so on the span, and closes again", () =>
    Effect.gen(function* () {
      const client = failing(...Array.from({ length: 3 }, () => down(true)))
      const geo = yield* Operation.implement(table, client.bare, {
        retry: { attempts: 1 },
        circuit: { failures: 3, openDuration: "10 seconds" }
      })
      for (let i = 0; i < 3; i++) yield* Effect.flip(geo.locate({ place: "Oslo" }))
      yield* TestTelemetry.clear
      const error = yield* Effect.flip(geo.locate({ place: "Oslo" }))
      assert(error.reason._tag === "CircuitOpen")
      assert.deepStrictEqual(error.reason.retryAfter, Duration.seconds(10))
      assert.strictEqual(client.calls(), 3)
      yield* TestTelemetry.expectTrace({
        name: "geo.locate",
        status: "error",
        attributes: {
          "error.type": "CircuitOpen",
          "external.circuit_breaker_triggered": true,
          "external.error.retryable": false
        }
      })
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* geo.locate({ place: "Oslo" }), [59.9, 10.7])
    }).pipe(Effect.scoped, Effect.provide(TestTelemetry.layer()))
  )

  it.effect("a circuit that opens between the attempts of an operation does not hide why the last one failed", () =>
    Effect.gen(function* () {
      const client = failing(down(true), down(true), down(true))
      const geo = yield* Operation.implement(table, client.bare, {
        retry: { attempts: 5, baseDelay: "1 second", jitter: 0 },
        circuit: { failures: 2, openDuration: "10 seconds" }
      })
      const fiber = yield* Effect.forkChild(Effect.flip(geo.locate({ place: "Oslo" })))
      yield* TestClock.adjust("3 seconds")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error.reason._tag, "Unavailable")
      assert.strictEqual(client.calls(), 2)
      yield* TestTelemetry.expectTrace({
        name: "geo.locate",
        status: "error",
        attributes: {
          "error.type": "Unavailable",
          "external.retry_count": 1,
          "external.circuit_breaker_triggered": true,
          "external.error.retryable": true
        },
        // The attempt that the circuit refused was not made.
        events: [{ name: "retry", attributes: { "retry.attempt": 1 } }, "exception"]
      })
      assert.strictEqual((yield* Effect.flip(geo.locate({ place: "Oslo" }))).reason._tag, "CircuitOpen")
    }).pipe(Effect.scoped, Effect.provide(TestTelemetry.layer()))
  )

  it.effect("an answer such as NotFound does not open the circuit", () =>
    Effect.gen(function* () {
      const client = failing(...Array.from({ length: 20 }, () => new NotFound({ message: "no such place" })))
      const geo = yield* Operation.implement(table, client.bare, { circuit: { failures: 2 } })
      for (let i = 0; i < 20; i++) yield* Effect.flip(geo.locate({ place: "Oslo" }))
      assert.strictEqual(client.calls(), 20)
    }).pipe(Effect.scoped, Effect.provide(TestTelemetry.layer()))
  )

  it.effect("expected failures are recorded and are no errors; a defect always is one", () =>
    Effect.gen(function* () {
      const client = failing(new Conflict({ message: "taken" }), new NotFound({ message: "no such place" }))
      const geo = yield* Operation.implement(table, {
        ...client.bare,
        walk: () => Effect.die(new TypeError("broken")) as never
      })
      yield* Effect.flip(geo.name({ place: "Oslo" }))
      yield* Effect.flip(geo.locate({ place: "Oslo" }).pipe(ExpectedFailures.expect("NotFound")))
      yield* Effect.exit(Stream.runCollect(geo.walk({ place: "Oslo" })))
      yield* TestTelemetry.expectSpan("geo.name", {
        status: "unset",
        attributes: { "error.type": "Conflict" },
        events: ["exception"]
      })
      yield* TestTelemetry.expectSpan("geo.locate", { status: "unset", attributes: { "error.type": "NotFound" } })
      yield* TestTelemetry.expectSpan("geo.walk", { status: "error", attributes: { "error.type": "TypeError" } })
    }).pipe(Effect.scoped, Effect.provide(TestTelemetry.layer()))
  )

  it.effect("an attempt knows how often the request was sent before", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const geo = yield* Operation.implement(
        table,
        {
          ...failing().bare,
          locate: () =>
            Effect.withFiber((fiber) => {
              seen.push(fiber.getRef(ResendCount))
              return seen.length < 3 ? Effect.fail(down(true)) : Effect.succeed([])
            })
        },
        { retry: steady }
      )
      yield* inNoTime(geo.locate({ place: "Oslo" }))
      assert.deepStrictEqual(seen, [0, 1, 2])
    }).pipe(Effect.scoped, Effect.provide(TestTelemetry.layer()))
  )

  it.effect("the span of a stream lasts until its end and counts what passed", () =>
    Effect.gen(function* () {
      const client = failing(down(true))
      const geo = yield* Operation.implement(table, client.bare, { retry: steady })
      const exit = yield* inNoTime(Stream.runCollect(geo.walk({ place: "Oslo" })))
      assert(exit._tag === "Success")
      assert.deepStrictEqual([...exit.value], [1, 2, 3])
      yield* TestTelemetry.expectTrace({
        name: "geo.walk",
        kind: "client",
        status: "unset",
        attributes: { "result.item_count": 3, "external.retry_count": 1, "external.service": "geo" }
      })
    }).pipe(Effect.scoped, Effect.provide(TestTelemetry.layer()))
  )

  it.effect("what happens while a stream is read is under its span", () =>
    Effect.gen(function* () {
      const page = Effect.succeed(1).pipe(Effect.withSpan("GET"))
      const geo = yield* Operation.implement(table, {
        ...failing().bare,
        walk: () => Effect.succeed(Stream.fromEffect(page))
      })
      yield* Stream.runDrain(geo.walk({ place: "Oslo" }))
      yield* TestTelemetry.expectTrace({ name: "geo.walk", children: ["GET"] })
    }).pipe(Effect.scoped, Effect.provide(TestTelemetry.layer()))
  )

  it.effect("what was refused before it was sent says nothing about the service: an open circuit stays open", () =>
    Effect.gen(function* () {
      const refused = new InvalidRequest({ message: "refused here" })
      const client = failing(down(true), refused, down(true))
      const geo = yield* Operation.implement(table, client.bare, {
        retry: { attempts: 1 },
        circuit: { failures: 2, openDuration: "10 seconds" }
      })
      for (let i = 0; i < 3; i++) yield* Effect.flip(geo.locate({ place: "Oslo" }))
      assert.strictEqual((yield* Effect.flip(geo.locate({ place: "Oslo" }))).reason._tag, "CircuitOpen")
    }).pipe(Effect.scoped, Effect.provide(TestTelemetry.layer()))
  )

  it.effect("a stream that fails on the way fails with the service's error, and so does its span", () =>
    Effect.gen(function* () {
      const geo = yield* Operation.implement(table, {
        ...failing().bare,
        walk: () => Effect.succeed(Stream.concat(Stream.make(1, 2), Stream.fail(down(false))))
      })
      const error = yield* Effect.flip(Stream.runCollect(geo.walk({ place: "Oslo" })))
      assert.strictEqual(error.reason._tag, "Unavailable")
      yield* TestTelemetry.expectTrace({
        name: "geo.walk",
        status: "error",
        attributes: { "result.item_count": 2, "error.type": "Unavailable" }
      })
    }).pipe(Effect.scoped, Effect.provide(TestTelemetry.layer()))
  )

  it.effect("the span of a scoped operation lasts until the scope closes, or the call says that it is complete", () =>
    Effect.gen(function* () {
      const geo = yield* Operation.implement(table, failing().bare)
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* geo.open({ place: "Oslo" })
          yield* TestClock.adjust("3 seconds")
          assert.strictEqual((yield* TestTelemetry.spans).length, 0)
        })
      )
      assert.strictEqual((yield* TestTelemetry.spans).length, 1)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const map = yield* geo.open({ place: "Oslo" })
          yield* map.close
          assert.strictEqual((yield* TestTelemetry.spans).length, 2)
        })
      )
      assert.strictEqual((yield* TestTelemetry.spans).length, 2)
    }).pipe(Effect.scoped, Effect.provide(TestTelemetry.layer()))
  )

  it.effect("an interrupted operation is interrupted, not failed", () =>
    Effect.gen(function* () {
      const geo = yield* Operation.implement(table, { ...failing().bare, locate: () => Effect.never })
      const fiber = yield* Effect.forkChild(geo.locate({ place: "Oslo" }))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      yield* TestTelemetry.expectTrace({
        name: "geo.locate",
        status: "unset",
        attributes: { "effect.fiber.interrupted": true, "error.type": undefined }
      })
    }).pipe(Effect.scoped, Effect.provide(TestTelemetry.layer()))
  )

  it.effect("works the same without any tracing", () =>
    Effect.gen(function* () {
      const client = failing(down(true))
      const geo = yield* Operation.implement(table, client.bare, { retry: steady })
      const exit = yield* inNoTime(geo.locate({ place: "Oslo" }))
      assert.deepStrictEqual(exit, yield* Effect.exit(Effect.succeed([59.9, 10.7])))
    }).pipe(Effect.scoped, Effect.withTracerEnabled(false))
  )
})
