import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import * as Recording from "../../src/tracer/Recording.ts"
import * as Span from "../../src/tracer/Span.ts"
import { withSpan } from "../../src/tracer/withSpan.ts"
import { attributesOf, collect, collector } from "./support.ts"
import * as TraceAttributes from "../../src/tracer/TraceAttributes.ts"

const onSpan = (f: (span: Span.TelemetrySpan) => void) =>
  Effect.map(Effect.currentSpan, (span) => f(span as Span.TelemetrySpan))

const other = Tracer.externalSpan({ traceId: "1".repeat(32), spanId: "2".repeat(16) })

describe("attributes", () => {
  it.effect("are set and replaced; undefined sets nothing; Effect reads them back", () =>
    Effect.gen(function* () {
      const { span } = yield* collect(
        onSpan((span) => {
          span.attribute("a", 1)
          span.attribute("a", 2)
          span.attribute("b", undefined)
          span.attribute("", "no name")
          const object = { n: 1 }
          span.attribute("object", object)
          assert.deepStrictEqual(
            [...span.attributes],
            [
              ["a", 2],
              ["", "no name"],
              ["object", object]
            ]
          )
          object.n = 2
        }).pipe(withSpan("work"))
      )
      assert.deepStrictEqual(attributesOf(span("work")), { a: 2, object: '{"n":2}' })
    })
  )

  it.effect("beyond the limit are dropped and counted; what says why it failed is not", () =>
    Effect.gen(function* () {
      const many = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`k${i}`, i]))
      const { span } = yield* collect(
        Effect.all([
          Effect.void.pipe(withSpan("start", { attributes: many })),
          onSpan((span) => {
            for (const [key, value] of Object.entries(many)) span.attribute(key, value)
            span.attribute("k0", "again")
          }).pipe(withSpan("later")),
          Effect.fail("x").pipe(withSpan("failing", { attributes: many }), Effect.ignore),
          TraceAttributes.provide(
            Effect.void.pipe(withSpan("request", { attributes: many })),
            TraceAttributes.make({ "user.id": "u" })
          )
        ]),
        { limits: { attributeCount: 4 } }
      )
      for (const name of ["start", "later", "failing", "request"]) {
        assert.lengthOf(span(name).attributeKeys, 4, name)
        assert.lengthOf(span(name).attributeValues, 4, name)
      }
      assert.deepStrictEqual(span("start").attributeKeys, ["k0", "k1", "k2", "k3"])
      assert.strictEqual(span("start").droppedAttributesCount, 6)
      assert.deepStrictEqual([span("later").droppedAttributesCount, attributesOf(span("later"))["k0"]], [6, "again"])
      assert.deepStrictEqual(
        [span("failing").droppedAttributesCount, attributesOf(span("failing"))["error.type"]],
        [7, "_OTHER"]
      )
      assert.deepStrictEqual(
        [span("request").droppedAttributesCount, attributesOf(span("request"))["user.id"]],
        [7, "u"]
      )
    })
  )

  it.effect("a flood of them takes bounded time and memory", () =>
    Effect.gen(function* () {
      const { span } = yield* collect(
        onSpan((span) => {
          for (let i = 0; i < 200_000; i++) span.attribute(`k${i}`, i)
          for (let i = 0; i < 200_000; i++) span.event(`e${i}`, 0n)
          for (let i = 0; i < 20_000; i++) span.addLinks([{ span: other, attributes: {} }])
          assert.deepStrictEqual(
            [span.attributeKeys.length, span.rawEvents!.length, span.links.length],
            [128, 128, 128]
          )
        }).pipe(withSpan("work"))
      )
      assert.deepStrictEqual(
        [span("work").droppedAttributesCount, span("work").droppedEventsCount, span("work").droppedLinksCount],
        [200_000 - 128, 200_000 - 128, 20_000 - 128]
      )
    })
  )

  it.effect("odd names are repaired, secrets behind them found all the same", () =>
    Effect.gen(function* () {
      const long = "n".repeat(300)
      const { span } = yield* collect(
        Effect.void.pipe(
          withSpan("work", {
            attributes: { [long]: 1, "a\ud800": 2, "\ud800password": "x", ["__proto__"]: 3 }
          })
        )
      )
      assert.deepStrictEqual(
        span("work").attributeKeys.map((key, i) => [key, span("work").attributeValues[i]]),
        [
          ["n".repeat(256), 1],
          ["a\ufffd", 2],
          ["\ufffdpassword", "[REDACTED]"],
          ["__proto__", 3]
        ]
      )
    })
  )
})

