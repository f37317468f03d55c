/**
 * Takes over what processes that are gone have left in the spool: their files are moved into the folder of this process,
 * one by one, so that of several processes each file has one that sends it; then they are read from end to end, and
 * their batches queue to be sent.
 *
 * @internal
 */
import * as path from "node:path"
import type { Diagnostics } from "./Diagnostics.ts"
import { json } from "./OtlpJson.ts"
import { protobuf } from "./OtlpProtobuf.ts"
import type { SpoolIo } from "./SpoolIo.ts"
import * as SpoolOwner from "./SpoolOwner.ts"
import { quarantineFolder, type SpoolQuarantine } from "./SpoolQuarantine.ts"
import * as SpoolRecord from "./SpoolRecord.ts"
import { type Entry, Segment, type SegmentHost, segmentEnding } from "./SpoolSegment.ts"
import type { Timing } from "./Timing.ts"

export interface RecoveryOptions {
  readonly directory: string
  readonly io: SpoolIo
  readonly diagnostics: Diagnostics
  readonly timing: Timing
  readonly quarantine: SpoolQuarantine
  readonly host: SegmentHost
  /** The folder of this process, once it is there. */
  readonly folder: () => string | undefined
  /** Limits of a batch. */
  readonly maxSpans: number
  readonly maxBatchBytes: number
  /** Takes a segment that was taken over, with its batches as entries. */
  readonly adopted: (segment: Segment) => void
}

export class SpoolRecovery {
  private readonly options: RecoveryOptions
  private readonly seen: SpoolOwner.Seen = new Map()

  constructor(options: RecoveryOptions) {
    this.options = options
  }

  /** Looks for what was left behind. Resolves to how many bytes other processes that are alive have in the directory. */
  async search(): Promise<number> {
    const { diagnostics, directory, folder, io, timing } = this.options
    const names = await io.list(directory).catch((): ReadonlyArray<string> => [])
    let others = 0
    for (const name of [...names].sort()) {
      const theirs = path.join(directory, name)
      const own = folder()
      if (name === quarantineFolder || name.startsWith(".") || theirs === own) continue
      try {
        const isAlive = await SpoolOwner.isAlive(io, theirs, this.seen, timing.now())
        const files = (await io.list(theirs)).filter((file) => file.endsWith(segmentEnding)).sort(byAge)
        if (!isAlive && own !== undefined) await this.takeOver(theirs, files, own)
        else for (const file of files) others += (await io.stat(path.join(theirs, file))).size
      } catch (error) {
        // A file in place of a folder, or one that another process is just taking over.
        if (codeOf(error) !== "ENOTDIR" && codeOf(error) !== "ENOENT") diagnostics.internal("spool, recover", error)
      }
    }
    return others
  }

  private async takeOver(theirs: string, files: ReadonlyArray<string>, own: string): Promise<void> {
    const { io } = this.options
    for (const file of files) {
      const mine = path.join(own, file.includes("+") ? file : `${path.basename(theirs)}+${file}`)
      try {
        await io.rename(path.join(theirs, file), mine)
      } catch (error) {
        if (codeOf(error) === "ENOENT") continue // another process was quicker
        throw error
      }
      await this.adopt(mine)
    }
    await io.remove(path.join(theirs, SpoolOwner.ownerFile)).catch(ignore)
    await io.removeDirectory(theirs).catch(ignore)
  }

  private async adopt(file: string): Promise<void> {
    const { adopted, diagnostics, directory, host, io, quarantine } = this.options
    const bytes = await io.readFile(file)
    const read = SpoolRecord.read(bytes)
    if (read._tag === "OtherVersion") {
      diagnostics.sayOnce(
        `version ${read.version}`,
        "warn",
        `OpenTelemetry export: the spool ${directory} holds files of version ${read.version} of its format, which this process cannot read: they are put aside`
      )
      return quarantine.otherVersion(file, read.version)
    }
    if (read._tag === "Unreadable") {
      if (bytes.length > 0) await this.damaged(file, 1, bytes)
      return io.remove(file)
    }
    for (const { from, spans, to } of read.damaged) await this.damaged(file, spans, bytes.subarray(from, to))
    if (read.spans.length === 0) return io.remove(file)
    const segment = new Segment(file, read.protocol === "http/json" ? json : protobuf, read.resource, host)
    segment.sealed = true
    segment.exists = true
    segment.end = bytes.length
    segment.written = bytes.length
    segment.cursor = read.cursor
    for (const [number, scope] of read.scopes) segment.scopes[number] = scope
    for (const group of this.groupsOf(read.spans)) {
      const first = group[0]!
      const last = group.at(-1)!
      const count = group.reduce((sum, record) => sum + record.count, 0)
      const entry: Entry = { from: first.from, to: last.to, count, isComplete: true, done: false }
      segment.entries.push(entry)
      segment.oldest = Math.min(segment.oldest, first.time)
      segment.newest = Math.max(segment.newest, last.time)
      diagnostics.recovered += count
    }
    adopted(segment)
  }

  private damaged(file: string, spans: number, bytes: Uint8Array): Promise<void> {
    const { diagnostics, directory, quarantine } = this.options
    diagnostics.drop("spool_corrupt", spans)
    diagnostics.sayRarely(
      "spool_corrupt",
      "warn",
      `OpenTelemetry export: a part of the spool ${directory} is damaged, it is put aside`,
      () => ({ bytes: bytes.length, file: path.basename(file) })
    )
    return quarantine.corrupt(file, bytes)
  }

  /** Records in batches. */
  private groupsOf(records: ReadonlyArray<SpoolRecord.SpansRecord>): Array<Array<SpoolRecord.SpansRecord>> {
    const { maxBatchBytes, maxSpans } = this.options
    const groups: Array<Array<SpoolRecord.SpansRecord>> = []
    let count = 0
    let bytes = 0
    let end = -1
    for (const record of records) {
      const last = groups.at(-1)
      // A batch is read back as one range, in which nothing damaged may lie.
      const fits =
        last !== undefined &&
        end === record.from &&
        count + record.count <= maxSpans &&
        bytes + record.spans.length <= maxBatchBytes
      if (fits) last.push(record)
      else {
        groups.push([record])
        count = 0
        bytes = 0
      }
      count += record.count
      bytes += record.spans.length
      end = record.to
    }
    return groups
  }
}

const ignore = (): void => {}

const codeOf = (error: unknown): unknown => (error as { readonly code?: unknown } | null)?.code

/** Files that were taken over from another process (their names hold a `+`) are older than a process' own. */
const byAge = (a: string, b: string): number => {
  const order = Number(b.includes("+")) - Number(a.includes("+"))
  return order !== 0 ? order : a < b ? -1 : 1
}
