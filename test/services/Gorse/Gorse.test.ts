import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { Gorse, operations } from "../../../src/services/Gorse/Gorse.ts"
import * as GorseEmbedded from "../../../src/services/Gorse/GorseEmbedded.ts"
import * as GorseLive from "../../../src/services/Gorse/GorseLive.ts"
import { API_KEY, gorseServer } from "./server.ts"
import { gorseSuite } from "./suite.ts"

gorseSuite("GorseEmbedded", GorseEmbedded.layer({ maxItems: 50 }))
gorseSuite("GorseLive", Layer.unwrap(Effect.map(gorseServer, ({ url }) => GorseLive.layer({ url, apiKey: API_KEY }))))

describe("Gorse", () => {
  it("has the operations of the contract", () => {
    assert.deepStrictEqual(
      Object.values(operations.operations).map(({ name }) => name),
      [
        "insert_user",
        "insert_item",
        "insert_user_item",
        "insert_feedback",
        "delete_feedback",
        "get_recommend",
        "get_similar_items",
        "get_similar_users",
        "get_popular",
        "get_latest",
        "delete_user",
        "delete_item"
      ]
    )
  })

  it.effect("the embedded layer goes by the clock of the fiber", () =>
    Effect.gen(function* () {
      const gorse = yield* Gorse
      yield* gorse.insertItem({ itemId: "a" })
      yield* TestClock.adjust("1 minute")
      yield* gorse.insertItem({ itemId: "b" })
      yield* gorse.insertUser({ userId: "ada" })
      const writeBack = { feedbackType: "read", delay: "10 minutes" as const }
      const recommend = (more?: object) =>
        Effect.map(gorse.getRecommend({ userId: "ada", ...more }), (all) => all.length)
      assert.strictEqual(yield* recommend({ writeBack }), 2)
      yield* TestClock.adjust("9 minutes")
      assert.strictEqual(yield* recommend(), 2)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* recommend(), 0)
      assert.deepStrictEqual(
        (yield* gorse.getLatest({})).map(({ id }) => id),
        ["b", "a"]
      )
    }).pipe(Effect.provide(GorseEmbedded.layer()))
  )

  it.effect("each embedded layer knows only what it was told", () =>
    Effect.gen(function* () {
      yield* Effect.flatMap(Gorse, (gorse) => gorse.insertItem({ itemId: "a" })).pipe(
        Effect.provide(GorseEmbedded.layer())
      )
      const latest = yield* Effect.flatMap(Gorse, (gorse) => gorse.getLatest({})).pipe(
        Effect.provide(GorseEmbedded.layer())
      )
      assert.deepStrictEqual(latest, [])
    })
  )
})
