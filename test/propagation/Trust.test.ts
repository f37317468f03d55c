import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Trust from "../../src/propagation/Trust.ts"

const make = (options: Trust.Options): Trust.Trust => Result.getOrThrow(Trust.make(options))
const from = (address?: string): Trust.Caller => ({ address, headers: {} })

describe("callers", () => {
  it("all by default, or all, or none", () => {
    assert.isTrue(make({}).callers(from("203.0.113.7")))
    assert.isTrue(make({ callers: true }).callers(from()))
    assert.isFalse(make({ callers: false }).callers(from("127.0.0.1")))
    assert.isFalse(make({ callers: [] }).callers(from("127.0.0.1")))
  })

  it.each([
    ["10.1.2.3", true],
    ["11.1.2.3", false],
    // A server that listens on both families sees IPv4 callers so.
    ["::ffff:10.1.2.3", true],
    ["::1", true],
    ["::2", false],
    ["fd00::1", true],
    ["no address", false],
    ["", false],
    [undefined, false]
  ])("networks: %s is trusted: %s", (address, expected) => {
    assert.strictEqual(make({ callers: ["10.0.0.0/8", "::1", "fd00::/8"] }).callers(from(address)), expected)
  })

  it("a function decides by the headers, and trusts nobody when it throws", () => {
    const trust = make({ callers: (caller) => caller.headers["x-internal"] === "yes" })
    assert.isTrue(trust.callers({ address: undefined, headers: { "x-internal": "yes" } }))
    assert.isFalse(trust.callers(from("10.0.0.1")))
    const broken = make({
      callers: () => {
        throw new Error("no")
      }
    })
    assert.isFalse(broken.callers(from("10.0.0.1")))
  })
})

describe("hosts", () => {
  it("none by default, or all, or none", () => {
    assert.isFalse(make({}).hosts("localhost", 80))
    assert.isTrue(make({ hosts: true }).hosts("example.com", 443))
    assert.isFalse(make({ hosts: false }).hosts("localhost", 80))
  })

  const trust = make({
    hosts: ["API.example.com", "*.internal", "localhost:9200", "[::1]", "FD00::5", "cafe:80", "10.0.0.1"]
  })
  it.each([
    ["api.example.com", 443, true],
    ["api.example.com.", 443, true],
    ["evil-api.example.com", 443, false],
    ["api.example.com.evil.org", 443, false],
    ["search.internal", 9200, true],
    ["a.b.internal", undefined, true],
    ["internal", 80, false],
    ["evilinternal", 80, false],
    ["localhost", 9200, true],
    ["localhost", 9201, false],
    ["::1", 80, true],
    ["fd00::5", 80, true],
    ["cafe", 80, true],
    ["cafe", 81, false],
    ["10.0.0.1", 80, true]
  ] as const)("%s:%s is trusted: %s", (host, port, expected) => {
    assert.strictEqual(trust.hosts(host, port), expected)
  })
})

describe("bad settings", () => {
  it.each([
    [{ callers: ["10.0.0.0/33"] }, `Trust setting "callers" has "10.0.0.0/33"`],
    [{ callers: ["everyone"] }, `Trust setting "callers" has "everyone"`],
    [{ hosts: ["https://example.com"] }, `Trust setting "hosts" has "https://example.com"`],
    [{ hosts: ["*"] }, `Trust setting "hosts" has "*"`],
    [{ hosts: ["a*.example.com"] }, `Trust setting "hosts" has "a*.example.com"`],
    [{ hosts: [""] }, `Trust setting "hosts" has ""`]
  ] as ReadonlyArray<readonly [Trust.Options, string]>)("%j", (options, message) => {
    const result = Trust.make(options)
    assert.isTrue(Result.isFailure(result))
    if (Result.isFailure(result)) assert.isTrue(result.failure.message.startsWith(message), result.failure.message)
  })

  it.effect("the layer fails with them, and provides what is good", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.provide(Effect.void, Trust.layer({ hosts: ["a b"] })))
      assert.strictEqual(error._tag, "TrustError")
      const trust = yield* Effect.provide(Trust.CurrentTrust, Trust.layer({ hosts: ["a"] }))
      assert.isTrue(trust.hosts("a", 1))
      assert.isFalse((yield* Trust.CurrentTrust).hosts("a", 1))
    })
  )
})
