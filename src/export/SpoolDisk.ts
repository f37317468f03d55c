/**
 * The spool's hand on the disk: appends at once while the disk is quick, by another thread while it is slow, and not at
 * all for a while when it does not work. Says each of these once.
 *
 * @internal
 */
import * as path from "node:path"
import { type Diagnostics, messageOf } from "./Diagnostics.ts"
import type { SpoolIo } from "./SpoolIo.ts"
import * as SpoolOwner from "./SpoolOwner.ts"
import * as SpoolRecord from "./SpoolRecord.ts"
import { type Entry, type Segment, segmentEnding } from "./SpoolSegment.ts"
import type { Timing } from "./Timing.ts"

export interface DiskOptions {
  readonly directory: string
  readonly io: SpoolIo
  readonly diagnostics: Diagnostics
  readonly timing: Timing
  /** There is no room on the disk: lets another segment give way. Resolves to whether one did. */
  readonly makeRoom: (segment: Segment) => Promise<boolean>
  /** A segment can be written no further. */
  readonly failed: (segment: Segment) => void
}

/** An append that takes longer means that the disk is slow. */
const slowMillis = 20
/** For how long another thread then writes. */
const slowPauseMillis = 60_000
/** That thread's writes come no closer than this: under load one holds the spans of many requests. */
const writeMillis = 1
/** How long to leave a disk alone that does not work. */
const pauseMillis = 5_000

let folders = 0

export class SpoolDisk {
  /** The folder of this process. */
  folder: string
  private readonly options: DiskOptions
  private readonly io: SpoolIo
  private readonly timing: Timing
  private readonly diagnostics: Diagnostics
  private folderIsReady = false
  private number = 0
  private pausedUntil = 0
  private lastWriteAt = -writeMillis
  private slowUntil = 0
  private isFailing = false
  /** Everything that another thread does, one thing after the other. */
  private chain: Promise<void> = Promise.resolve()

  constructor(options: DiskOptions) {
    this.options = options
    this.io = options.io
    this.timing = options.timing
    this.diagnostics = options.diagnostics
    this.folder = this.newFolder()
  }

  get isReady(): boolean {
    return this.folderIsReady
  }

  /** Whether it is left alone just now. */
  get isPaused(): boolean {
    return this.pausedUntil > this.timing.now()
  }

  /** The path of the next segment. */
  nextFile(): string {
    return path.join(this.folder, `${String(++this.number).padStart(8, "0")}${segmentEnding}`)
  }

  /** Begins with a new folder. */
  beginAnew(): void {
    this.folder = this.newFolder()
    this.folderIsReady = false
  }

  /** Runs something behind all else that other threads do. The promise never rejects. */
  enqueue(what: string, run: () => Promise<void>): Promise<void> {
    this.chain = this.chain.then(run).catch((error: unknown) => this.diagnostics.internal(`spool, ${what}`, error))
    return this.chain
  }

  /** Makes the folder of this process, with its owner's file in it before anybody can see it; false where it cannot. */
  prepare(): boolean {
    if (this.folderIsReady) return true
    try {
      this.io.makeFolderSync(this.folder, SpoolOwner.ownerFile, SpoolOwner.self())
      this.folderIsReady = true
    } catch (error) {
      this.doesNotWork("cannot be used", error)
    }
    return this.folderIsReady
  }

  /** Sees to it that what was added to a segment is written. */
  append(segment: Segment): void {
    if (segment.writeScheduled) return
    if (segment.writing === undefined && this.folderIsReady && !this.isSlow && this.appendAtOnce(segment)) return
    segment.writeScheduled = true
    const write = (): void => void this.enqueue("write", () => this.write(segment))
    const wait = this.lastWriteAt + writeMillis - this.timing.now()
    if (wait <= 0) write()
    else this.timing.after(wait, write)
  }

  /** Sees to it that what was added to segments is written without delay; resolves when it is. */
  flush(segments: ReadonlyArray<Segment>): Promise<void> {
    for (const segment of segments) {
      if (segment.pendingLength > 0) void this.enqueue("write", () => this.write(segment))
    }
    return this.enqueue("flush", () => Promise.resolve())
  }

  /** Notes on disk up to where a segment has been settled. */
  saveCursor(segment: Segment): void {
    if (segment.cursorScheduled) return
    if (segment.fd !== undefined && !this.isSlow) {
      const start = this.timing.now()
      try {
        this.io.writeSync(segment.fd, SpoolRecord.cursor(segment.cursor), SpoolRecord.cursorPosition)
        return this.notice(start)
      } catch {
        // The next try tells why.
      }
    }
    segment.cursorScheduled = true
    void this.enqueue("cursor", async () => {
      segment.cursorScheduled = false
      if (segment.gone || !segment.exists) return
      try {
        segment.fd ??= await this.io.open(segment.path)
        await this.io.write(segment.fd, SpoolRecord.cursor(segment.cursor), SpoolRecord.cursorPosition)
      } catch (error) {
        // Its spans are sent again by the next process: at least once.
        this.diagnostics.failed(`spool: ${messageOf(error)}`)
      }
    })
  }

