import { describe, expect, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as SpoolRecord from "../../src/export/SpoolRecord.ts"

const start = [SpoolRecord.header(), SpoolRecord.meta("http/protobuf", Buffer.from("resource"))]
const spans = (text: string, count = 1) => SpoolRecord.spans(0, count, 1_700_000_000_000, Buffer.from(text))
const segmentOf = (...texts: ReadonlyArray<string>): Buffer =>
  Buffer.concat([...start, SpoolRecord.scope(0, Buffer.from("scope")), ...texts.map((text) => spans(text))])

const textsOf = (read: SpoolRecord.Read): Array<string> =>
  read._tag === "Segment" ? read.spans.map((record) => Buffer.from(record.spans).toString()) : []

describe("SpoolRecord", () => {
  it.prop(
    "reads what it wrote",
    [Schema.Array(Schema.String), Schema.Literals(["http/json", "http/protobuf"]), Schema.String],
    ([texts, protocol, resource]) => {
      const bytes = Buffer.concat([
        SpoolRecord.header(),
        SpoolRecord.meta(protocol, Buffer.from(resource)),
        SpoolRecord.scope(3, Buffer.from("scope")),
        ...texts.map((text, i) => SpoolRecord.spans(3, i, i * 1.5, Buffer.from(text)))
      ])
      const read = SpoolRecord.read(bytes)
      expect(read).toMatchObject({ _tag: "Segment", protocol, damaged: [] })
      if (read._tag !== "Segment") return
      expect(Buffer.from(read.resource)).toEqual(Buffer.from(resource))
      expect(Buffer.from(read.scopes.get(3)!).toString()).toBe("scope")
      expect(read.spans.map(({ count, scope, time }) => [scope, count, time])).toEqual(
        texts.map((_, i) => [3, i, i * 1.5])
      )
      expect(read.spans.map((record) => Buffer.from(record.spans))).toEqual(texts.map((text) => Buffer.from(text)))
    }
  )

  it("cut at any byte: every record before the cut is read, the torn one is told", () => {
    const whole = segmentOf("first", "second", "third")
    const ends = (SpoolRecord.read(whole) as { spans: ReadonlyArray<SpoolRecord.SpansRecord> }).spans.map((r) => r.to)
    for (let length = 0; length < whole.length; length++) {
      const read = SpoolRecord.read(whole.subarray(0, length))
      const expected = ["first", "second", "third"].slice(0, ends.filter((end) => end <= length).length)
      expect([length, textsOf(read)]).toEqual([length, expected])
      if (read._tag === "Segment" && !ends.includes(length) && length > ends[0]!) {
        expect(read.damaged).toEqual([{ from: ends.filter((end) => end <= length).at(-1), to: length, spans: 1 }])
      }
    }
  })

  it("one byte changed anywhere: at most one record is lost, and nothing false is read", () => {
    const whole = segmentOf("first", "second", "third")
    for (let at = SpoolRecord.headerLength; at < whole.length; at++) {
      const bytes = Buffer.from(whole)
      bytes[at]! ^= 0x41
      const read = SpoolRecord.read(bytes)
      const texts = textsOf(read)
      for (const text of texts) expect(["first", "second", "third"]).toContain(text)
      if (read._tag === "Segment") {
        const scopeIsLost = read.scopes.size === 0
        expect(texts.length + (scopeIsLost ? 0 : read.damaged.length)).toBe(3)
      }
    }
  })

  it("the mark of a record within a payload misleads nobody", () => {
    const inner = spans("inner").toString("latin1")
    const payload = Buffer.from(`before ${inner} after`, "latin1")
    const whole = Buffer.concat([...start, SpoolRecord.spans(0, 1, 0, payload), spans("next")])
    expect(textsOf(SpoolRecord.read(whole))).toHaveLength(2)
  })

  it("only what lies behind the cursor is read; a damaged cursor means from the start", () => {
    const whole = segmentOf("first", "second")
    const read = SpoolRecord.read(whole)
    const end = read._tag === "Segment" ? read.spans[0]!.to : 0
    SpoolRecord.cursor(end).copy(whole, SpoolRecord.cursorPosition)
    expect(textsOf(SpoolRecord.read(whole))).toEqual(["second"])
    whole[SpoolRecord.cursorPosition + 3]! ^= 1
    expect(textsOf(SpoolRecord.read(whole))).toEqual(["first", "second"])
  })

  it("knows what is not its own", () => {
    const other = segmentOf("first")
    other[7] = 9
    expect(SpoolRecord.read(other)).toEqual({ _tag: "OtherVersion", version: 9 })
    expect(SpoolRecord.read(Buffer.alloc(0))).toEqual({ _tag: "Unreadable" })
    expect(SpoolRecord.read(Buffer.from("x".repeat(100)))).toEqual({ _tag: "Unreadable" })
  })

  it("tells how many spans a damaged record held, where that can be told", () => {
    const big = SpoolRecord.spans(0, 7, 0, Buffer.alloc(1_000))
    const whole = Buffer.concat([...start, big, spans("next")])
    whole[whole.length - 100]! ^= 1
    const read = SpoolRecord.read(whole)
    expect(read).toMatchObject({ damaged: [{ spans: 7 }] })
    expect(textsOf(read)).toEqual(["next"])
  })

  it.prop("never throws, whatever the bytes", [Schema.Array(Schema.Int)], ([numbers]) => {
    const noise = Buffer.from(Uint8Array.from(numbers))
    expect(typeof SpoolRecord.read(noise)._tag).toBe("string")
    expect(SpoolRecord.read(Buffer.concat([segmentOf("first"), noise]))).toMatchObject({ _tag: "Segment" })
  })
})
