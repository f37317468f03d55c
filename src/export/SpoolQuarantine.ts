/**
 * Where the spool puts aside what it must neither send again nor throw away unseen: batches that a collector refused for
 * good, as segments that can be sent once more, and bytes that were damaged. Kept small: the oldest files give way.
 *
 * @internal
 */
import * as path from "node:path"
import type { Part } from "./Batch.ts"
import { type Diagnostics, messageOf } from "./Diagnostics.ts"
import type { EncodedRequest } from "./OtlpSink.ts"
import type { SpoolIo } from "./SpoolIo.ts"
import * as SpoolRecord from "./SpoolRecord.ts"
import type { Timing } from "./Timing.ts"

/** Its folder, within the spool's directory. */
export const quarantineFolder = "quarantine"

export class SpoolQuarantine {
  private readonly folder: string
  private readonly maxBytes: number
  private readonly io: SpoolIo
  private readonly diagnostics: Diagnostics
  private readonly timing: Timing
  private order = 0

  constructor(
    directory: string,
    maxBytes: number,
    parts: { readonly io: SpoolIo; readonly diagnostics: Diagnostics; readonly timing: Timing }
  ) {
    this.folder = path.join(directory, quarantineFolder)
    this.maxBytes = maxBytes
    this.io = parts.io
    this.diagnostics = parts.diagnostics
    this.timing = parts.timing
  }

  /** A batch that was refused for good, of a segment's file. */
  refused(file: string, part: Part<EncodedRequest>): Promise<void> {
    const { encoding, resource, sections } = part.payload
    const pieces: Array<Uint8Array> = [SpoolRecord.header(), SpoolRecord.meta(encoding.protocol, resource)]
    sections.forEach((section, number) => {
      pieces.push(SpoolRecord.scope(number, section.scope))
      pieces.push(SpoolRecord.spans(number, section.count, this.timing.date(), section.spans))
    })
    return this.put(`${path.basename(file)}.refused`, Buffer.concat(pieces))
  }

  /** Bytes of a segment's file that are no records. */
  corrupt(file: string, bytes: Uint8Array): Promise<void> {
    return this.put(`${path.basename(file)}.corrupt`, bytes)
  }

  /** A whole file, of a format that this version does not know. */
  async otherVersion(file: string, version: number): Promise<void> {
    await this.io.makeDirectory(this.folder)
    await this.io.rename(file, path.join(this.folder, `${path.basename(file)}.version${version}`))
  }

  private async put(name: string, bytes: Uint8Array): Promise<void> {
    const order = String(++this.order).padStart(6, "0")
    try {
      await this.io.makeDirectory(this.folder)
      const file = `${this.timing.date().toString(36)}-${process.pid}-${order}-${name}`
      await this.io.writeFile(path.join(this.folder, file), bytes)
      await this.tidy()
    } catch (error) {
      this.diagnostics.failed(`spool: ${messageOf(error)}`)
    }
  }

  private async tidy(): Promise<void> {
    const files: Array<readonly [string, number]> = []
    let total = 0
    for (const name of [...(await this.io.list(this.folder))].sort()) {
      const { size } = await this.io.stat(path.join(this.folder, name))
      files.push([name, size])
      total += size
    }
    for (const [name, size] of files) {
      if (total <= this.maxBytes) return
      await this.io.remove(path.join(this.folder, name))
      total -= size
    }
  }
}
