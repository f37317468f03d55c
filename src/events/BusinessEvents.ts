/**
 * The business events of a social audio backend: feeds, posts, follows, interactions, uploads, searches, engagement.
 *
 * Each is a combinator for pipes. Fields that are not given make no attribute; those that only the result knows are given by
 * a function of it, or by `annotate` on the way.
 *
 * **Example** (A post is created)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as BusinessEvents from "effect-telemetry/events/BusinessEvents"
 *
 * const savePost = Effect.succeed({ id: "post-1" })
 * const program = savePost.pipe(BusinessEvents.createPost({ audioFormat: "flac" }, (post) => ({ postId: post.id })))
 * Effect.runPromise(program).then(console.log)
 * ```
 */
import * as Attributes from "../operation/Attributes.ts"
import * as BusinessEvent from "./BusinessEvent.ts"

const feedTypes = ["timeline", "global", "trending", "unified", "enriched"] as const
const actions = ["follow", "like", "comment", "repost", "save", "react"] as const
const processingStatuses = ["pending", "complete", "failed"] as const
const engagementTypes = ["play", "view", "like", "comment", "share"] as const

/** The feeds that there are: `timeline`, `global`, `trending`, `unified`, `enriched`. */
export type FeedType = (typeof feedTypes)[number]
/** What a user does to another's post, comment or profile: `follow`, `like`, `comment`, `repost`, `save`, `react`. */
export type SocialAction = (typeof actions)[number]
/** How far the processing of a recording is: `pending`, `complete`, `failed`. */
export type ProcessingStatus = (typeof processingStatuses)[number]
/** What a listener does with a post: `play`, `view`, `like`, `comment`, `share`. */
export type EngagementType = (typeof engagementTypes)[number]

/** A feed is put together: `feed.get`. */
export const getFeed = BusinessEvent.make<{
  readonly type: FeedType
  readonly limit?: number | undefined
  readonly offset?: number | undefined
  readonly itemCount?: number | undefined
  readonly enrichmentType?: string | undefined
  readonly fallbackUsed?: boolean | undefined
}>({
  name: "feed.get",
  brief: "a feed is put together",
  attributes: {
    "feed.type": Attributes.string("which feed", (event) => event.type, { values: feedTypes }),
    "feed.limit": Attributes.int("how many items were asked for", (event) => event.limit),
    "feed.offset": Attributes.int("after how many items", (event) => event.offset),
    "feed.item_count": Attributes.int("how many items it has", (event) => event.itemCount),
    "feed.enrichment_type": Attributes.string("how its items were enriched", (event) => event.enrichmentType),
    "feed.fallback_used": Attributes.boolean("whether the first source failed", (event) => event.fallbackUsed)
  }
})

/** A post is created: `feed.create_post`. */
export const createPost = BusinessEvent.make<{
  readonly postId?: string | undefined
  readonly audioFormat?: string | undefined
}>({
  name: "feed.create_post",
  brief: "a post is created",
  attributes: {
    "post.id": Attributes.string("the post", (event) => event.postId),
    "audio.format": Attributes.string("the format of its recording", (event) => event.audioFormat)
  }
})

/** Posts get what a page shows beside them (authors, counts, reactions): `data.enrich_posts`. */
export const enrichPosts = BusinessEvent.make<{
  readonly type: string
  readonly count?: number | undefined
}>({
  name: "data.enrich_posts",
  brief: "posts get what a page shows beside them",
  attributes: {
    "enrichment.type": Attributes.string("with what", (event) => event.type),
    "enrichment.count": Attributes.int("how many posts", (event) => event.count)
  }
})

/** A user follows another: `social.follow_user`. */
export const followUser = BusinessEvent.make<{
  readonly userId: string
  readonly targetUserId: string
}>({
  name: "social.follow_user",
  brief: "a user follows another",
  attributes: {
    "user.id": Attributes.string("who follows", (event) => event.userId),
    "target_user.id": Attributes.string("who is followed", (event) => event.targetUserId)
  }
})

/** A user interacts with something of another's: `social.{action}`. */
export const socialInteraction = BusinessEvent.make<{
  readonly action: SocialAction
  readonly targetType?: string | undefined
  readonly targetId?: string | undefined
  readonly notificationSent?: boolean | undefined
  readonly isFollowing?: boolean | undefined
}>({
  name: "social.{action}",
  brief: "a user interacts with something of another's",
  nameParts: (event) => ({ action: event.action }),
  attributes: {
    "action.type": Attributes.string("what the user does", (event) => event.action, { values: actions }),
    "target.type": Attributes.string("to what kind of thing", (event) => event.targetType),
    "target.id": Attributes.string("to which", (event) => event.targetId),
    "notification.sent": Attributes.boolean("whether its owner was told", (event) => event.notificationSent),
    "follow.is_following": Attributes.boolean("whether the user follows now", (event) => event.isFollowing)
  }
})

