/**
 * Who hears of what: Stream keeps a timeline for everybody, of what those post whom they follow.
 */
import { Effect, Option } from "effect"
import { recordServiceError } from "effect-telemetry/operation/record"
import { StreamIO, type StreamIOError } from "effect-telemetry/StreamIO"
import { findPosts } from "./Data/Posts.ts"
import type { Post, User } from "./Domain.ts"

const recordFailure = (error: StreamIOError) => recordServiceError("stream.io", error)

/** A post as an activity. It has the post's id, so that writing it again makes no second one. */
const activityOf = (post: Post) => ({ id: post.id, userId: post.authorId, type: "post", text: post.title })

/** Puts a post into the timelines of its author's followers. Where that fails, timelines come from the database. */
export const publishPost = (post: Post) =>
  Effect.flatMap(StreamIO, (stream) => stream.createActivity(activityOf(post))).pipe(
    Effect.catchTag("StreamIOError", recordFailure)
  )

/** The latest posts in a user's timeline; none where Stream does not answer. */
export const timeline = (userId: string, limit: number) =>
  Effect.flatMap(StreamIO, (stream) => stream.getFeed({ userId, limit })).pipe(
    Effect.flatMap(({ activities }) => findPosts(activities.map(({ id }) => id))),
    Effect.map(Option.some),
    Effect.catchTag("StreamIOError", (error) => Effect.as(recordFailure(error), Option.none<ReadonlyArray<Post>>()))
  )

/** Makes a user's timeline follow another user. */
export const follow = (userId: string, targetId: string) =>
  Effect.flatMap(StreamIO, (stream) => stream.follow({ userId, targetId }))

/** Ends that. */
export const unfollow = (userId: string, targetId: string) =>
  Effect.flatMap(StreamIO, (stream) => stream.unfollow({ userId, targetId }))

/** Tells Stream of users, of who follows whom, and of posts from the oldest to the latest. */
export const makeTimelines = Effect.fnUntraced(function* (what: {
  readonly users: ReadonlyArray<User>
  readonly follows: ReadonlyArray<{ readonly followerId: string; readonly followeeId: string }>
  readonly posts: ReadonlyArray<Post>
}) {
  const stream = yield* StreamIO
  for (const { displayName, id } of what.users) yield* stream.upsertUser({ userId: id, name: displayName })
  for (const { followeeId, followerId } of what.follows) {
    yield* stream.follow({ userId: followerId, targetId: followeeId, notify: false })
  }
  for (const post of what.posts) yield* stream.createActivity(activityOf(post))
})
