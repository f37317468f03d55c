/**
 * The spool: spans wait on disk, so that they outlive the process that made them.
 *
 * At the end of every tick what was encoded in it is appended to a segment in a folder of this process' own. When the collector has answered, the segment's cursor moves on, and a segment that is done with is removed. What
 * a process leaves behind, because it was killed or its collector was away, is taken over and sent by the next one that
 * uses the directory; several may at the same time.
 *
 * **Details**
 *
 * - An append goes to the memory of the operating system, which outlives the process; it takes microseconds, and is made
 *   at once, when the application has let go of the thread. Should one take longer than 20 ms, the disk is slow: for the
 *   next minute appends are made by another thread, one a millisecond at most, and the application never waits.
 * - Delivery is at least once: after a kill the batch that was in flight is sent again. Identifiers make that harmless.
 * - SIGKILL costs at most the spans of the last tick (with a slow disk also those that were being written).
 *   `process.exit` and a crash cost none. There is no fsync: a power
 *   failure may cost what the operating system had not written yet.
 * - `maxBytes` counts this process' segments and, as far as it was seen, those of others. When it is reached the oldest
 *   segment gives way, counted as `spool_full`, and a line says from when its spans were.
 * - What is damaged is put aside into `quarantine/`, and so is what a collector refused for good. That folder is kept to an
 *   eighth of `maxBytes`.
 * - A disk that is full, a directory that cannot be written or that is removed: spans then wait in memory only, a line
 *   says so, and writing is tried again after a while. Only where the disk is full and the collector known to be away the
 *   oldest segment gives way first.
 *
 * **Gotchas**
 *
 * Files hold spans as they are sent: whatever attributes you send to your collector lie on this disk, readable by the
 * user of the process alone (mode 600, folders 700).
 *
 * **Example** (A pipeline whose spans outlive the process)
 *
 * ```ts
 * import { mkdtempSync } from "node:fs"
 * import { tmpdir } from "node:os"
 * import { join } from "node:path"
 * import * as Pipeline from "effect-telemetry/export/Pipeline"
 *
 * const pipeline = Pipeline.make({
 *   endpoint: "http://localhost:4318/v1/traces",
 *   resource: { attributes: { "service.name": "shop" } },
 *   scope: { name: "effect-telemetry" },
 *   spool: { directory: mkdtempSync(join(tmpdir(), "spool-")), maxBytes: 64 * 1024 * 1024 }
 * })
 * await pipeline.shutdown(1_000)
 * if (pipeline.status().spooled !== 0) throw new Error("nothing ended, so nothing waits")
 * ```
 */
import * as path from "node:path"
import type { Part } from "./Batch.ts"
import type { Delivery } from "./Delivery.ts"
import { type Diagnostics, messageOf } from "./Diagnostics.ts"
import type { Encoding } from "./OtlpEncoder.ts"
import type { EncodedRequest } from "./OtlpSink.ts"
import { SpoolDisk } from "./SpoolDisk.ts"
import { io as realIo, type SpoolIo } from "./SpoolIo.ts"
import * as SpoolOwner from "./SpoolOwner.ts"
import { SpoolQuarantine } from "./SpoolQuarantine.ts"
import * as SpoolRecord from "./SpoolRecord.ts"
import { SpoolRecovery } from "./SpoolRecovery.ts"
import { type Entry, EntrySource, requestOf, Segment, type SegmentHost } from "./SpoolSegment.ts"
import type { Timing } from "./Timing.ts"

/** What a spool can be told. */
export interface SpoolOptions {
  /** `OTEL_SPOOL_DIRECTORY`: made where it does not exist. */
  readonly directory: string
  /** `OTEL_SPOOL_MAX_BYTES`, default 256 MiB. */
  readonly maxBytes?: number | undefined
  /** Bytes of a file, default 4 MiB, and an eighth of `maxBytes` at most. */
  readonly segmentBytes?: number | undefined
  /** For tests. */
  readonly io?: SpoolIo | undefined
}

