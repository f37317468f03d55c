/**
 * What it costs to turn a span into OTLP bytes: our encoders against the official serializers, per span.
 *
 * Run: `node --conditions=source bench/encoder.ts`. A span has four attributes (two strings, a whole number, a flag)
 * and every sixth is a root. Rounds take turns; the figure is the median of the rounds.
 */
import { randomBytes } from "node:crypto"
import { JsonTraceSerializer, ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer"
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base"
import { json } from "../src/export/OtlpJson.ts"
import { protobuf } from "../src/export/OtlpProtobuf.ts"
import type { Encoding } from "../src/export/OtlpEncoder.ts"
import type { SpanData } from "../src/tracer/SpanData.ts"

const batch = 512
const rounds = 9
const batches = 60
/** Requests that are served at the same time: their spans end in turns. */
const atATime = 8
const operations = ["db.select", "db.insert", "cache.get"]

/** Ids are pieces of a longer text, as those of the tracer. */
const digits = randomBytes(batch * 32).toString("hex")
let position = 0
const hex = (length: number): string => digits.substring(position, (position += length))

const spans: Array<SpanData> = []
const traces = Array.from({ length: atATime }, () => ({ traceId: "", root: "" }))
for (let i = 0; i < batch; i++) {
  const isRoot = i % (6 * atATime) < atATime
  const trace = traces[i % atATime]!
  const spanId = hex(16)
  if (isRoot) {
    trace.traceId = hex(32)
    trace.root = spanId
  }
  spans.push({
    name: isRoot ? "GET /users/:id" : operations[i % operations.length]!,
    traceId: trace.traceId,
    spanId,
    parentSpanId: isRoot ? undefined : trace.root,
    parentIsRemote: false,
    traceFlags: 1,
    traceState: undefined,
    kindCode: isRoot ? 1 : 2,
    startSeconds: 1_700_000_000 + (i >> 7),
    startNanos: 1_000_000 * i,
    endSeconds: 1_700_000_000 + (i >> 7),
    endNanos: 1_000_000 * i + 123_456,
    statusCode: 0,
    statusMessage: undefined,
    attributeKeys: ["http.request.method", "url.path", "http.response.status_code", "result.from_cache"],
    attributeValues: ["GET", `/users/${i}`, 200, false],
    events: [],
    linkData: [],
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0
  })
}

const resource = { attributes: { "service.name": "bench" } }
const scope = { name: "bench", version: "1" }
const readable = spans.map((span): ReadableSpan => {
  const attributes: Record<string, any> = {}
  span.attributeKeys.forEach((key, i) => (attributes[key] = span.attributeValues[i]))
  return {
    name: span.name,
    kind: span.kindCode,
    spanContext: () => span,
    ...(span.parentSpanId === undefined
      ? {}
      : { parentSpanContext: { traceId: span.traceId, spanId: span.parentSpanId, traceFlags: 1 } }),
    startTime: [span.startSeconds, span.startNanos],
    endTime: [span.endSeconds, span.endNanos],
    duration: [0, 0],
    ended: true,
    status: { code: 0 },
    attributes,
    events: [],
    links: [],
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
    resource,
    instrumentationScope: scope
  } as unknown as ReadableSpan
})

const ours = (encoding: Encoding) => {
  const writer = encoding.writer()
  const encodedResource = encoding.resource(resource)
  const encodedScope = encoding.scope(scope)
  return () => {
    for (const span of spans) writer.write(span)
    return encoding
      .request(encodedResource, [{ scope: encodedScope, count: spans.length, spans: writer.take() }])
      .reduce((sum, piece) => sum + piece.length, 0)
  }
}

const peers: ReadonlyArray<readonly [string, () => number]> = [
  ["ours, protobuf", ours(protobuf)],
  ["official, protobuf", () => ProtobufTraceSerializer.serializeRequest(readable)!.length],
  ["ours, json", ours(json)],
  ["official, json", () => JsonTraceSerializer.serializeRequest(readable)!.length]
]

const times = peers.map(() => [] as Array<number>)
for (let round = 0; round < rounds + 2; round++) {
  peers.forEach(([, run], i) => {
    const start = process.cpuUsage()
    for (let n = 0; n < batches; n++) run()
    const used = process.cpuUsage(start)
    if (round >= 2) times[i]!.push(((used.user + used.system) * 1000) / (batches * batch))
  })
}
peers.forEach(([name, run], i) => {
  const sorted = times[i]!.sort((a, b) => a - b)
  const median = sorted[sorted.length >> 1]!
  console.log(
    `${name.padEnd(20)} ${median.toFixed(0).padStart(6)} ns/span  (${sorted[0]!.toFixed(0)} to ${sorted.at(-1)!.toFixed(0)})  ${(run() / batch).toFixed(0)} bytes/span`
  )
})
