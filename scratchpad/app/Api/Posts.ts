/** `/api/v1/posts`: recordings, and what people say about them. */
import { Effect } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import * as Database from "effect-telemetry/Database"
import * as BusinessEvents from "effect-telemetry/events/BusinessEvents"
import { commentsOn, findComment, insertComment } from "../Data/Comments.ts"
import { insertEngagement } from "../Data/Engagements.ts"
import { findPost } from "../Data/Posts.ts"
import { type Comment, Engagement, NewComment, NewPost, Senseless } from "../Domain.ts"
import { forget, trendingFeed } from "../Feed.ts"
import { newId } from "../Ids.ts"
import { createPost } from "../Posts.ts"
import { learnOfEngagement } from "../Recommendations.ts"
import { signedIn } from "./Identity.ts"
import { bodyOf, pathPost } from "./Input.ts"

const create = Effect.gen(function* () {
  const authorId = yield* signedIn
  const input = yield* bodyOf(NewPost)
  const post = yield* createPost(authorId, input)
  return yield* HttpServerResponse.json(post, { status: 201, headers: { location: `/api/v1/posts/${post.id}` } })
})

const get = Effect.gen(function* () {
  const { id } = yield* pathPost
  return yield* HttpServerResponse.json(yield* findPost(id))
})

const listComments = Effect.gen(function* () {
  const { id } = yield* pathPost
  return yield* HttpServerResponse.json({ comments: yield* commentsOn(id) })
})

const comment = Effect.gen(function* () {
  const { id: postId } = yield* pathPost
  const authorId = yield* signedIn
  const input = yield* bodyOf(NewComment)
  const comment = yield* Effect.gen(function* () {
    const post = yield* findPost(postId)
    if ((input.atSeconds ?? 0) > post.durationSeconds) {
      return yield* new Senseless({ message: `${postId} is only ${post.durationSeconds} seconds long` })
    }
    if (input.replyTo !== undefined && (yield* findComment(input.replyTo)).postId !== postId) {
      return yield* new Senseless({ message: `${input.replyTo} is about another post` })
    }
    return yield* insertComment(newId("c"), postId, authorId, input)
  }).pipe(
    BusinessEvents.createComment({ postId, hasReply: input.replyTo !== undefined }, (comment: Comment) => ({
      commentId: comment.id
    }))
  )
  return yield* HttpServerResponse.json(comment, { status: 201 })
})

const engage = Effect.gen(function* () {
  const { id: postId } = yield* pathPost
  const userId = yield* signedIn
  const { type } = yield* bodyOf(Engagement)
  const counts = yield* insertEngagement(postId, userId, type).pipe(
    Database.transaction({ retry: true }),
    Effect.tap(() =>
      Effect.all([forget([trendingFeed]), learnOfEngagement(userId, postId, type)], { concurrency: "unbounded" })
    ),
    BusinessEvents.engagement({ type, postId, userId }, (counts: { readonly playCount: number }) => ({
      playCount: counts.playCount
    }))
  )
  return yield* HttpServerResponse.json({ postId, type, ...counts })
})

export const routes = HttpRouter.addAll([
  HttpRouter.route("POST", "/api/v1/posts", create),
  HttpRouter.route("GET", "/api/v1/posts/:id", get),
  HttpRouter.route("GET", "/api/v1/posts/:id/comments", listComments),
  HttpRouter.route("POST", "/api/v1/posts/:id/comments", comment),
  HttpRouter.route("POST", "/api/v1/posts/:id/engagement", engage)
])
