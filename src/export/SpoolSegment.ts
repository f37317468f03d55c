/**
 * One file of the spool, with what is known of it: which spans it holds, and up to where they have been settled.
 *
 * @internal
 */
import type { Part, Source } from "./Batch.ts"
import type { EncodedSection, Encoding } from "./OtlpEncoder.ts"
import type { EncodedRequest } from "./OtlpSink.ts"
import * as SpoolRecord from "./SpoolRecord.ts"

/** What its file's name ends with. */
export const segmentEnding = ".spans"

const bufferSize = 16 * 1024
const noBuffer = Buffer.alloc(0)
const keptBufferSize = 1024 * 1024

/** Where a batch lies in its segment. */
export interface Entry {
  readonly from: number
  readonly to: number
  readonly count: number
  /** Whether all of the batch was recorded. */
  readonly isComplete: boolean
  done: boolean
}

/** What a segment asks of the spool that it belongs to. */
export interface SegmentHost {
  readonly load: (segment: Segment, entry: Entry) => Promise<EncodedRequest | undefined>
  readonly quarantine: (segment: Segment, part: Part<EncodedRequest>) => void
  readonly settled: (segment: Segment, entry: Entry) => void
}

export class Segment {
  readonly path: string
  /** How its spans are encoded, and their resource. */
  readonly encoding: Encoding
  readonly resource: Uint8Array
  readonly scopes: Array<Uint8Array> = []
  /** Batches that have not been settled, in order. */
  entries: Array<Entry> = []
  fd: number | undefined
  /** Whether there is a file. */
  exists = false
  /** Identity of the file, to notice that it was taken away. */
  ino = 0
  /** Where the next record goes, once everything that waits is written. */
  end = 0
  /** Up to where it is written. */
  written = 0
  /** What waits to be written, behind what is being written just now (from `written` on). */
  pending: Buffer = noBuffer
  pendingLength = 0
  writing: Buffer | undefined
  private spare: Buffer | undefined
  /** Up to where everything has been settled. */
  cursor = SpoolRecord.headerLength
  cursorScheduled = false
  writeScheduled = false
  /** Nothing is added any more. */
  sealed = false
  /** Writing failed: what lies behind `written` is not there. */
  broken = false
  /** The file is gone, or is about to be. */
  gone = false
  /** When its first and its last spans were written, for the line that says which were lost. */
  oldest = Infinity
  newest = 0
  private readonly host: SegmentHost

  constructor(path: string, encoding: Encoding, resource: Uint8Array, host: SegmentHost) {
    this.path = path
    this.encoding = encoding
    this.resource = resource
    this.host = host
  }

  add(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.pending.set(bytes, this.pendingLength)
    this.advance(bytes.length)
  }

  addSpans(scope: number, count: number, time: number, spans: Uint8Array): void {
    const length = SpoolRecord.spansLength(spans.length)
    this.reserve(length)
    SpoolRecord.writeSpans(this.pending, this.pendingLength, scope, count, time, spans)
    this.advance(length)
    this.oldest = Math.min(this.oldest, time)
    this.newest = Math.max(this.newest, time)
  }

  private advance(length: number): void {
    this.pendingLength += length
    this.end += length
  }

  private reserve(length: number): void {
    const needed = this.pendingLength + length
    if (needed <= this.pending.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.pending.length * 2, bufferSize))
    this.pending.copy(larger, 0, 0, this.pendingLength)
    this.pending = larger
  }

  /** What waits begins to be written. */
  beginWrite(): Buffer {
    const writing = this.pending.subarray(0, this.pendingLength)
    const before = this.pending
    this.pending = this.spare ?? noBuffer
    this.spare = before.length <= keptBufferSize ? before : undefined
    this.pendingLength = 0
    this.writing = writing
    return writing
  }

  /** What was being written is. */
  endWrite(): void {
    this.written += this.writing?.length ?? 0
    this.writing = undefined
  }

  /** What waits, to be written at once; `wrote` says that it is. */
  get waiting(): Uint8Array {
    return this.pending.subarray(0, this.pendingLength)
  }

  wrote(): void {
    this.written += this.pendingLength
    this.pendingLength = 0
  }

  /** Forgets what is not written. */
  abandonWrites(): void {
    this.end = this.written
    this.pendingLength = 0
    this.writing = undefined
  }

  /** What is not written for certain. */
  get unwritten(): Uint8Array {
    return this.writing === undefined ? this.waiting : Buffer.concat([this.writing, this.waiting])
  }

  /** The number of a scope, which is written where it is new. */
  scopeOf(scope: Uint8Array): number {
    let number = this.scopes.indexOf(scope)
    if (number < 0) {
      number = this.scopes.push(scope) - 1
      this.add(SpoolRecord.scope(number, scope))
    }
    return number
  }

  /** Whether a range can be read back, now or when what waits is written. */
  holds(entry: Entry): boolean {
    return !this.gone && (!this.broken || entry.to <= this.written)
  }

  /** The source of a batch. */
  sourceOf(entry: Entry): EntrySource {
    return new EntrySource(this, entry, this.host)
  }

  /** Marks a batch as settled. Returns whether the cursor moved. */
  settle(entry: Entry): boolean {
    entry.done = true
    const before = this.cursor
    while (this.entries[0]?.done === true) this.cursor = this.entries.shift()!.to
    return this.cursor !== before
  }

  /** Spans of whole batches: what a full disk has taken in part is in memory too, and counted there. */
  get unsettledSpans(): number {
    let count = 0
    for (const entry of this.entries) if (!entry.done && entry.isComplete && this.holds(entry)) count += entry.count
    return count
  }
}

/** A batch in the spool, as the stages behind it see it. */
export class EntrySource implements Source<EncodedRequest> {
  readonly origin: Segment
  private readonly entry: Entry
  private readonly host: SegmentHost

  constructor(segment: Segment, entry: Entry, host: SegmentHost) {
    this.origin = segment
    this.entry = entry
    this.host = host
  }

  get isLoadable(): boolean {
    return this.entry.isComplete && this.origin.holds(this.entry)
  }

  get isKept(): boolean {
    return this.isLoadable
  }

  load(): Promise<EncodedRequest | undefined> {
    return this.entry.isComplete ? this.host.load(this.origin, this.entry) : Promise.resolve(undefined)
  }

  quarantine(part: Part<EncodedRequest>): void {
    this.host.quarantine(this.origin, part)
  }

  settled(): void {
    this.host.settled(this.origin, this.entry)
  }
}

/** Records of one batch as the request that they are. */
export const requestOf = (
  records: ReadonlyArray<SpoolRecord.SpansRecord>,
  encoding: Encoding,
  resource: Uint8Array,
  scopes: { readonly [number: number]: Uint8Array }
): EncodedRequest => {
  const byScope = new Map<number, Array<SpoolRecord.SpansRecord>>()
  for (const record of records) {
    const list = byScope.get(record.scope)
    if (list === undefined) byScope.set(record.scope, [record])
    else list.push(record)
  }
  const sections: Array<EncodedSection> = []
  for (const [number, list] of byScope) {
    sections.push({
      scope: scopes[number] ?? encoding.scope({ name: "unknown" }),
      count: list.reduce((sum, record) => sum + record.count, 0),
      spans: Buffer.concat(list.map((record) => record.spans))
    })
  }
  return { encoding, resource, sections }
}
