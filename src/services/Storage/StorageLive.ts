/**
 * The object storage on S3, and on whatever speaks its protocol, through the official client (`@aws-sdk/client-s3`).
 *
 * The client's own retries are off: ours are the only ones. Each request is a client span below its operation and carries the
 * trace in headers that are not part of the signature. An interruption and a deadline end requests and their connections at once.
 * Streams are uploaded in parts (`@aws-sdk/lib-storage`): what does not succeed is removed again.
 *
 * Needs the packages `@aws-sdk/client-s3`, `@aws-sdk/lib-storage` and `@aws-sdk/s3-request-presigner`.
 *
 * **Details**
 *
 * - An upload of a stream holds at most five parts of 5 MiB in memory (`upload`), whatever its length, and is attempted once.
 * - `timeout` limits an attempt until its answer begins, and each request of an upload. `deadline` limits an operation as a
 *   whole, with the reading of its body: make it longer where large objects go over slow lines.
 * - Pages of a listing after the first are not retried, since the entries before them were handed over already.
 *
 * **Example** (A server of one's own)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Storage } from "effect-telemetry/Storage"
 * import * as StorageLive from "effect-telemetry/StorageLive"
 *
 * const live = StorageLive.layer({
 *   bucket: "media",
 *   endpoint: "http://127.0.0.1:1",
 *   credentials: { accessKeyId: "key", secretAccessKey: "secret" },
 *   retry: { attempts: 1 }
 * })
 *
 * const program = Effect.gen(function* () {
 *   const storage = yield* Storage
 *   yield* storage.putObject({ key: "hello.txt", body: "hello", contentType: "text/plain" })
 * }).pipe(Effect.catchTag("StorageError", (error) => Effect.logWarning(error.message)))
 * Effect.runPromise(program.pipe(Effect.provide(live)))
 * ```
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html
 */
import type { HeadObjectCommandOutput, ListObjectsV2CommandOutput } from "@aws-sdk/client-s3"
import * as Clock from "effect/Clock"
import type * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Readable } from "node:stream"
import type { Call } from "../../operation/Operation.ts"
import { Decode, type Reason, Timeout } from "../../operation/Reason.ts"
import * as S3Requests from "./S3Requests.ts"
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  getSignedUrl,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client
} from "./S3Packages.ts"
import * as S3Settings from "./S3Settings.ts"
import * as S3Upload from "./S3Upload.ts"
import * as StorageBody from "./StorageBody.ts"
import * as StorageInput from "./StorageInput.ts"
import { reasonOf } from "./StorageReason.ts"
import {
  CopyResult,
  defaultTimeout,
  DeleteResult,
  ListEntry,
  type ListObjects,
  make,
  ObjectInfo,
  PutResult,
  Storage,
  type StorageCalls,
  type StoredObject
} from "./Storage.ts"

export { type S3Credentials, type S3Options, StorageConfigError } from "./S3Settings.ts"

/** The storage on S3. Builds without asking the server anything; fails where an option is not accepted. */
export const layer = (options: S3Settings.S3Options): Layer.Layer<Storage, S3Settings.StorageConfigError> =>
  Layer.effect(
    Storage,
    Effect.flatMap(S3Settings.check(options), (settings) => connect(settings, options))
  )

/**
 * The storage that the environment names: `S3_BUCKET`, `S3_ENDPOINT` (absent: Amazon's own), `AWS_REGION`, `AWS_ACCESS_KEY_ID`,
 * `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `S3_FORCE_PATH_STYLE`. Options win. Without keys the AWS SDK looks for others: a
 * profile, a role of the machine. Fails where a variable is missing or not accepted.
 */
export const layerConfig = (
  options: Partial<S3Settings.S3Options> = {}
): Layer.Layer<Storage, S3Settings.StorageConfigError | Config.ConfigError> =>
  Layer.effect(
    Storage,
    Effect.gen(function* () {
      const all = yield* S3Settings.fromEnvironment(options)
      return yield* connect(yield* S3Settings.check(all, S3Settings.variables), all)
    })
  )

