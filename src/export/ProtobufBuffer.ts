/**
 * The protobuf wire format, as far as OTLP needs it: the fields that are written into a buffer that grows.
 *
 * What makes it quick: the lengths of short ASCII attributes are known before they are written, so nothing is moved, and
 * no object is made on the way.
 *
 * @see https://protobuf.dev/programming-guides/encoding/
 * @internal
 */
import { GrowingBuffer } from "./GrowingBuffer.ts"
import { isInt64, isInt64Big, keysOf, maxDepth } from "./OtlpEncoder.ts"

/** Below this many characters a loop in JavaScript is quicker than a call into the runtime. */
const loopLimit = 48
/** Bytes that `writeShort` writes at most. */
export const shortValue = loopLimit + 3

/** Up to so many bytes a loop is quicker than `copyWithin`. */
const shortRun = 24

const nibbles = new Uint8Array(128)
for (let i = 0; i < 16; i++) {
  const digit = i.toString(16)
  nibbles[digit.charCodeAt(0)] = i
  nibbles[digit.toUpperCase().charCodeAt(0)] = i
}
const nibble = (id: string, at: number): number => (at < 0 ? 0 : nibbles[id.charCodeAt(at) & 127]!)

const scratchDouble = new Float64Array(1)
const scratchBytes = new Uint8Array(scratchDouble.buffer)

export const lengthOfVarint = (value: number): number =>
  value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5

export class ProtobufBuffer extends GrowingBuffer {
  /** Repeated `KeyValue` of a tag that takes one byte. */
  attributes(tag: number, keys: ReadonlyArray<string>, values: ReadonlyArray<unknown>): void {
    for (let i = 0; i < keys.length; i++) this.attribute(tag, keys[i]!, values[i])
  }

  /** Returns where the value stands, behind its tag; -1 where lengths take more than a byte. */
  protected attribute(tag: number, key: string, value: unknown): number {
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
    buffer[at++] = 0x12 // value
    const end = writeShort(buffer, at, value)
    if (end < 0) return this.attributeSlowly(tag, key, value)
    buffer[start + 1] = end - start - 2
    this.position = end
    return at
  }

  protected attributeSlowly(tag: number, key: string, value: unknown): -1 {
    const start = this.begin(tag)
    this.string(0x0a, key)
    const valueStart = this.begin(0x12)
    this.anyValue(value, 0)
    this.end(valueStart)
    this.end(start)
    return -1
  }

  /** The fields of an `AnyValue`; none for what is absent. */
  protected anyValue(value: unknown, depth: number): void {
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

  /** Writes again what stands between two positions. */
  protected copyRun(from: number, to: number): void {
    const length = to - from
    if (length <= 0) return
    this.reserve(length)
    const { buffer, position } = this
    if (length > shortRun) buffer.copyWithin(position, from, to)
    else for (let i = 0; i < length; i++) buffer[position + i] = buffer[from + i]!
    this.position = position + length
  }

  /** Starts a message of unknown length, with one byte kept free for it. */
  protected begin(tag: number): number {
    this.reserve(2)
    this.buffer[this.position] = tag
    this.position += 2
    return this.position
  }

  protected end(start: number): void {
    const length = this.position - start
    const more = lengthOfVarint(length) - 1
    if (more > 0) {
      this.reserve(more)
      this.buffer.copyWithin(start + more, start, this.position)
      this.position += more
    }
    writeVarint(this.buffer, start - 1, length)
  }

  protected uint32(tag: number, value: number): void {
    this.reserve(6)
    this.buffer[this.position] = tag
    const unsigned = Math.min(0xffff_ffff, Math.trunc(value))
    writeVarint(this.buffer, this.position + 1, unsigned)
    this.position += 1 + lengthOfVarint(unsigned)
  }

  protected int64(tag: number, value: bigint): void {
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

  protected double(tag: number, value: number): void {
    this.reserve(9)
    this.buffer[this.position] = tag
    scratchDouble[0] = value
    this.buffer.set(scratchBytes, this.position + 1)
    this.position += 9
  }

  protected bytes(tag: number, value: Uint8Array): void {
    this.reserve(value.length + 6)
    this.buffer[this.position] = tag
    writeVarint(this.buffer, this.position + 1, value.length)
    this.position += 1 + lengthOfVarint(value.length)
    this.buffer.set(value, this.position)
    this.position += value.length
  }

  protected string(tag: number, value: string): void {
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

/**
 * Writes an `AnyValue` behind its length, where all of it is short (at most `shortValue` bytes). Returns where it ends; -1
 * where it is not short.
 */
export const writeShort = (buffer: Uint8Array, start: number, value: unknown): number => {
  let at = start
  if (typeof value === "string") {
    const length = value.length
    if (length > loopLimit) return -1
    let seen = 0
    at += 3
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i)
      seen |= code
      buffer[at++] = code
    }
    if (seen > 127) return -1
    buffer[start] = length + 2
    buffer[start + 1] = 0x0a // string_value
    buffer[start + 2] = length
    return at
  }
  if (typeof value === "number") {
    if (value >= 0 && value <= 0x7fff_ffff && (value | 0) === value) {
      const digits = lengthOfVarint(value)
      buffer[at] = digits + 1
      buffer[at + 1] = 0x18 // int_value
      writeVarint(buffer, at + 2, value)
      return at + 2 + digits
    }
    if (isInt64(value)) return -1
    buffer[at] = 9
    buffer[at + 1] = 0x21 // double_value
    scratchDouble[0] = value
    for (let i = 0; i < 8; i++) buffer[at + 2 + i] = scratchBytes[i]!
    return at + 10
  }
  if (typeof value !== "boolean") return -1
  buffer[at] = 2
  buffer[at + 1] = 0x10 // bool_value
  buffer[at + 2] = value ? 1 : 0
  return at + 3
}

/** Writes an identifier, read from its end so that one of a wrong length is padded or cut on the left. */
export const writeId = (buffer: Uint8Array, at: number, id: string, size: number): void => {
  if (id.length === size * 2) {
    for (let i = 0; i < size; i++) {
      buffer[at + i] = (nibbles[id.charCodeAt(i * 2) & 127]! << 4) | nibbles[id.charCodeAt(i * 2 + 1) & 127]!
    }
  } else {
    const offset = id.length - size * 2
    for (let i = 0; i < size; i++) buffer[at + i] = (nibble(id, offset + i * 2) << 4) | nibble(id, offset + i * 2 + 1)
  }
}

export const writeVarint = (buffer: Uint8Array, at: number, value: number): void => {
  let rest = value
  while (rest > 127) {
    buffer[at++] = (rest & 127) | 128
    rest >>>= 7
  }
  buffer[at] = rest
}
