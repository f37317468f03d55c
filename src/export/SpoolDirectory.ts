/**
 * A spool's directory, seen from outside: what is in it, removing it, and giving what was refused another chance. What
 * the `effect-telemetry spool` command is made of.
 *
 * Folders of processes that still run are listed, and never touched. To send what the dead have left, make a pipeline
 * with this directory as its spool and flush it.
 *
 * **Example** (Listing)
 *
 * ```ts
 * import { mkdtempSync } from "node:fs"
 * import { tmpdir } from "node:os"
 * import { join } from "node:path"
 * import * as SpoolDirectory from "effect-telemetry/export/SpoolDirectory"
 *
 * const directory = mkdtempSync(join(tmpdir(), "spool-"))
 * const contents = await SpoolDirectory.list(directory)
 * if (contents.spans !== 0 || contents.owners.length !== 0) throw new Error("a new directory is empty")
 * ```
 */
import * as path from "node:path"
import { io as realIo, type SpoolIo } from "./SpoolIo.ts"
import * as SpoolOwner from "./SpoolOwner.ts"
import { quarantineFolder } from "./SpoolQuarantine.ts"
import * as SpoolRecord from "./SpoolRecord.ts"
import { segmentEnding } from "./SpoolSegment.ts"

/** Files, and the spans in them that have not been sent. */
export interface SpoolPart {
  readonly files: number
  /** Of the files, what is sent included. */
  readonly bytes: number
  /** How many spans have not been sent. */
  readonly spans: number
  /** When the first and the last of those spans were written: milliseconds since the Unix epoch. */
  readonly oldest: number | undefined
  readonly newest: number | undefined
}

/** What one process has in the directory. */
export interface SpoolOwnerPart extends SpoolPart {
  /** Its folder, below the directory as it was given. */
  readonly folder: string
  /** Whether it still runs, as far as can be seen: of a process on another machine, whether it may. */
  readonly isAlive: boolean
}

/** What is in a spool's directory. */
export interface SpoolContents extends SpoolPart {
  readonly owners: ReadonlyArray<SpoolOwnerPart>
  /** Batches that a collector refused for good. */
  readonly refused: SpoolPart
  /** Parts that were damaged, or are of another version of the format; how many spans they hold cannot be told. */
  readonly damaged: SpoolPart
}

const empty: SpoolPart = { files: 0, bytes: 0, spans: 0, oldest: undefined, newest: undefined }

/** Lists a directory; one that does not exist is empty. Rejects where it cannot be read. */
export const list = async (directory: string, io: SpoolIo = realIo): Promise<SpoolContents> => {
  const owners: Array<SpoolOwnerPart> = []
  for (const folder of await foldersIn(directory, io)) {
    const files = (await namesIn(folder, io)).filter((file) => file.endsWith(segmentEnding))
    const part = await partOf(folder, files, io)
    owners.push({ ...part, folder, isAlive: await SpoolOwner.isAlive(io, folder, new Map(), 0) })
  }
  const quarantine = path.join(directory, quarantineFolder)
  const aside = await namesIn(quarantine, io)
  const isRefused = (file: string): boolean => file.endsWith(".refused")
  const total = owners.reduce(sum, empty)
  return {
    ...total,
    owners,
    refused: await partOf(quarantine, aside.filter(isRefused), io),
    damaged: {
      ...(await partOf(
        quarantine,
        aside.filter((file) => !isRefused(file)),
        io
      )),
      spans: 0
    }
  }
}

/**
 * Removes what processes that are gone have left behind, and with `quarantine` also what was put aside. Resolves to what
 * was removed.
 */
export const clear = async (
  directory: string,
  options: { readonly quarantine?: boolean | undefined } = {},
  io: SpoolIo = realIo
): Promise<SpoolPart> => {
  const contents = await list(directory, io)
  let removed: SpoolPart = empty
  for (const owner of contents.owners) {
    if (owner.isAlive) continue
    await removeFolder(owner.folder, io)
    removed = sum(removed, owner)
  }
  if (options.quarantine === true) {
    await removeFolder(path.join(directory, quarantineFolder), io)
    removed = sum(sum(removed, contents.refused), contents.damaged)
  }
  return removed
}

/** Puts back what was refused, so that the next process that uses the directory sends it once more. */
export const requeue = async (directory: string, io: SpoolIo = realIo): Promise<SpoolPart> => {
  const quarantine = path.join(directory, quarantineFolder)
  const files = (await namesIn(quarantine, io)).filter((file) => file.endsWith(".refused"))
  const part = await partOf(quarantine, files, io)
  if (files.length === 0) return part
  const folder = path.join(directory, `${Date.now().toString(36)}-requeued`)
  await io.makeDirectory(folder)
  for (const file of files) {
    await io.rename(
      path.join(quarantine, file),
      path.join(folder, `${path.basename(file, ".refused")}${segmentEnding}`)
    )
  }
  return part
}

const sum = (a: SpoolPart, b: SpoolPart): SpoolPart => ({
  files: a.files + b.files,
  bytes: a.bytes + b.bytes,
  spans: a.spans + b.spans,
  oldest: least(a.oldest, b.oldest, Math.min),
  newest: least(a.newest, b.newest, Math.max)
})

const least = (
  a: number | undefined,
  b: number | undefined,
  choose: (a: number, b: number) => number
): number | undefined => (a === undefined ? b : b === undefined ? a : choose(a, b))

const foldersIn = async (directory: string, io: SpoolIo): Promise<Array<string>> => {
  const folders: Array<string> = []
  for (const name of await namesIn(directory, io)) {
    if (name === quarantineFolder || name.startsWith(".")) continue
    const folder = path.join(directory, name)
    const names = await namesIn(folder, io).catch((): Array<string> => [])
    // A folder of somebody else's is none of ours.
    if (names.some((file) => file.endsWith(segmentEnding) || file === SpoolOwner.ownerFile)) folders.push(folder)
  }
  return folders
}

const namesIn = async (directory: string, io: SpoolIo): Promise<Array<string>> => {
  try {
    return [...(await io.list(directory))].sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return []
    throw error
  }
}

const partOf = async (folder: string, files: ReadonlyArray<string>, io: SpoolIo): Promise<SpoolPart> => {
  let part: SpoolPart = empty
  for (const file of files) {
    let bytes: Buffer
    try {
      bytes = await io.readFile(path.join(folder, file))
    } catch (error) {
      // Sent and removed just now.
      if ((error as NodeJS.ErrnoException).code === "ENOENT") continue
      throw error
    }
    const read = SpoolRecord.read(bytes)
    const records = read._tag === "Segment" ? read.spans : []
    part = sum(part, {
      files: 1,
      bytes: bytes.length,
      spans: records.reduce((count, record) => count + record.count, 0),
      oldest: records[0]?.time,
      newest: records.at(-1)?.time
    })
  }
  return part
}

const removeFolder = async (folder: string, io: SpoolIo): Promise<void> => {
  for (const file of await namesIn(folder, io)) {
    if (file !== SpoolOwner.ownerFile) await io.remove(path.join(folder, file))
  }
  await io.remove(path.join(folder, SpoolOwner.ownerFile)).catch(() => {})
  await io.removeDirectory(folder).catch(() => {})
}
