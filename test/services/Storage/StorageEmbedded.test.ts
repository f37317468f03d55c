import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { readText, Storage } from "../../../src/services/Storage/Storage.ts"
import * as StorageEmbedded from "../../../src/services/Storage/StorageEmbedded.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"
import { storageSuite } from "./suite.ts"
import { generated } from "./suiteBodies.ts"

storageSuite("StorageEmbedded", {
  layer: StorageEmbedded.layer(),
  bucket: "embedded",
  unique: (key) => key,
  attempts: () => []
})

const folder = Effect.acquireRelease(
  Effect.promise(() => fs.mkdtemp(join(tmpdir(), "storage-test-"))),
  (path) => Effect.promise(() => fs.rm(path, { recursive: true }))
)

const files = (path: string) =>
  Effect.promise(async () =>
    (await fs.readdir(path, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  )

describe("StorageEmbedded", () => {
  it.live("keeps a directory over layers, every file of it inside; an update and a delete leave no files", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const layer = StorageEmbedded.layer({ directory, bucket: "media", buckets: ["other"] })
      const keys = ["/etc/passwd", "x", "x/y", "X", "C:\\x", "ä".repeat(512), "~/.ssh", "a//b"]
      yield* Effect.gen(function* () {
        const storage = yield* Storage
        for (const key of keys) yield* storage.putObject({ key, body: key })
        yield* storage.putObject({ key: "x", bucket: "other", body: "other" })
        yield* storage.putObject({ key: "x", body: "x" })
      }).pipe(Effect.provide(layer))
      assert.strictEqual((yield* files(directory)).length, 2 * (keys.length + 1))
      yield* Effect.gen(function* () {
        const storage = yield* Storage
        for (const key of keys) {
          const found = yield* storage.getObject({ key })
          assert.strictEqual(yield* readText(Option.getOrThrow(found)), key)
        }
        const listed = yield* Stream.runCollect(storage.listObjects({}))
        assert.deepStrictEqual(
          listed.map((entry) => (entry._tag === "Object" ? entry.key : "")),
          keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
        )
        yield* storage.deleteObjects({ keys })
        yield* storage.deleteObject({ key: "x", bucket: "other" })
      }).pipe(Effect.scoped, Effect.provide(layer))
      assert.strictEqual((yield* files(directory)).length, 0)
    }).pipe(Effect.scoped)
  )

  it.live("a temporary directory goes with the layer, and so does the server of the presigned URLs", () =>
    Effect.gen(function* () {
      const url = yield* Effect.gen(function* () {
        const storage = yield* Storage
        yield* storage.putObject({ key: "x", body: "0123456789" })
        const { url } = yield* storage.createPresignedUrl({ key: "x" })
        const part = yield* Effect.promise(() =>
          fetch(url, { headers: { range: "bytes=-3" } }).then(async (r) => [r.status, await r.text()])
        )
        assert.deepStrictEqual(part, [206, "789"])
        return url
      }).pipe(Effect.provide(StorageEmbedded.layer()))
      const after = yield* Effect.exit(Effect.tryPromise(() => fetch(url)))
      assert.strictEqual(after._tag, "Failure")
    })
  )

  it.effect("a presigned URL ends by the layer's clock", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      yield* storage.putObject({ key: "x", body: "x" })
      const { url } = yield* storage.createPresignedUrl({ key: "x", expiresIn: "1 minute" })
      const status = Effect.promise(() => fetch(url).then((response) => response.text().then(() => response.status)))
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(yield* status, 200)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* status, 403)
    }).pipe(Effect.provide(StorageEmbedded.layer()))
  )

  it.live("of two writers under a condition one wins; readers go on with what they opened", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const writers = Array.from({ length: 8 }, (_, i) =>
        Effect.exit(storage.putObject({ key: "k", body: `${i}`, ifNoneMatch: "*" }))
      )
      const exits = yield* Effect.all(writers, { concurrency: "unbounded" })
      assert.strictEqual(exits.filter(Exit.isSuccess).length, 1)
      yield* storage.putObject({ key: "k", body: "before" })
      const opened = Option.getOrThrow(yield* storage.getObject({ key: "k" }))
      yield* storage.putObject({ key: "k", body: "after" })
      assert.strictEqual(yield* readText(opened), "before")
    }).pipe(Effect.scoped, Effect.provide(StorageEmbedded.layer()))
  )

  it.live(
    "a write that is interrupted or fails leaves no file; a slow source is asked for no more than is written",
    () =>
      Effect.gen(function* () {
        const directory = yield* folder
        yield* Effect.gen(function* () {
          const storage = yield* Storage
          let asked = 0
          const body = Stream.concat(
            Stream.tap(generated(4, 1024), () => Effect.sync(() => asked++)),
            Stream.never
          )
          const writing = yield* Effect.forkChild(storage.putObject({ key: "k", body }))
          yield* TestTelemetry.eventually(
            Effect.sync(() => assert.strictEqual(asked, 4)),
            { yields: 100_000 }
          )
          yield* Fiber.interrupt(writing)
          yield* Effect.exit(storage.putObject({ key: "k", body: Stream.fail("gone") }))
          assert.deepStrictEqual(yield* files(directory), [])
          yield* TestTelemetry.expectSpan("s3.put_object", {
            status: "unset",
            attributes: { "effect.fiber.interrupted": true, "error.type": undefined }
          })
        }).pipe(Effect.provide([StorageEmbedded.layer({ directory }), TestTelemetry.layer()]))
      }).pipe(Effect.scoped)
  )

  it.live("what a stream gives is written before more of it is taken", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const chunk = 64 * 1024
      const behind: Array<number> = []
      let made = 0
      const body = Stream.mapEffect(Stream.range(1, 50), () =>
        Effect.promise(async () => {
          const [name] = await fs.readdir(join(directory, "data"))
          behind.push(made++ * chunk - (await fs.stat(join(directory, "data", name!))).size)
          return new Uint8Array(chunk)
        })
      )
      yield* Effect.flatMap(Storage, (storage) => storage.putObject({ key: "k", body })).pipe(
        Effect.provide(StorageEmbedded.layer({ directory }))
      )
      assert.deepStrictEqual(
        behind,
        Array.from({ length: 50 }, () => 0)
      )
    }).pipe(Effect.scoped)
  )

  it.effect("a body that is not read within the deadline fails, and its span with it", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      yield* storage.putObject({ key: "k", body: "x".repeat(10) })
      const object = Option.getOrThrow(yield* storage.getObject({ key: "k" }))
      yield* TestClock.adjust("11 seconds")
      yield* TestTelemetry.expectSpan("s3.get_object", {
        status: "error",
        attributes: { "error.type": "Timeout", "external.error.retryable": true },
        duration: "10 seconds"
      })
      const failure = yield* Effect.flip(readText(object))
      assert.deepStrictEqual([failure._tag, failure.reason._tag], ["StorageError", "Timeout"])
    }).pipe(Effect.scoped, Effect.provide([StorageEmbedded.layer({ deadline: "10 seconds" }), TestTelemetry.layer()]))
  )

  it.live("a directory that cannot be used is named", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const exit = yield* Effect.exit(
        Layer.buildWithScope(StorageEmbedded.layer({ directory: "/dev/null/objects" }), scope)
      )
      assert.include(String(exit), "/dev/null/objects")
    })
  )
})
