/** `GET /api/v1/search`: finds posts by words. */
import { Effect, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as BusinessEvents from "effect-telemetry/events/BusinessEvents"
import { searchPosts } from "../Data/Posts.ts"
import { Genre, type Post } from "../Domain.ts"
import { queryInt } from "./Input.ts"

const query = HttpServerRequest.schemaSearchParams(
  Schema.Struct({
    q: Schema.Trim.check(Schema.isBetweenLength(1, 200)),
    genre: Schema.optionalKey(Genre),
    limit: queryInt(1, 50, 10)
  })
)

const get = Effect.gen(function* () {
  const { genre, limit, q } = yield* query
  const filters = genre === undefined ? undefined : [`genre:${genre}`]
  const posts = yield* searchPosts(q, genre, limit).pipe(
    BusinessEvents.search({ query: q, index: "posts", filters }, (posts: ReadonlyArray<Post>) => ({
      resultCount: posts.length
    }))
  )
  return yield* HttpServerResponse.json({ query: q, posts })
})

export const routes = HttpRouter.add("GET", "/api/v1/search", get)
