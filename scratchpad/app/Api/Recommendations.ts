/** `GET /api/v1/recommendations`: what to listen to next. */
import { Effect, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { recommend } from "../Recommendations.ts"
import { signedIn } from "./Identity.ts"
import { queryInt } from "./Input.ts"

const query = HttpServerRequest.schemaSearchParams(Schema.Struct({ limit: queryInt(1, 50, 5) }))

const get = Effect.gen(function* () {
  const userId = yield* signedIn
  const { limit } = yield* query
  const { items } = yield* recommend(userId, limit)
  return yield* HttpServerResponse.json({ items })
})

export const routes = HttpRouter.add("GET", "/api/v1/recommendations", get)
