import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Gorse, type Scored } from "../../../src/services/Gorse/Gorse.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"

const ids = (scores: ReadonlyArray<Scored>): ReadonlyArray<string> => scores.map(({ id }) => id)

const spanOf = (name: string, spans: ReadonlyArray<TestTelemetry.TestSpan>) => spans.filter((one) => one.name === name)

/** What every layer of Gorse must do. Each test has a Gorse that knows nothing. */
export const gorseSuite = (name: string, layer: Layer.Layer<Gorse, unknown>) => {
  const test = (title: string, body: Effect.Effect<void, unknown, Gorse | TestTelemetry.TestTelemetry>) =>
    it.live(title, () => body.pipe(Effect.provide([layer, TestTelemetry.layer()])))

  /** Four songs; who likes what: ada 1 2, bob 1 2 3, cleo 1 4. */
  const songs = Effect.gen(function* () {
    const gorse = yield* Gorse
    for (const [n, categories] of [
      [1, ["rock"]],
      [2, ["rock", "live"]],
      [3, ["jazz"]],
      [4, ["rock"]]
    ] as const) {
      yield* gorse.insertItem({ itemId: `song-${n}`, categories, timestamp: `2026-01-0${n}T00:00:00Z` })
    }
    const likes = { ada: [1, 2], bob: [1, 2, 3], cleo: [1, 4] }
    for (const [userId, liked] of Object.entries(likes)) {
      yield* gorse.insertUser({ userId, labels: { city: "Oslo" }, comment: "a listener" })
      yield* gorse.insertFeedback({
        feedback: liked.map((n) => ({ feedbackType: "like", userId, itemId: `song-${n}` }))
      })
    }
    return gorse
  })

  describe(name, () => {
    test(
      "getRecommend: what is like what the user dealt with, nothing the user knows",
      Effect.gen(function* () {
        const gorse = yield* songs
        const found = yield* gorse.getRecommend({ userId: "ada" })
        assert.deepStrictEqual(ids(found), ["song-3", "song-4"])
        assert(found.every(({ score }) => Option.exists(score, (value) => value > 0)))
        assert.deepStrictEqual(ids(yield* gorse.getRecommend({ userId: "ada", categories: ["rock"] })), ["song-4"])
        assert.deepStrictEqual(ids(yield* gorse.getRecommend({ userId: "ada", count: 1, offset: 1 })), ["song-4"])
        yield* TestTelemetry.expectSpan("gorse.get_recommend", {
          kind: "client",
          status: "unset",
          attributes: {
            "external.service": "gorse",
            "external.operation": "get_recommend",
            "gorse.operation": "get_recommend",
            "gorse.user_id": "ada",
            "gorse.count": 10,
            "gorse.feedback": undefined,
            "result.item_count": 2,
            "external.retry_count": undefined
          }
        })
      })
    )

    test(
      "getRecommend: what is popular for a user that is not known",
      Effect.gen(function* () {
        const gorse = yield* songs
        assert.deepStrictEqual(ids(yield* gorse.getRecommend({ userId: "nobody", count: 2 })), ["song-1", "song-2"])
      })
    )

    test(
      "getRecommend with writeBack: it is not recommended again",
      Effect.gen(function* () {
        const gorse = yield* songs
        const writeBack = { feedbackType: "read" }
        assert.deepStrictEqual(ids(yield* gorse.getRecommend({ userId: "ada", count: 1, writeBack })), ["song-3"])
        assert.deepStrictEqual(ids(yield* gorse.getRecommend({ userId: "ada", count: 1, writeBack })), ["song-4"])
        assert.deepStrictEqual(yield* gorse.getRecommend({ userId: "ada" }), [])
        const later = { feedbackType: "read", delay: "1 hour" as const }
        assert.deepStrictEqual(ids(yield* gorse.getRecommend({ userId: "cleo", writeBack: later })), [
          "song-2",
          "song-3"
        ])
        assert.deepStrictEqual(ids(yield* gorse.getRecommend({ userId: "cleo" })), ["song-2", "song-3"])
        yield* TestTelemetry.expectSpan("gorse.get_recommend", { attributes: { "gorse.feedback": "read" } })
      })
    )

    test(
      "getSimilarItems, getSimilarUsers: by what they share; nothing for what is not known",
      Effect.gen(function* () {
        const gorse = yield* songs
        assert.deepStrictEqual(ids(yield* gorse.getSimilarItems({ itemId: "song-2" })), ["song-1", "song-3"])
        assert.deepStrictEqual(ids(yield* gorse.getSimilarItems({ itemId: "song-2", unseenBy: "ada" })), ["song-3"])
        assert.deepStrictEqual(ids(yield* gorse.getSimilarItems({ itemId: "song-2", recommender: "neighbors" })), [
          "song-1",
          "song-3"
        ])
        assert.deepStrictEqual(yield* gorse.getSimilarItems({ itemId: "song-2", categories: ["none"] }), [])
        assert.deepStrictEqual(yield* gorse.getSimilarItems({ itemId: "song-9" }), [])
        assert.deepStrictEqual(ids(yield* gorse.getSimilarUsers({ userId: "ada" })), ["bob", "cleo"])
        assert.deepStrictEqual(ids(yield* gorse.getSimilarUsers({ userId: "ada", offset: 1 })), ["cleo"])
        assert.deepStrictEqual(
          ids(yield* gorse.getSimilarUsers({ userId: "ada", count: 1, recommender: "neighbors" })),
          ["bob"]
        )
        assert.deepStrictEqual(yield* gorse.getSimilarUsers({ userId: "nobody" }), [])
        yield* TestTelemetry.expectSpan("gorse.get_similar_items", {
          attributes: { "gorse.item_id": "song-2", "gorse.user_id": "ada", "gorse.count": 10, "result.item_count": 1 }
        })
        yield* TestTelemetry.expectSpan("gorse.get_similar_users", {
          attributes: { "gorse.user_id": "nobody", "result.item_count": 0 }
        })
      })
    )

    test(
      "getPopular and getLatest, with and without what a user knows; hidden items never",
      Effect.gen(function* () {
        const gorse = yield* songs
        assert.deepStrictEqual(ids(yield* gorse.getPopular({ count: 2 })), ["song-1", "song-2"])
        assert.deepStrictEqual(ids(yield* gorse.getPopular({ unseenBy: "ada" })), ["song-3", "song-4"])
        assert.deepStrictEqual(ids(yield* gorse.getLatest({ count: 2 })), ["song-4", "song-3"])
        assert.deepStrictEqual(ids(yield* gorse.getLatest({ count: 2, offset: 3 })), ["song-1"])
        assert.deepStrictEqual(ids(yield* gorse.getLatest({ categories: ["rock", "live"] })), ["song-2"])
        const [latest] = yield* gorse.getLatest({ count: 1 })
        assert.deepStrictEqual(latest!.score, Option.some(Date.parse("2026-01-04T00:00:00Z") / 1000))
        yield* gorse.insertItem({ itemId: "song-4", hidden: true, timestamp: new Date("2026-01-04") })
        assert.deepStrictEqual(ids(yield* gorse.getLatest({ count: 1 })), ["song-3"])
        yield* TestTelemetry.expectSpan("gorse.get_popular", {
          attributes: { "gorse.user_id": "ada", "gorse.count": 10, "result.item_count": 2 }
        })
        yield* TestTelemetry.expectSpan("gorse.get_latest", { attributes: { "gorse.user_id": undefined } })
      })
    )

    test(
      "insertUserItem: both exist afterwards, in one operation; what is there stays as it is",
      Effect.gen(function* () {
        const gorse = yield* Gorse
        yield* gorse.insertItem({ itemId: "old", categories: ["rock"], timestamp: "2020-01-01T00:00:00Z" })
        for (const itemId of ["old", "new"]) {
          assert.strictEqual(yield* gorse.insertUserItem({ userId: "ada", itemId, feedbackType: "play", value: 1 }), 1)
        }
        assert.deepStrictEqual(ids(yield* gorse.getPopular({})), ["new", "old"])
        assert.deepStrictEqual(ids(yield* gorse.getLatest({ categories: ["rock"] })), ["old"])
        assert.deepStrictEqual(ids(yield* gorse.getLatest({})), ["new", "old"])
        assert.deepStrictEqual(yield* gorse.getRecommend({ userId: "ada" }), [])
        yield* gorse.insertUserItem({
          userId: "bob",
          itemId: "old",
          feedbackType: "play",
          overwrite: true,
          user: { labels: ["a", "b"] },
          item: { categories: ["jazz"] }
        })
        assert.deepStrictEqual(ids(yield* gorse.getLatest({ categories: ["jazz"] })), ["old"])
        const spans = spanOf("gorse.insert_user_item", yield* TestTelemetry.spans)
        assert.strictEqual(spans.length, 3)
        assert.deepInclude(spans[0]!.attributes, {
          "gorse.user_id": "ada",
          "gorse.item_id": "old",
          "gorse.feedback": "play",
          "result.item_count": 1
        })
        assert.strictEqual(spans[0]!.status, "unset")
      })
    )

    test(
      "insertFeedback and deleteFeedback: by type or all; none is no change",
      Effect.gen(function* () {
        const gorse = yield* Gorse
        const one = { userId: "ada", itemId: "song-1" }
        const feedback = [
          { ...one, feedbackType: "play", value: 2 },
          { ...one, feedbackType: "like" },
          { ...one, feedbackType: "share" }
        ]
        assert.strictEqual(yield* gorse.insertFeedback({ feedback }), 3)
        assert.strictEqual(yield* gorse.insertFeedback({ feedback: [], overwrite: true }), 0)
        yield* TestTelemetry.expectSpan("gorse.insert_feedback", {
          attributes: {
            "gorse.batch_size": 3,
            "gorse.feedback": "like,play,share",
            "gorse.user_id": "ada",
            "gorse.item_id": "song-1",
            "result.item_count": 3
          }
        })
        assert.strictEqual(yield* gorse.deleteFeedback({ ...one, feedbackType: "like" }), 1)
        assert.deepStrictEqual(yield* gorse.getPopular({ unseenBy: "ada" }), [])
        assert.strictEqual(yield* gorse.deleteFeedback(one), 2)
        assert.deepStrictEqual(yield* gorse.getPopular({}), [])
        assert.strictEqual(yield* gorse.deleteFeedback(one), 0)
        yield* TestTelemetry.expectSpan("gorse.delete_feedback", {
          status: "unset",
          attributes: { "gorse.feedback": undefined, "result.item_count": 0 }
        })
        yield* gorse.insertFeedback({ feedback: [feedback[0]!, { ...feedback[1]!, userId: "bob" }] })
        yield* TestTelemetry.expectSpan("gorse.insert_feedback", {
          attributes: { "gorse.batch_size": 2, "gorse.user_id": undefined, "gorse.item_id": "song-1" }
        })
      })
    )

    test(
      "feedback of the future does not count yet",
      Effect.gen(function* () {
        const gorse = yield* songs
        const timestamp = new Date(Date.now() + 3_600_000)
        yield* gorse.insertUserItem({ userId: "ada", itemId: "song-3", feedbackType: "read", timestamp })
        assert.deepStrictEqual(ids(yield* gorse.getRecommend({ userId: "ada", count: 1 })), ["song-3"])
      })
    )

    test(
      "deleteUser and deleteItem take the feedback along; what is not there is no failure",
      Effect.gen(function* () {
        const gorse = yield* songs
        assert.strictEqual(yield* gorse.deleteItem({ itemId: "song-1" }), 1)
        assert.deepStrictEqual(yield* gorse.getSimilarItems({ itemId: "song-1" }), [])
        assert.deepStrictEqual(ids(yield* gorse.getPopular({})), ["song-2", "song-3", "song-4"])
        yield* gorse.deleteUser({ userId: "bob" })
        assert.deepStrictEqual(yield* gorse.getSimilarUsers({ userId: "ada" }), [])
        yield* gorse.deleteUser({ userId: "bob" })
        yield* gorse.deleteItem({ itemId: "song-1" })
        yield* TestTelemetry.expectSpan("gorse.delete_user", {
          status: "unset",
          attributes: { "gorse.user_id": "bob" }
        })
        yield* TestTelemetry.expectSpan("gorse.delete_item", { attributes: { "gorse.item_id": "song-1" } })
      })
    )

    test(
      "ids that would change a path, numbers and labels that are none: refused, named, never sent",
      Effect.gen(function* () {
        const gorse = yield* Gorse
        const refused = [
          [gorse.deleteUser({ userId: "a/b" }), 'userId is "a/b": expected a text without "/"'],
          [gorse.deleteItem({ itemId: ".." }), 'itemId is "..": expected'],
          [gorse.deleteItem({ itemId: " " }), 'itemId is " ": expected'],
          [gorse.getRecommend({ userId: "" }), 'userId is "": expected'],
          [gorse.getRecommend({ userId: "a", count: 0 }), "count is 0: expected an integer, at least 1"],
          [gorse.getLatest({ offset: -1 }), "offset is -1: expected"],
          [gorse.getLatest({ unseenBy: "\ud800" }), "unseenBy is"],
          [gorse.getPopular({ categories: [""] }), "categories is"],
          [
            gorse.insertFeedback({ feedback: [{ userId: "a", itemId: "b/c", feedbackType: "like" }] }),
            'feedback[0].itemId is "b/c": expected'
          ],
          [gorse.insertUser({ userId: "a", labels: ["price", 100] as never }), "labels is"],
          [gorse.insertItem({ itemId: "a", timestamp: "yesterday" }), 'timestamp is "yesterday": expected a time']
        ] as const
        for (const [effect, message] of refused) {
          const failure = yield* Effect.flip(effect as Effect.Effect<unknown, never>)
          assert.deepInclude(failure as object, { _tag: "GorseError", isRetryable: false })
          assert.strictEqual((failure as any).reason._tag, "InvalidRequest")
          assert.include((failure as any).message, message)
        }
        const failed = spanOf("gorse.delete_user", yield* TestTelemetry.spans)
        assert.strictEqual(failed[0]!.attributes["error.type"], "InvalidRequest")
        assert.isFalse((yield* TestTelemetry.spans).some((span) => /^(GET|POST|DELETE)$/.test(span.name)))
      })
    )

    test(
      "ids with other characters go through",
      Effect.gen(function* () {
        const gorse = yield* Gorse
        for (const id of ["a b", "ü#1", "50%", "q?x=1&y", "a:b@c", "$&"]) {
          yield* gorse.insertUserItem({ userId: id, itemId: id, feedbackType: "like" })
          yield* gorse.insertUserItem({ userId: id, itemId: `${id}-2`, feedbackType: "like" })
          assert.deepStrictEqual(ids(yield* gorse.getSimilarItems({ itemId: id })), [`${id}-2`])
          assert.strictEqual(yield* gorse.deleteFeedback({ userId: id, itemId: id, feedbackType: "like" }), 1)
        }
      })
    )

    test(
      "over the quota: RateLimited, not retryable",
      Effect.gen(function* () {
        const gorse = yield* Gorse
        for (let i = 0; i < 50; i++) yield* gorse.insertItem({ itemId: `song-${i}` })
        const failure = yield* Effect.flip(gorse.insertItem({ itemId: "song-50" }))
        assert.deepInclude(failure.reason, { _tag: "RateLimited", isRetryable: false, quota: true, status: 429 })
        assert.include(failure.message, "items count exceeds limit (51 > 50)")
        yield* gorse.insertItem({ itemId: "song-1", hidden: true })
      })
    )
  })
}