  /** Reads a batch back: its bytes, fewer where the file is shorter, and `undefined` where it is gone. */
  async read(segment: Segment, entry: Entry): Promise<Buffer | undefined> {
    let bytes: Buffer | undefined
    await this.enqueue("read", async () => {
      // What was recorded a moment ago may still wait to be written.
      if (entry.to > segment.written) await this.write(segment)
      if (!segment.holds(entry)) return
      try {
        segment.fd ??= await this.io.open(segment.path)
        bytes = await this.io.read(segment.fd, entry.to - entry.from, entry.from)
      } catch (error) {
        this.diagnostics.failed(`spool: ${messageOf(error)}`)
      }
    })
    return bytes
  }

  /** Removes a segment's file. */
  async remove(segment: Segment): Promise<void> {
    await this.close(segment)
    if (segment.exists) await this.io.remove(segment.path).catch(ignore)
    segment.exists = false
  }

  async close(segment: Segment): Promise<void> {
    const { fd } = segment
    segment.fd = undefined
    if (fd !== undefined) await this.io.close(fd)
  }

  /** Leaves its folder, so that the next process need not wait until this one is seen to be dead. */
  async leave(): Promise<void> {
    if (!this.folderIsReady) return
    await this.io.remove(path.join(this.folder, SpoolOwner.ownerFile)).catch(ignore)
    await this.io.removeDirectory(this.folder).catch(ignore)
  }

  /** Writes what waits to be written, now, since the process ends. */
  writeAtExit(segments: ReadonlyArray<Segment>): void {
    if (!this.prepare()) return
    for (const segment of segments) {
      if (segment.gone || segment.broken) continue
      // A write that is under way is made again, at the same place: it may not be finished.
      const bytes = segment.unwritten
      if (bytes.length === 0) continue
      this.openFile(segment)
      this.io.writeSync(segment.fd!, bytes, segment.written)
    }
  }

  private newFolder(): string {
    const id = (Math.trunc(this.timing.random() * 0xffff_ffff) + folders++).toString(36)
    return path.join(this.options.directory, `${this.timing.date().toString(36)}-${process.pid}-${id}`)
  }

  private get isSlow(): boolean {
    return this.timing.now() < this.slowUntil
  }

  /** False where it failed: another try will tell why. */
  private appendAtOnce(segment: Segment): boolean {
    const start = this.timing.now()
    try {
      this.openFile(segment)
      this.io.writeSync(segment.fd!, segment.waiting, segment.written)
      segment.wrote()
    } catch {
      return false
    }
    this.notice(start)
    this.works()
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
      `OpenTelemetry export: the spool ${this.options.directory} is on a slow disk, another thread writes it for a while`,
      () => ({ millis: Math.round(now - start) })
    )
  }

  private async write(segment: Segment): Promise<void> {
    segment.writeScheduled = false
    if (segment.gone || segment.broken || segment.pendingLength === 0) return
    this.lastWriteAt = this.timing.now()
    try {
      if (!this.prepare()) return this.breaks(segment)
      this.openFile(segment)
      const bytes = segment.beginWrite()
      try {
        await this.io.write(segment.fd!, bytes, segment.written)
      } catch (error) {
        // Where room is what is missing, the oldest spans give way, once.
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC" || !(await this.options.makeRoom(segment))) throw error
        await this.io.write(segment.fd!, bytes, segment.written)
      }
      segment.endWrite()
      this.works()
    } catch (error) {
      this.doesNotWork("cannot be written", error)
      // A disk takes what it can: the next process is not to find half a record, and take it for damage.
      if (segment.fd !== undefined) await this.io.truncate(segment.fd, segment.written).catch(ignore)
      this.breaks(segment)
    }
  }

  private breaks(segment: Segment): void {
    segment.broken = true
    segment.sealed = true
    segment.abandonWrites()
    this.options.failed(segment)
  }

  private doesNotWork(what: string, error: unknown): void {
    const message = messageOf(error)
    this.pausedUntil = this.timing.now() + pauseMillis
    this.diagnostics.failed(`spool: ${message}`)
    if (this.isFailing) return
    this.isFailing = true
    this.diagnostics.sayRarely(
      "spool",
      "warn",
      `OpenTelemetry export: the spool ${this.options.directory} ${what}, spans wait in memory only: ${message}`
    )
  }

  private works(): void {
    if (!this.isFailing) return
    this.isFailing = false
    this.diagnostics.sayRarely(
      "spool back",
      "info",
      `OpenTelemetry export: the spool ${this.options.directory} is written again`
    )
  }
}

const ignore = (): void => {}
