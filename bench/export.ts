/**
 * What the export stages cost by themselves: CPU of this process per span, from `receiver.ended` to the answer of a
 * collector in another process, with memory, with the spool, and with tail decisions; and what a million spans and a
 * burst of 10,000 cost in memory.
 *
 * Run: `node --conditions=source --expose-gc bench/export.ts` for the cost of a span, and the same with `million` for
 * the memory or `drain` for the spool's speed, each in a process that has done nothing else. Spans are made beforehand, so that only the pipeline is
 * measured. Rounds take turns; the figure is the median.
 */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Pipeline from "../src/export/Pipeline.ts"
import type { SpanData } from "../src/tracer/SpanData.ts"
import type { EndedSpan } from "../src/tracer/SpanReceiver.ts"

const sink = spawn(
  process.execPath,
  [
    "-e",
    `const server = require("node:http").createServer((request, response) => {
       request.resume().on("end", () => response.end())
     }).listen(0, "127.0.0.1", () => process.stdout.write(String(server.address().port)))`
  ],
  { stdio: ["ignore", "pipe", "inherit"] }
)
const port = await new Promise<string>((resolve) => sink.stdout.once("data", (data) => resolve(String(data))))
const endpoint = `http://127.0.0.1:${port}/v1/traces`

class BenchSpan implements EndedSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly parentIsRemote = false
  readonly traceFlags = 1
  readonly traceState = undefined
  readonly kindCode: 0 | 1 | 2
  readonly startSeconds = 1_700_000_000
  readonly startNanos = 5
  readonly endSeconds = 1_700_000_000
  readonly endNanos = 100_005
  readonly statusCode = 0
  readonly statusMessage = undefined
  readonly attributeKeys = ["http.request.method", "url.path", "http.response.status_code", "result.from_cache"]
  readonly attributeValues: SpanData["attributeValues"]
  readonly events = []
  readonly linkData = []
  readonly droppedAttributesCount = 0
  readonly droppedEventsCount = 0
  readonly droppedLinksCount = 0
  readonly durationNanos = 100_000
  readonly sampled: boolean
  readonly isLocalRoot: boolean
  readonly localTrace: EndedSpan["localTrace"]

  constructor(id: number, root: BenchSpan | undefined, sampled: boolean) {
    this.isLocalRoot = root === undefined
    this.name = root === undefined ? "GET /users/:id" : "db.select"
    this.spanId = id.toString(16).padStart(16, "0")
    this.traceId = root?.traceId ?? `abcdef0123456789${this.spanId}`
    this.parentSpanId = root?.spanId
    this.kindCode = root === undefined ? 1 : 2
    this.attributeValues = ["GET", `/users/${id}`, 200, false]
    this.sampled = sampled
    this.localTrace = root?.localTrace ?? { openSpans: 0, rootEnded: false, held: undefined }
  }

  seal(): SpanData {
    return this
  }
}

/** Local traces of six spans; the root ends last. */
let ids = 1
const makeSpans = (count: number, sampledTenths: number): Array<BenchSpan> => {
  const spans: Array<BenchSpan> = []
  for (let i = 0; spans.length < count; i++) {
    const sampled = i % 10 < sampledTenths
    const root = new BenchSpan(ids++, undefined, sampled)
    for (let child = 0; child < 5; child++) spans.push(new BenchSpan(ids++, root, sampled))
    spans.push(root)
  }
  return spans
}

const base = { endpoint, resource: { attributes: { "service.name": "bench" } }, scope: { name: "bench" } } as const
const nextTick = () => new Promise<void>((resolve) => setImmediate(resolve))

const measure = async (
  options: Partial<Pipeline.PipelineOptions>,
  sampledTenths: number,
  perTick: number
): Promise<number> => {
  const pipeline = Pipeline.make({ ...base, ...options })
  const count = 120_000
  const spans = makeSpans(count, sampledTenths)
  globalThis.gc?.()
  const start = process.cpuUsage()
  for (let i = 0; i < spans.length;) {
    const end = Math.min(spans.length, i + perTick)
    for (; i < end; i++) {
      const span = spans[i]!
      if (span.sampled || pipeline.receiver.takesUnsampled) pipeline.receiver.ended(span)
    }
    await nextTick()
  }
  await pipeline.flush(30_000)
  const used = process.cpuUsage(start)
  const status = pipeline.status()
  await pipeline.shutdown(5_000)
  if (status.exported !== spans.filter((span) => span.sampled).length) console.error("not all arrived", status)
  return ((used.user + used.system) * 1000) / spans.length
}

