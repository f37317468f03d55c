/**
 * The object storage: files under keys in a bucket, as S3 has them.
 *
 * Bodies are bytes, text or streams, and streams never stand in memory as a whole. What is read later belongs to the operation
 * that opened it: the body of `getObject` is a stream within the caller's scope, and span and deadline of the operation last
 * until it ends. A missing key is `Option.none`, no failure. Two layers: `StorageLive` (S3 and what speaks its protocol, through
 * the official client) and `StorageEmbedded` (on the file system, in this process).
 *
 * A body that is a stream can be read once, so an upload of it is attempted once. An upload of bytes is repeated where it may.
 *
 * **Example** (Keep a file, read it, hand out a link)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Option from "effect/Option"
 * import { readText, Storage } from "effect-telemetry/Storage"
 * import * as StorageEmbedded from "effect-telemetry/StorageEmbedded"
 *
 * const program = Effect.gen(function* () {
 *   const storage = yield* Storage
 *   yield* storage.putObject({ key: "notes/1.txt", body: "hello", contentType: "text/plain" })
 *   const found = yield* storage.getObject({ key: "notes/1.txt" })
 *   if (Option.isSome(found)) console.log(found.value.contentType, yield* readText(found.value))
 *   const link = yield* storage.createPresignedUrl({ key: "notes/1.txt", expiresIn: "5 minutes" })
 *   console.log(link.method, link.expiresAt > new Date())
 * })
 * Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(StorageEmbedded.layer())))
 * ```
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
 * @see https://opentelemetry.io/docs/specs/semconv/object-stores/s3/
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Attributes from "../../operation/Attributes.ts"
import * as Operation from "../../operation/Operation.ts"
import * as RetryPolicy from "../../operation/RetryPolicy.ts"
import { StorageError } from "./StorageError.ts"

export { StorageError } from "./StorageError.ts"

// ---------------------------------------------------------------------------------------------------------------------
// What goes in
// ---------------------------------------------------------------------------------------------------------------------

/** Where an object is. */
export interface ObjectKey {
  /**
   * The object's key: 1 to 1024 bytes of UTF-8, no control characters, no segment `.` or `..` (clients, proxies and servers make
   * another path of it).
   */
  readonly key: string
  /** The bucket, where it is not the layer's own. */
  readonly bucket?: string | undefined
}

/** What is stored: bytes, text (UTF-8), or a stream, which is sent in parts and never collected. */
export type ObjectBody = Uint8Array | string | Stream.Stream<Uint8Array, unknown>

/** Input of `putObject`. */
export interface PutObject extends ObjectKey {
  /** What is stored. A stream that fails stores no object. */
  readonly body: ObjectBody
  /** The media type. Default `application/octet-stream`. */
  readonly contentType?: string | undefined
  /** Names and values to keep with the object: ASCII, 2 KB in all; names come back in lower case. */
  readonly metadata?: Readonly<Record<string, string>> | undefined
  /** `*`: only where there is no object of this key yet; else it fails with `Conflict`. */
  readonly ifNoneMatch?: "*" | undefined
  /** Only where the object is still the one of this tag; else it fails with `Conflict` (or `NotFound` where there is none). */
  readonly ifMatch?: string | undefined
}

/** Input of `getObject`. */
export interface GetObject extends ObjectKey {
  /** Only these bytes, counted from 0; the last one is included. Without `end` all from `start` on. */
  readonly range?: { readonly start: number; readonly end?: number | undefined } | undefined
}

/** Input of `deleteObjects`. */
export interface DeleteObjects {
  /** At most 1000 a request; more are sent in several. */
  readonly keys: ReadonlyArray<string>
  readonly bucket?: string | undefined
}

/** Input of `listObjects`. */
export interface ListObjects {
  /** Only keys that begin so. */
  readonly prefix?: string | undefined
  /** Keys that have this text after the prefix are given as one entry, up to and with it: `/` makes folders of them. */
  readonly delimiter?: string | undefined
  /** Only keys after this one. */
  readonly startAfter?: string | undefined
  /** How many entries a request asks for, 1 to 1000. Default 1000. The next is sent when these have been taken. */
  readonly pageSize?: number | undefined
  readonly bucket?: string | undefined
}

