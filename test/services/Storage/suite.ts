import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import { type ListEntry, readBytes, readText, Storage } from "../../../src/services/Storage/Storage.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"
import { bodySuite, get, type Test } from "./suiteBodies.ts"

/** What a layer under test says of itself. */
export interface Subject {
  readonly layer: Layer.Layer<Storage, unknown>
  readonly bucket: string
  /** Makes keys that no other run has. */
  readonly unique: (key: string) => string
  /** What is below an operation: the attempts of a live layer. */
  readonly attempts: (...methods: ReadonlyArray<string>) => ReadonlyArray<TestTelemetry.ExpectedSpan>
}

const textOf = (key: string) => Effect.scoped(Effect.flatMap(get(key), readText))

const keysOf = (entries: ReadonlyArray<ListEntry>) =>
  entries.map((entry) => (entry._tag === "Object" ? entry.key : `${entry.prefix} (prefix)`))

/** What every layer of the storage must do. */
export const storageSuite = (name: string, { attempts, bucket, layer, unique }: Subject) => {
  const test: Test = (title, body) =>
    it.live(title, () => body.pipe(Effect.scoped, Effect.provide([layer, TestTelemetry.layer()])))

  describe(name, () => {
    test(
      "put and get: bytes, media type, metadata, entity tag, and all of it on the spans",
      Effect.gen(function* () {
        const storage = yield* Storage
        const key = unique("post/añda +&?.mp3")
        const body = Buffer.from("añda")
        const put = yield* storage.putObject({ key, body, contentType: "audio/mpeg", metadata: { Title: "A song" } })
        assert.deepStrictEqual(put, { etag: createHash("md5").update(body).digest("hex"), size: 5 })
        const object = yield* get(key)
        assert.deepStrictEqual(
          [object.key, object.size, object.contentLength, object.etag, object.contentType],
          [key, 5, 5, put.etag, "audio/mpeg"]
        )
        assert.deepStrictEqual(object.metadata, { title: "A song" })
        assert(Math.abs(object.lastModified.getTime() - Date.now()) < 3_600_000)
        assert.deepStrictEqual(Buffer.from(yield* readBytes(object)), body)
        const common = {
          "external.service": "s3",
          "s3.bucket": bucket,
          "s3.key": key,
          "aws.s3.bucket": bucket,
          "aws.s3.key": key,
          "s3.content_type": "audio/mpeg",
          "s3.size_bytes": 5,
          "rpc.system.name": "aws-api",
          "error.type": undefined
        }
        yield* TestTelemetry.expectTrace({
          name: "s3.put_object",
          kind: "client",
          status: "unset",
          attributes: {
            ...common,
            "external.operation": "put_object",
            "s3.operation": "put_object",
            "rpc.method": "S3/PutObject"
          },
          children: attempts("PUT")
        })
        yield* TestTelemetry.expectTrace({
          name: "s3.get_object",
          kind: "client",
          status: "unset",
          attributes: { ...common, "s3.operation": "get_object", "rpc.method": "S3/GetObject" },
          children: attempts("GET")
        })
      })
    )

    test(
      "text and nothing at all",
      Effect.gen(function* () {
        const storage = yield* Storage
        yield* storage.putObject({ key: unique("text"), body: "tëxt" })
        assert.strictEqual(yield* textOf(unique("text")), "tëxt")
        const put = yield* storage.putObject({ key: unique("empty"), body: "" })
        assert.strictEqual(put.size, 0)
        const object = yield* get(unique("empty"))
        assert.deepStrictEqual([object.size, object.contentType], [0, "application/octet-stream"])
        assert.strictEqual(yield* readText(object), "")
        yield* storage.putObject({ key: unique("empty-stream"), body: Stream.empty })
        assert.strictEqual(yield* textOf(unique("empty-stream")), "")
      })
    )

    test(
      "what is not there is none, and no error",
      Effect.gen(function* () {
        const storage = yield* Storage
        const key = unique("missing")
        assert.deepStrictEqual(yield* storage.getObject({ key }), Option.none())
        assert.deepStrictEqual(yield* storage.headObject({ key }), Option.none())
        yield* storage.deleteObject({ key })
        for (const name of ["s3.get_object", "s3.head_object", "s3.delete_object"]) {
          yield* TestTelemetry.expectSpan(name, {
            status: "unset",
            attributes: { "error.type": undefined, "s3.size_bytes": undefined, "external.retry_count": undefined },
            events: []
          })
        }
      })
    )

    test(
      "a put replaces, a delete removes",
      Effect.gen(function* () {
        const storage = yield* Storage
        const key = unique("replaced")
        yield* storage.putObject({ key, body: "one", metadata: { a: "1" } })
        yield* storage.putObject({ key, body: "two!", contentType: "text/plain" })
        const head = Option.getOrThrow(yield* storage.headObject({ key }))
        assert.deepStrictEqual([head.size, head.contentType, head.metadata], [4, "text/plain", {}])
        assert.strictEqual(yield* textOf(key), "two!")
        yield* storage.deleteObject({ key })
        assert.deepStrictEqual(yield* storage.headObject({ key }), Option.none())
      })
    )

    test(
      "ranges",
      Effect.gen(function* () {
        const storage = yield* Storage
        const key = unique("range")
        yield* storage.putObject({ key, body: "0123456789" })
        const middle = yield* get(key, { start: 2, end: 4 })
        assert.deepStrictEqual([middle.size, middle.contentLength, yield* readText(middle)], [10, 3, "234"])
        const rest = yield* get(key, { start: 7 })
        assert.strictEqual(yield* readText(rest), "789")
        const long = yield* get(key, { start: 8, end: 100 })
        assert.deepStrictEqual([long.contentLength, yield* readText(long)], [2, "89"])
        for (const range of [{ start: 10 }, { start: -1 }, { start: 3, end: 2 }]) {
          const failure = yield* Effect.flip(storage.getObject({ key, range }))
          assert.strictEqual(failure.reason._tag, "InvalidRequest")
        }
      })
    )

    test(
      "conditions: only where there is none yet, only where it is still the same",
      Effect.gen(function* () {
        const storage = yield* Storage
        const key = unique("condition")
        const first = yield* storage.putObject({ key, body: "1", ifNoneMatch: "*" })
        const again = yield* Effect.flip(storage.putObject({ key, body: "2", ifNoneMatch: "*" }))
        assert.strictEqual(again.reason._tag, "Conflict")
        const second = yield* storage.putObject({ key, body: "3", ifMatch: first.etag })
        assert.strictEqual(
          (yield* Effect.flip(storage.putObject({ key, body: "4", ifMatch: first.etag }))).reason._tag,
          "Conflict"
        )
        assert.notStrictEqual(first.etag, second.etag)
        assert.strictEqual(yield* textOf(key), "3")
        yield* TestTelemetry.expectSpan("s3.put_object", {
          status: "error",
          attributes: { "error.type": "Conflict", "external.error.retryable": false, "external.retry_count": undefined }
        })
      })
    )

    test(
      "a listing: prefix, order, pages, delimiter",
      Effect.gen(function* () {
        const storage = yield* Storage
        const root = `${unique("list")}/`
        const keys = ["a.txt", "b/1.txt", "b/2.txt", "c.txt", "d/e/1.txt"].map((key) => root + key)
        for (const key of keys.toReversed()) yield* storage.putObject({ key, body: key })
        const all = yield* Stream.runCollect(storage.listObjects({ prefix: root, pageSize: 2 }))
        assert.deepStrictEqual(keysOf(all), keys)
        const first = all[0]!
        assert(first._tag === "Object" && first.size === keys[0]!.length && first.lastModified instanceof Date)
        assert.strictEqual(first.etag, createHash("md5").update(keys[0]!).digest("hex"))
        const folders = yield* Stream.runCollect(storage.listObjects({ prefix: root, delimiter: "/" }))
        assert.deepStrictEqual(keysOf(folders), [
          `${root}a.txt`,
          `${root}b/ (prefix)`,
          `${root}c.txt`,
          `${root}d/ (prefix)`
        ])
        const after = yield* Stream.runCollect(storage.listObjects({ prefix: root, startAfter: `${root}b/1.txt` }))
        assert.deepStrictEqual(keysOf(after), keys.slice(2))
        assert.deepStrictEqual(yield* Stream.runCollect(storage.listObjects({ prefix: `${root}none` })), [])
        yield* TestTelemetry.expectSpan("s3.list_objects", {
          attributes: { "result.item_count": 5, "s3.key": root, "rpc.method": "S3/ListObjectsV2" },
          children: attempts("GET", "GET", "GET")
        })
      })
    )

    test(
      "a listing of which a part is taken sends no request for the rest",
      Effect.gen(function* () {
        const storage = yield* Storage
        const root = `${unique("part")}/`
        for (const key of ["1", "2", "3", "4"]) yield* storage.putObject({ key: root + key, body: key })
        const some = yield* Stream.runCollect(Stream.take(storage.listObjects({ prefix: root, pageSize: 2 }), 2))
        assert.deepStrictEqual(keysOf(some), [`${root}1`, `${root}2`])
        yield* TestTelemetry.expectSpan("s3.list_objects", { status: "unset", children: attempts("GET") })
      })
    )

    test(
      "copy keeps type and metadata, or takes others; a source that is not there is NotFound",
      Effect.gen(function* () {
        const storage = yield* Storage
        const [source, copy, other] = [unique("source ä+"), unique("copy"), unique("other")] as const
        const put = yield* storage.putObject({
          key: source,
          body: "x",
          contentType: "text/plain",
          metadata: { a: "1" }
        })
        const copied = yield* storage.copyObject({ source: { key: source }, key: copy })
        assert.strictEqual(copied.etag, put.etag)
        const head = Option.getOrThrow(yield* storage.headObject({ key: copy }))
        assert.deepStrictEqual([head.contentType, head.metadata], ["text/plain", { a: "1" }])
        yield* storage.copyObject({
          source: { key: source },
          key: other,
          contentType: "text/html",
          metadata: { b: "2" }
        })
        const changed = Option.getOrThrow(yield* storage.headObject({ key: other }))
        assert.deepStrictEqual([changed.contentType, changed.metadata], ["text/html", { b: "2" }])
        const missing = yield* Effect.flip(storage.copyObject({ source: { key: unique("none") }, key: copy }))
        assert.strictEqual(missing.reason._tag, "NotFound")
        yield* TestTelemetry.expectSpan("s3.copy_object", { status: "unset", attributes: { "s3.key": copy } })
      })
    )

    test(
      "several are removed at once",
      Effect.gen(function* () {
        const storage = yield* Storage
        const keys = ["1", "2", "3"].map((key) => unique(`bulk/${key}`))
        for (const key of keys) yield* storage.putObject({ key, body: "x" })
        const result = yield* storage.deleteObjects({ keys: [...keys, unique("bulk/none")] })
        assert.strictEqual(result.deleted.length, 4)
        assert.deepStrictEqual(result.refused, [])
        assert.deepStrictEqual(yield* storage.headObject({ key: keys[0]! }), Option.none())
        assert.deepStrictEqual(yield* storage.deleteObjects({ keys: [] }), { deleted: [], refused: [] })
        yield* TestTelemetry.expectSpan("s3.delete_object", {
          attributes: { "result.item_count": 4, "result.partial": false, "rpc.method": "S3/DeleteObjects" }
        })
      })
    )

    test(
      "presigned URLs: read, write with the media type that was signed, nothing else",
      Effect.gen(function* () {
        const storage = yield* Storage
        const key = unique("presigned/ä b.txt")
        const write = yield* storage.createPresignedUrl({ key, method: "PUT", contentType: "text/plain" })
        assert.deepStrictEqual([write.method, write.headers], ["PUT", { "content-type": "text/plain" }])
        const send = (url: string, init?: RequestInit) =>
          Effect.promise(async () => {
            const response = await fetch(url, init)
            return { status: response.status, text: await response.text(), type: response.headers.get("content-type") }
          })
        const refused = yield* send(write.url, { method: "PUT", body: "x", headers: { "content-type": "text/html" } })
        assert.strictEqual(refused.status, 403)
        const written = yield* send(write.url, { method: "PUT", body: "from outside", headers: write.headers })
        assert.strictEqual(written.status, 200, written.text)
        assert.strictEqual(yield* textOf(key), "from outside")
        const read = yield* storage.createPresignedUrl({ key, expiresIn: "1 minute" })
        assert(Math.abs(read.expiresAt.getTime() - Date.now() - 60_000) < 10_000)
        const got = yield* send(read.url)
        assert.deepStrictEqual([got.status, got.text, got.type], [200, "from outside", "text/plain"])
        const other = yield* send(read.url.replace("presigned", "presagned"))
        assert.strictEqual(other.status, 403)
        assert.include(other.text, "SignatureDoesNotMatch")
        assert.strictEqual((yield* send(read.url, { method: "PUT", body: "x" })).status, 403)
        for (const expiresIn of ["8 days", "0 seconds"] as const) {
          const failure = yield* Effect.flip(storage.createPresignedUrl({ key, expiresIn }))
          assert.strictEqual(failure.reason._tag, "InvalidRequest")
        }
        const link = yield* TestTelemetry.expectSpan("s3.create_presigned_url", {
          status: "unset",
          attributes: { "rpc.method": "S3/GetObject" },
          children: []
        })
        assert.notInclude(JSON.stringify(link.attributes), new URL(read.url).searchParams.get("X-Amz-Signature")!)
      })
    )

    test(
      "keys that are refused before anything is sent",
      Effect.gen(function* () {
        const storage = yield* Storage
        for (const key of ["", "../up", "a/../b", "a/./b", "nul\u0000", "line\nbreak", "x".repeat(1025), "\ud800"]) {
          const failures = [
            yield* Effect.flip(storage.putObject({ key, body: "x" })),
            yield* Effect.flip(storage.getObject({ key })),
            yield* Effect.flip(storage.headObject({ key })),
            yield* Effect.flip(storage.deleteObject({ key })),
            yield* Effect.flip(storage.copyObject({ source: { key }, key: "x" })),
            yield* Effect.flip(storage.createPresignedUrl({ key })),
            yield* Effect.flip(storage.deleteObjects({ keys: ["x", key] }))
          ]
          for (const failure of failures) {
            assert.strictEqual(failure._tag, "StorageError")
            assert.strictEqual(failure.reason._tag, "InvalidRequest", JSON.stringify(key))
          }
        }
        for (const metadata of [
          { "a b": "1" },
          { a: "ä" },
          { a: "x".repeat(2048) },
          { a: "1\r\nx-amz-acl: public-read" }
        ]) {
          const failure = yield* Effect.flip(storage.putObject({ key: "x", body: "x", metadata }))
          assert.strictEqual(failure.reason._tag, "InvalidRequest")
        }
        assert.strictEqual(
          (yield* Effect.flip(storage.headObject({ key: "x", bucket: "../etc" }))).reason._tag,
          "InvalidRequest"
        )
        const exit = yield* Effect.exit(Stream.runDrain(storage.listObjects({ pageSize: 0 })))
        assert(Exit.isFailure(exit) && Cause.pretty(exit.cause).includes("page size"))
      })
    )

    test(
      "a bucket that is not there is NotFound, of a get too",
      Effect.gen(function* () {
        const storage = yield* Storage
        const at = { key: "x", bucket: "no-such-bucket-anywhere" }
        for (const failure of [
          yield* Effect.flip(storage.getObject(at)),
          yield* Effect.flip(storage.putObject({ ...at, body: "x" })),
          yield* Effect.flip(Stream.runDrain(storage.listObjects({ bucket: at.bucket })))
        ]) {
          assert.deepStrictEqual([failure.reason._tag, failure.reason.code], ["NotFound", "NoSuchBucket"])
        }
        yield* TestTelemetry.expectSpan("s3.get_object", { status: "error", attributes: { "s3.bucket": at.bucket } })
      })
    )

    bodySuite(test, unique)
  })
}
