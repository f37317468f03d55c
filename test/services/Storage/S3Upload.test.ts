import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { readBytes, Storage } from "../../../src/services/Storage/Storage.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"
import {
  type Answer,
  type S3Server,
  errorXml,
  get,
  head,
  inTurn,
  never,
  ok,
  requests,
  until,
  withServer,
  xml
} from "./s3Server.ts"
import { generated } from "./suiteBodies.ts"

describe("StorageLive: uploads of streams", () => {
  const mebibyte = 1024 * 1024
  const part =
    (answer: Answer): Answer =>
    (response, request, index) => {
      const url = new URL(request.url!, "http://s3")
      if (request.method === "POST" && url.searchParams.has("uploads")) {
        return xml(200, "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>")(
          response,
          request,
          index
        )
      }
      if (request.method === "DELETE") return void (request.resume(), response.writeHead(204).end())
      return answer(response, request, index)
    }
  const methods = (server: S3Server) => server.got.map(({ method }) => method)

  it.live("takes no more of its source than the parts that are on their way", () => {
    let made = 0
    const body = Stream.tap(generated(256, mebibyte), () => Effect.sync(() => made++))
    return withServer(part(never), { upload: { concurrency: 2 } }, (server) =>
      Effect.gen(function* () {
        const storage = yield* Storage
        const writing = yield* Effect.forkChild(storage.putObject({ key: "k", body }))
        yield* requests(server, 3)
        for (let i = 0; i < 200; i++) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        // Two parts of 5 MiB, one that is being gathered, and what a chunk goes beyond it.
        assert(made <= 17, `${made} MiB were taken`)
        yield* Fiber.interrupt(writing)
        // The parts that hang are given up at once, and what was stored of them is removed.
        yield* requests(server, 4)
        assert.deepStrictEqual(methods(server), ["POST", "PUT", "PUT", "DELETE"])
        yield* TestTelemetry.expectSpan("s3.put_object", {
          status: "unset",
          attributes: { "effect.fiber.interrupted": true }
        })
      })
    )
  })

  it.live("a part that is refused ends it; the others are removed, nothing is repeated", () =>
    withServer(
      part(xml(503, errorXml("SlowDown", "Please reduce your request rate."))),
      { upload: { concurrency: 1 } },
      (server) =>
        Effect.gen(function* () {
          const storage = yield* Storage
          const failure = yield* Effect.flip(storage.putObject({ key: "k", body: generated(12, mebibyte) }))
          assert.strictEqual(failure.reason._tag, "RateLimited")
          assert.deepStrictEqual(methods(server), ["POST", "PUT", "DELETE"])
          yield* TestTelemetry.expectSpan("s3.put_object", {
            status: "error",
            attributes: { "error.type": "RateLimited", "external.retry_count": undefined }
          })
        })
    )
  )

  for (const [title, answer] of [
    ["200 with an error inside", xml(200, errorXml("InternalError", "We encountered an internal error."))],
    ["200 and nothing", xml(200, "")]
  ] as const) {
    it.live(`the end of an upload: ${title}`, () =>
      withServer(
        part((response, request, index) => (request.method === "PUT" ? ok : answer)(response, request, index)),
        { upload: { concurrency: 1 } },
        (server) =>
          Effect.gen(function* () {
            const storage = yield* Storage
            const failure = yield* Effect.flip(storage.putObject({ key: "k", body: generated(6, mebibyte) }))
            assert.deepStrictEqual([failure.reason._tag, failure.isRetryable], ["Unavailable", true])
            assert.deepStrictEqual(methods(server), ["POST", "PUT", "PUT", "POST", "DELETE"])
          })
      )
    )
  }

  it.live("a removal that fails does not hide why the upload failed", () =>
    withServer(
      inTurn(
        xml(200, "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"),
        xml(403, errorXml("AccessDenied", "Access Denied")),
        xml(500, errorXml("InternalError", "We encountered an internal error."))
      ),
      { upload: { concurrency: 1 } },
      () =>
        Effect.gen(function* () {
          const storage = yield* Storage
          const failure = yield* Effect.flip(storage.putObject({ key: "k", body: generated(6, mebibyte) }))
          assert.strictEqual(failure.reason._tag, "Unauthorized")
        })
    )
  )

  it.live("a part that hangs ends at the limit of a request", () =>
    withServer(part(never), { timeout: "500 millis", upload: { concurrency: 1 } }, (server) =>
      Effect.gen(function* () {
        const storage = yield* Storage
        const failure = yield* Effect.flip(storage.putObject({ key: "k", body: generated(6, mebibyte) }))
        assert.strictEqual(failure.reason._tag, "Timeout")
        assert.deepStrictEqual(methods(server), ["POST", "PUT", "DELETE"])
      })
    )
  )

  it.live("a defect of the source stays a defect", () =>
    withServer(part(ok), {}, () =>
      Effect.gen(function* () {
        const storage = yield* Storage
        const exit = yield* Effect.exit(storage.putObject({ key: "k", body: Stream.die(new Error("a bug")) }))
        assert(Exit.isFailure(exit) && exit.cause.reasons[0]!._tag === "Die")
      })
    )
  )

  it.live("a source that waits is released when the upload is interrupted", () => {
    let taken = 0
    let released = 0
    const body = Stream.make(Buffer.from("x")).pipe(
      Stream.tap(() => Effect.sync(() => taken++)),
      Stream.concat(Stream.never),
      Stream.ensuring(Effect.sync(() => released++))
    )
    return withServer(part(ok), {}, () =>
      Effect.gen(function* () {
        const storage = yield* Storage
        const writing = yield* Effect.forkChild(storage.putObject({ key: "k", body }))
        yield* until(() => taken > 0)
        yield* Fiber.interrupt(writing)
        yield* until(() => released > 0)
        assert.strictEqual(released, 1)
      })
    )
  })

  it.live("what is read from an object may be the body of another", () =>
    withServer(
      (response, request, index) =>
        request.method === "GET" ? void head(response, 5).end("hello") : ok(response, request, index),
      {},
      () =>
        Effect.gen(function* () {
          const storage = yield* Storage
          const object = yield* get
          assert.deepStrictEqual(yield* storage.putObject({ key: "copy", body: object.body }), { etag: "e1", size: 5 })
          assert.strictEqual((yield* readBytes(yield* get)).byteLength, 5)
        })
    )
  )
})
