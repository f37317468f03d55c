/**
 * The spool's file format: what a segment looks like on disk, and how much of it can be read back whatever happened to
 * it.
 *
 * A segment begins with 32 bytes: `ETSPOOL`, the version, and the cursor (up to where everything has been settled) with
 * its checksum. Records follow, each with a mark, its kind, its length and a checksum over both and the payload. A
 * segment says in its first record how its spans are encoded and under which resource they belong, so that any process
 * can send them.
 *
 * Whatever is not a record with a right checksum is damage: reading goes on at the next mark behind it.
 *
 * **Example** (A damaged byte costs its own record)
 *
 * ```ts
 * import * as SpoolRecord from "effect-telemetry/export/SpoolRecord"
 *
 * const segment = Buffer.concat([
 *   SpoolRecord.header(),
 *   SpoolRecord.meta("http/protobuf", Buffer.from("resource")),
 *   SpoolRecord.scope(0, Buffer.from("scope")),
 *   SpoolRecord.spans(0, 1, 0, Buffer.from("first")),
 *   SpoolRecord.spans(0, 1, 0, Buffer.from("second"))
 * ])
 * segment[segment.indexOf("first")]! ^= 1
 * const read = SpoolRecord.read(segment)
 * if (read._tag !== "Segment" || read.spans.length !== 1 || read.damaged.length !== 1) throw new Error("unexpected")
 * ```
 */
import { crc32 } from "node:zlib"

/** The version of the format. A segment of another one is left as it is. */
export const version = 1
/** Bytes before a segment's first record. */
export const headerLength = 32
/** Where the cursor is written anew. */
export const cursorPosition = 8

const name = Buffer.from("ETSPOOL", "latin1")
const mark = Buffer.from([0xe7, 0x5a, 0x0d, 0x0a])
const frameLength = 16
const spansPrefix = 12

const kindMeta = 1
const kindScope = 2
const kindSpans = 3

/** Spans of one tick and one scope. */
export interface SpansRecord {
  /** Where the record begins and ends in the segment. */
  readonly from: number
  readonly to: number
  /** Number of its scope. */
  readonly scope: number
  readonly count: number
  /** When it was written: milliseconds since the Unix epoch. */
  readonly time: number
  readonly spans: Uint8Array
}

/** Bytes that are no record. */
export interface Damage {
  readonly from: number
  readonly to: number
  /** How many spans they held, as far as can be told: at least one. */
  readonly spans: number
}

/** What could be read of a segment. */
export type Read =
  | {
      readonly _tag: "Segment"
      readonly protocol: string
      readonly resource: Uint8Array
      readonly scopes: ReadonlyMap<number, Uint8Array>
      /** Those behind the cursor, in order. */
      readonly spans: ReadonlyArray<SpansRecord>
      readonly damaged: ReadonlyArray<Damage>
      readonly cursor: number
    }
  /** Written by another version of this package. */
  | { readonly _tag: "OtherVersion"; readonly version: number }
  /** Not a segment, or damaged so much that its spans cannot be sent. */
  | { readonly _tag: "Unreadable" }

/** The first bytes of a segment. */
export const header = (): Buffer => {
  const bytes = Buffer.alloc(headerLength)
  name.copy(bytes)
  bytes[name.length] = version
  cursor(headerLength).copy(bytes, cursorPosition)
  return bytes
}

/** The cursor, to be written at `cursorPosition`. */
export const cursor = (offset: number): Buffer => {
  const bytes = Buffer.alloc(12)
  bytes.writeDoubleLE(offset)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 8)), 8)
  return bytes
}

/** How the segment's spans are encoded, and the resource that they belong to. */
export const meta = (protocol: string, resource: Uint8Array): Buffer => {
  const payload = Buffer.concat([Buffer.from([protocol === "http/json" ? 1 : 0]), resource])
  const record = Buffer.allocUnsafe(frameLength + payload.length)
  payload.copy(record, frameLength)
  frame(record, 0, kindMeta, 0, record.length)
  return record
}

/** A scope, by a number of its own. */
export const scope = (number: number, bytes: Uint8Array): Buffer => {
  const record = Buffer.allocUnsafe(frameLength + bytes.length)
  record.set(bytes, frameLength)
  frame(record, 0, kindScope, number, record.length)
  return record
}

/** Spans. */
export const spans = (scope: number, count: number, time: number, bytes: Uint8Array): Buffer => {
  const record = Buffer.allocUnsafe(spansLength(bytes.length))
  writeSpans(record, 0, scope, count, time, bytes)
  return record
}

/** How long a record of spans is. */
export const spansLength = (bytes: number): number => frameLength + spansPrefix + bytes

