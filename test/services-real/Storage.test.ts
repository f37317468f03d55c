import { CreateBucketCommand, ListMultipartUploadsCommand, ListPartsCommand, S3Client } from "@aws-sdk/client-s3"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { randomUUID } from "node:crypto"
import { inspect } from "node:util"
import { readBytes, Storage } from "../../src/services/Storage/Storage.ts"
import * as StorageLive from "../../src/services/Storage/StorageLive.ts"
import * as TestTelemetry from "../../src/testing/TestTelemetry.ts"
import { storageSuite } from "../services/Storage/suite.ts"
import { generated } from "../services/Storage/suiteBodies.ts"
import { realServer } from "./support.ts"

realServer(
  "TEST_S3_ENDPOINT",
  "TEST_S3_ACCESS_KEY",
  "TEST_S3_SECRET_KEY"
)("versitygw", (environment) => {
  const run = randomUUID().slice(0, 8)
  const bucket = `storage-${run}`
  const credentials = { accessKeyId: environment.TEST_S3_ACCESS_KEY, secretAccessKey: environment.TEST_S3_SECRET_KEY }
  const options = { endpoint: environment.TEST_S3_ENDPOINT, bucket, credentials, region: "us-east-1" }
  const client = new S3Client({ ...options, forcePathStyle: true })

  beforeAll(async () => {
    await client.send(new CreateBucketCommand({ Bucket: bucket }))
    return () => client.destroy()
  })

  storageSuite("StorageLive", {
    layer: StorageLive.layer(options),
    bucket,
    unique: (key) => key,
    attempts: (...methods) =>
      methods.map((name) => ({
        name,
        kind: "client",
        status: "unset",
        attributes: {
          "http.request.method": name,
          "http.response.status_code": (status: number) => status < 300,
          "server.address": "127.0.0.1",
          "url.full": (url: string) => url.startsWith(`${environment.TEST_S3_ENDPOINT}/${bucket}`)
        },
        children: []
      }))
  })

  describe("StorageLive", () => {
    const unfinished = Effect.promise(async () => {
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
      return Uploads.length
    })

    it.live("a stream goes in parts, each an attempt; its checksum is validated when it is read", () =>
      Effect.gen(function* () {
        const storage = yield* Storage
        const mebibyte = 1024 * 1024
        yield* storage.putObject({ key: "parts", body: generated(11, mebibyte), ifNoneMatch: "*" })
        const { attributes, children } = yield* TestTelemetry.expectSpan("s3.put_object", { status: "unset" })
        assert.deepStrictEqual(children.map(({ name }) => name).toSorted(), ["POST", "POST", "PUT", "PUT", "PUT"])
        assert.strictEqual(attributes["s3.size_bytes"], 11 * mebibyte)
        const found = yield* storage.getObject({ key: "parts" })
        assert.strictEqual((yield* readBytes(Option.getOrThrow(found))).byteLength, 11 * mebibyte)
        assert.strictEqual(yield* unfinished, 0)
      }).pipe(Effect.scoped, Effect.provide([StorageLive.layer(options), TestTelemetry.layer()]))
    )

    it.live("an upload that fails or is interrupted leaves no parts", () =>
      Effect.gen(function* () {
        const storage = yield* Storage
        const body = generated(7, 1024 * 1024)
        yield* Effect.flip(storage.putObject({ key: "failed", body: Stream.concat(body, Stream.fail("gone")) }))
        assert.strictEqual(yield* unfinished, 0)
        const writing = yield* Effect.forkChild(
          storage.putObject({ key: "interrupted", body: Stream.concat(body, Stream.never) })
        )
        // Until a part is stored.
        yield* Effect.promise(async () => {
          for (let parts = 0; parts === 0;) {
            const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
            for (const { Key, UploadId } of Uploads) {
              const { Parts = [] } = await client.send(new ListPartsCommand({ Bucket: bucket, Key, UploadId }))
              parts += Parts.length
            }
          }
        })
        yield* Fiber.interrupt(writing)
      }).pipe(
        Effect.provide([StorageLive.layer(options), TestTelemetry.layer()]),
        // The layer has waited for the removal.
        Effect.andThen(unfinished),
        Effect.map((left) => assert.strictEqual(left, 0))
      )
    )

    it.live("wrong keys are Unauthorized, and nothing shows them", () =>
      Effect.gen(function* () {
        const storage = yield* Storage
        const failure = yield* Effect.flip(storage.putObject({ key: "x", body: "x" }))
        assert.strictEqual(failure.reason._tag, "Unauthorized")
        assert.strictEqual(failure.reason.code, "SignatureDoesNotMatch")
        const { attributes, events } = yield* TestTelemetry.expectSpan("s3.put_object", { status: "error" })
        const shown = inspect([attributes, events, failure], { depth: 12, showHidden: true })
        assert.notInclude(shown, "wrong-secret")
        assert.notInclude(shown, credentials.accessKeyId)
      }).pipe(
        Effect.provide([
          StorageLive.layer({ ...options, credentials: { ...credentials, secretAccessKey: "wrong-secret" } }),
          TestTelemetry.layer()
        ])
      )
    )
  })
})
