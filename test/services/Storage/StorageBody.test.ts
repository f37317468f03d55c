import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { readText, type StoredObject } from "../../../src/services/Storage/Storage.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"
import { checksum, closed, get, head, until, withServer } from "./s3Server.ts"

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
