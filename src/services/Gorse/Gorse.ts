/**
 * Recommendations, as Gorse makes them: users, items, what users did with items, and what to show them next.
 *
 * Gorse learns in the background, so what is written now shows in recommendations later; an application falls back to what
 * is popular or latest. Two layers: `GorseLive` (the REST API of a Gorse server) and `GorseEmbedded` (in this process, from
 * co-occurrence and popularity).
 *
 * **Details**
 *
 * `insertUserItem` is "this user interacted with this item": it makes sure that both exist and inserts the feedback.
 * Feedback of the same user, item and type is one; its values add up, unless `overwrite` says to replace it. What would add
 * up twice is not repeated after a failure whose outcome is unknown.
 *
 * **Gotchas**
 *
 * Ids must not be blank or contain "/": Gorse cannot tell them apart in a path. A recommender that is not configured gives an
 * empty list where it is non-personalized, and `NotFound` otherwise.
 *
 * **Example** (A like, and what to show next)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Gorse } from "effect-telemetry/Gorse"
 * import * as GorseEmbedded from "effect-telemetry/GorseEmbedded"
 *
 * const next = Effect.gen(function* () {
 *   const gorse = yield* Gorse
 *   yield* gorse.insertUserItem({ userId: "ada", itemId: "song-1", feedbackType: "like" })
 *   yield* gorse.insertUserItem({ userId: "bob", itemId: "song-1", feedbackType: "like" })
 *   yield* gorse.insertUserItem({ userId: "bob", itemId: "song-2", feedbackType: "like" })
 *   const songs = yield* gorse.getRecommend({ userId: "ada", count: 5 })
 *   return songs.map((song) => song.id)
 * }).pipe(Effect.catchTag("GorseError", () => Effect.succeed(["song-of-the-day"])))
 *
 * Effect.runPromise(next.pipe(Effect.provide(GorseEmbedded.layer()))).then(console.log) // [ 'song-2' ]
 * ```
 *
 * @see https://gorse.io/docs/api/restful-api.html
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Attributes from "../../operation/Attributes.ts"
import * as Operation from "../../operation/Operation.ts"
import type { Reason } from "../../operation/Reason.ts"
import { ServiceError } from "../../operation/ServiceError.ts"
import {
  DEFAULT_COUNT,
  type DeleteFeedback,
  type Feedback,
  type GetLatest,
  type GetPopular,
  type GetRecommend,
  type GetSimilarItems,
  type GetSimilarUsers,
  type InsertFeedback,
  type InsertItem,
  type InsertUser,
  type InsertUserItem,
  isIdempotent,
  type Page,
  refuse
} from "./GorseInput.ts"

export type {
  DeleteFeedback,
  Feedback,
  FeedbackDetails,
  GetLatest,
  GetPopular,
  GetRecommend,
  GetSimilarItems,
  GetSimilarUsers,
  InsertFeedback,
  InsertItem,
  InsertUser,
  InsertUserItem,
  ItemDetails,
  ItemPage,
  Labels,
  Page,
  UserDetails
} from "./GorseInput.ts"

/** An operation of Gorse failed, for the reason inside. */
export class GorseError extends ServiceError("GorseError", "gorse") {}

/** An item or a user, with what speaks for it. */
export class Scored extends Schema.Class<Scored>("effect-telemetry/Gorse/Scored")({
  /** The id of the item or of the user. */
  id: Schema.String,
  /**
   * The higher, the earlier in the list; what it measures is the recommender's own (for `getLatest`, seconds since the
   * epoch). None from a server that does not say.
   */
  score: Schema.Option(Schema.Finite)
}) {}

type Scores = ReadonlyArray<Scored>

const userId = <A extends { readonly userId: string }>() => Attributes.string<A>("the user", (input) => input.userId)
const itemId = <A extends { readonly itemId: string }>() => Attributes.string<A>("the item", (input) => input.itemId)
const unseenBy = <A extends { readonly unseenBy?: string | undefined }>() =>
  Attributes.string<A>("the user whose items are left out", (input) => input.unseenBy)
const feedbackType = <A extends { readonly feedbackType?: string | undefined }>() =>
  Attributes.string<A>("the type of feedback", (input) => input.feedbackType)
const count = <A extends Page>() =>
  Attributes.int<A>("how many were asked for", (input) => input.count ?? DEFAULT_COUNT)
const found = { "result.item_count": Attributes.int<Scores>("how many came back", (scores) => scores.length) }
const affected = { "result.item_count": Attributes.int<number>("how many rows Gorse changed", (rows) => rows) }

const types = (feedback: ReadonlyArray<Feedback>): string =>
  [...new Set(feedback.map((one) => one.feedbackType))].toSorted().join(",")

/** The only value of all, where there is only one. */
const only = (feedback: ReadonlyArray<Feedback>, key: "userId" | "itemId"): string | undefined => {
  const first = feedback[0]?.[key]
  return feedback.every((one) => one[key] === first) ? first : undefined
}

