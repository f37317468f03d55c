import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Tag } from "../../../src/operation/Reason.ts"
import { StreamIO } from "../../../src/services/StreamIO/StreamIO.ts"
import * as StreamIOLive from "../../../src/services/StreamIO/StreamIOLive.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"
import { type Answer, answering, hang, inTurn, json, reset, stall, text, truncate, waitUntil } from "../answering.ts"
import { failure } from "./server.ts"
import { quick, reasonOf, secret, test } from "./support.ts"

const feed = json(200, { activities: [] })
const html = "<html><body>Bad Gateway</body></html>"

interface Expected {
  readonly tag: Tag
  readonly retryable: boolean
  readonly message: RegExp
  readonly status?: number
  readonly code?: number
}

describe("StreamIOLive, faults", () => {
  const faults: Readonly<Record<string, readonly [Answer, Expected]>> = {
    "400": [
      json(400, failure(400, 4, "GetOrCreateFeed failed with error: limit")),
      {
        tag: "InvalidRequest",
        retryable: false,
        message: /Stream error code 4: GetOrCreateFeed failed/,
        status: 400,
        code: 4
      }
    ],
    "401": [
      json(401, failure(401, 40, "token is expired")),
      { tag: "Unauthorized", retryable: false, message: /code 40: token is expired/, status: 401, code: 40 }
    ],
    "403": [
      json(403, failure(403, 17, "not allowed")),
      { tag: "Unauthorized", retryable: false, message: /not allowed/, status: 403, code: 17 }
    ],
    "404": [
      json(404, failure(404, 16, "feed not found")),
      { tag: "NotFound", retryable: false, message: /code 16: feed not found/, status: 404, code: 16 }
    ],
    "409": [
      json(409, failure(409, 4, "already there")),
      { tag: "Conflict", retryable: false, message: /already there/, status: 409, code: 4 }
    ],
    "429": [
      json(429, failure(429, 9, "Too many requests"), { "retry-after": "0" }),
      { tag: "RateLimited", retryable: true, message: /code 9: Too many requests/, status: 429, code: 9 }
    ],
    "500": [
      json(500, failure(500, -1, "internal")),
      { tag: "Unavailable", retryable: true, message: /code -1: internal/, status: 500, code: -1 }
    ],
    "502 with HTML": [
      text(502, html),
      {
        tag: "Unavailable",
        retryable: true,
        message: /stream\.io get_feed: Unavailable: Stream answered 502$/,
        status: 502
      }
    ],
    "404 with HTML": [
      text(404, html),
      { tag: "NotFound", retryable: false, message: /Stream answered 404$/, status: 404 }
    ],
    "429 with HTML": [
      text(429, html, { "retry-after": "0" }),
      { tag: "RateLimited", retryable: true, message: /Stream answered 429$/, status: 429 }
    ],
    "503": [text(503, ""), { tag: "Unavailable", retryable: true, message: /Stream answered 503$/, status: 503 }],
    "504": [text(504, ""), { tag: "Timeout", retryable: true, message: /Stream answered 504$/, status: 504 }],
    "a reset": [reset, { tag: "Unavailable", retryable: true, message: /the connection failed/ }],
    "a body that breaks off": [truncate, { tag: "Unavailable", retryable: true, message: /the connection failed/ }],
    "no answer": [hang, { tag: "Timeout", retryable: true, message: /did not answer within 150ms/ }],
    "a body that stalls": [stall, { tag: "Timeout", retryable: true, message: /did not answer within 150ms/ }],
    "no JSON": [text(200, "OK"), { tag: "Decode", retryable: false, message: /something that is no JSON/ }],
    nothing: [text(200, ""), { tag: "Decode", retryable: false, message: /something that is no JSON/ }],
    null: [json(200, null), { tag: "Decode", retryable: false, message: /something/ }],
    "other JSON": [
      json(200, { activities: [{ id: 1 }] }),
      { tag: "Decode", retryable: false, message: /something else than its API says/ }
    ],
    "a time that is none": [
      json(200, { activities: [{ id: "a", type: "t", user: { id: "u" }, created_at: "soon", updated_at: "late" }] }),
      { tag: "Decode", retryable: false, message: /something else/ }
    ]
  }
  for (const [title, [answer, { code, message, retryable, status, tag }]] of Object.entries(faults)) {
    test(
      title,
      answer,
      (stream, { received }) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(stream.getFeed({ userId: "ada" }))
          assert.strictEqual(error._tag, "StreamIOError")
          assert.deepStrictEqual([error.reason._tag, error.isRetryable, error.reason.status], [tag, retryable, status])
          if (status !== undefined) assert.strictEqual(error.reason.code, code)
          assert.match(error.message, message)
          const attempts = retryable ? 2 : 1
          assert.strictEqual(received.length, attempts)
          const trace = yield* TestTelemetry.expectTrace({
            name: "stream.get_feed",
            status: "error",
            attributes: {
              "error.type": tag,
              "external.error.retryable": retryable,
              "external.retry_count": retryable ? 1 : undefined,
              "result.item_count": undefined
            },
            events: retryable
              ? [{ name: "retry", attributes: { "retry.attempt": 1, "error.type": tag } }, "exception"]
              : ["exception"]
          })
          assert.deepStrictEqual<ReadonlyArray<unknown>>(
            trace.children.map(({ attributes, name }) => [name, attributes["http.request.resend_count"]]),
            retryable
              ? [
                  ["POST", undefined],
                  ["POST", 1]
                ]
              : [["POST", undefined]]
          )
          assert.deepStrictEqual(
            received.map(({ headers }) => headers["traceparent"]),
            trace.children.map(({ spanId, traceId }) => `00-${traceId}-${spanId}-03`)
          )
          const spans = yield* TestTelemetry.spans
          const shown = inspect(
            spans.map(({ attributes, events }) => [attributes, events]),
            { depth: 9 }
          )
          assert.notInclude(shown, secret)
          assert.notInclude(shown + String(error), String(received[0]!.headers["authorization"]))
        }),
      { timeout: "150 millis", retry: { attempts: 2, baseDelay: "1 millis" } }
    )
  }

  it.live("refused: not acted, so an activity without an id is repeated too", () =>
    Effect.gen(function* () {
      const baseUrl = yield* Effect.scoped(Effect.map(answering(hang), (server) => server.url))
      const reason = yield* Effect.flatMap(StreamIO, (stream) =>
        reasonOf(stream.createActivity({ userId: "ada", type: "post" }))
      ).pipe(Effect.provide(StreamIOLive.layer({ apiKey: "key", apiSecret: secret, baseUrl, ...quick })))
      assert.deepInclude(reason, { _tag: "Unavailable", mayHaveActed: false, code: "ECONNREFUSED" })
      yield* TestTelemetry.expectTrace({
        name: "stream.create_activity",
        attributes: { "external.retry_count": 2 },
        events: ["retry", "retry", "exception"],
        children: [
          { name: "POST", status: "error" },
          { name: "POST", status: "error" },
          { name: "POST", status: "error", attributes: { "http.request.resend_count": 2 } }
        ]
      })
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )

  test("an activity without an id is not repeated after a reset, one with an id is", reset, (stream, { received }) =>
    Effect.gen(function* () {
      const reason = yield* reasonOf(stream.createActivity({ userId: "ada", type: "post" }))
      assert.deepInclude(reason, { _tag: "Unavailable", mayHaveActed: true })
      assert.strictEqual(received.length, 1)
      yield* reasonOf(stream.createActivity({ id: "p1", userId: "ada", type: "post" }))
      assert.strictEqual(received.length, 4)
    })
  )

  const limited = (headers: Record<string, string>) => json(429, failure(429, 9, "Too many requests"), headers)
  test(
    "429: until the limit is reset, by the server's own clock",
    limited({ "x-ratelimit-reset": "1900000020", date: new Date(1_900_000_000_000).toUTCString() }),
    (stream) =>
      Effect.gen(function* () {
        const reason = yield* reasonOf(stream.getFeed({ userId: "ada" }))
        assert(reason._tag === "RateLimited")
        assert.strictEqual(Duration.toMillis(reason.retryAfter!), 20_000)
      }),
    { retry: { attempts: 1 } }
  )
  test(
    "429 with a reset far away is not waited for; one that is garbage does not matter",
    limited({ "x-ratelimit-reset": "4102444800" }),
    (stream, server) =>
      Effect.gen(function* () {
        assert((yield* reasonOf(stream.getFeed({ userId: "ada" })))._tag === "RateLimited")
        assert.strictEqual(server.received.length, 1)
        server.answer = inTurn(limited({ "x-ratelimit-reset": "soon", "retry-after": "later" }), feed)
        yield* stream.getFeed({ userId: "ada" })
        yield* TestTelemetry.expectSpan("stream.get_feed", {
          status: "unset",
          attributes: { "external.retry_count": 1 },
          events: [{ name: "retry", attributes: { "error.type": "RateLimited", "retry.delay_ms": 1 } }]
        })
      })
  )
  test(
    "429, then an answer: waited for as long as Stream asks",
    inTurn(limited({ "retry-after": "1" }), feed),
    (stream) =>
      Effect.gen(function* () {
        yield* stream.getFeed({ userId: "ada" })
        yield* TestTelemetry.expectSpan("stream.get_feed", {
          events: [{ name: "retry", attributes: { "retry.delay_ms": (delay: number) => delay >= 1000 } }]
        })
      })
  )

  for (const [what, answer] of Object.entries({ "before an answer": hang, "in mid-body": stall })) {
    test(`interruption ${what} reaches Stream within 200 ms`, answer, (stream, server) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(stream.getFeed({ userId: "ada" }))
        yield* waitUntil(() => server.received.length === 1)
        yield* Effect.sleep("20 millis")
        yield* Fiber.interrupt(fiber)
        assert.isBelow(yield* waitUntil(() => server.connections() === 0), 200)
        yield* TestTelemetry.expectTrace({
          name: "stream.get_feed",
          status: "unset",
          attributes: { "effect.fiber.interrupted": true, "error.type": undefined },
          children: [{ name: "POST", status: "unset", attributes: { "effect.fiber.interrupted": true } }]
        })
      })
    )
  }

  test(
    "a deadline closes the connection, and the spans of its attempts",
    hang,
    (stream, server) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* reasonOf(stream.getFeed({ userId: "ada" })))._tag, "Timeout")
        assert.isBelow(yield* waitUntil(() => server.connections() === 0), 200)
        yield* TestTelemetry.expectTrace({
          name: "stream.get_feed",
          status: "error",
          children: [{ name: "POST", attributes: { "effect.fiber.interrupted": true } }]
        })
      }),
    { timeout: "50 millis", retry: { attempts: 1 } }
  )

  test(
    "without a limit of ours a long answer is waited for",
    (_, response) => {
      setTimeout(() => response.end(JSON.stringify({ activities: [] })), 300)
    },
    (stream) => stream.getFeed({ userId: "ada" }),
    { timeout: "Infinity", deadline: "Infinity" }
  )

  test("parallel calls: each request under its own operation", feed, (stream, { received }) =>
    Effect.gen(function* () {
      const readers = Array.from({ length: 20 }, (_, n) => `user-${n}`)
      yield* Effect.forEach(readers, (userId) => stream.getFeed({ userId }), { concurrency: "unbounded" })
      const trees = yield* TestTelemetry.traces
      assert.strictEqual(trees.length, 20)
      for (const tree of trees) {
        assert.strictEqual(tree.children.length, 1)
        const sent = received.find(({ headers }) => String(headers["traceparent"]).includes(tree.children[0]!.spanId))
        assert.strictEqual(sent!.json.user_id, tree.attributes["stream.user_id"])
      }
    })
  )

  test(
    "an ill Stream opens the circuit",
    text(500, ""),
    (stream, { received }) =>
      Effect.gen(function* () {
        yield* reasonOf(stream.getFeed({ userId: "ada" }))
        yield* reasonOf(stream.follow({ userId: "ada", targetId: "bob" }))
        assert.strictEqual((yield* reasonOf(stream.getFeed({ userId: "ada" })))._tag, "CircuitOpen")
        assert.strictEqual(received.length, 2)
        yield* TestTelemetry.expectSpan("stream.get_feed", {
          attributes: { "external.circuit_breaker_triggered": true, "error.type": "CircuitOpen" },
          children: []
        })
      }),
    { retry: { attempts: 1 }, circuit: { failures: 2 } }
  )
})
