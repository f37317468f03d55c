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
 *   says so, and writing is tried again after a while.
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
import { json } from "./OtlpJson.ts"
import { protobuf } from "./OtlpProtobuf.ts"
import type { EncodedRequest } from "./OtlpSink.ts"
import { io as realIo, type SpoolIo } from "./SpoolIo.ts"
import * as SpoolOwner from "./SpoolOwner.ts"
import * as SpoolRecord from "./SpoolRecord.ts"
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

export const defaultSpoolMaxBytes = 256 * 1024 * 1024
export const defaultSegmentBytes = 4 * 1024 * 1024
export const quarantineFolder = "quarantine"
export const segmentEnding = ".spans"

const heartbeatMillis = 5_000
/** Heartbeats from one look for dead processes' folders to the next. */
const heartbeatsPerSearch = 6
/** An append that takes longer means that the disk is slow. */
const slowMillis = 20
/** For how long another thread then writes. */
const slowPauseMillis = 60_000
/** That thread's writes come no closer than this: under load one holds the spans of many requests. */
const writeMillis = 1
/** How long to leave a disk alone that does not work. */
const pauseMillis = 5_000

interface Opened {
  readonly encoding: Encoding
  readonly resource: Uint8Array
  readonly delivery: Delivery<EncodedRequest>
  /** The limits of a batch, for those that are taken over. */
  readonly maxSpans: number
  readonly maxBatchBytes: number
}

let folders = 0

export class Spool {
  readonly directory: string
  private readonly io: SpoolIo
  private readonly diagnostics: Diagnostics
  private readonly timing: Timing
  private readonly maxBytes: number
  private readonly segmentBytes: number
  private opened: Opened | undefined
  private folder: string
  private folderIsReady = false
  private active: Segment | undefined
  /** In order of age: those that were taken over first. */
  private segments: Array<Segment> = []
  private number = 0
  /** Where the batch that fills begins, and whether all of it has been recorded. */
  private batchStart = 0
  private batchIsComplete = true
  private pausedUntil = 0
  private lastWriteAt = -writeMillis
  private slowUntil = 0
  private isFailing = false
  private othersBytes = 0
  /** Everything that touches the disk, one thing after the other. */
  private chain: Promise<void> = Promise.resolve()
  private cancelHeartbeat: (() => void) | undefined
  private heartbeats = 0
  private readonly seen: SpoolOwner.Seen = new Map()
  private closed = false
  private drain: () => void = () => {}
  private quarantined = 0
  private firstSearch: Promise<void> = Promise.resolve()

  private readonly host: SegmentHost = {
    load: (segment, entry) => this.load(segment, entry),
    quarantine: (segment, part) => this.refused(segment, part),
    settled: (segment, entry) => this.settled(segment, entry)
  }

  constructor(options: SpoolOptions, parts: { readonly diagnostics: Diagnostics; readonly timing: Timing }) {
    this.directory = path.resolve(options.directory)
    this.io = options.io ?? realIo
    this.diagnostics = parts.diagnostics
    this.timing = parts.timing
    this.maxBytes = options.maxBytes ?? defaultSpoolMaxBytes
    this.segmentBytes = Math.min(options.segmentBytes ?? defaultSegmentBytes, Math.max(4096, this.maxBytes >> 3))
    this.folder = this.newFolder()
  }

  /** Spans that have not been settled, of this process and those that it took over. */
  get spans(): number {
    let count = 0
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
    try {
      this.ready()
    } catch {
      // It has been said.
    }
    this.firstSearch = this.enqueue("recover", () => this.recover())
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
    segment.addSpans(segment.scopeOf(scope), count, this.timing.date(), spans)
    this.schedule(segment)
  }

  /** Ends a batch: gives what it consists of in the spool, if anything. */
  seal(part: Part<EncodedRequest>): EntrySource | undefined {
    const segment = this.active
    const from = this.batchStart
    const isComplete = this.batchIsComplete
    this.batchStart = segment?.end ?? 0
    this.batchIsComplete = true
    if (segment === undefined || segment.end === from) return undefined
    const entry: Entry = { from, to: segment.end, count: part.count, done: false }
    segment.entries.push(entry)
    if (segment.end >= this.segmentBytes) this.retire(segment)
    return segment.sourceOf(entry, isComplete)
  }

  /** Resolves when everything recorded so far has been written. */
  written(): Promise<void> {
    for (const segment of this.segments) {
      if (segment.pendingLength > 0) void this.enqueue("write", () => this.write(segment))
    }
    return this.chain
  }

