import { createHmac } from "node:crypto"
import { assert, describe } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { StreamIO, type Token } from "../../../src/services/StreamIO/StreamIO.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"
import { declare, type Declare, ids, none, spanOf, users } from "./contract.ts"
import { activitySuite } from "./suite.activities.ts"

/** What every layer of Stream must do. */
export const streamSuite = (name: string, layer: Layer.Layer<StreamIO, unknown>, secret: string): void => {
  describe(name, () => {
    const test = declare(layer)
    peopleSuite(test, secret)
    activitySuite(test)
  })
}

/** Users, follows, tokens, and what is refused. */
const peopleSuite = (test: Declare, secret: string): void => {
  test(
    "upsertUser: inserts, then replaces",
    Effect.gen(function* () {
      const stream = yield* StreamIO
      const before = yield* stream.upsertUser({
        userId: "ada",
        name: "Ada",
        image: "https://example.com/ada.png",
        role: "admin",
        custom: { city: "Oslo", n: 1 }
      })
      assert.deepInclude(before, {
        id: "ada",
        name: Option.some("Ada"),
        image: Option.some("https://example.com/ada.png"),
        role: "admin",
        custom: { city: "Oslo", n: 1 }
      })
      const after = yield* stream.upsertUser({ userId: "ada", name: "Ada L." })
      assert.deepInclude(after, { name: Option.some("Ada L."), image: Option.none(), role: "user", custom: {} })
      assert.strictEqual(DateTime.toEpochMillis(after.createdAt), DateTime.toEpochMillis(before.createdAt))
      yield* TestTelemetry.expectSpan("stream.upsert_user", {
        kind: "client",
        status: "unset",
        attributes: {
          "external.service": "stream.io",
          "external.operation": "upsert_user",
          "stream.operation": "upsert_user",
          "stream.user_id": "ada",
          "external.retry_count": undefined
        }
      })
    })
  )

  test(
    "what is posted comes into the timelines of those who follow, older posts too; unfollowing takes it out",
    Effect.gen(function* () {
      const stream = yield* users("ada", "bob", "cleo")
      yield* stream.createActivity({ id: "p1", userId: "ada", type: "post", text: "first" })
      const { created, follow } = yield* stream.follow({ userId: "bob", targetId: "ada" })
      assert.strictEqual(created, true)
      assert.deepInclude(follow, {
        feedId: "timeline:bob",
        userId: "bob",
        targetFeedId: "user:ada",
        targetId: "ada",
        status: "accepted"
      })
      yield* stream.follow({ userId: "cleo", targetId: "ada", copyLimit: 0 })
      yield* stream.createActivity({ id: "p2", userId: "ada", type: "post" })
      assert.deepStrictEqual(ids(yield* stream.getFeed({ userId: "bob" })), ["p2", "p1"])
      assert.deepStrictEqual(ids(yield* stream.getFeed({ userId: "cleo" })), ["p2"])
      assert.deepStrictEqual(ids(yield* stream.getFeed({ userId: "cleo", feedId: "user:ada" })), ["p2", "p1"])
      assert.deepStrictEqual(ids(yield* stream.getFeed({ userId: "ada" })), none)
      assert.strictEqual(yield* stream.unfollow({ userId: "bob", targetId: "ada" }), true)
      assert.deepStrictEqual(ids(yield* stream.getFeed({ userId: "bob" })), none)
      assert.strictEqual(yield* stream.unfollow({ userId: "cleo", targetId: "ada", keepHistory: true }), true)
      yield* stream.createActivity({ id: "p3", userId: "ada", type: "post" })
      assert.deepStrictEqual(ids(yield* stream.getFeed({ userId: "cleo" })), ["p2"])
      yield* TestTelemetry.expectSpan("stream.follow", {
        attributes: {
          "stream.user_id": "bob",
          "stream.target_id": "ada",
          "stream.feed_id": "timeline:bob",
          "result.item_count": 1
        }
      })
      yield* TestTelemetry.expectSpan("stream.get_feed", {
        attributes: {
          "stream.user_id": "bob",
          "stream.feed_id": "timeline:bob",
          "stream.limit": 25,
          "result.item_count": 2
        }
      })
    })
  )

  test(
    "follow and unfollow twice: the second says that nothing changed",
    Effect.gen(function* () {
      const stream = yield* users("ada", "bob")
      yield* stream.follow({ userId: "bob", targetId: "ada" })
      assert.strictEqual((yield* stream.follow({ userId: "bob", targetId: "ada" })).created, false)
      assert.strictEqual(yield* stream.unfollow({ userId: "bob", targetId: "ada" }), true)
      assert.strictEqual(yield* stream.unfollow({ userId: "bob", targetId: "ada" }), false)
      const counts = (name: string, spans: ReadonlyArray<TestTelemetry.TestSpan>) =>
        spanOf(name, spans).map(({ attributes, status }) => [attributes["result.item_count"], status])
      const spans = yield* TestTelemetry.spans
      assert.deepStrictEqual(counts("stream.follow", spans), [
        [1, "unset"],
        [0, "unset"]
      ])
      assert.deepStrictEqual(counts("stream.unfollow", spans), [
        [1, "unset"],
        [0, "unset"]
      ])
    })
  )

  test(
    "feeds of the application's own",
    Effect.gen(function* () {
      const stream = yield* users("ada", "bob")
      yield* stream.follow({ userId: "bob", targetId: "ada", feedId: "timeline:bob", targetFeedId: "stories:ada" })
      yield* stream.createActivity({ id: "s1", userId: "ada", type: "story", feedIds: ["stories:ada", "user:ada"] })
      yield* stream.createActivity({ id: "p1", userId: "ada", type: "post" })
      const page = yield* stream.getFeed({ userId: "bob" })
      assert.deepStrictEqual(ids(page), ["s1"])
      assert.deepStrictEqual(page.activities[0]!.feedIds, ["stories:ada", "user:ada"])
      yield* TestTelemetry.expectSpan("stream.create_activity", {
        attributes: { "stream.feed_id": "stories:ada,user:ada" }
      })
    })
  )

  test(
    "getFollowers and getFollowing: streams over all pages, no more than asked for",
    Effect.gen(function* () {
      const names = Array.from({ length: 105 }, (_, n) => `user-${n}`)
      const stream = yield* users("ada", ...names)
      for (const userId of names) yield* stream.follow({ userId, targetId: "ada", notify: false })
      const followers = yield* Stream.runCollect(stream.getFollowers({ userId: "ada" }))
      assert.deepStrictEqual(followers.map(({ userId }) => userId).toSorted(), names.toSorted())
      assert(followers.every(({ targetId }) => targetId === "ada"))
      assert.strictEqual((yield* Stream.runCollect(stream.getFollowers({ userId: "ada", limit: 101 }))).length, 101)
      assert.strictEqual(
        (yield* Stream.runCollect(stream.getFollowers({ userId: "ada" }).pipe(Stream.take(3)))).length,
        3
      )
      const following = yield* Stream.runCollect(stream.getFollowing({ userId: "user-7" }))
      assert.deepStrictEqual(
        following.map(({ targetFeedId }) => targetFeedId),
        ["user:ada"]
      )
      assert.deepStrictEqual(yield* Stream.runCollect(stream.getFollowing({ userId: "ada" })), [])
      const spans = spanOf("stream.get_followers", yield* TestTelemetry.spans)
      assert.deepStrictEqual(
        spans.map(({ attributes }) => [
          attributes["stream.feed_id"],
          attributes["stream.limit"],
          attributes["result.item_count"]
        ]),
        [
          ["user:ada", undefined, 105],
          ["user:ada", 101, 101],
          ["user:ada", undefined, spans[2]!.attributes["result.item_count"]]
        ]
      )
      yield* TestTelemetry.expectSpan("stream.get_following", {
        attributes: { "stream.user_id": "user-7", "stream.feed_id": "timeline:user-7", "result.item_count": 1 }
      })
    })
  )

  test(
    "createToken: signed with the secret, never shown",
    Effect.gen(function* () {
      const stream = yield* StreamIO
      const payloadOf = ({ token }: Token) => {
        const [header, payload, signature] = Redacted.value(token).split(".")
        assert.strictEqual(createHmac("sha256", secret).update(`${header}.${payload}`).digest("base64url"), signature)
        assert.deepInclude(JSON.parse(Buffer.from(header!, "base64url").toString()), { alg: "HS256" })
        return JSON.parse(Buffer.from(payload!, "base64url").toString())
      }
      const now = Math.floor(Date.now() / 1000)
      const token = yield* stream.createToken({ userId: "ada" })
      const payload = payloadOf(token)
      assert.strictEqual(payload.user_id, "ada")
      assert(payload.iat <= now && payload.iat > now - 5)
      assert(Math.abs(payload.exp - now - 3600) < 5)
      assert.strictEqual(DateTime.toEpochMillis(Option.getOrThrow(token.expiresAt)), payload.exp * 1000)
      const short = yield* stream.createToken({ userId: "ada", expiresIn: "5 minutes" })
      assert(Math.abs(payloadOf(short).exp - now - 300) < 5)
      const permanent = yield* stream.createToken({ userId: "ada", expiresIn: "Infinity" })
      assert.deepStrictEqual(permanent.expiresAt, Option.none())
      assert.strictEqual(payloadOf(permanent).exp, undefined)
      assert.notInclude(JSON.stringify(token) + String(token), Redacted.value(token.token))
      yield* TestTelemetry.expectTrace({
        name: "stream.create_token",
        attributes: { "stream.user_id": "ada" },
        children: []
      })
    })
  )

  test(
    "a user that is not there: NotFound, an error of the span",
    Effect.gen(function* () {
      const stream = yield* users("ada")
      for (const effect of [
        stream.follow({ userId: "nobody", targetId: "ada" }),
        stream.follow({ userId: "ada", targetId: "nobody" }),
        stream.createActivity({ userId: "nobody", type: "post" }),
        stream.getFeed({ userId: "nobody" })
      ]) {
        const { reason } = yield* Effect.flip(Effect.asVoid<unknown, any, never>(effect))
        assert.deepInclude(reason, { _tag: "NotFound", status: 404, code: 16 })
      }
      const caught = yield* stream
        .getFeed({ userId: "nobody" })
        .pipe(Effect.catchReason("StreamIOError", "NotFound", () => Effect.succeed("caught")))
      assert.strictEqual(caught, "caught")
      yield* TestTelemetry.expectSpan("stream.get_feed", {
        status: "error",
        attributes: { "error.type": "NotFound", "external.error.retryable": false }
      })
    })
  )

  test(
    "a feed that follows itself: InvalidRequest",
    Effect.gen(function* () {
      const stream = yield* users("ada")
      const { reason } = yield* Effect.flip(
        stream.follow({ userId: "ada", targetId: "ada", feedId: "user:ada", targetFeedId: "user:ada" })
      )
      assert.deepInclude(reason, { _tag: "InvalidRequest", status: 400, code: 4 })
    })
  )

  test(
    "what cannot be meant is refused, named, never sent",
    Effect.gen(function* () {
      const stream = yield* StreamIO
      const refused: ReadonlyArray<readonly [Effect.Effect<unknown, any>, string]> = [
        [stream.deleteActivity({ activityId: ".." }), 'activityId is "..": expected'],
        [stream.deleteActivity({ activityId: " " }), 'activityId is " ": expected'],
        [stream.getFeed({ userId: "a:b" }), 'userId is "a:b": expected'],
        [stream.getFeed({ userId: "a\n" }), "userId is"],
        [
          stream.getFeed({ userId: "ada", feedId: "timeline" }),
          'feedId is "timeline": expected a feed\'s id: group:id'
        ],
        [stream.getFeed({ userId: "ada", feedId: "a:b:c" }), 'feedId is "a:b:c": expected'],
        [stream.getFeed({ userId: "ada", limit: 101 }), "limit is 101: expected an integer from 1 to 100"],
        [stream.getNotifications({ userId: "ada", limit: 0 }), "limit is 0: expected"],
        [stream.follow({ userId: "a", targetId: "b", copyLimit: 1001 }), "copyLimit is 1001: expected"],
        [stream.createActivity({ userId: "a", type: "" }), 'type is "": expected'],
        [stream.createActivity({ userId: "a", type: "post", feedIds: [] }), "feedIds is : expected a list of 1 to 25"],
        [
          stream.createToken({ userId: "a", expiresIn: 10 }),
          "expiresIn is 10: expected a duration of at least 1 second"
        ],
        [Stream.runDrain(stream.getFollowers({ userId: "a", limit: 0 })), "limit is 0: expected an integer, at least 1"]
      ]
      for (const [effect, message] of refused) {
        const failure = yield* Effect.flip(effect)
        assert.strictEqual(failure._tag, "StreamIOError")
        assert.strictEqual(failure.reason._tag, "InvalidRequest")
        assert.include(failure.message, message)
      }
      assert.isFalse((yield* TestTelemetry.spans).some((span) => /^(GET|POST|DELETE)$/.test(span.name)))
    })
  )
}
