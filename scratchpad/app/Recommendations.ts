/**
 * What somebody may like: Gorse learns from what people do, and says what to show them.
 *
 * Nobody waits for it in vain: what Gorse does not learn, or does not say, is recorded on the span, and the application goes
 * on without.
 */
import { Effect } from "effect"
import * as BusinessEvent from "effect-telemetry/events/BusinessEvent"
import { Gorse, type GorseError } from "effect-telemetry/Gorse"
import * as Attributes from "effect-telemetry/operation/Attributes"
import { recordServiceError } from "effect-telemetry/operation/record"
import { findPosts, postsOfFeed } from "./Data/Posts.ts"
import type { Post } from "./Domain.ts"
import { enrich } from "./Feed.ts"

/** An event of this application's own, beside those of the library. */
const recommended = BusinessEvent.make<{
  readonly limit: number
  readonly itemCount?: number | undefined
  readonly fallbackUsed?: boolean | undefined
}>({
  name: "feed.recommend",
  brief: "posts are chosen for one listener",
  attributes: {
    "feed.limit": Attributes.int("how many were asked for", (event) => event.limit),
    "feed.item_count": Attributes.int("how many there are", (event) => event.itemCount),
    "feed.fallback_used": Attributes.boolean("whether they are what everybody likes", (event) => event.fallbackUsed)
  }
})

const recordFailure = (error: GorseError) => recordServiceError("gorse", error)

/** Posts and people are both items of Gorse: one may be recommended to listen to, the other to follow. */
const post = "post"
const author = "author"

/** What Gorse knows of a post. */
const itemOf = ({ bpm, createdAt, genre, id }: Post) => ({
  itemId: id,
  categories: [post, genre],
  timestamp: createdAt,
  labels: bpm === null ? { genre } : { genre, bpm }
})

/** What Gorse knows of somebody who posts. */
const authorItem = { categories: [author] }

/** Somebody did something with a post. */
export const learnOfPost = (userId: string, about: Post, feedbackType: string) =>
  Effect.flatMap(Gorse, (gorse) => {
    const { itemId, ...item } = itemOf(about)
    return gorse.insertUserItem({ userId, itemId, feedbackType, item })
  }).pipe(Effect.catchTag("GorseError", recordFailure))

/** Somebody listened to, liked, viewed or shared a post that Gorse knows. */
export const learnOfEngagement = (userId: string, postId: string, feedbackType: string) =>
  Effect.flatMap(Gorse, (gorse) => gorse.insertFeedback({ feedback: [{ userId, itemId: postId, feedbackType }] })).pipe(
    Effect.catchTag("GorseError", recordFailure)
  )

/** Somebody follows somebody. */
export const learnOfFollow = (userId: string, targetUserId: string) =>
  Effect.flatMap(Gorse, (gorse) =>
    gorse.insertUserItem({ userId, itemId: targetUserId, feedbackType: "follow", item: authorItem })
  ).pipe(Effect.catchTag("GorseError", recordFailure))

/** Posts for one listener; what everybody likes where Gorse does not answer. */
export const recommend = (userId: string, limit: number) =>
  Effect.gen(function* () {
    const gorse = yield* Gorse
    const chosen = yield* gorse
      .getRecommend({ userId, count: limit, categories: [post] })
      .pipe(Effect.catchTag("GorseError", (error) => Effect.as(recordFailure(error), [])))
    const posts = yield* findPosts(chosen.map(({ id }) => id))
    if (posts.length > 0) return { fallbackUsed: false, items: yield* enrich(posts) }
    const popular = yield* postsOfFeed({ type: "trending", limit, offset: 0 }, userId)
    return { fallbackUsed: true, items: yield* enrich(popular) }
  }).pipe(
    recommended({ limit }, ({ fallbackUsed, items }: { fallbackUsed: boolean; items: ReadonlyArray<unknown> }) => ({
      fallbackUsed,
      itemCount: items.length
    }))
  )

/** Tells Gorse of posts, of those who post, and of what people did with them. */
export const teach = Effect.fnUntraced(function* (what: {
  readonly posts: ReadonlyArray<Post>
  readonly likes: ReadonlyArray<{ readonly userId: string; readonly postId: string }>
  readonly follows: ReadonlyArray<{ readonly followerId: string; readonly followeeId: string }>
}) {
  const gorse = yield* Gorse
  const authors = new Set(what.posts.map(({ authorId }) => authorId))
  for (const userId of authors) yield* gorse.insertItem({ itemId: userId, ...authorItem })
  for (const post of what.posts) yield* gorse.insertItem(itemOf(post))
  const likes = what.likes.map(({ postId, userId }) => ({ userId, itemId: postId, feedbackType: "like" }))
  const follows = what.follows.map(({ followeeId, followerId }) => {
    return { userId: followerId, itemId: followeeId, feedbackType: "follow" }
  })
  yield* gorse.insertFeedback({ feedback: [...likes, ...follows], overwrite: true })
})
