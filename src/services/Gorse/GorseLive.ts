/**
 * Recommendations from a Gorse server, over its REST API (version 0.5; there is no official client for JavaScript that is kept
 * up).
 *
 * Requests go through Effect's `HttpClient`, each a client span of its own. Nothing is repeated below the operation: its retry
 * policy is the only one. Redirects are not followed, since the API key would go along.
 *
 * **Details**
 *
 * | Gorse answers | reason |
 * |---|---|
 * | 401 | `Unauthorized` |
 * | 404 | `NotFound`: the recommender is not configured |
 * | 400 | `InvalidRequest` |
 * | 429 | `RateLimited` with `quota`: a size or a count is over Gorse's limit, which waiting does not mend; with `Retry-After` it is a proxy's, and retried |
 * | 5xx | `Unavailable` (503 and 504 as in `Reason.fromStatus`); its text may be the database's, so it is only in the cause |
 * | something that is no answer of Gorse | `Decode` |
 *
 * `insertUserItem` asks whether the user and the item are there, and inserts the one that is not: Gorse's own settings
 * (`auto_insert_user`, `auto_insert_item`) may be off, and it would drop the feedback without a word.
 *
 * **Gotchas**
 *
 * `getPopular` reads the non-personalized recommender that `popular` names (`[[recommend.non-personalized]]` in Gorse's
 * configuration). Gorse answers with an empty list where there is none of this name.
 *
 * **Example** (From the environment)
 *
 * ```ts
 * import * as ConfigProvider from "effect/ConfigProvider"
 * import * as Effect from "effect/Effect"
 * import { Gorse } from "effect-telemetry/Gorse"
 * import * as GorseLive from "effect-telemetry/GorseLive"
 *
 * const songs = Effect.flatMap(Gorse, (gorse) => gorse.getRecommend({ userId: "ada", count: 5 })).pipe(
 *   Effect.catchTag("GorseError", (error) => Effect.as(Effect.logWarning(error.message), []))
 * )
 * // In place of the real environment: nobody listens there.
 * const environment = ConfigProvider.fromUnknown({ GORSE_URL: "http://127.0.0.1:1", GORSE_API_KEY: "key" })
 *
 * const program = songs.pipe(
 *   Effect.provide(GorseLive.layerConfig({ retry: { attempts: 1 } })),
 *   Effect.provideService(ConfigProvider.ConfigProvider, environment)
 * )
 * Effect.runPromise(program).then((songs) => console.log(songs.length)) // 0
 * ```
 *
 * @see https://gorse.io/docs/api/restful-api.html
 */
import * as Clock from "effect/Clock"
import type * as Config from "effect/Config"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Client from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as HttpClient from "../../http/HttpClient.ts"
import { Decode, fromConnection, fromStatus, InvalidRequest, RateLimited, type Reason } from "../../operation/Reason.ts"
import { baseUrl } from "../baseUrl.ts"
import { secret, sentence, text } from "../environment.ts"
import { type Feedback, Gorse, type GorseCalls, type GorseOptions, make, Scored } from "./Gorse.ts"
import { DEFAULT_COUNT, type ItemDetails, type ItemPage, type Page, rfc3339, type UserDetails } from "./GorseInput.ts"

/** Where Gorse is. */
export interface GorseLiveOptions extends GorseOptions {
  /** `http://host:port`, or `https://`; with a path where Gorse is behind a proxy. */
  readonly url: string
  /** What Gorse's `server.api_key` says; not needed where that is empty. */
  readonly apiKey?: string | Redacted.Redacted | undefined
  /** The non-personalized recommender that `getPopular` reads. Default `popular`. */
  readonly popular?: string | undefined
}

/** Options of a layer that reads the address from the environment. */
export type GorseConfigOptions = Omit<GorseLiveOptions, "url" | "apiKey">

/** A setting of the layer that is not accepted. */
export class GorseConfigError extends Data.TaggedError("GorseConfigError")<{
  /** The variable of the environment that stands for the setting. */
  readonly setting: "GORSE_URL" | "GORSE_API_KEY"
  /** What is wrong with it and what is accepted; no secret. */
  readonly problem: string
}> {
  override get message(): string {
    return sentence(this.setting, this.problem)
  }
}

/** Gorse at a URL. Fails where a setting is not accepted; not where Gorse is away. */
export const layer = (options: GorseLiveOptions): Layer.Layer<Gorse, GorseConfigError> =>
  layerHttpClient(options).pipe(
    Layer.provide(
      // Fresh: the application's own `fetch` client is not to be told what ours is.
      Layer.fresh(FetchHttpClient.layer).pipe(
        Layer.provide(Layer.succeed(FetchHttpClient.RequestInit, { redirect: "manual" }))
      )
    )
  )

