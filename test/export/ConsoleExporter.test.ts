import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { spawn } from "node:child_process"
import { EventEmitter } from "node:events"
import { fileURLToPath } from "node:url"
import * as ConsoleExporter from "../../src/export/ConsoleExporter.ts"
import type { SpanData } from "../../src/tracer/SpanData.ts"
import type { EndedSpan, LocalTrace } from "../../src/tracer/SpanReceiver.ts"
import * as TestTelemetry from "../../src/testing/TestTelemetry.ts"
import * as Tracer from "../../src/tracer/Tracer.ts"
import { id, makeSpan } from "./support.ts"

class Output {
  text = ""
  writes = 0
  write(text: string): boolean {
    this.text += text
    this.writes++
    return true
  }
}

/** Plays the tracer: opens and ends spans of one local trace. */
class Played {
  readonly exporter: ConsoleExporter.ConsoleExporter
  readonly trace: LocalTrace = { openSpans: 0, rootEnded: false, held: undefined }
  readonly number: number
  sealed = 0
  constructor(exporter: ConsoleExporter.ConsoleExporter, number = 1) {
    this.exporter = exporter
    this.number = number
  }
  open(count = 1): this {
    this.trace.openSpans += count
    return this
  }
  end(name: string, parent: number | undefined, own: number, more: Partial<SpanData> & { sampled?: boolean } = {}) {
    const data = makeSpan({
      name,
      traceId: id(32, this.number),
      spanId: id(16, own),
      parentSpanId: parent === undefined ? undefined : id(16, parent),
      ...more
    })
    const span: EndedSpan = {
      ...data,
      sampled: more.sampled ?? true,
      isLocalRoot: parent === undefined,
      localTrace: this.trace,
      durationNanos: 1,
      seal: () => {
        this.sealed++
        return data
      }
    }
    if (parent === undefined) this.trace.rootEnded = true
    // The tracer counts after it hands over, or before: both must do.
    if (own % 2 === 0) this.trace.openSpans--
    this.exporter.ended(span)
    if (own % 2 === 1) this.trace.openSpans--
    return this
  }
}

