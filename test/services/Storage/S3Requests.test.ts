import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { inspect } from "node:util"
import { Storage } from "../../../src/services/Storage/Storage.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"
import {
  begun,
  type S3Server,
  closed,
  get,
  never,
  ok,
  operations,
  put,
  requests,
  reset,
  stored,
  withServer
} from "./s3Server.ts"

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

  it.live(
    "an answer that begins and does not end: ends at the limit of an attempt, also where an upload is answered",
    () =>
      withServer(begun, { timeout: "100 millis", retry: { attempts: 1 } }, (server) =>
        Effect.gen(function* () {
          for (const operation of [put, operations.putStream, operations.delete, operations.copy]) {
            assert.strictEqual((yield* Effect.flip(operation)).reason._tag, "Timeout")
            yield* closed(server)
          }
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

  it.live("each request carries its own span; the trace is no part of what is signed", () =>
    withServer(stored("x"), {}, (server) =>
      Effect.gen(function* () {
        yield* operations.put
        yield* operations.head
        const [put, head] = server.got
        for (const [name, { headers, method }] of [
          ["s3.put_object", put!],
          ["s3.head_object", head!]
        ] as const) {
          const { attributes, children, data } = yield* TestTelemetry.expectSpan(name)
          assert.strictEqual(headers["traceparent"]?.slice(0, -3), `00-${data.traceId}-${children[0]!.data.spanId}`)
          const signed = /SignedHeaders=([^,]+)/.exec(headers.authorization!)![1]!
          assert.include(signed, "host")
          assert.notInclude(signed, "traceparent")
          assert.strictEqual(children[0]!.name, method)
          assert.strictEqual(attributes["aws.request_id"], "TX4F9")
          const shown = inspect(children, { depth: 12 })
          for (const secret of ["the-session-token", "the-secret-key", "Signature="]) assert.notInclude(shown, secret)
        }
      })
    )
  )
})