const costs = async (): Promise<void> => {
  const directory = mkdtempSync(join(tmpdir(), "bench-spool-"))
  const cases: ReadonlyArray<readonly [string, () => Promise<number>]> = [
    ["memory, 60 spans a tick", () => measure({}, 10, 60)],
    ["spool, 60 spans a tick", () => measure({ spool: { directory } }, 10, 60)],
    ["memory, 6 spans a tick", () => measure({}, 10, 6)],
    ["spool, 6 spans a tick", () => measure({ spool: { directory } }, 10, 6)],
    ["10%, no tail, 60 a tick", () => measure({}, 1, 60)],
    ["10%, tail keeps errors", () => measure({ tail: {} }, 1, 60)]
  ]
  const times = cases.map(() => [] as Array<number>)
  for (let round = 0; round < 6; round++) {
    for (const [i, [, run]] of cases.entries()) {
      const time = await run()
      if (round > 0) times[i]!.push(time)
    }
  }
  for (const [i, [name]] of cases.entries()) {
    const sorted = times[i]!.sort((a, b) => a - b)
    console.log(
      `${name.padEnd(26)} ${sorted[sorted.length >> 1]!.toFixed(0).padStart(6)} ns/span  (${sorted[0]!.toFixed(0)} to ${sorted.at(-1)!.toFixed(0)})`
    )
  }
  rmSync(directory, { recursive: true, force: true })
}

/** A million spans, made as they are ended, with a turn of the event loop after every 1,000; then a burst. */
const million = async (): Promise<void> => {
  globalThis.gc?.()
  const before = process.memoryUsage().rss
  let peak = before
  const pipeline = Pipeline.make(base)
  const start = performance.now()
  let root: BenchSpan | undefined
  for (let i = 0; i < 1_000_000; i++) {
    if (i % 6 === 0) root = new BenchSpan(ids++, undefined, true)
    pipeline.receiver.ended(i % 6 === 0 ? root! : new BenchSpan(ids++, root, true))
    if (i % 1_000 === 0) {
      await nextTick()
      if (i % 10_000 === 0) peak = Math.max(peak, process.memoryUsage().rss)
    }
  }
  await pipeline.shutdown(30_000)
  peak = Math.max(peak, process.memoryUsage().rss)
  console.log(
    `1,000,000 spans: lost ${1_000_000 - pipeline.status().exported}, ${((peak - before) / 1e6).toFixed(0)} MB more at most, ${((performance.now() - start) / 1000).toFixed(1)} s`
  )

  const burst = Pipeline.make(base)
  for (const span of makeSpans(10_000, 10)) burst.receiver.ended(span)
  await burst.shutdown(30_000)
  console.log(`burst of ${burst.status().ended} in one tick: lost ${burst.status().ended - burst.status().exported}`)
}

/** How quickly a spool is written while the collector is away, and sent by the next process. */
const drain = async (): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "bench-spool-"))
  const away = Pipeline.make({ ...base, endpoint: "http://127.0.0.1:9/v1/traces", spool: { directory: folder } })
  let start = performance.now()
  while (away.status().spooledBytes < 200_000_000) {
    for (const span of makeSpans(996, 10)) away.receiver.ended(span)
    await nextTick()
  }
  await away.shutdown(1_000)
  const { spooled, spooledBytes } = away.status()
  const megabytes = spooledBytes / 1e6
  console.log(`written: ${((megabytes * 1000) / (performance.now() - start)).toFixed(0)} MB/s, spans made too`)
  globalThis.gc?.()
  const before = process.memoryUsage().rss
  start = performance.now()
  const next = Pipeline.make({ ...base, spool: { directory: folder } })
  await next.flush(60_000)
  const millis = performance.now() - start
  console.log(
    `sent by the next: ${spooled} spans, ${megabytes.toFixed(0)} MB, in ${(millis / 1000).toFixed(1)} s (${((megabytes * 1000) / millis).toFixed(0)} MB/s), lost ${spooled - next.status().exported}, ${((process.memoryUsage().rss - before) / 1e6).toFixed(0)} MB more`
  )
  await next.shutdown(5_000)
  rmSync(folder, { recursive: true, force: true })
}

const runs: Readonly<Record<string, () => Promise<void>>> = { costs, million, drain }
await (runs[process.argv[2] ?? "costs"] ?? costs)()
sink.kill()
