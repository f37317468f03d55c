import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as BusinessEvent from "../../src/events/BusinessEvent.ts"
import * as BusinessEvents from "../../src/events/BusinessEvents.ts"
import * as Attributes from "../../src/operation/Attributes.ts"
import * as TestTelemetry from "../../src/testing/TestTelemetry.ts"

class Full extends Data.TaggedError("Full")<{ readonly message: string }> {}

interface Case {
  readonly wrap: (self: Effect.Effect<unknown>) => Effect.Effect<unknown>
  readonly name: string
  readonly attributes: Readonly<Record<string, string | number | boolean | ReadonlyArray<string>>>
}

const cases: ReadonlyArray<Case> = [
  {
    wrap: BusinessEvents.getFeed({ type: "timeline", limit: 20, offset: 0, enrichmentType: "authors" }, () => ({
      itemCount: 7,
      fallbackUsed: false
    })),
    name: "feed.get",
    attributes: {
      "feed.type": "timeline",
      "feed.limit": 20,
      "feed.offset": 0,
      "feed.item_count": 7,
      "feed.enrichment_type": "authors",
      "feed.fallback_used": false
    }
  },
  {
    wrap: BusinessEvents.createPost({ audioFormat: "flac" }, () => ({ postId: "p1" })),
    name: "feed.create_post",
    attributes: { "post.id": "p1", "audio.format": "flac" }
  },
  {
    wrap: BusinessEvents.enrichPosts({ type: "authors", count: 3 }),
    name: "data.enrich_posts",
    attributes: { "enrichment.type": "authors", "enrichment.count": 3 }
  },
  {
    wrap: BusinessEvents.followUser({ userId: "u1", targetUserId: "u2" }),
    name: "social.follow_user",
    attributes: { "user.id": "u1", "target_user.id": "u2" }
  },
  {
    wrap: BusinessEvents.socialInteraction({
      action: "like",
      targetType: "post",
      targetId: "p1",
      notificationSent: true,
      isFollowing: false
    }),
    name: "social.like",
    attributes: {
      "action.type": "like",
      "target.type": "post",
      "target.id": "p1",
      "notification.sent": true,
      "follow.is_following": false
    }
  },
  {
    wrap: BusinessEvents.createComment({ postId: "p1", commentId: "c1", hasReply: true }),
    name: "social.create_comment",
    attributes: { "post.id": "p1", "comment.id": "c1", "comment.has_reply": true }
  },
  {
    wrap: BusinessEvents.addReaction({ emoji: "🔥", targetId: "p1" }),
    name: "social.add_reaction",
    attributes: { "reaction.emoji": "🔥", "target.id": "p1" }
  },
  {
    wrap: BusinessEvents.audioUpload({ audioPostId: "p1", sizeBytes: 1024, format: "wav", daw: "Reaper" }),
    name: "audio.upload",
    attributes: { "audio_post.id": "p1", "file.size_bytes": 1024, "audio.format": "wav", "audio.daw": "Reaper" }
  },
  {
    wrap: BusinessEvents.audioProcessing({ audioPostId: "p1", status: "complete" }),
    name: "audio.processing",
    attributes: { "audio_post.id": "p1", "processing.status": "complete" }
  },
  {
    wrap: BusinessEvents.search({
      query: "x".repeat(300),
      index: "posts",
      resultCount: 2,
      filters: ["genre:jazz"],
      fallbackUsed: true
    }),
    name: "search.query",
    attributes: {
      "search.query": "x".repeat(200),
      "search.index": "posts",
      "search.result_count": 2,
      "search.filters": ["genre:jazz"],
      "search.fallback_used": true
    }
  },
  {
    wrap: BusinessEvents.engagement({ type: "play", postId: "p1", userId: "u1", playCount: 8, viewCount: 9 }),
    name: "engagement.track_play",
    attributes: {
      "engagement.event_type": "play",
      "post.id": "p1",
      "user.id": "u1",
      "engagement.play_count": 8,
      "engagement.view_count": 9
    }
  },
  {
    wrap: BusinessEvents.externalApi({
      service: "weather",
      operation: "forecast",
      resourceId: "oslo",
      retryCount: 1,
      errorRetryable: true,
      cacheHit: false,
      circuitBreakerTriggered: false
    }),
    name: "external.weather.forecast",
    attributes: {
      "external.service": "weather",
      "external.operation": "forecast",
      "external.resource_id": "oslo",
      "external.retry_count": 1,
      "external.error.retryable": true,
      "external.cache_hit": false,
      "external.circuit_breaker_triggered": false
    }
  }
]

describe("BusinessEvents", () => {
  for (const { attributes, name, wrap } of cases) {
    it.effect(name, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* Effect.succeed(42).pipe(wrap), 42)
        yield* TestTelemetry.expectTrace({ name, kind: "internal", status: "unset", attributes })
      }).pipe(Effect.provide(TestTelemetry.layer()))
    )
  }

  it.effect("a failure is recorded and passed on unchanged", () =>
    Effect.gen(function* () {
      const failure = new Full({ message: "the room is full" })
      const seen = yield* Effect.flip(Effect.fail(failure).pipe(BusinessEvents.createPost({ audioFormat: "mp3" })))
      assert.strictEqual(seen, failure)
      yield* TestTelemetry.expectTrace({
        name: "feed.create_post",
        status: "error",
        statusMessage: "the room is full",
        attributes: { "error.type": "Full", "audio.format": "mp3", "post.id": undefined },
        events: [{ name: "exception", attributes: { "exception.type": "Full" } }]
      })
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )

  it.effect("what becomes known on the way is added to the enclosing event, from any depth", () =>
    Effect.gen(function* () {
      yield* BusinessEvents.getFeed
        .annotate({ fallbackUsed: true })
        .pipe(
          Effect.andThen(BusinessEvents.socialInteraction.annotate({ notificationSent: true })),
          Effect.withSpan("db.select"),
          BusinessEvents.getFeed({ type: "global" }),
          BusinessEvents.socialInteraction({ action: "save" })
        )
      yield* BusinessEvents.getFeed.annotate({ fallbackUsed: false })
      yield* TestTelemetry.expectTrace({
        name: "social.save",
        attributes: { "notification.sent": true },
        children: [{ name: "feed.get", attributes: { "feed.fallback_used": true }, children: ["db.select"] }]
      })
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )

  it.effect("a function of the result that throws costs its attributes, not the result", () =>
    Effect.gen(function* () {
      const broken = BusinessEvents.createPost({ audioFormat: "mp3" }, () => {
        throw new Error("no")
      })
      assert.strictEqual(yield* Effect.succeed(1).pipe(broken), 1)
      yield* TestTelemetry.expectTrace({ name: "feed.create_post", status: "unset" })
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )

  it.effect("an event of one's own", () =>
    Effect.gen(function* () {
      const startRoom = BusinessEvent.make<{ readonly roomId?: string }>({
        name: "room.start",
        brief: "a room opens",
        attributes: { "room.id": Attributes.string("the room", (event) => event.roomId) }
      })
      yield* Effect.succeed({ id: "r1" }).pipe(startRoom({}, (room) => ({ roomId: room.id })))
      yield* TestTelemetry.expectTrace({ name: "room.start", attributes: { "room.id": "r1" } })
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )
})
