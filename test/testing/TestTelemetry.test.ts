import { trace as otel } from "@opentelemetry/api"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as Sampler from "../../src/tracer/Sampler.ts"
import * as TestTelemetry from "../../src/testing/TestTelemetry.ts"

const span = (name: string, attributes: Record<string, unknown> = {}) =>
  Effect.withSpan(name, { attributes }, { captureStackTrace: false })

const createPost = (id: string) =>
  Effect.void.pipe(
    span("db.insert", { "db.response.returned_rows": 1 }),
    Effect.andThen(Effect.void.pipe(span("cache.delete"))),
    span("feed.create_post", { "post.id": id })
  )

/** The message with which an assertion fails the test. */
const failureOf = <A, R>(assertion: Effect.Effect<A, never, R>) =>
  Effect.map(Effect.exit(assertion), (exit) => {
    assert.isTrue(Exit.isFailure(exit))
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.instanceOf(error, TestTelemetry.TraceAssertionError)
    assert.strictEqual(error.name, "AssertionError")
    return error
  })

describe("TestTelemetry", () => {
  it.effect("gives ended spans in the order of their ends, and as trees in the order of their starts", () =>
    Effect.gen(function* () {
      yield* createPost("p1")
      const spans = yield* TestTelemetry.spans
      assert.deepStrictEqual(
        spans.map(({ name }) => name),
        ["db.insert", "cache.delete", "feed.create_post"]
      )
      const root = yield* TestTelemetry.trace
      assert.strictEqual(root.name, "feed.create_post")
      assert.deepInclude(root.attributes, { "post.id": "p1" })
      assert.deepStrictEqual(
        root.children.map(({ name }) => name),
        ["db.insert", "cache.delete"]
      )
      assert.include(yield* TestTelemetry.render, "└─ cache.delete")
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )

  it.effect("orders spans that start at the same time by which started first", () =>
    Effect.gen(function* () {
      const sleep = (name: string, millis: number) => Effect.sleep(millis).pipe(span(name))
      const fiber = yield* Effect.all([sleep("slow", 30), sleep("middle", 20), sleep("fast", 10)], {
        concurrency: "unbounded"
      }).pipe(span("all"), Effect.forkChild)
      yield* TestClock.adjust(30)
      yield* Fiber.join(fiber)
      yield* TestTelemetry.expectTrace({
        name: "all",
        duration: "30 millis",
        children: [
          { name: "slow", duration: "30 millis" },
          { name: "middle", duration: "20 millis" },
          { name: "fast", duration: (millis) => millis === 10 }
        ]
      })
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )

  it.effect("reads failures, events and links", () =>
    Effect.gen(function* () {
      const first = yield* Effect.currentSpan.pipe(span("first"))
      yield* Effect.fail(new Error("no")).pipe(
        Effect.withSpan("second", { kind: "client", links: [{ span: first, attributes: { why: "test" } }] }),
        Effect.ignore
      )
      yield* TestTelemetry.expectSpan("second", {
        kind: "client",
        status: "error",
        statusMessage: "no",
        attributes: { "error.type": "Error" },
        events: [{ name: "exception", attributes: { "exception.message": "no" } }],
        links: [{ traceId: first.traceId, spanId: first.spanId, attributes: { why: "test" } }]
      })
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )

  it.effect("has a collector a layer, and nothing global", () =>
    Effect.gen(function* () {
      const names = (id: string) =>
        Effect.gen(function* () {
          for (let i = 0; i < 5; i++) yield* Effect.yieldNow.pipe(span(`${id}${i}`))
          return (yield* TestTelemetry.spans).map(({ name }) => name).join()
        }).pipe(Effect.provide(TestTelemetry.layer()))
      const seen = yield* Effect.all([names("a"), names("b")], { concurrency: "unbounded" })
      assert.deepStrictEqual(seen, ["a0,a1,a2,a3,a4", "b0,b1,b2,b3,b4"])
      assert.isFalse(otel.getTracer("test").startSpan("test").isRecording())
    })
  )

  it.effect("waits for spans that end later, without time passing", () =>
    Effect.gen(function* () {
      yield* Effect.forkChild(Effect.yieldNow.pipe(Effect.repeat({ times: 50 }), span("background")))
      assert.lengthOf(yield* TestTelemetry.spans, 0)
      const node = yield* TestTelemetry.expectTrace({ name: "background" })
      assert.strictEqual(node.duration, 0)
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )

  it.effect("eventually repeats any check, and fails with its last outcome", () =>
    Effect.gen(function* () {
      let calls = 0
      const value = yield* TestTelemetry.eventually(
        Effect.suspend(() => (++calls < 10 ? Effect.die(new Error("not yet")) : Effect.succeed(calls)))
      )
      assert.strictEqual(value, 10)
      const exit = yield* Effect.exit(TestTelemetry.eventually(Effect.fail("never"), { yields: 3 }))
      assert.deepStrictEqual(exit, Exit.fail("never"))
    })
  )

  it.effect("collects what sampling dropped only where asked", () =>
    Effect.gen(function* () {
      const sampler = Sampler.alwaysOff
      const spans = Effect.andThen(createPost("p"), TestTelemetry.spans)
      assert.lengthOf(yield* spans.pipe(Effect.provide(TestTelemetry.layer({ sampler }))), 0)
      const all = yield* spans.pipe(Effect.provide(TestTelemetry.layer({ sampler, takesUnsampled: true })))
      assert.lengthOf(all, 3)
    })
  )
})

describe("TestTelemetry assertions that do not hold", () => {
  it.effect("are defects: an AssertionError at the line of the test, with both trees", () =>
    Effect.gen(function* () {
      yield* createPost("p2")
      const error = yield* failureOf(
        TestTelemetry.expectTrace({
          name: "feed.create_post",
          attributes: { "post.id": "p1" },
          children: ["db.insert"]
        }).pipe(Effect.catch(() => Effect.succeed("swallowed")))
      )
      assert.strictEqual(
        error?.message,
        `the trace is not as expected: 2 differences

  EXPECTED            ACTUAL
  feed.create_post    feed.create_post
  │  post.id: "p1"  ≠ │  post.id: "p2"
  └─ db.insert        ├─ db.insert
                    + └─ cache.delete  internal  unset

  1. feed.create_post: post.id: expected "p1", was "p2"
  2. feed.create_post > cache.delete: not expected`
      )
      const frame = error?.stack?.split("\n").find((line) => line.startsWith("    at "))
      assert.include(frame, "TestTelemetry.test.ts")
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )

  it.effect("say that nothing ended, and what is still open", () =>
    Effect.gen(function* () {
      yield* Effect.forkChild(Effect.never.pipe(span("GET /slow")))
      yield* Effect.yieldNow
      const error = yield* failureOf(TestTelemetry.expectTrace({ name: "GET /slow", children: ["db.select"] }))
      assert.include(error?.message, "no span has ended")
      assert.include(error?.message, "└─ db.select")
      assert.include(error?.message, "Started, but not ended: GET /slow")
      assert.match((yield* failureOf(TestTelemetry.trace))?.message ?? "", /^expected one trace, there is none/)
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )

  it.effect("show the nearest of several traces", () =>
    Effect.gen(function* () {
      yield* createPost("p1")
      yield* Effect.void.pipe(span("GET /a"))
      yield* createPost("p2")
      yield* TestTelemetry.expectTrace({ name: "feed.create_post", attributes: { "post.id": "p2" } })
      const error = yield* failureOf(TestTelemetry.expectTrace({ name: "GET /a", status: "error" }))
      assert.match(error?.message ?? "", /^the nearest of 3 traces is not as expected: 1 difference\n/)
      assert.include(error?.message, "GET /a  error  ≠ GET /a  unset")
      assert.strictEqual(
        (yield* failureOf(TestTelemetry.trace))?.message,
        "expected one trace, there are 3: feed.create_post (2), GET /a"
      )
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )

  it.effect("of a span name the spans that there are, or show the nearest of that name", () =>
    Effect.gen(function* () {
      yield* createPost("p1")
      const found = yield* TestTelemetry.expectSpan(/^cache\./)
      assert.strictEqual(found.name, "cache.delete")
      const absent = yield* failureOf(TestTelemetry.expectSpan("db.select"))
      assert.strictEqual(
        absent?.message,
        'no span named "db.select": there are: feed.create_post, db.insert, cache.delete'
      )
      const other = yield* failureOf(TestTelemetry.expectSpan("db.insert", { kind: "client", children: [] }))
      assert.include(other?.message, 'the span "db.insert" is not as expected')
      assert.include(other?.message, "db.insert  client  ≠ db.insert  internal")
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )
})

layer(TestTelemetry.layer())("TestTelemetry in a block that shares a layer", (it) => {
  for (const id of ["p1", "p2"]) {
    it.effect(`starts from nothing after clear: ${id}`, () =>
      Effect.gen(function* () {
        yield* TestTelemetry.clear
        yield* createPost(id)
        const root = yield* TestTelemetry.trace
        assert.strictEqual(root.attributes["post.id"], id)
      })
    )
  }

  it.effect("or from a layer of its own", () =>
    Effect.gen(function* () {
      yield* createPost("p3")
      assert.lengthOf(yield* TestTelemetry.spans, 3)
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )
})
