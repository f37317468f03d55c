/**
 * The object storage in this process, on the file system: for development and tests, with no server.
 *
 * It is a real storage: writes are atomic, bodies pass through as streams, entity tags are MD5, conditions are checked, listings
 * come in the order of S3, with prefixes and delimiters, and presigned URLs work, from browsers too: a small server on a free port
 * of loopback answers them, from the first one on. By default the objects live in a temporary directory that goes with the layer.
 *
 * **Gotchas**
 *
 * The objects of a directory are kept under hashes of their keys, since keys are no paths (`x` and `x/y` may both be there). A
 * directory belongs to one process at a time: conditions are not checked across processes.
 *
 * **Example** (A listing by folders)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 * import { Storage } from "effect-telemetry/Storage"
 * import * as StorageEmbedded from "effect-telemetry/StorageEmbedded"
 *
 * const program = Effect.gen(function* () {
 *   const storage = yield* Storage
 *   for (const key of ["audio/1.mp3", "audio/2.mp3", "readme.txt"]) yield* storage.putObject({ key, body: key })
 *   return yield* Stream.runCollect(storage.listObjects({ delimiter: "/" }))
 * })
 * Effect.runPromise(program.pipe(Effect.provide(StorageEmbedded.layer()))).then(console.log)
 * ```
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Readable } from "node:stream"
import { InvalidRequest, isReason, NotFound, type Reason, systemCode, Unavailable } from "../../operation/Reason.ts"
import { type Draft, ObjectStore, type StoredRecord } from "./ObjectStore.ts"
import * as PresignedServer from "./PresignedServer.ts"
import * as StorageBody from "./StorageBody.ts"
import * as StorageInput from "./StorageInput.ts"
import {
  type ListEntry,
  type ListObjects,
  make,
  type ObjectBody,
  type ObjectInfo,
  Storage,
  type StorageCalls,
  type StorageOptions,
  type StoredObject
} from "./Storage.ts"

/** Where the objects are. */
export interface StorageEmbeddedOptions extends StorageOptions {
  /** A directory that keeps them, made where it is not there. Default: a temporary one, removed with the layer. */
  readonly directory?: string | undefined
  /** The bucket where an operation names none. Default `embedded`. */
  readonly bucket?: string | undefined
  /** The other buckets that there are. */
  readonly buckets?: ReadonlyArray<string> | undefined
}

/** A storage in this process. A directory that cannot be used is a defect that names it. */
export const layer = (options: StorageEmbeddedOptions = {}): Layer.Layer<Storage> =>
  Layer.effect(
    Storage,
    Effect.gen(function* () {
      const bucket = options.bucket ?? "embedded"
      const clock = yield* Clock.Clock
      const root = options.directory ?? (yield* temporary)
      const store = yield* Effect.promise(() => ObjectStore.open(root, [bucket, ...(options.buckets ?? [])]))
      const sign = yield* PresignedServer.make(store, () => clock.currentTimeMillisUnsafe())
      return yield* make(bucket, calls(store, bucket, sign), options)
    })
  )

const temporary: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() => fs.mkdtemp(join(tmpdir(), "effect-telemetry-storage-"))),
  (folder) => Effect.promise(() => fs.rm(folder, { recursive: true, force: true }))
)

const use = <A>(f: () => Promise<A>): Effect.Effect<A, Reason> => Effect.tryPromise({ try: f, catch: reasonOf })

const reasonOf = (error: unknown): Reason => {
  if (isReason(error)) return error
  const code = systemCode(error)
  return new Unavailable({
    message: code === undefined ? "the file system failed" : `the file system failed (${code})`,
    cause: error,
    code,
    // Too many open files, or a file that is busy, may be past in a moment; a disk that is full is not.
    retryable: code === "EMFILE" || code === "ENFILE" || code === "EBUSY" || code === "EAGAIN"
  })
}

const infoOf = (record: StoredRecord): ObjectInfo => ({
  key: record.key,
  size: record.size,
  etag: record.etag,
  contentType: record.contentType,
  lastModified: new Date(record.lastModified),
  metadata: record.metadata
})

