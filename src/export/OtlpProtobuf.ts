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
  isInt64,
  isInt64Big,
  keysOf,
  maxDepth,
  type EncodedSection,
  type Encoding,
  type InstrumentationScope,
  type Resource,
  type SpanWriter
} from "./OtlpEncoder.ts"

const initialSize = 64 * 1024
/** A buffer that had to grow beyond this is given back once it was taken. */
const keptSize = 4 * 1024 * 1024
/** Below this many characters a loop in JavaScript is quicker than a call into the runtime. */
const loopLimit = 48

const nibbles = new Uint8Array(128)
for (let i = 0; i < 16; i++) {
  const digit = i.toString(16)
  nibbles[digit.charCodeAt(0)] = i
  nibbles[digit.toUpperCase().charCodeAt(0)] = i
}
const nibble = (id: string, at: number): number => (at < 0 ? 0 : nibbles[id.charCodeAt(at) & 127]!)

const scratchDouble = new Float64Array(1)
const scratchBytes = new Uint8Array(scratchDouble.buffer)

/** A moment's seconds in nanoseconds, as two halves. Seconds repeat from span to span, so they are computed once. */
class Second {
  private seconds = 0
  private low = 0
  private high = 0

  write(buffer: Uint8Array, at: number, seconds: number, nanos: number): void {
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
    buffer[at] = low
    buffer[at + 1] = low >>> 8
    buffer[at + 2] = low >>> 16
    buffer[at + 3] = low >>> 24
    buffer[at + 4] = high
    buffer[at + 5] = high >>> 8
    buffer[at + 6] = high >>> 16
    buffer[at + 7] = high >>> 24
  }
}

const lengthOfVarint = (value: number): number =>
  value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5

class ProtobufWriter implements SpanWriter {
  private buffer = Buffer.allocUnsafeSlow(initialSize)
  private position = 0
  private traceId = ""
  private readonly traceIdBytes = new Uint8Array(16)
  private readonly startSecond = new Second()
  private readonly endSecond = new Second()

  get length(): number {
    return this.position
  }

  viewFrom(offset: number): Uint8Array {
    return this.buffer.subarray(offset, this.position)
  }

  copyFrom(offset: number): Uint8Array {
    const copy = Buffer.allocUnsafeSlow(this.position - offset)
    this.buffer.copy(copy, 0, offset, this.position)
    return copy
  }

  truncate(offset: number): void {
    this.position = offset
  }

  append(spans: Uint8Array): void {
    this.reserve(spans.length)
    this.buffer.set(spans, this.position)
    this.position += spans.length
  }

  take(): Uint8Array {
    const bytes = this.copyFrom(0)
    this.position = 0
    if (this.buffer.length > keptSize) this.buffer = Buffer.allocUnsafeSlow(initialSize)
    return bytes
  }

