import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { randomUUID } from "node:crypto"
import * as Search from "../../../src/services/Search/Search.ts"
import * as SearchEmbedded from "../../../src/services/Search/SearchEmbedded.ts"
import { searchSuite } from "./suite.ts"

const run = randomUUID().slice(0, 8)
searchSuite("SearchEmbedded", SearchEmbedded.layer(), (index) => `${run}-${index}`, "minisearch")

describe("SearchEmbedded", () => {
  it.effect("what is of one engine's own words is refused", () =>
    Effect.gen(function* () {
      const search = yield* Search.Search
      yield* search.createIndex({ index: "posts" })
      for (const effect of [
        search.search({ index: "posts", raw: { aggs: {} } }),
        search.createIndex({ index: "other", raw: { aliases: {} } }),
        search.createIndex({ index: "other", fields: { place: { type: "geo_point" } } })
      ] as ReadonlyArray<Effect.Effect<unknown, Search.SearchError>>) {
        const error = yield* Effect.flip(effect)
        assert.strictEqual(error.reason._tag, "InvalidRequest")
      }
    }).pipe(Effect.provide(SearchEmbedded.layer()))
  )

  it.effect("a point in time goes when it is not used for as long as it was to be kept", () =>
    Effect.gen(function* () {
      const search = yield* Search.Search
      const operations = ["a", "b", "c"].map((id) => ({ action: "index" as const, id, document: {} }))
      yield* search.bulk({ index: "posts", operations })
      const page = (id?: string) =>
        search.search({ index: "posts", size: 1, pointInTime: { id, keepAlive: "1 minute" } })
      const id = Option.getOrThrow((yield* page()).pointInTime)
      yield* TestClock.adjust("59 seconds")
      yield* page(id)
      yield* TestClock.adjust("59 seconds")
      yield* page(id)
      yield* TestClock.adjust("61 seconds")
      assert.strictEqual((yield* Effect.flip(page(id))).reason._tag, "NotFound")
    }).pipe(Effect.provide(SearchEmbedded.layer()))
  )

  it.effect("more than 10,000 documents are counted only where that is asked for", () =>
    Effect.gen(function* () {
      const search = yield* Search.Search
      const operations = Array.from({ length: 10_050 }, () => ({ action: "index" as const, document: { a: 1 } }))
      yield* search.bulk({ index: "posts", operations })
      const some = yield* search.search({ index: "posts", size: 0 })
      assert.deepStrictEqual([some.total, some.totalIsExact], [10_000, false])
      const all = yield* search.search({ index: "posts", size: 0, countAll: true })
      assert.deepStrictEqual([all.total, all.totalIsExact], [10_050, true])
      assert.strictEqual(yield* Stream.runCount(Search.scan({ index: "posts", size: 5000 })), 10_050)
    }).pipe(Effect.provide(SearchEmbedded.layer()))
  )

  it.effect("every layer has indices of its own", () =>
    Effect.gen(function* () {
      const count = Effect.flatMap(Search.Search, (search) => search.search({ index: "*" }))
      const write = Effect.flatMap(Search.Search, (search) => search.index({ index: "posts", document: {} }))
      assert.strictEqual((yield* write.pipe(Effect.andThen(count), Effect.provide(SearchEmbedded.layer()))).total, 1)
      assert.strictEqual((yield* count.pipe(Effect.provide(SearchEmbedded.layer()))).total, 0)
    })
  )
})
