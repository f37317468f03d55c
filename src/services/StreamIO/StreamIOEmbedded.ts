/**
 * Activity feeds in this process: for development and tests, with no server.
 *
 * They are real feeds: an activity is fanned out to the timelines of those who follow, following copies older activities,
 * unfollowing takes them out again, follows, reactions and mentions notify (once of the same thing), and notifications of a
 * kind are put together by day, unread again when one is added. Users have to be there, as with Stream.
 *
 * **Details**
 *
 * Every layer has what it keeps for itself, in memory. Times are of Effect's clock. Tokens are signed like Stream's (HS256),
 * with `secret`.
 *
 * **Example** (Who liked it)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { StreamIO } from "effect-telemetry/StreamIO"
 * import * as StreamIOEmbedded from "effect-telemetry/StreamIOEmbedded"
 *
 * const program = Effect.gen(function* () {
 *   const stream = yield* StreamIO
 *   yield* stream.upsertUser({ userId: "ada" })
 *   yield* stream.upsertUser({ userId: "bob" })
 *   yield* stream.createActivity({ id: "post-1", userId: "ada", type: "post" })
 *   yield* stream.addReaction({ userId: "bob", activityId: "post-1", type: "like" })
 *   return yield* stream.getNotifications({ userId: "ada" })
 * })
 * Effect.runPromise(program.pipe(Effect.provide(StreamIOEmbedded.layer()))).then(({ notifications, unread }) =>
 *   console.log(unread, notifications[0]?.type) // 1 reaction
 * )
 * ```
 */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { createHmac } from "node:crypto"
import type { Reason } from "../../operation/Reason.ts"
import { make, StreamIO, type StreamIOCalls, type StreamIOOptions } from "./StreamIO.ts"
import {
  DEFAULT_LIMIT,
  feedsOf,
  notificationFeed,
  sourceOf,
  targetOf,
  timelineFeed,
  userFeed
} from "./StreamIOInput.ts"
import {
  Activity,
  FeedPage,
  Follow,
  Followed,
  Notification,
  NotificationPage,
  Reaction,
  Token,
  User
} from "./StreamIOModel.ts"
import {
  type ActivityRecord,
  type FollowRecord,
  type Group,
  pageOf,
  StreamIOStore,
  type UserRecord
} from "./StreamIOStore.ts"

/** How much it keeps, and what it signs with. */
export interface StreamIOEmbeddedOptions extends StreamIOOptions {
  /** At most so many activities, notifications included; the oldest give way. Default 100,000. */
  readonly maxActivities?: number | undefined
  /** What tokens are signed with. Default `embedded`. */
  readonly secret?: string | Redacted.Redacted | undefined
}

/** Stream in this process. */
export const layer = (options: StreamIOEmbeddedOptions = {}): Layer.Layer<StreamIO> =>
  Layer.effect(
    StreamIO,
    Effect.suspend(() => {
      const secret = options.secret ?? "embedded"
      return make(
        calls(options.maxActivities ?? 100_000, Redacted.isRedacted(secret) ? Redacted.value(secret) : secret),
        options
      )
    })
  )

/** The most activities that a notification shows. */
const MAX_SHOWN = 10

