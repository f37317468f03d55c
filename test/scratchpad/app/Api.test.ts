import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { ExpectedSpan } from "../../../src/testing/TestTelemetry.ts"
import { ask, backendLayer, expectTrace } from "../support.ts"

const begin: ExpectedSpan = { name: "db.begin", kind: "client" }
const commit: ExpectedSpan = { name: "db.commit", kind: "client" }
const statement = (name: string, table: string): ExpectedSpan => ({
  name: `db.${name}`,
  kind: "client",
  status: "unset",
  attributes: {
    "db.system.name": "postgresql",
    "db.collection.name": table,
    "db.query.summary": `${name.toUpperCase()} ${table}`
  }
})
const enrichment: ExpectedSpan = {
  name: "data.enrich_posts",
  kind: "internal",
  unordered: true,
  children: [statement("select", "users"), statement("select", "comments")]
}
const post = { title: "  First Light ", format: "flac", genre: "lofi", durationSeconds: 90 }

layer(backendLayer(), { timeout: "60 seconds", excludeTestServices: true })("the API", (it) => {
  it.effect("gets a user: the request, and the statement under it", () =>
    Effect.gen(function* () {
      const { json, status } = yield* ask("/api/v1/users/u_mara", { headers: { "x-request-id": "req-1" } })
      assert.strictEqual(status, 200)
      assert.strictEqual(json.displayName, "Mara Lindqvist")
      yield* expectTrace({
        name: "GET /api/v1/users/:id",
        kind: "server",
        status: "unset",
        attributes: {
          "http.route": "/api/v1/users/:id",
          "http.response.status_code": 200,
          "request.id": "req-1",
          "user.id": undefined
        },
        events: [],
        children: [
          {
            ...statement("select", "users"),
            attributes: {
              "db.response.returned_rows": 1,
              "db.query.text": "SELECT * FROM users WHERE id = $1",
              "request.id": "req-1"
            },
            children: []
          }
        ]
      })
    })
  )

  it.effect("says 404 as an event, not as an error", () =>
    Effect.gen(function* () {
      const { headers, json, status } = yield* ask("/api/v1/users/u_nobody")
      assert.strictEqual(status, 404)
      assert.strictEqual(headers.get("content-type"), "application/problem+json")
      assert.deepInclude(json, { status: 404, title: "Not found", detail: "there is no user u_nobody" })
      assert.strictEqual(json.requestId, headers.get("x-request-id"))
      yield* expectTrace({
        name: "GET /api/v1/users/:id",
        status: "unset",
        attributes: { "http.response.status_code": 404, "error.type": undefined },
        events: [{ name: "exception", attributes: { "exception.message": "there is no user u_nobody" } }],
        children: [statement("select", "users")]
      })
    })
  )

  it.effect("refuses what the Schema refuses, and says everything that is wrong", () =>
    Effect.gen(function* () {
      const { json, status } = yield* ask("/api/v1/posts", {
        user: "u_mara",
        json: { ...post, title: "  ", format: "vinyl" }
      })
      assert.strictEqual(status, 400)
      assert.deepStrictEqual(
        json.issues.map(({ path }: { path: string }) => path),
        ["title", "format"]
      )
      yield* expectTrace({
        name: "POST /api/v1/posts",
        status: "unset",
        attributes: { "http.response.status_code": 400 },
        children: []
      })
      assert.strictEqual(
        (yield* ask("/api/v1/posts", { user: "u_mara", body: "{", headers: { "content-type": "application/json" } }))
          .status,
        400
      )
      assert.strictEqual((yield* ask("/api/v1/users/not-an-id")).status, 400)
      assert.strictEqual((yield* ask("/api/v1/feed?limit=1000")).status, 400)
    })
  )

  it.effect("needs to know who asks, where that matters", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* ask("/api/v1/posts", { json: post })).status, 401)
      assert.strictEqual((yield* ask("/api/v1/feed?type=timeline")).status, 401)
      // A well-formed id of nobody: the database's foreign key says so.
      const { json, status } = yield* ask("/api/v1/posts", { user: "u_nobody", json: post })
      assert.strictEqual(status, 422)
      assert.strictEqual(json.title, "Refers to something that is not there")
    })
  )

  it.effect("fills the cache with a feed, and answers from it", () =>
    Effect.gen(function* () {
      const first = yield* ask("/api/v1/feed?type=trending", { user: "u_wren" })
      assert.strictEqual(first.status, 200)
      assert.lengthOf(first.json.items, 10)
      assert.strictEqual(first.json.items[0].author.id, first.json.items[0].post.authorId)
      yield* expectTrace({
        name: "GET /api/v1/feed",
        attributes: { "user.id": "u_wren" },
        children: [
          {
            name: "feed.get",
            kind: "internal",
            attributes: {
              "feed.type": "trending",
              "feed.limit": 10,
              "feed.offset": 0,
              "feed.item_count": 10,
              "user.id": "u_wren"
            },
            children: [
              { name: "cache.get", attributes: { "cache.hit": false, "cache.key": "feed:trending" } },
              statement("select", "posts"),
              enrichment,
              { name: "cache.set", attributes: { "cache.key": "feed:trending", "cache.ttl_seconds": 30 } }
            ]
          }
        ]
      })
      const second = yield* ask("/api/v1/feed?type=trending")
      assert.deepStrictEqual(second.json, first.json)
      yield* expectTrace({
        name: "GET /api/v1/feed",
        children: [
          {
            name: "feed.get",
            attributes: { "result.from_cache": true, "feed.item_count": 10 },
            children: [{ name: "cache.get", attributes: { "cache.hit": true } }]
          }
        ]
      })
      const page = yield* ask("/api/v1/feed?type=trending&limit=3&offset=1")
      assert.deepStrictEqual(
        page.json.items.map((item: { post: { id: string } }) => item.post.id),
        first.json.items.slice(1, 4).map((item: { post: { id: string } }) => item.post.id)
      )
    })
  )

  it.effect("creates a post in steps, and the feeds that it belongs into have it", () =>
    Effect.gen(function* () {
      yield* ask("/api/v1/feed")
      const created = yield* ask("/api/v1/posts", { user: "u_mara", json: post })
      assert.strictEqual(created.status, 201)
      assert.deepInclude(created.json, {
        title: "First Light",
        authorId: "u_mara",
        status: "awaiting_audio",
        bpm: null
      })
      assert.strictEqual(created.headers.get("location"), `/api/v1/posts/${created.json.id}`)
      yield* expectTrace({
        name: "POST /api/v1/posts",
        kind: "server",
        status: "unset",
        attributes: { "http.response.status_code": 201, "user.id": "u_mara" },
        children: [
          {
            name: "feed.create_post",
            kind: "internal",
            attributes: { "post.id": created.json.id, "audio.format": "flac", "user.id": "u_mara" },
            children: [
              begin,
              statement("insert", "posts"),
              statement("select", "follows"),
              commit,
              {
                name: "s3.put_object",
                kind: "client",
                attributes: { "s3.key": `players/${created.json.id}.json`, "s3.content_type": "application/json" }
              },
              {
                name: "es.index",
                kind: "client",
                attributes: { "es.index": "posts", "es.doc_id": created.json.id, "external.service": "elasticsearch" }
              },
              {
                name: "stream.create_activity",
                kind: "client",
                attributes: { "stream.user_id": "u_mara", "stream.target_id": created.json.id }
              },
              {
                name: "gorse.insert_user_item",
                kind: "client",
                attributes: { "gorse.user_id": "u_mara", "gorse.item_id": created.json.id }
              },
              { name: "cache.delete", kind: "client", attributes: { "result.item_count": 1 } }
            ]
          }
        ]
      })
      const feed = yield* ask("/api/v1/feed")
      assert.strictEqual(feed.json.items[0].post.id, created.json.id)
      assert.deepStrictEqual((yield* ask(`/api/v1/posts/${created.json.id}`)).json, created.json)
      const timeline = yield* ask("/api/v1/feed?type=timeline", { user: "u_wren" })
      assert.strictEqual(timeline.json.items[0].post.id, created.json.id, "followers have it in their timelines")
      const found = yield* ask("/api/v1/search?q=first%20light&genre=lofi")
      assert.isTrue(found.json.posts.some(({ id }: { id: string }) => id === created.json.id))
    })
  )

  it.effect("follows: Stream first, then what depends on it", () =>
    Effect.gen(function* () {
      yield* ask("/api/v1/feed?type=timeline", { user: "u_ines" })
      const { json, status } = yield* ask("/api/v1/users/u_sol/follow", { method: "PUT", user: "u_ines" })
      assert.strictEqual(status, 201)
      assert.deepStrictEqual(json, { userId: "u_ines", targetUserId: "u_sol", following: true })
      yield* expectTrace({
        name: "PUT /api/v1/users/:id/follow",
        children: [
          {
            name: "social.follow_user",
            attributes: { "user.id": "u_ines", "target_user.id": "u_sol" },
            children: [
              statement("select", "users"),
              {
                name: "stream.follow",
                kind: "client",
                attributes: { "stream.user_id": "u_ines", "stream.target_id": "u_sol", "external.service": "stream.io" }
              },
              statement("insert", "follows"),
              { name: "gorse.insert_user_item", attributes: { "gorse.item_id": "u_sol", "gorse.feedback": "follow" } },
              { name: "cache.delete", attributes: { "result.item_count": 1 } }
            ]
          }
        ]
      })
      const authors = (answer: { readonly json: any }): ReadonlyArray<string> =>
        answer.json.items.map(({ author }: { author: { id: string } }) => author.id)
      assert.include(authors(yield* ask("/api/v1/feed?type=timeline", { user: "u_ines" })), "u_sol")
      assert.strictEqual((yield* ask("/api/v1/users/u_sol/follow", { method: "PUT", user: "u_ines" })).status, 200)

      assert.strictEqual((yield* ask("/api/v1/users/u_sol/follow", { method: "DELETE", user: "u_ines" })).status, 204)
      yield* expectTrace({
        name: "DELETE /api/v1/users/:id/follow",
        children: [
          {
            name: "social.follow",
            attributes: { "action.type": "follow", "target.id": "u_sol", "follow.is_following": false },
            children: ["stream.unfollow", "db.delete", "cache.delete"]
          }
        ]
      })
      assert.notInclude(authors(yield* ask("/api/v1/feed?type=timeline", { user: "u_ines" })), "u_sol")
      assert.strictEqual((yield* ask("/api/v1/users/u_nobody/follow", { method: "PUT", user: "u_ines" })).status, 404)
      assert.strictEqual((yield* ask("/api/v1/users/u_ines/follow", { method: "PUT", user: "u_ines" })).status, 422)
    })
  )

  it.effect("puts a timeline together from Stream, and older pages from the database", () =>
    Effect.gen(function* () {
      const timeline = (children: ReadonlyArray<ExpectedSpan | string>, attributes: ExpectedSpan["attributes"]) =>
        expectTrace({ name: "GET /api/v1/feed", children: [{ name: "feed.get", attributes, children }] })
      const first = yield* ask("/api/v1/feed?type=timeline&limit=4", { user: "u_juno" })
      assert.lengthOf(first.json.items, 4)
      yield* timeline(
        [
          { name: "stream.get_feed", attributes: { "stream.feed_id": "timeline:u_juno", "result.item_count": 4 } },
          statement("select", "posts"),
          enrichment
        ],
        { "feed.type": "timeline", "feed.fallback_used": false, "feed.item_count": 4 }
      )
      const second = yield* ask("/api/v1/feed?type=timeline&limit=4&offset=4", { user: "u_juno" })
      yield* timeline(["db.select", enrichment], { "feed.fallback_used": undefined, "feed.offset": 4 })
      const ids = [...first.json.items, ...second.json.items].map(({ post }: { post: { id: string } }) => post.id)
      assert.strictEqual(new Set(ids).size, 8, "no post twice")
    })
  )

  it.effect("searches: the engine says which, the database what they are now", () =>
    Effect.gen(function* () {
      const { json, status } = yield* ask("/api/v1/search?q=gravle&limit=5")
      assert.strictEqual(status, 200)
      assert.strictEqual(json.posts[0].title, "Gravel Road")
      yield* expectTrace({
        name: "GET /api/v1/search",
        attributes: { "url.query": "q=gravle&limit=5" },
        children: [
          {
            name: "search.query",
            attributes: { "search.query": "gravle", "search.index": "posts", "search.fallback_used": false },
            children: [
              { name: "es.search", kind: "client", attributes: { "es.query": "gravle", "es.index": "posts" } },
              statement("select", "posts")
            ]
          }
        ]
      })
      const filtered = yield* ask("/api/v1/search?q=rain&genre=house")
      assert.deepStrictEqual(
        filtered.json.posts.map(({ genre }: { genre: string }) => genre),
        ["house"]
      )
      yield* expectTrace({
        name: "GET /api/v1/search",
        children: [
          { name: "search.query", attributes: { "search.filters": ["genre:house"], "search.result_count": 1 } }
        ]
      })
      assert.strictEqual((yield* ask("/api/v1/search?q=")).status, 400)
    })
  )

  it.effect("comments on a post, where the comment makes sense", () =>
    Effect.gen(function* () {
      const said = { body: "that tape stop", atSeconds: 41 }
      const { json, status } = yield* ask("/api/v1/posts/p_01/comments", { user: "u_wren", json: said })
      assert.strictEqual(status, 201)
      yield* expectTrace({
        name: "POST /api/v1/posts/:id/comments",
        children: [
          {
            name: "social.create_comment",
            attributes: { "post.id": "p_01", "comment.id": json.id, "comment.has_reply": false },
            children: [statement("select", "posts"), statement("insert", "comments")]
          }
        ]
      })
      const reply = yield* ask("/api/v1/posts/p_01/comments", {
        user: "u_mara",
        json: { body: "thanks", replyTo: json.id }
      })
      assert.deepInclude(reply.json, { replyTo: json.id, atSeconds: null })
      const all = yield* ask("/api/v1/posts/p_01/comments")
      assert.deepStrictEqual(all.json.comments.slice(-2), [json, reply.json])

      const beyond = yield* ask("/api/v1/posts/p_01/comments", { user: "u_wren", json: { ...said, atSeconds: 10_000 } })
      assert.deepInclude(beyond.json, { status: 422, detail: "p_01 is only 164 seconds long" })
      yield* expectTrace({
        name: "POST /api/v1/posts/:id/comments",
        status: "unset",
        children: [{ name: "social.create_comment", status: "error", attributes: { "error.type": "Senseless" } }]
      })
      assert.strictEqual(
        (yield* ask("/api/v1/posts/p_02/comments", { user: "u_wren", json: { body: "?", replyTo: json.id } })).status,
        422
      )
      assert.strictEqual((yield* ask("/api/v1/posts/p_nowhere/comments", { user: "u_wren", json: said })).status, 404)
    })
  )

  it.effect("counts what listeners do, a like only once", () =>
    Effect.gen(function* () {
      const before = (yield* ask("/api/v1/posts/p_02")).json.playCount
      const played = yield* ask("/api/v1/posts/p_02/engagement", { user: "u_wren", json: { type: "play" } })
      assert.strictEqual(played.json.playCount, before + 1)
      yield* expectTrace({
        name: "POST /api/v1/posts/:id/engagement",
        children: [
          {
            name: "engagement.track_play",
            attributes: {
              "engagement.event_type": "play",
              "post.id": "p_02",
              "user.id": "u_wren",
              "engagement.play_count": before + 1
            },
            children: [
              begin,
              statement("update", "posts"),
              statement("insert", "engagements"),
              commit,
              { name: "cache.delete" },
              { name: "gorse.insert_feedback", attributes: { "gorse.feedback": "play" } }
            ]
          }
        ]
      })
      assert.strictEqual(
        (yield* ask("/api/v1/posts/p_02/engagement", { user: "u_wren", json: { type: "like" } })).status,
        200
      )
      const liked = (yield* ask("/api/v1/posts/p_02")).json.likeCount
      const again = yield* ask("/api/v1/posts/p_02/engagement", { user: "u_wren", json: { type: "like" } })
      assert.strictEqual(again.status, 409)
      yield* expectTrace({
        name: "POST /api/v1/posts/:id/engagement",
        status: "unset",
        attributes: { "http.response.status_code": 409 },
        children: [
          {
            name: "engagement.track_like",
            status: "error",
            attributes: { "error.type": "UniqueViolation" },
            children: [
              begin,
              statement("update", "posts"),
              {
                name: "db.insert",
                status: "error",
                attributes: { "error.type": "Conflict", "db.response.status_code": "23505" }
              },
              "db.rollback"
            ]
          }
        ]
      })
      assert.strictEqual((yield* ask("/api/v1/posts/p_02")).json.likeCount, liked, "what was counted is rolled back")
      assert.strictEqual(
        (yield* ask("/api/v1/posts/p_02/engagement", { user: "u_wren", json: { type: "hum" } })).status,
        400
      )
    })
  )

  it.effect("recommends what others like who like the same", () =>
    Effect.gen(function* () {
      const { json, status } = yield* ask("/api/v1/recommendations?limit=3", { user: "u_wren" })
      assert.strictEqual(status, 200)
      assert.lengthOf(json.items, 3)
      const liked = ["p_01", "p_07", "p_10"]
      assert.isFalse(json.items.some(({ post }: { post: { id: string } }) => liked.includes(post.id)))
      yield* expectTrace({
        name: "GET /api/v1/recommendations",
        children: [
          {
            name: "feed.recommend",
            attributes: { "feed.limit": 3, "feed.item_count": 3, "feed.fallback_used": false },
            children: [
              {
                name: "gorse.get_recommend",
                kind: "client",
                attributes: { "gorse.user_id": "u_wren", "result.item_count": 3 }
              },
              statement("select", "posts"),
              enrichment
            ]
          }
        ]
      })
    })
  )

  it.effect("says what there is, and whether it works", () =>
    Effect.gen(function* () {
      const start = yield* ask("/")
      assert.include(start.text, "POST   /api/v1/posts")
      const health = yield* ask("/health")
      assert.strictEqual(health.status, 200)
      assert.deepInclude(health.json, { database: "ok", cache: "ok" })
      const nowhere = yield* ask("/api/v2/users")
      assert.deepInclude(nowhere.json, { status: 404, detail: "GET / lists what there is" })
      yield* expectTrace({
        name: "GET",
        status: "unset",
        attributes: { "http.route": undefined, "http.response.status_code": 404 },
        children: []
      })
    })
  )

  it.effect("continues the trace of its caller, and gives the caller's ids back", () =>
    Effect.gen(function* () {
      const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
      const { headers } = yield* ask("/api/v1/users/u_teo", {
        headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01`, "x-correlation-id": "session-9" }
      })
      assert.strictEqual(headers.get("x-correlation-id"), "session-9")
      const root = yield* expectTrace({
        name: "GET /api/v1/users/:id",
        attributes: { "trace.correlation_id": "session-9" },
        children: [{ attributes: { "trace.correlation_id": "session-9" } }]
      })
      assert.strictEqual(root.traceId, traceId)
      assert.strictEqual(root.parentSpanId, "00f067aa0ba902b7")
    })
  )
})
