/** Spans for tests of the export stages: any `SpanData`, as property tests generate them, and as OpenTelemetry spans. */
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base"
import { TraceState } from "@opentelemetry/core"
import { resourceFromAttributes } from "@opentelemetry/resources"
import type { Attributes, SpanContext } from "@opentelemetry/api"
import * as Schema from "effect/Schema"
import type { Fields, Level, Log } from "../../src/export/Diagnostics.ts"
import type { AttributeValue, EventData, LinkData, SpanData } from "../../src/tracer/SpanData.ts"
import type { EndedSpan, LocalTrace, SpanReceiver } from "../../src/tracer/SpanReceiver.ts"
import type { ReceivedAttributes, ReceivedSpan } from "../support/OtlpReceiver.ts"

export const id = (digits: 16 | 32, n: number): string => n.toString(16).padStart(digits, "0")

let next = 1

/** A span with everything that a test does not care about filled in; its `spanId` is a new one. */
export const makeSpan = (span: Partial<SpanData> = {}): SpanData => ({
  name: "test",
  traceId: id(32, 0xabc),
  spanId: id(16, next++),
  parentSpanId: undefined,
  parentIsRemote: false,
  traceFlags: 1,
  traceState: undefined,
  kindCode: 0,
  startSeconds: 1_700_000_000,
  startNanos: 1,
  endSeconds: 1_700_000_000,
  endNanos: 2_000_001,
  statusCode: 0,
  statusMessage: undefined,
  attributeKeys: [],
  attributeValues: [],
  events: [],
  linkData: [],
  droppedAttributesCount: 0,
  droppedEventsCount: 0,
  droppedLinksCount: 0,
  ...span
})

const Text = Schema.Union([
  Schema.String,
  Schema.Literals([
    "",
    "http.request.method",
    "ünïcödé",
    "日本語のテキスト",
    "👩‍👩‍👧‍👦",
    '\u0000\n\t"\\\u2028',
    "__proto__",
    "x".repeat(47),
    "x".repeat(48),
    "x".repeat(49),
    "é".repeat(48),
    "é".repeat(63),
    "é".repeat(64),
    "y".repeat(127),
    "y".repeat(128),
    "ß".repeat(9000),
    "z".repeat(20_000)
  ])
])

const Whole = Schema.Literals([
  0,
  1,
  -1,
  127,
  128,
  16_383,
  16_384,
  2_147_483_647,
  2_147_483_648,
  -2_147_483_648,
  4_294_967_295,
  4_294_967_296,
  Number.MAX_SAFE_INTEGER,
  Number.MIN_SAFE_INTEGER,
  -(2 ** 63),
  2 ** 62
])
const Double = Schema.Literals([0.5, -0.25, 1e300, 5e-324, 2 ** 63, 1e20, Math.PI])
const Numeric = Schema.Union([Schema.Int, Whole, Double])

const Value = Schema.Union([
  Text,
  Numeric,
  Schema.Boolean,
  Schema.Array(Schema.NullOr(Text)),
  Schema.Array(Schema.NullOr(Numeric)),
  Schema.Array(Schema.NullOr(Schema.Boolean))
])

const hexDigits = "0123456789abcdef".split("") as ["0", "1"]
const idOf = (digits: number) =>
  Schema.Union([
    Schema.Literals(["0123456789abcdef".repeat(digits / 16), "f".repeat(digits)]),
    Schema.Literals(hexDigits.map((digit) => digit.padStart(digits, "a")))
  ])

const Attributes = Schema.Array(Schema.Tuple([Text, Value]))
const State = Schema.UndefinedOr(Schema.Literals(["vendor=value", "a=1,b=2,ot=th:8"]))
const Count = Schema.Literals([0, 0, 1, 127, 128, 70_000])
const Seconds = Schema.Literals([0, 1, 1_700_000_000, 2_147_483_648, 4_294_967_296, 18_446_744_072])
const Nanos = Schema.Literals([0, 1, 999_999_999, 500_000_000, 709_551_615])

