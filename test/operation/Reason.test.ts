import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import * as Reason from "../../src/operation/Reason.ts"
import * as RetryPolicy from "../../src/operation/RetryPolicy.ts"

describe("Reason", () => {
  it("reads an HTTP status", () => {
    const tag = (status: number) => Reason.fromStatus(status, { message: "" })._tag
    const expected: Record<number, Reason.Tag> = {
      400: "InvalidRequest",
      401: "Unauthorized",
      403: "Unauthorized",
      404: "NotFound",
      408: "Timeout",
      409: "Conflict",
      410: "NotFound",
      412: "Conflict",
      413: "InvalidRequest",
      422: "InvalidRequest",
      429: "RateLimited",
      500: "Unavailable",
      502: "Unavailable",
      503: "Unavailable",
      504: "Timeout"
    }
    for (const [status, reason] of Object.entries(expected)) assert.strictEqual(tag(Number(status)), reason, status)
  })

  it("knows what may be repeated", () => {
    const at = (status: number) => Reason.fromStatus(status, { message: "" })
    assert.deepStrictEqual([at(503).isRetryable, at(503).mayHaveActed], [true, false])
    assert.deepStrictEqual([at(502).isRetryable, at(502).mayHaveActed], [true, true])
    assert.deepStrictEqual([at(501).isRetryable, at(501).mayHaveActed], [false, false])
    assert.deepStrictEqual([at(429).isRetryable, at(429).mayHaveActed], [true, false])
    assert.deepStrictEqual([at(404).isRetryable, at(404).mayHaveActed], [false, false])
  })

  it("keeps how long the service asked to wait", () => {
    const reason = Reason.fromStatus(429, { message: "", retryAfter: "3 seconds" })
    assert.deepStrictEqual(Reason.retryAfterOf(reason), Duration.seconds(3))
  })

  it("reads both forms of Retry-After", () => {
    const now = Date.parse("Wed, 25 Nov 2026 12:00:00 GMT")
    assert.deepStrictEqual(Reason.retryAfter("7", now), Duration.seconds(7))
    assert.deepStrictEqual(Reason.retryAfter("Wed, 25 Nov 2026 12:00:09 GMT", now), Duration.seconds(9))
    assert.deepStrictEqual(Reason.retryAfter("Wed, 25 Nov 2026 11:00:00 GMT", now), Duration.zero)
    for (const none of [null, undefined, "", "soon", "-1"]) assert.strictEqual(Reason.retryAfter(none, now), undefined)
  })

  it("finds the system's code wherever a client hides it, and never takes an object for one", () => {
    const refused = Object.assign(new Error("connect"), { code: "ECONNREFUSED" })
    const hidden = [
      refused,
      new TypeError("fetch failed", { cause: refused }),
      new AggregateError([refused], "all failed"),
      Object.assign(new Error("stream"), { code: new TypeError("fetch failed", { cause: refused }) }),
      { reason: { cause: { cause: refused } } }
    ]
    for (const error of hidden) {
      const reason = Reason.fromConnection(error)
      assert.strictEqual(reason.code, "ECONNREFUSED")
      assert.strictEqual(reason.mayHaveActed, false)
    }
    assert.strictEqual(Reason.fromConnection(Object.assign(new Error("x"), { code: "ECONNRESET" })).mayHaveActed, true)
    assert.strictEqual(
      Reason.fromConnection(Object.assign(new Error("x"), { code: "CERT_HAS_EXPIRED" })).isRetryable,
      false
    )
    const endless: { cause?: unknown } = {}
    endless.cause = endless
    assert.strictEqual(Reason.fromConnection(endless).code, undefined)
  })

  it.prop("never throws, whatever a client throws", [Schema.Unknown], ([error]) => {
    assert.strictEqual(Reason.fromConnection(error)._tag, "Unavailable")
  })
})

describe("RetryPolicy", () => {
  it("refuses nonsense by name", () => {
    assert.throws(
      () => RetryPolicy.make({ attempts: 0 }),
      "RetryPolicy: attempts is 0; expected an integer from 1 to 100"
    )
    assert.throws(() => RetryPolicy.make({ jitter: 2 }), "RetryPolicy: jitter is 2; expected a number from 0 to 1")
  })

  it("changes only what is given", () => {
    const base = RetryPolicy.make({ attempts: 7 })
    assert.strictEqual(RetryPolicy.make({ factor: 3 }, base).attempts, 7)
    assert.deepStrictEqual(RetryPolicy.make(), RetryPolicy.defaultPolicy)
  })
})