  write(span: SpanData): boolean {
    const start = this.position
    try {
      this.span(span)
      return true
    } catch {
      this.position = start
      return false
    }
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
    this.writeTraceId(buffer, at, span.traceId)
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
    this.startSecond.write(buffer, at, span.startSeconds, span.startNanos)
    at += 8
    buffer[at++] = 0x41 // end_time_unix_nano
    this.endSecond.write(buffer, at, span.endSeconds, span.endNanos)
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
    this.string(0x2a, span.name)
    if (traceState !== undefined && traceState !== "") this.string(0x1a, traceState)
    this.attributes(0x4a, span.attributeKeys, span.attributeValues)
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
    }
    buffer = this.buffer
    writeVarint(buffer, start - 2, length)
  }

  private writeTraceId(buffer: Uint8Array, at: number, traceId: string): void {
    const bytes = this.traceIdBytes
    if (traceId !== this.traceId) {
      writeId(bytes, 0, traceId, 16)
      this.traceId = traceId
    }
    for (let i = 0; i < 16; i++) buffer[at + i] = bytes[i]!
  }

  private event(event: EventData): void {
    const start = this.begin(0x5a)
    this.reserve(16)
    this.buffer[this.position] = 0x09 // time_unix_nano
    this.endSecond.write(this.buffer, this.position + 1, event.seconds, event.nanos)
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

  /** Repeated `KeyValue` of a tag that takes one byte. */
  attributes(tag: number, keys: ReadonlyArray<string>, values: ReadonlyArray<unknown>): void {
    for (let i = 0; i < keys.length; i++) this.attribute(tag, keys[i]!, values[i])
  }

  private attribute(tag: number, key: string, value: unknown): void {
    const keyLength = key.length
    if (keyLength > loopLimit) return this.attributeSlowly(tag, key, value)
    this.reserve(keyLength + loopLimit + 32)
    const buffer = this.buffer
    const start = this.position
    let at = start + 4
    let seen = 0
    for (let i = 0; i < keyLength; i++) {
      const code = key.charCodeAt(i)
      seen |= code
      buffer[at++] = code
    }
    if (seen > 127) return this.attributeSlowly(tag, key, value)
    buffer[start] = tag
    buffer[start + 2] = 0x0a // key
    buffer[start + 3] = keyLength
    buffer[at] = 0x12 // value, whose length goes to at + 1
    if (typeof value === "string") {
      const valueLength = value.length
      if (valueLength > loopLimit) return this.attributeSlowly(tag, key, value)
      const valueAt = at
      at += 4
      for (let i = 0; i < valueLength; i++) {
        const code = value.charCodeAt(i)
        seen |= code
        buffer[at++] = code
      }
      if (seen > 127) return this.attributeSlowly(tag, key, value)
      buffer[valueAt + 1] = valueLength + 2
      buffer[valueAt + 2] = 0x0a // string_value
      buffer[valueAt + 3] = valueLength
    } else if (typeof value === "number") {
      if (value >= 0 && value <= 0x7fff_ffff && (value | 0) === value) {
        const digits = lengthOfVarint(value)
        buffer[at + 1] = digits + 1
        buffer[at + 2] = 0x18 // int_value
        writeVarint(buffer, at + 3, value)
        at += 3 + digits
      } else if (isInt64(value)) {
        return this.attributeSlowly(tag, key, value)
      } else {
        buffer[at + 1] = 9
        buffer[at + 2] = 0x21 // double_value
        scratchDouble[0] = value
        for (let i = 0; i < 8; i++) buffer[at + 3 + i] = scratchBytes[i]!
        at += 11
      }
    } else if (typeof value === "boolean") {
      buffer[at + 1] = 2
      buffer[at + 2] = 0x10 // bool_value
      buffer[at + 3] = value ? 1 : 0
      at += 4
    } else return this.attributeSlowly(tag, key, value)
    buffer[start + 1] = at - start - 2
    this.position = at
  }

  private attributeSlowly(tag: number, key: string, value: unknown): void {
    const start = this.begin(tag)
    this.string(0x0a, key)
    const valueStart = this.begin(0x12)
    this.anyValue(value, 0)
    this.end(valueStart)
    this.end(start)
  }

  /** The fields of an `AnyValue`; none for what is absent. */
  private anyValue(value: unknown, depth: number): void {
    switch (typeof value) {
      case "string":
        return this.string(0x0a, value)
      case "boolean":
        return this.uint32(0x10, value ? 1 : 0)
      case "number":
        return isInt64(value) ? this.int64(0x18, BigInt(value)) : this.double(0x21, value)
      case "bigint":
        return isInt64Big(value) ? this.int64(0x18, value) : this.string(0x0a, String(value))
      case "object":
        if (value === null) return
        break
      case "undefined":
        return
      default:
        return this.string(0x0a, String(value))
    }
    if (depth >= maxDepth) return this.string(0x0a, "[nested too deeply]")
    if (value instanceof Uint8Array) return this.bytes(0x3a, value)
    if (Array.isArray(value)) {
      const list = this.begin(0x2a) // array_value
      for (const element of value as ReadonlyArray<unknown>) {
        const start = this.begin(0x0a)
        this.anyValue(element, depth + 1)
        this.end(start)
      }
      return this.end(list)
    }
    const list = this.begin(0x32) // kvlist_value
    for (const key of keysOf(value)) {
      const entry = this.begin(0x0a)
      this.string(0x0a, key)
      const start = this.begin(0x12)
      this.anyValue((value as Readonly<Record<string, unknown>>)[key], depth + 1)
      this.end(start)
      this.end(entry)
    }
    this.end(list)
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

  private reserve(size: number): void {
    if (this.position + size > this.buffer.length) this.grow(size)
  }

  private grow(size: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, this.position + size))
    this.buffer.copy(larger, 0, 0, this.position)
    this.buffer = larger
  }

  /** Starts a message of unknown length, with one byte kept free for it. */
  private begin(tag: number): number {
    this.reserve(2)
    this.buffer[this.position] = tag
    this.position += 2
    return this.position
  }

  private end(start: number): void {
    const length = this.position - start
    const more = lengthOfVarint(length) - 1
    if (more > 0) {
      this.reserve(more)
      this.buffer.copyWithin(start + more, start, this.position)
      this.position += more
    }
    writeVarint(this.buffer, start - 1, length)
  }

  private uint32(tag: number, value: number): void {
    this.reserve(6)
    this.buffer[this.position] = tag
    const unsigned = Math.min(0xffff_ffff, Math.trunc(value))
    writeVarint(this.buffer, this.position + 1, unsigned)
    this.position += 1 + lengthOfVarint(unsigned)
  }

  private int64(tag: number, value: bigint): void {
    this.reserve(11)
    const buffer = this.buffer
    buffer[this.position++] = tag
    let rest = BigInt.asUintN(64, value)
    while (rest > 127n) {
      buffer[this.position++] = Number(rest & 127n) | 128
      rest >>= 7n
    }
    buffer[this.position++] = Number(rest)
  }

  private double(tag: number, value: number): void {
    this.reserve(9)
    this.buffer[this.position] = tag
    scratchDouble[0] = value
    this.buffer.set(scratchBytes, this.position + 1)
    this.position += 9
  }

  private bytes(tag: number, value: Uint8Array): void {
    this.reserve(value.length + 6)
    this.buffer[this.position] = tag
    writeVarint(this.buffer, this.position + 1, value.length)
    this.position += 1 + lengthOfVarint(value.length)
    this.buffer.set(value, this.position)
    this.position += value.length
  }

  private string(tag: number, value: string): void {
    const length = value.length
    this.reserve(length * 3 + 6)
    const buffer = this.buffer
    const start = this.position
    buffer[start] = tag
    if (length <= loopLimit) {
      let seen = 0
      for (let i = 0; i < length; i++) {
        const code = value.charCodeAt(i)
        seen |= code
        buffer[start + 2 + i] = code
      }
      if (seen < 128) {
        buffer[start + 1] = length
        this.position = start + 2 + length
        return
      }
    }
    // Mostly ASCII: as many bytes as characters, so the length's own size is guessed and seldom corrected.
    const guess = lengthOfVarint(length)
    const written = buffer.write(value, start + 1 + guess, "utf8")
    const digits = lengthOfVarint(written)
    if (digits !== guess) buffer.copyWithin(start + 1 + digits, start + 1 + guess, start + 1 + guess + written)
    writeVarint(buffer, start + 1, written)
    this.position = start + 1 + digits + written
  }
}

/** Writes an identifier, read from its end so that one of a wrong length is padded or cut on the left. */
const writeId = (buffer: Uint8Array, at: number, id: string, size: number): void => {
  if (id.length === size * 2) {
    for (let i = 0; i < size; i++) {
      buffer[at + i] = (nibbles[id.charCodeAt(i * 2) & 127]! << 4) | nibbles[id.charCodeAt(i * 2 + 1) & 127]!
    }
  } else {
    const offset = id.length - size * 2
    for (let i = 0; i < size; i++) buffer[at + i] = (nibble(id, offset + i * 2) << 4) | nibble(id, offset + i * 2 + 1)
  }
}

const writeVarint = (buffer: Uint8Array, at: number, value: number): void => {
  let rest = value
  while (rest > 127) {
    buffer[at++] = (rest & 127) | 128
    rest >>>= 7
  }
  buffer[at] = rest
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
