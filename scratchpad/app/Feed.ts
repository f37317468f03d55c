/**
 * Feeds: the first page of each comes from the cache; otherwise a timeline comes from Stream, and everything else, or what
 * Stream does not say, from the database; with what a page shows beside posts.
 *
 * Neither cache nor Stream is needed: where one of them fails, that is recorded on the span, and the feed is there.
 */
import { Effect, Option, Schema } from "effect"
import { Cache, type CacheError, json } from "effect-telemetry/Cache"
import * as BusinessEvents from "effect-telemetry/events/BusinessEvents"
import { recordServiceError, recordServiceSuccess } from "effect-telemetry/operation/record"
import { commentCounts, type FeedPage, postsOfFeed } from "./Data/Posts.ts"
import { findUsers } from "./Data/Users.ts"
import { FeedItem, type Post } from "./Domain.ts"
import { timeline } from "./Timelines.ts"

/** How many posts a page has where nobody says otherwise: the page that is cached. */
export const pageSize = 10

/** How long a page may be older than the truth where nobody forgets it. */
const ttl = "30 seconds"

const pages = json(Schema.toCodecJson(Schema.Array(FeedItem)))

export const globalFeed = "feed:global"
export const trendingFeed = "feed:trending"
export const timelineOf = (userId: string): string => `feed:timeline:${userId}`

const keyOf = (page: FeedPage, userId: string | undefined): string | undefined => {
  if (page.offset > 0 || page.limit !== pageSize) return undefined
  return page.type === "global" ? globalFeed : page.type === "trending" ? trendingFeed : timelineOf(userId ?? "")
}

const recordFailure = (error: CacheError) => recordServiceError("cache", error)

/** What a feed is made of. */
interface Feed {
  readonly items: ReadonlyArray<FeedItem>
  readonly fallbackUsed?: boolean | undefined
}

/** A page of a feed, for the user who asks. */
export const getFeed = (page: FeedPage, userId: string | undefined) =>
  Effect.gen(function* () {
    const key = keyOf(page, userId)
    if (key !== undefined) {
      const cached = yield* pages
        .get({ key })
        .pipe(Effect.catchTag("CacheError", (error) => Effect.as(recordFailure(error), Option.none())))
      if (Option.isSome(cached)) {
        yield* recordServiceSuccess({ fromCache: true })
        return { items: cached.value }
      }
    }
    const { fallbackUsed, posts } = yield* findFeed(page, userId)
    const items = yield* enrich(posts)
    // What stands in for the timeline is not kept: the next request asks Stream again.
    if (key !== undefined && fallbackUsed !== true) {
      yield* pages.set({ key, value: items, ttl }).pipe(Effect.catchTag("CacheError", recordFailure))
    }
    return { items, fallbackUsed }
  }).pipe(BusinessEvents.getFeed(page, ({ fallbackUsed, items }: Feed) => ({ itemCount: items.length, fallbackUsed })))

/** The posts of a page. Stream knows the latest of a timeline; older ones are the database's business. */
const findFeed = Effect.fnUntraced(function* (page: FeedPage, userId: string | undefined) {
  if (page.type !== "timeline" || page.offset > 0 || userId === undefined) {
    return { posts: yield* postsOfFeed(page, userId), fallbackUsed: undefined }
  }
  // Where there is something to fall back on, nobody waits for a Stream that hangs.
  const posts = yield* timeline(userId, page.limit).pipe(
    Effect.timeoutOrElse({ duration: "2 seconds", orElse: () => Effect.succeed(Option.none()) })
  )
  return Option.isSome(posts)
    ? { posts: posts.value, fallbackUsed: false }
    : { posts: yield* postsOfFeed(page, userId), fallbackUsed: true }
})

/** Posts with what a page shows beside them. */
export const enrich = Effect.fnUntraced(function* (posts: ReadonlyArray<Post>) {
  if (posts.length === 0) return []
  const [authors, comments] = yield* Effect.all(
    [findUsers(posts.map((post) => post.authorId)), commentCounts(posts.map((post) => post.id))],
    { concurrency: "unbounded" }
  ).pipe(BusinessEvents.enrichPosts({ type: "authors_and_comments", count: posts.length }))
  return posts.map((post): FeedItem => {
    const author = authors.find(({ id }) => id === post.authorId)!
    return {
      post,
      author: { id: author.id, handle: author.handle, displayName: author.displayName },
      commentCount: comments.get(post.id) ?? 0
    }
  })
})

/** Forgets cached feeds, because something in them has changed. Where that fails, they are right again after their time. */
export const forget = (keys: ReadonlyArray<string>) =>
  Effect.flatMap(Cache, (cache) => cache.delete({ keys })).pipe(Effect.catchTag("CacheError", recordFailure))
