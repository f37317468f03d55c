import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { inspect } from "node:util"
import { readText, Storage } from "../../../src/services/Storage/Storage.ts"
import * as StorageLive from "../../../src/services/Storage/StorageLive.ts"
import { operations, stored, withServer } from "./s3Server.ts"

describe("StorageLive: its settings", () => {
  const built = (environment: Record<string, string>, options: Partial<StorageLive.S3Options> = {}) =>
    Effect.exit(
      Effect.scoped(Layer.build(StorageLive.layerConfig(options))).pipe(
        Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(environment))
      )
    )
  const good = {
    S3_BUCKET: "media",
    S3_ENDPOINT: "http://127.0.0.1:1",
    AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
    AWS_SECRET_ACCESS_KEY: "hunter2/+"
  }
  const { S3_BUCKET: _, ...withoutBucket } = good
  const { AWS_SECRET_ACCESS_KEY: __, ...withoutSecret } = good
  const { AWS_ACCESS_KEY_ID: ___, ...withoutId } = good
  const { S3_ENDPOINT: ____, ...withoutEndpoint } = good
  const cases: ReadonlyArray<readonly [Record<string, string>, message: string]> = [
    [withoutBucket, "S3_BUCKET is not set"],
    [{ ...good, S3_BUCKET: "../etc" }, 'S3_BUCKET: "../etc" is not the name of a bucket'],
    [
      { ...good, S3_ENDPOINT: "localhost:9000" },
      "S3_ENDPOINT: the scheme localhost: is not accepted; expected http://host:port"
    ],
    [{ ...good, S3_ENDPOINT: "nothing" }, "S3_ENDPOINT: not a URL"],
    [{ ...good, S3_ENDPOINT: "https://user:hunter2@s3.example" }, "S3_ENDPOINT: credentials"],
    [withoutEndpoint, "AWS_REGION is not set"],
    [{ ...good, AWS_REGION: "Frankfurt am Main" }, 'AWS_REGION: "Frankfurt am Main" is not a region'],
    [withoutSecret, "AWS_SECRET_ACCESS_KEY is not set, but AWS_ACCESS_KEY_ID is"],
    [withoutId, "AWS_ACCESS_KEY_ID is not set, but AWS_SECRET_ACCESS_KEY is"],
    [{ ...good, AWS_SECRET_ACCESS_KEY: "hunter2\n" }, "AWS_SECRET_ACCESS_KEY has white space"],
    [{ ...good, AWS_SESSION_TOKEN: "hunter2 token" }, "AWS_SESSION_TOKEN has white space"],
    [{ ...good, S3_FORCE_PATH_STYLE: "perhaps" }, "S3_FORCE_PATH_STYLE"]
  ]
  for (const [environment, message] of cases) {
    it.effect(message, () =>
      Effect.gen(function* () {
        const exit = yield* built(environment)
        assert.strictEqual(exit._tag, "Failure")
        assert.include(inspect(exit, { depth: 12 }), message)
        assert.notInclude(inspect(exit, { depth: 12, showHidden: true }), "hunter2")
      })
    )
  }

  it.effect("a good environment builds; options win; parts have a least size", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* built(good))._tag, "Success")
      assert.strictEqual((yield* built(withoutBucket, { bucket: "media" }))._tag, "Success")
      const small = yield* built(good, { upload: { partSize: 1024 } })
      assert.include(inspect(small, { depth: 12 }), "upload.partSize: 1024 is not accepted")
    })
  )

  it.live("a session token is sent, presigned URLs have bucket and key, in the path or in the host", () =>
    Effect.gen(function* () {
      const url = (forcePathStyle: boolean | undefined) =>
        Effect.flatMap(Storage, (storage) => storage.createPresignedUrl({ key: "a b/ü", method: "PUT" })).pipe(
          Effect.provide(
            StorageLive.layer({
              bucket: "media",
              region: "eu-central-1",
              forcePathStyle,
              credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret", sessionToken: "token" }
            })
          ),
          Effect.map((presigned) => new URL(presigned.url))
        )
      const inHost = yield* url(undefined)
      assert.strictEqual(inHost.origin + inHost.pathname, "https://media.s3.eu-central-1.amazonaws.com/a%20b/%C3%BC")
      assert.strictEqual(inHost.searchParams.get("X-Amz-Security-Token"), "token")
      assert.strictEqual(inHost.searchParams.get("X-Amz-Expires"), "900")
      assert.deepStrictEqual(
        [...inHost.searchParams.keys()].filter((name) => /checksum/i.test(name)),
        []
      )
      const inPath = yield* url(true)
      assert.strictEqual(inPath.origin + inPath.pathname, "https://s3.eu-central-1.amazonaws.com/media/a%20b/%C3%BC")
    })
  )

  it.live("what was stored is read back from a plain server", () =>
    withServer(stored("hello", { "x-amz-meta-title": "A" }), {}, () =>
      Effect.gen(function* () {
        const object = Option.getOrThrow(yield* operations.get)
        assert.deepStrictEqual(
          [object.contentType, object.metadata, yield* readText(object)],
          ["text/plain", { title: "A" }, "hello"]
        )
      })
    )
  )
})
