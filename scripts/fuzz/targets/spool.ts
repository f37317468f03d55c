/** The spool's files, damaged in every way. */
import assert from "node:assert/strict"
import * as SpoolRecord from "../../../src/export/SpoolRecord.ts"
import type { Choices } from "../Choices.ts"
import { target } from "../Target.ts"

interface Written {
  readonly scope: number
  readonly count: number
  readonly bytes: Uint8Array
}

const mark = Buffer.from([0xe7, 0x5a, 0x0d, 0x0a])

const recordOf = (choices: Choices): Written => ({
  scope: choices.below(3),
  count: choices.between(1, 5),
  // A payload may look like a record itself.
  bytes: choices.oneOf<Uint8Array>(
    (choices) => choices.bytes(40),
    (choices) => Buffer.concat([mark, choices.bytes(20)]),
    (choices) => SpoolRecord.spans(choices.below(3), 1, 0, choices.bytes(10))
  )
})

type Damage = (bytes: Buffer, choices: Choices) => readonly [bytes: Buffer, from: number]

const flip: Damage = (bytes, choices) => {
  const at = choices.below(bytes.length)
  const changed = Buffer.from(bytes)
  changed[at] = changed[at]! ^ choices.between(1, 255)
  return [changed, at]
}

const damages: ReadonlyArray<Damage> = [
  (bytes) => [bytes, bytes.length],
  (bytes, choices) => {
    const at = choices.below(bytes.length + 1)
    return [bytes.subarray(0, at), at]
  },
  flip,
  (bytes, choices) => {
    const at = choices.below(bytes.length)
    return [Buffer.from(bytes).fill(0, at, Math.min(bytes.length, at + choices.between(1, 64))), at]
  },
  (bytes, choices) => {
    const at = choices.below(bytes.length + 1)
    return [Buffer.concat([bytes.subarray(0, at), choices.bytes(30), bytes.subarray(at)]), at]
  },
  (bytes, choices) => {
    const at = choices.below(bytes.length)
    return [Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + choices.between(1, 40))]), at]
  },
  (bytes, choices) => {
    const at = choices.below(bytes.length)
    const from = choices.below(bytes.length)
    return [Buffer.concat([bytes.subarray(0, at), bytes.subarray(from, from + 50), bytes.subarray(at)]), at]
  },
  // What a disk leaves of a file that was made longer before the power went.
  (bytes, choices) => [Buffer.concat([bytes, Buffer.alloc(choices.between(1, 300))]), bytes.length]
]

const segmentOf = (choices: Choices) => {
  const records = choices.list(12, recordOf)
  const start = Buffer.concat([
    SpoolRecord.header(),
    SpoolRecord.meta("http/protobuf", Buffer.from("resource")),
    SpoolRecord.scope(0, Buffer.from("zero")),
    SpoolRecord.scope(1, Buffer.from("one")),
    SpoolRecord.scope(2, Buffer.from("two"))
  ])
  const ends: Array<number> = []
  const parts: Array<Buffer> = [start]
  let length = start.length
  records.forEach(({ bytes, count, scope }, i) => {
    const encoded = SpoolRecord.spans(scope, count, i, bytes)
    parts.push(encoded)
    length += encoded.length
    ends.push(length)
  })
  const whole = Buffer.concat(parts)
  const damage = choices.pick(damages)
  const [bytes, damagedFrom] = damage(whole, choices)
  return {
    records,
    bytes,
    damagedFrom,
    /** Which single byte is another one; -1 where that is not the damage. */
    changedAt: damage === flip ? damagedFrom : -1,
    ends,
    start: start.length,
    whole: bytes.subarray(0, whole.length).equals(whole)
  }
}

export const spool = target({
  name: "spool",
  claim: "a damaged file is read without harm, all that stands before the damage is there, and nothing is made up",
  make: segmentOf,
  check: ({ bytes, changedAt, damagedFrom, ends, records, start, whole: undamaged }) => {
    const read = SpoolRecord.read(Buffer.from(bytes))
    if (read._tag !== "Segment") return assert.ok(damagedFrom < start, `it is ${read._tag}`)
    const whole = ends.filter((end) => end <= damagedFrom).length
    if (damagedFrom >= start) {
      for (let i = 0; i < whole; i++) {
        const record: SpoolRecord.SpansRecord | undefined = read.spans[i]
        assert.ok(record !== undefined, `record ${i} of ${whole} before the damage is not there`)
        assert.equal(record.to, ends[i])
        assert.deepEqual(
          [record.scope, record.count, record.time, Buffer.from(record.spans)],
          [records[i]!.scope, records[i]!.count, i, Buffer.from(records[i]!.bytes)]
        )
      }
    }
    // Each record that is read was written, or stands in the payload of one that was.
    const texts = records.map((record) => Buffer.from(record.bytes))
    for (const record of read.spans) {
      const found = Buffer.from(record.spans)
      assert.ok(
        texts.some((text) => text.equals(found) || text.includes(found)),
        `${found.toString("hex")} was never written`
      )
    }
    let last = 0
    for (const { from, spans, to } of read.damaged) {
      assert.ok(from >= last && to > from && to <= bytes.length && spans >= 1)
      last = to
    }
    if (undamaged) assert.ok(read.spans.length >= records.length)
    // A byte that changed costs the record that it stands in, and none behind it.
    if (changedAt < start) return
    const starts = new Set(read.spans.map((record) => record.from))
    ends.forEach((end, i) => {
      const from = i === 0 ? start : ends[i - 1]!
      if (changedAt < from || changedAt >= end) assert.ok(starts.has(from), `record ${i} is not there`)
    })
  },
  show: ({ bytes, damagedFrom, records }) => ({ records, damagedFrom, bytes: bytes.toString("hex") })
})
