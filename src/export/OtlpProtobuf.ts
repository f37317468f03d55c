/**
 * The protobuf encoding of OTLP, written by hand: each span goes from its arrays straight into a buffer.
 *
 * What makes it quick: the lengths of short ASCII attributes are known before they are written, so nothing is moved;
 * a trace's identifier and the current second are computed once and copied afterwards; and no object is made for a
 * span. Field numbers are those of `opentelemetry/proto/trace/v1/trace.proto`, named where they are written.
 *
 * **Example** (A writer)
 *
 * ```ts
 * import { protobuf } from "effect-telemetry/export/OtlpProtobuf"
 *
 * const writer = protobuf.writer()
 * if (writer.length !== 0 || protobuf.contentType !== "application/x-protobuf") throw new Error("unexpected")
 * ```
 *
 * @see https://github.com/open-telemetry/opentelemetry-proto
 */
import type { AttributeValue, EventData, LinkData, SpanData } from "../tracer/SpanData.ts"
import {
  flagsOf,
  keysOf,
  type EncodedSection,
  type Encoding,
  type InstrumentationScope,
  type Resource,
  type SpanWriter
} from "./OtlpEncoder.ts"
import { lengthOfVarint, ProtobufBuffer, shortValue, writeId, writeShort, writeVarint } from "./ProtobufBuffer.ts"
import { RecentTraceIds, type Repeats, RepeatsByName } from "./ProtobufRepeats.ts"

/** A moment's seconds in nanoseconds, as two halves. Seconds repeat from span to span, so they are computed once. */
class Second {
  private seconds = 0
  private low = 0
  private high = 0

  write(view: DataView, at: number, seconds: number, nanos: number): void {
    if (seconds !== this.seconds) {
      const total = BigInt(Math.max(0, Math.trunc(seconds))) * 1_000_000_000n
      this.low = Number(total & 0xffff_ffffn)
      this.high = Number((total >> 32n) & 0xffff_ffffn)
      this.seconds = seconds
    }
    let low = this.low + nanos
    let high = this.high
    if (low > 0xffff_ffff) {
      low -= 0x1_0000_0000
      high++
    }
    view.setUint32(at, low, true)
    view.setUint32(at + 4, high, true)
  }
}

class ProtobufWriter extends ProtobufBuffer implements SpanWriter {
  private readonly traceIds = new RecentTraceIds()
  private readonly startSecond = new Second()
  private readonly endSecond = new Second()
  private readonly repeats = new RepeatsByName()

  write(span: SpanData): boolean {
    const start = this.position
    try {
      this.span(span)
      return true
    } catch {
      this.truncate(start)
      return false
    }
  }

  override take(): Uint8Array {
    this.repeats.relieve()
    return super.take()
  }

  private span(span: SpanData): void {
    // Everything of fixed size, which is written below without looking at the buffer's end again.
    this.reserve(160)
    let buffer = this.buffer
    let at = this.position
    buffer[at] = 0x12 // ScopeSpans.spans
    const start = at + 3 // a span's length nearly always takes two bytes
    at = start
    buffer[at++] = 0x0a // trace_id
    buffer[at++] = 16
    this.traceIds.write(this.view, at, span.traceId)
    at += 16
    buffer[at++] = 0x12 // span_id
    buffer[at++] = 8
    writeId(buffer, at, span.spanId, 8)
    at += 8
    const { parentSpanId, statusMessage, traceState } = span
    if (parentSpanId !== undefined) {
      buffer[at++] = 0x22 // parent_span_id
      buffer[at++] = 8
      writeId(buffer, at, parentSpanId, 8)
      at += 8
    }
    buffer[at++] = 0x30 // kind
    buffer[at++] = span.kindCode + 1
    buffer[at++] = 0x39 // start_time_unix_nano
    this.startSecond.write(this.view, at, span.startSeconds, span.startNanos)
    at += 8
    buffer[at++] = 0x41 // end_time_unix_nano
    this.endSecond.write(this.view, at, span.endSeconds, span.endNanos)
    at += 8
    buffer[at++] = 0x85 // flags, fixed32
    buffer[at++] = 0x01
    const flags = flagsOf(span.traceFlags, span.parentIsRemote)
    buffer[at++] = flags
    buffer[at++] = flags >>> 8
    buffer[at++] = 0
    buffer[at++] = 0
    this.position = at
    if (span.droppedAttributesCount > 0) this.uint32(0x50, span.droppedAttributesCount)
    if (span.droppedEventsCount > 0) this.uint32(0x60, span.droppedEventsCount)
    if (span.droppedLinksCount > 0) this.uint32(0x70, span.droppedLinksCount)
    if (traceState !== undefined && traceState !== "") this.string(0x1a, traceState)
    const repeats = this.repeats.of(span.name)
    if (repeats === undefined || repeats.generation !== this.generation) this.nameAndAttributes(span, repeats)
    else this.repeat(span, repeats)
    const events = span.events
    for (let i = 0; i < events.length; i++) this.event(events[i]!)
    const links = span.linkData
    for (let i = 0; i < links.length; i++) this.link(links[i]!)
    if (span.statusCode !== 0 || statusMessage !== undefined) this.status(span.statusCode, statusMessage)
    // The length, now that it is known.
    const length = this.position - start
    const digits = lengthOfVarint(length)
    if (digits !== 2) {
      if (digits > 2) this.reserve(digits - 2)
      this.buffer.copyWithin(start - 2 + digits, start, this.position)
      this.position += digits - 2
      // It has moved, and lies where it was thought to be no more.
      if (repeats !== undefined && repeats.start >= start) repeats.start += digits - 2
    }
    buffer = this.buffer
    writeVarint(buffer, start - 2, length)
  }

