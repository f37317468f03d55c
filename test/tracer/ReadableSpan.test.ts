import * as OtelTracer from "@effect/opentelemetry/OtelTracer"
import * as Otel from "@opentelemetry/api"
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import * as Tracer from "effect/Tracer"
import { momentOf, ReadableTelemetrySpan } from "../../src/tracer/ReadableSpan.ts"
import { withSpan } from "../../src/tracer/withSpan.ts"
import { attributesOf, collect, counting } from "./support.ts"

/** Runs code on the current span as OpenTelemetry sees it. */
const onSpan = <A>(f: (span: Otel.Span & ReadableSpan) => A) =>
  Effect.map(OtelTracer.currentOtelSpan, (span) => f(span as Otel.Span & ReadableSpan))

describe("Effect's own accessors", () => {
  it.effect("currentOtelSpan is the span's face, the same one every time", () =>
    Effect.gen(function* () {
      const span = yield* Effect.currentSpan
      const otel = yield* OtelTracer.currentOtelSpan
      assert.instanceOf(otel, ReadableTelemetrySpan)
      assert.strictEqual(otel, yield* OtelTracer.currentOtelSpan)
      assert.strictEqual(otel, (span as unknown as { span: unknown }).span)
      assert.strictEqual(otel.spanContext().spanId, span.spanId)
    }).pipe(withSpan("work"), collect)
  )

  it.effect("withSpanContext and makeExternalSpan: the parent's ids, flags and tracestate", () =>
    Effect.gen(function* () {
      const spanContext = {
        traceId: "1".repeat(32),
        spanId: "2".repeat(16),
        traceFlags: 1,
        traceState: Otel.createTraceState("a=b,c=d")
      }
      const { span } = yield* collect(
        Effect.all([
          Effect.void.pipe(withSpan("child"), withSpan("by context"), OtelTracer.withSpanContext(spanContext)),
          Effect.void.pipe(
            withSpan("by span"),
            Effect.withParentSpan(OtelTracer.makeExternalSpan({ ...spanContext, traceState: "a=b" }))
          ),
          Effect.void.pipe(withSpan("dropped"), OtelTracer.withSpanContext({ ...spanContext, traceFlags: 0 }))
        ])
      )
      assert.strictEqual(span("by context").traceId, spanContext.traceId)
      assert.strictEqual(span("by context").parentSpanId, spanContext.spanId)
      assert.strictEqual(span("by context").traceFlags, 1)
      assert.strictEqual(span("by context").traceState, "a=b,c=d")
      assert.isTrue(span("by context").parentIsRemote)
      assert.strictEqual(span("child").traceState, "a=b,c=d")
      assert.strictEqual(span("by span").traceState, "a=b")
      assert.throws(() => span("dropped"))
    })
  )
})

