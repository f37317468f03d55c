import { describe, expect, it } from "@effect/vitest"
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace-base"
import * as Pipeline from "../../src/export/Pipeline.ts"
import { closeAfterEach, pipelineTo, receive, until } from "../faults/support.ts"
import { hang, ok, status } from "../support/OtlpReceiver.ts"
import { fakeTiming } from "./FakeTiming.ts"
import { endSpans, makeEnded, makeLocalTrace, namesOf, readable, recordLog, testResource } from "./support.ts"

closeAfterEach()

describe("Pipeline", () => {
  it("sends a span with all it holds, under its resource and scope", async () => {
    for (const protocol of ["http/protobuf", "http/json"] as const) {
      const receiver = await receive()
      const pipeline = pipelineTo(receiver, { protocol, headers: { "x-tenant": "a" } })
      pipeline.receiver.ended(
        makeEnded({
          name: "db.select",
          kindCode: 2,
          parentSpanId: "00000000000000ff",
          attributeKeys: ["db.system.name", "db.response.returned_rows"],
          attributeValues: ["postgresql", 3],
          statusCode: 2,
          statusMessage: "boom"
        })
      )
      const [span] = await receiver.spansReceived(1)
      expect(span).toMatchObject({
        name: "db.select",
        kind: 3,
        parentSpanId: "00000000000000ff",
        attributes: { "db.system.name": "postgresql", "db.response.returned_rows": 3n },
        statusCode: 2,
        statusMessage: "boom",
        resource: { "service.name": testResource["service.name"] },
        scopeName: "test-scope"
      })
      expect(receiver.requests[0]).toMatchObject({
        encoding: protocol === "http/json" ? "json" : "protobuf",
        headers: { "x-tenant": "a" }
      })
    }
  })

  it("sends a batch when it is full, and what is not full after the delay", async () => {
    const timing = fakeTiming()
    const receiver = await receive()
    const pipeline = pipelineTo(receiver, { timing, scheduleDelayMillis: 5_000, maxExportBatchSize: 10 })
    endSpans(pipeline.receiver, ...namesOf("s", 25))
    await receiver.spansReceived(20)
    await until(() => pipeline.status().exported === 20, "20 exported")
    timing.advance(4_999)
    await timing.settle()
    expect(receiver.spans).toHaveLength(20)
    expect(pipeline.status().queued).toBe(5)
    timing.advance(1)
    await receiver.spansReceived(25)
    expect(receiver.requests.map((request) => request.traces!.spans.length)).toEqual([10, 10, 5])
    await until(() => pipeline.status().exported === 25, "25 exported")
    expect(timing.timers()).toBe(0)
  })

  it("seals a span once, and not on the application's path", async () => {
    const receiver = await receive()
    const pipeline = pipelineTo(receiver)
    const span = makeEnded()
    pipeline.receiver.ended(span)
    expect(span.sealedTimes()).toBe(0)
    await receiver.spansReceived(1)
    expect(span.sealedTimes()).toBe(1)
  })

  it("groups spans of several scopes in one request", async () => {
    const receiver = await receive()
    const pipeline = pipelineTo(receiver)
    const scoped = (name: string, scope: object | undefined) => {
      const span = makeEnded({ name })
      return { ...span, seal: () => ({ ...span, instrumentationScope: scope }) }
    }
    pipeline.receiver.ended(scoped("a", undefined) as never)
    pipeline.receiver.ended(scoped("b", { name: "pg" }) as never)
    pipeline.receiver.ended(scoped("c", { name: "test-scope", version: "1.2.3" }) as never)
    pipeline.receiver.ended(scoped("d", { name: "pg" }) as never)
    await receiver.spansReceived(4)
    expect(receiver.requests[0]!.traces).toMatchObject({ resourceCount: 1, scopeCount: 2 })
    expect(receiver.spans.map((span) => `${span.name} ${span.scopeName}`).sort()).toEqual([
      "a test-scope",
      "b pg",
      "c test-scope",
      "d pg"
    ])
  })

  it("keeps local traces by rule, and says why on each span", async () => {
    const receiver = await receive()
    const pipeline = pipelineTo(receiver, { tail: { keepErrors: true, keepSlowerThanMillis: 500 } })
    expect(pipeline.receiver.takesUnsampled).toBe(true)
    const end = (name: string, span: object) => {
      const localTrace = makeLocalTrace()
      pipeline.receiver.ended(
        makeEnded({ name: `${name} child`, sampled: false, isLocalRoot: false, localTrace, ...span })
      )
      pipeline.receiver.ended(
        makeEnded({ name, sampled: false, localTrace, durationMillis: name === "slow" ? 501 : 1 })
      )
    }
    end("failing", { statusCode: 2 })
    end("slow", {})
    end("fine", {})
    pipeline.receiver.ended(makeEnded({ name: "sampled" }))
    await pipeline.flush(5_000)
    expect(receiver.spans.map((span) => [span.name, span.attributes["sampling.reason"]])).toEqual([
      ["failing child", "error"],
      ["failing", "error"],
      ["slow child", "slow"],
      ["slow", "slow"],
      ["sampled", undefined]
    ])
    expect(pipeline.status()).toMatchObject({
      ended: 7,
      sampled: 1,
      keptByRule: { error: 2, slow: 2 },
      notKept: 2,
      exported: 5
    })
  })

  it("without a reason to keep, unsampled spans are not asked for", async () => {
    const receiver = await receive()
    expect(pipelineTo(receiver).receiver.takesUnsampled).toBe(false)
    expect(pipelineTo(receiver, { tail: { keepErrors: false } }).receiver.takesUnsampled).toBe(false)
  })

  it("shutdown decides what is undecided and sends it; the first call counts", async () => {
    const receiver = await receive()
    const pipeline = pipelineTo(receiver, { tail: {} })
    const localTrace = makeLocalTrace()
    localTrace.openSpans = 1
    pipeline.receiver.ended(makeEnded({ name: "child", sampled: false, isLocalRoot: false, localTrace, statusCode: 2 }))
    const first = pipeline.shutdown(5_000)
    expect(pipeline.shutdown(1)).toBe(first)
    expect(await first).toEqual({ complete: true, exported: 1, dropped: 0, waiting: 0 })
    expect(receiver.spanNames()).toEqual(["child"])
  })

  it("shutdown is limited in time, and says what was lost", async () => {
    const receiver = await receive()
    receiver.answer(hang)
    const pipeline = pipelineTo(receiver)
    endSpans(pipeline.receiver, ...namesOf("s", 1_000))
    const start = performance.now()
    expect(await pipeline.shutdown(200)).toMatchObject({ complete: false, dropped: 1_000 })
    expect(performance.now() - start).toBeLessThan(5_000)
    expect(pipeline.said.messages()).toEqual([
      "OpenTelemetry export: shut down with 1000 spans lost (1000 of them were still waiting)"
    ])
    await until(() => receiver.openConnections === 0, "connections to be closed")
  })

  it("refuses options that make no sense, by name, and shows no secret", () => {
    const base = { endpoint: "http://localhost:4318", resource: { attributes: {} }, scope: { name: "s" } }
    const error = (options: object) => {
      try {
        Pipeline.make({ ...base, ...options })
        return undefined
      } catch (error) {
        return error as Pipeline.ExportOptionsError
      }
    }
    expect(error({ maxQueueSize: 0 })).toMatchObject({
      _tag: "ExportOptionsError",
      message: "maxQueueSize is 0, but must be a number, 1 or more"
    })
    expect(error({ timeoutMillis: NaN })?.message).toBe("timeoutMillis is NaN, but must be a number, 1 or more")
    expect(error({ endpoint: "ftp://user:secret@host" })?.message).toBe(
      "endpoint is a ftp: URL, but must be an http: or https: URL"
    )
    expect(error({ endpoint: "://secret" })?.message).toBe("endpoint is not a URL, but must be an http: or https: URL")
    expect(error({})).toBe(undefined)
  })

  describe("with an exporter of the user's own", () => {
    const drive = (
      exportSpans: (
        spans: ReadonlyArray<ReadableSpan>,
        done: (result: { code: number; error?: Error }) => void
      ) => void,
      more: Partial<SpanExporter> = {},
      options: Partial<Pipeline.BatchingOptions> = {}
    ) => {
      const said = recordLog()
      class TheirExporter {
        export = exportSpans
        shutdown = async () => {}
      }
      const pipeline = Pipeline.fromExporter(Object.assign(new TheirExporter(), more) as SpanExporter, {
        toReadable: readable,
        scheduleDelayMillis: 10,
        exportTimeoutMillis: 200,
        log: said.log,
        ...options
      })
      return { ...pipeline, said }
    }

    it("hands it batches, one at a time, then flushes and shuts it down", async () => {
      const log: Array<string> = []
      let running = 0
      const pipeline = drive(
        (spans, done) => {
          expect(++running).toBe(1)
          log.push(spans.map((span) => span.name).join())
          setTimeout(() => {
            running--
            done({ code: 0 })
          }, 5)
        },
        { forceFlush: async () => void log.push("flush"), shutdown: async () => void log.push("shutdown") },
        { maxExportBatchSize: 2 }
      )
      endSpans(pipeline.receiver, "a", "b", "c")
      expect(await pipeline.flush(5_000)).toEqual({ complete: true, exported: 3, dropped: 0, waiting: 0 })
      await pipeline.shutdown(5_000)
      expect(log).toEqual(["a,b", "c", "flush", "shutdown"])
    })

    it.each([
      [
        "throws",
        () => {
          throw new Error("a bug")
        },
        "a bug"
      ],
      [
        "rejects",
        async () => {
          throw new Error("a bug")
        },
        "a bug"
      ],
      ["fails", (_: unknown, done: (result: object) => void) => done({ code: 1, error: new Error("no") }), "no"],
      ["never calls back", () => {}, "no result within 200 ms"]
    ])("one that %s costs its own batch, and the application nothing", async (_, misbehave, message) => {
      const names: Array<string> = []
      let calls = 0
      const pipeline = drive((spans, done) => {
        if (calls++ === 0) return (misbehave as any)(spans, done)
        names.push(...spans.map((span) => span.name))
        done({ code: 0 })
      })
      endSpans(pipeline.receiver, "lost")
      await until(() => calls === 1, "the first export")
      endSpans(pipeline.receiver, "kept")
      await until(() => names.length === 1, "the second export")
      await until(() => pipeline.status().exported === 1, "the count")
      expect(pipeline.status()).toMatchObject({ dropped: { failed: 1 }, exported: 1 })
      expect(pipeline.said.messages()).toEqual([
        `OpenTelemetry export: the exporter TheirExporter failed, the batch is dropped: ${message}`
      ])
      expect(await pipeline.shutdown(1_000)).toMatchObject({ complete: true })
    })

    it("one whose flush and shutdown hang or fail is left behind in time", async () => {
      const pipeline = drive((_, done) => done({ code: 0 }), {
        forceFlush: () => new Promise(() => {}),
        shutdown: () => Promise.reject(new Error("no"))
      })
      expect(await pipeline.flush(50)).toMatchObject({ complete: false })
      expect(await pipeline.shutdown(50)).toMatchObject({ complete: true })
    })

    it("a result that comes too late changes nothing", async () => {
      let late: ((result: { code: number }) => void) | undefined
      const pipeline = drive((_, done) => void (late ??= done))
      endSpans(pipeline.receiver, "a")
      await until(() => pipeline.status().dropped.failed === 1, "the time-out")
      late!({ code: 0 })
      await new Promise((resolve) => setImmediate(resolve))
      expect(pipeline.status()).toMatchObject({ exported: 0, droppedTotal: 1 })
    })
  })

  it("every span arrives as it was, when memory is written to again and again while requests are on their way", async () => {
    const receiver = await receive()
    const pipeline = pipelineTo(receiver)
    const text = "x".repeat(300)
    const names = namesOf("s", 30_000)
    for (const [i, name] of names.entries()) {
      pipeline.receiver.ended(makeEnded({ name, attributeKeys: ["text"], attributeValues: [`${name} ${text}`] }))
      // Sometimes answers are waited for, sometimes not.
      if (i % 1_000 === 0) await new Promise((resolve) => setImmediate(resolve))
      if (i % 7_000 === 0) await pipeline.flush(10_000)
      if (i === 10_000) receiver.next(status(503), status(413), status(413))
    }
    await pipeline.flush(20_000)
    const wrong = receiver.spans.filter((span) => span.attributes["text"] !== `${span.name} ${text}`)
    expect([wrong.length, new Set(receiver.spanNames()).size]).toEqual([0, names.length])
    expect(pipeline.status()).toMatchObject({ exported: names.length, droppedTotal: 0 })
  })

  it("status says where everything is", async () => {
    const receiver = await receive()
    receiver.answer(hang)
    const pipeline = pipelineTo(receiver, { tail: {}, timeoutMillis: 60_000 })
    const span = makeEnded({ name: "a" })
    pipeline.receiver.started?.(span)
    pipeline.receiver.ended(span)
    const localTrace = makeLocalTrace()
    pipeline.receiver.ended(makeEnded({ sampled: false, isLocalRoot: false, localTrace }))
    await receiver.requestsReceived(1)
    endSpans(pipeline.receiver, "b")
    expect(pipeline.status()).toMatchObject({
      started: 1,
      ended: 3,
      sampled: 2,
      held: 1,
      queued: 1,
      inFlight: 1,
      exported: 0,
      droppedTotal: 0,
      lastError: undefined,
      reachable: undefined
    })
    receiver.answer(ok)
  })
})
