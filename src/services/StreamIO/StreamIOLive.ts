/**
 * Activity feeds on Stream, through the official client (`@stream-io/node-sdk`).
 *
 * The client takes no signal and has a timeout of its own that cannot be told apart from others; so each of its requests goes
 * through a dispatcher of ours (its `agent`), which makes the attempt's span, sends the trace along, and gives the request up
 * when the operation is interrupted or its deadline passes. The client does not encode ids, so they are encoded here. It
 * retries nothing by itself.
 *
 * Needs the package `@stream-io/node-sdk`.
 *
 * **Details**
 *
 * | Stream answers | reason |
 * |---|---|
 * | 401, 403 | `Unauthorized`: the key, the secret or what they may do |
 * | 404 | `NotFound` |
 * | 400 | `InvalidRequest` |
 * | 429 | `RateLimited` until the limit is reset |
 * | 5xx | `Unavailable` (504: `Timeout`) |
 * | something that is no answer of Stream | `Decode` |
 *
 * `code` of a reason is Stream's own. `follow`, `unfollow` and `createActivity` with an id use the requests that say what they
 * found, since the plain ones fail at the second try.
 *
 * Connections are the layer's own, and closed with it. Where the application has given `fetch` a dispatcher (a proxy,
 * certificates: undici's `setGlobalDispatcher`, Node's `NODE_USE_ENV_PROXY`), requests go through that one, and its idle sockets
 * are its own matter.
 *
 * **Gotchas**
 *
 * Pages of `getFollowers` and `getFollowing` after the first have the deadline of an attempt, and are not tried again.
 *
 * **Example** (From the environment)
 *
 * ```ts
 * import * as ConfigProvider from "effect/ConfigProvider"
 * import * as Effect from "effect/Effect"
 * import { StreamIO } from "effect-telemetry/StreamIO"
 * import * as StreamIOLive from "effect-telemetry/StreamIOLive"
 *
 * const follow = Effect.flatMap(StreamIO, (stream) => stream.follow({ userId: "bob", targetId: "ada" })).pipe(
 *   Effect.catchTag("StreamIOError", (error) => Effect.logWarning(error.message))
 * )
 * // In place of the real environment: nobody listens there.
 * const environment = ConfigProvider.fromUnknown({
 *   STREAM_API_KEY: "key",
 *   STREAM_API_SECRET: "secret",
 *   STREAM_BASE_URL: "http://127.0.0.1:6"
 * })
 *
 * const program = follow.pipe(
 *   Effect.provide(StreamIOLive.layerConfig({ retry: { attempts: 1 } })),
 *   Effect.provideService(ConfigProvider.ConfigProvider, environment)
 * )
 * Effect.runPromise(program)
 * ```
 *
 * @see https://getstream.io/activity-feeds/docs/node/
 */
import * as Clock from "effect/Clock"
import type * as Config from "effect/Config"
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import type { StreamClient as Client } from "@stream-io/node-sdk"
import * as FetchSpans from "../../http/FetchSpans.ts"
import { type Reason, Timeout } from "../../operation/Reason.ts"
import { baseUrl } from "../baseUrl.ts"
import { notSet, secret, sentence, text } from "../environment.ts"
import { optionalPeer } from "../optionalPeer.ts"
import { defaultTimeout, make, StreamIO, type StreamIOCalls, type StreamIOOptions, Token } from "./StreamIO.ts"
import {
  DEFAULT_LIMIT,
  feedsOf,
  MAX_LIMIT,
  notificationFeed,
  sourceOf,
  splitFeed,
  targetOf,
  timelineFeed,
  userFeed
} from "./StreamIOInput.ts"
import type { Follow } from "./StreamIOModel.ts"
import * as StreamIODispatcher from "./StreamIODispatcher.ts"
import { reasonOf } from "./StreamIOReason.ts"
import * as Wire from "./StreamIOWire.ts"

const { StreamClient } = await optionalPeer("StreamIOLive", "@stream-io/node-sdk", () => import("@stream-io/node-sdk"))

