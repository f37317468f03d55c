import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { StreamIO, type StreamIOError } from "../../../src/services/StreamIO/StreamIO.ts"
import * as StreamIOLive from "../../../src/services/StreamIO/StreamIOLive.ts"
import * as Correlation from "../../../src/propagation/Correlation.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"
import { type Answer, answering, hang, json, waitUntil } from "../answering.ts"
import { secret, test } from "./support.ts"

const time = "2026-01-02T03:04:05.678Z"
const user = { id: "ada", role: "user", created_at: time, updated_at: time }
const activity = { id: "p1", type: "post", user, created_at: time, updated_at: time, feeds: null, custom: null }
const follow = {
  source_feed: { feed: "timeline:bob", created_by: { id: "bob" } },
  target_feed: { feed: "user:ada", created_by: user },
  status: "accepted",
  created_at: time
}
const reaction = { activity_id: "p1", user, type: "like", created_at: time }
const feed = { activities: null, aggregated_activities: null }

type Call = (stream: StreamIO["Service"]) => Effect.Effect<unknown, StreamIOError>

describe("StreamIOLive on the wire", () => {
  const wire: ReadonlyArray<
    readonly [
      title: string,
      call: Call,
      answer: unknown,
      request: string,
      body: unknown,
      query?: Record<string, string>
    ]
  > = [
    [
      "follow",
      (stream) => stream.follow({ userId: "bob", targetId: "ada" }),
      { follow, created: true },
      "POST /api/v2/feeds/follows/upsert",
      { source: "timeline:bob", target: "user:ada", create_notification_activity: true }
    ],
    [
      "follow with everything",
      (stream) =>
        stream.follow({
          userId: "bob",
          targetId: "ada",
          feedId: "t:1",
          targetFeedId: "u:2",
          notify: false,
          copyLimit: 0
        }),
      { follow, created: true },
      "POST /api/v2/feeds/follows/upsert",
      { source: "t:1", target: "u:2", create_notification_activity: false, activity_copy_limit: 0 }
    ],
    [
      "unfollow",
      (stream) => stream.unfollow({ userId: "bob", targetId: "ada", keepHistory: true }),
      { deleted: true },
      "POST /api/v2/feeds/unfollow/upsert",
      { source: "timeline:bob", target: "user:ada", keep_history: true }
    ],
    [
      "createActivity",
      (stream) =>
        stream.createActivity({
          userId: "ada",
          type: "post",
          text: "hi",
          custom: { a: [1] },
          visibility: "private",
          mentionedUserIds: ["bob"],
          notify: false
        }),
      { activity },
      "POST /api/v2/feeds/activities",
      {
        type: "post",
        feeds: ["user:ada"],
        user_id: "ada",
        text: "hi",
        custom: { a: [1] },
        visibility: "private",
        mentioned_user_ids: ["bob"],
        create_notification_activity: false
      }
    ],
    [
      "createActivity with an id",
      (stream) => stream.createActivity({ id: "p1", userId: "ada", type: "post", feedIds: ["a:1", "b:2"] }),
      { activities: [activity] },
      "POST /api/v2/feeds/activities/batch",
      {
        activities: [
          { id: "p1", type: "post", feeds: ["a:1", "b:2"], user_id: "ada", create_notification_activity: true }
        ]
      }
    ],
    [
      "deleteActivity",
      (stream) => stream.deleteActivity({ activityId: "a/b?c#d" }),
      {},
      "DELETE /api/v2/feeds/activities/a%2Fb%3Fc%23d",
      undefined,
      { hard_delete: "false" }
    ],
    [
      "getFeed",
      (stream) => stream.getFeed({ userId: "ada", limit: 3, next: "cursor" }),
      feed,
      "POST /api/v2/feeds/feed_groups/timeline/feeds/ada",
      { user_id: "ada", limit: 3, next: "cursor" }
    ],
    [
      "getNotifications",
      (stream) => stream.getNotifications({ userId: "a/b", feedId: "my notes:a/b" }),
      feed,
      "POST /api/v2/feeds/feed_groups/my%20notes/feeds/a%2Fb",
      { user_id: "a/b", limit: 25 }
    ],
    [
      "markNotificationsRead",
      (stream) => stream.markNotificationsRead({ userId: "ada", ids: ["g1"] }),
      {},
      "POST /api/v2/feeds/feed_groups/notification/feeds/ada/activities/mark/batch",
      { user_id: "ada", mark_read: ["g1"], mark_seen: ["g1"] }
    ],
    [
      "markNotificationsRead, all",
      (stream) => stream.markNotificationsRead({ userId: "ada" }),
      {},
      "POST /api/v2/feeds/feed_groups/notification/feeds/ada/activities/mark/batch",
      { user_id: "ada", mark_all_read: true, mark_all_seen: true }
    ],
    [
      "addReaction",
      (stream) => stream.addReaction({ userId: "bob", activityId: "$&", type: "like", custom: { a: 1 }, unique: true }),
      { reaction },
      "POST /api/v2/feeds/activities/%24%26/reactions",
      { user_id: "bob", type: "like", custom: { a: 1 }, enforce_unique: true, create_notification_activity: true }
    ],
    [
      "deleteReaction",
      (stream) => stream.deleteReaction({ userId: "b&b", activityId: "p1", type: "a/b" }),
      {},
      "DELETE /api/v2/feeds/activities/p1/reactions/a%2Fb",
      undefined,
      { user_id: "b&b" }
    ],
    [
      "getFollowers",
      (stream) => Stream.runDrain(stream.getFollowers({ userId: "ada" })),
      { follows: null },
      "POST /api/v2/feeds/follows/query",
      { filter: { target_feed: "user:ada", status: "accepted" }, limit: 100 }
    ],
    [
      "getFollowing",
      (stream) => Stream.runDrain(stream.getFollowing({ userId: "bob", limit: 7 })),
      { follows: [] },
      "POST /api/v2/feeds/follows/query",
      { filter: { source_feed: "timeline:bob", status: "accepted" }, limit: 7 }
    ],
    [
      "upsertUser",
      (stream) => stream.upsertUser({ userId: "ada", name: "Ada", image: "i", role: "admin", custom: { a: 1 } }),
      { users: { ada: user } },
      "POST /api/v2/users",
      { users: { ada: { id: "ada", name: "Ada", image: "i", role: "admin", custom: { a: 1 } } } }
    ]
  ]
  for (const [title, call, answer, request, body, query] of wire) {
    test(title, json(201, { duration: "1ms", ...(answer as object) }), (stream, { received }) =>
      Effect.gen(function* () {
        yield* call(stream).pipe(
          Correlation.provide({ correlationId: "c-1", requestId: "r-1" }),
          Effect.withSpan("request")
        )
        assert.strictEqual(received.length, 1)
        const [one] = received as [(typeof received)[0]]
        assert.strictEqual(`${one.method} ${one.path}`, request)
        assert.deepStrictEqual(one.query, { ...query, api_key: "key" })
        assert.deepStrictEqual(one.json, body)
        assert.strictEqual(one.headers["stream-auth-type"], "jwt")
        assert.match(String(one.headers["authorization"]), /^[\w-]+\.[\w-]+\.[\w-]+$/)
        assert.strictEqual(one.headers["x-correlation-id"], "c-1")
        assert.strictEqual(one.headers["x-request-id"], "r-1")
        const [method] = request.split(" ")
        const trace = yield* TestTelemetry.expectTrace({
          name: "request",
          children: [
            {
              name: /^stream\./,
              kind: "client",
              status: "unset",
              children: [
                {
                  name: method!,
                  kind: "client",
                  status: "unset",
                  attributes: {
                    "http.request.method": method!,
                    "http.response.status_code": 201,
                    "server.address": "127.0.0.1",
                    "url.full": /api_key=REDACTED$/
                  },
                  children: []
                }
              ]
            }
          ]
        })
        const attempt = trace.children[0]!.children[0]!
        assert.strictEqual(one.headers["traceparent"], `00-${attempt.traceId}-${attempt.spanId}-03`)
      })
    )
  }

  test("times come as text or as nanoseconds, and what is not there as null or not at all", hang, (stream, server) =>
    Effect.gen(function* () {
      server.answer = json(200, {
        activities: [
          { ...activity, created_at: Date.parse(time) * 1e6, text: null, reaction_groups: null, own_reactions: null },
          { ...activity, id: "p2", text: "t", unknown: { field: 1 } }
        ],
        next: ""
      })
      const page = yield* stream.getFeed({ userId: "ada" })
      assert.deepStrictEqual(page.next, Option.none<string>())
      assert.deepStrictEqual(
        page.activities.map(({ createdAt, id, text }) => [id, createdAt.epochMilliseconds, text]),
        [
          ["p1", Date.parse(time), Option.none()],
          ["p2", Date.parse(time), Option.some("t")]
        ]
      )
    })
  )

  test(
    "a notification feed that puts nothing together has each activity by itself",
    json(200, { activities: [{ ...activity, type: "follow", is_read: true, is_seen: true }] }),
    (stream) =>
      Effect.gen(function* () {
        const { notifications, unread } = yield* stream.getNotifications({ userId: "ada" })
        assert.deepStrictEqual(
          notifications.map(({ activityCount, id, isRead, type }) => [id, type, activityCount, isRead]),
          [["p1", "follow", 1, true]]
        )
        assert.strictEqual(unread, 0)
      })
  )

  const pages: Answer = ({ json: { limit, next } }, response) => {
    const start = Number(next ?? 0)
    const size = Math.min(limit, 2)
    response.end(
      JSON.stringify({
        follows: Array.from({ length: size }, () => follow),
        next: start < 4 ? String(start + 2) : undefined
      })
    )
  }
  test("pages are read as they are taken, each an attempt of the one span", pages, (stream, { received }) =>
    Effect.gen(function* () {
      const all = yield* Stream.runCollect(stream.getFollowers({ userId: "ada" }))
      assert.strictEqual(all.length, 6)
      yield* TestTelemetry.expectTrace({
        name: "stream.get_followers",
        attributes: { "result.item_count": 6 },
        children: ["POST", "POST", "POST"]
      })
      assert.deepStrictEqual(
        received.map(({ json }) => json.next),
        [undefined, "2", "4"]
      )
      received.length = 0
      assert.strictEqual((yield* Stream.runCollect(stream.getFollowers({ userId: "ada", limit: 3 }))).length, 3)
      assert.deepStrictEqual(
        received.map(({ json }) => json.limit),
        [3, 1]
      )
      received.length = 0
      yield* Stream.runDrain(stream.getFollowers({ userId: "ada" }).pipe(Stream.take(1)))
      assert.strictEqual(received.length, 1)
    })
  )

  test(
    "a later page that does not come: the stream fails at the deadline of an attempt, its span with it",
    hang,
    (stream, server) =>
      Effect.gen(function* () {
        const seen: Array<unknown> = []
        let closed = false
        server.answer = (received, response) => {
          if (received.json.next === undefined) return pages(received, response)
          response.on("close", () => {
            closed = true
          })
        }
        const failure = yield* Effect.flip(
          Stream.runForEach(stream.getFollowers({ userId: "ada" }), (one) => Effect.sync(() => seen.push(one)))
        )
        assert.strictEqual(failure.reason._tag, "Timeout")
        assert.strictEqual(seen.length, 2)
        assert.isBelow(yield* waitUntil(() => closed), 200)
        yield* TestTelemetry.expectTrace({
          name: "stream.get_followers",
          status: "error",
          attributes: { "error.type": "Timeout", "result.item_count": 2 },
          children: ["POST", "POST"]
        })
      }),
    { timeout: "60 millis" }
  )
})

