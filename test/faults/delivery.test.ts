import { context, trace } from "@opentelemetry/api"
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks"
import { BasicTracerProvider, type ReadableSpan } from "@opentelemetry/sdk-trace-base"
import { describe, expect, it } from "@effect/vitest"
import * as diagnosticsChannel from "node:diagnostics_channel"
import { fromReadableSpan } from "../../src/export/ForeignSpan.ts"
import {
  closingAfter,
  collectorTooLarge,
  endless,
  garbage,
  hang,
  notHttp,
  ok,
  partial,
  refusing,
  reset,
  slow,
  status,
  tooLargeAbove
} from "../support/OtlpReceiver.ts"
import { fakeTiming } from "../export/FakeTiming.ts"
import { endSpans, makeEnded, namesOf } from "../export/support.ts"
import type { PipelineOptions } from "../../src/export/Pipeline.ts"
import { accountedFor, closeAfterEach, pipelineTo, receive, runChild, until } from "./support.ts"

closeAfterEach()

describe("Delivery", () => {
  it("an outage by 503 loses nothing", async () => {
    const receiver = await receive()
    const pipeline = pipelineTo(receiver)
    receiver.answer(status(503))
    endSpans(pipeline.receiver, ...namesOf("before", 100))
    await receiver.requestsReceived(3)
    receiver.answer(ok)
    endSpans(pipeline.receiver, ...namesOf("after", 100))
    await receiver.spansReceived(200)
    expect(new Set(receiver.spanNames())).toEqual(new Set([...namesOf("before", 100), ...namesOf("after", 100)]))
    expect(pipeline.said.messages()).toEqual([
      expect.stringMatching(/takes no spans: HTTP 503, "refused by the test"/),
      expect.stringContaining("takes spans again")
    ])
    await until(() => pipeline.status().exported === 200, "200 exported")
    expect(pipeline.status()).toMatchObject({ droppedTotal: 0, reachable: true })
  })

  it("a collector that dies and returns on its port loses nothing", async () => {
    const receiver = await receive()
    const pipeline = pipelineTo(receiver)
    endSpans(pipeline.receiver, "a")
    await receiver.spansReceived(1)
    await receiver.die()
    endSpans(pipeline.receiver, "b")
    await until(() => pipeline.status().reachable === false, "the outage to be noticed")
    endSpans(pipeline.receiver, "c")
    await receiver.comeBack()
    await receiver.spansReceived(3)
    expect(receiver.spanNames()).toEqual(["a", "b", "c"])
  })

  it.each([400, 401, 404, 500, 501, 301])("a %i costs its own batch and no other", async (code) => {
    const receiver = await receive()
    const pipeline = pipelineTo(receiver)
    receiver.next(status(code, { message: "bad tenant" }))
    endSpans(pipeline.receiver, "lost")
    await receiver.requestsReceived(1)
    endSpans(pipeline.receiver, "kept")
    await receiver.spansReceived(1)
    expect(receiver.spanNames()).toEqual(["kept"])
    await until(() => pipeline.status().exported === 1, "one exported")
    expect(pipeline.status()).toMatchObject({ dropped: { refused: 1 }, droppedTotal: 1, reachable: true })
    expect(pipeline.said.lines[0]).toMatchObject({
      level: "error",
      message: expect.stringContaining(`refused spans for good: HTTP ${code}, "bad tenant"`)
    })
  })

  it.each([429, 502, 503, 504])("a %i is tried again", async (code) => {
    const receiver = await receive()
    const pipeline = pipelineTo(receiver)
    receiver.next(status(code, { body: "<html>Bad gateway</html>" }), status(code))
    endSpans(pipeline.receiver, "a")
    await receiver.spansReceived(1)
    expect(receiver.requests.map((request) => request.answered).slice(0, 2)).toEqual([code, code])
  })

  it.each([
    ["resets", reset],
    ["hangs", hang],
    ["speaks no HTTP", notHttp],
    ["closes its connections unasked", closingAfter(status(503))]
  ])("a collector that %s once loses nothing, and the next batch starts clean", async (_, answer) => {
    const receiver = await receive()
    const pipeline = pipelineTo(receiver, { timeoutMillis: 200 })
    receiver.next(answer)
    endSpans(pipeline.receiver, "a")
    await receiver.requestsReceived(1)
    endSpans(pipeline.receiver, "b")
    await until(() => receiver.spanIds().size === 2, "both spans")
    expect(pipeline.status().droppedTotal).toBe(0)
  })

  it("a partial success counts what was rejected, and says why once", async () => {
    for (const protocol of ["http/protobuf", "http/json"] as const) {
      const receiver = await receive()
      receiver.answer(partial(1, "span too old"))
      const pipeline = pipelineTo(receiver, { protocol })
      endSpans(pipeline.receiver, "a", "b")
      await receiver.spansReceived(2)
      endSpans(pipeline.receiver, "c", "d")
      await receiver.spansReceived(4)
      await until(() => pipeline.status().exported === 2, "two exported")
      expect(pipeline.status().dropped).toEqual({ rejected: 2 })
      expect(pipeline.said.lines).toHaveLength(1)
      expect(pipeline.said.lines[0]!.message).toContain('"span too old"')
    }
  })

  it.each([
    ["garbage", garbage],
    ["a body that never ends", endless]
  ])("a 200 with %s is a 200", async (_, answer) => {
    const receiver = await receive()
    receiver.answer(answer)
    const pipeline = pipelineTo(receiver, { timeoutMillis: 200 })
    endSpans(pipeline.receiver, "a")
    await until(() => pipeline.status().exported === 1, "the span to be counted")
    expect(pipeline.status().droppedTotal).toBe(0)
  })

  it("a collector that never answers: memory, connections and timers stay bounded", async () => {
    const receiver = await receive()
    receiver.answer(hang)
    const pipeline = pipelineTo(receiver, { maxQueueBytes: 1_000_000, timeoutMillis: 60_000 })
    const text = "x".repeat(200)
    for (let i = 0; i < 50_000; i++) {
      pipeline.receiver.ended(makeEnded({ attributeKeys: ["text"], attributeValues: [text] }))
      if (i % 500 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await receiver.requestsReceived(1)
    const status = pipeline.status()
    expect(status.queuedBytes).toBeLessThanOrEqual(1_000_000 + 1024 * 1024)
    expect(status.dropped.queue_full).toBeGreaterThan(10_000)
    expect(accountedFor(status)).toBe(50_000)
    expect(receiver.connections).toBe(1)
    expect(process.getActiveResourcesInfo().filter((name) => name === "Timeout").length).toBeLessThan(10)
    expect(pipeline.said.messages()).toEqual([expect.stringContaining("is full, the oldest spans are dropped")])
  })

  it("flush and shutdown wait for what is in flight and what is queued", async () => {
    const receiver = await receive()
    receiver.answer(slow(300))
    const pipeline = pipelineTo(receiver, { scheduleDelayMillis: 60_000 })
    endSpans(pipeline.receiver, "a")
    expect(await pipeline.flush(5_000)).toEqual({ complete: true, exported: 1, dropped: 0, waiting: 0 })
    expect(receiver.spanNames()).toEqual(["a"])
    endSpans(pipeline.receiver, "b")
    void pipeline.flush(5_000)
    endSpans(pipeline.receiver, "c")
    expect(await pipeline.shutdown(5_000)).toMatchObject({ complete: true, waiting: 0 })
    expect(receiver.spanNames().sort()).toEqual(["a", "b", "c"])
    expect(await pipeline.flush(1_000)).toMatchObject({ complete: true })
  })

  it("a flush has its own limit, whatever Retry-After says", async () => {
    const receiver = await receive()
    receiver.answer(status(429, { retryAfter: 60 }))
    const pipeline = pipelineTo(receiver)
    endSpans(pipeline.receiver, "a")
    await receiver.requestsReceived(1)
    const start = performance.now()
    expect(await pipeline.flush(300)).toEqual({ complete: false, exported: 0, dropped: 0, waiting: 1 })
    expect(performance.now() - start).toBeLessThan(5_000)
    expect(receiver.requests).toHaveLength(1)
  })

  it.each([
    ["seconds", () => "60"],
    ["a date", (now: number) => new Date(now + 60_000).toUTCString()]
  ])("Retry-After as %s is waited for", async (_, header) => {
    const timing = fakeTiming()
    const receiver = await receive()
    // The wall clock of the pipeline, to the second, as HTTP dates are.
    receiver.answer(status(503, { retryAfter: header(timing.date()) }))
    const pipeline = pipelineTo(receiver, { timing })
    endSpans(pipeline.receiver, "a")
    timing.advance(20)
    await until(() => pipeline.status().reachable === false, "the refusal")
    receiver.answer(ok)
    timing.advance(58_000)
    await timing.settle()
    expect(receiver.requests).toHaveLength(1)
    timing.advance(2_000)
    await receiver.spansReceived(1)
  })

  it.each(["0", "-5", "1, 2", "Thu, 01 Jan 1970 00:00:00 GMT"])(
    "a collector that is busy and says Retry-After: %s is not asked over and over",
    async (header) => {
      const timing = fakeTiming()
      const receiver = await receive()
      receiver.answer(status(429, { retryAfter: header }))
      const pipeline = pipelineTo(receiver, { timing, retryMinMillis: 500 })
      endSpans(pipeline.receiver, "a")
      timing.advance(20)
      await until(() => pipeline.status().reachable === false, "the refusal")
      timing.advance(240)
      await timing.settle()
      expect(receiver.requests).toHaveLength(1)
      receiver.answer(ok)
      timing.advance(300)
      await receiver.spansReceived(1)
    }
  )

  it("a burst of 10,000 in one tick arrives whole, in as few requests as the limits allow", async () => {
    const receiver = await receive()
    const text = "x".repeat(200)
    const burst = async (options: Partial<PipelineOptions>) => {
      receiver.requests.length = 0
      const pipeline = pipelineTo(receiver, options)
      for (let i = 0; i < 10_000; i++) {
        pipeline.receiver.ended(makeEnded({ attributeKeys: ["text"], attributeValues: [text] }))
      }
      await pipeline.shutdown(10_000)
      const spans = receiver.requests.map((request) => request.traces!.spans.length)
      return { bytes: receiver.requests.map((request) => request.bytes), spans, total: spans.reduce((a, b) => a + b) }
    }
    const bySize = await burst({})
    expect(bySize.total).toBe(10_000)
    expect(Math.max(...bySize.bytes)).toBeLessThan(1024 * 1024)
    expect(bySize.spans.length).toBe(Math.ceil(bySize.bytes.reduce((a, b) => a + b) / (960 * 1024)))
    const counted = await burst({ maxExportBatchSize: 512 })
    expect([counted.total, counted.spans.length, Math.max(...counted.spans)]).toEqual([10_000, 20, 512])
    const queued = await burst({ maxQueueSize: 10_000 })
    expect([queued.total, Math.max(...queued.spans)]).toEqual([10_000, 512])
  })

  it.each([400, 422, 500])("a span for which a large batch is refused with %i costs 512 at most", async (code) => {
    const receiver = await receive()
    receiver.answer(refusing("bad", code))
    const pipeline = pipelineTo(receiver)
    endSpans(pipeline.receiver, ...namesOf("a", 3_000), "bad", ...namesOf("b", 2_000))
    const { complete, dropped, exported } = await pipeline.flush(10_000)
    expect([complete, exported + dropped]).toEqual([true, 5_001])
    expect(dropped).toBeLessThanOrEqual(512)
    expect(receiver.spanIds().size).toBe(exported)
    expect(pipeline.status().dropped).toEqual({ refused: dropped })
    expect(pipeline.said.lines.map(({ fields }) => fields)).toEqual([{ refused: dropped, refusedInAll: dropped }])
  })

  it("a large batch is not sent in parts for a refusal that is not about what it holds", async () => {
    const receiver = await receive()
    receiver.answer(status(401))
    const pipeline = pipelineTo(receiver)
    endSpans(pipeline.receiver, ...namesOf("a", 2_000))
    expect(await pipeline.flush(10_000)).toMatchObject({ complete: true, exported: 0, dropped: 2_000 })
    expect(receiver.requests).toHaveLength(1)
  })

  it("a collector that refuses everything is not asked about every part", async () => {
    const receiver = await receive()
    receiver.answer(status(400))
    const pipeline = pipelineTo(receiver)
    for (let i = 0; i < 10; i++) {
      endSpans(pipeline.receiver, ...namesOf(String(i), 4_000))
      expect(await pipeline.flush(10_000)).toMatchObject({ complete: true, exported: 0, dropped: 4_000 })
    }
    expect(receiver.requests.length).toBeLessThan(30)
    receiver.answer(ok)
    endSpans(pipeline.receiver, "after")
    expect(await pipeline.flush(10_000)).toMatchObject({ complete: true, exported: 1, dropped: 0 })
  })

  it("an explicit queue size is kept, and what it costs is counted", async () => {
    const receiver = await receive()
    receiver.answer(hang)
    const pipeline = pipelineTo(receiver, { maxQueueSize: 2_048 })
    endSpans(pipeline.receiver, ...namesOf("burst", 10_000))
    await receiver.requestsReceived(1)
    const state = pipeline.status()
    expect(state.queued).toBeLessThanOrEqual(2_048 + 512)
    expect(accountedFor(state)).toBe(10_000)
  })

  it.each([
    ["413", undefined],
    ["the Collector's 400", collectorTooLarge]
  ])(
    "what is too large (%s) is halved and resent; only the span that is too large alone is dropped, and named",
    async (_, refusal) => {
      for (const protocol of ["http/protobuf", "http/json"] as const) {
        const receiver = await receive()
        receiver.answer(tooLargeAbove(100_000, ok, refusal))
        const pipeline = pipelineTo(receiver, { protocol })
        const spanOf = (name: string, bytes: number) =>
          makeEnded({ name, attributeKeys: ["text"], attributeValues: ["x".repeat(bytes)] })
        for (let i = 0; i < 40; i++) pipeline.receiver.ended(spanOf(`s${i}`, 10_000))
        pipeline.receiver.ended(spanOf("huge", 200_000))
        await pipeline.flush(10_000)
        expect(new Set(receiver.spanNames())).toEqual(new Set(Array.from({ length: 40 }, (_, i) => `s${i}`)))
        expect(pipeline.status().dropped).toEqual({ too_large: 1 })
        expect(pipeline.said.messages()).toEqual([expect.stringContaining('the span "huge" alone is too large')])
        // It has learnt: the next batch is small enough at once.
        const before = receiver.requests.length
        for (let i = 0; i < 40; i++) pipeline.receiver.ended(spanOf(`t${i}`, 10_000))
        await pipeline.flush(10_000)
        expect(receiver.requests.slice(before).every((request) => request.answered === 200)).toBe(true)
      }
    }
  )

  it("batches are limited by bytes as well as by spans", async () => {
    const receiver = await receive()
    const pipeline = pipelineTo(receiver)
    const text = "x".repeat(50_000)
    for (let i = 0; i < 512; i++) {
      pipeline.receiver.ended(makeEnded({ name: `s${i}`, attributeKeys: ["text"], attributeValues: [text] }))
    }
    await pipeline.flush(20_000)
    expect(receiver.spanIds().size).toBe(512)
    expect(Math.max(...receiver.requests.map((request) => request.bytes))).toBeLessThan(1024 * 1024 + 1_000)
  })

  it("one NaN among ten spans: ten arrive", async () => {
    for (const protocol of ["http/protobuf", "http/json"] as const) {
      const receiver = await receive()
      const pipeline = pipelineTo(receiver, { protocol })
      endSpans(pipeline.receiver, ...namesOf("s", 9))
      pipeline.receiver.ended(makeEnded({ name: "nan", attributeKeys: ["ratio"], attributeValues: [NaN] }))
      await receiver.spansReceived(10)
      expect(receiver.requests[0]!.malformed).toBe(undefined)
      expect(receiver.spans[9]!.attributes).toEqual({ ratio: NaN })
    }
  })

  it("a span that cannot be encoded, or whose sealing throws, costs itself alone", async () => {
    const receiver = await receive()
    const pipeline = pipelineTo(receiver)
    pipeline.receiver.ended(makeEnded({ name: "a" }))
    pipeline.receiver.ended({
      ...makeEnded({ name: "broken" }),
      seal: () => {
        throw new Error("no")
      }
    })
    pipeline.receiver.ended(makeEnded({ name: "odd", events: undefined as never }))
    pipeline.receiver.ended(makeEnded({ name: "b" }))
    await pipeline.flush(5_000)
    expect(receiver.spanNames()).toEqual(["a", "b"])
    expect(pipeline.status().dropped).toEqual({ unencodable: 2 })
  })

  it("gzip works with every request", async () => {
    const receiver = await receive()
    const pipeline = pipelineTo(receiver, { compression: "gzip" })
    for (const name of ["a", "b", "c"]) {
      endSpans(pipeline.receiver, name)
      await pipeline.flush(5_000)
    }
    expect(receiver.spanNames()).toEqual(["a", "b", "c"])
    expect(receiver.requests.map((request) => request.headers["content-encoding"])).toEqual(["gzip", "gzip", "gzip"])
  })

  it("a batch that one span makes fail: the others arrive, that span waits", async () => {
    const receiver = await receive()
    receiver.answer(refusing("bad", 503))
    const pipeline = pipelineTo(receiver, { retryMaxMillis: 100 })
    endSpans(pipeline.receiver, "a", "bad", "b")
    await receiver.requestsReceived(1)
    endSpans(pipeline.receiver, "c")
    await until(() => receiver.spanIds().size === 3, "the good spans")
    endSpans(pipeline.receiver, "d")
    await until(() => receiver.spanIds().size === 4, "later spans")
    expect(pipeline.status()).toMatchObject({ droppedTotal: 0 })
    receiver.answer(ok)
    await until(() => receiver.spanNames().includes("bad"), "the bad span, once it is taken")
  })

  it("nothing of the exporter's own is ever exported, in an outage and after it", async () => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    const receiver = await receive()
    const pipeline = pipelineTo(receiver)
    const provider = new BasicTracerProvider({
      spanProcessors: [
        {
          onStart: () => {},
          onEnd: (span: ReadableSpan) => {
            const data = fromReadableSpan(span)
            pipeline.receiver.ended(makeEnded({ ...data }))
          },
          forceFlush: async () => {},
          shutdown: async () => {}
        }
      ]
    })
    trace.setGlobalTracerProvider(provider)
    // What an instrumentation of node:http does.
    const instrument = () => trace.getTracer("http").startSpan("POST").end()
    diagnosticsChannel.subscribe("http.client.request.start", instrument)
    try {
      receiver.next(status(503), reset)
      trace.getTracer("app").startActiveSpan("mine", (span) => {
        span.end()
        instrument()
      })
      await receiver.spansReceived(2)
      endSpans(pipeline.receiver, "last")
      await pipeline.flush(5_000)
      expect(receiver.requests.length).toBeGreaterThanOrEqual(4)
      expect(receiver.spanNames()).toEqual(["mine", "POST", "last"])
    } finally {
      diagnosticsChannel.unsubscribe("http.client.request.start", instrument)
      trace.disable()
      context.disable()
    }
  })

  it("a refused port: one line, and the counters", async () => {
    const receiver = await receive()
    await receiver.die()
    const pipeline = pipelineTo({ url: receiver.url.replace("http://", "http://user:secret@") + "?key=secret" })
    for (let i = 0; i < 5; i++) {
      endSpans(pipeline.receiver, `s${i}`)
      await pipeline.flush(60)
    }
    expect(pipeline.said.lines).toHaveLength(1)
    expect(pipeline.said.lines[0]).toMatchObject({
      level: "warn",
      message: `OpenTelemetry export: ${receiver.url} takes no spans: connect ECONNREFUSED 127.0.0.1:${receiver.port}. They wait in memory (64 MiB) until it does`
    })
    expect(pipeline.status()).toMatchObject({ queued: 5, reachable: false, lastError: { message: expect.any(String) } })
    expect(JSON.stringify(pipeline.said.lines)).not.toContain("secret")
    await pipeline.shutdown(50)
    expect(pipeline.status().dropped).toEqual({ shutdown: 5 })
    expect(pipeline.said.lines).toHaveLength(2)
    expect(pipeline.said.lines[1]).toMatchObject({ level: "warn", fields: { "dropped.shutdown": 5 } })
  })

  it("what is never used holds no timer and no socket, and what is ended lets the process go", async () => {
    const receiver = await receive()
    const before = process.getActiveResourcesInfo().length
    const pipeline = pipelineTo(receiver)
    expect(process.getActiveResourcesInfo().length).toBe(before)
    await pipeline.shutdown(1_000)
    expect(receiver.connections).toBe(0)
    expect(pipeline.said.lines).toEqual([])
    pipeline.receiver.ended(makeEnded())
    expect(pipeline.status().dropped).toEqual({ after_shutdown: 1 })
  })

  it.each([
    ["nobody listens", undefined],
    ["it hangs", hang],
    ["it resets", reset],
    ["it answers 503", status(503)],
    ["it answers 500", status(500)],
    ["it speaks no HTTP", notHttp]
  ])("no rejection is left unhandled and nothing throws when %s", async (_, answer) => {
    const receiver = await receive()
    if (answer === undefined) await receiver.die()
    else receiver.answer(answer)
    const child = runChild("strict.ts", [receiver.url], { nodeArguments: ["--unhandled-rejections=strict"] })
    expect(await child.exit, child.output()).toEqual({ code: 0, signal: null })
    const said = JSON.parse(child.output().replace("alive ", ""))
    expect(said.seen).toBe(10_001)
    expect(Object.values<number>(said.dropped).reduce((a, b) => a + b, said.exported)).toBe(10_001)
  })
})
