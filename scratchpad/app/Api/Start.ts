/** `GET /` says what there is; `GET /health` whether it works. */
import { Effect } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { SqlClient } from "effect/sql"
import { Cache } from "effect-telemetry/Cache"

const start = HttpServerResponse.text(
  `The reference backend of effect-telemetry: a social audio product. Say who you are with x-user-id: u_mara

GET    /api/v1/users/:id
PUT    /api/v1/users/:id/follow        DELETE stops following
GET    /api/v1/feed?type=&limit=&offset=            type: timeline, global, trending
POST   /api/v1/posts                   { title, format, genre, durationSeconds, bpm?, daw? }
GET    /api/v1/posts/:id
GET    /api/v1/posts/:id/comments
POST   /api/v1/posts/:id/comments      { body, atSeconds?, replyTo? }
POST   /api/v1/posts/:id/engagement    { type }     type: play, view, like, share
PUT    /api/v1/posts/:id/audio         the recording; GET gives it back
GET    /api/v1/recommendations?limit=
GET    /api/v1/search?q=&genre=&limit=
GET    /health
`
)

const health = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const cache = yield* Cache
  const answers = <A, E, R>(check: Effect.Effect<A, E, R>) =>
    Effect.match(check, { onSuccess: () => "ok" as const, onFailure: () => "away" as const })
  const parts = yield* Effect.all(
    { database: answers(sql`SELECT 1`), cache: answers(cache.ping()) },
    { concurrency: "unbounded" }
  )
  // Nothing works without the database; everything does without the cache.
  return yield* HttpServerResponse.json(parts, { status: parts.database === "ok" ? 200 : 503 })
})

export const routes = HttpRouter.addAll([
  HttpRouter.route("GET", "/", Effect.succeed(start)),
  HttpRouter.route("GET", "/health", health)
])