/** What the spool may take on disk where nothing else is said: 256 MiB. */
export const defaultSpoolMaxBytes = 256 * 1024 * 1024
/** How large a file of the spool gets where nothing else is said: 4 MiB. */
export const defaultSegmentBytes = 4 * 1024 * 1024

const heartbeatMillis = 5_000
/** Heartbeats from one look for dead processes' folders to the next. */
const heartbeatsPerSearch = 6
interface Opened {
  readonly encoding: Encoding
  readonly resource: Uint8Array
  readonly delivery: Delivery<EncodedRequest>
  /** The limits of a batch, for those that are taken over. */
  readonly maxSpans: number
  readonly maxBatchBytes: number
}

/**
 * The spool of one pipeline. What goes wrong with its directory is said by `Diagnostics`; it never throws into the pipeline.
 */
export class Spool {
  readonly directory: string
  private readonly io: SpoolIo
  private readonly diagnostics: Diagnostics
  private readonly timing: Timing
  private readonly maxBytes: number
  /** Bytes of a file, and so of a batch, which lies in one. */
  readonly segmentBytes: number
  private readonly quarantine: SpoolQuarantine
  private readonly disk: SpoolDisk
  private recovery: SpoolRecovery | undefined
  private opened: Opened | undefined
  private active: Segment | undefined
  /** In order of age: those that were taken over first. */
  private segments: Array<Segment> = []
  /** Where the batch that fills begins, whether all of it has been recorded, and how many spans of it. */
  private batchStart = 0
  private batchIsComplete = true
  private batchCount = 0
  private othersBytes = 0
  private cancelHeartbeat: (() => void) | undefined
  private heartbeats = 0
  private closed = false
  private drain: () => void = () => {}
  private firstSearch: Promise<void> = Promise.resolve()

  private readonly host: SegmentHost = {
    load: (segment, entry) => this.load(segment, entry),
    quarantine: (segment, part) =>
      void this.disk.enqueue("quarantine", () => this.quarantine.refused(segment.path, part)),
    settled: (segment, entry) => this.settled(segment, entry)
  }

  constructor(options: SpoolOptions, parts: { readonly diagnostics: Diagnostics; readonly timing: Timing }) {
    this.directory = path.resolve(options.directory)
    this.io = options.io ?? realIo
    this.diagnostics = parts.diagnostics
    this.timing = parts.timing
    this.maxBytes = options.maxBytes ?? defaultSpoolMaxBytes
    this.segmentBytes = Math.min(options.segmentBytes ?? defaultSegmentBytes, Math.max(4096, this.maxBytes >> 3))
    this.quarantine = new SpoolQuarantine(this.directory, this.maxBytes >> 3, { io: this.io, ...parts })
    this.disk = new SpoolDisk({
      directory: this.directory,
      io: this.io,
      ...parts,
      makeRoom: (segment) => this.makeRoom(segment),
      failed: (segment) => this.failed(segment)
    })
  }

  /** Spans that have not been settled, of this process and those that it took over. */
  get spans(): number {
    let count = this.batchCount
    for (const segment of this.segments) count += segment.unsettledSpans
    return count
  }

  /** Bytes that its files take. */
  get bytes(): number {
    let bytes = 0
    for (const segment of this.segments) bytes += segment.end
    return bytes
  }

  /** Starts: makes its folder, and looks for what others left behind. */
  open(opened: Opened): void {
    this.opened = opened
    process.on("exit", this.onExit)
    this.disk.prepare()
    this.recovery = new SpoolRecovery({
      ...opened,
      directory: this.directory,
      io: this.io,
      diagnostics: this.diagnostics,
      timing: this.timing,
      quarantine: this.quarantine,
      host: this.host,
      folder: () => (this.disk.isReady ? this.disk.folder : undefined),
      adopted: (segment) => this.adopted(segment)
    })
    this.firstSearch = this.disk.enqueue("recover", () => this.search())
    this.beat()
  }

  /** How to encode what has come in: at the process' exit there is no other chance. */
  beforeExit(drain: () => void): void {
    this.drain = drain
  }

