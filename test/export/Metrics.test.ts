import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { InMemorySpanExporter } from "@opentelemetry/sdk-trace-base"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Metrics from "../../src/export/Metrics.ts"
import * as Pipeline from "../../src/export/Pipeline.ts"
import * as Telemetry from "../../src/Telemetry.ts"
import * as Sampler from "../../src/tracer/Sampler.ts"
import * as Tracer from "../../src/tracer/Tracer.ts"
import { withSpan } from "../../src/tracer/withSpan.ts"
import * as OtlpReceiver from "../support/OtlpReceiver.ts"
import { endSpans, makeEnded, namesOf, recordLog, testResource, testScope } from "./support.ts"

/** What a snapshot says, by name and by what sets its series apart. */
const read = (context: Context.Context<never>): Record<string, number> =>
  Object.fromEntries(
    Metric.snapshotUnsafe(context).map(({ attributes = {}, id, state, type }) => {
      const parts = ["error.type", "otel.span.sampling_result", "sampling.reason"].flatMap(
        (key) => attributes[key] ?? []
      )
      const value = type === "Counter" ? state.count : type === "Gauge" ? state.value : undefined
      return [[id, ...parts].join(" "), Number(type === "Histogram" ? state.count : value)]
    })
  )

const emptyContext = (): Context.Context<never> =>
  Context.make(Metric.MetricRegistry, new Map()) as Context.Context<never>

/** A pipeline to a receiver that misbehaves, and its metrics in a place of their own. */
const watched = (options: Partial<Pipeline.PipelineOptions> = {}) =>
  Effect.gen(function* () {
    const receiver = yield* OtlpReceiver.scoped()
    const pipeline = Pipeline.make({
      endpoint: receiver.url,
      resource: { attributes: testResource },
      scope: testScope,
      scheduleDelayMillis: 20,
      timeoutMillis: 2_000,
      retryMinMillis: 20,
      retryMaxMillis: 50,
      log: recordLog().log,
      ...options
    })
    const context = emptyContext()
    yield* Metrics.register(pipeline.observed).pipe(Effect.provideContext(context))
    yield* Effect.addFinalizer(() => Effect.promise(() => pipeline.shutdown(0)))
    return { receiver, pipeline, context, values: () => read(context) }
  })

const series = (context: Context.Context<never>, name: Metrics.Name) =>
  Metric.snapshotUnsafe(context).filter(({ id }) => id === name)

