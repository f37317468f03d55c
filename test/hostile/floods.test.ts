/** Floods from within the process: what is held is bounded, and what is dropped is counted. */
import { assert, describe, it } from "@effect/vitest"
import * as Otel from "@opentelemetry/api"
import * as Effect from "effect/Effect"
import * as Tracer from "effect/Tracer"
import * as Pipeline from "../../src/export/Pipeline.ts"
import * as Correlation from "../../src/propagation/Correlation.ts"
import * as Limits from "../../src/tracer/Limits.ts"
import * as Sampler from "../../src/tracer/Sampler.ts"
import { TelemetrySpan } from "../../src/tracer/Span.ts"
import * as TraceAttributes from "../../src/tracer/TraceAttributes.ts"
import * as OurTracer from "../../src/tracer/Tracer.ts"
import { withSpan } from "../../src/tracer/withSpan.ts"
import { hang, OtlpReceiver } from "../support/OtlpReceiver.ts"
import { leaving } from "./support.ts"

const million = 1_000_000
const {
  arrayLength,
  attributeCount,
  attributeCountPerEvent,
  attributeCountPerLink,
  eventCount,
  linkCount,
  valueLength
} = Limits.defaults

const remote = (i: number): Tracer.ExternalSpan =>
  Tracer.externalSpan({
    traceId: (i + 1).toString(16).padStart(32, "0"),
    spanId: (i + 1).toString(16).padStart(16, "0"),
    sampled: true
  })

const link = (i: number, attributes: Record<string, unknown> = {}): Tracer.SpanLink => ({ span: remote(i), attributes })

