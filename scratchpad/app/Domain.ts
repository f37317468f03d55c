/**
 * What the product is about: people who post loops, sketches and tracks, and others who listen.
 *
 * Each model is a `Schema`: it validates what comes in over HTTP and decodes what comes out of the database and the cache.
 */
import { Schema } from "effect"

const text = (max: number) => Schema.Trim.check(Schema.isBetweenLength(1, max))
const id = (prefix: string) =>
  Schema.String.check(
    Schema.isPattern(new RegExp(`^${prefix}_[a-z0-9-]{1,40}$`), { expected: `an id such as ${prefix}_a1b2` })
  )
const count = Schema.Int

export const UserId = id("u")
export const PostId = id("p")
export const CommentId = id("c")

export const AudioFormat = Schema.Literals(["wav", "flac", "mp3", "aac", "ogg"])
export type AudioFormat = typeof AudioFormat.Type

export const Genre = Schema.Literals(["ambient", "drum-and-bass", "house", "lofi", "techno", "trap"])
export type Genre = typeof Genre.Type

/** Somebody who posts or listens. */
export const User = Schema.Struct({
  id: UserId,
  handle: Schema.String,
  displayName: Schema.String,
  bio: Schema.String,
  daw: Schema.NullOr(Schema.String),
  createdAt: Schema.Date
})
export type User = typeof User.Type

/** What a user writes to post something. */
export const NewPost = Schema.Struct({
  title: text(120),
  format: AudioFormat,
  genre: Genre,
  durationSeconds: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 3600 })),
  bpm: Schema.optional(Schema.Int.check(Schema.isBetween({ minimum: 20, maximum: 400 }))),
  daw: Schema.optional(text(60))
})
export type NewPost = typeof NewPost.Type

/** A recording that somebody posted. */
export const Post = Schema.Struct({
  id: PostId,
  authorId: UserId,
  title: Schema.String,
  format: AudioFormat,
  genre: Genre,
  durationSeconds: count,
  bpm: Schema.NullOr(count),
  daw: Schema.NullOr(Schema.String),
  /** Where it can be heard; null until its recording is uploaded. */
  audioUrl: Schema.NullOr(Schema.String),
  /** Peaks between 0 and 1 from the beginning to the end; null until its recording is processed. */
  waveform: Schema.NullOr(Schema.Array(Schema.Number)),
  status: Schema.Literals(["awaiting_audio", "processing", "ready", "failed"]),
  playCount: count,
  likeCount: count,
  createdAt: Schema.Date
})
export type Post = typeof Post.Type

/** A post with what a page shows beside it. */
export const FeedItem = Schema.Struct({
  post: Post,
  author: Schema.Struct({ id: UserId, handle: Schema.String, displayName: Schema.String }),
  commentCount: count
})
export type FeedItem = typeof FeedItem.Type

export const FeedType = Schema.Literals(["timeline", "global", "trending"])
export type FeedType = typeof FeedType.Type

/** What a user writes to comment on a post. */
export const NewComment = Schema.Struct({
  body: text(1000),
  /** The moment of the recording that it is about. */
  atSeconds: Schema.optional(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))),
  replyTo: Schema.optional(CommentId)
})
export type NewComment = typeof NewComment.Type

/** A comment on a post. */
export const Comment = Schema.Struct({
  id: CommentId,
  postId: PostId,
  authorId: UserId,
  body: Schema.String,
  atSeconds: Schema.NullOr(count),
  replyTo: Schema.NullOr(CommentId),
  createdAt: Schema.Date
})
export type Comment = typeof Comment.Type

/** What a listener does with a post. */
export const Engagement = Schema.Struct({ type: Schema.Literals(["play", "view", "like", "share"]) })
export type Engagement = typeof Engagement.Type

// ---------------------------------------------------------------------------------------------------------------------
// What may go wrong. What each is to a caller stands in `Api/Failures.ts`.
// ---------------------------------------------------------------------------------------------------------------------

/** There is no such thing. */
export class NotFound extends Schema.TaggedError<NotFound>()("NotFound", {
  what: Schema.Literals(["user", "post", "comment", "recording"]),
  id: Schema.String
}) {
  override get message(): string {
    return `there is no ${this.what} ${this.id}`
  }
}

/** The request needs to know who asks. */
export class NotSignedIn extends Schema.TaggedError<NotSignedIn>()("NotSignedIn", { message: Schema.String }) {}

/** Only somebody else may do that. */
export class NotAllowed extends Schema.TaggedError<NotAllowed>()("NotAllowed", { message: Schema.String }) {}

/** The recording has too many bytes. */
export class TooLarge extends Schema.TaggedError<TooLarge>()("TooLarge", { message: Schema.String }) {}

/** Well-formed, but it makes no sense. */
export class Senseless extends Schema.TaggedError<Senseless>()("Senseless", { message: Schema.String }) {}