/** Gorse at a URL, through the application's own HTTP client (for a proxy or certificates of its own). Fails as `layer` does. */
export const layerHttpClient = (options: GorseLiveOptions): Layer.Layer<Gorse, GorseConfigError, Client.HttpClient> =>
  Layer.effect(
    Gorse,
    Effect.gen(function* () {
      const { apiKey, popular, url } = options
      const refuse = (setting: GorseConfigError["setting"]) => (problem: string) =>
        new GorseConfigError({ setting, problem })
      const server: Server = {
        url: yield* Effect.fromResult(Result.mapError(baseUrl(url), refuse("GORSE_URL"))),
        apiKey: Redacted.isRedacted(apiKey) ? Redacted.value(apiKey) : (apiKey ?? ""),
        popular: popular ?? "popular"
      }
      if (!/^[\x21-\x7e]*$/.test(server.apiKey)) {
        return yield* refuse("GORSE_API_KEY")("has white space or characters beyond ASCII, which no header may have")
      }
      return yield* make(calls(HttpClient.trace(yield* Client.HttpClient), server), options)
    })
  )

/**
 * Gorse as `GORSE_URL` (default `http://127.0.0.1:8088`) and `GORSE_API_KEY` (default: none) say. An empty variable counts as
 * one that is not set. Fails as `layer` does.
 */
export const layerConfig = (
  options: GorseConfigOptions = {}
): Layer.Layer<Gorse, GorseConfigError | Config.ConfigError> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const url = (yield* text("GORSE_URL")) ?? "http://127.0.0.1:8088"
      return layer({ ...options, url, apiKey: yield* secret("GORSE_API_KEY") })
    })
  )

interface Server {
  readonly url: string
  /** Empty where there is none. */
  readonly apiKey: string
  readonly popular: string
}

const Changed = Schema.Struct({ RowAffected: Schema.Int })

const Score = Schema.Struct({ Id: Schema.String, Score: Schema.Finite })

/** A list that is empty may be `null`. Without `X-API-Version`, and in old versions, recommendations are bare ids. */
const Scores = Schema.NullOr(Schema.Array(Schema.Union([Score, Schema.String])))

type Query = ReadonlyArray<readonly [name: string, value: string]>

interface Sent {
  readonly method: "GET" | "POST" | "PUT" | "DELETE"
  /** Segments below `/api`, which are encoded here. */
  readonly path: ReadonlyArray<string>
  readonly query?: Query | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: unknown
}