/** An application at Stream. */
export interface StreamIOLiveOptions extends StreamIOOptions {
  /** The application's key, which its clients know too. */
  readonly apiKey: string
  /** What requests and users' tokens are signed with; stays on the server. */
  readonly apiSecret: string | Redacted.Redacted
  /** In place of Stream's own servers, for tests. */
  readonly baseUrl?: string | undefined
}

/** A setting of the layer that is not accepted. */
export class StreamIOConfigError extends Data.TaggedError("StreamIOConfigError")<{
  /** The variable of the environment that stands for the setting. */
  readonly setting: "STREAM_API_KEY" | "STREAM_API_SECRET" | "STREAM_BASE_URL"
  /** What is wrong with it and what is accepted; no secret. */
  readonly problem: string
}> {
  override get message(): string {
    return sentence(this.setting, this.problem)
  }
}

/** Stream, with the keys of an application. Fails where a setting is not accepted; asks the server nothing yet. */
export const layer = (options: StreamIOLiveOptions): Layer.Layer<StreamIO, StreamIOConfigError> =>
  Layer.effect(
    StreamIO,
    Effect.gen(function* () {
      const apiKey = yield* checkedKey("STREAM_API_KEY", options.apiKey)
      const apiSecret = yield* checkedKey("STREAM_API_SECRET", options.apiSecret)
      const basePath = options.baseUrl === undefined ? undefined : yield* checkedUrl(options.baseUrl)
      const timeout = Duration.fromInputUnsafe(options.timeout ?? defaultTimeout)
      const client = new StreamClient(apiKey, apiSecret, {
        agent: FetchSpans.dispatcher(yield* StreamIODispatcher.make),
        timeout: clientTimeout(timeout),
        ...(basePath === undefined ? undefined : { basePath })
      })
      return yield* make(calls(client, timeout), options)
    })
  )

/**
 * Stream, with `STREAM_API_KEY`, `STREAM_API_SECRET` and, for tests, `STREAM_BASE_URL`. An empty variable counts as one that
 * is not set. Fails where a key is missing or not accepted.
 */
export const layerConfig = (
  options: StreamIOOptions = {}
): Layer.Layer<StreamIO, StreamIOConfigError | Config.ConfigError> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const missing = (setting: StreamIOConfigError["setting"]) =>
        new StreamIOConfigError({ setting, problem: notSet(`what ${dashboard}`) })
      const apiKey = yield* text("STREAM_API_KEY")
      if (apiKey === undefined) return yield* missing("STREAM_API_KEY")
      const apiSecret = yield* secret("STREAM_API_SECRET")
      if (apiSecret === undefined) return yield* missing("STREAM_API_SECRET")
      return layer({ ...options, apiKey, apiSecret, baseUrl: yield* text("STREAM_BASE_URL") })
    })
  )

const dashboard = "Stream's dashboard shows"

const checkedKey = (
  setting: "STREAM_API_KEY" | "STREAM_API_SECRET",
  value: string | Redacted.Redacted
): Effect.Effect<string, StreamIOConfigError> => {
  const key = Redacted.isRedacted(value) ? Redacted.value(value) : value
  return /^[\x21-\x7e]+$/.test(key)
    ? Effect.succeed(key)
    : new StreamIOConfigError({
        setting,
        problem: `${key === "" ? "is empty" : "has white space or characters beyond ASCII"}; expected what ${dashboard}`
      })
}

const checkedUrl = (text: string): Effect.Effect<string, StreamIOConfigError> =>
  Effect.mapError(
    Effect.fromResult(baseUrl(text)),
    (problem) => new StreamIOConfigError({ setting: "STREAM_BASE_URL", problem })
  )

/** The client's own timeout must never be first: it cannot be told from others, and cannot be infinite. */
const clientTimeout = (timeout: Duration.Duration): number =>
  Duration.isFinite(timeout) ? Math.min(Duration.toMillis(timeout) + 1000, 2 ** 31 - 1) : 600_000

const seconds = (millis: number): number => Math.floor(millis / 1000)

