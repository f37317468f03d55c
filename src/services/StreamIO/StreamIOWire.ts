/**
 * What Stream answers, as its client hands it over (times are `Date`s already), and what that is to us. Only what is used is
 * asked for, lists may be `null`, and what is not known is let be: Stream adds fields without notice.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Decode } from "../../operation/Reason.ts"
import {
  Activity,
  FeedPage,
  Follow,
  Followed,
  Notification,
  NotificationPage,
  Reaction,
  User
} from "./StreamIOModel.ts"

const Time = Schema.DateTimeUtcFromDate
const maybe = <S extends Schema.Constraint>(schema: S) => Schema.optional(Schema.NullOr(schema))
const list = <S extends Schema.Constraint>(schema: S) => maybe(Schema.Array(schema))
const Custom = maybe(Schema.Record(Schema.String, Schema.Unknown))
const Ref = Schema.Struct({ id: Schema.String })

const WireUser = Schema.Struct({
  id: Schema.String,
  name: maybe(Schema.String),
  image: maybe(Schema.String),
  role: Schema.String,
  custom: Custom,
  created_at: Time,
  updated_at: Time
})

const WireActivity = Schema.Struct({
  id: Schema.String,
  type: Schema.String,
  user: Ref,
  text: maybe(Schema.String),
  feeds: list(Schema.String),
  custom: Custom,
  reaction_groups: maybe(Schema.Record(Schema.String, Schema.Struct({ count: Schema.Int }))),
  own_reactions: list(Schema.Struct({ type: Schema.String })),
  created_at: Time,
  updated_at: Time,
  is_read: maybe(Schema.Boolean),
  is_seen: maybe(Schema.Boolean)
})

const WireFeedRef = Schema.Struct({ feed: Schema.String, created_by: Ref })

const WireFollow = Schema.Struct({
  source_feed: WireFeedRef,
  target_feed: WireFeedRef,
  status: Schema.Literals(["accepted", "pending", "rejected"]),
  created_at: Time
})

const WireReaction = Schema.Struct({
  activity_id: Schema.String,
  user: Ref,
  type: Schema.String,
  custom: Custom,
  created_at: Time
})

const WireGroup = Schema.Struct({
  group: Schema.String,
  activity_count: Schema.Int,
  user_count: Schema.Int,
  activities: list(WireActivity),
  updated_at: Time,
  is_read: maybe(Schema.Boolean),
  is_seen: maybe(Schema.Boolean)
})

/** The answers that are read. */
export const GotFollow = Schema.Struct({ created: Schema.Boolean, follow: WireFollow })
export const GotUnfollow = Schema.Struct({ deleted: Schema.Boolean })
export const GotActivity = Schema.Struct({ activity: WireActivity })
export const GotActivities = Schema.Struct({ activities: Schema.NonEmptyArray(WireActivity) })
export const GotFeed = Schema.Struct({
  activities: Schema.NullOr(Schema.Array(WireActivity)),
  aggregated_activities: list(WireGroup),
  notification_status: maybe(Schema.Struct({ unread: Schema.Int, unseen: Schema.Int })),
  next: maybe(Schema.String)
})
export const GotFollows = Schema.Struct({
  follows: Schema.NullOr(Schema.Array(WireFollow)),
  next: maybe(Schema.String)
})
export const GotReaction = Schema.Struct({ reaction: WireReaction })
export const GotUsers = Schema.Struct({ users: Schema.Record(Schema.String, WireUser) })
/** An answer of which nothing is read. */
export const GotDone = Schema.Struct({})

/** Reads an answer. */
export const read = <A, I>(schema: Schema.Codec<A, I>): ((answer: unknown) => Effect.Effect<A, Decode>) => {
  const decode = Schema.decodeUnknownEffect(schema)
  return (answer) =>
    Effect.mapError(
      decode(answer),
      (cause) =>
        new Decode({
          message: "Stream answered with something else than its API says",
          cause: new Error(cause.message)
        })
    )
}

/** A cursor: an empty one is none. */
export const cursor = (next: string | null | undefined): Option.Option<string> =>
  next === null || next === undefined || next === "" ? Option.none() : Option.some(next)

export const toUser = (wire: typeof WireUser.Type): User =>
  new User({
    id: wire.id,
    name: Option.fromNullishOr(wire.name),
    image: Option.fromNullishOr(wire.image),
    role: wire.role,
    custom: wire.custom ?? {},
    createdAt: wire.created_at,
    updatedAt: wire.updated_at
  })

export const toActivity = (wire: typeof WireActivity.Type): Activity =>
  new Activity({
    id: wire.id,
    type: wire.type,
    userId: wire.user.id,
    text: Option.fromNullishOr(wire.text),
    feedIds: wire.feeds ?? [],
    custom: wire.custom ?? {},
    reactionCounts: Object.fromEntries(
      Object.entries(wire.reaction_groups ?? {}).map(([type, { count }]) => [type, count])
    ),
    ownReactions: (wire.own_reactions ?? []).map(({ type }) => type),
    createdAt: wire.created_at,
    updatedAt: wire.updated_at
  })

export const toFollow = (wire: typeof WireFollow.Type): Follow =>
  new Follow({
    feedId: wire.source_feed.feed,
    userId: wire.source_feed.created_by.id,
    targetFeedId: wire.target_feed.feed,
    targetId: wire.target_feed.created_by.id,
    status: wire.status,
    createdAt: wire.created_at
  })

export const toFollowed = ({ created, follow }: typeof GotFollow.Type): Followed =>
  new Followed({ created, follow: toFollow(follow) })

export const toReaction = ({ reaction }: typeof GotReaction.Type): Reaction =>
  new Reaction({
    activityId: reaction.activity_id,
    userId: reaction.user.id,
    type: reaction.type,
    custom: reaction.custom ?? {},
    createdAt: reaction.created_at
  })

export const toFeedPage = (feedId: string, wire: typeof GotFeed.Type): FeedPage =>
  new FeedPage({ feedId, activities: (wire.activities ?? []).map(toActivity), next: cursor(wire.next) })

/** A feed of notifications puts activities together; one that was told not to has each by itself. */
export const toNotificationPage = (wire: typeof GotFeed.Type): NotificationPage => {
  const grouped = (wire.aggregated_activities ?? []).map(
    (group) =>
      new Notification({
        id: group.group,
        type: group.activities?.[0]?.type ?? "",
        activities: (group.activities ?? []).map(toActivity),
        activityCount: group.activity_count,
        userCount: group.user_count,
        isRead: group.is_read ?? false,
        isSeen: group.is_seen ?? false,
        updatedAt: group.updated_at
      })
  )
  const single = (wire.activities ?? []).map(
    (activity) =>
      new Notification({
        id: activity.id,
        type: activity.type,
        activities: [toActivity(activity)],
        activityCount: 1,
        userCount: 1,
        isRead: activity.is_read ?? false,
        isSeen: activity.is_seen ?? false,
        updatedAt: activity.updated_at
      })
  )
  return new NotificationPage({
    notifications: grouped.length > 0 ? grouped : single,
    unread: wire.notification_status?.unread ?? 0,
    unseen: wire.notification_status?.unseen ?? 0,
    next: cursor(wire.next)
  })
}

/** The one user that was asked for. */
export const only = (users: (typeof GotUsers.Type)["users"], id: string): Effect.Effect<User, Decode> => {
  const found = Object.hasOwn(users, id) ? users[id] : undefined
  return found === undefined
    ? Effect.fail(new Decode({ message: "Stream answered without the user that was written" }))
    : Effect.succeed(toUser(found))
}