describe("one span", () => {
  it.live("keeps as many attributes, events and links as it may, and counts the others", () =>
    Effect.gen(function* () {
      const few = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, i]))
      const links = Array.from({ length: million }, (_, i) => link(i))
      const held: Array<number> = []
      const program = Effect.gen(function* () {
        const span = (yield* Effect.currentSpan) as TelemetrySpan
        for (let i = 0; i < million; i++) span.attribute(`k${i}`, i)
        for (let i = 0; i < million; i++) span.event(`e${i}`, 0n, i >= million - 2 ? few : undefined)
        span.addLinks([link(0, few)])
        span.addLinks(links)
        held.push(span.attributeKeys.length, span.rawEvents!.length, span.links.length)
      }).pipe(Effect.withSpan("flooded"))
      const left = yield* leaving(program)
      assert.deepStrictEqual(held, [attributeCount, eventCount, linkCount])
      const span = left.spans[0]!
      assert.strictEqual(span.attributeKeys.length, attributeCount)
      assert.strictEqual(span.droppedAttributesCount, million - attributeCount)
      assert.strictEqual(span.events.length, eventCount)
      // The oldest give way.
      assert.strictEqual(span.events.at(-1)!.name, `e${million - 1}`)
      assert.strictEqual(span.droppedEventsCount, million - eventCount)
      assert.strictEqual(Object.keys(span.events.at(-1)!.attributes).length, attributeCountPerEvent)
      assert.strictEqual(span.events.at(-1)!.droppedAttributesCount, 1000 - attributeCountPerEvent)
      assert.strictEqual(span.links.length, linkCount)
      assert.strictEqual(span.droppedLinksCount, million + 1 - linkCount)
      assert.strictEqual(Object.keys(span.links[0]!.attributes).length, attributeCountPerLink)
      assert.strictEqual(span.links[0]!.droppedAttributesCount, 1000 - attributeCountPerLink)
    }).pipe(Effect.scoped)
  )

  it.live("the same where they are given at once, and through OpenTelemetry's API", () =>
    Effect.gen(function* () {
      const links = Array.from({ length: million }, (_, i) => link(i))
      const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, i]))
      const program = Effect.gen(function* () {
        yield* Effect.void.pipe(withSpan("at once", { attributes: many, links }))
        yield* Effect.void.pipe(withSpan("lazily", { attributes: () => many }))
        yield* Effect.void.pipe(Effect.withSpan("of Effect", { attributes: many, links }))
        yield* Effect.sync(() => {
          const span = Otel.trace.getTracer("library").startSpan("of OpenTelemetry", { attributes: many as never })
          const context = span.spanContext()
          span.addLinks(Array.from({ length: 100_000 }, () => ({ context })))
          for (let i = 0; i < 100_000; i++) span.addEvent("e")
          span.end()
        })
      })
      const left = yield* leaving(program)
      for (const span of left.spans) {
        assert.strictEqual(span.attributeKeys.length, attributeCount, span.name)
        if (span.name === "lazily") continue
        assert.strictEqual(span.droppedAttributesCount, 100_000 - attributeCount, span.name)
        assert.strictEqual(span.links.length, linkCount, span.name)
        const given = span.name === "of OpenTelemetry" ? 100_000 : million
        assert.strictEqual(span.droppedLinksCount, given - linkCount, span.name)
      }
      assert.strictEqual(left.spans.length, 4)
    }).pipe(Effect.scoped)
  )

  it.live("a value is no longer than its limit, in lists and deep inside, and neither is a name", () =>
    Effect.gen(function* () {
      const long = "é".repeat(100_000)
      const program = Effect.void.pipe(
        withSpan(long, {
          attributes: {
            text: long,
            list: Array.from({ length: 2000 }, () => long.slice(0, 10_000)),
            object: Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, long])),
            map: new Map([[long, long]])
          }
        })
      )
      const left = yield* leaving(program)
      const { attributes, name } = left.spans[0]!
      assert.strictEqual(name.length, valueLength)
      assert.strictEqual((attributes["text"] as string).length, valueLength)
      const list = attributes["list"] as ReadonlyArray<string>
      assert.strictEqual(list.length, arrayLength)
      assert.isTrue(list.every((text) => text.length === valueLength))
      assert.isAtMost((attributes["object"] as string).length, valueLength)
      assert.isAtMost((attributes["map"] as string).length, valueLength)
    }).pipe(Effect.scoped)
  )

  it.effect("a request's attributes are few, whatever is set", () =>
    Effect.gen(function* () {
      const holder = TraceAttributes.make()
      for (let i = 0; i < million; i++) holder.set(`k${i}`, i)
      assert.strictEqual(holder.size, TraceAttributes.MaximumKeys)
      assert.isFalse(holder.set("one more", 1))
      assert.isTrue(holder.set("k0", 2))
      const refused = yield* Effect.flip(
        Correlation.setUser({ userId: "u".repeat(million) }).pipe(
          Effect.provideService(TraceAttributes.Current, holder)
        )
      )
      assert.isAtMost(refused.value.length, 64)
    })
  )
})

/** A pipeline behind our tracer, towards a collector that takes what it is sent and never answers. */
const behindHang = (options: Partial<Pipeline.PipelineOptions>, sampler?: Sampler.Sampler) =>
  Effect.gen(function* () {
    const receiver = yield* Effect.acquireRelease(
      Effect.promise(() => OtlpReceiver.make()),
      (receiver) => Effect.promise(() => receiver.close())
    )
    receiver.answer(hang)
    const pipeline = yield* Effect.acquireRelease(
      Effect.sync(() =>
        Pipeline.make({
          endpoint: receiver.url,
          resource: { attributes: {} },
          scope: { name: "flood" },
          scheduleDelayMillis: 10,
          ...options
        })
      ),
      (pipeline) => Effect.promise(() => pipeline.shutdown(0))
    )
    const tracer = yield* OurTracer.scoped({
      receiver: pipeline.receiver,
      interoperation: false,
      ...(sampler === undefined ? undefined : { sampler })
    })
    return { pipeline, tracer }
  })

const accountedFor = (status: Pipeline.Status): number =>
  status.exported + status.droppedTotal + status.queued + status.inFlight + status.held + status.notKept