describe("ConsoleExporter", () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it("prints a trace in one piece, once everything in it has ended, and not inside the call that ended it", () => {
    const output = new Output()
    const played = new Played(ConsoleExporter.make({ output })).open(2)
    played.end("db.select", 1, 2)
    vi.advanceTimersByTime(10)
    assert.strictEqual(output.text, "")
    played.end("GET /a", undefined, 1)
    assert.strictEqual(output.text, "")
    vi.advanceTimersByTime(0)
    assert.strictEqual(output.writes, 1)
    assert.match(output.text, /^trace 0+1 {2}2 spans .*\n\n {2}GET \/a .*\n {2}└─ db\.select .*\n\n$/)
    assert.deepStrictEqual(played.exporter.status(), { printed: 1, held: 0, lost: 0, closed: false })
    vi.advanceTimersByTime(100_000)
    assert.strictEqual(output.writes, 1)
  })

  it("keeps traces apart that run at the same time", () => {
    const output = new Output()
    const exporter = ConsoleExporter.make({ output })
    const one = new Played(exporter, 1).open(2)
    const two = new Played(exporter, 2).open(2)
    one.end("one.child", 1, 2)
    two.end("two.child", 1, 2)
    two.end("two", undefined, 1)
    vi.advanceTimersByTime(0)
    assert.notInclude(output.text, "one")
    one.end("one", undefined, 1)
    vi.advanceTimersByTime(0)
    assert.isBelow(output.text.indexOf("two.child"), output.text.indexOf("one.child"))
    assert.strictEqual(output.writes, 2)
  })

  it("waits for spans that outlive their root, but not longer than the grace", () => {
    const output = new Output()
    const soon = new Played(ConsoleExporter.make({ output })).open(2).end("root", undefined, 1)
    vi.advanceTimersByTime(900)
    assert.strictEqual(output.text, "")
    soon.end("late", 1, 2)
    vi.advanceTimersByTime(0)
    assert.include(output.text, "└─ late")

    const never = new Output()
    const played = new Played(ConsoleExporter.make({ output: never, grace: 500 })).open(2).end("root", undefined, 1)
    vi.advanceTimersByTime(500)
    assert.include(never.text, "1 still open")
    never.text = ""
    played.end("straggler", 1, 2)
    vi.advanceTimersByTime(0)
    assert.include(never.text, "continued")
    assert.include(never.text, "(parent 0000000000000001 drawn before or still open)")
    assert.include(never.text, "straggler")
    assert.notInclude(never.text, "incomplete")
  })

  it("draws what is there under a root that does not end, every now and then", () => {
    const output = new Output()
    const played = new Played(ConsoleExporter.make({ output })).open(3).end("tick", 1, 2)
    vi.advanceTimersByTime(29_999)
    assert.strictEqual(output.text, "")
    vi.advanceTimersByTime(1)
    assert.include(output.text, "its root has not ended yet")
    assert.include(output.text, "(parent 0000000000000001 still open)")
    played.end("tock", 1, 3)
    vi.advanceTimersByTime(30_000)
    assert.include(output.text, "tock")
    assert.strictEqual(played.exporter.status().held, 0)
  })

  it("holds a bounded number of spans: the oldest trace gives way", () => {
    const output = new Output()
    const exporter = ConsoleExporter.make({ output, maxSpans: 100 })
    for (let trace = 1; trace <= 30; trace++) {
      const played = new Played(exporter, trace).open(11)
      for (let own = 2; own <= 11; own++) played.end(`step ${trace}`, 1, own)
      assert.isAtMost(exporter.status().held, 100)
    }
    assert.strictEqual(exporter.status().printed, 20)
    assert.include(output.text, "step 20 ")
    assert.notInclude(output.text, "step 21 ")
    exporter.close()
    assert.include(output.text, "step 30 ")
    assert.strictEqual(exporter.status().lost, 0)
  })

  it("counts what one huge trace has beyond its limit", () => {
    const output = new Output()
    const played = new Played(ConsoleExporter.make({ output })).open(3001)
    for (let own = 2; own <= 3001; own++) played.end("step", 1, own)
    played.end("root", undefined, 1)
    vi.advanceTimersByTime(0)
    assert.include(output.text, "1000 more not held")
    assert.include(output.text, "more spans")
    assert.strictEqual(played.exporter.status().lost, 1000)
    assert.strictEqual(played.sealed, 2001)
  })

  it("takes no unsampled span, and seals none", () => {
    const output = new Output()
    const played = new Played(ConsoleExporter.make({ output })).open(1).end("GET", undefined, 1, { sampled: false })
    vi.advanceTimersByTime(60_000)
    assert.strictEqual(output.text, "")
    assert.strictEqual(played.sealed, 0)
    assert.isFalse(played.exporter.takesUnsampled)
  })

  it("flush prints what is complete; close prints the rest and takes nothing more", () => {
    const output = new Output()
    const exporter = ConsoleExporter.make({ output })
    new Played(exporter, 1).open(1).end("whole", undefined, 1)
    const half = new Played(exporter, 2).open(2).end("half", 1, 2)
    exporter.flush()
    assert.include(output.text, "whole")
    assert.notInclude(output.text, "half")
    exporter.close()
    assert.include(output.text, "half")
    half.end("after", undefined, 1)
    exporter.close()
    vi.advanceTimersByTime(60_000)
    assert.notInclude(output.text, "after")
    assert.isTrue(exporter.status().closed)
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("stops for good, without a word, when the output throws", () => {
    const exporter = ConsoleExporter.make({
      output: {
        write: () => {
          throw Object.assign(new Error("write EPIPE"), { code: "EPIPE" })
        }
      }
    })
    for (let n = 1; n <= 3; n++) {
      new Played(exporter, n).open(1).end("GET", undefined, 1)
      vi.advanceTimersByTime(0)
    }
    assert.deepStrictEqual(exporter.status(), { printed: 0, held: 0, lost: 1, closed: true })
  })

  it("takes the error event of its own write, and leaves those of the application alone", () => {
    const stream = new EventEmitter() as EventEmitter & { write: (text: string, done?: () => void) => boolean }
    stream.write = (_text, done) => {
      done?.()
      process.nextTick(() => stream.emit("error", new Error("write EIO")))
      return false
    }
    vi.useRealTimers()
    const exporter = ConsoleExporter.make({ output: stream })
    new Played(exporter).open(1).end("GET", undefined, 1)
    exporter.flush()
    assert.strictEqual(stream.listenerCount("error"), 1)
    return new Promise<void>((resolve) => setTimeout(resolve, 20)).then(() => {
      assert.isTrue(exporter.status().closed)
      assert.strictEqual(stream.listenerCount("error"), 0)
    })
  })

  it("does not pile up text in an output that does not keep up", () => {
    const output = Object.assign(new Output(), { writableLength: 2 * 1024 * 1024 })
    const exporter = ConsoleExporter.make({ output })
    new Played(exporter).open(1).end("GET", undefined, 1)
    vi.advanceTimersByTime(0)
    assert.strictEqual(output.writes, 0)
    assert.strictEqual(exporter.status().lost, 1)
  })

  it("survives a span that cannot be sealed", () => {
    const output = new Output()
    const exporter = ConsoleExporter.make({ output })
    const trace: LocalTrace = { openSpans: 0, rootEnded: true, held: undefined }
    exporter.ended({
      ...makeSpan(),
      sampled: true,
      isLocalRoot: true,
      localTrace: trace,
      durationNanos: 0,
      seal: () => {
        throw new Error("no")
      }
    })
    vi.advanceTimersByTime(60_000)
    assert.strictEqual(exporter.status().lost, 1)
  })
})

describe("ConsoleExporter behind the tracer", () => {
  it.effect("prints what the effects of a request did, one tree a request", () =>
    Effect.gen(function* () {
      const output = new Output()
      const exporter = ConsoleExporter.make({ output })
      const collector = TestTelemetry.makeCollector()
      const request = (path: string) =>
        Effect.gen(function* () {
          yield* Effect.fail(new Error("no such row")).pipe(Effect.withSpan("db.select"), Effect.ignore)
          yield* Effect.sleep(5).pipe(Effect.withSpan("cache.set"), Effect.forkDetach({ startImmediately: true }))
        }).pipe(Effect.withSpan(`GET ${path}`, { kind: "server", attributes: { "http.response.status_code": 200 } }))
      yield* Effect.all([request("/a"), request("/b")], { concurrency: "unbounded" }).pipe(
        // Another receiver beside it: each sees every span.
        Effect.provide(Tracer.layer({ receiver: [collector, exporter], interoperation: false }))
      )
      exporter.flush()
      assert.strictEqual(output.text, "")
      yield* TestClock.adjust(5)
      exporter.flush()
      assert.strictEqual(output.writes, 2)
      for (const path of ["/a", "/b"]) {
        const tree = new RegExp(
          `  GET ${path} .* 200\\n✗ ├─ db.select .*\\n  │ {5}✗ Error: no such row\\n  └─ cache.set +5.00 ms`
        )
        assert.match(output.text, tree)
      }
      assert.lengthOf(collector.spans(), 6)
    })
  )
})

describe("ConsoleExporter in a process", () => {
  it("goes on when the reader of its output has gone away", async () => {
    const source = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href)
    // Prints for ever; the reader takes one chunk and goes. The application must reach its end, and not hear of it.
    const program = `
      const { make } = await import(${source("export/ConsoleExporter.ts")})
      const exporter = make()
      const data = { name: "GET", traceId: "1".repeat(32), spanId: "2".repeat(16), parentIsRemote: false, kindCode: 1,
        traceFlags: 1, startSeconds: 1, startNanos: 0, endSeconds: 1, endNanos: 5, statusCode: 0, attributeKeys: [],
        attributeValues: [], events: [], linkData: [], droppedAttributesCount: 0, droppedEventsCount: 0,
        droppedLinksCount: 0 }
      for (let i = 0; i < 1000 && !exporter.status().closed; i++) {
        const localTrace = { openSpans: 0, rootEnded: true, held: undefined }
        exporter.ended({ ...data, sampled: true, isLocalRoot: true, localTrace, durationNanos: 5, seal: () => data })
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
      console.error("closed:", exporter.status().closed)
    `
    const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"] }
    })
    let errors = ""
    let seen = ""
    child.stderr.on("data", (chunk) => (errors += String(chunk)))
    child.stdout.once("data", (chunk) => {
      seen = String(chunk)
      child.stdout.destroy()
    })
    const code = await new Promise((resolve) => child.on("close", resolve))
    assert.include(seen, "GET")
    assert.strictEqual(errors, "closed: true\n")
    assert.strictEqual(code, 0)
  })
})
