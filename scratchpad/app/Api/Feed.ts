/** `GET /api/v1/feed`: what there is to hear. */
import { Effect, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { FeedType } from "../Domain.ts"
import { getFeed, pageSize } from "../Feed.ts"
import { currentUser, signedIn } from "./Identity.ts"
import { queryInt } from "./Input.ts"

const query = HttpServerRequest.schemaSearchParams(
  Schema.Struct({
    type: FeedType.pipe(Schema.withDecodingDefaultKey(Effect.succeed("global" as const))),
    limit: queryInt(1, 50, pageSize),
    offset: queryInt(0, 10_000, 0)
  })
)

const get = Effect.gen(function* () {
  const page = yield* query
  const userId = page.type === "timeline" ? yield* signedIn : yield* currentUser
  const { items } = yield* getFeed(page, userId)
  return yield* HttpServerResponse.json({ ...page, items })
})

export const routes = HttpRouter.add("GET", "/api/v1/feed", get)
