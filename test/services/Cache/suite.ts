import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Cache, json } from "../../../src/services/Cache/Cache.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"

/** What every layer of the cache must do. `unique` makes keys that no other run has. */
export const cacheSuite = (name: string, layer: Layer.Layer<Cache, unknown>, unique: (key: string) => string) => {
  const test = (title: string, body: Effect.Effect<void, unknown, Cache | TestTelemetry.TestTelemetry>) =>
    it.live(title, () => body.pipe(Effect.provide([layer, TestTelemetry.layer()])))

  describe(name, () => {
    test(
      "get: a miss, then a hit, both on the span",
      Effect.gen(function* () {
        const cache = yield* Cache
        const key = unique("user")
        yield* Effect.gen(function* () {
          assert.deepStrictEqual(yield* cache.get({ key }), Option.none())
          yield* cache.set({ key, value: "añda" })
          assert.deepStrictEqual(yield* cache.get({ key }), Option.some("añda"))
        }).pipe(Effect.withSpan("cache-aside"))
        const children: ReadonlyArray<TestTelemetry.ExpectedSpan> = [
          {
            name: "cache.get",
            kind: "client",
            attributes: {
              "cache.key": key,
              "cache.hit": false,
              "cache.size_bytes": undefined,
              "db.system.name": "redis",
              "db.operation.name": "GET",
              "external.service": "cache",
              "external.operation": "get"
            }
          },
          { name: "cache.set", attributes: { "cache.size_bytes": 5, "cache.ttl_seconds": undefined } },
          { name: "cache.get", attributes: { "cache.hit": true, "cache.size_bytes": 5 } }
        ]
        yield* TestTelemetry.expectTrace({ name: "cache-aside", children })
      })
    )

    test(
      "set with a time to live, ttl, expire, exists, delete",
      Effect.gen(function* () {
        const cache = yield* Cache
        const key = unique("session")
        yield* cache.set({ key, value: "s", ttl: "1 hour" })
        const left = yield* cache.ttl({ key })
        assert(Option.isSome(left) && Duration.toSeconds(left.value) > 3500)
        assert.strictEqual(yield* cache.expire({ key, ttl: "30 millis" }), true)
        yield* Effect.sleep("60 millis")
        assert.strictEqual(yield* cache.exists({ key }), false)
        assert.deepStrictEqual(yield* cache.ttl({ key }), Option.none())
        assert.strictEqual(yield* cache.expire({ key, ttl: "1 hour" }), false)
        yield* cache.set({ key, value: "s" })
        assert.deepStrictEqual(yield* cache.ttl({ key }), Option.some(Duration.infinity))
        assert.strictEqual(yield* cache.delete({ keys: [key, unique("none")] }), 1)
        assert.strictEqual(yield* cache.delete({ keys: [] }), 0)
      })
    )

    test(
      "set replaces the value and its time to live; incr keeps it",
      Effect.gen(function* () {
        const cache = yield* Cache
        const key = unique("plays")
        yield* cache.set({ key, value: "5", ttl: "1 hour" })
        assert.strictEqual(yield* cache.incr({ key }), 6)
        assert.strictEqual(yield* cache.incr({ key, by: 10 }), 16)
        assert.strictEqual(yield* cache.decr({ key, by: 6 }), 10)
        assert(Option.exists(yield* cache.ttl({ key }), Duration.isFinite))
        yield* cache.set({ key, value: "1" })
        assert.deepStrictEqual(yield* cache.ttl({ key }), Option.some(Duration.infinity))
        assert.strictEqual(yield* cache.decr({ key: unique("new") }), -1)
      })
    )

    test(
      "mget gives the values in the order asked for",
      Effect.gen(function* () {
        const cache = yield* Cache
        const [a, b, c] = [unique("a"), unique("b"), unique("c")] as const
        yield* cache.set({ key: a, value: "1" })
        yield* cache.set({ key: c, value: "33" })
        assert.deepStrictEqual(yield* cache.mget({ keys: [c, b, a] }), [
          Option.some("33"),
          Option.none(),
          Option.some("1")
        ])
        assert.deepStrictEqual(yield* cache.mget({ keys: [] }), [])
        yield* TestTelemetry.expectSpan("cache.mget", {
          attributes: { "cache.key_count": 3, "cache.hit": false, "result.item_count": 2, "cache.size_bytes": 3 }
        })
      })
    )

    test(
      "keys by pattern, as a stream",
      Effect.gen(function* () {
        const cache = yield* Cache
        const keys = ["feed:1", "feed:2", "other:1"].map(unique)
        for (const key of keys) yield* cache.set({ key, value: "x" })
        const found = yield* Stream.runCollect(cache.keys({ pattern: unique("feed:?") }))
        assert.deepStrictEqual([...new Set(found)].sort(), keys.slice(0, 2).sort())
        yield* TestTelemetry.expectSpan("cache.keys", {
          attributes: { "result.item_count": 2, "db.operation.name": "SCAN" }
        })
      })
    )

    test(
      "hashes",
      Effect.gen(function* () {
        const cache = yield* Cache
        const key = unique("profile")
        assert.deepStrictEqual(yield* cache.hgetall({ key }), {})
        assert.strictEqual(yield* cache.hset({ key, fields: { name: "Ada", city: "Oslo" } }), 2)
        assert.strictEqual(yield* cache.hset({ key, fields: { name: "Grace", age: "1" } }), 1)
        assert.deepStrictEqual(yield* cache.hget({ key, field: "name" }), Option.some("Grace"))
        assert.deepStrictEqual(yield* cache.hget({ key, field: "none" }), Option.none())
        assert.deepStrictEqual(yield* cache.hgetall({ key }), { name: "Grace", city: "Oslo", age: "1" })
      })
    )

    test(
      "lists",
      Effect.gen(function* () {
        const cache = yield* Cache
        const key = unique("recent")
        assert.strictEqual(yield* cache.lpush({ key, values: ["a", "b"] }), 2)
        assert.strictEqual(yield* cache.lpush({ key, values: ["c"] }), 3)
        assert.deepStrictEqual(yield* cache.lrange({ key, start: 0, stop: -1 }), ["c", "b", "a"])
        assert.deepStrictEqual(yield* cache.lrange({ key, start: -2, stop: 5 }), ["b", "a"])
        assert.deepStrictEqual(yield* cache.lrange({ key, start: 2, stop: 1 }), [])
        assert.deepStrictEqual(yield* cache.rpop({ key }), Option.some("a"))
        yield* cache.rpop({ key })
        yield* cache.rpop({ key })
        assert.deepStrictEqual(yield* cache.rpop({ key }), Option.none())
        assert.strictEqual(yield* cache.exists({ key }), false)
      })
    )

    test(
      "ping",
      Effect.gen(function* () {
        const cache = yield* Cache
        yield* cache.ping()
        yield* TestTelemetry.expectTrace({ name: "cache.ping", status: "unset" })
      })
    )

    test(
      "an operation against the wrong kind of value is InvalidRequest, never retried",
      Effect.gen(function* () {
        const cache = yield* Cache
        const key = unique("text")
        yield* cache.set({ key, value: "text" })
        for (const failure of [
          yield* Effect.flip(cache.lpush({ key, values: ["a"] })),
          yield* Effect.flip(cache.hget({ key, field: "a" })),
          yield* Effect.flip(cache.incr({ key })),
          yield* Effect.flip(cache.lpush({ key, values: [] })),
          yield* Effect.flip(cache.hset({ key, fields: {} }))
        ]) {
          assert.strictEqual(failure._tag, "CacheError")
          assert.strictEqual(failure.reason._tag, "InvalidRequest")
          assert.strictEqual(failure.isRetryable, false)
        }
        yield* TestTelemetry.expectSpan("cache.incr", {
          status: "error",
          attributes: {
            "error.type": "InvalidRequest",
            "external.error.retryable": false,
            "external.retry_count": undefined
          }
        })
      })
    )

    test(
      "values of a type, kept as JSON",
      Effect.gen(function* () {
        const users = json(Schema.Struct({ id: Schema.Int, name: Schema.String }))
        const key = unique("json")
        assert.deepStrictEqual(yield* users.get({ key }), Option.none())
        yield* users.set({ key, value: { id: 1, name: "Ada" }, ttl: "1 minute" })
        assert.deepStrictEqual(yield* users.get({ key }), Option.some({ id: 1, name: "Ada" }))
        const cache = yield* Cache
        yield* cache.set({ key, value: '{"id":"one"}' })
        assert.strictEqual((yield* Effect.flip(users.get({ key }))).reason._tag, "Decode")
      })
    )
  })
}