  /** Resolves when what others had left behind at the start has been found. */
  recovered(): Promise<void> {
    return this.firstSearch
  }

  /** Takes what was encoded in a tick. */
  readonly record = (scope: Uint8Array, spans: Uint8Array, count: number): void => {
    const length = SpoolRecord.spansLength(spans.length)
    const segment = this.segmentFor(length)
    if (segment === undefined) {
      this.batchIsComplete = false
      return
    }
    this.batchCount += count
    segment.addSpans(segment.scopeOf(scope), count, this.timing.date(), spans)
    this.disk.append(segment)
  }

  /** Ends a batch: gives what it consists of in the spool, if anything. */
  seal(part: Part<EncodedRequest>): EntrySource | undefined {
    const segment = this.active
    const from = this.batchStart
    const isComplete = this.batchIsComplete
    this.beginBatch(segment?.end ?? 0)
    if (segment === undefined || segment.end === from) return undefined
    const entry: Entry = { from, to: segment.end, count: part.count, isComplete, done: false }
    segment.entries.push(entry)
    if (segment.end >= this.segmentBytes) this.retire(segment)
    return segment.sourceOf(entry)
  }

  /** Resolves when everything recorded so far has been written. */
  written(): Promise<void> {
    return this.disk.flush(this.segments)
  }

