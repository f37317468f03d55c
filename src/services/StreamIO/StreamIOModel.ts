/**
 * What the operations of Stream give.
 *
 * @internal
 */
import * as Schema from "effect/Schema"

const Custom = Schema.Record(Schema.String, Schema.Unknown)

/** A user, as Stream knows it. */
export class User extends Schema.Class<User>("effect-telemetry/StreamIO/User")({
  id: Schema.String,
  name: Schema.Option(Schema.String),
  /** A URL. */
  image: Schema.Option(Schema.String),
  role: Schema.String,
  custom: Custom,
  createdAt: Schema.DateTimeUtc,
  updatedAt: Schema.DateTimeUtc
}) {}

/** Something that a user did, as it stands in feeds. */
export class Activity extends Schema.Class<Activity>("effect-telemetry/StreamIO/Activity")({
  id: Schema.String,
  /** What was done: `post`, `repost`. */
  type: Schema.String,
  /** Who did it. */
  userId: Schema.String,
  text: Schema.Option(Schema.String),
  /** The feeds that it is in, `group:id`. */
  feedIds: Schema.Array(Schema.String),
  custom: Custom,
  /** How many reactions there are, by type. */
  reactionCounts: Schema.Record(Schema.String, Schema.Int),
  /** The types of the reader's own reactions. */
  ownReactions: Schema.Array(Schema.String),
  createdAt: Schema.DateTimeUtc,
  updatedAt: Schema.DateTimeUtc
}) {}

/** A page of a feed, the latest first. */
export class FeedPage extends Schema.Class<FeedPage>("effect-telemetry/StreamIO/FeedPage")({
  feedId: Schema.String,
  activities: Schema.Array(Activity),
  /** Where the next page begins; none on the last. */
  next: Schema.Option(Schema.String)
}) {}

/** One feed follows another. */
export class Follow extends Schema.Class<Follow>("effect-telemetry/StreamIO/Follow")({
  /** The feed that follows, `group:id`. */
  feedId: Schema.String,
  /** Whose it is. */
  userId: Schema.String,
  /** The feed that is followed, `group:id`. */
  targetFeedId: Schema.String,
  /** Whose it is. */
  targetId: Schema.String,
  /** `pending` where the target has to accept it first. */
  status: Schema.Literals(["accepted", "pending", "rejected"]),
  createdAt: Schema.DateTimeUtc
}) {}

/** What came of a follow. */
export class Followed extends Schema.Class<Followed>("effect-telemetry/StreamIO/Followed")({
  follow: Follow,
  /** Whether it is new; otherwise it was there already. */
  created: Schema.Boolean
}) {}

/** A user's reaction to an activity. */
export class Reaction extends Schema.Class<Reaction>("effect-telemetry/StreamIO/Reaction")({
  activityId: Schema.String,
  userId: Schema.String,
  type: Schema.String,
  custom: Custom,
  createdAt: Schema.DateTimeUtc
}) {}

/** What a user is notified of: one activity, or several of a kind that were put together. */
export class Notification extends Schema.Class<Notification>("effect-telemetry/StreamIO/Notification")({
  /** What `markNotificationsRead` knows it by. */
  id: Schema.String,
  /** What happened: `follow`, `reaction`, `mention`. */
  type: Schema.String,
  /** The latest first; of many, not all. */
  activities: Schema.Array(Activity),
  activityCount: Schema.Int,
  /** How many users it comes from. */
  userCount: Schema.Int,
  isRead: Schema.Boolean,
  isSeen: Schema.Boolean,
  updatedAt: Schema.DateTimeUtc
}) {}

/** A page of notifications, the latest first. */
export class NotificationPage extends Schema.Class<NotificationPage>("effect-telemetry/StreamIO/NotificationPage")({
  notifications: Schema.Array(Notification),
  /** How many are not read, of all pages. */
  unread: Schema.Int,
  /** How many are not seen, of all pages. */
  unseen: Schema.Int,
  /** Where the next page begins; none on the last. */
  next: Schema.Option(Schema.String)
}) {}

/** What a user's client signs in with. */
export class Token extends Schema.Class<Token>("effect-telemetry/StreamIO/Token")({
  /** A JSON web token, signed with the application's secret. */
  token: Schema.Redacted(Schema.String),
  /** None: it is valid for good. */
  expiresAt: Schema.Option(Schema.DateTimeUtc)
}) {}