describe("the API's span", () => {
  it.effect("attributes: set, replaced, left out where there is no key or no value", () =>
    Effect.gen(function* () {
      const { span } = yield* collect(
        onSpan((span) =>
          span
            .setAttribute("a", 1)
            .setAttribute("a", 2)
            .setAttributes({ b: [1, null, 2], c: undefined })
            .setAttribute("d", null as never)
            .setAttribute("", "no key")
        ).pipe(withSpan("work"))
      )
      assert.deepStrictEqual(attributesOf(span("work")), { a: 2, b: [1, null, 2] })
    })
  )

  it.effect("events: with attributes, with a time, with both", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(5000)
      const { span } = yield* collect(
        onSpan((span) => {
          const attributes: Otel.Attributes = { a: 1 }
          span
            .addEvent("plain")
            .addEvent("attributes", attributes)
            .addEvent("time", [7, 8])
            .addEvent("both", { b: 2 }, [9, 10])
          span.addEvent("date", new Date(11_500)).addEvent("array", { list: [1, 2] })
          attributes["a"] = 2
        }).pipe(withSpan("work"))
      )
      assert.deepStrictEqual(
        span("work").events.map((event) => [event.name, event.seconds, event.nanos, attributesOf(event)]),
        [
          ["plain", 5, 0, {}],
          ["attributes", 5, 0, { a: 1 }],
          ["time", 7, 8, {}],
          ["both", 9, 10, { b: 2 }],
          ["date", 11, 500_000_000, {}],
          ["array", 5, 0, { list: [1, 2] }]
        ]
      )
    })
  )

  it.effect("recordException: an event named exception", () =>
    Effect.gen(function* () {
      const { span } = yield* collect(
        onSpan((span) => {
          span.recordException(new TypeError("outer", { cause: new Error("inner") }))
          span.recordException("text")
          span.recordException({ code: 7, message: "coded" })
          span.recordException({ name: "Named", message: "n", stack: "at x" }, [1, 2])
          span.recordException(undefined as never)
        }).pipe(withSpan("work"))
      )
      const [first, ...others] = span("work").events
      assert.strictEqual(first!.name, "exception")
      assert.deepInclude(attributesOf(first!), { "exception.type": "TypeError", "exception.message": "outer" })
      assert.include(attributesOf(first!)["exception.stacktrace"], "[cause]: Error: inner")
      assert.deepStrictEqual(
        others.map((event) => [event.name, attributesOf(event)]),
        [
          ["exception", { "exception.message": "text" }],
          ["exception", { "exception.type": "7", "exception.message": "coded" }],
          ["exception", { "exception.type": "Named", "exception.message": "n", "exception.stacktrace": "at x" }]
        ]
      )
      assert.strictEqual(span("work").statusCode, 0)
    })
  )

  const error = { code: Otel.SpanStatusCode.ERROR, message: "e" }
  const ok = { code: Otel.SpanStatusCode.OK }
  const unset = { code: Otel.SpanStatusCode.UNSET }
  const precedence: ReadonlyArray<readonly [string, ReadonlyArray<Otel.SpanStatus>, number, string | undefined]> = [
    ["unset", [unset], 0, undefined],
    ["ok", [ok], 1, undefined],
    ["error", [error], 2, "e"],
    ["error without a message", [{ code: 2 }], 2, undefined],
    ["a second error", [error, { code: 2, message: "f" }], 2, "f"],
    ["ok after an error", [error, ok], 1, undefined],
    ["error after ok", [ok, error], 1, undefined],
    ["unset after an error", [error, unset], 2, "e"],
    ["ok with a message", [{ code: 1, message: "ignored" }], 1, undefined]
  ]
  it.effect.each(precedence)("setStatus: %s", ([, statuses, code, message]) =>
    Effect.gen(function* () {
      const { span } = yield* collect(
        onSpan((span) => statuses.forEach((status) => span.setStatus(status))).pipe(withSpan("work"))
      )
      assert.deepStrictEqual([span("work").statusCode, span("work").statusMessage], [code, message])
    })
  )

  it.effect("a failure does not undo what was set", () =>
    Effect.gen(function* () {
      const failing = (name: string, status: Otel.SpanStatus) =>
        onSpan((span) => span.setStatus(status)).pipe(
          Effect.andThen(Effect.fail("failed")),
          withSpan(name),
          Effect.ignore
        )
      const { span } = yield* collect(Effect.all([failing("ok", ok), failing("error", error)]))
      assert.strictEqual(span("ok").statusCode, 1)
      assert.deepStrictEqual([span("error").statusCode, span("error").statusMessage], [2, "e"])
      assert.strictEqual(attributesOf(span("ok"))["error.type"], "_OTHER")
    })
  )

  it.effect("updateName, isRecording, end: once, and nothing afterwards", () =>
    Effect.gen(function* () {
      const { span, spans } = yield* collect(
        onSpan((span) => {
          assert.isTrue(span.isRecording())
          span.updateName("renamed").end([1_900_000_000, 5])
          assert.isFalse(span.isRecording())
          span.setAttribute("late", 1).addEvent("late").setStatus(error).updateName("late")
          span.recordException("late")
          span.addLink({ context: span.spanContext() })
          span.end()
        }).pipe(withSpan("work"))
      )
      assert.lengthOf(spans, 1)
      const ended = span("renamed")
      assert.deepStrictEqual([ended.endSeconds, ended.endNanos], [1_900_000_000, 5])
      assert.deepStrictEqual([attributesOf(ended), ended.events, ended.linkData, ended.statusCode], [{}, [], [], 0])
    })
  )

  it.effect.each([
    [Otel.SpanStatusCode.UNSET, "Success"],
    [Otel.SpanStatusCode.OK, "Success"],
    [Otel.SpanStatusCode.ERROR, "Failure"]
  ] as const)("ended with status %s, Effect sees a %s", ([code, exit]) =>
    Effect.gen(function* () {
      const span = yield* Effect.currentSpan
      const otel = yield* OtelTracer.currentOtelSpan
      otel.setStatus({ code })
      otel.end()
      assert.strictEqual(span.status._tag, "Ended")
      assert.strictEqual((span.status as Extract<Tracer.SpanStatus, { _tag: "Ended" }>).exit._tag, exit)
    }).pipe(withSpan("work"), collect)
  )

  it.effect("links", () =>
    Effect.gen(function* () {
      const context = {
        traceId: "1".repeat(32),
        spanId: "2".repeat(16),
        traceFlags: 0,
        traceState: Otel.createTraceState("a=b")
      }
      const { span } = yield* collect(
        onSpan((span) => {
          span.addLink({ context, attributes: { a: 1 } }).addLinks([{ context: { ...context, isRemote: true } }])
          assert.deepStrictEqual(span.links[0]!.attributes, { a: 1 })
        }).pipe(withSpan("work"))
      )
      assert.deepStrictEqual(
        span("work").linkData.map((link) => [
          link.traceId,
          link.spanId,
          link.traceFlags,
          link.traceState,
          link.isRemote,
          attributesOf(link)
        ]),
        [
          [context.traceId, context.spanId, 0, "a=b", false, { a: 1 }],
          [context.traceId, context.spanId, 0, "a=b", true, {}]
        ]
      )
    })
  )
})

