/** `/api/v1/posts/:id/audio`: the recording of a post, in and out as a stream. */
import { Effect, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { readAudio, uploadAudio } from "../Audio.ts"
import { findPost } from "../Data/Posts.ts"
import { NotAllowed, TooLarge } from "../Domain.ts"
import { signedIn } from "./Identity.ts"
import { pathPost } from "./Input.ts"

const maxBytes = 100_000_000

const length = HttpServerRequest.schemaHeaders(
  Schema.Struct({ "content-length": Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThan(0)) })
)

const put = Effect.gen(function* () {
  const { id } = yield* pathPost
  const userId = yield* signedIn
  const { "content-length": size } = yield* length
  if (size > maxBytes)
    return yield* new TooLarge({ message: `${size} bytes are too many; at most ${maxBytes} are accepted` })
  const post = yield* findPost(id)
  if (post.authorId !== userId) return yield* new NotAllowed({ message: `${id} is a post of ${post.authorId}` })
  const { stream } = yield* HttpServerRequest.HttpServerRequest
  return yield* HttpServerResponse.json(yield* uploadAudio(post, size, stream), { status: 202 })
})

const get = Effect.gen(function* () {
  const { id } = yield* pathPost
  const { body, contentLength, contentType } = yield* readAudio(yield* findPost(id))
  return HttpServerResponse.stream(body, { contentType, contentLength })
})

export const routes = HttpRouter.addAll([
  HttpRouter.route("PUT", "/api/v1/posts/:id/audio", put),
  HttpRouter.route("GET", "/api/v1/posts/:id/audio", get)
])