const calls = (client: Client, timeout: Duration.Duration): StreamIOCalls => {
  const { feeds } = client

  /** Asks Stream, and reads what it answers. */
  const ask = <A, I>(schema: Schema.Codec<A, I>, send: () => Promise<unknown>): Effect.Effect<A, Reason> => {
    const read = Wire.read(schema)
    return Effect.flatMap(
      Effect.catch(FetchSpans.call(send), (error) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.fail(reasonOf(error, now)))
      ),
      read
    )
  }

  /** Whether something was there to be removed. */
  const removal = (send: () => Promise<unknown>): Effect.Effect<boolean, Reason> =>
    Effect.catchTag(Effect.as(ask(Wire.GotDone, send), true), "NotFound", () => Effect.succeed(false))

  const readFeed = (
    feedId: string,
    input: { readonly userId: string; readonly limit?: number | undefined; readonly next?: string | undefined }
  ) => {
    const [group, id] = splitFeed(feedId)
    return ask(Wire.GotFeed, () =>
      feeds.getOrCreateFeed({
        feed_group_id: encodeURIComponent(group),
        feed_id: encodeURIComponent(id),
        user_id: input.userId,
        limit: input.limit ?? DEFAULT_LIMIT,
        ...(input.next === undefined ? undefined : { next: input.next })
      })
    )
  }

  const readFollows = (filter: Readonly<Record<string, string>>, atMost = Infinity) => {
    const page = (left: number, next: Option.Option<string>) =>
      Effect.map(
        ask(Wire.GotFollows, () =>
          feeds.queryFollows({
            filter,
            limit: Math.min(left, MAX_LIMIT),
            ...(Option.isSome(next) ? { next: next.value } : undefined)
          })
        ),
        (wire) => {
          const follows = (wire.follows ?? []).slice(0, left).map(Wire.toFollow)
          return { follows, left: left - follows.length, next: Wire.cursor(wire.next) }
        }
      )
    type Page = Effect.Success<ReturnType<typeof page>>
    /** Whoever takes them, later pages belong to the operation's span too. */
    const rest = (before: Page, span: Option.Option<Tracer.AnySpan>): Stream.Stream<Follow, Reason> =>
      Stream.paginate(before, ({ left, next }) => {
        if (Option.isNone(next) || left <= 0) return Effect.succeed([[], Option.none<Page>()] as const)
        const found = page(left, next).pipe(
          Effect.timeoutOrElse({ duration: timeout, orElse: () => Effect.fail(late(timeout)) }),
          Effect.map((after) => [after.follows, Option.some(after)] as const)
        )
        return Option.isNone(span) ? found : Effect.withParentSpan(found, span.value, { captureStackTrace: false })
      })
    // The first page is the operation's attempt, so that it is tried again like any other.
    return Effect.gen(function* () {
      const span = yield* Effect.serviceOption(Tracer.ParentSpan)
      const first = yield* page(atMost, Option.none())
      return Stream.concat(Stream.fromIterable(first.follows), rest(first, span))
    })
  }

  return {
    follow: (input) =>
      Effect.map(
        ask(Wire.GotFollow, () =>
          feeds.getOrCreateFollow({
            source: sourceOf(input),
            target: targetOf(input),
            create_notification_activity: input.notify ?? true,
            ...(input.copyLimit === undefined ? undefined : { activity_copy_limit: input.copyLimit })
          })
        ),
        Wire.toFollowed
      ),
    unfollow: (input) =>
      Effect.map(
        ask(Wire.GotUnfollow, () =>
          feeds.getOrCreateUnfollow({
            source: sourceOf(input),
            target: targetOf(input),
            keep_history: input.keepHistory ?? false
          })
        ),
        ({ deleted }) => deleted
      ),
    createActivity: (input) => {
      const activity = {
        type: input.type,
        feeds: [...feedsOf(input)],
        user_id: input.userId,
        create_notification_activity: input.notify ?? true,
        ...(input.text === undefined ? undefined : { text: input.text }),
        ...(input.custom === undefined ? undefined : { custom: { ...input.custom } }),
        ...(input.visibility === undefined ? undefined : { visibility: input.visibility }),
        ...(input.mentionedUserIds === undefined ? undefined : { mentioned_user_ids: [...input.mentionedUserIds] })
      }
      const { id } = input
      return id === undefined
        ? Effect.map(
            ask(Wire.GotActivity, () => feeds.addActivity(activity)),
            (got) => Wire.toActivity(got.activity)
          )
        : Effect.map(
            ask(Wire.GotActivities, () => feeds.upsertActivities({ activities: [{ ...activity, id }] })),
            (got) => Wire.toActivity(got.activities[0])
          )
    },
    deleteActivity: ({ activityId, hard }) =>
      removal(() => feeds.deleteActivity({ id: encodeURIComponent(activityId), hard_delete: hard ?? false })),
    getFeed: (input) => {
      const feedId = input.feedId ?? timelineFeed(input.userId)
      return Effect.map(readFeed(feedId, input), (wire) => Wire.toFeedPage(feedId, wire))
    },
    getNotifications: (input) =>
      Effect.map(readFeed(input.feedId ?? notificationFeed(input.userId), input), Wire.toNotificationPage),
    markNotificationsRead: (input) => {
      const [group, id] = splitFeed(input.feedId ?? notificationFeed(input.userId))
      const ids = input.ids === undefined ? undefined : [...input.ids]
      return Effect.asVoid(
        ask(Wire.GotDone, () =>
          feeds.markActivity({
            feed_group_id: encodeURIComponent(group),
            feed_id: encodeURIComponent(id),
            user_id: input.userId,
            ...(ids === undefined ? { mark_all_read: true, mark_all_seen: true } : { mark_read: ids, mark_seen: ids })
          })
        )
      )
    },
    addReaction: (input) =>
      Effect.map(
        ask(Wire.GotReaction, () =>
          feeds.addActivityReaction({
            activity_id: encodeURIComponent(input.activityId),
            type: input.type,
            user_id: input.userId,
            enforce_unique: input.unique ?? false,
            create_notification_activity: input.notify ?? true,
            ...(input.custom === undefined ? undefined : { custom: { ...input.custom } })
          })
        ),
        Wire.toReaction
      ),
    deleteReaction: ({ activityId, type, userId }) =>
      removal(() =>
        feeds.deleteActivityReaction({
          activity_id: encodeURIComponent(activityId),
          type: encodeURIComponent(type),
          user_id: userId
        })
      ),
    getFollowers: ({ feedId, limit, userId }) =>
      readFollows({ target_feed: feedId ?? userFeed(userId), status: "accepted" }, limit),
    getFollowing: ({ feedId, limit, userId }) =>
      readFollows({ source_feed: feedId ?? timelineFeed(userId), status: "accepted" }, limit),
    upsertUser: ({ custom, image, name, role, userId }) =>
      Effect.flatMap(
        ask(Wire.GotUsers, () =>
          client.upsertUsers([
            {
              id: userId,
              ...(name === undefined ? undefined : { name }),
              ...(image === undefined ? undefined : { image }),
              ...(role === undefined ? undefined : { role }),
              ...(custom === undefined ? undefined : { custom: { ...custom } })
            }
          ])
        ),
        ({ users }) => Wire.only(users, userId)
      ),
    createToken: ({ expiresIn, userId }) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const validity = Duration.fromInputUnsafe(expiresIn ?? "1 hour")
        // A second back, for clients whose clock is behind, as the client itself does it.
        const payload = { user_id: userId, iat: seconds(now) - 1 }
        if (!Duration.isFinite(validity)) {
          return new Token({
            token: Redacted.make(client.generatePermanentUserToken(payload)),
            expiresAt: Option.none()
          })
        }
        const exp = seconds(now + Duration.toMillis(validity))
        return new Token({
          token: Redacted.make(client.generateUserToken({ ...payload, exp })),
          expiresAt: Option.some(DateTime.makeUnsafe(exp * 1000))
        })
      })
  }
}

const late = (duration: Duration.Duration): Timeout =>
  new Timeout({
    message: `stream.io did not answer within ${Duration.format(duration)}, the limit of an attempt`,
    duration
  })