describe("the SDK's readable span", () => {
  it.effect("has every field, before and after the end", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_000_500)
      const resource = { attributes: { "service.name": "s" } }
      const collected = yield* collect(
        Effect.gen(function* () {
          const readable = (yield* OtelTracer.currentOtelSpan) as unknown as ReadableSpan
          assert.deepStrictEqual(readable.attributes, { secret: 1, password: Redacted.make("x") as never })
          assert.deepStrictEqual(
            [readable.ended, readable.duration, readable.endTime, readable.events, readable.links.length],
            [false, [-1, -1], [0, 0], [], 1]
          )
          yield* TestClock.adjust(2500)
          return yield* Effect.fail(new RangeError("no"))
        }).pipe(
          withSpan("work", {
            kind: "client",
            attributes: { secret: 1, password: Redacted.make("x") },
            links: [
              { span: Tracer.externalSpan({ traceId: "1".repeat(32), spanId: "2".repeat(16) }), attributes: { l: 1 } }
            ]
          }),
          Effect.withSpan("parent")
        ),
        { resource, scope: { name: "scope", version: "1" }, idGenerator: counting() }
      )
      const readable = collected.span("work").span as unknown as ReadableSpan
      assert.strictEqual(readable.name, "work")
      assert.strictEqual(readable.kind, Otel.SpanKind.CLIENT)
      assert.deepStrictEqual(readable.spanContext(), {
        traceId: "1".padStart(32, "0"),
        spanId: "2".padStart(16, "0"),
        traceFlags: 1,
        isRemote: false
      })
      assert.deepInclude(readable.parentSpanContext!, { spanId: "1".padStart(16, "0"), isRemote: false })
      assert.deepStrictEqual(
        [readable.startTime, readable.endTime, readable.duration],
        [
          [1000, 500_000_000],
          [1003, 0],
          [2, 500_000_000]
        ]
      )
      assert.deepStrictEqual(readable.status, { code: 2, message: "no" })
      assert.deepStrictEqual(readable.attributes, {
        secret: "[REDACTED]",
        password: "[REDACTED]",
        "error.type": "RangeError"
      })
      assert.deepStrictEqual(
        readable.events.map((event) => [
          event.name,
          event.time,
          event.attributes!["exception.type"],
          event.droppedAttributesCount
        ]),
        [["exception", [1003, 0], "RangeError", 0]]
      )
      assert.deepStrictEqual(readable.links, [
        {
          context: { traceId: "1".repeat(32), spanId: "2".repeat(16), traceFlags: 1, isRemote: true },
          attributes: { l: 1 },
          droppedAttributesCount: 0
        }
      ])
      assert.deepStrictEqual(
        [readable.ended, readable.resource as unknown, readable.instrumentationScope],
        [true, resource, { name: "scope", version: "1" }]
      )
      assert.deepStrictEqual(
        [readable.droppedAttributesCount, readable.droppedEventsCount, readable.droppedLinksCount],
        [0, 0, 0]
      )
      assert.isUndefined((collected.span("parent").span as unknown as ReadableSpan).parentSpanContext)
    })
  )

  it.effect("an attribute named __proto__ is one", () =>
    Effect.gen(function* () {
      const { span } = yield* collect(
        Effect.currentSpan.pipe(
          Effect.map((span) => span.attribute("__proto__", "mine")),
          withSpan("work")
        )
      )
      const { attributes } = span("work").span as unknown as ReadableSpan
      assert.deepStrictEqual(Object.entries(attributes), [["__proto__", "mine"]])
      assert.strictEqual(Object.getPrototypeOf(attributes), Object.prototype)
    })
  )
})

describe("times", () => {
  it("milliseconds since the epoch, of performance.now, dates, pairs", () => {
    assert.deepStrictEqual(momentOf(1_700_000_000_123.5), { seconds: 1_700_000_000, nanos: 123_500_000 })
    assert.deepStrictEqual(momentOf(new Date(1500)), { seconds: 1, nanos: 500_000_000 })
    assert.deepStrictEqual(momentOf([3, 4]), { seconds: 3, nanos: 4 })
    const now = performance.now()
    const moment = momentOf(now)!
    assert.closeTo(moment.seconds * 1000 + moment.nanos / 1e6, performance.timeOrigin + now, 1)
  })

  it("what is no time is none", () => {
    for (const input of [undefined, NaN, Infinity, -5, new Date(NaN), [NaN, 0], [-1, 0], "now"]) {
      assert.isUndefined(momentOf(input as never))
    }
  })
})

describe("a span that does not record", () => {
  it.effect("has its ids, and takes everything without keeping it", () =>
    Effect.gen(function* () {
      const span = yield* Effect.currentSpan
      const otel = yield* OtelTracer.currentOtelSpan
      assert.deepInclude(otel.spanContext(), { traceId: span.traceId, spanId: span.spanId, traceFlags: 2 })
      assert.match(span.spanId, /^[0-9a-f]{16}$/)
      otel.setAttribute("a", 1).setAttributes({}).addEvent("e").addLink({ context: otel.spanContext() }).addLinks([])
      otel.setStatus({ code: 2 }).updateName("n").recordException("x")
      otel.end()
      assert.isFalse(otel.isRecording())
      assert.strictEqual(span.attributes.size, 0)
    }).pipe(withSpan("dropped", { sampled: false }), collect)
  )
})
