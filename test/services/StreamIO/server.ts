/**
 * A server that answers as Stream does, over the feeds of the embedded layer: paths, bodies, fields and errors of its API,
 * with fields that nobody reads and times in both of its forms.
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as Http from "node:http"
import {
  type Activity,
  type Follow,
  type Reaction,
  StreamIO,
  type StreamIOError,
  type User
} from "../../../src/services/StreamIO/StreamIO.ts"
import * as StreamIOEmbedded from "../../../src/services/StreamIO/StreamIOEmbedded.ts"
import { type Answer, answering } from "../answering.ts"

export const API_KEY = "stream-key-1"
export const API_SECRET = "hunter2-the-api-secret"

/** An error as Stream reports it. */
export const failure = (status: number, code: number, message: string) => ({
  code,
  message,
  StatusCode: status,
  status_code: status,
  duration: "1.2ms",
  more_info: "https://getstream.io/activity-feeds/docs/api_errors_response",
  details: []
})

const send = (response: Http.ServerResponse, status: number, body: unknown) =>
  response
    .writeHead(status, {
      "content-type": "application/json",
      "x-ratelimit-limit": "1000",
      "x-ratelimit-remaining": "998",
      "x-ratelimit-reset": "4102444800"
    })
    .end(JSON.stringify(body))

const iso = (time: DateTime.DateTime) => DateTime.formatIso(time)
const nanos = (time: DateTime.DateTime) => DateTime.toEpochMillis(time) * 1e6

const user = (id: string) => ({
  id,
  name: id,
  language: "",
  role: "user",
  teams: [],
  custom: {},
  banned: false,
  online: false,
  blocked_user_ids: [],
  created_at: "2026-01-01T00:00:00Z",
  updated_at: "2026-01-01T00:00:00Z"
})

const fullUser = (one: User) => ({
  ...user(one.id),
  name: Option.getOrUndefined(one.name),
  image: Option.getOrUndefined(one.image),
  role: one.role,
  custom: one.custom,
  created_at: nanos(one.createdAt),
  updated_at: iso(one.updatedAt),
  devices: [],
  mutes: null,
  total_unread_count: 0
})

const activity = (one: Activity) => ({
  id: one.id,
  type: one.type,
  user: user(one.userId),
  ...(Option.isSome(one.text) ? { text: one.text.value } : undefined),
  feeds: one.feedIds,
  custom: one.custom,
  reaction_count: Object.values(one.reactionCounts).reduce((sum, count) => sum + count, 0),
  reaction_groups: Object.fromEntries(
    Object.entries(one.reactionCounts).map(([type, count]) => [
      type,
      { count, first_reaction_at: nanos(one.createdAt), last_reaction_at: nanos(one.createdAt) }
    ])
  ),
  own_reactions: one.ownReactions.map((type) => ({ type, activity_id: one.id, user: user(one.userId) })),
  latest_reactions: [],
  comments: null,
  bookmark_count: 0,
  popularity: 0,
  visibility: "public",
  created_at: nanos(one.createdAt),
  updated_at: iso(one.updatedAt)
})

const feed = (id: string, owner: string) => ({
  feed: id,
  group_id: id.split(":")[0],
  id: id.split(":")[1],
  created_by: user(owner),
  created_at: "2026-01-01T00:00:00Z",
  updated_at: "2026-01-01T00:00:00Z",
  follower_count: 0
})

const follow = (one: Follow) => ({
  source_feed: feed(one.feedId, one.userId),
  target_feed: feed(one.targetFeedId, one.targetId),
  status: one.status,
  follower_role: "feed_member",
  push_preference: "all",
  created_at: nanos(one.createdAt),
  updated_at: nanos(one.createdAt)
})

const reaction = (one: Reaction) => ({
  activity_id: one.activityId,
  type: one.type,
  user: user(one.userId),
  custom: one.custom,
  created_at: nanos(one.createdAt),
  updated_at: nanos(one.createdAt)
})

/** Whose a feed is, by its id, as it is by default. */
const owner = (feedId: string) => feedId.split(":")[1]!