describe("many spans", () => {
  it.live("wait within a number of bytes where nobody takes them, and are all accounted for", () =>
    Effect.gen(function* () {
      const maxQueueBytes = 1024 * 1024
      const maxExportBatchBytes = 128 * 1024
      const { pipeline, tracer } = yield* behindHang({ maxQueueBytes, maxExportBatchBytes, maxConcurrentExports: 2 })
      const body = "x".repeat(1000)
      let most = 0
      const one = Effect.void.pipe(withSpan("flood", { attributes: { body } }))
      const some = Effect.repeat(one, { times: 999 }).pipe(
        Effect.andThen(
          Effect.sync(() => {
            most = Math.max(most, pipeline.status().queuedBytes)
          })
        ),
        Effect.andThen(Effect.sleep(0))
      )
      yield* Effect.repeat(some, { times: 49 }).pipe(Effect.provideService(Tracer.Tracer, tracer))
      yield* Effect.sleep(50)
      const status = pipeline.status()
      assert.strictEqual(status.ended, 50_000)
      assert.strictEqual(accountedFor(status), 50_000)
      assert.isAbove(status.dropped.queue_full ?? 0, 40_000)
      // The queue, and the batch that fills.
      assert.isAtMost(most, maxQueueBytes + 2 * maxExportBatchBytes)
    }).pipe(Effect.scoped)
  )

  it.live("wait for a decision within a number of spans and of bytes", () =>
    Effect.gen(function* () {
      const tail = { keepErrors: true, maxSpans: 1000, maxBytes: 500_000 }
      const { pipeline, tracer } = yield* behindHang({ tail }, Sampler.alwaysOff)
      const body = "x".repeat(1000)
      let most = 0
      const child = Effect.void.pipe(
        withSpan("child", { attributes: { body } }),
        Effect.andThen(
          Effect.sync(() => {
            most = Math.max(most, pipeline.status().held)
          })
        )
      )
      // One trace of many spans, and many traces of a few: their roots do not end meanwhile.
      yield* Effect.all(
        [
          Effect.repeat(child, { times: 19_999 }).pipe(withSpan("long")),
          ...Array.from({ length: 500 }, () => Effect.repeat(child, { times: 9 }).pipe(withSpan("short")))
        ],
        { concurrency: "unbounded" }
      ).pipe(Effect.provideService(Tracer.Tracer, tracer))
      const status = pipeline.status()
      assert.isAtMost(most, 1000)
      // A thousand spans of a kilobyte and a half are more than half a megabyte: bytes bound them first.
      assert.isAbove(most, 100)
      assert.isBelow(most, 500)
      assert.isAbove(status.decidedEarly, 0)
      assert.strictEqual(accountedFor(status), status.ended)
      assert.strictEqual(status.notKept, status.ended)
    }).pipe(Effect.scoped)
  )

  it.live("of one chain, ten thousand deep: each has its parent, and the trace goes on", () =>
    Effect.gen(function* () {
      const depth = 10_000
      let program: Effect.Effect<unknown> = Effect.map(
        Effect.currentSpan,
        (span) => span.traceId
      ) as Effect.Effect<unknown>
      for (let i = 0; i < depth; i++) program = withSpan(`s${i}`)(program)
      const left = yield* leaving(program)
      assert.strictEqual(left.spans.length, depth)
      assert.strictEqual(new Set(left.spans.map((span) => span.traceId)).size, 1)
      const ids = new Set(left.spans.map((span) => span.spanId))
      assert.strictEqual(left.spans.filter((span) => ids.has(span.parentSpanId)).length, depth - 1)
      // The console holds what it may of one trace, and says of how many it does not.
      assert.isBelow(left.ways["console tree"]!.length, 1_000_000)
      assert.include(left.ways["console tree"]!.toString(), "more")
    }).pipe(Effect.scoped)
  )
})