  /** Writes what is left, and leaves behind only what has not been settled. */
  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    this.cancelHeartbeat?.()
    process.off("exit", this.onExit)
    await this.written()
    await this.disk.enqueue("close", async () => {
      for (const segment of this.segments) {
        await this.disk.close(segment)
        if (segment.entries.length > 0 || segment.end !== segment.written) continue
        await this.disk.remove(segment)
        segment.end = 0
      }
      await this.disk.leave()
    })
  }

  private beginBatch(start: number, isComplete = true): void {
    this.batchStart = start
    this.batchIsComplete = isComplete
    this.batchCount = 0
  }

  private segmentFor(length: number): Segment | undefined {
    const { opened } = this
    if (opened === undefined || this.disk.isPaused) return undefined
    let segment = this.active
    if (segment === undefined) {
      segment = new Segment(this.disk.nextFile(), opened.encoding, opened.resource, this.host)
      segment.add(SpoolRecord.header())
      segment.add(SpoolRecord.meta(opened.encoding.protocol, opened.resource))
      this.active = segment
      this.segments.push(segment)
      this.batchStart = segment.end
    }
    if (this.bytes + this.othersBytes + length > this.maxBytes) this.relieve(length)
    return segment
  }

  /** Lets the oldest segments give way until there is room. */
  private relieve(length: number): void {
    while (this.bytes + this.othersBytes + length > this.maxBytes) {
      const oldest = this.segments.find((segment) => segment !== this.active)
      if (oldest === undefined) return
      this.give(oldest)
    }
  }

  private give(segment: Segment): void {
    const dropped = this.opened!.delivery.forget(segment, "spool_full")
    if (dropped > 0) {
      this.diagnostics.sayRarely(
        "spool_full",
        "warn",
        `OpenTelemetry export: the spool ${this.directory} is full, its oldest spans are dropped`,
        () => ({
          dropped,
          droppedInAll: this.diagnostics.dropped.get("spool_full") ?? 0,
          from: new Date(segment.oldest).toISOString(),
          to: new Date(segment.newest).toISOString()
        })
      )
    }
    this.discard(segment)
  }

  /** Removes a segment's file. */
  private discard(segment: Segment): void {
    if (segment.gone) return
    segment.gone = true
    segment.entries = []
    segment.abandonWrites()
    this.segments = this.segments.filter((other) => other !== segment)
    if (this.active === segment) this.active = undefined
    void this.disk.enqueue("remove", () => this.disk.remove(segment))
  }

  /** Adds no more to a segment. */
  private retire(segment: Segment): void {
    segment.sealed = true
    this.active = undefined
    this.beginBatch(0, this.batchIsComplete)
    if (segment.entries.length === 0) this.discard(segment)
  }

  /**
   * The disk is full: the oldest spans give way, but only where the collector is known to be away. Otherwise they are about to
   * be sent, which makes room, and what is new can wait for it in memory.
   */
  private async makeRoom(segment: Segment): Promise<boolean> {
    if (this.diagnostics.reachable !== false) return false
    const oldest = this.segments[0]
    if (oldest === undefined || oldest === segment || oldest === this.active) return false
    this.give(oldest)
    await this.disk.remove(oldest)
    return true
  }

  private failed(segment: Segment): void {
    if (this.active !== segment) return
    this.active = undefined
    this.beginBatch(0, false)
  }

  private async load(segment: Segment, entry: Entry): Promise<EncodedRequest | undefined> {
    const bytes = await this.disk.read(segment, entry)
    if (bytes === undefined) return undefined
    const records = bytes.length < entry.to - entry.from ? undefined : SpoolRecord.readSpans(bytes)
    if (records !== undefined) return requestOf(records, segment.encoding, segment.resource, segment.scopes)
    await this.quarantine.corrupt(segment.path, bytes)
    return undefined
  }

  private settled(segment: Segment, entry: Entry): void {
    const moved = segment.settle(entry)
    if (segment.gone || this.closed) return
    const isDone = segment.entries.length === 0
    if (isDone && segment.sealed) return this.discard(segment)
    // A file that has grown and holds nothing any more is given back also while it is the one written to.
    if (isDone && segment === this.active && this.batchStart === segment.end && segment.end > this.segmentBytes / 4) {
      return this.retire(segment)
    }
    if (moved) this.disk.saveCursor(segment)
  }

  private beat(): void {
    if (this.closed) return
    this.cancelHeartbeat = this.timing.after(heartbeatMillis, () => {
      void this.disk.enqueue("heartbeat", () => this.heartbeat())
      this.beat()
    })
  }

  private async heartbeat(): Promise<void> {
    if (this.disk.isReady) {
      try {
        await this.io.touch(path.join(this.disk.folder, SpoolOwner.ownerFile))
        for (const segment of this.segments) {
          if (segment.fd === undefined || segment.ino === 0) continue
          if ((await this.io.stat(segment.path)).ino !== segment.ino) throw new Error("its files were replaced")
        }
      } catch (error) {
        this.takenAway(error)
      }
    }
    if (++this.heartbeats % heartbeatsPerSearch === 0) await this.search()
  }

  private async search(): Promise<void> {
    if (this.recovery !== undefined) this.othersBytes = await this.recovery.search()
  }

  /** Queues what another process has left: before this process' own segments, behind those that came like it before. */
  private adopted(segment: Segment): void {
    const { delivery, resource } = this.opened!
    const own = this.segments.findIndex((other) => other.resource === resource)
    this.segments.splice(own < 0 ? this.segments.length : own, 0, segment)
    for (const entry of segment.entries) {
      delivery.addStored(entry.count, entry.to - entry.from, segment.sourceOf(entry))
    }
  }

  /** The folder was removed, or taken over: what it held is in memory or gone, and a new one is begun. */
  private takenAway(error: unknown): void {
    this.diagnostics.failed(`spool: ${messageOf(error)}`)
    this.diagnostics.sayRarely(
      "spool away",
      "warn",
      `OpenTelemetry export: the spool's files in ${this.directory} were removed, it is begun anew`
    )
    for (const segment of this.segments) {
      segment.gone = true
      void this.disk.enqueue("close", () => this.disk.close(segment))
    }
    this.segments = []
    this.active = undefined
    this.beginBatch(0, false)
    this.disk.beginAnew()
  }

  /** The process ends without having been asked to: all that can be done now is what does not wait. */
  private readonly onExit = (): void => {
    try {
      this.drain()
      this.disk.writeAtExit(this.segments)
    } catch (error) {
      this.diagnostics.internal("spool, exit", error)
    }
  }
}
