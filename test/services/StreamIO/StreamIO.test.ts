import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import * as Faults from "../../../src/operation/Faults.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"
import { operations, StreamIO } from "../../../src/services/StreamIO/StreamIO.ts"
import * as StreamIOEmbedded from "../../../src/services/StreamIO/StreamIOEmbedded.ts"
import * as StreamIOLive from "../../../src/services/StreamIO/StreamIOLive.ts"
import { API_KEY, API_SECRET, streamServer } from "./server.ts"
import { streamSuite } from "./suite.ts"

streamSuite("StreamIOEmbedded", StreamIOEmbedded.layer({ secret: Redacted.make("s3cret") }), "s3cret")
streamSuite(
  "StreamIOLive",
  Layer.unwrap(
    Effect.map(streamServer, ({ url }) => StreamIOLive.layer({ apiKey: API_KEY, apiSecret: API_SECRET, baseUrl: url }))
  ),
  API_SECRET
)

describe("StreamIO", () => {
  it("has the operations of the contract", () => {
    assert.deepStrictEqual(
      Object.values(operations.operations)
        .map(({ name }) => name)
        .toSorted(),
      [
        "add_reaction",
        "create_activity",
        "create_token",
        "delete_activity",
        "delete_reaction",
        "follow",
        "get_feed",
        "get_followers",
        "get_following",
        "get_notifications",
        "mark_notifications_read",
        "unfollow",
        "upsert_user"
      ]
    )
  })

  it.effect("the embedded layer goes by the clock of the fiber, and keeps the latest activities", () =>
    Effect.gen(function* () {
      const stream = yield* StreamIO
      yield* stream.upsertUser({ userId: "ada" })
      for (let n = 1; n <= 5; n++) {
        yield* stream.createActivity({ id: `p${n}`, userId: "ada", type: "post" })
        yield* TestClock.adjust("1 minute")
      }
      const { activities } = yield* stream.getFeed({ userId: "ada", feedId: "user:ada" })
      assert.deepStrictEqual(
        activities.map(({ id }) => id),
        ["p5", "p4", "p3"]
      )
      assert.strictEqual(activities[0]!.createdAt.epochMilliseconds, 4 * 60_000)
      const token = yield* stream.createToken({ userId: "ada", expiresIn: "1 minute" })
      assert.strictEqual(Option.getOrThrow(token.expiresAt).epochMilliseconds, 6 * 60_000)
    }).pipe(Effect.provide(StreamIOEmbedded.layer({ maxActivities: 3 })))
  )

  it.effect("notifications of another day are by themselves", () =>
    Effect.gen(function* () {
      const stream = yield* StreamIO
      for (const userId of ["ada", "bob", "cleo"]) yield* stream.upsertUser({ userId })
      yield* stream.follow({ userId: "bob", targetId: "ada" })
      yield* TestClock.adjust("1 day")
      yield* stream.follow({ userId: "cleo", targetId: "ada" })
      const { notifications } = yield* stream.getNotifications({ userId: "ada" })
      assert.deepStrictEqual(
        notifications.map(({ id }) => id),
        ["ada_follow_1970-01-02", "ada_follow_1970-01-01"]
      )
    }).pipe(Effect.provide(StreamIOEmbedded.layer()))
  )

  it.effect("what is private is seen by who did it", () =>
    Effect.gen(function* () {
      const stream = yield* StreamIO
      for (const userId of ["ada", "bob"]) yield* stream.upsertUser({ userId })
      yield* stream.createActivity({ userId: "ada", type: "draft", visibility: "private" })
      const count = (userId: string) =>
        Effect.map(stream.getFeed({ userId, feedId: "user:ada" }), ({ activities }) => activities.length)
      assert.deepStrictEqual([yield* count("ada"), yield* count("bob")], [1, 0])
    }).pipe(Effect.provide(StreamIOEmbedded.layer()))
  )

  it.live("faults on purpose befall the embedded layer: a follow that works at the third attempt", () =>
    Effect.gen(function* () {
      const stream = yield* StreamIO
      for (const userId of ["ada", "bob"]) yield* stream.upsertUser({ userId })
      yield* stream.follow({ userId: "bob", targetId: "ada" })
      yield* TestTelemetry.expectSpan("stream.follow", {
        status: "unset",
        attributes: { "external.retry_count": 2, "result.item_count": 1 },
        events: ["retry", "retry"]
      })
    }).pipe(
      Effect.provide(StreamIOEmbedded.layer({ retry: { baseDelay: "1 millis" } })),
      Effect.provide([Faults.layer("stream.follow=fail:2"), TestTelemetry.layer()])
    )
  )
})