/** Input of `copyObject`. */
export interface CopyObject extends ObjectKey {
  /** What is copied. */
  readonly source: ObjectKey
  /** Another media type than the source has. The metadata are then those given here. */
  readonly contentType?: string | undefined
  /** Other metadata than the source has. */
  readonly metadata?: Readonly<Record<string, string>> | undefined
}

/** Input of `createPresignedUrl`. */
export interface CreatePresignedUrl extends ObjectKey {
  /** What the URL allows: to read the object (`GET`, the default) or to write it (`PUT`). */
  readonly method?: "GET" | "PUT" | undefined
  /** How long: 1 second to 7 days. Default 15 minutes. */
  readonly expiresIn?: Duration.Input | undefined
  /** For `PUT`: the media type that has to be sent. */
  readonly contentType?: string | undefined
}

// ---------------------------------------------------------------------------------------------------------------------
// What comes out
// ---------------------------------------------------------------------------------------------------------------------

const Size = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** What is known of an object. */
export const ObjectInfo = Schema.Struct({
  key: Schema.String,
  /** Bytes of the whole object. */
  size: Size,
  /** The entity tag, without its quotes: another one after each write. */
  etag: Schema.String,
  contentType: Schema.String,
  lastModified: Schema.Date,
  metadata: Schema.Record(Schema.String, Schema.String)
})
export interface ObjectInfo extends Schema.Schema.Type<typeof ObjectInfo> {}

/** An object whose body is to be read, once, within the scope in which it was asked for. */
export interface StoredObject extends ObjectInfo {
  /** Bytes of the body: fewer than `size` where a range was asked for. */
  readonly contentLength: number
  /** The bytes. Nothing of them is collected; a second reading fails with `InvalidRequest`. */
  readonly body: Stream.Stream<Uint8Array, StorageError>
}

/** What `putObject` gives. */
export const PutResult = Schema.Struct({ etag: Schema.String, size: Size })
export interface PutResult extends Schema.Schema.Type<typeof PutResult> {}

/** What `copyObject` gives. */
export const CopyResult = Schema.Struct({ etag: Schema.String, lastModified: Schema.Date })
export interface CopyResult extends Schema.Schema.Type<typeof CopyResult> {}

/** An entry of a listing: an object, or a prefix that several keys share up to the delimiter. In the order of UTF-8 bytes. */
export const ListEntry = Schema.Union([
  Schema.TaggedStruct("Object", { key: Schema.String, size: Size, etag: Schema.String, lastModified: Schema.Date }),
  Schema.TaggedStruct("Prefix", { prefix: Schema.String })
])
export type ListEntry = typeof ListEntry.Type

/** What `deleteObjects` gives: keys that were refused are no failure of the whole. */
export const DeleteResult = Schema.Struct({
  /** Gone, whether they were there or not. */
  deleted: Schema.Array(Schema.String),
  refused: Schema.Array(Schema.Struct({ key: Schema.String, code: Schema.String, message: Schema.String }))
})
export interface DeleteResult extends Schema.Schema.Type<typeof DeleteResult> {}

/** A URL that allows one thing for a while. It is a secret: who has it needs no credentials. */
export const PresignedUrl = Schema.Struct({
  url: Schema.String,
  method: Schema.Literals(["GET", "PUT"]),
  /** Headers that have to be sent with the request. */
  headers: Schema.Record(Schema.String, Schema.String),
  expiresAt: Schema.Date
})
export interface PresignedUrl extends Schema.Schema.Type<typeof PresignedUrl> {}

// ---------------------------------------------------------------------------------------------------------------------
// The operations
// ---------------------------------------------------------------------------------------------------------------------

/** Bytes of a body, where that can be told before it is read. */
const sizeOf = (body: ObjectBody): number | undefined =>
  typeof body === "string" ? Buffer.byteLength(body) : body instanceof Uint8Array ? body.byteLength : undefined

