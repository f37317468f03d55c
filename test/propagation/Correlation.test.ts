import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import * as Baggage from "../../src/propagation/Baggage.ts"
import * as Correlation from "../../src/propagation/Correlation.ts"
import * as Propagators from "../../src/propagation/Propagators.ts"
import * as TestTelemetry from "../../src/testing/TestTelemetry.ts"

const uuid = /^[0-9a-f-]{36}$/

const test = <A, E>(name: string, body: () => Effect.Effect<A, E, TestTelemetry.TestTelemetry>) =>
  it.effect(name, () => body().pipe(Effect.provide(TestTelemetry.layer())))

/** Collects log lines with their annotations. */
const collecting = <A, E, R>(self: Effect.Effect<A, E, R>) => {
  const lines: Array<readonly [message: string, annotations: Readonly<Record<string, unknown>>]> = []
  const logger = Logger.make(({ fiber, message }) => {
    lines.push([String(message), { ...fiber.getRef(References.CurrentLogAnnotations) }])
  })
  return Effect.as(Effect.provide(self, Logger.layer([logger])), lines)
}

describe("setting ids", () => {
  test("puts them on every span below, and on those that are open", () =>
    Effect.gen(function* () {
      yield* Effect.gen(function* () {
        yield* Effect.void.pipe(Effect.withSpan("before"))
        yield* Correlation.setUser({ userId: "u-1", organizationId: "o-1" })
        yield* Correlation.setRequest("r-1")
        yield* Correlation.setCorrelationId("c-1")
        yield* Effect.void.pipe(Effect.withSpan("deep"), Effect.withSpan("after"))
      }).pipe(Effect.withSpan("request"), Correlation.provide())
      const attributes = {
        "user.id": "u-1",
        "organization.id": "o-1",
        "request.id": "r-1",
        "trace.correlation_id": "c-1"
      }
      yield* TestTelemetry.expectTrace({
        name: "request",
        attributes,
        children: [
          { name: "before", attributes: { "user.id": undefined } },
          { name: "after", attributes, children: [{ name: "deep", attributes }] }
        ]
      })
    }))

  test("reaches background fibers, also those that run already, and outlives the request in them", () =>
    Effect.gen(function* () {
      const go = yield* Deferred.make<void>()
      const fiber = yield* Effect.gen(function* () {
        const background = Effect.andThen(Deferred.await(go), Effect.void.pipe(Effect.withSpan("background")))
        const fiber = yield* Effect.forkDetach(background, { startImmediately: true })
        yield* Correlation.setUser({ userId: "u-1" })
        return fiber
      }).pipe(Effect.withSpan("request"), Correlation.provide({ correlationId: "c-1" }))
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(fiber)
      yield* TestTelemetry.expectSpan("background", {
        attributes: { "user.id": "u-1", "trace.correlation_id": "c-1" }
      })
    }))

  test("of one request is not seen by another, nor outside", () =>
    Effect.gen(function* () {
      const request = (userId: string) =>
        Effect.gen(function* () {
          yield* Correlation.setUser({ userId })
          yield* Effect.yieldNow
          return yield* Effect.map(Correlation.current, (ids) => ids.userId)
        }).pipe(Correlation.provide())
      const users = Array.from({ length: 50 }, (_, i) => `u-${i}`)
      assert.deepStrictEqual(yield* Effect.forEach(users, request, { concurrency: "unbounded" }), users)
      assert.deepStrictEqual(yield* Correlation.current, {})
    }))

  test("outside of a request holds for the rest of the effect", () =>
    Effect.gen(function* () {
      const ids = yield* Effect.gen(function* () {
        yield* Correlation.setUser({ userId: "u-1" })
        yield* Effect.void.pipe(Effect.withSpan("script"))
        return yield* Correlation.current
      }).pipe(Effect.scoped)
      assert.deepStrictEqual(ids, { userId: "u-1" })
      yield* TestTelemetry.expectTrace({ name: "script", attributes: { "user.id": "u-1" } })
    }))

  test("outside of a request is on the current span too", () =>
    Effect.gen(function* () {
      yield* Effect.gen(function* () {
        yield* Correlation.setUser({ userId: "u-1", organizationId: "o-1" })
        yield* Effect.void.pipe(Effect.withSpan("step"))
      }).pipe(Effect.withSpan("script"))
      const ids = { "user.id": "u-1", "organization.id": "o-1" }
      yield* TestTelemetry.expectTrace({
        name: "script",
        attributes: ids,
        children: [{ name: "step", attributes: ids }]
      })
    }))

  test("`provide` makes a correlation id, keeps what is known, and lets nothing out", () =>
    Effect.gen(function* () {
      const [outer, inner, again] = yield* Effect.gen(function* () {
        yield* Correlation.setUser({ userId: "u-1" })
        const outer = yield* Correlation.current
        const inner = yield* Effect.andThen(Correlation.setUser({ userId: "u-2" }), Correlation.current).pipe(
          Correlation.provide({ requestId: "r-2" })
        )
        return [outer, inner, yield* Correlation.current]
      }).pipe(Correlation.provide())
      assert.match(outer!.correlationId!, uuid)
      assert.deepStrictEqual(inner, { userId: "u-2", requestId: "r-2", correlationId: outer!.correlationId! })
      assert.deepStrictEqual(again, outer)
    }))
})