describe("StreamIOLive, configuration", () => {
  const build = (environment: Record<string, string>) =>
    Layer.build(StreamIOLive.layerConfig()).pipe(
      Effect.scoped,
      Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(environment)),
      Effect.exit
    )
  const keys = { STREAM_API_KEY: "key", STREAM_API_SECRET: secret }

  it.live("reads the keys, and where to ask", () =>
    Effect.gen(function* () {
      const server = yield* answering(json(200, feed))
      yield* Effect.flatMap(StreamIO, (stream) => stream.getFeed({ userId: "ada" })).pipe(
        Effect.provide(StreamIOLive.layerConfig()),
        Effect.provideService(
          ConfigProvider.ConfigProvider,
          ConfigProvider.fromUnknown({ ...keys, STREAM_BASE_URL: server.url })
        )
      )
      assert.strictEqual(server.received[0]!.query["api_key"], "key")
    }).pipe(Effect.scoped)
  )

  it.effect("asks Stream itself where nothing else is said", () =>
    Effect.map(build(keys), (exit) => assert(Exit.isSuccess(exit)))
  )

  for (const [environment, message] of [
    [{ STREAM_API_SECRET: secret }, "STREAM_API_KEY"],
    [{ STREAM_API_KEY: "key" }, "STREAM_API_SECRET"],
    [{ ...keys, STREAM_API_KEY: "" }, "STREAM_API_KEY"],
    [{ ...keys, STREAM_API_SECRET: "" }, "STREAM_API_SECRET"],
    [
      { ...keys, STREAM_API_SECRET: `${secret}\n` },
      "STREAM_API_SECRET has white space or characters beyond ASCII; expected"
    ],
    [{ ...keys, STREAM_BASE_URL: "hunter2" }, "STREAM_BASE_URL: not a URL; expected http://host:port"],
    [{ ...keys, STREAM_BASE_URL: "ftp://x" }, "STREAM_BASE_URL: not a URL of HTTP; expected http://host:port"]
  ] as const) {
    it.effect(`${message}: named, and no secret is`, () =>
      Effect.gen(function* () {
        const exit = yield* build(environment)
        assert(Exit.isFailure(exit))
        assert.include(String(exit.cause), message)
        assert.notInclude(String(exit.cause) + JSON.stringify(exit.cause), "hunter2")
      })
    )
  }
})