const calls = (maxActivities: number, secret: string): StreamIOCalls => {
  const store = new StreamIOStore(maxActivities)

  /** Runs a command at the clock's time; what it throws is the reason of its failure. */
  const run = <A>(command: () => A): Effect.Effect<A, Reason> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.try({
        try: () => {
          store.now = now
          return command()
        },
        catch: (reason) => reason as Reason
      })
    )

  const toFollow = ({ createdAt, feedId, targetFeedId }: FollowRecord): Follow =>
    new Follow({
      feedId,
      userId: store.ownerOf(feedId),
      targetFeedId,
      targetId: store.ownerOf(targetFeedId),
      status: "accepted",
      createdAt: DateTime.makeUnsafe(createdAt)
    })

  const follows = (side: "followers" | "following", feedId: string, limit: number | undefined) =>
    Effect.map(
      run(() => store.follows(side, feedId).slice(0, limit).map(toFollow)),
      Stream.fromIterable
    )

  return {
    follow: (input) =>
      run(() => {
        const { created, follow } = store.follow({
          userId: input.userId,
          targetId: input.targetId,
          feedId: sourceOf(input),
          targetFeedId: targetOf(input),
          copyLimit: input.copyLimit ?? Infinity,
          notify: input.notify ?? true
        })
        return new Followed({ created, follow: toFollow(follow) })
      }),
    unfollow: (input) => run(() => store.unfollow(sourceOf(input), targetOf(input), input.keepHistory ?? false)),
    createActivity: (input) =>
      run(() =>
        toActivity(
          store.createActivity(
            {
              id: input.id,
              type: input.type,
              userId: input.userId,
              text: input.text,
              feedIds: [...new Set(feedsOf(input))],
              custom: input.custom ?? {},
              isPrivate: input.visibility === "private"
            },
            (input.notify ?? true) ? (input.mentionedUserIds ?? []) : []
          ),
          input.userId
        )
      ),
    deleteActivity: ({ activityId }) => run(() => store.deleteActivity(activityId)),
    getFeed: ({ limit, next, userId, ...input }) =>
      run(() => {
        const feedId = input.feedId ?? timelineFeed(userId)
        const found = pageOf(
          store.activitiesOf(feedId, userId),
          ({ createdAt, order }) => [createdAt, order],
          limit ?? DEFAULT_LIMIT,
          next
        )
        return new FeedPage({
          feedId,
          activities: found.page.map((activity) => toActivity(activity, userId)),
          next: Option.fromUndefinedOr(found.next)
        })
      }),
    getNotifications: ({ limit, next, userId, ...input }) =>
      run(() => {
        const groups = store.groupsOf(input.feedId ?? notificationFeed(userId), userId)
        const found = pageOf(
          groups,
          ({ activities: [latest] }) => [latest!.createdAt, latest!.order],
          limit ?? DEFAULT_LIMIT,
          next
        )
        return new NotificationPage({
          notifications: found.page.map((group) => toNotification(group, userId)),
          unread: groups.filter(({ isRead }) => !isRead).length,
          unseen: groups.filter(({ isSeen }) => !isSeen).length,
          next: Option.fromUndefinedOr(found.next)
        })
      }),
    markNotificationsRead: ({ feedId, ids, userId }) =>
      run(() => store.markRead(feedId ?? notificationFeed(userId), userId, ids)),
    addReaction: ({ activityId, custom, notify, type, unique, userId }) =>
      run(() => {
        const reaction = store.addReaction(
          activityId,
          { userId, type, custom: custom ?? {} },
          { notify: notify ?? true, unique: unique ?? false }
        )
        return new Reaction({ ...reaction, activityId, createdAt: DateTime.makeUnsafe(reaction.createdAt) })
      }),
    deleteReaction: ({ activityId, type, userId }) => run(() => store.deleteReaction(activityId, userId, type)),
    getFollowers: ({ feedId, limit, userId }) => follows("followers", feedId ?? userFeed(userId), limit),
    getFollowing: ({ feedId, limit, userId }) => follows("following", feedId ?? timelineFeed(userId), limit),
    upsertUser: ({ custom, image, name, role, userId }) =>
      run(() => toUser(store.upsertUser({ id: userId, name, image, role: role ?? "user", custom: custom ?? {} }))),
    createToken: ({ expiresIn, userId }) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const validity = Duration.fromInputUnsafe(expiresIn ?? "1 hour")
        const iat = Math.floor(now / 1000) - 1
        const exp = Duration.isFinite(validity) ? Math.floor((now + Duration.toMillis(validity)) / 1000) : undefined
        return new Token({
          token: Redacted.make(signed({ user_id: userId, iat, exp }, secret)),
          expiresAt: exp === undefined ? Option.none() : Option.some(DateTime.makeUnsafe(exp * 1000))
        })
      })
  }
}

/** A JSON web token. https://www.rfc-editor.org/rfc/rfc7519 */
const signed = (payload: object, secret: string): string => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part(payload)}`
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`
}

const toUser = (user: UserRecord): User =>
  new User({
    id: user.id,
    name: Option.fromUndefinedOr(user.name),
    image: Option.fromUndefinedOr(user.image),
    role: user.role,
    custom: user.custom,
    createdAt: DateTime.makeUnsafe(user.createdAt),
    updatedAt: DateTime.makeUnsafe(user.updatedAt)
  })

const toActivity = (activity: ActivityRecord, readerId: string): Activity => {
  const counts = new Map<string, number>()
  const ownReactions: Array<string> = []
  for (const { type, userId } of activity.reactions.values()) {
    counts.set(type, (counts.get(type) ?? 0) + 1)
    if (userId === readerId) ownReactions.push(type)
  }
  return new Activity({
    id: activity.id,
    type: activity.type,
    userId: activity.userId,
    text: Option.fromUndefinedOr(activity.text),
    feedIds: activity.feedIds,
    custom: activity.custom,
    reactionCounts: Object.fromEntries(counts),
    ownReactions,
    createdAt: DateTime.makeUnsafe(activity.createdAt),
    updatedAt: DateTime.makeUnsafe(activity.updatedAt)
  })
}

const toNotification = ({ activities, id, isRead, isSeen }: Group, readerId: string): Notification =>
  new Notification({
    id,
    type: activities[0]!.type,
    activities: activities.slice(0, MAX_SHOWN).map((activity) => toActivity(activity, readerId)),
    activityCount: activities.length,
    userCount: new Set(activities.map(({ userId }) => userId)).size,
    isRead,
    isSeen,
    updatedAt: DateTime.makeUnsafe(activities[0]!.createdAt)
  })