const calls = (
  store: ObjectStore,
  own: string,
  sign: (grant: PresignedServer.Grant) => Effect.Effect<string>
): StorageCalls => ({
  putObject: (input) =>
    Effect.gen(function* () {
      yield* StorageInput.put(input)
      const draft = yield* Effect.acquireRelease(
        use(() => store.begin()),
        (draft) => Effect.ignore(use(() => draft.discard()))
      )
      yield* writeAll(draft, input.body)
      const nowMillis = yield* Clock.currentTimeMillis
      const record = yield* Effect.uninterruptible(
        use(() =>
          draft.commit({
            bucket: input.bucket ?? own,
            key: input.key,
            contentType: input.contentType ?? StorageInput.DEFAULT_CONTENT_TYPE,
            metadata: input.metadata,
            nowMillis,
            ifNoneMatch: input.ifNoneMatch,
            ifMatch: input.ifMatch
          })
        )
      )
      return { etag: record.etag, size: record.size }
    }).pipe(Effect.scoped),

  getObject: (input, call) =>
    Effect.gen(function* () {
      yield* StorageInput.get(input)
      const opened = yield* Effect.acquireRelease(
        use(() => store.open(input.bucket ?? own, input.key)),
        (opened) => (opened === undefined ? Effect.void : Effect.promise(() => opened.close()))
      )
      if (opened === undefined) {
        yield* call.complete
        return Option.none<StoredObject>()
      }
      const { record } = opened
      const start = input.range?.start ?? 0
      const end = Math.min(input.range?.end ?? Infinity, record.size - 1)
      if (input.range !== undefined && start >= record.size) {
        const message = `the range begins at ${start}, the object has ${record.size} bytes`
        return yield* Effect.fail(new InvalidRequest({ message, status: 416, code: "InvalidRange" }))
      }
      const readable = record.size === 0 ? Readable.from([]) : opened.read(start, end)
      const body = yield* StorageBody.stream({ readable, call, reasonOf })
      return Option.some({ ...infoOf(record), contentLength: end - start + 1, body })
    }),

  deleteObject: (input) =>
    Effect.andThen(
      StorageInput.key(input),
      use(() => store.remove(input.bucket ?? own, input.key))
    ),

  deleteObjects: ({ bucket, keys }) =>
    Effect.gen(function* () {
      yield* Effect.forEach(keys, (key) => StorageInput.key({ key, bucket }), { discard: true })
      yield* Effect.forEach(keys, (key) => use(() => store.remove(bucket ?? own, key)), { discard: true })
      return { deleted: keys, refused: [] }
    }),

  headObject: (input) =>
    Effect.andThen(
      StorageInput.key(input),
      use(() => store.find(input.bucket ?? own, input.key)).pipe(
        // As S3: an answer without a body cannot say that it is the bucket which is missing.
        Effect.catchIf(
          (reason) => reason instanceof NotFound,
          () => Effect.succeed(undefined)
        ),
        Effect.map((record) => Option.map(Option.fromUndefinedOr(record), infoOf))
      )
    ),

  listObjects: (input) =>
    Effect.andThen(
      StorageInput.list(input),
      Effect.map(
        use(() => store.list(input.bucket ?? own)),
        (records) => Stream.fromIterable(entriesOf(records, input))
      )
    ),

  copyObject: (input) =>
    Effect.gen(function* () {
      yield* StorageInput.key(input.source)
      yield* StorageInput.put(input)
      const nowMillis = yield* Clock.currentTimeMillis
      const record = yield* Effect.uninterruptible(
        use(() =>
          store.copy(
            { bucket: input.source.bucket ?? own, key: input.source.key },
            { bucket: input.bucket ?? own, key: input.key },
            { contentType: input.contentType, metadata: input.metadata, nowMillis }
          )
        )
      )
      return { etag: record.etag, lastModified: new Date(record.lastModified) }
    }),

  createPresignedUrl: (input) =>
    Effect.gen(function* () {
      const seconds = yield* StorageInput.presign(input)
      const expires = Math.floor((yield* Clock.currentTimeMillis) / 1000) + seconds
      const method = input.method ?? "GET"
      const contentType = (method === "PUT" ? input.contentType : undefined) ?? ""
      const url = yield* sign({ method, bucket: input.bucket ?? own, key: input.key, expires, contentType })
      return {
        url,
        method,
        headers: contentType === "" ? {} : { "content-type": contentType },
        expiresAt: new Date(expires * 1000)
      }
    })
})

const writeAll = (draft: Draft, body: ObjectBody): Effect.Effect<void, Reason> => {
  if (typeof body === "string") return use(() => draft.write(Buffer.from(body)))
  if (body instanceof Uint8Array) return use(() => draft.write(body))
  return Stream.runForEach(
    Stream.mapError(body, (cause) => new InvalidRequest({ message: "the body that was to be stored failed", cause })),
    (chunk) => use(() => draft.write(chunk))
  )
}

/** A listing of sorted records: those of the prefix, keys with the delimiter after it drawn together. */
const entriesOf = function* (records: ReadonlyArray<StoredRecord>, input: ListObjects): Generator<ListEntry> {
  const { delimiter = "", prefix = "", startAfter } = input
  let drawn: string | undefined
  for (const record of records) {
    const { key } = record
    if (!key.startsWith(prefix) || (startAfter !== undefined && StorageInput.byUtf8(key, startAfter) <= 0)) continue
    const at = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length)
    if (at === -1) {
      const { etag, size } = record
      yield { _tag: "Object", key, size, etag, lastModified: new Date(record.lastModified) }
      continue
    }
    const shared = key.slice(0, at + delimiter.length)
    if (shared !== drawn) yield { _tag: "Prefix", prefix: shared }
    drawn = shared
  }
}