/** What a property test generates; `spanOf` makes a `SpanData` of it. */
export const AnySpan = Schema.Struct({
  name: Text,
  traceId: idOf(32),
  spanId: idOf(16),
  parent: Schema.NullOr(Schema.Struct({ spanId: idOf(16), isRemote: Schema.Boolean })),
  traceFlags: Schema.Literals([0, 1, 3, 255]),
  traceState: State,
  kind: Schema.Literals([0, 1, 2, 3, 4]),
  start: Schema.Tuple([Seconds, Nanos]),
  end: Schema.Tuple([Seconds, Nanos]),
  status: Schema.Literals([0, 1, 2]),
  message: Schema.UndefinedOr(Text),
  attributes: Attributes,
  events: Schema.Array(
    Schema.Struct({ name: Text, time: Schema.Tuple([Seconds, Nanos]), attributes: Attributes, dropped: Count })
  ),
  links: Schema.Array(
    Schema.Struct({
      traceId: idOf(32),
      spanId: idOf(16),
      flags: Schema.Literals([0, 1]),
      state: State,
      isRemote: Schema.Boolean,
      attributes: Attributes,
      dropped: Count
    })
  ),
  droppedAttributes: Count,
  droppedEvents: Count,
  droppedLinks: Count
})
export type AnySpan = typeof AnySpan.Type

/** Keys are unique on a span: the last one counts, where the first one stood. */
const unique = (entries: AnySpan["attributes"]): Array<readonly [string, any]> => [...new Map<string, any>(entries)]

export const spanOf = (any: AnySpan): SpanData => ({
  name: any.name,
  traceId: any.traceId,
  spanId: any.spanId,
  parentSpanId: any.parent?.spanId,
  parentIsRemote: any.parent?.isRemote ?? false,
  traceFlags: any.traceFlags,
  traceState: any.traceState,
  kindCode: any.kind as SpanData["kindCode"],
  startSeconds: any.start[0],
  startNanos: any.start[1],
  endSeconds: any.end[0],
  endNanos: any.end[1],
  statusCode: any.status as SpanData["statusCode"],
  statusMessage: any.message,
  attributeKeys: unique(any.attributes).map(([key]) => key),
  attributeValues: unique(any.attributes).map(([, value]) => value),
  events: any.events.map((event): EventData => ({
    name: event.name,
    seconds: event.time[0],
    nanos: event.time[1],
    attributeKeys: unique(event.attributes).map(([key]) => key),
    attributeValues: unique(event.attributes).map(([, value]) => value),
    droppedAttributesCount: event.dropped
  })),
  linkData: any.links.map((link): LinkData => ({
    traceId: link.traceId,
    spanId: link.spanId,
    traceFlags: link.flags,
    traceState: link.state,
    isRemote: link.isRemote,
    attributeKeys: unique(link.attributes).map(([key]) => key),
    attributeValues: unique(link.attributes).map(([, value]) => value),
    droppedAttributesCount: link.dropped
  })),
  droppedAttributesCount: any.droppedAttributes,
  droppedEventsCount: any.droppedEvents,
  droppedLinksCount: any.droppedLinks
})

const record = (keys: ReadonlyArray<string>, values: ReadonlyArray<unknown>): Attributes => {
  const attributes: Attributes = {}
  keys.forEach((key, i) => {
    Object.defineProperty(attributes, key, { value: values[i], enumerable: true, configurable: true, writable: true })
  })
  return attributes
}

export const testResource = { "service.name": "test", "process.pid": 7, tags: ["a", "b"] }
export const testScope = { name: "test-scope", version: "1.2.3" }
const resource = resourceFromAttributes(testResource)

