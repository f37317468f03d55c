import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { ServerResponse } from "node:http"
import { crc32 } from "node:zlib"
import { readBytes, readText, Storage, type StoredObject } from "../../../src/services/Storage/Storage.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"
import { type Answer, errorXml, inTurn, type S3Server, withServer, xml } from "./s3Server.ts"
import { generated } from "./suite.ts"

const never: Answer = (_, request) => void request.resume()
const reset: Answer = (_, request) => void request.socket.destroy()
const ok: Answer = (response, request) => {
  request.resume()
  request.on("end", () => response.writeHead(200, { etag: '"e1"' }).end())
}

const head = (response: ServerResponse, length: number, headers: Record<string, string> = {}) =>
  response.writeHead(200, {
    etag: '"e1"',
    "last-modified": "Wed, 12 Oct 2022 17:50:00 GMT",
    "content-type": "text/plain",
    "content-length": length,
    ...headers
  })

const checksum = (body: string) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(crc32(body))
  return { "x-amz-checksum-crc32": bytes.toString("base64") }
}

const get = Effect.flatMap(Storage, (storage) => Effect.map(storage.getObject({ key: "k" }), Option.getOrThrow))
const put = Effect.flatMap(Storage, (storage) => storage.putObject({ key: "k", body: "x" }))

/** Waits until something is so. */
const until = (isSo: () => boolean) =>
  Effect.promise(async () => {
    while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 1))
  })

/** Waits for a number of requests. */
const requests = (server: S3Server, count: number) => until(() => server.got.length >= count)

/** Fails where a connection stays open: what is asserted is that it closes, not how fast a machine is. */
const closed = (server: S3Server) => Effect.timeout(server.allClosed, "5 seconds")

describe("StorageLive: what happens to connections", () => {
  it.live("a server that does not answer: each attempt ends at its limit, and its connection with it", () =>
    withServer(never, { timeout: "30 millis", retry: { attempts: 2, baseDelay: "1 millis" } }, (server) =>
      Effect.gen(function* () {
        for (const [name, operation] of [
          ["s3.get_object", get],
          ["s3.put_object", put]
        ] as const) {
          const failure = yield* Effect.flip(operation)
          assert.strictEqual(failure.reason._tag, "Timeout")
          yield* TestTelemetry.expectSpan(name, {
            status: "error",
            attributes: { "error.type": "Timeout", "external.retry_count": 1 }
          })
        }
        yield* closed(server)
      })
    )
  )

  it.live("an operation ends at its deadline, whatever its attempts may take", () =>
    withServer(never, { deadline: "40 millis" }, (server) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* Effect.flip(get)).reason._tag, "Timeout")
        assert.strictEqual((yield* Effect.flip(put)).reason._tag, "Timeout")
        yield* closed(server)
      })
    )
  )

  it.live("an interruption ends the request and its connection: interrupted, not failed", () =>
    withServer(never, {}, (server) =>
      Effect.gen(function* () {
        const running = [get, put, Effect.flatMap(Storage, (storage) => Stream.runDrain(storage.listObjects({})))]
        for (const [index, operation] of running.entries()) {
          const fiber = yield* Effect.forkChild(operation)
          yield* requests(server, index + 1)
          yield* Fiber.interrupt(fiber)
          yield* closed(server)
        }
        for (const name of ["s3.get_object", "s3.put_object"]) {
          yield* TestTelemetry.expectSpan(name, {
            status: "unset",
            attributes: { "effect.fiber.interrupted": true, "error.type": undefined },
            children: [{ status: "unset", attributes: { "effect.fiber.interrupted": true } }]
          })
        }
      })
    )
  )

  it.live("a connection that is reset: what may be repeated is, what may have acted is not", () =>
    withServer(reset, { circuit: false }, (server) =>
      Effect.gen(function* () {
        const storage = yield* Storage
        const failure = yield* Effect.flip(get)
        assert.deepStrictEqual(
          [failure.reason._tag, failure.reason.code, server.got.length],
          ["Unavailable", "ECONNRESET", 3]
        )
        yield* Effect.flip(storage.putObject({ key: "k", body: "x", ifNoneMatch: "*" }))
        assert.strictEqual(server.got.length, 4)
        yield* Effect.flip(storage.putObject({ key: "k", body: Stream.make(Buffer.from("x")) }))
        assert.strictEqual(server.got.length, 5)
        yield* TestTelemetry.expectSpan("GET", {
          status: "error",
          attributes: { "http.response.status_code": undefined }
        })
      })
    )
  )

  it.live("a server that is not there: the application starts, and its circuit opens", () =>
    withServer(never, { endpoint: "http://127.0.0.1:1", retry: { attempts: 1 } }, () =>
      Effect.gen(function* () {
        const failure = yield* Effect.flip(put)
        assert.deepStrictEqual([failure.reason._tag, failure.reason.code], ["Unavailable", "ECONNREFUSED"])
        assert.isFalse(failure.reason.mayHaveActed)
        for (let i = 0; i < 4; i++) yield* Effect.flip(put)
        assert.strictEqual((yield* Effect.flip(put)).reason._tag, "CircuitOpen")
      })
    )
  )

  it.live("a layer that closes leaves no connection", () =>
    Effect.gen(function* () {
      let server: S3Server | undefined
      yield* withServer(ok, {}, (started) =>
        Effect.gen(function* () {
          server = started
          yield* put
          assert.strictEqual(started.open(), 1)
        })
      )
      yield* closed(server!)
    })
  )
})

