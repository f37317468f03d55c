/**
 * What a span repeats: spans of one name mostly have the same keys, and some of the same values, so most of a span's bytes
 * stand in the buffer already, where the last one of its name was written. They are copied from there, run by run, and only
 * what changed is written anew.
 *
 * @internal
 */

import { writeId } from "./ProtobufBuffer.ts"

/** Attributes of a span that are remembered, and names: the others are written as they come. */
const rememberedAttributes = 32
const rememberedNames = 256
/** Longer texts are not kept in memory for this. */
const rememberedText = 48
/** One for each last digit. */
const recentTraces = 16
const traceIdBytes = 16

/** Where the name and the attributes of one span stand in the buffer: `start`, and offsets from there. */
export class Repeats {
  /** Of the buffer (`ProtobufBuffer.generation`); -1 where nothing is remembered. */
  generation = -1
  start = 0
  nameEnd = 0
  count = 0
  readonly keys: Array<string> = []
  /** Values that may come again, by their kind; "", NaN and 0 where there is none of that kind. */
  readonly texts: Array<string> = []
  readonly numbers: Array<number> = []
  /** 1 for false, 2 for true. */
  readonly flags: Array<number> = []
  /** Where a value stands, behind its tag; -1 where it is to be written with its key. */
  readonly valueAt: Array<number> = []
  readonly ends: Array<number> = []

  begin(start: number, nameEnd: number): void {
    this.generation = -1
    this.start = start
    this.nameEnd = nameEnd - start
    this.count = 0
  }

  add(key: string, value: unknown, valueAt: number, end: number): void {
    if (this.count === rememberedAttributes) return
    const i = this.count++
    const isShort = valueAt >= 0
    // In place of a long key stands "", whose values are compared with nothing.
    this.keys[i] = key.length <= rememberedText ? key : ""
    this.texts[i] = isShort && typeof value === "string" && value.length <= rememberedText ? value : ""
    this.numbers[i] = isShort && typeof value === "number" ? value : NaN
    this.flags[i] = isShort && typeof value === "boolean" ? 1 + Number(value) : 0
    this.valueAt[i] = isShort ? valueAt - this.start : -1
    this.ends[i] = end - this.start
  }

  /** Whether a value is the one that stands there. */
  has(i: number, value: unknown): boolean {
    if (typeof value === "string") return value === this.texts[i] && value !== ""
    if (typeof value === "number") return value === this.numbers[i]
    return typeof value === "boolean" && 1 + Number(value) === this.flags[i]
  }
}

/** By the name of a span. */
export class RepeatsByName {
  private readonly byName = new Map<string, Repeats>()

  /** What is remembered for a name; `undefined` where there is no more room. */
  of(name: string): Repeats | undefined {
    let repeats = this.byName.get(name)
    if (repeats !== undefined) return repeats
    if (this.byName.size >= rememberedNames || name.length > rememberedText) return undefined
    repeats = new Repeats()
    this.byName.set(name, repeats)
    return repeats
  }

  /** Makes room, where names are so many that there is none. */
  relieve(): void {
    if (this.byName.size >= rememberedNames) this.byName.clear()
  }
}

/** Identifiers of traces, which come again with each of their spans; the spans of several traces end in turns. */
export class RecentTraceIds {
  private readonly ids: Array<string> = Array.from({ length: recentTraces }, () => "")
  private readonly bytes = new Uint8Array(recentTraces * traceIdBytes)
  private readonly view = new DataView(this.bytes.buffer)

  write(view: DataView, at: number, id: string): void {
    const last = id.charCodeAt(id.length - 1)
    const slot = (last + (last >> 6) * 9) & (recentTraces - 1)
    const start = slot * traceIdBytes
    const known = this.ids[slot]!
    // To compare pieces of longer texts is slow, and most others differ at their beginning.
    if (id.charCodeAt(0) !== known.charCodeAt(0) || id !== known) {
      writeId(this.bytes, start, id, traceIdBytes)
      this.ids[slot] = id
    }
    for (let i = 0; i < traceIdBytes; i += 4) view.setInt32(at + i, this.view.getInt32(start + i))
  }
}
