/**
 * Objects on the file system, for the embedded layer.
 *
 * A write goes to a file of its own; then a small record that names it takes the place of the one before, by a rename. So
 * an object is there as a whole or not at all, readers go on reading what they opened, and no key, however odd, becomes a path:
 * records are named by the hash of their key.
 *
 * @internal
 */
import * as Schema from "effect/Schema"
import { createHash, type Hash, randomUUID } from "node:crypto"
import { constants, type ReadStream } from "node:fs"
import * as fs from "node:fs/promises"
import { join } from "node:path"
import { Conflict, NotFound } from "../../operation/Reason.ts"
import { byUtf8, etagOf, metadataOf } from "./StorageInput.ts"

const StoredRecord = Schema.Struct({
  key: Schema.String,
  /** The file that holds the bytes. */
  file: Schema.String,
  size: Schema.Int,
  etag: Schema.String,
  contentType: Schema.String,
  lastModified: Schema.Number,
  metadata: Schema.Record(Schema.String, Schema.String)
})
/** What is kept of an object beside its bytes. */
export type StoredRecord = typeof StoredRecord.Type

const encodeRecord = Schema.encodeSync(Schema.fromJsonString(StoredRecord))
const decodeRecord = Schema.decodeSync(Schema.fromJsonString(StoredRecord))

/** What is said of an object when it is written. */
export interface Description {
  readonly bucket: string
  readonly key: string
  readonly contentType: string
  readonly metadata: Readonly<Record<string, string>> | undefined
  readonly nowMillis: number
  readonly ifNoneMatch?: "*" | undefined
  readonly ifMatch?: string | undefined
}

/** Bytes that are being written and belong to no object yet. */
export interface Draft {
  readonly write: (chunk: Uint8Array) => Promise<void>
  /** Makes the object of it. Fails with `Conflict` or `NotFound` where a condition does not hold. */
  readonly commit: (description: Description) => Promise<StoredRecord>
  /** Removes what was not committed; after a commit it does nothing. */
  readonly discard: () => Promise<void>
}

/** An object that is open for reading. */
export interface Opened {
  readonly record: StoredRecord
  /** Gives the bytes from one place to another, the last included, and closes the file at their end. */
  readonly read: (start: number, end: number) => ReadStream
  readonly close: () => Promise<void>
}

/** Writes of another process that are older than this were left by a crash. */
const leftAfterMillis = 24 * 60 * 60 * 1000

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException | undefined)?.code === "ENOENT"

const ignoreMissing = (error: unknown): undefined => {
  if (isMissing(error)) return undefined
  throw error
}

export class ObjectStore {
  readonly #data: string
  readonly #records: string
  readonly #buckets: ReadonlySet<string>
  #last: Promise<unknown> = Promise.resolve()

  private constructor(root: string, buckets: ReadonlyArray<string>) {
    this.#data = join(root, "data")
    this.#records = join(root, "records")
    this.#buckets = new Set(buckets)
  }