  /** Writes what is left, and leaves behind only what has not been settled. */
  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    this.cancelHeartbeat?.()
    process.off("exit", this.onExit)
    await this.written()
    await this.enqueue("close", async () => {
      for (const segment of this.segments) {
        if (segment.fd !== undefined) await this.io.close(segment.fd)
        segment.fd = undefined
        if (segment.exists && segment.entries.length === 0 && segment.end === segment.written) {
          await this.io.remove(segment.path).catch(ignore)
          segment.end = 0
        }
      }
      if (!this.folderIsReady) return
      // The next process need not wait until this one is seen to be dead.
      await this.io.remove(path.join(this.folder, SpoolOwner.ownerFile)).catch(ignore)
      await this.io.removeDirectory(this.folder).catch(ignore)
    })
  }

  private newFolder(): string {
    const id = Math.trunc(this.timing.random() * 0xffff_ffff)
    return path.join(
      this.directory,
      `${this.timing.date().toString(36)}-${process.pid}-${(id + folders++).toString(36)}`
    )
  }

  private enqueue(what: string, run: () => Promise<void>): Promise<void> {
    this.chain = this.chain.then(run).catch((error: unknown) => {
      if (!(error instanceof Unusable)) this.diagnostics.internal(`spool, ${what}`, error)
    })
    return this.chain
  }

  private segmentFor(length: number): Segment | undefined {
    const { opened } = this
    if (opened === undefined || this.pausedUntil > this.timing.now()) return undefined
    let segment = this.active
    if (segment === undefined) {
      segment = new Segment(
        path.join(this.folder, `${String(++this.number).padStart(8, "0")}${segmentEnding}`),
        opened.encoding,
        opened.resource,
        this.host
      )
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
    const dropped = this.opened!.delivery.forget(
      (source) => (source as { readonly segment?: Segment }).segment === segment
    )
    this.diagnostics.drop("spool_full", dropped)
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
    void this.enqueue("remove", async () => {
      if (segment.fd !== undefined) await this.io.close(segment.fd)
      segment.fd = undefined
      if (segment.exists) await this.io.remove(segment.path).catch(ignore)
      segment.exists = false
    })
  }

  /** Adds no more to a segment. */
  private retire(segment: Segment): void {
    segment.sealed = true
    this.active = undefined
    this.batchStart = 0
    if (segment.entries.length === 0) this.discard(segment)
  }

  private schedule(segment: Segment): void {
    if (segment.writeScheduled) return
    if (segment.writing === undefined && this.folderIsReady && this.timing.now() >= this.slowUntil) {
      if (this.writeAtOnce(segment)) return
    }
    segment.writeScheduled = true
    const write = (): void => void this.enqueue("write", () => this.write(segment))
    const wait = this.lastWriteAt + writeMillis - this.timing.now()
    if (wait <= 0) write()
    else this.timing.after(wait, write)
  }

  /** Appends what waits, without waiting for a thread. False where that failed: another try will tell why. */
  private writeAtOnce(segment: Segment): boolean {
    const start = this.timing.now()
    try {
      this.openFile(segment)
      this.io.writeSync(segment.fd!, segment.waiting, segment.written)
      segment.wrote()
    } catch {
      return false
    }
    this.notice(start)
    if (this.isFailing) this.worksAgain()
    return true
  }

  private openFile(segment: Segment): void {
    if (segment.fd !== undefined) return
    const { fd, ino } = this.io.openSync(segment.path)
    segment.fd = fd
    segment.ino = ino
    segment.exists = true
  }

  /** Sees whether the disk is slow. */
  private notice(start: number): void {
    const now = this.timing.now()
    if (now - start < slowMillis) return
    this.slowUntil = now + slowPauseMillis
    this.diagnostics.sayRarely(
      "spool slow",
      "warn",
      `OpenTelemetry export: the spool ${this.directory} is on a slow disk, another thread writes it for a while`,
      () => ({ millis: Math.round(now - start) })
    )
  }

  private async write(segment: Segment): Promise<void> {
    segment.writeScheduled = false
    if (segment.gone || segment.broken || segment.pendingLength === 0) return
    this.lastWriteAt = this.timing.now()
    try {
      this.ready()
      this.openFile(segment)
      await this.append(segment)
      if (this.isFailing) this.worksAgain()
    } catch (error) {
      this.failed(segment, error)
    }
  }

  private async append(segment: Segment): Promise<void> {
    const bytes = segment.beginWrite()
    try {
      await this.io.write(segment.fd!, bytes, segment.written)
    } catch (error) {
      // Where room is what is missing, the oldest spans give way, once.
      const oldest = codeOf(error) === "ENOSPC" ? this.segments.find((other) => other !== segment) : undefined
      if (oldest === undefined || oldest === this.active) throw error
      this.give(oldest)
      if (oldest.exists) await this.io.remove(oldest.path).catch(ignore)
      oldest.exists = false
      await this.io.write(segment.fd!, bytes, segment.written)
    }
    segment.endWrite()
  }

  /** Writing does not work: spans wait in memory only, for a while. */
  private failed(segment: Segment, error: unknown): void {
    segment.broken = true
    segment.abandonWrites()
    if (this.active === segment) {
      this.active = undefined
      this.batchStart = 0
      this.batchIsComplete = false
    }
    segment.sealed = true
    this.pausedUntil = this.timing.now() + pauseMillis
    const message = messageOf(error)
    this.diagnostics.failed(`spool: ${message}`)
    if (!this.isFailing) {
      this.isFailing = true
      this.diagnostics.sayRarely(
        "spool",
        "warn",
        `OpenTelemetry export: the spool ${this.directory} cannot be written, spans wait in memory only: ${message}`
      )
    }
  }

  private worksAgain(): void {
    this.isFailing = false
    this.diagnostics.sayRarely(
      "spool back",
      "info",
      `OpenTelemetry export: the spool ${this.directory} is written again`
    )
  }

  /** Makes the folder of this process, with its owner's file in it before anybody can see it. */
  private ready(): void {
    if (this.folderIsReady) return
    try {
      this.io.makeFolderSync(this.folder, SpoolOwner.ownerFile, SpoolOwner.self())
      this.folderIsReady = true
    } catch (error) {
      if (this.isFailing) throw error
      this.isFailing = true
      this.pausedUntil = this.timing.now() + pauseMillis
      this.diagnostics.failed(`spool: ${messageOf(error)}`)
      this.diagnostics.sayRarely(
        "spool",
        "warn",
        `OpenTelemetry export: the spool directory ${this.directory} cannot be used, spans wait in memory only: ${messageOf(error)}`
      )
      throw new Unusable()
    }
  }

  private async load(segment: Segment, entry: Entry): Promise<EncodedRequest | undefined> {
    let request: EncodedRequest | undefined
    await this.enqueue("read", async () => {
      // What was recorded a moment ago may still wait to be written.
      if (entry.to > segment.written) await this.write(segment)
      if (!segment.holds(entry)) return
      try {
        segment.fd ??= await this.io.open(segment.path)
        const bytes = await this.io.read(segment.fd, entry.to - entry.from, entry.from)
        const records = bytes.length < entry.to - entry.from ? undefined : SpoolRecord.readSpans(bytes)
        if (records === undefined) this.putAside(segment, "corrupt", bytes)
        else request = requestOf(records, segment.encoding, segment.resource, segment.scopes)
      } catch (error) {
        this.diagnostics.failed(`spool: ${messageOf(error)}`)
      }
    })
    return request
  }

  private settled(segment: Segment, entry: Entry): void {
    const moved = segment.settle(entry)
    if (segment.gone) return
    const isDone = segment.entries.length === 0
    if (isDone && segment.sealed) return this.discard(segment)
    // A file that has grown and holds nothing any more is given back also while it is the one written to.
    if (isDone && segment === this.active && this.batchStart === segment.end && segment.end > this.segmentBytes / 4) {
      return this.retire(segment)
    }
    if (!moved || segment.cursorScheduled) return
    if (segment.fd !== undefined && this.timing.now() >= this.slowUntil) {
      const start = this.timing.now()
      try {
        this.io.writeSync(segment.fd, SpoolRecord.cursor(segment.cursor), SpoolRecord.cursorPosition)
        return this.notice(start)
      } catch {
        // The next try tells why.
      }
    }
    segment.cursorScheduled = true
    void this.enqueue("cursor", () => this.writeCursor(segment))
  }

  private async writeCursor(segment: Segment): Promise<void> {
    segment.cursorScheduled = false
    if (segment.gone || !segment.exists) return
    try {
      segment.fd ??= await this.io.open(segment.path)
      await this.io.write(segment.fd, SpoolRecord.cursor(segment.cursor), SpoolRecord.cursorPosition)
    } catch (error) {
      // Its spans are sent again by the next process: at least once.
      this.diagnostics.failed(`spool: ${messageOf(error)}`)
    }
  }

  private refused(segment: Segment, part: Part<EncodedRequest>): void {
    const { encoding, resource, sections } = part.payload
    const pieces: Array<Uint8Array> = [SpoolRecord.header(), SpoolRecord.meta(encoding.protocol, resource)]
    sections.forEach((section, number) => {
      pieces.push(SpoolRecord.scope(number, section.scope))
      pieces.push(SpoolRecord.spans(number, section.count, this.timing.date(), section.spans))
    })
    this.putAside(segment, "refused", Buffer.concat(pieces))
  }

  /** Writes bytes into the quarantine, which is kept small. */
  private putAside(segment: Segment, why: "refused" | "corrupt", bytes: Uint8Array): void {
    const folder = path.join(this.directory, quarantineFolder)
    const order = String(++this.quarantined).padStart(6, "0")
    const file = `${this.timing.date().toString(36)}-${process.pid}-${order}-${path.basename(segment.path)}.${why}`
    void this.enqueue("quarantine", async () => {
      try {
        await this.io.makeDirectory(folder)
        await this.io.writeFile(path.join(folder, file), bytes)
        const kept: Array<readonly [string, number]> = []
        for (const name of [...(await this.io.list(folder))].sort()) {
          kept.push([name, (await this.io.stat(path.join(folder, name))).size])
        }
        let total = kept.reduce((sum, [, size]) => sum + size, 0)
        for (const [name, size] of kept) {
          if (total <= this.maxBytes / 8) break
          await this.io.remove(path.join(folder, name))
          total -= size
        }
      } catch (error) {
        this.diagnostics.failed(`spool: ${messageOf(error)}`)
      }
    })
  }

  private beat(): void {
    if (this.closed) return
    this.cancelHeartbeat = this.timing.after(heartbeatMillis, () => {
      void this.enqueue("heartbeat", () => this.heartbeat())
      this.beat()
    })
  }

  private async heartbeat(): Promise<void> {
    if (this.folderIsReady) {
      try {
        await this.io.touch(path.join(this.folder, SpoolOwner.ownerFile))
        for (const segment of this.segments) {
          if (segment.fd === undefined || segment.ino === 0) continue
          if ((await this.io.stat(segment.path)).ino !== segment.ino) throw new Error("its files were replaced")
        }
      } catch (error) {
        this.takenAway(error)
      }
    }
    if (++this.heartbeats % heartbeatsPerSearch === 0) await this.recover()
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
      const { fd } = segment
      segment.fd = undefined
      if (fd !== undefined) void this.enqueue("close", () => this.io.close(fd))
    }
    this.segments = []
    this.active = undefined
    this.batchStart = 0
    this.batchIsComplete = false
    this.folder = this.newFolder()
    this.folderIsReady = false
  }

  /** Takes over what processes that are gone have left behind. */
  private async recover(): Promise<void> {
    let names: ReadonlyArray<string>
    try {
      names = await this.io.list(this.directory)
    } catch {
      return
    }
    let others = 0
    for (const name of [...names].sort()) {
      const folder = path.join(this.directory, name)
      if (name === quarantineFolder || folder === this.folder || name.startsWith(".")) continue
      try {
        const isAlive = await SpoolOwner.isAlive(this.io, folder, this.seen, this.timing.now())
        const files = (await this.io.list(folder)).filter((file) => file.endsWith(segmentEnding)).sort(byAge)
        if (!isAlive && this.folderIsReady) await this.takeOver(folder, files)
        else for (const file of files) others += (await this.io.stat(path.join(folder, file))).size
      } catch (error) {
        // A file in place of a folder, or one that another process is just taking over.
        if (codeOf(error) !== "ENOTDIR" && codeOf(error) !== "ENOENT") this.diagnostics.failed(messageOf(error))
      }
    }
    this.othersBytes = others
  }

  private async takeOver(folder: string, files: ReadonlyArray<string>): Promise<void> {
    const from = path.basename(folder)
    for (const file of files) {
      const mine = path.join(this.folder, file.includes("+") ? file : `${from}+${file}`)
      try {
        await this.io.rename(path.join(folder, file), mine)
      } catch (error) {
        if (codeOf(error) === "ENOENT") continue // another process was quicker
        throw error
      }
      await this.adopt(mine)
    }
    await this.io.remove(path.join(folder, SpoolOwner.ownerFile)).catch(ignore)
    await this.io.removeDirectory(folder).catch(ignore)
  }

  private async adopt(file: string): Promise<void> {
    const opened = this.opened!
    const bytes = await this.io.readFile(file)
    const read = SpoolRecord.read(bytes)
    if (read._tag === "OtherVersion") {
      this.diagnostics.sayOnce(
        `version ${read.version}`,
        "warn",
        `OpenTelemetry export: the spool ${this.directory} holds files of version ${read.version} of its format, which this process cannot read: they are put aside`
      )
      const folder = path.join(this.directory, quarantineFolder)
      await this.io.makeDirectory(folder)
      await this.io.rename(file, path.join(folder, `${path.basename(file)}.version${read.version}`))
      return
    }
    const encoding = read._tag === "Segment" && read.protocol === "http/json" ? json : protobuf
    const segment = new Segment(file, encoding, read._tag === "Segment" ? read.resource : Buffer.alloc(0), this.host)
    if (read._tag === "Unreadable") {
      if (bytes.length > 0) this.damaged(segment, 1, bytes)
      await this.io.remove(file)
      return
    }
    segment.sealed = true
    segment.exists = true
    segment.end = bytes.length
    segment.written = bytes.length
    segment.cursor = read.cursor
    for (const [number, scope] of read.scopes) segment.scopes[number] = scope
    for (const { from, spans, to } of read.damaged) this.damaged(segment, spans, bytes.subarray(from, to))
    if (read.spans.length === 0) {
      await this.io.remove(file)
      return
    }
    // Before those of this process, behind those that were taken over before.
    const own = this.segments.findIndex((other) => other.resource === opened.resource)
    this.segments.splice(own < 0 ? this.segments.length : own, 0, segment)
    for (const group of groupsOf(read.spans, opened)) {
      const first = group[0]!
      const last = group.at(-1)!
      const count = group.reduce((sum, record) => sum + record.count, 0)
      const entry: Entry = { from: first.from, to: last.to, count, done: false }
      segment.entries.push(entry)
      segment.oldest = Math.min(segment.oldest, first.time)
      segment.newest = Math.max(segment.newest, last.time)
      this.diagnostics.recovered += count
      opened.delivery.addStored(count, entry.to - entry.from, segment.sourceOf(entry, true))
    }
  }

  private damaged(segment: Segment, spans: number, bytes: Uint8Array): void {
    this.diagnostics.drop("spool_corrupt", spans)
    this.diagnostics.sayRarely(
      "spool_corrupt",
      "warn",
      `OpenTelemetry export: a part of the spool ${this.directory} is damaged, it is put aside`,
      () => ({ bytes: bytes.length, file: path.basename(segment.path) })
    )
    this.putAside(segment, "corrupt", bytes)
  }

  /** The process ends without having been asked to: all that can be done now is what does not wait. */
  private readonly onExit = (): void => {
    try {
      this.drain()
      this.ready()
      for (const segment of this.segments) {
        if (segment.gone || segment.broken) continue
        // A write that is under way is made again, at the same place: it may not be finished.
        const bytes = segment.unwritten
        if (bytes.length === 0) continue
        this.openFile(segment)
        this.io.writeSync(segment.fd!, bytes, segment.written)
      }
    } catch (error) {
      this.diagnostics.internal("spool, exit", error)
    }
  }
}

