import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"
import { Cache } from "../../../src/services/Cache/Cache.ts"
import * as CacheEmbedded from "../../../src/services/Cache/CacheEmbedded.ts"
import { cacheSuite } from "./suite.ts"

cacheSuite("CacheEmbedded", CacheEmbedded.layer(), (key) => key)

describe("CacheEmbedded", () => {
  it.effect("expires by the clock of the fiber", () =>
    Effect.gen(function* () {
      const cache = yield* Cache
      yield* cache.set({ key: "a", value: "1", ttl: "1 minute" })
      yield* TestClock.adjust("59 seconds")
      assert.deepStrictEqual(yield* cache.get({ key: "a" }), Option.some("1"))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* cache.get({ key: "a" }), Option.none())
    }).pipe(Effect.provide(CacheEmbedded.layer()))
  )

  it.effect("evicts the least recently used when it is full, the expired ones first", () =>
    Effect.gen(function* () {
      const cache = yield* Cache
      yield* cache.set({ key: "expiring", value: "0", ttl: "1 second" })
      yield* cache.set({ key: "a", value: "1" })
      yield* cache.set({ key: "b", value: "2" })
      yield* TestClock.adjust("2 seconds")
      yield* cache.set({ key: "c", value: "3" })
      yield* cache.get({ key: "a" })
      yield* cache.set({ key: "d", value: "4" })
      const there = yield* Effect.filter(["a", "b", "c", "d"], (key) => cache.exists({ key }))
      assert.deepStrictEqual(there, ["a", "c", "d"])
    }).pipe(Effect.provide(CacheEmbedded.layer({ maxKeys: 3 })))
  )

  it("matches Redis's globs, in time that no pattern can blow up", () => {
    const matching = (pattern: string, ...keys: ReadonlyArray<string>) => keys.filter(CacheEmbedded.glob(pattern))
    assert.deepStrictEqual(matching("h?llo", "hello", "hallo", "hllo"), ["hello", "hallo"])
    assert.deepStrictEqual(matching("h*llo", "hllo", "heeeello", "hell"), ["hllo", "heeeello"])
    assert.deepStrictEqual(matching("h[ae]llo", "hello", "hallo", "hillo"), ["hello", "hallo"])
    assert.deepStrictEqual(matching("h[^e]llo", "hello", "hallo"), ["hallo"])
    assert.deepStrictEqual(matching("h[a-b]llo", "hallo", "hbllo", "hcllo"), ["hallo", "hbllo"])
    assert.deepStrictEqual(matching("a\\*b", "a*b", "axb"), ["a*b"])
    assert.deepStrictEqual(matching("*", "", "anything"), ["", "anything"])
    assert.deepStrictEqual(matching(`${"a*".repeat(30)}b`, "a".repeat(5000)), [])
  })
})