/** A comment is written: `social.create_comment`. */
export const createComment = BusinessEvent.make<{
  readonly postId: string
  readonly commentId?: string | undefined
  readonly hasReply?: boolean | undefined
}>({
  name: "social.create_comment",
  brief: "a comment is written",
  attributes: {
    "post.id": Attributes.string("under which post", (event) => event.postId),
    "comment.id": Attributes.string("the comment", (event) => event.commentId),
    "comment.has_reply": Attributes.boolean("whether it replies to another comment", (event) => event.hasReply)
  }
})

/** A reaction is added: `social.add_reaction`. */
export const addReaction = BusinessEvent.make<{
  readonly emoji: string
  readonly targetId: string
}>({
  name: "social.add_reaction",
  brief: "a reaction is added",
  attributes: {
    "reaction.emoji": Attributes.string("which", (event) => event.emoji),
    "target.id": Attributes.string("to what", (event) => event.targetId)
  }
})

/** A recording is uploaded: `audio.upload`. */
export const audioUpload = BusinessEvent.make<{
  readonly audioPostId?: string | undefined
  readonly sizeBytes?: number | undefined
  readonly format?: string | undefined
  readonly daw?: string | undefined
}>({
  name: "audio.upload",
  brief: "a recording is uploaded",
  attributes: {
    "audio_post.id": Attributes.string("for which post", (event) => event.audioPostId),
    "file.size_bytes": Attributes.int("its size", (event) => event.sizeBytes),
    "audio.format": Attributes.string("its format", (event) => event.format),
    "audio.daw": Attributes.string("the workstation that it was made with", (event) => event.daw)
  }
})

/** A recording is processed (transcoded, measured, drawn): `audio.processing`. */
export const audioProcessing = BusinessEvent.make<{
  readonly audioPostId: string
  readonly status?: ProcessingStatus | undefined
}>({
  name: "audio.processing",
  brief: "a recording is processed",
  attributes: {
    "audio_post.id": Attributes.string("of which post", (event) => event.audioPostId),
    "processing.status": Attributes.string("how far it is", (event) => event.status, { values: processingStatuses })
  }
})

/** A user searches: `search.query`. The text is cut at 200 characters. */
export const search = BusinessEvent.make<{
  readonly query: string
  readonly index?: string | undefined
  readonly resultCount?: number | undefined
  readonly filters?: ReadonlyArray<string> | undefined
  readonly fallbackUsed?: boolean | undefined
}>({
  name: "search.query",
  brief: "a user searches",
  attributes: {
    "search.query": Attributes.string("for what", (event) => event.query, { maxLength: 200 }),
    "search.index": Attributes.string("in which index", (event) => event.index),
    "search.result_count": Attributes.int("how many were found", (event) => event.resultCount),
    "search.filters": Attributes.strings("within what", (event) => event.filters),
    "search.fallback_used": Attributes.boolean("whether the first engine failed", (event) => event.fallbackUsed)
  }
})

/** A listener's engagement is counted: `engagement.track_{event}`. */
export const engagement = BusinessEvent.make<{
  readonly type: EngagementType
  readonly postId?: string | undefined
  readonly userId?: string | undefined
  readonly playCount?: number | undefined
  readonly viewCount?: number | undefined
}>({
  name: "engagement.track_{event}",
  brief: "a listener's engagement is counted",
  nameParts: (event) => ({ event: event.type }),
  attributes: {
    "engagement.event_type": Attributes.string("what the listener did", (event) => event.type, {
      values: engagementTypes
    }),
    "post.id": Attributes.string("with which post", (event) => event.postId),
    "user.id": Attributes.string("who", (event) => event.userId),
    "engagement.play_count": Attributes.int("how often it was played by now", (event) => event.playCount),
    "engagement.view_count": Attributes.int("how often it was viewed by now", (event) => event.viewCount)
  }
})

/** An API is called for which there is no service of its own: `external.{service}.{operation}`. */
export const externalApi = BusinessEvent.make<{
  readonly service: string
  readonly operation: string
  readonly resourceId?: string | undefined
  readonly retryCount?: number | undefined
  readonly errorRetryable?: boolean | undefined
  readonly cacheHit?: boolean | undefined
  readonly circuitBreakerTriggered?: boolean | undefined
}>({
  name: "external.{service}.{operation}",
  brief: "an API is called for which there is no service of its own",
  nameParts: (event) => ({ service: event.service, operation: event.operation }),
  attributes: {
    "external.service": Attributes.string("which service", (event) => event.service),
    "external.operation": Attributes.string("which operation", (event) => event.operation),
    "external.resource_id": Attributes.string("on what", (event) => event.resourceId),
    "external.retry_count": Attributes.int("how often it was tried again", (event) => event.retryCount),
    "external.error.retryable": Attributes.boolean("whether another try may help", (event) => event.errorRetryable),
    "external.cache_hit": Attributes.boolean("whether a cache had the answer", (event) => event.cacheHit),
    "external.circuit_breaker_triggered": Attributes.boolean(
      "whether an open circuit refused the call",
      (event) => event.circuitBreakerTriggered
    )
  }
})