/** Thrown once the reason has been said. */
class Unusable extends Error {}

const ignore = (): void => {}

const codeOf = (error: unknown): unknown => (error as { readonly code?: unknown } | null)?.code

/** Files that were taken over from another process (their names hold a `+`) are older than a process' own. */
const byAge = (a: string, b: string): number => {
  const order = Number(b.includes("+")) - Number(a.includes("+"))
  return order !== 0 ? order : a < b ? -1 : 1
}

/** Records in batches. */
const groupsOf = (
  records: ReadonlyArray<SpoolRecord.SpansRecord>,
  limits: { readonly maxSpans: number; readonly maxBatchBytes: number }
): Array<Array<SpoolRecord.SpansRecord>> => {
  const groups: Array<Array<SpoolRecord.SpansRecord>> = []
  let count = 0
  let bytes = 0
  for (const record of records) {
    const last = groups.at(-1)
    const behind = last?.at(-1)
    if (
      last === undefined ||
      behind === undefined ||
      // A batch is read back as one range, in which nothing damaged may lie.
      behind.to !== record.from ||
      count + record.count > limits.maxSpans ||
      bytes + record.spans.length > limits.maxBatchBytes
    ) {
      groups.push([record])
      count = record.count
      bytes = record.spans.length
    } else {
      last.push(record)
      count += record.count
      bytes += record.spans.length
    }
  }
  return groups
}