  /** Opens a directory, which may have objects already. */
  static async open(root: string, buckets: ReadonlyArray<string>): Promise<ObjectStore> {
    const store = new ObjectStore(root, buckets)
    await fs.mkdir(store.#data, { recursive: true })
    for (const bucket of buckets) await fs.mkdir(join(store.#records, bucket), { recursive: true })
    await store.#sweep()
    return store
  }

  /** Starts a write. */
  async begin(): Promise<Draft> {
    const file = randomUUID()
    const handle = await fs.open(join(this.#data, file), "wx")
    const hash = createHash("md5")
    let size = 0
    let state: "open" | "committed" | "discarded" = "open"
    return {
      write: async (chunk) => {
        hash.update(chunk)
        size += chunk.byteLength
        for (let at = 0; at < chunk.byteLength;) at += (await handle.write(chunk, at)).bytesWritten
      },
      commit: async (description) => {
        await handle.close()
        const record = await this.#put(description, file, size, hash)
        state = "committed"
        return record
      },
      discard: async () => {
        if (state !== "open") return
        state = "discarded"
        await handle.close().catch(() => {})
        await this.#unlink(file)
      }
    }
  }

  /** The record of an object. */
  async find(bucket: string, key: string): Promise<StoredRecord | undefined> {
    this.#known(bucket)
    const record = await this.#read(this.#recordPath(bucket, key))
    return record?.key === key ? record : undefined
  }

  /** Opens an object for reading. */
  async open(bucket: string, key: string): Promise<Opened | undefined> {
    // Between the record and its file another write may have taken their place.
    for (let tries = 0; tries < 10; tries++) {
      const record = await this.find(bucket, key)
      if (record === undefined) return undefined
      const handle = await fs.open(join(this.#data, record.file)).catch(ignoreMissing)
      if (handle === undefined) continue
      return {
        record,
        read: (start, end) => handle.createReadStream({ start, end }),
        close: () => handle.close().catch(() => {})
      }
    }
    throw Object.assign(new Error("the object is being replaced again and again"), { code: "EBUSY" })
  }

  /** Copies an object. */
  async copy(
    source: { readonly bucket: string; readonly key: string },
    target: { readonly bucket: string; readonly key: string },
    changes: Pick<Description, "metadata" | "nowMillis"> & { readonly contentType: string | undefined }
  ): Promise<StoredRecord> {
    this.#known(target.bucket)
    return this.#alone(async () => {
      const from = await this.find(source.bucket, source.key)
      if (from === undefined) {
        throw new NotFound({
          message: `there is no object ${JSON.stringify(source.key)} to copy`,
          status: 404,
          code: "NoSuchKey"
        })
      }
      const file = randomUUID()
      await fs.copyFile(join(this.#data, from.file), join(this.#data, file), constants.COPYFILE_FICLONE)
      const replaced = changes.contentType !== undefined || changes.metadata !== undefined
      return this.#replace(target.bucket, {
        ...from,
        key: target.key,
        file,
        contentType: changes.contentType ?? from.contentType,
        metadata: replaced ? metadataOf(changes.metadata) : from.metadata,
        lastModified: changes.nowMillis
      })
    })
  }

  /** Removes an object. */
  async remove(bucket: string, key: string): Promise<void> {
    this.#known(bucket)
    await this.#alone(async () => {
      const record = await this.find(bucket, key)
      if (record === undefined) return
      await fs.unlink(this.#recordPath(bucket, key)).catch(ignoreMissing)
      await this.#unlink(record.file)
    })
  }

  /** All records of a bucket, in the order of their keys. */
  async list(bucket: string): Promise<ReadonlyArray<StoredRecord>> {
    this.#known(bucket)
    const folder = join(this.#records, bucket)
    const records: Array<StoredRecord> = []
    for (const name of await fs.readdir(folder)) {
      if (!name.endsWith(".json")) continue
      const record = await this.#read(join(folder, name))
      if (record !== undefined) records.push(record)
    }
    return records.sort((a, b) => byUtf8(a.key, b.key))
  }

  #put(description: Description, file: string, size: number, hash: Hash): Promise<StoredRecord> {
    const { bucket, ifMatch, ifNoneMatch, key } = description
    this.#known(bucket)
    return this.#alone(async () => {
      const before = await this.find(bucket, key)
      if (ifNoneMatch === "*" && before !== undefined)
        throw conflict(`there is an object ${JSON.stringify(key)} already`)
      if (ifMatch !== undefined) {
        if (before === undefined) {
          throw new NotFound({ message: `there is no object ${JSON.stringify(key)}`, status: 404, code: "NoSuchKey" })
        }
        if (before.etag !== etagOf(ifMatch)) throw conflict(`the object ${JSON.stringify(key)} is another one by now`)
      }
      return this.#replace(bucket, {
        key,
        file,
        size,
        etag: hash.digest("hex"),
        contentType: description.contentType,
        lastModified: description.nowMillis,
        metadata: metadataOf(description.metadata)
      })
    })
  }

  async #replace(bucket: string, record: StoredRecord): Promise<StoredRecord> {
    const path = this.#recordPath(bucket, record.key)
    const before = await this.#read(path)
    const fresh = `${path}.${record.file}`
    await fs.writeFile(fresh, encodeRecord(record))
    await fs.rename(fresh, path)
    if (before !== undefined) await this.#unlink(before.file)
    return record
  }

  #known(bucket: string): void {
    if (this.#buckets.has(bucket)) return
    throw new NotFound({ message: `there is no bucket ${JSON.stringify(bucket)}`, status: 404, code: "NoSuchBucket" })
  }

  #recordPath(bucket: string, key: string): string {
    return join(this.#records, bucket, `${createHash("sha256").update(key).digest("hex")}.json`)
  }

  async #read(path: string): Promise<StoredRecord | undefined> {
    const text = await fs.readFile(path, "utf8").catch(ignoreMissing)
    return text === undefined ? undefined : decodeRecord(text)
  }

  async #unlink(file: string): Promise<void> {
    await fs.unlink(join(this.#data, file)).catch(ignoreMissing)
  }

  /** One change at a time, so that a condition still holds when the record is replaced. */
  #alone<A>(change: () => Promise<A>): Promise<A> {
    const done = this.#last.then(change, change)
    this.#last = done.catch(() => {})
    return done
  }

  /** Removes what writes that never came to their end left behind. */
  async #sweep(): Promise<void> {
    const names = await fs.readdir(this.#data)
    if (names.length === 0) return
    const used = new Set<string>()
    for (const bucket of await fs.readdir(this.#records)) {
      for (const name of await fs.readdir(join(this.#records, bucket))) {
        const record = name.endsWith(".json") ? await this.#read(join(this.#records, bucket, name)) : undefined
        if (record !== undefined) used.add(record.file)
      }
    }
    for (const name of names) {
      if (used.has(name)) continue
      const stat = await fs.stat(join(this.#data, name)).catch(ignoreMissing)
      if (stat !== undefined && Date.now() - stat.mtimeMs > leftAfterMillis) await this.#unlink(name)
    }
  }
}

const conflict = (message: string): Conflict => new Conflict({ message, status: 412, code: "PreconditionFailed" })
