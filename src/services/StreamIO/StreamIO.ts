/**
 * Activity feeds on Stream (getstream.io, Activity Feeds v3): who posts, who follows whom, who reads what, who is notified.
 *
 * A user posts activities into the own `user` feed; who follows the user finds them in the own `timeline`; what concerns a user
 * stands in the own `notification` feed. Two layers: `StreamIOLive` (the official client) and `StreamIOEmbedded` (in this
 * process, with fan-out, reactions and notifications).
 *
 * **Details**
 *
 * A feed's id is `group:id`. Every operation may name other feeds than those. What may be tried again is stated operation by
 * operation: `follow` and `unfollow` say whether they changed something, `createActivity` with an `id` replaces what has that id.
 * What is gone already is `false`, not a failure. `getFollowers` and `getFollowing` are streams, read in pages as they are taken.
 *
 * **Gotchas**
 *
 * Stream wants users to be there (`upsertUser`) before they do anything: otherwise operations fail, as `NotFound` or
 * `InvalidRequest`.
 *
 * **Example** (A follower's timeline)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Option from "effect/Option"
 * import { StreamIO } from "effect-telemetry/StreamIO"
 * import * as StreamIOEmbedded from "effect-telemetry/StreamIOEmbedded"
 *
 * const program = Effect.gen(function* () {
 *   const stream = yield* StreamIO
 *   yield* stream.upsertUser({ userId: "ada", name: "Ada" })
 *   yield* stream.upsertUser({ userId: "bob", name: "Bob" })
 *   yield* stream.follow({ userId: "bob", targetId: "ada" })
 *   yield* stream.createActivity({ id: "post-1", userId: "ada", type: "post", text: "hello" })
 *   const { activities } = yield* stream.getFeed({ userId: "bob" })
 *   return activities.map((activity) => Option.getOrElse(activity.text, () => ""))
 * })
 * Effect.runPromise(program.pipe(Effect.provide(StreamIOEmbedded.layer()))).then(console.log) // [ 'hello' ]
 * ```
 *
 * @see https://getstream.io/activity-feeds/docs/node/
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Attributes from "../../operation/Attributes.ts"
import * as Operation from "../../operation/Operation.ts"
import type { Reason } from "../../operation/Reason.ts"
import { ServiceError } from "../../operation/ServiceError.ts"
import {
  type AddReaction,
  type CreateActivity,
  type CreateToken,
  DEFAULT_LIMIT,
  type DeleteActivity,
  feedsOf,
  type FollowInput,
  type FollowPair,
  type GetFeed,
  type GetFollowers,
  type GetFollowing,
  type GetNotifications,
  type MarkNotificationsRead,
  notificationFeed,
  type ReactionKey,
  refuse,
  sourceOf,
  timelineFeed,
  type UnfollowInput,
  type UpsertUser,
  userFeed
} from "./StreamIOInput.ts"
import type { Activity, FeedPage, Follow, Followed, NotificationPage, Reaction, Token, User } from "./StreamIOModel.ts"

export * from "./StreamIOModel.ts"
export { notificationFeed, timelineFeed, userFeed } from "./StreamIOInput.ts"
export type {
  AddReaction,
  CreateActivity,
  CreateToken,
  Custom,
  DeleteActivity,
  FollowInput,
  FollowPair,
  GetFeed,
  GetFollowers,
  GetFollowing,
  GetNotifications,
  MarkNotificationsRead,
  ReactionKey,
  UnfollowInput,
  UpsertUser
} from "./StreamIOInput.ts"

/** An operation of Stream failed, for the reason inside. */
export class StreamIOError extends ServiceError("StreamIOError", "stream.io") {}

const userId = <A extends { readonly userId: string }>() => Attributes.string<A>("the user", (input) => input.userId)
const feedId = <A>(brief: string, from: (input: A) => string) => Attributes.string<A>(brief, from)
const followed = Attributes.string<FollowPair>("who is followed", (input) => input.targetId)
const reaction = {
  "stream.user_id": userId<ReactionKey>(),
  "stream.target_id": Attributes.string<ReactionKey>("the activity", (input) => input.activityId),
  "stream.activity": Attributes.string<ReactionKey>("the type of the reaction", (input) => input.type)
}
const limit = Attributes.int<{ readonly limit?: number | undefined }>(
  "at most so many",
  (input) => input.limit ?? DEFAULT_LIMIT
)
const limitInAll = Attributes.int<{ readonly limit?: number | undefined }>(
  "at most so many in all",
  (input) => input.limit
)
const changed = { "result.item_count": Attributes.int<boolean>("1 where something changed, otherwise 0", Number) }