/** Writes a record of spans into a buffer that has room for it; returns where it ends. */
export const writeSpans = (
  target: Buffer,
  at: number,
  scope: number,
  count: number,
  time: number,
  bytes: Uint8Array
): number => {
  const end = at + spansLength(bytes.length)
  target.writeUInt32LE(count, at + frameLength)
  target.writeDoubleLE(time, at + frameLength + 4)
  target.set(bytes, at + frameLength + spansPrefix)
  frame(target, at, kindSpans, scope, end)
  return end
}

/** Mark, checksum over everything behind it, kind, number, length. */
const frame = (target: Buffer, at: number, kind: number, number: number, end: number): void => {
  mark.copy(target, at)
  target[at + 8] = kind
  target[at + 9] = 0
  target.writeUInt16LE(number, at + 10)
  target.writeUInt32LE(end - at - frameLength, at + 12)
  target.writeUInt32LE(crc32(target.subarray(at + 8, end)), at + 4)
}

/** Reads a segment, or what is left of it. Never throws. */
export const read = (bytes: Buffer): Read => {
  if (bytes.length <= name.length || !bytes.subarray(0, name.length).equals(name)) return { _tag: "Unreadable" }
  const found = bytes[name.length]!
  if (found !== version) return { _tag: "OtherVersion", version: found }
  const from = cursorOf(bytes)
  const scopes = new Map<number, Uint8Array>()
  const all: Array<SpansRecord> = []
  const damaged: Array<Damage> = []
  let protocol: string | undefined
  let resource: Uint8Array = Buffer.alloc(0)
  let at = headerLength
  while (at < bytes.length) {
    const payload = payloadAt(bytes, at)
    if (payload === undefined) {
      const next = nextRecord(bytes, at + 1)
      damaged.push({ from: at, to: next, spans: countIn(bytes, at, next) })
      at = next
      continue
    }
    const number = bytes.readUInt16LE(at + 10)
    const to = at + frameLength + payload.length
    switch (bytes[at + 8]) {
      case kindMeta:
        protocol = payload[0] === 1 ? "http/json" : "http/protobuf"
        resource = payload.subarray(1)
        break
      case kindScope:
        scopes.set(number, payload)
        break
      case kindSpans:
        if (at >= from) {
          all.push({
            from: at,
            to,
            scope: number,
            count: payload.readUInt32LE(0),
            time: payload.readDoubleLE(4),
            spans: payload.subarray(spansPrefix)
          })
        }
    }
    at = to
  }
  if (protocol === undefined) return { _tag: "Unreadable" }
  return { _tag: "Segment", protocol, resource, scopes, spans: all, damaged, cursor: from }
}

/** The records of spans within a range that is known to hold nothing else but records. */
export const readSpans = (bytes: Buffer): ReadonlyArray<SpansRecord> | undefined => {
  const all: Array<SpansRecord> = []
  let at = 0
  while (at < bytes.length) {
    const payload = payloadAt(bytes, at)
    if (payload === undefined) return undefined
    const to = at + frameLength + payload.length
    if (bytes[at + 8] === kindSpans) {
      all.push({
        from: at,
        to,
        scope: bytes.readUInt16LE(at + 10),
        count: payload.readUInt32LE(0),
        time: payload.readDoubleLE(4),
        spans: payload.subarray(spansPrefix)
      })
    }
    at = to
  }
  return all
}

const cursorOf = (bytes: Buffer): number => {
  if (bytes.length < headerLength) return headerLength
  const sum = bytes.readUInt32LE(cursorPosition + 8)
  if (sum !== crc32(bytes.subarray(cursorPosition, cursorPosition + 8))) return headerLength
  return bytes.readDoubleLE(cursorPosition)
}

/** The payload of the record at an offset, if there is one. */
const payloadAt = (bytes: Buffer, at: number): Buffer | undefined => {
  if (at + frameLength > bytes.length || !bytes.subarray(at, at + mark.length).equals(mark)) return undefined
  const length = bytes.readUInt32LE(at + 12)
  const end = at + frameLength + length
  if (end > bytes.length || (bytes[at + 8] === kindSpans && length < spansPrefix)) return undefined
  return crc32(bytes.subarray(at + 8, end)) === bytes.readUInt32LE(at + 4)
    ? bytes.subarray(at + frameLength, end)
    : undefined
}

const nextRecord = (bytes: Buffer, from: number): number => {
  for (let at = bytes.indexOf(mark, from); at >= 0; at = bytes.indexOf(mark, at + 1)) {
    if (payloadAt(bytes, at) !== undefined) return at
  }
  return bytes.length
}

/** The count that a damaged record states, where it could be true. */
const countIn = (bytes: Buffer, at: number, to: number): number => {
  if (at + frameLength + 4 > to || bytes[at + 8] !== kindSpans) return 1
  const count = bytes.readUInt32LE(at + frameLength)
  // A span takes at least its identifiers and times.
  return count >= 1 && count <= bytes.readUInt32LE(at + 12) / 48 && count <= 100_000 ? count : 1
}
