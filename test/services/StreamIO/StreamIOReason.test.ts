import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import { retryAfterOf } from "../../../src/operation/Reason.ts"
import { reasonOf } from "../../../src/services/StreamIO/StreamIOReason.ts"

/** An error as the client makes it; its class is not exported. */
const streamError = (message: string, metadata: object, code?: unknown) =>
  Object.assign(new Error(message), { metadata: { clientRequestId: "r", ...metadata }, code })

const now = 1_900_000_000_000

describe("the reason of an error of Stream's client", () => {
  it("goes by the status, never by the code", () => {
    const reason = reasonOf(streamError("Stream error code 404: odd", { responseCode: 400 }, 404), now)
    assert.deepInclude(reason, { _tag: "InvalidRequest", status: 400, code: 404 })
  })

  it("a code that is the status is none", () => {
    const reason = reasonOf(streamError("Stream error: 502 - Bad Gateway", { responseCode: 502 }, 502), now)
    assert.deepInclude(reason, { _tag: "Unavailable", status: 502, code: undefined, message: "Stream answered 502" })
  })

  it("a code that is an object is the failure of fetch, with the system's code in its causes", () => {
    const cause = Object.assign(new Error("socket"), { code: "UND_ERR_SOCKET" })
    const reset = reasonOf(streamError("unexpected", {}, new TypeError("terminated", { cause })), now)
    assert.deepInclude(reset, { _tag: "Unavailable", code: "UND_ERR_SOCKET", mayHaveActed: true, isRetryable: true })
    const both = new AggregateError([Object.assign(new Error("::1"), { code: "ECONNREFUSED" })])
    const refused = reasonOf(streamError("unexpected", {}, new TypeError("fetch failed", { cause: both })), now)
    assert.deepInclude(refused, { _tag: "Unavailable", code: "ECONNREFUSED", mayHaveActed: false })
  })

  it("no code and no status: the client's own timeout", () => {
    assert.strictEqual(reasonOf(streamError("aborted due to the 3000ms timeout", {}), now)._tag, "Timeout")
  })

  it("what is none of its errors is an answer that it fell over", () => {
    for (const error of [new TypeError("x is not iterable"), undefined, "text"]) {
      assert.strictEqual(reasonOf(error, now)._tag, "Decode")
    }
  })

  it("waits until the limit is reset: Retry-After, else by the server's clock, else by ours, never less than nothing", () => {
    const wait = (headers: Record<string, string>, reset?: Date) => {
      const rateLimit = { rateLimitReset: reset }
      const error = streamError("m", { responseCode: 429, responseHeaders: new Headers(headers), rateLimit }, 9)
      const asked = retryAfterOf(reasonOf(error, now))
      return asked === undefined ? undefined : Duration.toMillis(asked)
    }
    const at = (seconds: number) => new Date(now + seconds * 1000)
    assert.strictEqual(wait({ "retry-after": "7" }, at(20)), 7000)
    assert.strictEqual(wait({ date: at(-10).toUTCString() }, at(20)), 30_000)
    assert.strictEqual(wait({}, at(20)), 20_000)
    assert.strictEqual(wait({ date: "yesterday" }, at(20)), 20_000)
    assert.strictEqual(wait({}, at(-5)), 0)
    assert.strictEqual(wait({}, new Date(NaN)), undefined)
    assert.strictEqual(wait({}), undefined)
  })
})