describe("events and links", () => {
  it.effect("beyond the limit: the oldest events give way, the newest links; counted", () =>
    Effect.gen(function* () {
      const links = Array.from({ length: 5 }, (_, i) => ({ span: other, attributes: { i } }))
      const { span } = yield* collect(
        Effect.all([
          onSpan((span) => {
            for (let i = 0; i < 5; i++) span.event(`e${i}`, BigInt(i), { a: 1, b: 2, c: 3 })
            span.addLinks(links)
          }).pipe(withSpan("added")),
          Effect.void.pipe(withSpan("given", { links })),
          Effect.void.pipe(Effect.withSpan("given by Effect", { links }))
        ]),
        { limits: { eventCount: 3, linkCount: 2, attributeCountPerEvent: 2, attributeCountPerLink: 0 } }
      )
      assert.deepStrictEqual(
        span("added").events.map((event) => [event.name, event.attributeKeys, event.droppedAttributesCount]),
        [
          ["e2", ["a", "b"], 1],
          ["e3", ["a", "b"], 1],
          ["e4", ["a", "b"], 1]
        ]
      )
      assert.strictEqual(span("added").droppedEventsCount, 2)
      for (const name of ["added", "given", "given by Effect"]) {
        assert.deepStrictEqual(
          span(name).linkData.map((link) => [link.spanId, link.attributeKeys, link.droppedAttributesCount]),
          [
            [other.spanId, [], 1],
            [other.spanId, [], 1]
          ],
          name
        )
        assert.strictEqual(span(name).droppedLinksCount, 3, name)
      }
    })
  )

  it.effect("with a limit of nothing hold nothing", () =>
    Effect.gen(function* () {
      const { span } = yield* collect(
        Effect.fail("x").pipe(withSpan("work", { attributes: { a: 1 }, links: [{ span: other, attributes: {} }] })),
        { limits: { attributeCount: 0, eventCount: 0, linkCount: 0 } }
      )
      assert.deepStrictEqual([span("work").attributeKeys, span("work").events, span("work").linkData], [[], [], []])
      assert.deepStrictEqual(
        [span("work").droppedAttributesCount, span("work").droppedEventsCount, span("work").droppedLinksCount],
        [2, 1, 1]
      )
      assert.strictEqual(span("work").statusCode, 2)
    })
  )

  it.effect("a link to a span that is none goes to its nearest real ancestor, or nowhere", () =>
    Effect.gen(function* () {
      const { span } = yield* collect(
        Effect.gen(function* () {
          const lost = yield* Effect.currentSpan.pipe(withSpan("lost", { root: true }), Effect.withTracerEnabled(false))
          const disabled = yield* Effect.currentSpan.pipe(withSpan("disabled"), Effect.withTracerEnabled(false))
          yield* Effect.void.pipe(
            withSpan("linking", { links: [lost, disabled].map((span) => ({ span, attributes: {} })) })
          )
        }).pipe(withSpan("around"))
      )
      assert.deepStrictEqual(
        span("linking").linkData.map((link) => link.spanId),
        [span("around").spanId]
      )
    })
  )
})

class NotFound extends Data.TaggedError("NotFound")<{ readonly id: string }> {
  override get message() {
    return `nothing named ${this.id}`
  }
}

class ServiceError extends Data.TaggedError("ServiceError")<{ readonly reason: { readonly _tag: string } }> {}

class ValidationError extends Error {
  override readonly name = "ValidationError"
}

class Unnamed extends Error {}

const hostile = {
  get _tag(): string {
    throw new Error("tag")
  },
  get message(): string {
    throw new Error("message")
  }
}

