import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as reasons from "../../../../src/services/Search/internal/reasons.ts"

const now = Date.parse("2024-01-01T00:00:00Z")

describe("Retry-After", () => {
  it.each([
    ["5", 5000],
    ["0", 0],
    ["Mon, 01 Jan 2024 00:01:00 GMT", 60_000],
    ["Sun, 31 Dec 2023 00:00:00 GMT", 0]
  ])("%s", (header, millis) => {
    const found = reasons.retryAfterOf(header, now)
    assert.strictEqual(found === undefined ? undefined : Duration.toMillis(found), millis)
  })

  it.each([undefined, "", "soon", "-1x", ["5"]])("%s is none", (header) => {
    assert.strictEqual(reasons.retryAfterOf(header, now), undefined)
  })
})

describe("faults", () => {
  it("of shards, not that they all failed", () => {
    const shard = { type: "query_shard_exception", reason: "No mapping found for [x] in order to sort on" }
    const body = {
      error: {
        root_cause: [shard],
        type: "search_phase_execution_exception",
        reason: "all shards failed",
        failed_shards: [{ shard: 0, index: "posts", reason: shard }],
        caused_by: shard
      },
      status: 400
    }
    assert.deepStrictEqual(reasons.faultOf(body), shard)
    assert.deepStrictEqual(reasons.faultOf({ error: { ...body.error, failed_shards: [] } }), shard)
    assert.deepStrictEqual(reasons.faultOf({ error: { type: "search_phase_execution_exception", reason: "r" } }), {
      type: "search_phase_execution_exception",
      reason: "r"
    })
  })

  it("are found in nothing else", () => {
    for (const body of [undefined, null, "", "<html>", {}, [], { error: null }, { error: 5 }, { found: false }]) {
      assert.strictEqual(reasons.faultOf(body), undefined, JSON.stringify(body))
    }
    assert.deepStrictEqual(reasons.faultOf({ error: "no handler found" }), { type: "", reason: "no handler found" })
    assert.deepStrictEqual(reasons.faultOf({ error: {} }), { type: "", reason: "" })
  })

  it("values of documents stay out of messages, which are short", () => {
    const message = (reason: string) => reasons.fromFault(400, { type: "t", reason }).message
    assert.strictEqual(
      message(
        "failed to parse field [plays] of type [integer] in document with id '5'. Preview of field's value: 's3cret'"
      ),
      "t: failed to parse field [plays] of type [integer] in document with id '5'"
    )
    assert.strictEqual(message('For input string: "s3cret"'), "t: For input string: (hidden)")
    assert.isAtMost(message("x".repeat(5000)).length, 310)
    assert.strictEqual(
      reasons.fromFault(413, undefined).message,
      "it answered with status 413, without an error of the engine"
    )
  })

  it("an unknown error of a client is a connection that failed", () => {
    const reason = reasons.fromClient(new TypeError("boom"), { error: undefined }, "Elasticsearch", "http://h")
    assert.strictEqual(reason._tag, "Unavailable")
    assert.strictEqual(reasons.fromClient(undefined, { error: undefined }, "E", "h")._tag, "Unavailable")
    const refused = Object.assign(new AggregateError([], ""), { code: "ECONNREFUSED" })
    const client = Object.assign(new Error("connection failed"), { name: "ConnectionError" })
    assert.strictEqual(reasons.fromClient(client, { error: refused }, "E", "h").mayHaveActed, false)
  })
})