/** The operations of Stream. */
export const operations = Operation.table(
  { service: "stream.io", prefix: "stream", error: StreamIOError },
  {
    /** Follows; whether that is new. What was posted by the one who is followed comes into the timeline. */
    follow: Operation.effect<FollowInput, Followed>({
      name: "follow",
      brief: "a user follows another",
      idempotent: true,
      input: {
        "stream.user_id": userId(),
        "stream.target_id": followed,
        "stream.feed_id": feedId("the feed that follows", sourceOf)
      },
      result: {
        "result.item_count": Attributes.int("1 where the follow is new, otherwise 0", ({ created }) => Number(created))
      }
    }),
    /** Follows no more; whether that changed something. What was posted by the other leaves the timeline. */
    unfollow: Operation.effect<UnfollowInput, boolean>({
      name: "unfollow",
      brief: "a user follows another no more",
      idempotent: true,
      input: {
        "stream.user_id": userId(),
        "stream.target_id": followed,
        "stream.feed_id": feedId("the feed that followed", sourceOf)
      },
      result: changed
    }),
    /** Puts an activity into feeds; with an id, replaces the one that has it. */
    createActivity: Operation.effect<CreateActivity, Activity>({
      name: "create_activity",
      brief: "put an activity into feeds",
      idempotent: (input) => input.id !== undefined,
      input: {
        "stream.user_id": userId(),
        "stream.activity": Attributes.string("the type of the activity", (input) => input.type),
        "stream.feed_id": feedId("the feeds, comma-separated", (input) => feedsOf(input).join(","))
      },
      result: { "stream.target_id": Attributes.string("the activity", (activity) => activity.id) }
    }),
    /** Removes an activity from all feeds; whether it was there. */
    deleteActivity: Operation.effect<DeleteActivity, boolean>({
      name: "delete_activity",
      brief: "remove an activity",
      idempotent: true,
      input: { "stream.target_id": Attributes.string("the activity", (input) => input.activityId) },
      result: changed
    }),
    /** A page of a feed, the latest first; of an empty one where nothing was put into it yet. */
    getFeed: Operation.effect<GetFeed, FeedPage>({
      name: "get_feed",
      brief: "a page of a feed",
      idempotent: true,
      input: {
        "stream.user_id": userId(),
        "stream.feed_id": feedId("the feed", (input) => input.feedId ?? timelineFeed(input.userId)),
        "stream.limit": limit
      },
      result: { "result.item_count": Attributes.int("how many activities came back", (page) => page.activities.length) }
    }),
    /** A page of what a user is notified of, the latest first. */
    getNotifications: Operation.effect<GetNotifications, NotificationPage>({
      name: "get_notifications",
      brief: "a page of notifications",
      idempotent: true,
      input: {
        "stream.user_id": userId(),
        "stream.feed_id": feedId("the feed", (input) => input.feedId ?? notificationFeed(input.userId)),
        "stream.limit": limit
      },
      result: {
        "result.item_count": Attributes.int("how many notifications came back", (page) => page.notifications.length)
      }
    }),
    /** Marks notifications as read and seen: those named, or all. Ids that are not there are no failure. */
    markNotificationsRead: Operation.effect<MarkNotificationsRead, void>({
      name: "mark_notifications_read",
      brief: "mark notifications as read and seen",
      idempotent: true,
      input: {
        "stream.user_id": userId(),
        "stream.feed_id": feedId("the feed", (input) => input.feedId ?? notificationFeed(input.userId))
      }
    }),
    /** Reacts to an activity, or changes the reaction of this type that is there. */
    addReaction: Operation.effect<AddReaction, Reaction>({
      name: "add_reaction",
      brief: "react to an activity",
      idempotent: true,
      input: reaction
    }),
    /** Takes a reaction back; whether it was there. */
    deleteReaction: Operation.effect<ReactionKey, boolean>({
      name: "delete_reaction",
      brief: "take a reaction back",
      idempotent: true,
      input: reaction,
      result: changed
    }),
    /** Who follows a user, by what was accepted. */
    getFollowers: Operation.stream<GetFollowers, Follow>({
      name: "get_followers",
      brief: "who follows a user",
      idempotent: true,
      input: {
        "stream.user_id": userId(),
        "stream.feed_id": feedId("the feed that is followed", (input) => input.feedId ?? userFeed(input.userId)),
        "stream.limit": limitInAll
      }
    }),
    /** Whom a user follows, by what was accepted. */
    getFollowing: Operation.stream<GetFollowing, Follow>({
      name: "get_following",
      brief: "whom a user follows",
      idempotent: true,
      input: {
        "stream.user_id": userId(),
        "stream.feed_id": feedId("the feed that follows", (input) => input.feedId ?? timelineFeed(input.userId)),
        "stream.limit": limitInAll
      }
    }),
    /** Inserts a user, or replaces what is known of it. */
    upsertUser: Operation.effect<UpsertUser, User>({
      name: "upsert_user",
      brief: "insert or replace a user",
      idempotent: true,
      input: { "stream.user_id": userId() }
    }),
    /** Makes what a user's client signs in with. Signed in this process: nothing is sent. */
    createToken: Operation.effect<CreateToken, Token>({
      name: "create_token",
      brief: "make a token for a user's client",
      idempotent: true,
      input: { "stream.user_id": userId() }
    })
  }
)

/** The bare calls that a layer of Stream implements. */
export type StreamIOCalls = Operation.BareCalls<typeof operations>

/** Activity feeds, as a service: provided by `StreamIOLive` or `StreamIOEmbedded`. */
export class StreamIO extends Context.Service<StreamIO, Operation.Client<typeof operations>>()(
  "effect-telemetry/StreamIO"
) {}

/** How a layer of Stream wants its operations. */
export type StreamIOOptions = Operation.ImplementOptions

/** The deadline of an attempt, where nothing else is said: 5 seconds. */
export const defaultTimeout: Duration.Input = "5 seconds"

/** @internal */
export const make = (calls: StreamIOCalls, options: StreamIOOptions = {}) =>
  Effect.map(
    Operation.implement(operations, checked(calls), { ...options, timeout: options.timeout ?? defaultTimeout }),
    StreamIO.of
  )

/** Refuses wrong inputs before anything is sent. */
const checked = (calls: StreamIOCalls): StreamIOCalls => {
  type AnyCall = (input: object, call: Operation.Call) => Effect.Effect<any, Reason>
  const all: Record<string, AnyCall> = {}
  for (const [name, call] of Object.entries(calls as unknown as Readonly<Record<string, AnyCall>>)) {
    const paged = name === "getFeed" || name === "getNotifications"
    all[name] = (input, info) =>
      Effect.suspend(() => {
        const refused = refuse(input, paged)
        return refused === undefined ? call(input, info) : Effect.fail(refused)
      })
  }
  return all as unknown as StreamIOCalls
}