/** The same span as an OpenTelemetry SDK would hold it. */
export const readable = (span: SpanData): ReadableSpan => {
  const context: SpanContext = {
    traceId: span.traceId,
    spanId: span.spanId,
    traceFlags: span.traceFlags,
    ...(span.traceState === undefined ? {} : { traceState: new TraceState(span.traceState) })
  }
  return {
    name: span.name,
    kind: span.kindCode,
    spanContext: () => context,
    ...(span.parentSpanId === undefined
      ? {}
      : {
          parentSpanContext: {
            traceId: span.traceId,
            spanId: span.parentSpanId,
            traceFlags: 1,
            isRemote: span.parentIsRemote
          }
        }),
    startTime: [span.startSeconds, span.startNanos],
    endTime: [span.endSeconds, span.endNanos],
    duration: [0, 0],
    ended: true,
    status: {
      code: span.statusCode,
      ...(span.statusMessage === undefined ? {} : { message: span.statusMessage })
    },
    attributes: record(span.attributeKeys, span.attributeValues),
    events: span.events.map((event) => ({
      name: event.name,
      time: [event.seconds, event.nanos],
      attributes: record(event.attributeKeys, event.attributeValues),
      droppedAttributesCount: event.droppedAttributesCount
    })),
    links: span.linkData.map((link) => ({
      context: {
        traceId: link.traceId,
        spanId: link.spanId,
        traceFlags: link.traceFlags,
        isRemote: link.isRemote,
        ...(link.traceState === undefined ? {} : { traceState: new TraceState(link.traceState) })
      },
      attributes: record(link.attributeKeys, link.attributeValues),
      droppedAttributesCount: link.droppedAttributesCount
    })),
    droppedAttributesCount: span.droppedAttributesCount,
    droppedEventsCount: span.droppedEventsCount,
    droppedLinksCount: span.droppedLinksCount,
    resource,
    instrumentationScope: testScope
  }
}

/**
 * Attributes as `[key, value]` pairs by key, so that `__proto__` counts too. (A record, which OpenTelemetry spans hold,
 * has an order of its own for keys that look like array indexes.)
 */
export const pairs = (attributes: ReceivedAttributes): ReadonlyArray<unknown> =>
  Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))

/** A received span with its attributes as pairs: what is compared in tests of equality. */
export const comparable = (span: ReceivedSpan): unknown => ({
  ...span,
  attributeKeys: [...span.attributeKeys].sort(),
  resource: pairs(span.resource),
  attributes: pairs(span.attributes),
  events: span.events.map((event) => ({ ...event, attributes: pairs(event.attributes) })),
  links: span.links.map((link) => ({ ...link, attributes: pairs(link.attributes) }))
})

/** What the spans of one local trace share, as the tracer keeps it. */
export const makeLocalTrace = (): LocalTrace => ({ openSpans: 0, rootEnded: false, held: undefined })

/** A span as the tracer hands it over: sealed when asked, and only then with `more`. */
export const makeEnded = (
  span: Partial<SpanData> & {
    readonly sampled?: boolean
    readonly isLocalRoot?: boolean
    readonly localTrace?: LocalTrace
    readonly durationMillis?: number
  } = {}
): EndedSpan & { readonly sealedTimes: () => number } => {
  const { durationMillis = 2, isLocalRoot = true, localTrace = makeLocalTrace(), sampled = true, ...rest } = span
  const data = makeSpan({ traceFlags: sampled ? 1 : 0, ...rest })
  let sealed = 0
  return {
    ...data,
    sampled,
    isLocalRoot,
    localTrace,
    durationNanos: durationMillis * 1e6,
    sealedTimes: () => sealed,
    seal: (more = {}) => {
      sealed++
      return {
        ...data,
        attributeKeys: [...Object.keys(more), ...data.attributeKeys],
        attributeValues: [...(Object.values(more) as Array<AttributeValue>), ...data.attributeValues]
      }
    }
  }
}

/** Ends spans of these names, as local roots of their own. */
export const endSpans = (receiver: SpanReceiver, ...names: ReadonlyArray<string>): void => {
  for (const name of names) receiver.ended(makeEnded({ name }))
}

/** `count` names: `prefix-0`, `prefix-1`, … */
export const namesOf = (prefix: string, count: number): Array<string> =>
  Array.from({ length: count }, (_, i) => `${prefix}-${i}`)

/** The lines that a pipeline said. */
export const recordLog = () => {
  const lines: Array<{ readonly level: Level; readonly message: string; readonly fields: Fields }> = []
  const log: Log = (level, message, fields) => void lines.push({ level, message, fields })
  return { lines, log, messages: () => lines.map((line) => line.message) }
}