describe("ids that are not accepted", () => {
  const cases: ReadonlyArray<readonly [Effect.Effect<void, Correlation.InvalidIdError>, string]> = [
    [
      Correlation.setUser({ userId: "" }),
      `user.id is "": accepted are 1 to 256 characters, none of them a control character`
    ],
    [Correlation.setUser({ userId: "a\nb" }), `user.id is "a\\nb": `],
    [Correlation.setUser({ userId: "u".repeat(257) }), `user.id is "${"u".repeat(64)}": `],
    [Correlation.setUser({ userId: "u", organizationId: "\u2028" }), `organization.id is `],
    [Correlation.setUser({ userId: 7 as never }), `user.id is "7": `],
    [Correlation.setUser({ userId: "\ud800" }), `user.id is `],
    [
      Correlation.setRequest("a b"),
      `request.id is "a b": accepted are 1 to 128 characters of A-Z a-z 0-9 . _ : / + = @ ~ | -`
    ],
    [Correlation.setRequest("é"), `request.id is "é": `],
    [Correlation.setCorrelationId("x".repeat(129)), `trace.correlation_id is "${"x".repeat(64)}": `],
    [Correlation.setCorrelationId("a\r\nset-cookie: b"), `trace.correlation_id is `],
    [Correlation.provide({ requestId: "," })(Effect.void), `request.id is ",": `]
  ]
  for (const [effect, message] of cases) {
    it.effect(message, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(effect)
        assert.strictEqual(error._tag, "InvalidIdError")
        assert.isTrue(error.message.startsWith(message), error.message)
        assert.deepStrictEqual(yield* Correlation.current, {})
      }).pipe(Effect.scoped)
    )
  }

  it.effect.prop("what is accepted is there, whatever it is", { text: Schema.String }, ({ text }) =>
    Effect.gen(function* () {
      const result = yield* Effect.result(Effect.andThen(Correlation.setUser({ userId: text }), Correlation.current))
      if (result._tag === "Success") assert.strictEqual(result.success.userId, text)
      else assert.strictEqual(result.failure.id, "user.id")
    }).pipe(Correlation.provide())
  )
})

describe("logs", () => {
  it.effect("carry the ids, with tracing off, in nested annotations and in fibers that run already", () =>
    Effect.gen(function* () {
      const lines = yield* Effect.gen(function* () {
        const go = yield* Deferred.make<void>()
        const fiber = yield* Effect.forkChild(Effect.andThen(Deferred.await(go), Effect.log("background")))
        yield* Effect.log("before")
        yield* Effect.gen(function* () {
          yield* Correlation.setUser({ userId: "u-1" })
          yield* Effect.log("nested")
        }).pipe(Effect.annotateLogs("mine", 1))
        yield* Effect.log("after")
        yield* Deferred.succeed(go, undefined)
        yield* Fiber.join(fiber)
      }).pipe(Correlation.provide({ correlationId: "c-1", requestId: "r-1" }), collecting)
      const ids = { "trace.correlation_id": "c-1", "request.id": "r-1" }
      assert.deepStrictEqual(lines, [
        ["before", ids],
        ["nested", { ...ids, mine: 1, "user.id": "u-1" }],
        ["after", { ...ids, "user.id": "u-1" }],
        ["background", { ...ids, "user.id": "u-1" }]
      ])
    })
  )

  it.effect("of the program keep their annotations", () =>
    Effect.gen(function* () {
      const lines = yield* Effect.gen(function* () {
        yield* Effect.log("inside").pipe(Correlation.provide({ correlationId: "c-1" }))
        yield* Effect.log("outside")
      }).pipe(Effect.annotateLogs("service", "s"), collecting)
      assert.deepStrictEqual(lines, [
        ["inside", { service: "s", "trace.correlation_id": "c-1" }],
        ["outside", { service: "s" }]
      ])
    })
  )
})

