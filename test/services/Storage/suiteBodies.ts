import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { readText, Storage, type StoredObject } from "../../../src/services/Storage/Storage.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"

/** A test of the layer at hand. */
export type Test = (
  title: string,
  body: Effect.Effect<void, unknown, Storage | TestTelemetry.TestTelemetry | Scope.Scope>
) => ReturnType<typeof it.live>

/** An object that has to be there. */
export const get = (key: string, range?: { readonly start: number; readonly end?: number }) =>
  Effect.gen(function* () {
    const storage = yield* Storage
    const found = yield* storage.getObject({ key, range })
    assert(Option.isSome(found), `there is no ${key}`)
    return found.value
  })

/** Bytes that are different at every place, made one chunk at a time (`Stream.map` would make them all at once). */
export const generated = (chunks: number, chunkSize: number) =>
  Stream.mapEffect(Stream.range(0, chunks - 1), (index) =>
    Effect.sync(() => new Uint8Array(chunkSize).fill(index % 251))
  )

/** What every layer must do with bodies. */
export const bodySuite = (test: Test, unique: (key: string) => string) => {
  test(
    "a body belongs to its operation: the span ends when it has been read, or when the scope closes",
    Effect.gen(function* () {
      const storage = yield* Storage
      const key = unique("scoped")
      yield* storage.putObject({ key, body: "x".repeat(1000) })
      yield* TestTelemetry.clear
      const collector = yield* TestTelemetry.TestTelemetry
      const object = yield* get(key)
      assert.deepStrictEqual(collector.open(), ["s3.get_object"])
      assert.strictEqual((yield* readText(object)).length, 1000)
      assert.deepStrictEqual(collector.open(), [])
      const twice = yield* Effect.flip(readText(object))
      assert.deepStrictEqual([twice.operation, twice.reason._tag], ["get_object", "InvalidRequest"])

      const scope = yield* Scope.make()
      yield* Scope.provide(get(key), scope)
      assert.deepStrictEqual(collector.open(), ["s3.get_object"])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(collector.open(), [])

      const part = yield* get(key)
      assert.strictEqual((yield* Stream.runCollect(Stream.take(part.body, 1))).length, 1)
      assert.deepStrictEqual(collector.open(), [])
    })
  )

  test(
    "an upload whose body fails leaves nothing behind",
    Effect.gen(function* () {
      const storage = yield* Storage
      const key = unique("broken")
      for (const chunks of [1, 12]) {
        const body = Stream.concat(generated(chunks, 1024 * 1024), Stream.fail("the disk is gone"))
        const failure = yield* Effect.flip(storage.putObject({ key, body }))
        assert.strictEqual(failure.reason._tag, "InvalidRequest")
        assert.deepStrictEqual(yield* storage.headObject({ key }), Option.none())
      }
    })
  )

  test(
    "an object of 24 MiB passes through in chunks: made as it is sent, read as it arrives",
    Effect.gen(function* () {
      const storage = yield* Storage
      const key = unique("large")
      const chunk = 256 * 1024
      const chunks = 96
      let made = 0
      let most = 0
      const body = generated(chunks, chunk).pipe(
        Stream.tap(() =>
          Effect.sync(() => {
            made++
          })
        )
      )
      const put = yield* storage.putObject({ key, body, contentType: "audio/wav" })
      assert.deepStrictEqual([put.size, made], [chunk * chunks, chunks])
      const object: StoredObject = yield* get(key)
      let size = 0
      let wrong = 0
      yield* Stream.runForEach(object.body, (bytes) =>
        Effect.sync(() => {
          most = Math.max(most, bytes.byteLength)
          if (bytes[0] !== Math.floor(size / chunk) % 251) wrong++
          size += bytes.byteLength
        })
      )
      assert.deepStrictEqual([size, wrong], [chunk * chunks, 0])
      assert(most <= 1024 * 1024, `a chunk of ${most} bytes`)
      yield* TestTelemetry.expectSpan("s3.put_object", { attributes: { "s3.size_bytes": chunk * chunks } })
      yield* storage.deleteObject({ key })
    })
  )
}
