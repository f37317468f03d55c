import * as Otel from "@opentelemetry/api"
import { suppressTracing } from "@opentelemetry/core"
import { BasicTracerProvider } from "@opentelemetry/sdk-trace-base"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Sampler from "../../src/tracer/Sampler.ts"
import * as TraceAttributes from "../../src/tracer/TraceAttributes.ts"
import * as Tracer from "../../src/tracer/Tracer.ts"
import * as TracerProvider from "../../src/tracer/TracerProvider.ts"
import { withSpan } from "../../src/tracer/withSpan.ts"
import { attributesOf, type Collector, collector } from "./support.ts"

const provided = <A>(run: () => A, options: Partial<Tracer.TracerOptions> = {}): Effect.Effect<Collector> =>
  Effect.suspend(() => {
    const collected = collector()
    const layer = TracerProvider.layer.pipe(
      Layer.provideMerge(Tracer.layer({ ...options, receiver: collected.receiver }))
    )
    return Effect.promise(() => Promise.resolve(run())).pipe(Effect.provide(layer), Effect.as(collected))
  })

const tracer = () => Otel.trace.getTracerProvider().getTracer("library", "1.2.3", { schemaUrl: "https://schema" })

describe("a span by the API", () => {
  it.effect("is one of ours: attributes, kind, links, times, limits, redaction", () =>
    Effect.gen(function* () {
      const { span } = yield* provided(
        () => {
          const link = {
            context: { traceId: "1".repeat(32), spanId: "2".repeat(16), traceFlags: 1 },
            attributes: { l: 1 }
          }
          tracer()
            .startSpan("work", {
              kind: Otel.SpanKind.PRODUCER,
              attributes: { a: 1, password: "x", b: null as never, c: undefined, "": 1, d: 1, e: 1 },
              links: [link],
              startTime: [1_700_000_000, 5],
              root: true
            })
            .end([1_700_000_001, 6])
        },
        { limits: { attributeCount: 3 } }
      )
      const work = span("work")
      assert.deepStrictEqual(attributesOf(work), { a: 1, password: "[REDACTED]", d: 1 })
      assert.strictEqual(work.kind, "producer")
      assert.deepStrictEqual(
        [work.startSeconds, work.startNanos, work.durationNanos],
        [1_700_000_000, 5, 1_000_000_001]
      )
      assert.deepStrictEqual(
        work.linkData.map((link) => [link.spanId, attributesOf(link)]),
        [["2".repeat(16), { l: 1 }]]
      )
      assert.deepStrictEqual(work.instrumentationScope, {
        name: "library",
        version: "1.2.3",
        schemaUrl: "https://schema"
      })
    })
  )

  it.effect("startActiveSpan: every form, active inside, its value given back", () =>
    Effect.gen(function* () {
      const { span } = yield* provided(() => {
        const outer = tracer().startActiveSpan("outer", (outer) => {
          assert.strictEqual(Otel.trace.getActiveSpan(), outer)
          const value = tracer().startActiveSpan("options", { attributes: { a: 1 } }, (inner) => {
            inner.end()
            return 42
          })
          assert.strictEqual(value, 42)
          tracer().startActiveSpan("context", {}, Otel.ROOT_CONTEXT, (inner) => inner.end())
          outer.end()
          return outer
        })
        assert.isUndefined(Otel.trace.getActiveSpan())
        return outer
      })
      assert.strictEqual(span("options").parentSpanId, span("outer").spanId)
      assert.isUndefined(span("context").parentSpanId)
    })
  )

  it.effect("follows the context that it is given: remote parents, flags, tracestate, suppression", () =>
    Effect.gen(function* () {
      const { span, spans } = yield* provided(() => {
        const remote = {
          traceId: "1".repeat(32),
          spanId: "2".repeat(16),
          traceFlags: 1,
          isRemote: true,
          traceState: Otel.createTraceState("a=b")
        }
        const context = Otel.trace.setSpanContext(Otel.ROOT_CONTEXT, remote)
        tracer().startSpan("child", {}, context).end()
        tracer().startSpan("root", { root: true }, context).end()
        tracer()
          .startSpan("dropped", {}, Otel.trace.setSpanContext(Otel.ROOT_CONTEXT, { ...remote, traceFlags: 0 }))
          .end()
        tracer()
          .startSpan("invalid parent", {}, Otel.trace.setSpanContext(Otel.ROOT_CONTEXT, Otel.INVALID_SPAN_CONTEXT))
          .end()
        const suppressed = tracer().startSpan("suppressed", {}, suppressTracing(context))
        assert.isFalse(Otel.isSpanContextValid(suppressed.spanContext()))
        suppressed.end()
      })
      assert.deepStrictEqual(
        spans.map((span) => span.name),
        ["child", "root", "invalid parent"]
      )
      const { parentIsRemote, parentSpanId, traceId, traceState } = span("child")
      assert.deepStrictEqual(
        [traceId, parentSpanId, parentIsRemote, traceState],
        ["1".repeat(32), "2".repeat(16), true, "a=b"]
      )
      assert.isUndefined(span("root").parentSpanId)
      assert.isUndefined(span("invalid parent").parentSpanId)
    })
  )

  it.effect("that is not sampled has ids and does not record", () =>
    Effect.gen(function* () {
      const { spans } = yield* provided(
        () => {
          const span = tracer().startSpan("dropped")
          assert.isFalse(span.isRecording())
          assert.isTrue(Otel.isSpanContextValid(span.spanContext()))
          span.end()
        },
        { sampler: Sampler.alwaysOff }
      )
      assert.deepStrictEqual(spans, [])
    })
  )

  it.live("carries the request's attributes of the fiber around it, also when the fiber went on", () =>
    Effect.gen(function* () {
      const collected = collector()
      const layer = TracerProvider.layer.pipe(Layer.provideMerge(Tracer.layer({ receiver: collected.receiver })))
      yield* Effect.gen(function* () {
        yield* TraceAttributes.annotate("user.id", "u")
        yield* Effect.sync(() => tracer().startSpan("in sync").end())
        yield* Effect.promise(async () => {
          await new Promise((resolve) => setTimeout(resolve, 1))
          tracer().startSpan("later").end()
        })
      }).pipe(withSpan("around"), TraceAttributes.provide, Effect.provide(layer))
      for (const name of ["in sync", "later", "around"]) {
        assert.deepStrictEqual(attributesOf(collected.span(name)), { "user.id": "u" }, name)
      }
    })
  )
})

describe("the registration", () => {
  it.effect("is undone when the layer ends", () =>
    Effect.gen(function* () {
      yield* provided(() => assert.isTrue(tracer().startSpan("work").isRecording()))
      assert.isFalse(tracer().startSpan("work").isRecording())
    })
  )

  it.effect("leaves another's provider in its place", () =>
    Effect.gen(function* () {
      const theirs = new BasicTracerProvider()
      Otel.trace.setGlobalTracerProvider(theirs)
      const { spans } = yield* provided(() => tracer().startSpan("theirs").end())
      assert.deepStrictEqual(spans, [])
      assert.isTrue(tracer().startSpan("theirs").isRecording())
      Otel.trace.disable()
    })
  )

  it.effect("is not made for a tracer that is not ours", () =>
    Effect.gen(function* () {
      yield* Effect.sync(() => assert.isFalse(tracer().startSpan("work").isRecording())).pipe(
        Effect.provide(TracerProvider.layer)
      )
    })
  )
})
