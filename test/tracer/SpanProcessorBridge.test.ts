import * as Otel from "@opentelemetry/api"
import {
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  type Span,
  type SpanProcessor
} from "@opentelemetry/sdk-trace-base"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Sampler from "../../src/tracer/Sampler.ts"
import type { TelemetrySpan } from "../../src/tracer/Span.ts"
import * as SpanProcessorBridge from "../../src/tracer/SpanProcessorBridge.ts"
import * as Tracer from "../../src/tracer/Tracer.ts"
import { withSpan } from "../../src/tracer/withSpan.ts"
import { collector } from "./support.ts"

class Recorder implements SpanProcessor {
  readonly calls: Array<readonly [string, string]> = []
  readonly started: Array<[Span, Otel.Context]> = []
  readonly ended: Array<ReadableSpan> = []
  onStart(span: Span, context: Otel.Context): void {
    this.calls.push(["start", span.name])
    this.started.push([span, context])
    span.setAttribute("from.processor", true)
  }
  onEnding(span: Span): void {
    this.calls.push(["ending", span.name])
    span.setAttribute("at.end", span.isRecording())
  }
  onEnd(span: ReadableSpan): void {
    this.calls.push(["end", span.name])
    this.ended.push(span)
  }
  forceFlush(): Promise<void> {
    return Promise.reject(new Error("not now"))
  }
  shutdown(): Promise<void> {
    return new Promise(() => {})
  }
}

describe("a processor", () => {
  it.effect("sees each span's life, and may write to it", () =>
    Effect.gen(function* () {
      const processor = new Recorder()
      const bridge = SpanProcessorBridge.make(processor)
      yield* Effect.void.pipe(
        withSpan("child", { attributes: { a: 1 } }),
        withSpan("parent"),
        Effect.provide(Tracer.layer({ receiver: bridge.receiver }))
      )
      assert.deepStrictEqual(processor.calls, [
        ["start", "parent"],
        ["start", "child"],
        ["ending", "child"],
        ["end", "child"],
        ["ending", "parent"],
        ["end", "parent"]
      ])
      assert.deepStrictEqual(processor.ended[0]!.attributes, { a: 1, "from.processor": true, "at.end": true })
      const [child, context] = processor.started[1]!
      assert.strictEqual(Otel.trace.getSpanContext(context)?.spanId, processor.started[0]![0].spanContext().spanId)
      assert.strictEqual(child.parentSpanContext?.spanId, processor.started[0]![0].spanContext().spanId)
      assert.isUndefined(Otel.trace.getSpan(processor.started[0]![1]))
    })
  )

  it.effect("of the SDK with its exporter works", () =>
    Effect.gen(function* () {
      const exporter = new InMemorySpanExporter()
      const bridge = SpanProcessorBridge.make(new SimpleSpanProcessor(exporter))
      yield* Effect.void.pipe(withSpan("work"), Effect.provide(Tracer.layer({ receiver: bridge.receiver })))
      assert.isTrue(yield* Effect.promise(() => bridge.forceFlush(1000)))
      assert.deepStrictEqual(
        exporter.getFinishedSpans().map((span) => span.name),
        ["work"]
      )
      assert.isTrue(yield* Effect.promise(() => bridge.shutdown(1000)))
    })
  )

  it.effect("that throws harms neither the application nor other receivers", () =>
    Effect.gen(function* () {
      const collected = collector()
      const broken = SpanProcessorBridge.make({
        onStart() {
          throw new Error("start")
        },
        onEnding() {
          throw new Error("ending")
        },
        onEnd() {
          throw new Error("end")
        },
        forceFlush: () => Promise.resolve(),
        shutdown: () => Promise.resolve()
      })
      const result = yield* Effect.succeed(1).pipe(
        withSpan("work"),
        Effect.provide(Tracer.layer({ receiver: [broken.receiver, collected.receiver] }))
      )
      assert.strictEqual(result, 1)
      assert.strictEqual(collected.span("work").name, "work")
    })
  )

  it.live("that fails or hangs is waited for within the limit, and rejects nothing", () =>
    Effect.gen(function* () {
      const bridge = SpanProcessorBridge.make(new Recorder())
      assert.isFalse(yield* Effect.promise(() => bridge.forceFlush(1000)))
      assert.isFalse(yield* Effect.promise(() => bridge.shutdown(20)))
    })
  )

  it.effect("does not see what the sampler drops, and does see what it records only", () =>
    Effect.gen(function* () {
      const processor = new Recorder()
      const plain = collector()
      const tail: Array<TelemetrySpan> = []
      const sampler: Sampler.Sampler = {
        shouldSample: (_context, _traceId, name) => ({ decision: Number(name) }),
        toString: () => "by name"
      }
      yield* Effect.forEach(["0", "1", "2"], (name) => Effect.void.pipe(withSpan(name, { root: true }))).pipe(
        Effect.provide(
          Tracer.layer({
            sampler,
            receiver: [
              SpanProcessorBridge.make(processor).receiver,
              plain.receiver,
              { takesUnsampled: true, ended: (span) => void tail.push(span as TelemetrySpan) }
            ]
          })
        )
      )
      const names = (spans: ReadonlyArray<{ readonly name: string }>) => spans.map((span) => span.name)
      assert.deepStrictEqual(names(processor.ended), ["1", "2"])
      assert.deepStrictEqual(names(plain.spans), ["2"])
      assert.deepStrictEqual(names(tail), ["0", "1", "2"])
      assert.deepStrictEqual(
        tail.map((span) => [span.sampled, span.traceFlags & 1]),
        [
          [false, 0],
          [false, 0],
          [true, 1]
        ]
      )
    })
  )
})