describe("jobs", () => {
  const ids = { userId: "u é", organizationId: "o-1", requestId: "r-1", correlationId: "c-1" }
  const attributes = {
    "user.id": "u é",
    "organization.id": "o-1",
    "request.id": "r-1",
    "trace.correlation_id": "c-1"
  }
  const produce = Correlation.capture.pipe(
    Effect.withSpan("enqueue", { kind: "producer" }),
    Effect.withSpan("request"),
    Baggage.withEntries({ tenant: "t" }),
    Correlation.provide(ids)
  )
  const work = Effect.gen(function* () {
    yield* Effect.void.pipe(Effect.withSpan("db.insert"))
    return { ids: yield* Correlation.current, tenant: Baggage.get(yield* Baggage.CurrentBaggage, "tenant") }
  })

  test("run in a trace of their own that is linked to the producer's span, with its ids and baggage", () =>
    Effect.gen(function* () {
      const carrier = JSON.parse(JSON.stringify(yield* produce))
      const producer = yield* TestTelemetry.expectSpan("enqueue")
      const seen = yield* work.pipe(
        Correlation.continueJob("transcode", carrier, { attributes: { "job.id": 7 } }),
        Effect.withSpan("worker")
      )
      assert.deepStrictEqual(seen, { ids, tenant: "t" })
      const job = yield* TestTelemetry.expectTrace({
        name: "transcode",
        kind: "consumer",
        attributes: { ...attributes, "job.id": 7 },
        links: [{ traceId: producer.traceId, spanId: producer.spanId }],
        children: [{ name: "db.insert", attributes }]
      })
      assert.isUndefined(job.parentSpanId)
      assert.notStrictEqual(job.traceId, producer.traceId)
      assert.isTrue(job.data.linkData[0]!.isRemote)
      assert.strictEqual(job.data.linkData[0]!.traceFlags, 3)
      yield* TestTelemetry.expectTrace({ name: "worker", attributes: { "user.id": undefined }, children: [] })
    }))

  test("run in the producer's trace, where that is asked for", () =>
    Effect.gen(function* () {
      const carrier = yield* produce
      yield* work.pipe(Correlation.continueJob("transcode", carrier, { as: "child" }))
      const producer = yield* TestTelemetry.expectSpan("enqueue")
      const job = yield* TestTelemetry.expectSpan("transcode", { kind: "consumer", links: [], attributes })
      assert.strictEqual(job.parentSpanId, producer.spanId)
      assert.strictEqual(job.traceId, producer.traceId)
    }))

  test("from a queue that is not trusted are linked, and nothing else", () =>
    Effect.gen(function* () {
      const carrier = yield* produce
      const seen = yield* work.pipe(Correlation.continueJob("transcode", carrier, { as: "child", trusted: false }))
      const producer = yield* TestTelemetry.expectSpan("enqueue")
      const job = yield* TestTelemetry.expectTrace({
        name: "transcode",
        links: [{ spanId: producer.spanId }],
        attributes: { "user.id": undefined, "trace.correlation_id": uuid }
      })
      assert.notStrictEqual(job.traceId, producer.traceId)
      assert.isUndefined(seen.tenant)
      assert.notStrictEqual(seen.ids.correlationId, "c-1")
    }))

  test("in a batch are linked to all that sent them", () =>
    Effect.gen(function* () {
      const carriers = [yield* produce, yield* produce, {}]
      const links = yield* Correlation.linksTo(carriers)
      yield* work.pipe(Correlation.continueJob("batch", {}, { links }))
      const producers = (yield* TestTelemetry.spans).filter((span) => span.name === "enqueue")
      yield* TestTelemetry.expectTrace({ name: "batch", links: producers.map(({ spanId }) => ({ spanId })) })
    }))

  test("whose carrier can't be read run all the same, with new ids", () =>
    Effect.gen(function* () {
      for (const carrier of [
        {},
        { traceparent: "broken", baggage: "%%%", "x-correlation-id": "a b" },
        null as never,
        new Map()
      ]) {
        yield* TestTelemetry.clear
        const seen = yield* work.pipe(Correlation.continueJob("transcode", carrier))
        assert.match(seen.ids.correlationId!, uuid)
        yield* TestTelemetry.expectTrace({ name: "transcode", kind: "consumer", links: [] })
      }
    }))

  it.effect("carry ids and the remote trace when nothing is traced, and whatever the formats are", () =>
    Effect.gen(function* () {
      const carrier = yield* produce
      assert.deepStrictEqual(Object.keys(carrier).sort(), ["baggage", "x-correlation-id", "x-request-id"])
      assert.deepStrictEqual(yield* work.pipe(Correlation.continueJob("transcode", carrier)), { ids, tenant: "t" })
      const bare = yield* produce.pipe(Effect.provideService(Propagators.CurrentPropagators, []))
      assert.deepStrictEqual(bare, { "x-correlation-id": "c-1", "x-request-id": "r-1" })
    })
  )
})
