import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Tag } from "../../../src/operation/Reason.ts"
import { Gorse } from "../../../src/services/Gorse/Gorse.ts"
import * as GorseLive from "../../../src/services/Gorse/GorseLive.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"
import { type Answer, answering, hang, inTurn, json, reset, stall, text, truncate, waitUntil } from "../answering.ts"
import { key, quick, reasonOf, test } from "./support.ts"

describe("GorseLive, faults", () => {
  const faults: ReadonlyArray<
    readonly [title: string, answer: Answer, tag: Tag, retryable: boolean, message: RegExp, status?: number]
  > = [
    ["401", text(401, "unauthorized"), "Unauthorized", false, /Gorse answered 401: unauthorized$/, 401],
    ["400", text(400, "unsupported labels: [1]"), "InvalidRequest", false, /400: unsupported labels: \[1\]$/, 400],
    ["404", text(404, "item-to-item recommender x not found"), "NotFound", false, /404: item-to-item/, 404],
    [
      "429, a quota",
      text(429, "users count exceeds limit (2 > 1)"),
      "RateLimited",
      false,
      /429: users count exceeds/,
      429
    ],
    ["429, a proxy", text(429, "slow down", { "retry-after": "0" }), "RateLimited", true, /429: slow down/, 429],
    ["500", text(500, "pq: duplicate key (id)=(secret)"), "Unavailable", true, /Gorse answered 500$/, 500],
    ["502 with HTML", text(502, "<html>bad gateway</html>"), "Unavailable", true, /Gorse answered 502$/, 502],
    ["404 with HTML", text(404, "\n<html>nothing</html>"), "NotFound", false, /Gorse answered 404$/, 404],
    ["503", text(503, ""), "Unavailable", true, /Gorse answered 503$/, 503],
    ["504", text(504, "timeout"), "Timeout", true, /Gorse answered 504$/, 504],
    ["a redirect", text(302, "", { location: "/elsewhere" }), "InvalidRequest", false, /Gorse answered 302$/, 302],
    ["a reset", reset, "Unavailable", true, /the connection failed/],
    ["a body that breaks off", truncate, "Unavailable", true, /the connection failed/],
    ["no answer", hang, "Timeout", true, /did not answer within 150ms/],
    ["a body that stalls", stall, "Timeout", true, /did not answer within 150ms/],
    ["no JSON", text(200, "OK"), "Decode", false, /GET \/api\/latest with something else than its API says/],
    ["other JSON", json(200, { Id: 1 }), "Decode", false, /something else/],
    ["nothing", text(200, ""), "Decode", false, /something else/]
  ]
  for (const [title, answer, tag, retryable, message, status] of faults) {
    test(
      title,
      answer,
      (gorse, { received }) =>
        Effect.gen(function* () {
          const failure = yield* Effect.flip(gorse.getLatest({ unseenBy: "ada" }))
          assert.deepStrictEqual(
            [failure.reason._tag, failure.isRetryable, failure.reason.status],
            [tag, retryable, status]
          )
          assert.match(failure.message, message)
          const attempts = retryable ? 2 : 1
          assert.strictEqual(received.length, attempts)
          const trace = yield* TestTelemetry.expectTrace({
            name: "gorse.get_latest",
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
          assert.strictEqual(trace.children.length, attempts)
          assert.deepStrictEqual<ReadonlyArray<unknown>>(
            trace.children.map(({ attributes }) => attributes["http.request.resend_count"]),
            retryable ? [undefined, 1] : [undefined]
          )
          assert.deepStrictEqual(
            received.map(({ headers }) => headers["traceparent"]),
            trace.children.map(({ spanId, traceId }) => `00-${traceId}-${spanId}-03`)
          )
          const shown = inspect(
            (yield* TestTelemetry.spans).map(({ attributes, events }) => [attributes, events]),
            { depth: 9 }
          )
          assert.notInclude(shown, key)
          assert.notInclude(String(failure.message), "duplicate key")
        }),
      { timeout: "150 millis", retry: { attempts: 2, baseDelay: "1 millis" } }
    )
  }

  it.live("refused: not acted, so what adds up is repeated too", () =>
    Effect.gen(function* () {
      const url = yield* Effect.scoped(Effect.map(answering(hang), (server) => server.url))
      const reason = yield* Effect.flatMap(Gorse, (gorse) =>
        reasonOf(gorse.insertFeedback({ feedback: [{ userId: "a", itemId: "b", feedbackType: "play", value: 1 }] }))
      ).pipe(Effect.provide(GorseLive.layer({ url, ...quick })))
      assert.deepInclude(reason, { _tag: "Unavailable", mayHaveActed: false, code: "ECONNREFUSED" })
      yield* TestTelemetry.expectTrace({
        name: "gorse.insert_feedback",
        attributes: { "external.retry_count": 2 },
        events: ["retry", "retry", "exception"]
      })
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )

  const feedback = { userId: "a", itemId: "b", feedbackType: "play" }
  test(
    "feedback whose values add up is repeated only where Gorse has not acted",
    inTurn(text(503, "starting"), reset),
    (gorse, { received }) =>
      Effect.gen(function* () {
        const reason = yield* reasonOf(gorse.insertFeedback({ feedback: [{ ...feedback, value: 1 }] }))
        assert.deepInclude(reason, { _tag: "Unavailable", mayHaveActed: true })
        assert.strictEqual(received.length, 2)
      })
  )
  test(
    "feedback without values, or that overwrites, is repeated",
    inTurn(reset, json(200, { RowAffected: 1 })),
    (gorse, server) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* gorse.insertFeedback({ feedback: [feedback] }), 1)
        server.answer = inTurn(reset, json(200, { RowAffected: 1 }))
        assert.strictEqual(yield* gorse.insertFeedback({ feedback: [{ ...feedback, value: 1 }], overwrite: true }), 1)
        assert.strictEqual(server.received.length, 4)
      })
  )
  test("a recommendation that is written back is not repeated", reset, (gorse, { received }) =>
    Effect.gen(function* () {
      yield* reasonOf(gorse.getRecommend({ userId: "a", writeBack: { feedbackType: "read" } }))
      assert.strictEqual(received.length, 1)
    })
  )

  test(
    "503, then an answer: one operation that succeeded at the second attempt",
    inTurn(text(503, ""), json(200, [])),
    (gorse) =>
      Effect.gen(function* () {
        yield* gorse.getPopular({})
        yield* TestTelemetry.expectTrace({
          name: "gorse.get_popular",
          status: "unset",
          attributes: { "external.retry_count": 1, "error.type": undefined, "result.item_count": 0 },
          events: ["retry"],
          children: [
            { name: "GET", status: "error", attributes: { "error.type": "503" } },
            { name: "GET", status: "unset", attributes: { "http.request.resend_count": 1 } }
          ]
        })
      })
  )

  test("a proxy's Retry-After is waited for", inTurn(text(429, "", { "retry-after": "1" }), json(200, [])), (gorse) =>
    Effect.gen(function* () {
      yield* gorse.getPopular({})
      yield* TestTelemetry.expectSpan("gorse.get_popular", {
        events: [{ name: "retry", attributes: { "retry.delay_ms": (delay: number) => delay >= 1000 } }]
      })
    })
  )

  test("a redirect is not followed: the key stays here", text(302, ""), (gorse, server) =>
    Effect.gen(function* () {
      const other = yield* answering(json(200, []))
      server.answer = text(302, "", { location: `${other.url}/api/latest` })
      yield* reasonOf(gorse.getLatest({}))
      assert.strictEqual(other.received.length, 0)
    }).pipe(Effect.scoped)
  )

  for (const [what, answer] of Object.entries({ "before an answer": hang, "in mid-body": stall })) {
    test(`interruption ${what} reaches Gorse within 200 ms`, answer, (gorse, server) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(gorse.getLatest({}))
        yield* waitUntil(() => server.received.length === 1)
        yield* Effect.sleep("20 millis")
        yield* Fiber.interrupt(fiber)
        assert.isBelow(yield* waitUntil(() => server.connections() === 0), 200)
        yield* TestTelemetry.expectSpan("gorse.get_latest", {
          status: "unset",
          attributes: { "effect.fiber.interrupted": true, "error.type": undefined }
        })
      })
    )
  }

  test(
    "a deadline closes the connection too",
    hang,
    (gorse, server) =>
      Effect.gen(function* () {
        yield* reasonOf(gorse.getLatest({}))
        assert.isBelow(yield* waitUntil(() => server.connections() === 0), 200)
      }),
    { timeout: "50 millis", retry: { attempts: 1 } }
  )

  test(
    "an ill Gorse opens the circuit",
    text(500, ""),
    (gorse, { received }) =>
      Effect.gen(function* () {
        yield* reasonOf(gorse.getLatest({}))
        yield* reasonOf(gorse.getLatest({}))
        assert.strictEqual((yield* reasonOf(gorse.getLatest({})))._tag, "CircuitOpen")
        assert.strictEqual(received.length, 2)
        yield* TestTelemetry.expectSpan("gorse.get_latest", {
          attributes: { "external.circuit_breaker_triggered": true },
          children: []
        })
      }),
    { retry: { attempts: 1 }, circuit: { failures: 2 } }
  )
})