/** Answers with what a service of the embedded layer keeps. */
export const streamAnswer = Effect.gen(function* () {
  const context = yield* Layer.build(StreamIOEmbedded.layer({ circuit: false }))
  return ((received, response) => {
    const { headers, json, method, path, query } = received
    const duration = "3.4ms"
    const ok = (body: object) => send(response, 201, { duration, ...body })
    if (query["api_key"] !== API_KEY || headers["stream-auth-type"] !== "jwt") {
      return void send(response, 401, failure(401, 2, "api_key not valid"))
    }
    const [first = "", ...rest] = path.replace("/api/v2/", "").split("/")
    const parts = rest.map(decodeURIComponent)
    const effect = Effect.gen(function* () {
      const stream = yield* StreamIO
      if (first === "users") {
        const users: Record<string, unknown> = {}
        for (const one of Object.values<any>(json.users)) {
          users[one.id] = fullUser(yield* stream.upsertUser({ ...one, userId: one.id }))
        }
        return ok({ users, membership_deletion_task_id: "" })
      }
      const create = (one: any) =>
        stream.createActivity({
          id: one.id,
          userId: one.user_id,
          type: one.type,
          text: one.text,
          feedIds: one.feeds,
          custom: one.custom,
          visibility: one.visibility,
          mentionedUserIds: one.mentioned_user_ids,
          notify: one.create_notification_activity
        })
      const pair =
        json?.source === undefined
          ? undefined
          : {
              feedId: json.source,
              userId: owner(json.source),
              targetFeedId: json.target,
              targetId: owner(json.target)
            }
      switch (
        `${method} ${parts.map((part, i) => (i === 0 || /^(batch|upsert|query|reactions|feeds|activities|mark)$/.test(part) ? part : "*")).join("/")}`
      ) {
        case "POST follows/upsert": {
          const done = yield* stream.follow({
            ...pair!,
            notify: json.create_notification_activity,
            copyLimit: json.activity_copy_limit
          })
          return ok({ follow: follow(done.follow), created: done.created, notification_created: done.created })
        }
        case "POST unfollow/upsert":
          return ok({ deleted: yield* stream.unfollow({ ...pair!, keepHistory: json.keep_history }) })
        case "POST follows/query": {
          const { source_feed, target_feed } = json.filter
          const all = yield* Stream.runCollect(
            source_feed === undefined
              ? stream.getFollowers({ userId: owner(target_feed), feedId: target_feed })
              : stream.getFollowing({ userId: owner(source_feed), feedId: source_feed })
          )
          const start = Number(json.next ?? 0)
          const end = start + json.limit
          return ok({
            follows: all.length === 0 ? null : all.slice(start, end).map(follow),
            ...(end < all.length ? { next: String(end) } : { next: "" })
          })
        }
        case "POST activities":
          return ok({ activity: activity(yield* create(json)) })
        case "POST activities/batch":
          return ok({ activities: yield* Effect.forEach(json.activities, (one) => Effect.map(create(one), activity)) })
        case "DELETE activities/*":
          return (yield* stream.deleteActivity({ activityId: parts[1]! }))
            ? ok({})
            : send(response, 404, failure(404, 16, `activity not found: ${parts[1]}`))
        case "POST activities/*/reactions": {
          const done = yield* stream.addReaction({
            userId: json.user_id,
            activityId: parts[1]!,
            type: json.type,
            custom: json.custom,
            unique: json.enforce_unique,
            notify: json.create_notification_activity
          })
          return ok({ reaction: reaction(done), activity: {} })
        }
        case "DELETE activities/*/reactions/*": {
          const key = { activityId: parts[1]!, type: parts[3]!, userId: query["user_id"]! }
          return (yield* stream.deleteReaction(key))
            ? ok({ reaction: {}, activity: {} })
            : send(response, 404, failure(404, 16, "reaction not found"))
        }
        case "POST feed_groups/*/feeds/*": {
          const feedId = `${parts[1]}:${parts[3]}`
          const page = { userId: json.user_id, feedId, limit: json.limit, next: json.next }
          const common = {
            created: false,
            feed: feed(feedId, json.user_id),
            followers: [],
            following: [],
            members: null
          }
          if (parts[1] !== "notification") {
            const found = yield* stream.getFeed(page)
            return ok({
              ...common,
              activities: found.activities.map(activity),
              aggregated_activities: [],
              next: Option.getOrUndefined(found.next)
            })
          }
          const found = yield* stream.getNotifications(page)
          return ok({
            ...common,
            activities: null,
            aggregated_activities: found.notifications.map((one) => ({
              group: one.id,
              activity_count: one.activityCount,
              user_count: one.userCount,
              user_count_truncated: false,
              score: 0,
              activities: one.activities.map(activity),
              created_at: nanos(one.updatedAt),
              updated_at: nanos(one.updatedAt),
              is_read: one.isRead,
              is_seen: one.isSeen
            })),
            notification_status: { unread: found.unread, unseen: found.unseen, read_activities: null },
            next: Option.getOrUndefined(found.next)
          })
        }
        case "POST feed_groups/*/feeds/*/activities/mark/batch":
          yield* stream.markNotificationsRead({
            userId: json.user_id,
            feedId: `${parts[1]}:${parts[3]}`,
            ids: json.mark_all_read === true ? undefined : json.mark_read
          })
          return ok({})
      }
      return send(response, 404, failure(404, 16, `${method} ${path}: no such endpoint`))
    }).pipe(
      Effect.catchTag("StreamIOError", ({ reason }: StreamIOError) =>
        Effect.sync(
          () =>
            void send(
              response,
              reason.status ?? 400,
              failure(reason.status ?? 400, Number(reason.code ?? 4), reason.message)
            )
        )
      ),
      Effect.provide(context)
    )
    return Effect.runPromise(effect).then(() => {})
  }) satisfies Answer as Answer
})

/** Starts it. */
export const streamServer = Effect.flatMap(streamAnswer, answering)