describe("StorageLive: what happens to bodies", () => {
  const broken: ReadonlyArray<readonly [title: string, headers: Record<string, string>]> = [
    ["a body that is cut off", {}],
    ["a body with a checksum that is cut off", checksum("x".repeat(100))]
  ]
  for (const [title, headers] of broken) {
    it.live(title, () =>
      withServer(
        (response) => {
          head(response, 100, headers).write("x".repeat(50))
          setImmediate(() => response.destroy())
        },
        {},
        (server) =>
          Effect.gen(function* () {
            const object = yield* get
            const failure = yield* Effect.flip(readText(object))
            assert.deepStrictEqual(
              [failure._tag, failure.operation, failure.reason._tag],
              ["StorageError", "get_object", "Unavailable"]
            )
            assert.strictEqual(server.got.length, 1)
            yield* TestTelemetry.expectSpan("s3.get_object", {
              status: "error",
              attributes: { "error.type": "Unavailable", "external.error.retryable": true },
              events: ["exception"]
            })
          })
      )
    )
  }

  it.live("a connection that is lost before anybody reads is no uncaught error, and is told to the reader", () =>
    withServer(
      (response) => {
        head(response, 100).write("x")
        setImmediate(() => response.destroy())
      },
      {},
      (server) =>
        Effect.gen(function* () {
          const object = yield* get
          yield* closed(server)
          // Some turns of the loop, in which an error that nobody hears of would end the process.
          for (let i = 0; i < 5; i++) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
          assert.strictEqual((yield* Effect.flip(readText(object))).reason._tag, "Unavailable")
        })
    )
  )

  it.live("a body that is another one than was stored", () =>
    withServer(
      (response) => void head(response, 5, checksum("other")).end("hello"),
      {},
      () =>
        Effect.gen(function* () {
          const failure = yield* Effect.flip(readText(yield* get))
          assert.strictEqual(failure.reason._tag, "Decode")
          yield* TestTelemetry.expectSpan("s3.get_object", { status: "error", attributes: { "error.type": "Decode" } })
        })
    )
  )

  it.live("a body that stops coming ends at the deadline, its reader, its span and its connection", () =>
    withServer(
      (response) => void head(response, 100).write("x"),
      { deadline: "500 millis", retry: { attempts: 1 } },
      (server) =>
        Effect.gen(function* () {
          const failure = yield* Effect.flip(readText(yield* get))
          assert.strictEqual(failure.reason._tag, "Timeout")
          assert.include(failure.message, "500ms")
          yield* closed(server)
          yield* TestTelemetry.expectSpan("s3.get_object", { status: "error", attributes: { "error.type": "Timeout" } })
        })
    )
  )

  it.live("a body that nobody reads ends at the deadline too", () =>
    withServer(
      (response) => void head(response, 100).write("x"),
      { deadline: "500 millis" },
      (server) =>
        Effect.gen(function* () {
          const object = yield* get
          yield* closed(server)
          assert.strictEqual((yield* Effect.flip(readText(object))).reason._tag, "Timeout")
        })
    )
  )

  it.live("a reader that is interrupted releases the connection: interrupted, not failed", () =>
    withServer(
      (response) => void head(response, 100).write("x"),
      {},
      (server) =>
        Effect.gen(function* () {
          const object = yield* get
          let seen = 0
          const reading = yield* Effect.forkChild(Stream.runForEach(object.body, () => Effect.sync(() => seen++)))
          yield* until(() => seen > 0)
          yield* Fiber.interrupt(reading)
          yield* closed(server)
          yield* TestTelemetry.expectSpan("s3.get_object", {
            status: "unset",
            attributes: { "effect.fiber.interrupted": true, "error.type": undefined }
          })
        })
    )
  )

  it.live("a reader that stops, and a scope that closes, release the connection", () =>
    withServer(
      (response) => void head(response, 100).write("x"),
      {},
      (server) =>
        Effect.gen(function* () {
          const some = yield* Stream.runCollect(Stream.take((yield* get).body, 1))
          assert.strictEqual(some.length, 1)
          yield* closed(server)
          yield* Effect.scoped(get)
          yield* closed(server)
        })
    )
  )

  it.live("an object of 64 MiB that is read slowly stays at the server", () => {
    let sent = 0
    const size = 64 * 1024 * 1024
    const chunk = Buffer.alloc(64 * 1024)
    return withServer(
      async (response) => {
        head(response, size)
        while (sent < size && !response.destroyed) {
          sent += chunk.byteLength
          if (!response.write(chunk)) {
            await new Promise<void>((resume) => {
              const go = () => {
                response.off("drain", go).off("close", go)
                resume()
              }
              response.once("drain", go).once("close", go)
            })
          }
        }
        if (sent >= size) response.end()
      },
      {},
      () =>
        Effect.gen(function* () {
          const object: StoredObject = yield* get
          let read = 0
          let most = 0
          yield* Stream.runForEach(object.body, (bytes) =>
            Effect.suspend(() => {
              read += bytes.byteLength
              most = Math.max(most, sent - read)
              return read > size / 2
                ? Effect.fail("enough")
                : Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
            })
          ).pipe(Effect.ignore)
          // What is on its way: the sockets' buffers, whose sizes the system chooses, and a few chunks of ours.
          assert(most < size / 3, `${most} bytes were on their way`)
        })
    )
  })
})

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
