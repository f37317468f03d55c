/** `GET /api/v1/search`: finds posts by words. */
import { Effect, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Genre } from "../Domain.ts"
import { search } from "../Search.ts"
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
  const { posts } = yield* search({ text: q, genre, limit })
  return yield* HttpServerResponse.json({ query: q, posts })
})

export const routes = HttpRouter.add("GET", "/api/v1/search", get)
