import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ask, backendLayer, expectTrace } from "../support.ts"

const options = { timeout: "60 seconds", excludeTestServices: true } as const
const handled = (type: string) => ({ name: "exception", attributes: { "exception.type": type } })

layer(backendLayer("cache=down,gorse=down,s3.put_object=down,es=down,stream=down"), options)(
  "with faults on purpose",
  (it) => {
    it.effect("a feed comes from the database where the cache is away", () =>
      Effect.gen(function* () {
        const { json, status } = yield* ask("/api/v1/feed")
        assert.strictEqual(status, 200)
        assert.lengthOf(json.items, 10)
        yield* expectTrace({
          name: "GET /api/v1/feed",
          status: "unset",
          children: [
            {
              name: "feed.get",
              status: "unset",
              attributes: { "external.service": "cache" },
              children: [
                {
                  name: "cache.get",
                  status: "error",
                  attributes: { "error.type": "Unavailable", "external.retry_count": 2 },
                  events: ["retry", "retry", "exception"]
                },
                "db.select",
                "data.enrich_posts",
                { name: "cache.set", status: "error" }
              ]
            }
          ]
        })
      })
    )

    it.effect("an open circuit refuses calls at once", () =>
      Effect.gen(function* () {
        const { status } = yield* ask("/api/v1/feed")
        assert.strictEqual(status, 200)
        yield* expectTrace({
          name: "GET /api/v1/feed",
          children: [
            {
              name: "feed.get",
              otherChildren: true,
              children: [
                {
                  name: "cache.get",
                  status: "error",
                  attributes: {
                    "error.type": "CircuitOpen",
                    "external.circuit_breaker_triggered": true,
                    "external.retry_count": undefined
                  }
                }
              ]
            }
          ]
        })
      })
    )

    it.effect("a post is created where everything but the database is away", () =>
      Effect.gen(function* () {
        const { status } = yield* ask("/api/v1/posts", {
          user: "u_mara",
          json: { title: "Alone", format: "wav", genre: "lofi", durationSeconds: 3 }
        })
        assert.strictEqual(status, 201)
        yield* expectTrace({
          name: "POST /api/v1/posts",
          status: "unset",
          children: [
            {
              name: "feed.create_post",
              status: "unset",
              events: [handled("CircuitOpen")],
              unordered: true,
              otherChildren: true,
              children: [
                { name: "db.insert", status: "unset" },
                { name: "cache.delete", status: "error" },
                { name: "es.index", status: "error" },
                { name: "stream.create_activity", status: "error" },
                { name: "s3.put_object", status: "error" },
                { name: "gorse.insert_user_item", status: "error" }
              ]
            }
          ]
        })
      })
    )

    it.effect("a timeline comes from the database where Stream is away, a search where the engine is", () =>
      Effect.gen(function* () {
        const timeline = yield* ask("/api/v1/feed?type=timeline&limit=5", { user: "u_wren" })
        assert.lengthOf(timeline.json.items, 5)
        yield* expectTrace({
          name: "GET /api/v1/feed",
          status: "unset",
          children: [
            {
              name: "feed.get",
              status: "unset",
              attributes: { "feed.fallback_used": true, "external.service": "stream.io" },
              children: [{ name: "stream.get_feed", status: "error" }, "db.select", "data.enrich_posts"]
            }
          ]
        })
        const found = yield* ask("/api/v1/search?q=rain")
        assert.isAtLeast(found.json.posts.length, 3)
        yield* expectTrace({
          name: "GET /api/v1/search",
          status: "unset",
          children: [
            {
              name: "search.query",
              status: "unset",
              attributes: { "search.fallback_used": true, "external.service": "elasticsearch" },
              children: [{ name: "es.search", status: "error" }, "db.select"]
            }
          ]
        })
      })
    )

    it.effect("nobody follows where Stream is away: nothing has changed, and it may be tried again", () =>
      Effect.gen(function* () {
        const answer = yield* ask("/api/v1/users/u_teo/follow", { method: "PUT", user: "u_wren" })
        assert.strictEqual(answer.status, 503)
        yield* expectTrace({
          name: "PUT /api/v1/users/:id/follow",
          status: "error",
          children: [
            {
              name: "social.follow_user",
              status: "error",
              children: ["db.select", { name: "stream.follow", status: "error" }]
            }
          ]
        })
      })
    )

    it.effect("recommendations are what everybody likes where Gorse is away", () =>
      Effect.gen(function* () {
        const { json, status } = yield* ask("/api/v1/recommendations", { user: "u_wren" })
        assert.strictEqual(status, 200)
        assert.lengthOf(json.items, 5)
        yield* expectTrace({
          name: "GET /api/v1/recommendations",
          children: [
            {
              name: "feed.recommend",
              status: "unset",
              attributes: { "feed.fallback_used": true },
              otherChildren: true,
              children: [{ name: "gorse.get_recommend", status: "error" }]
            }
          ]
        })
      })
    )

    it.effect("an upload fails as a service that is away, which is an error of the server", () =>
      Effect.gen(function* () {
        const answer = yield* ask("/api/v1/posts/p_01/audio", {
          method: "PUT",
          user: "u_mara",
          body: "la",
          headers: { "content-type": "audio/wav" }
        })
        assert.strictEqual(answer.status, 503)
        assert.strictEqual(answer.headers.get("retry-after"), "1")
        yield* expectTrace({
          name: "PUT /api/v1/posts/:id/audio",
          status: "error",
          attributes: { "http.response.status_code": 503, "error.type": /Unavailable|CircuitOpen/ },
          children: [
            "db.select",
            { name: "audio.upload", status: "error", children: [{ name: "s3.put_object", status: "error" }] }
          ]
        })
      })
    )
  }
)

layer(backendLayer("stream.follow=fail:2,es.search=fail:3"), options)("with the faults of the demo", (it) => {
  it.effect("Stream is asked until it answers", () =>
    Effect.gen(function* () {
      const { status } = yield* ask("/api/v1/users/u_sol/follow", { method: "PUT", user: "u_wren" })
      assert.strictEqual(status, 201)
      yield* expectTrace({
        name: "PUT /api/v1/users/:id/follow",
        status: "unset",
        children: [
          {
            name: "social.follow_user",
            status: "unset",
            otherChildren: true,
            children: [
              {
                name: "stream.follow",
                status: "unset",
                attributes: { "external.retry_count": 2 },
                events: [
                  { name: "retry", attributes: { "retry.attempt": 1, "error.type": "Unavailable" } },
                  { name: "retry", attributes: { "retry.attempt": 2 } }
                ]
              }
            ]
          }
        ]
      })
    })
  )

  it.effect("the database answers a search that the engine does not, once", () =>
    Effect.gen(function* () {
      const search = (fallbackUsed: boolean) =>
        Effect.andThen(
          ask("/api/v1/search?q=rain"),
          expectTrace({
            name: "GET /api/v1/search",
            children: [{ name: "search.query", attributes: { "search.fallback_used": fallbackUsed } }]
          })
        )
      yield* search(true)
      yield* search(false)
    })
  )
})