const connect = (settings: S3Settings.S3Settings, options: S3Settings.S3Options) =>
  Effect.gen(function* () {
    const timeoutMillis = Duration.toMillis(Duration.fromInputUnsafe(options.timeout ?? defaultTimeout))
    const requests = yield* S3Requests.make(settings, timeoutMillis)
    const presigner = yield* Effect.acquireRelease(
      // The checksum of a body that nobody knows yet must not become part of a URL.
      Effect.sync(
        () =>
          new S3Client({
            ...S3Requests.clientOptions(settings),
            requestChecksumCalculation: "WHEN_REQUIRED",
            responseChecksumValidation: "WHEN_REQUIRED"
          })
      ),
      (client) => Effect.sync(() => client.destroy())
    )
    return yield* make(settings.bucket, calls(settings, requests, presigner, timeoutMillis), options)
  })

/** What the service promises, or `Decode`. */
const decoded = <A, I>(schema: Schema.Codec<A, I>, what: string) => {
  const decode = Schema.decodeUnknownEffect(schema)
  return (value: unknown): Effect.Effect<A, Reason> =>
    Effect.mapError(
      decode(value),
      (cause) => new Decode({ message: `s3 answered something that is not ${what} as its API promises`, cause })
    )
}
const toInfo = decoded(ObjectInfo, "an object")
const toPut = decoded(PutResult, "the outcome of a put")
const toCopy = decoded(CopyResult, "the outcome of a copy")
const toEntries = decoded(Schema.Array(ListEntry), "a listing")
const toDeleted = decoded(DeleteResult, "the outcome of a bulk delete")

const etag = (tag: string | undefined) => (tag === undefined ? undefined : StorageInput.etagOf(tag))
const quoted = (tag: string) => (tag.startsWith('"') || tag.startsWith("W/") ? tag : `"${tag}"`)

/** Options of the client that are given. */
const given = <A extends Record<string, unknown>>(options: A): { [K in keyof A]?: Exclude<A[K], undefined> } =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never

/** What an answer says of an object; the size is that of all of it, whatever part came. */
const infoOf = (key: string, output: Omit<HeadObjectCommandOutput, "Body">) => {
  const total = /\/(\d+)$/.exec(output.ContentRange ?? "")?.[1]
  return toInfo({
    key,
    size: total === undefined ? output.ContentLength : Number(total),
    etag: etag(output.ETag),
    contentType: output.ContentType ?? StorageInput.DEFAULT_CONTENT_TYPE,
    lastModified: output.LastModified,
    metadata: output.Metadata ?? {}
  })
}

/** An answer to a head request has no body: it cannot say that it is the bucket which is missing. */
const isNoObject = (reason: Reason): boolean => reason._tag === "NotFound" && reason.code !== "NoSuchBucket"