const calls = (client: Client.HttpClient, server: Server): GorseCalls => {
  const headers: Record<string, string> = {
    accept: "application/json",
    ...(server.apiKey === "" ? undefined : { "x-api-key": server.apiKey })
  }

  const send = (sent: Sent): Effect.Effect<string, Reason> =>
    Effect.suspend(() => {
      const request = HttpClientRequest.make(sent.method)(
        `${server.url}/api/${sent.path.map(encodeURIComponent).join("/")}`,
        { headers: { ...headers, ...sent.headers }, urlParams: sent.query ?? [] }
      )
      return client
        .execute(sent.body === undefined ? request : HttpClientRequest.bodyJsonUnsafe(request, sent.body))
        .pipe(
          Effect.mapError(unreachable),
          Effect.flatMap((response) =>
            response.status >= 200 && response.status < 300
              ? Effect.mapError(response.text, unreachable)
              : refused(response)
          )
        )
    })

  const read = <A, I>(schema: Schema.Codec<A, I>, sent: Sent): Effect.Effect<A, Reason> => {
    const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(schema))
    return Effect.flatMap(send(sent), (text) =>
      Effect.mapError(
        decode(text),
        (cause) =>
          new Decode({
            message: `Gorse answered ${sent.method} /api/${sent.path[0]} with something else than its API says`,
            cause: new Error(cause.message)
          })
      )
    )
  }

  const change = (sent: Sent): Effect.Effect<number, Reason> =>
    Effect.map(read(Changed, sent), (changed) => changed.RowAffected)

  const list = (path: ReadonlyArray<string>, query: Query, own?: Readonly<Record<string, string>>) =>
    Effect.map(read(Scores, { method: "GET", path, query, headers: own }), (scores) =>
      (scores ?? []).map((one) =>
        typeof one === "string"
          ? new Scored({ id: one, score: Option.none() })
          : new Scored({ id: one.Id, score: Option.some(one.Score) })
      )
    )

  /** Inserts what is not there, and leaves alone what is. */
  const ensure = (
    path: ReadonlyArray<string>,
    insert: Effect.Effect<unknown, Reason>
  ): Effect.Effect<unknown, Reason> => Effect.catchTag(send({ method: "GET", path }), "NotFound", () => insert)

  const insertUser = (userId: string, details: UserDetails = {}) =>
    change({
      method: "POST",
      path: ["user"],
      body: { UserId: userId, Labels: details.labels, Comment: details.comment }
    })

  const insertItem = (itemId: string, details: ItemDetails = {}) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      change({
        method: "POST",
        path: ["item"],
        body: {
          ItemId: itemId,
          IsHidden: details.hidden ?? false,
          Categories: details.categories,
          Timestamp: rfc3339(details.timestamp ?? now),
          Labels: details.labels,
          Comment: details.comment
        }
      })
    )

  const insertFeedback = (feedback: ReadonlyArray<Feedback>, overwrite: boolean | undefined) =>
    feedback.length === 0
      ? Effect.succeed(0)
      : Effect.flatMap(Clock.currentTimeMillis, (now) =>
          change({
            method: overwrite === true ? "PUT" : "POST",
            path: ["feedback"],
            body: feedback.map((one) => ({
              FeedbackType: one.feedbackType,
              UserId: one.userId,
              ItemId: one.itemId,
              Value: one.value ?? 0,
              Timestamp: rfc3339(one.timestamp ?? now),
              Labels: one.labels,
              Comment: one.comment
            }))
          })
        )

  return {
    insertUser: (input) => insertUser(input.userId, input),
    insertItem: (input) => insertItem(input.itemId, input),
    insertUserItem: (input) => {
      const { item, itemId, overwrite, user, userId } = input
      const both = [
        user === undefined ? ensure(["user", userId], insertUser(userId)) : insertUser(userId, user),
        item === undefined ? ensure(["item", itemId], insertItem(itemId)) : insertItem(itemId, item)
      ]
      return Effect.andThen(Effect.all(both, { concurrency: 2, discard: true }), insertFeedback([input], overwrite))
    },
    insertFeedback: ({ feedback, overwrite }) => insertFeedback(feedback, overwrite),
    deleteFeedback: ({ feedbackType, itemId, userId }) =>
      change({
        method: "DELETE",
        path: feedbackType === undefined ? ["feedback", userId, itemId] : ["feedback", feedbackType, userId, itemId]
      }),
    getRecommend: (input) =>
      list(
        ["recommend", input.userId],
        [
          ...itemPage(input),
          ...(input.writeBack === undefined
            ? []
            : [
                ["write-back-type", input.writeBack.feedbackType] as const,
                ["write-back-delay", goDuration(input.writeBack.delay ?? Duration.zero)] as const
              ])
        ],
        { "x-api-version": "2" }
      ),
    getSimilarItems: (input) =>
      list(
        input.recommender === undefined
          ? // The path ends with a slash.
            ["item", input.itemId, "neighbors", ""]
          : ["item-to-item", input.recommender, input.itemId],
        [...itemPage(input), ...unseen(input.unseenBy)]
      ),
    getSimilarUsers: (input) =>
      list(
        input.recommender === undefined
          ? ["user", input.userId, "neighbors", ""]
          : ["user-to-user", input.recommender, input.userId],
        page(input)
      ),
    getPopular: (input) =>
      list(["non-personalized", input.recommender ?? server.popular], [...itemPage(input), ...unseen(input.unseenBy)]),
    getLatest: (input) => list(["latest"], [...itemPage(input), ...unseen(input.unseenBy)]),
    deleteUser: ({ userId }) => change({ method: "DELETE", path: ["user", userId] }),
    deleteItem: ({ itemId }) => change({ method: "DELETE", path: ["item", itemId] })
  }
}

const page = (input: Page): Query => [
  ["n", String(input.count ?? DEFAULT_COUNT)],
  ...(input.offset === undefined ? [] : [["offset", String(input.offset)] as const])
]

const itemPage = (input: ItemPage): Query => [
  ...page(input),
  ...(input.categories ?? []).map((category) => ["category", category] as const)
]

const unseen = (userId: string | undefined): Query => (userId === undefined ? [] : [["user-id", userId]])

/** As Go's `time.ParseDuration` reads it. */
const goDuration = (delay: Duration.Input): string =>
  `${Math.round(Duration.toMillis(Duration.fromInputUnsafe(delay)))}ms`

/** A request that did not arrive, or an answer that broke off. */
const unreachable = (error: HttpClientError.HttpClientError): Reason =>
  error.reason._tag === "InvalidUrlError" || error.reason._tag === "EncodeError"
    ? new InvalidRequest({ message: "Gorse cannot be asked this: the request cannot be written down", cause: error })
    : fromConnection(error)

/** Errors come as a text. What a client did wrong is said; what a server suffers from may be a database's, with its data. */
const refused = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<never, Reason> =>
  Effect.flatMap(
    Effect.orElseSucceed(response.text, () => ""),
    (body) => {
      const { headers, status } = response
      const text = (/^\s*</.test(body) ? "" : body.trim()).slice(0, 200).toWellFormed()
      const own = status >= 400 && status < 500 && text !== "" ? `: ${text}` : ""
      const details = {
        message: `Gorse answered ${status}${own}`,
        status,
        cause: own === "" && text !== "" ? new Error(text) : undefined
      }
      const retryAfter = seconds(headers["retry-after"])
      return Effect.fail(
        status === 429 && retryAfter === undefined
          ? new RateLimited({ ...details, quota: true })
          : fromStatus(status, { ...details, retryAfter })
      )
    }
  )

const seconds = (header: string | undefined): Duration.Duration | undefined =>
  header !== undefined && /^\d+$/.test(header.trim()) ? Duration.seconds(Number(header)) : undefined
