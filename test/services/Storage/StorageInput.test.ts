import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { readText, Storage } from "../../../src/services/Storage/Storage.ts"
import * as StorageEmbedded from "../../../src/services/Storage/StorageEmbedded.ts"
import * as StorageInput from "../../../src/services/Storage/StorageInput.ts"

const runs = { arbitrary: { runs: 60 } }
const parts = [
  "a",
  "..",
  ".",
  "",
  "%2e%2e",
  "ä",
  "\u{1f600}",
  "\u0000",
  "\n",
  "?",
  "#",
  "+",
  " ",
  "&",
  "\\",
  "*",
  "a".repeat(600)
]
const Key = Schema.Array(Schema.Literals(parts)).check(Schema.isMaxLength(4))

describe("StorageInput", () => {
  it.effect.prop(
    "a key is refused, or names one object: stored, listed, read, linked to",
    { segments: Key, text: Schema.String },
    ({ segments, text }) =>
      Effect.gen(function* () {
        const key = segments.join("/")
        const accepted = Result.isSuccess(yield* Effect.result(StorageInput.key({ key })))
        const odd = segments.some((part) => part === "." || part === ".." || part === "\u0000" || part === "\n")
        assert.strictEqual(accepted, key !== "" && Buffer.byteLength(key) <= 1024 && !odd)
        const storage = yield* Storage
        if (!accepted) {
          assert.strictEqual((yield* Effect.flip(storage.putObject({ key, body: text }))).reason._tag, "InvalidRequest")
          return
        }
        yield* storage.putObject({ key, body: text })
        const object = Option.getOrThrow(yield* storage.getObject({ key }))
        assert.strictEqual(yield* readText(object), text.toWellFormed())
        const listed = yield* Stream.runCollect(storage.listObjects({}))
        assert.deepStrictEqual(
          listed.map((entry) => (entry._tag === "Object" ? entry.key : "")),
          [key]
        )
        const { url } = yield* storage.createPresignedUrl({ key })
        const read = yield* Effect.promise(() => fetch(url).then((response) => response.text()))
        assert.strictEqual(read, text.toWellFormed().replace(/^\ufeff/, ""))
        yield* storage.deleteObject({ key })
      }).pipe(Effect.scoped, Effect.provide(StorageEmbedded.layer())),
    runs
  )

  it.prop("the order of keys is that of their bytes", { a: Schema.String, b: Schema.String }, ({ a, b }) => {
    assert.strictEqual(Math.sign(StorageInput.byUtf8(a, b)), -Math.sign(StorageInput.byUtf8(b, a)))
    assert.isBelow(StorageInput.byUtf8("\uffff", "\u{10000}"), 0)
  })
})
