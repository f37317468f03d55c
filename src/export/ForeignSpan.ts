/**
 * Spans that another OpenTelemetry tracer made, as `SpanData`: so that they leave by the same way as ours.
 *
 * Only interfaces of the OpenTelemetry API are read, so a span of any SDK version 2 will do.
 *
 * **Example** (Encoding spans of another tracer)
 *
 * ```ts
 * import { encodeSpans } from "effect-telemetry/export/OtlpEncoder"
 * import { protobuf } from "effect-telemetry/export/OtlpProtobuf"
 * import { fromReadableSpan } from "effect-telemetry/export/ForeignSpan"
 * import type { ReadableSpan } from "@opentelemetry/sdk-trace-base"
 *
 * export const encode = (spans: ReadonlyArray<ReadableSpan>): Uint8Array =>
 *   encodeSpans(protobuf, {
 *     resource: { attributes: {} },
 *     scope: { name: "foreign" },
 *     spans: spans.map(fromReadableSpan)
 *   })
 * if (encode([]).length === 0) throw new Error("unexpected")
 * ```
 */
import type { Attributes, HrTime, SpanContext } from "@opentelemetry/api"
import type { ReadableSpan, TimedEvent } from "@opentelemetry/sdk-trace-base"
import type { AttributeValue, EventData, LinkData, SpanData } from "../tracer/SpanData.ts"
import type { InstrumentationScope } from "./OtlpEncoder.ts"

/** A `SpanData` that says which library made it. */
export interface ScopedSpanData extends SpanData {
  readonly instrumentationScope: InstrumentationScope
}

/** Reads what an OpenTelemetry span holds. The span must have ended; it is not copied deeply. */
export const fromReadableSpan = (span: ReadableSpan): ScopedSpanData => {
  const context = span.spanContext()
  const parent = span.parentSpanContext
  const [startSeconds, startNanos] = timeOf(span.startTime)
  const [endSeconds, endNanos] = timeOf(span.endTime)
  const keys = Object.keys(span.attributes)
  return {
    name: span.name,
    traceId: context.traceId,
    spanId: context.spanId,
    parentSpanId: parent?.spanId === undefined || parent.spanId === "" ? undefined : parent.spanId,
    parentIsRemote: parent?.isRemote === true,
    traceFlags: context.traceFlags,
    traceState: stateOf(context),
    kindCode: (span.kind ?? 0) as SpanData["kindCode"],
    startSeconds,
    startNanos,
    endSeconds,
    endNanos,
    statusCode: span.status.code,
    statusMessage: span.status.message,
    attributeKeys: keys,
    attributeValues: valuesOf(span.attributes, keys),
    events: span.events.map(eventOf),
    linkData: span.links.map((link): LinkData => {
      const attributes = link.attributes ?? {}
      const attributeKeys = Object.keys(attributes)
      return {
        traceId: link.context.traceId,
        spanId: link.context.spanId,
        traceFlags: link.context.traceFlags,
        traceState: stateOf(link.context),
        isRemote: link.context.isRemote === true,
        attributeKeys,
        attributeValues: valuesOf(attributes, attributeKeys),
        droppedAttributesCount: link.droppedAttributesCount ?? 0
      }
    }),
    droppedAttributesCount: span.droppedAttributesCount,
    droppedEventsCount: span.droppedEventsCount,
    droppedLinksCount: span.droppedLinksCount,
    instrumentationScope: span.instrumentationScope
  }
}

const valuesOf = (attributes: Attributes, keys: ReadonlyArray<string>): Array<AttributeValue> =>
  keys.map((key) => attributes[key] as AttributeValue)

const stateOf = (context: SpanContext): string | undefined => {
  const state = context.traceState?.serialize()
  return state === "" ? undefined : state
}

const timeOf = ([seconds, nanos]: HrTime): readonly [number, number] => [Math.trunc(seconds), Math.trunc(nanos)]

const eventOf = (event: TimedEvent): EventData => {
  const attributes = event.attributes ?? {}
  const attributeKeys = Object.keys(attributes)
  const [seconds, nanos] = timeOf(event.time)
  return {
    name: event.name,
    seconds,
    nanos,
    attributeKeys,
    attributeValues: valuesOf(attributes, attributeKeys),
    droppedAttributesCount: event.droppedAttributesCount ?? 0
  }
}