describe("the end", () => {
  const failures: ReadonlyArray<
    readonly [string, Effect.Effect<unknown, unknown>, string | undefined, number, string | undefined]
  > = [
    ["a success", Effect.succeed(1), undefined, 0, undefined],
    ["a tagged error", Effect.fail(new NotFound({ id: "x" })), "NotFound", 2, "nothing named x"],
    [
      "an error with a reason",
      Effect.fail(new ServiceError({ reason: { _tag: "RateLimited" } })),
      "RateLimited",
      2,
      ""
    ],
    ["an error with a name", Effect.fail(new ValidationError("bad")), "ValidationError", 2, "bad"],
    ["an error with a class", Effect.fail(new Unnamed("bad")), "Unnamed", 2, "bad"],
    ["a plain error", Effect.fail(new Error("bad")), "Error", 2, "bad"],
    ["a tagged object", Effect.fail({ _tag: "Plain", message: "m" }), "Plain", 2, "m"],
    ["an object", Effect.fail({ a: 1 }), "_OTHER", 2, '{"a":1}'],
    ["a text", Effect.fail("text"), "_OTHER", 2, "text"],
    ["nothing", Effect.fail(undefined), "_OTHER", 2, "Unknown error: undefined"],
    ["a defect", Effect.die(new TypeError("wrong")), "TypeError", 2, "wrong"],
    ["a defect with a tag", Effect.die(new NotFound({ id: "x" })), "NotFound", 2, "nothing named x"],
    ["a defect that is a text", Effect.die("boom"), "String", 2, "boom"],
    ["a defect that is nothing", Effect.die(null), "_OTHER", 2, "Unknown error: null"],
    [
      "a defect beside a failure",
      Effect.failCause(Cause.combine(Cause.fail(new NotFound({ id: "x" })), Cause.die(new RangeError("r")))),
      "RangeError",
      2,
      "r"
    ],
    [
      "two failures",
      Effect.failCause(Cause.combine(Cause.fail(new Error("first")), Cause.fail(new Error("second")))),
      "Error",
      2,
      "first"
    ],
    [
      "a failure beside an interruption",
      Effect.failCause(Cause.combine(Cause.interrupt(1), Cause.fail(new NotFound({ id: "x" })))),
      "NotFound",
      2,
      "nothing named x"
    ],
    ["an interruption", Effect.interrupt, undefined, 0, undefined],
    ["an empty cause", Effect.failCause(Cause.empty), undefined, 0, undefined],
    ["an error that cannot be read", Effect.fail(hostile), "_OTHER", 2, "An error that cannot be read"]
  ]
  for (const [by, wrap] of [
    ["our", withSpan],
    ["Effect's", Effect.withSpan]
  ] as ReadonlyArray<readonly [string, typeof Effect.withSpan]>) {
    it.effect.each(failures)(`%s, by ${by} withSpan`, ([, effect, type, code, message]) =>
      Effect.gen(function* () {
        const { span } = yield* collect(effect.pipe(wrap("work")))
        assert.strictEqual(attributesOf(span("work"))["error.type"], type)
        assert.deepStrictEqual([span("work").statusCode, span("work").statusMessage], [code, message])
        assert.isTrue(span("work").events.every((event) => event.name === "exception"))
        assert.strictEqual(span("work").events.length > 0, type !== undefined)
      })
    )
  }

  it.effect("every failure is an event, with its stack, the spans that it passed and its causes", () =>
    Effect.gen(function* () {
      const error = new Error("outer", { cause: new TypeError("middle", { cause: new NotFound({ id: "inner" }) }) })
      const { span } = yield* collect(
        Effect.failCause(Cause.combine(Cause.fail(error), Cause.die(new RangeError("second")))).pipe(
          withSpan("inside"),
          withSpan("outside")
        )
      )
      for (const name of ["inside", "outside"]) {
        const events = span(name).events.map(attributesOf)
        assert.deepStrictEqual(
          events.map((event) => [event["exception.type"], event["exception.message"]]),
          [
            ["Error", "outer"],
            ["RangeError", "second"]
          ]
        )
        const stack = events[0]!["exception.stacktrace"] as string
        assert.match(stack, /^Error: outer\n/)
        assert.match(stack, /at inside \(.*Span\.test\.ts/)
        assert.match(stack, /at outside \(.*Span\.test\.ts/)
        assert.include(stack, "[cause]: TypeError: middle")
        assert.include(stack, "[cause]: NotFound: nothing named inner")
        assert.deepStrictEqual(
          [span(name).events[0]!.seconds, span(name).events[0]!.nanos],
          [span(name).endSeconds, span(name).endNanos]
        )
      }
    })
  )

  it.effect("of a thousand failures describes some and counts the others", () =>
    Effect.gen(function* () {
      const cause = Cause.fromReasons(Array.from({ length: 1000 }, (_, i) => Cause.makeFailReason(new Error(`e${i}`))))
      const { span } = yield* collect(Effect.failCause(cause).pipe(withSpan("work")))
      assert.lengthOf(span("work").events, 16)
      assert.strictEqual(span("work").droppedEventsCount, 984)
      assert.strictEqual(span("work").statusMessage, "e0")
    })
  )

  it.effect("an expected failure is recorded and is no error", () =>
    Effect.gen(function* () {
      const failing = (name: string, mark: (span: Tracer.Span) => void, error: unknown) =>
        Effect.currentSpan.pipe(Effect.map(mark), Effect.andThen(Effect.fail(error)), withSpan(name), Effect.ignore)
      const { span } = yield* collect(
        Effect.all([
          failing("by Span", Span.markExpected, new NotFound({ id: "x" })),
          failing("by Recording", Recording.markExpected, new NotFound({ id: "x" }))
        ])
      )
      for (const name of ["by Span", "by Recording"]) {
        assert.deepStrictEqual([span(name).statusCode, span(name).statusMessage], [0, undefined])
        assert.deepStrictEqual(attributesOf(span(name)), { "error.type": "NotFound" })
        assert.deepStrictEqual(
          span(name).events.map((event) => event.name),
          ["exception"]
        )
      }
    })
  )

  it.effect("an error.type that was set before wins", () =>
    Effect.gen(function* () {
      const { span } = yield* collect(Effect.fail("x").pipe(withSpan("work", { attributes: { "error.type": "504" } })))
      assert.deepStrictEqual(attributesOf(span("work")), { "error.type": "504" })
      assert.strictEqual(span("work").statusCode, 2)
    })
  )

  it.effect("Effect sees the exit, until a success is sealed", () =>
    Effect.gen(function* () {
      const ended: Array<Span.TelemetrySpan> = []
      const receiver = { takesUnsampled: false, ended: (span: unknown) => void ended.push(span as Span.TelemetrySpan) }
      const value = { large: true }
      yield* collect(
        Effect.all([
          Effect.succeed(value).pipe(withSpan("success")),
          Effect.ignore(Effect.fail("x").pipe(withSpan("failure")))
        ]),
        { receiver }
      )
      const exits = () => ended.map((span) => (span.status as Extract<Tracer.SpanStatus, { _tag: "Ended" }>).exit)
      assert.strictEqual((exits()[0] as Exit.Success<unknown>).value, value)
      for (const span of ended) span.seal()
      assert.isUndefined((exits()[0] as Exit.Success<unknown>).value)
      assert.isTrue(Exit.isFailure(exits()[1]!))
    })
  )

  it.effect("once sealed nothing changes, and sealing again adds nothing", () =>
    Effect.gen(function* () {
      const { span } = yield* collect(Effect.fail("x").pipe(withSpan("work", { attributes: { url: "http://a:b@c" } })))
      const before = JSON.stringify([span("work").attributeValues, span("work").events])
      assert.strictEqual(span("work").seal({ more: 1 }), span("work"))
      assert.strictEqual(JSON.stringify([span("work").attributeValues, span("work").events]), before)
    })
  )

  it.effect("a span knows its parent as Effect has it", () =>
    Effect.gen(function* () {
      const { span } = yield* collect(Effect.void.pipe(withSpan("child"), withSpan("root")))
      assert.strictEqual(Option.getOrUndefined(span("child").parent), span("root"))
      assert.isTrue(Option.isNone(span("root").parent))
    })
  )

  it.effect("hostile values everywhere: the effect does not notice", () =>
    Effect.gen(function* () {
      const proxy = new Proxy({} as Record<string, unknown>, {
        ownKeys: () => {
          throw new Error("no keys")
        },
        get: () => {
          throw new Error("no value")
        }
      })
      const { span } = yield* collect(
        onSpan((span) => {
          span.event("proxy", 0n, proxy)
          span.event(Symbol("not a name") as never, 0n, { a: proxy })
          span.addLinks([{ span: other, attributes: proxy }])
          span.attribute("proxy", proxy)
          span.event("time", 1 as never)
        }).pipe(withSpan("work", { attributes: proxy }))
      )
      assert.deepStrictEqual(attributesOf(span("work")), { proxy: "[Unreadable]" })
      assert.deepStrictEqual(
        span("work").events.map((event) => [event.name, attributesOf(event)]),
        [
          ["proxy", {}],
          ["Symbol(not a name)", { a: "[Unreadable]" }],
          ["time", {}]
        ]
      )
    })
  )
})

describe("recording", () => {
  it.effect("says whether attributes are kept anywhere", () =>
    Effect.gen(function* () {
      const asked = Effect.map(Effect.currentSpan, Recording.isRecording)
      const seen: Array<boolean> = []
      yield* collect(
        Effect.gen(function* () {
          seen.push(yield* asked.pipe(withSpan("kept")))
          seen.push(yield* asked.pipe(withSpan("dropped", { sampled: false })))
          seen.push(yield* asked.pipe(withSpan("disabled"), Effect.withTracerEnabled(false)))
          seen.push(yield* asked.pipe(Effect.withSpan("native"), Effect.withTracer(Tracer.nativeTracer)))
        })
      )
      assert.deepStrictEqual(seen, [true, false, false, true])
    })
  )
})

describe("memory", () => {
  it.effect("an ended span keeps neither its fiber's context nor the holder", () =>
    Effect.gen(function* () {
      const collected = collector({ ended: (span) => void collected.spans.push(span as Span.TelemetrySpan) })
      yield* TraceAttributes.provide(Effect.void.pipe(withSpan("work"))).pipe(
        Effect.provide(
          (yield* Effect.promise(() => import("../../src/tracer/Tracer.ts"))).layer({ receiver: collected.receiver })
        )
      )
      const [span] = collected.spans
      assert.deepStrictEqual([span!.settings, span!.provided, span!.holder], [undefined, undefined, undefined])
    })
  )
})