  /** Writes them, and remembers them where there is room. */
  private nameAndAttributes(span: SpanData, repeats: Repeats | undefined): void {
    const { attributeKeys, attributeValues, name } = span
    const start = this.position
    this.string(0x2a, name)
    if (repeats === undefined) return this.attributes(0x4a, attributeKeys, attributeValues)
    repeats.begin(start, this.position)
    for (let i = 0; i < attributeKeys.length; i++) {
      const key = attributeKeys[i]!
      const value = attributeValues[i]
      const valueAt = this.attribute(0x4a, key, value)
      repeats.add(key, value, valueAt, this.position)
    }
    repeats.generation = this.generation
  }

  /** Writes what an earlier span of this name did, and what is different. */
  private repeat(span: SpanData, repeats: Repeats): void {
    const { attributeKeys, attributeValues } = span
    const count = attributeKeys.length
    const { start } = repeats
    let from = 0
    let to = repeats.nameEnd
    for (let i = 0; i < count; i++) {
      const key = attributeKeys[i]!
      const value = attributeValues[i]
      if (i >= repeats.count || key !== repeats.keys[i]) {
        this.copyRun(start + from, start + to)
        for (let rest = i; rest < count; rest++) this.attribute(0x4a, attributeKeys[rest]!, attributeValues[rest])
        // The next one of this name is remembered in its place.
        repeats.generation = -1
        return
      }
      if (repeats.has(i, value)) {
        to = repeats.ends[i]!
        continue
      }
      const valueAt = repeats.valueAt[i]!
      if (valueAt < 0) {
        this.copyRun(start + from, start + to)
        this.attribute(0x4a, key, value)
      } else {
        const begin = this.position + to - from
        this.copyRun(start + from, start + valueAt)
        this.reserve(shortValue)
        const end = writeShort(this.buffer, this.position, value)
        if (end < 0) {
          this.position = begin
          this.attributeSlowly(0x4a, key, value)
        } else {
          this.buffer[begin + 1] = end - begin - 2
          this.position = end
        }
      }
      from = to = repeats.ends[i]!
    }
    this.copyRun(start + from, start + to)
  }

  private event(event: EventData): void {
    const start = this.begin(0x5a)
    this.reserve(16)
    this.buffer[this.position] = 0x09 // time_unix_nano
    this.endSecond.write(this.view, this.position + 1, event.seconds, event.nanos)
    this.position += 9
    this.string(0x12, event.name)
    this.attributes(0x1a, event.attributeKeys, event.attributeValues)
    if (event.droppedAttributesCount > 0) this.uint32(0x20, event.droppedAttributesCount)
    this.end(start)
  }

