import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Activity, FeedPage } from "../../../src/services/StreamIO/StreamIO.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"
import { type Declare, ids, none, spanOf, users } from "./contract.ts"

/** Activities, reactions, notifications. */
export const activitySuite = (test: Declare): void => {
  test(
    "createActivity: with an id it replaces what has it, without one there is another",
    Effect.gen(function* () {
      const stream = yield* users("ada")
      const post = { userId: "ada", type: "post" }
      yield* stream.createActivity({ ...post, id: "p1", text: "one", custom: { tag: "x", list: [1, { a: null }] } })
      const replaced = yield* stream.createActivity({ ...post, id: "p1", text: "two" })
      assert.deepInclude(replaced, { id: "p1", type: "post", userId: "ada", text: Option.some("two"), custom: {} })
      const a = yield* stream.createActivity(post)
      const b = yield* stream.createActivity(post)
      assert.notStrictEqual(a.id, b.id)
      assert.deepStrictEqual(a.text, Option.none<string>())
      const page = yield* stream.getFeed({ userId: "ada", feedId: "user:ada" })
      assert.deepStrictEqual(ids(page), [b.id, a.id, "p1"])
      yield* TestTelemetry.expectSpan("stream.create_activity", {
        attributes: {
          "stream.user_id": "ada",
          "stream.activity": "post",
          "stream.feed_id": "user:ada",
          "stream.target_id": "p1"
        }
      })
    })
  )

  test(
    "deleteActivity: gone from every feed; the second time it was not there",
    Effect.gen(function* () {
      const stream = yield* users("ada", "bob")
      yield* stream.follow({ userId: "bob", targetId: "ada" })
      yield* stream.createActivity({ id: "p1", userId: "ada", type: "post" })
      assert.strictEqual(yield* stream.deleteActivity({ activityId: "p1", hard: true }), true)
      assert.deepStrictEqual(ids(yield* stream.getFeed({ userId: "bob" })), none)
      assert.strictEqual(yield* stream.deleteActivity({ activityId: "p1" }), false)
      const spans = spanOf("stream.delete_activity", yield* TestTelemetry.spans)
      assert.deepStrictEqual(
        spans.map(({ attributes, status }) => [
          attributes["stream.target_id"],
          attributes["result.item_count"],
          status
        ]),
        [
          ["p1", 1, "unset"],
          ["p1", 0, "unset"]
        ]
      )
    })
  )

  test(
    "getFeed in pages",
    Effect.gen(function* () {
      const stream = yield* users("ada")
      for (let n = 1; n <= 5; n++) yield* stream.createActivity({ id: `p${n}`, userId: "ada", type: "post" })
      const read = (next?: string) => stream.getFeed({ userId: "ada", feedId: "user:ada", limit: 2, next })
      const pages: Array<ReadonlyArray<string>> = []
      for (let next: string | undefined = ""; next !== undefined;) {
        const page: FeedPage = yield* read(next === "" ? undefined : next)
        pages.push(ids(page))
        next = Option.getOrUndefined(page.next)
      }
      assert.deepStrictEqual(pages, [["p5", "p4"], ["p3", "p2"], ["p1"]])
      const failure = yield* Effect.flip(read("nonsense"))
      assert.strictEqual(failure.reason._tag, "InvalidRequest")
    })
  )

  test(
    "reactions: one of a type, counted; a unique one takes the place of the others",
    Effect.gen(function* () {
      const stream = yield* users("ada", "bob", "cleo")
      yield* stream.createActivity({ id: "p1", userId: "ada", type: "post" })
      const react = (userId: string, type: string, more?: object) =>
        stream.addReaction({ userId, activityId: "p1", type, ...more })
      const counts = Effect.map(
        stream.getFeed({ userId: "bob", feedId: "user:ada" }),
        ({ activities: [one] }): Pick<Activity, "ownReactions" | "reactionCounts"> => one!
      )
      const first = yield* react("bob", "like", { custom: { emoji: "❤️" } })
      assert.deepInclude(first, { activityId: "p1", userId: "bob", type: "like", custom: { emoji: "❤️" } })
      yield* react("bob", "like")
      yield* react("cleo", "like")
      yield* react("bob", "save")
      assert.deepStrictEqual((yield* counts).reactionCounts, { like: 2, save: 1 })
      assert.deepStrictEqual((yield* counts).ownReactions, ["like", "save"])
      yield* react("bob", "wow", { unique: true })
      assert.deepStrictEqual((yield* counts).reactionCounts, { like: 1, wow: 1 })
      assert.strictEqual(yield* stream.deleteReaction({ userId: "bob", activityId: "p1", type: "wow" }), true)
      assert.strictEqual(yield* stream.deleteReaction({ userId: "bob", activityId: "p1", type: "wow" }), false)
      assert.strictEqual(yield* stream.deleteReaction({ userId: "bob", activityId: "nothing", type: "wow" }), false)
      assert.deepStrictEqual((yield* counts).ownReactions, none)
      const failure = yield* Effect.flip(stream.addReaction({ userId: "bob", activityId: "nothing", type: "like" }))
      assert.deepInclude(failure.reason, { _tag: "NotFound", code: 16, status: 404 })
      assert.strictEqual(failure.isRetryable, false)
      yield* TestTelemetry.expectSpan("stream.add_reaction", {
        attributes: { "stream.user_id": "bob", "stream.target_id": "p1", "stream.activity": "like" }
      })
      yield* TestTelemetry.expectSpan("stream.add_reaction", {
        status: "error",
        attributes: { "stream.target_id": "nothing", "error.type": "NotFound", "external.error.retryable": false }
      })
      yield* TestTelemetry.expectSpan("stream.delete_reaction", {
        status: "unset",
        attributes: { "stream.activity": "wow", "result.item_count": 0 }
      })
    })
  )

  test(
    "follows, reactions and mentions notify, once, and are put together; read is read until there is more",
    Effect.gen(function* () {
      const stream = yield* users("ada", "bob", "cleo")
      yield* stream.follow({ userId: "bob", targetId: "ada" })
      yield* stream.follow({ userId: "bob", targetId: "ada" })
      yield* stream.createActivity({ id: "p1", userId: "ada", type: "post" })
      yield* stream.addReaction({ userId: "bob", activityId: "p1", type: "like" })
      yield* stream.addReaction({ userId: "bob", activityId: "p1", type: "like" })
      yield* stream.addReaction({ userId: "ada", activityId: "p1", type: "like" })
      yield* stream.addReaction({ userId: "cleo", activityId: "p1", type: "save", notify: false })
      const read = stream.getNotifications({ userId: "ada" })
      const before = yield* read
      assert.deepStrictEqual([before.unread, before.unseen], [2, 2])
      assert.deepStrictEqual(
        before.notifications.map(({ activityCount, isRead, type, userCount }) => [
          type,
          activityCount,
          userCount,
          isRead
        ]),
        [
          ["reaction", 1, 1, false],
          ["follow", 1, 1, false]
        ]
      )
      assert.strictEqual(before.notifications[0]!.activities[0]!.userId, "bob")
      yield* stream.markNotificationsRead({ userId: "ada", ids: [before.notifications[0]!.id] })
      assert.deepStrictEqual((yield* read).unread, 1)
      yield* stream.markNotificationsRead({ userId: "ada" })
      const after = yield* read
      assert.deepStrictEqual([after.unread, after.unseen], [0, 0])
      assert(after.notifications.every(({ isRead, isSeen }) => isRead && isSeen))
      yield* stream.addReaction({ userId: "cleo", activityId: "p1", type: "like" })
      yield* stream.createActivity({ userId: "bob", type: "post", mentionedUserIds: ["ada", "bob"] })
      const more = yield* read
      assert.deepStrictEqual(
        more.notifications.map(({ activityCount, isRead, type, userCount }) => [
          type,
          activityCount,
          userCount,
          isRead
        ]),
        [
          ["mention", 1, 1, false],
          ["reaction", 2, 2, false],
          ["follow", 1, 1, true]
        ]
      )
      assert.strictEqual(more.unread, 2)
      const page = yield* stream.getNotifications({ userId: "ada", limit: 2 })
      const rest = yield* stream.getNotifications({ userId: "ada", limit: 2, next: Option.getOrThrow(page.next) })
      assert.deepStrictEqual(
        rest.notifications.map(({ type }) => type),
        ["follow"]
      )
      assert.deepStrictEqual(rest.next, Option.none<string>())
      assert.deepStrictEqual((yield* stream.getNotifications({ userId: "bob" })).notifications, [])
      yield* TestTelemetry.expectSpan("stream.get_notifications", {
        attributes: {
          "stream.user_id": "ada",
          "stream.feed_id": "notification:ada",
          "stream.limit": 25,
          "result.item_count": 2
        }
      })
      yield* TestTelemetry.expectSpan("stream.mark_notifications_read", {
        attributes: { "stream.user_id": "ada", "stream.feed_id": "notification:ada" }
      })
    })
  )

  test(
    "ids with characters that mean something in a path go through as they are",
    Effect.gen(function* () {
      const stream = yield* users("ada", "b/c")
      for (const id of ["a/b", "a#b", "a?b=c", "ü 1", "50%", "$&", "{type}", "a%2Fb"]) {
        yield* stream.createActivity({ id, userId: "ada", type: "post", feedIds: [`user:${id}`] })
        yield* stream.addReaction({ userId: "b/c", activityId: id, type: id })
        const { activities } = yield* stream.getFeed({ userId: "b/c", feedId: `user:${id}` })
        assert.deepStrictEqual(
          activities.map((one) => [one.id, one.ownReactions]),
          [[id, [id]]]
        )
        assert.strictEqual(yield* stream.deleteReaction({ userId: "b/c", activityId: id, type: id }), true)
        assert.strictEqual(yield* stream.deleteActivity({ activityId: id }), true)
      }
    })
  )
}