/** The operations of Gorse. */
export const operations = Operation.table(
  { service: "gorse", prefix: "gorse", error: GorseError },
  {
    /** Inserts a user, or replaces what is known of it; how many rows changed. */
    insertUser: Operation.effect<InsertUser, number>({
      name: "insert_user",
      brief: "insert or replace a user",
      idempotent: true,
      input: { "gorse.user_id": userId() },
      result: affected
    }),
    /** Inserts an item, or replaces what is known of it; how many rows changed. */
    insertItem: Operation.effect<InsertItem, number>({
      name: "insert_item",
      brief: "insert or replace an item",
      idempotent: true,
      input: { "gorse.item_id": itemId() },
      result: affected
    }),
    /** A user interacted with an item: makes sure that both exist, and inserts the feedback; how many feedbacks changed. */
    insertUserItem: Operation.effect<InsertUserItem, number>({
      name: "insert_user_item",
      brief: "a user interacted with an item: both exist, and the feedback is inserted",
      idempotent: (input) => isIdempotent([input], input.overwrite),
      input: { "gorse.user_id": userId(), "gorse.item_id": itemId(), "gorse.feedback": feedbackType() },
      result: affected
    }),
    /** Inserts feedback; how many. */
    insertFeedback: Operation.effect<InsertFeedback, number>({
      name: "insert_feedback",
      brief: "insert feedback, one or many",
      idempotent: (input) => isIdempotent(input.feedback, input.overwrite),
      input: {
        "gorse.batch_size": Attributes.int("how many", (input) => input.feedback.length),
        "gorse.feedback": Attributes.string(
          "the types of feedback, comma-separated",
          (input) => types(input.feedback),
          {
            maxLength: 200
          }
        ),
        "gorse.user_id": Attributes.string("the user, where there is only one", (input) =>
          only(input.feedback, "userId")
        ),
        "gorse.item_id": Attributes.string("the item, where there is only one", (input) =>
          only(input.feedback, "itemId")
        )
      },
      result: affected
    }),
    /** Removes the feedback of a user on an item; how many there were. */
    deleteFeedback: Operation.effect<DeleteFeedback, number>({
      name: "delete_feedback",
      brief: "remove the feedback of a user on an item",
      idempotent: true,
      input: { "gorse.user_id": userId(), "gorse.item_id": itemId(), "gorse.feedback": feedbackType() },
      result: affected
    }),
    /** What to show a user next; what is popular or latest for one that is not known. */
    getRecommend: Operation.effect<GetRecommend, Scores>({
      name: "get_recommend",
      brief: "what to show a user next",
      idempotent: (input) => input.writeBack === undefined,
      input: {
        "gorse.user_id": userId(),
        "gorse.count": count(),
        "gorse.feedback": Attributes.string(
          "as what the recommendation is written back",
          (input) => input.writeBack?.feedbackType
        )
      },
      result: found
    }),
    /** Items that are like an item; none for one that is not known. */
    getSimilarItems: Operation.effect<GetSimilarItems, Scores>({
      name: "get_similar_items",
      brief: "items that are like an item",
      idempotent: true,
      input: { "gorse.item_id": itemId(), "gorse.user_id": unseenBy(), "gorse.count": count() },
      result: found
    }),
    /** Users that are like a user; none for one that is not known. */
    getSimilarUsers: Operation.effect<GetSimilarUsers, Scores>({
      name: "get_similar_users",
      brief: "users that are like a user",
      idempotent: true,
      input: { "gorse.user_id": userId(), "gorse.count": count() },
      result: found
    }),
    /** Items that are popular with everybody. */
    getPopular: Operation.effect<GetPopular, Scores>({
      name: "get_popular",
      brief: "items that are popular with everybody",
      idempotent: true,
      input: { "gorse.user_id": unseenBy(), "gorse.count": count() },
      result: found
    }),
    /** Items by their time, the latest first. */
    getLatest: Operation.effect<GetLatest, Scores>({
      name: "get_latest",
      brief: "items by their time, the latest first",
      idempotent: true,
      input: { "gorse.user_id": unseenBy(), "gorse.count": count() },
      result: found
    }),
    /** Removes a user and the user's feedback; succeeds where there was none. */
    deleteUser: Operation.effect<{ readonly userId: string }, number>({
      name: "delete_user",
      brief: "remove a user and the user's feedback",
      idempotent: true,
      input: { "gorse.user_id": userId() },
      result: affected
    }),
    /** Removes an item and the feedback on it; succeeds where there was none. */
    deleteItem: Operation.effect<{ readonly itemId: string }, number>({
      name: "delete_item",
      brief: "remove an item and the feedback on it",
      idempotent: true,
      input: { "gorse.item_id": itemId() },
      result: affected
    })
  }
)

/** The bare calls that a layer of Gorse implements. */
export type GorseCalls = Operation.BareCalls<typeof operations>

/** Recommendations, as a service: provided by `GorseLive` or `GorseEmbedded`. */
export class Gorse extends Context.Service<Gorse, Operation.Client<typeof operations>>()("effect-telemetry/Gorse") {}

/** How a layer of Gorse wants its operations. */
export type GorseOptions = Operation.ImplementOptions

/** The deadline of an attempt, where nothing else is said: 5 seconds. */
export const defaultTimeout: Duration.Input = "5 seconds"

/** @internal */
export const make = (calls: GorseCalls, options: GorseOptions = {}) =>
  Effect.map(
    Operation.implement(operations, checked(calls), { ...options, timeout: options.timeout ?? defaultTimeout }),
    Gorse.of
  )

/** Refuses wrong inputs before anything is sent. */
const checked = (calls: GorseCalls): GorseCalls => {
  type AnyCall = (input: object, call: Operation.Call) => Effect.Effect<any, Reason>
  const all: Record<string, AnyCall> = {}
  for (const [name, call] of Object.entries(calls as unknown as Readonly<Record<string, AnyCall>>)) {
    all[name] = (input, info) =>
      Effect.suspend(() => {
        const refused = refuse(input)
        return refused === undefined ? call(input, info) : Effect.fail(refused)
      })
  }
  return all as unknown as GorseCalls
}
