/**
 * A finished span as a test reads it: plain values under plain names, and its children.
 *
 * `TestTelemetry` makes these; a test of something that produces `SpanData` by itself (an encoder, an exporter) makes
 * them with {@link fromSpanData} and {@link trees}.
 *
 * **Example** (Reading a span)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as TestTelemetry from "effect-telemetry/testing/TestTelemetry"
 *
 * const program = Effect.gen(function* () {
 *   yield* Effect.void.pipe(Effect.withSpan("cache.get", { kind: "client", attributes: { "cache.hit": true } }))
 *   const [span] = yield* TestTelemetry.spans
 *   if (span?.kind !== "client" || span.attributes["cache.hit"] !== true) throw new Error("unexpected")
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(TestTelemetry.layer())))
 * ```
 */
import type * as Tracer from "effect/Tracer"
import { fromSpans, type TraceNode } from "../export/TraceTree.ts"
import type { AttributeValue, SpanData } from "../tracer/SpanData.ts"

/** Attributes by key. */
export type Attributes = Readonly<Record<string, AttributeValue>>

/** An event of a span. */
export interface TestEvent {
  readonly name: string
  /** Nanoseconds since the Unix epoch. */
  readonly time: bigint
  readonly attributes: Attributes
}

/** A link of a span. */
export interface TestLink {
  readonly traceId: string
  readonly spanId: string
  readonly attributes: Attributes
}

/** A span that has ended. */
export interface TestSpan {
  readonly name: string
  readonly kind: Tracer.SpanKind
  readonly status: "unset" | "ok" | "error"
  /** Only with status error. */
  readonly statusMessage: string | undefined
  readonly attributes: Attributes
  readonly events: ReadonlyArray<TestEvent>
  readonly links: ReadonlyArray<TestLink>
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  /** Nanoseconds since the Unix epoch. */
  readonly startTime: bigint
  /** Nanoseconds since the Unix epoch. */
  readonly endTime: bigint
  /** Milliseconds, with fractions. Under `TestClock` it is exact. */
  readonly duration: number
  /** The span as exporters see it: after limits and redaction. */
  readonly data: SpanData
}

/** A span with what is below it. */
export interface TestNode extends TestSpan {
  /** In the order of their starts. */
  readonly children: ReadonlyArray<TestNode>
}

const kinds: ReadonlyArray<Tracer.SpanKind> = ["internal", "server", "client", "producer", "consumer"]
const statuses = ["unset", "ok", "error"] as const

const attributesOf = (of: {
  readonly attributeKeys: ReadonlyArray<string>
  readonly attributeValues: ReadonlyArray<AttributeValue>
}): Attributes => Object.fromEntries(of.attributeKeys.map((key, index) => [key, of.attributeValues[index]!]))

const nanoseconds = (seconds: number, nanos: number): bigint => BigInt(seconds) * 1_000_000_000n + BigInt(nanos)

/** Reads an ended span. */
export const fromSpanData = (data: SpanData): TestSpan => ({
  name: data.name,
  kind: kinds[data.kindCode]!,
  status: statuses[data.statusCode],
  statusMessage: data.statusMessage,
  attributes: attributesOf(data),
  events: data.events.map((event) => ({
    name: event.name,
    time: nanoseconds(event.seconds, event.nanos),
    attributes: attributesOf(event)
  })),
  links: data.linkData.map((link) => ({
    traceId: link.traceId,
    spanId: link.spanId,
    attributes: attributesOf(link)
  })),
  traceId: data.traceId,
  spanId: data.spanId,
  parentSpanId: data.parentSpanId,
  startTime: nanoseconds(data.startSeconds, data.startNanos),
  endTime: nanoseconds(data.endSeconds, data.endNanos),
  duration: (data.endSeconds - data.startSeconds) * 1e3 + (data.endNanos - data.startNanos) / 1e6,
  data
})

const toNode = (node: TraceNode): TestNode => ({
  ...fromSpanData(node.span),
  children: node.children.map(toNode)
})

/**
 * The trees of the spans: one for each span that has no parent among them. Where spans started at the same time, the
 * order in which they are given decides.
 */
export const trees = (spans: Iterable<SpanData>): ReadonlyArray<TestNode> =>
  fromSpans(spans).flatMap((trace) => trace.roots.map(toNode))