describe("Metrics", () => {
  it.live("tells where every span is, at any moment", () =>
    Effect.gen(function* () {
      const { pipeline, receiver, values } = yield* watched({ scheduleDelayMillis: 100_000 })
      receiver.answer(OtlpReceiver.status(503))
      endSpans(pipeline.receiver, ...namesOf("a", 20))
      assert.deepInclude(values(), {
        "otel.sdk.processor.span.queue.size": 20,
        "otel.sdk.processor.span.processed": 0,
        "otel.sdk.exporter.span.inflight": 0,
        "effect_telemetry.exporter.unreachable": 0
      })
      yield* Effect.promise(() => pipeline.flush(100))
      // Tried and to be tried again: handed over, and not done with.
      assert.deepInclude(values(), {
        "otel.sdk.processor.span.queue.size": 0,
        "otel.sdk.processor.span.processed": 20,
        "otel.sdk.exporter.span.inflight": 20,
        "otel.sdk.exporter.span.exported": 0,
        "effect_telemetry.exporter.unreachable": 1
      })
      assert.isUndefined(values()["otel.sdk.exporter.operation.duration"])
      receiver.answer(OtlpReceiver.partial(3, "three are odd"))
      yield* Effect.promise(() => pipeline.flush(5_000))
      assert.deepInclude(values(), {
        "otel.sdk.processor.span.processed": 20,
        "otel.sdk.exporter.span.inflight": 0,
        "otel.sdk.exporter.span.exported": 17,
        "otel.sdk.exporter.span.exported rejected": 3,
        "otel.sdk.exporter.operation.duration rejected": 1,
        "effect_telemetry.exporter.unreachable": 0
      })
    }).pipe(Effect.scoped)
  )

  it.live("every span that ended is in one place, whatever happens to it", () =>
    Effect.gen(function* () {
      const { pipeline, receiver, values } = yield* watched({ maxExportBatchSize: 10, maxQueueSize: 50 })
      const answers = [
        OtlpReceiver.ok,
        OtlpReceiver.status(400),
        OtlpReceiver.status(503),
        OtlpReceiver.partial(2, "odd"),
        OtlpReceiver.status(413),
        OtlpReceiver.reset
      ]
      receiver.answer((exchange) => answers[exchange.request.index % answers.length]!(exchange))
      const before: Record<string, number> = {}
      for (let round = 0; round < 40; round++) {
        endSpans(pipeline.receiver, ...namesOf(`r${round}`, 25))
        if (round % 4 === 0) yield* Effect.sleep("5 millis")
        const now = values()
        const sum = (prefix: string) =>
          Object.entries(now).reduce((total, [name, value]) => (name.startsWith(prefix) ? total + value : total), 0)
        const processed = sum("otel.sdk.processor.span.processed")
        assert.strictEqual(processed + now["otel.sdk.processor.span.queue.size"]!, 25 * (round + 1))
        const handed = sum("otel.sdk.exporter.span.exported") + now["otel.sdk.exporter.span.inflight"]!
        assert.strictEqual(handed, now["otel.sdk.processor.span.processed"])
        for (const [name, value] of Object.entries(now)) {
          if (!/processed|exported|duration/.test(name)) continue
          assert.isAtLeast(value, before[name] ?? 0, `${name} never goes down`)
          before[name] = value
        }
      }
    }).pipe(Effect.scoped)
  )

  it.live("a full queue, and the end of the pipeline, say what they cost, also afterwards", () =>
    Effect.gen(function* () {
      const context = emptyContext()
      const outlived = yield* Effect.gen(function* () {
        const { pipeline, receiver } = yield* watched({ maxExportBatchSize: 10, maxQueueSize: 30 })
        receiver.answer(OtlpReceiver.hang)
        yield* Metrics.register(pipeline.observed).pipe(Effect.provideContext(context))
        // The end of the scope ends the pipeline first.
        yield* Effect.addFinalizer(() => Effect.promise(() => pipeline.shutdown(10)))
        for (let i = 0; i < 10; i++) {
          endSpans(pipeline.receiver, ...namesOf(`r${i}`, 10))
          yield* Effect.sleep("2 millis")
        }
        yield* Effect.promise(() => receiver.requestsReceived(1))
        assert.strictEqual(read(context)["otel.sdk.processor.span.queue.capacity"], 30)
        return pipeline
      }).pipe(Effect.scoped)
      const values = read(context)
      const { dropped } = outlived.status()
      const lost = values["otel.sdk.processor.span.processed queue_full"]!
      assert.isAbove(lost, 0)
      assert.strictEqual(lost + values["otel.sdk.exporter.span.exported queue_full"]!, dropped.queue_full)
      assert.strictEqual(
        values["otel.sdk.processor.span.processed shutdown"]! + values["otel.sdk.exporter.span.exported shutdown"]!,
        dropped.shutdown
      )
      assert.strictEqual(dropped.queue_full! + dropped.shutdown!, 100)
      assert.strictEqual(values["otel.sdk.processor.span.queue.size"], 0)
      endSpans(outlived.receiver, "too late")
      assert.strictEqual(read(context)["otel.sdk.processor.span.processed already_shutdown"], 1)
    })
  )

  it.live("tail decisions are told by reason", () =>
    Effect.gen(function* () {
      const { pipeline, values } = yield* watched({
        tail: { keepErrors: true, rules: [{ name: "odd", keep: (trace) => trace.root?.name === "odd" }] }
      })
      for (const [name, statusCode] of [
        ["fine", 0],
        ["broken", 2],
        ["odd", 0],
        ["fine too", 0]
      ] as const) {
        const span = makeEnded({ name, statusCode, sampled: false })
        pipeline.receiver.started?.(span)
        pipeline.receiver.ended(span)
      }
      assert.deepInclude(values(), {
        "otel.sdk.span.started RECORD_ONLY": 4,
        "otel.sdk.span.started RECORD_AND_SAMPLE": 0,
        "effect_telemetry.tail.kept error": 1,
        "effect_telemetry.tail.kept rule:odd": 1,
        "effect_telemetry.tail.not_kept": 2,
        "effect_telemetry.tail.held": 0
      })
    }).pipe(Effect.scoped)
  )

  it.live("spans that nobody keeps are counted too", () =>
    Effect.gen(function* () {
      const { pipeline, values } = yield* watched({})
      const dropped = Effect.void.pipe(withSpan("child"), Effect.withSpan("plain child"), withSpan("root"))
      yield* Effect.provide(dropped, Tracer.layer({ receiver: pipeline.receiver, sampler: Sampler.alwaysOff }))
      assert.deepInclude(values(), {
        "otel.sdk.span.started DROP": 3,
        "otel.sdk.span.started RECORD_ONLY": 0,
        "otel.sdk.span.started RECORD_AND_SAMPLE": 0
      })
    }).pipe(Effect.scoped)
  )

  it.live("series say what they count and where: unit, component, server, and nothing of credentials", () =>
    Effect.gen(function* () {
      const { context, receiver } = yield* watched({ endpoint: "http://user:secret@[::1]:4318/v1/traces?key=secret" })
      assert.isDefined(receiver)
      const [inflight] = series(context, "otel.sdk.exporter.span.inflight")
      assert.deepStrictEqual(inflight!.attributes, {
        "otel.component.name": "otlp_http_span_exporter/0",
        "otel.component.type": "otlp_http_span_exporter",
        "server.address": "::1",
        "server.port": "4318",
        unit: "{span}"
      })
      const [queue] = series(context, "otel.sdk.processor.span.queue.size")
      assert.deepInclude(queue!.attributes, { "otel.component.name": "batching_span_processor/0" })
      assert.notInclude(JSON.stringify(Metric.snapshotUnsafe(context)), "secret")
    }).pipe(Effect.scoped)
  )

  it.live("pipelines side by side are told apart, and one that comes later takes the place of one that has gone", () =>
    Effect.gen(function* () {
      const context = emptyContext()
      const run = (count: number) =>
        Effect.gen(function* () {
          const pipeline = Pipeline.fromExporter(new InMemorySpanExporter(), { toReadable: () => ({}) as never })
          yield* Metrics.register(pipeline.observed).pipe(Effect.provideContext(context))
          endSpans(pipeline.receiver, ...namesOf("s", count))
          return pipeline
        })
      const sizes = () =>
        Object.fromEntries(
          series(context, "otel.sdk.processor.span.queue.size").map(({ attributes, state }) => [
            attributes!["otel.component.name"],
            "value" in state ? state.value : undefined
          ])
        )
      yield* Effect.gen(function* () {
        yield* run(1)
        yield* run(2)
        assert.deepStrictEqual(sizes(), { "batching_span_processor/0": 1, "batching_span_processor/1": 2 })
        const types = series(context, "otel.sdk.exporter.span.inflight").map(
          ({ attributes }) => attributes!["otel.component.type"]
        )
        assert.deepStrictEqual(types, ["InMemorySpanExporter", "InMemorySpanExporter"])
      }).pipe(Effect.scoped)
      yield* run(3)
      assert.deepStrictEqual(sizes(), { "batching_span_processor/0": 3, "batching_span_processor/1": 2 })
    }).pipe(Effect.scoped)
  )

  it.live("an application sees them in its own snapshot; where tracing is off there are none", () =>
    Effect.gen(function* () {
      const collector = yield* OtlpReceiver.scoped()
      const context = emptyContext()
      const program = Effect.gen(function* () {
        yield* Effect.void.pipe(Effect.withSpan("child"), Effect.withSpan("parent"))
        yield* Effect.gen(function* () {
          yield* Telemetry.flush()
          return read(yield* Effect.context<never>())
        }).pipe(
          Effect.withSpan("open"),
          Effect.tap((values) =>
            Effect.sync(() =>
              assert.deepInclude(values, {
                "otel.sdk.span.started RECORD_AND_SAMPLE": 3,
                "otel.sdk.span.live RECORD_AND_SAMPLE": 1,
                "otel.sdk.exporter.span.exported": 2,
                "otel.sdk.exporter.operation.duration": 1
              })
            )
          )
        )
      })
      const settings = { endpoint: collector.endpoint, flushOnSignals: false, logs: "off" } as const
      const quiet = Layer.provide(Logger.layer([]))
      yield* program.pipe(
        Effect.provide(Telemetry.layer({ enabled: true, ...settings }).pipe(quiet)),
        Effect.provideContext(context)
      )
      assert.deepInclude(read(context), {
        "otel.sdk.span.live RECORD_AND_SAMPLE": 0,
        "otel.sdk.exporter.span.exported": 3
      })
      const off = emptyContext()
      yield* Effect.void.pipe(
        Effect.provide(Telemetry.layer({ enabled: false, ...settings }).pipe(quiet)),
        Effect.provideContext(off)
      )
      assert.deepStrictEqual(read(off), {})
    }).pipe(Effect.scoped)
  )

  it("docs/metrics.md lists each, with its kind and unit, and no other", () => {
    const text = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8")
    const listed = [...text.matchAll(/^\| `((?:otel|effect_telemetry)\.[\w.]+)` +\| (\w+) +\| `([^`]+)`/gm)].map(
      ([, name, type, unit]) => `${name} ${type} ${unit}`
    )
    const made = Object.entries(Metrics.families).map(([name, { type, unit }]) => `${name} ${type} ${unit}`)
    assert.deepStrictEqual(listed.sort(), made.sort())
  })
})