const calls = (
  settings: S3Settings.S3Settings,
  requests: S3Requests.Requests,
  presigner: S3Client,
  timeoutMillis: number
): StorageCalls => {
  const at = (input: { readonly bucket?: string | undefined; readonly key: string }) => ({
    Bucket: input.bucket ?? settings.bucket,
    Key: input.key
  })

  const head = (input: { readonly bucket?: string | undefined; readonly key: string }, call: Call) =>
    Effect.flatMap(
      requests.use(call, (send) => send(new HeadObjectCommand(at(input)))),
      (output) => infoOf(input.key, output)
    )

  return {
    putObject: (input, call) =>
      Effect.gen(function* () {
        yield* StorageInput.put(input)
        const { body, contentType, ifMatch, ifNoneMatch, metadata } = input
        const params = {
          ...at(input),
          ContentType: contentType ?? StorageInput.DEFAULT_CONTENT_TYPE,
          Metadata: StorageInput.metadataOf(metadata),
          ...given({ IfNoneMatch: ifNoneMatch, IfMatch: ifMatch === undefined ? undefined : quoted(ifMatch) })
        }
        if (typeof body !== "string" && !(body instanceof Uint8Array)) {
          return yield* S3Upload.upload(requests, settings, call, params, body)
        }
        const bytes = typeof body === "string" ? Buffer.from(body) : body
        const output = yield* requests.use(call, (send) => send(new PutObjectCommand({ ...params, Body: bytes })))
        return yield* toPut({ etag: etag(output.ETag), size: bytes.byteLength })
      }),

    getObject: (input, call) =>
      Effect.gen(function* () {
        yield* StorageInput.get(input)
        const { range } = input
        const Range = range === undefined ? undefined : `bytes=${range.start}-${range.end ?? ""}`
        // Registered before the request: an interruption may come between an answer and what is made of it.
        let opened: Readable | undefined
        yield* Effect.addFinalizer(() => Effect.sync(() => opened?.destroy()))
        const output = yield* requests
          .use(call, async (send) => {
            const output = await send(new GetObjectCommand({ ...at(input), ...given({ Range }) }))
            opened = output.Body as Readable | undefined
            opened?.on("error", () => {})
            return output
          })
          .pipe(Effect.catchIf(isNoObject, () => Effect.succeed(undefined)))
        if (output === undefined) {
          yield* call.complete
          return Option.none<StoredObject>()
        }
        const info = yield* infoOf(input.key, output)
        if (opened === undefined)
          return yield* Effect.fail(new Decode({ message: "s3 answered an object without a body" }))
        const body = yield* StorageBody.stream({ readable: opened, call, reasonOf })
        return Option.some({ ...info, contentLength: output.ContentLength ?? info.size, body })
      }),

    deleteObject: (input, call) =>
      Effect.andThen(
        StorageInput.key(input),
        Effect.asVoid(requests.use(call, (send) => send(new DeleteObjectCommand(at(input)))))
      ),

    deleteObjects: ({ bucket, keys }, call) =>
      Effect.gen(function* () {
        yield* Effect.forEach(keys, (key) => StorageInput.key({ key, bucket }), { discard: true })
        const deleted: Array<unknown> = []
        const refused: Array<unknown> = []
        for (let from = 0; from < keys.length; from += 1000) {
          const Objects = keys.slice(from, from + 1000).map((Key) => ({ Key }))
          const output = yield* requests.use(call, (send) =>
            send(new DeleteObjectsCommand({ Bucket: bucket ?? settings.bucket, Delete: { Objects } }))
          )
          for (const { Key } of output.Deleted ?? []) deleted.push(Key)
          for (const { Code, Key, Message } of output.Errors ?? []) {
            refused.push({ key: Key, code: Code ?? "Unknown", message: Message ?? Code ?? "refused" })
          }
        }
        return yield* toDeleted({ deleted, refused })
      }),

    headObject: (input, call) =>
      Effect.andThen(
        StorageInput.key(input),
        head(input, call).pipe(
          Effect.map(Option.some),
          Effect.catchIf(isNoObject, () => Effect.succeed(Option.none<ObjectInfo>()))
        )
      ),

    listObjects: (input, call) =>
      Effect.gen(function* () {
        yield* StorageInput.list(input)
        const fetch = (token: string | undefined) => page(requests, settings, call, input, token)
        const first = yield* fetch(undefined)
        // Whoever reads on may do so in another span; the requests stay below that of the operation.
        const span = yield* Effect.option(Effect.currentParentSpan)
        const inSpan = <A>(self: Effect.Effect<A, Reason>): Effect.Effect<A, Reason> =>
          Option.isNone(span) ? self : Effect.withParentSpan(self, span.value, { captureStackTrace: false })
        const rest = Stream.paginate(first.next, (token) =>
          token === undefined
            ? Effect.succeed([[], Option.none()] as const)
            : Effect.map(inSpan(limited(fetch(token), timeoutMillis)), ({ entries, next }) => {
                return [entries, next === undefined ? Option.none() : Option.some(next)] as const
              })
        )
        return Stream.concat(Stream.fromIterable(first.entries), rest)
      }),

    copyObject: (input, call) =>
      Effect.gen(function* () {
        yield* StorageInput.key(input.source)
        yield* StorageInput.put(input)
        const { contentType, metadata, source } = input
        const replaces = contentType !== undefined || metadata !== undefined
        // What replaces metadata replaces the media type too: it has to be known.
        const type = contentType ?? (metadata === undefined ? undefined : (yield* head(source, call)).contentType)
        const { Bucket, Key } = at(source)
        const output = yield* requests.use(call, (send) =>
          send(
            new CopyObjectCommand({
              ...at(input),
              CopySource: `${Bucket}/${Key.split("/").map(encodeURIComponent).join("/")}`,
              ...(replaces ? { MetadataDirective: "REPLACE", Metadata: StorageInput.metadataOf(metadata) } : undefined),
              ...given({ ContentType: type })
            })
          )
        )
        const result = output.CopyObjectResult
        return yield* toCopy({ etag: etag(result?.ETag), lastModified: result?.LastModified })
      }),

    createPresignedUrl: (input) =>
      Effect.gen(function* () {
        const expiresIn = yield* StorageInput.presign(input)
        const now = yield* Clock.currentTimeMillis
        const method = input.method ?? "GET"
        const contentType = method === "PUT" ? input.contentType : undefined
        const command =
          method === "PUT"
            ? new PutObjectCommand({ ...at(input), ...given({ ContentType: contentType }) })
            : new GetObjectCommand(at(input))
        const url = yield* Effect.tryPromise({
          try: () =>
            getSignedUrl(presigner, command, {
              expiresIn,
              signingDate: new Date(now),
              // Not signed otherwise: any media type could be sent.
              ...(contentType === undefined ? undefined : { signableHeaders: new Set(["content-type"]) })
            }),
          catch: reasonOf
        })
        return {
          url,
          method,
          headers: contentType === undefined ? {} : { "content-type": contentType },
          // Signed times are whole seconds.
          expiresAt: new Date((Math.floor(now / 1000) + expiresIn) * 1000)
        }
      })
  }
}