  private link(link: LinkData): void {
    const start = this.begin(0x6a)
    this.reserve(40)
    const buffer = this.buffer
    let at = this.position
    buffer[at++] = 0x0a // trace_id
    buffer[at++] = 16
    writeId(buffer, at, link.traceId, 16)
    at += 16
    buffer[at++] = 0x12 // span_id
    buffer[at++] = 8
    writeId(buffer, at, link.spanId, 8)
    at += 8
    buffer[at++] = 0x35 // flags, fixed32
    const flags = flagsOf(link.traceFlags, link.isRemote)
    buffer[at++] = flags
    buffer[at++] = flags >>> 8
    buffer[at++] = 0
    buffer[at++] = 0
    this.position = at
    if (link.traceState !== undefined && link.traceState !== "") this.string(0x1a, link.traceState)
    this.attributes(0x22, link.attributeKeys, link.attributeValues)
    if (link.droppedAttributesCount > 0) this.uint32(0x28, link.droppedAttributesCount)
    this.end(start)
  }

  private status(code: number, message: string | undefined): void {
    const start = this.begin(0x7a)
    if (message !== undefined && message !== "") this.string(0x12, message)
    if (code !== 0) this.uint32(0x18, code)
    this.end(start)
  }

  resource(resource: Resource): void {
    const start = this.begin(0x0a) // ResourceSpans.resource
    const keys = keysOf(resource.attributes)
    this.attributes(
      0x0a,
      keys,
      keys.map((key) => resource.attributes[key] as AttributeValue)
    )
    this.end(start)
    if (resource.schemaUrl !== undefined && resource.schemaUrl !== "") this.string(0x1a, resource.schemaUrl)
  }

  scope(scope: InstrumentationScope): void {
    const start = this.begin(0x0a) // ScopeSpans.scope
    this.string(0x0a, scope.name)
    if (scope.version !== undefined && scope.version !== "") this.string(0x12, scope.version)
    const attributes = scope.attributes ?? {}
    const keys = keysOf(attributes)
    this.attributes(
      0x1a,
      keys,
      keys.map((key) => attributes[key] as AttributeValue)
    )
    this.end(start)
    if (scope.schemaUrl !== undefined && scope.schemaUrl !== "") this.string(0x1a, scope.schemaUrl)
  }
}

/** Reads a varint of up to 32 bits: the value, and the offset behind it. */
const readVarint = (buffer: Uint8Array, offset: number): readonly [number, number] => {
  let value = 0
  let shift = 0
  let at = offset
  for (;;) {
    const byte = buffer[at++]!
    value += (byte & 127) * 2 ** shift
    if (byte < 128 || byte === undefined) return [value, at]
    shift += 7
  }
}

const piece = (write: (writer: ProtobufWriter) => void): Uint8Array => {
  const writer = new ProtobufWriter()
  write(writer)
  return writer.take()
}

const head = (tag: number, length: number): Uint8Array => {
  const bytes = new Uint8Array(1 + lengthOfVarint(length))
  bytes[0] = tag
  writeVarint(bytes, 1, length)
  return bytes
}

const request = (resource: Uint8Array, sections: ReadonlyArray<EncodedSection>): Array<Uint8Array> => {
  const pieces: Array<Uint8Array> = []
  let length = resource.length
  for (const section of sections) {
    const sectionLength = section.scope.length + section.spans.length
    const sectionHead = head(0x12, sectionLength) // ResourceSpans.scope_spans
    pieces.push(sectionHead, section.scope, section.spans)
    length += sectionHead.length + sectionLength
  }
  return [head(0x0a, length), resource, ...pieces] // ExportTraceServiceRequest.resource_spans
}

/** The binary encoding of OTLP/HTTP, `http/protobuf`. */
export const protobuf: Encoding = {
  protocol: "http/protobuf",
  contentType: "application/x-protobuf",
  writer: () => new ProtobufWriter(),
  resource: (resource) => piece((writer) => writer.resource(resource)),
  scope: (scope) => piece((writer) => writer.scope(scope)),
  request,
  split: (spans, first) => {
    let at = 0
    for (let i = 0; i < first && at < spans.length; i++) {
      const [length, next] = readVarint(spans, at + 1)
      at = next + length
    }
    return [spans.subarray(0, at), spans.subarray(at)]
  },
  nameOf: (spans) => {
    const [length, start] = readVarint(spans, 1)
    const end = start + length
    let at = start
    while (at < end) {
      const [tag, next] = readVarint(spans, at)
      at = next
      if ((tag & 7) === 1) at += 8
      else if ((tag & 7) === 5) at += 4
      else if ((tag & 7) === 0) at = readVarint(spans, at)[1]
      else {
        const [size, from] = readVarint(spans, at)
        if (tag === 0x2a) return Buffer.from(spans.subarray(from, from + size)).toString("utf8")
        at = from + size
      }
    }
    return ""
  }
}