const bucket = <A extends { readonly bucket?: string | undefined }>() => ({
  "s3.bucket": Attributes.string<A>("the bucket", (input) => input.bucket),
  "aws.s3.bucket": Attributes.string<A>("the bucket", (input) => input.bucket)
})
const object = <A extends ObjectKey>() => ({
  ...bucket<A>(),
  "s3.key": Attributes.string<A>("the object's key", (input) => input.key),
  "aws.s3.key": Attributes.string<A>("the object's key", (input) => input.key)
})
const method = (name: string) => ({ "rpc.method": Attributes.constant("the call of the S3 API", `S3/${name}`) })
const contentType = <A extends { readonly contentType?: string | undefined }>() => ({
  "s3.content_type": Attributes.string<A>("the media type", (input) => input.contentType)
})
const requestId = { "aws.request_id": Attributes.string("the service's name for the request") }
const found = {
  ...requestId,
  "s3.content_type": Attributes.string<Option.Option<ObjectInfo>>("the media type", (found) =>
    Option.isSome(found) ? found.value.contentType : undefined
  )
}

/** The operations of the storage. */
export const operations = Operation.table(
  {
    service: "s3",
    prefix: "s3",
    error: StorageError,
    attributes: { "rpc.system.name": Attributes.constant("the system of the call", "aws-api") }
  },
  {
    /** Stores an object, in place of the one that has its key. It is there as a whole or not at all. */
    putObject: Operation.effect<PutObject, PutResult>({
      name: "put_object",
      brief: "store an object",
      idempotent: (input) =>
        sizeOf(input.body) !== undefined && input.ifNoneMatch === undefined && input.ifMatch === undefined,
      // However large it is: what limits an upload is each request of it, and the deadline of the whole.
      timeout: "Infinity",
      input: {
        ...object(),
        ...method("PutObject"),
        ...contentType(),
        "s3.size_bytes": Attributes.int("bytes of the object", (input) => sizeOf(input.body))
      },
      result: { ...requestId, "s3.size_bytes": Attributes.int("bytes of the object", (result) => result.size) }
    }),
    /** An object with its body, none where there is none. Span and deadline last until the body ends, or the scope closes. */
    getObject: Operation.scoped<GetObject, Option.Option<StoredObject>>({
      name: "get_object",
      brief: "an object with its body",
      idempotent: true,
      input: { ...object(), ...method("GetObject") },
      result: {
        ...found,
        "s3.size_bytes": Attributes.int("bytes of the body", (found) =>
          Option.isSome(found) ? found.value.contentLength : undefined
        )
      }
    }),
    /** Removes an object; one that is not there is removed already. */
    deleteObject: Operation.effect<ObjectKey, void>({
      name: "delete_object",
      brief: "remove an object",
      idempotent: true,
      input: { ...object(), ...method("DeleteObject") },
      result: requestId
    }),
    /** Removes several objects; what was refused is told key by key. Its span is that of `deleteObject`, with a count. */
    deleteObjects: Operation.effect<DeleteObjects, DeleteResult>({
      name: "delete_object",
      brief: "remove several objects",
      idempotent: true,
      input: { ...bucket(), ...method("DeleteObjects") },
      result: {
        ...requestId,
        "result.item_count": Attributes.int("how many objects were removed", (result) => result.deleted.length),
        "result.partial": Attributes.boolean("whether some were refused", (result) => result.refused.length > 0)
      }
    }),
    /** What is known of an object, without its body; none where there is none. */
    headObject: Operation.effect<ObjectKey, Option.Option<ObjectInfo>>({
      name: "head_object",
      brief: "what is known of an object, without its body",
      idempotent: true,
      input: { ...object(), ...method("HeadObject") },
      result: {
        ...found,
        "s3.size_bytes": Attributes.int("bytes of the object", (found) =>
          Option.isSome(found) ? found.value.size : undefined
        )
      }
    }),
    /** The objects whose keys begin with a prefix, and the prefixes that they share. Pages are fetched as they are needed. */
    listObjects: Operation.stream<ListObjects, ListEntry>({
      name: "list_objects",
      brief: "the objects whose keys begin with a prefix",
      idempotent: true,
      input: {
        ...bucket(),
        ...method("ListObjectsV2"),
        ...requestId,
        "s3.key": Attributes.string("the prefix", (input) => input.prefix)
      }
    }),
    /** Copies an object on the server. A source that is not there is `NotFound`. */
    copyObject: Operation.effect<CopyObject, CopyResult>({
      name: "copy_object",
      brief: "copy an object on the server",
      idempotent: true,
      input: { ...object(), ...method("CopyObject"), ...contentType() },
      result: requestId
    }),
    /** A URL with which whoever has it may read or write one object for a while. Made here: no request is sent. */
    createPresignedUrl: Operation.effect<CreatePresignedUrl, PresignedUrl>({
      name: "create_presigned_url",
      brief: "a URL that allows to read or write one object for a while",
      idempotent: true,
      input: {
        ...object(),
        ...contentType(),
        "rpc.method": Attributes.string(
          "the call of the S3 API that the URL allows",
          (input) => (input.method === "PUT" ? "S3/PutObject" : "S3/GetObject"),
          { values: ["S3/GetObject", "S3/PutObject"] }
        )
      }
    })
  }
)