interface Page {
  readonly entries: ReadonlyArray<ListEntry>
  readonly next: string | undefined
}

const page = (
  requests: S3Requests.Requests,
  settings: S3Settings.S3Settings,
  call: Call,
  input: ListObjects,
  token: string | undefined
): Effect.Effect<Page, Reason> =>
  Effect.gen(function* () {
    const output = yield* requests.use(call, (send) =>
      send(
        new ListObjectsV2Command({
          Bucket: input.bucket ?? settings.bucket,
          ...given({
            Prefix: input.prefix,
            Delimiter: input.delimiter,
            StartAfter: input.startAfter,
            MaxKeys: input.pageSize,
            ContinuationToken: token
          })
        })
      )
    )
    const next = output.IsTruncated === true ? output.NextContinuationToken : undefined
    // A server that gives the same page again and again would be listed for ever.
    if (next !== undefined && next === token) {
      return yield* Effect.fail(new Decode({ message: "s3 names the page of a listing that it gave as the next one" }))
    }
    return { entries: yield* toEntries(entriesOf(output)), next }
  })

/** Objects and prefixes of a page, in one order. */
const entriesOf = ({ CommonPrefixes, Contents }: ListObjectsV2CommandOutput): ReadonlyArray<unknown> => {
  const objects = (Contents ?? []).map(({ ETag, Key, LastModified, Size }) => ({
    at: Key ?? "",
    entry: { _tag: "Object", key: Key, size: Size, etag: etag(ETag), lastModified: LastModified }
  }))
  const prefixes = (CommonPrefixes ?? []).map(({ Prefix }) => ({
    at: Prefix ?? "",
    entry: { _tag: "Prefix", prefix: Prefix }
  }))
  if (prefixes.length === 0) return objects.map(({ entry }) => entry)
  return [...objects, ...prefixes].sort((a, b) => StorageInput.byUtf8(a.at, b.at)).map(({ entry }) => entry)
}

/** The limit of an attempt, for the pages that come after the operation was opened. */
const limited = <A>(self: Effect.Effect<A, Reason>, timeoutMillis: number): Effect.Effect<A, Reason> =>
  timeoutMillis === Infinity
    ? self
    : Effect.timeoutOrElse(self, {
        duration: timeoutMillis,
        orElse: () => {
          const duration = Duration.millis(timeoutMillis)
          const message = `s3 did not give the next page of a listing within ${Duration.format(duration)}`
          return Effect.fail(new Timeout({ message, duration }))
        }
      })