/** The bare calls that a layer of the storage implements. */
export type StorageCalls = Operation.BareCalls<typeof operations>

/** The object storage, as a service: provided by `StorageLive` or `StorageEmbedded`. */
export class Storage extends Context.Service<Storage, Operation.Client<typeof operations>>()(
  "effect-telemetry/Storage"
) {}

/**
 * How a layer of the storage wants its operations. `timeout` (default 30 s) is for an attempt until its answer begins, and for
 * each request of an upload; `deadline` (default 5 minutes) for the whole of an operation, the reading of its body included.
 */
export type StorageOptions = Operation.ImplementOptions

/** How long an attempt may take until its answer begins, where nothing else is said: 30 seconds. */
export const defaultTimeout: Duration.Input = "30 seconds"

/** How long an operation may take in all, bodies included, where nothing else is said: 5 minutes. */
export const defaultDeadline: Duration.Input = "5 minutes"

/** @internal */
export const make = (bucketName: string, calls: StorageCalls, options: StorageOptions = {}) => {
  const deadline = options.deadline ?? defaultDeadline
  return Effect.map(
    Operation.implement(operations, calls, {
      ...options,
      timeout: options.timeout ?? defaultTimeout,
      deadline,
      attributes: { "s3.bucket": bucketName, "aws.s3.bucket": bucketName, ...options.attributes }
    }),
    (client) =>
      Storage.of({
        ...client,
        // What was read of a stream is gone: whatever happened, it is not sent again.
        putObject: (input) => {
          const { body } = input
          return typeof body === "string" || body instanceof Uint8Array
            ? client.putObject(input)
            : Effect.flatMap(RetryPolicy.Current, (policy) =>
                RetryPolicy.with(
                  // What the stream itself calls is repeated as before.
                  client.putObject({ ...input, body: Stream.provideService(body, RetryPolicy.Current, policy) }),
                  { attempts: 1 }
                )
              )
        }
      })
  )
}

// ---------------------------------------------------------------------------------------------------------------------
// Bodies as a whole
// ---------------------------------------------------------------------------------------------------------------------

/** The whole body in memory, without a limit: for objects that are known to be small. Fails where the body breaks off. */
export const readBytes = (object: StoredObject): Effect.Effect<Uint8Array, StorageError> =>
  Effect.map(Stream.runCollect(object.body), (chunks) => new Uint8Array(Buffer.concat(chunks)))

/** The whole body as text (UTF-8), as `readBytes` reads it. */
export const readText = (object: StoredObject): Effect.Effect<string, StorageError> =>
  Effect.map(readBytes(object), (bytes) => Buffer.from(bytes).toString("utf8"))
