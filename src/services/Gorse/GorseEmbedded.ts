/**
 * Recommendations in this process: for development and tests, with no server.
 *
 * It is a real recommender, of a simple kind: items are alike by the users that they share, and a user is recommended what is
 * like what the user dealt with, then what is popular, then what is latest. It learns at once, where Gorse learns in the
 * background. As with Gorse: users and items of feedback that are not there are inserted, a deleted user or item takes its
 * feedback along, hidden items are never recommended, and what was recommended with `writeBack` is not recommended again.
 *
 * **Details**
 *
 * Every layer has what it knows for itself, in memory. `maxUsers` and `maxItems` are Gorse's quotas: what goes over them is
 * `RateLimited` with `quota`. All feedback counts as positive. There is one recommender of each kind, whatever name it is
 * asked for by.
 *
 * **Example** (Alike are songs that the same people like)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Gorse } from "effect-telemetry/Gorse"
 * import * as GorseEmbedded from "effect-telemetry/GorseEmbedded"
 *
 * const program = Effect.gen(function* () {
 *   const gorse = yield* Gorse
 *   for (const userId of ["ada", "bob"]) {
 *     for (const itemId of ["song-1", "song-2"]) {
 *       yield* gorse.insertUserItem({ userId, itemId, feedbackType: "like" })
 *     }
 *   }
 *   return yield* gorse.getSimilarItems({ itemId: "song-1" })
 * })
 * Effect.runPromise(program.pipe(Effect.provide(GorseEmbedded.layer()))).then(([first]) => console.log(first?.id)) // song-2
 * ```
 */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { RateLimited, type Reason } from "../../operation/Reason.ts"
import { type Feedback, Gorse, type GorseCalls, type GorseOptions, make, Scored } from "./Gorse.ts"
import { DEFAULT_COUNT, type ItemDetails, type ItemPage } from "./GorseInput.ts"
import { type Choice, GorseStore, type Score } from "./GorseStore.ts"

/** How much it keeps. */
export interface GorseEmbeddedOptions extends GorseOptions {
  /** At most so many users. Default 100,000. */
  readonly maxUsers?: number | undefined
  /** At most so many items. Default 100,000. */
  readonly maxItems?: number | undefined
}

/** Gorse in this process. */
export const layer = (options: GorseEmbeddedOptions = {}): Layer.Layer<Gorse> =>
  Layer.effect(
    Gorse,
    Effect.suspend(() => make(calls(options.maxUsers ?? 100_000, options.maxItems ?? 100_000), options))
  )

const calls = (maxUsers: number, maxItems: number): GorseCalls => {
  const store = new GorseStore()

  /** Runs a command at the clock's time; what it throws is the reason of its failure. */
  const run = <A>(command: (now: number) => A): Effect.Effect<A, Reason> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.try({ try: () => command(now), catch: (reason) => reason as Reason })
    )

  const room = (what: "users" | "items", there: number, added: number, limit: number): void => {
    if (there + added <= limit) return
    throw new RateLimited({
      message: `${what} count exceeds limit (${there + added} > ${limit})`,
      status: 429,
      quota: true
    })
  }

  const insertUser = (userId: string): void => {
    if (!store.users.has(userId)) room("users", store.users.size, 1, maxUsers)
    store.users.add(userId)
  }

  const insertItem = (itemId: string, details: ItemDetails, now: number): void => {
    if (!store.items.has(itemId)) room("items", store.items.size, 1, maxItems)
    store.insertItem({
      id: itemId,
      hidden: details.hidden ?? false,
      categories: new Set(details.categories),
      timestamp: millis(details.timestamp, now)
    })
  }

  const insertFeedback = (feedback: ReadonlyArray<Feedback>, overwrite: boolean, now: number): number => {
    const users = new Set(feedback.map((one) => one.userId).filter((id) => !store.users.has(id)))
    const items = new Set(feedback.map((one) => one.itemId).filter((id) => !store.items.has(id)))
    room("users", store.users.size, users.size, maxUsers)
    room("items", store.items.size, items.size, maxItems)
    for (const id of users) insertUser(id)
    for (const id of items) insertItem(id, {}, now)
    for (const one of feedback) {
      store.insertDeed(
        {
          type: one.feedbackType,
          userId: one.userId,
          itemId: one.itemId,
          value: one.value ?? 0,
          timestamp: millis(one.timestamp, now)
        },
        overwrite
      )
    }
    return feedback.length
  }

  return {
    insertUser: ({ userId }) =>
      run(() => {
        insertUser(userId)
        return 1
      }),
    insertItem: (input) =>
      run((now) => {
        insertItem(input.itemId, input, now)
        return 1
      }),
    insertUserItem: (input) =>
      run((now) => {
        if (input.item !== undefined) insertItem(input.itemId, input.item, now)
        return insertFeedback([input], input.overwrite ?? false, now)
      }),
    insertFeedback: ({ feedback, overwrite }) => run((now) => insertFeedback(feedback, overwrite ?? false, now)),
    deleteFeedback: ({ feedbackType, itemId, userId }) =>
      run(() =>
        store.deleteDeeds({ userId, itemId, ...(feedbackType === undefined ? undefined : { type: feedbackType }) })
      ),
    getRecommend: (input) =>
      run((now) => {
        const found = store.recommend(input.userId, choice(input), now)
        const { writeBack } = input
        // As Gorse does: what would be written back of a user that is not there is dropped.
        if (writeBack !== undefined && store.users.has(input.userId)) {
          const timestamp = now + Duration.toMillis(Duration.fromInputUnsafe(writeBack.delay ?? Duration.zero))
          for (const [itemId] of found) {
            store.insertDeed({ type: writeBack.feedbackType, userId: input.userId, itemId, value: 0, timestamp }, false)
          }
        }
        return scored(found)
      }),
    getSimilarItems: (input) => run((now) => scored(store.similarItems(input.itemId, choice(input), now))),
    getSimilarUsers: (input) => run(() => scored(store.similarUsers(input.userId, choice(input)))),
    getPopular: (input) => run((now) => scored(store.popular(choice(input), now))),
    getLatest: (input) => run((now) => scored(store.latest(choice(input), now))),
    deleteUser: ({ userId }) =>
      run(() => {
        store.users.delete(userId)
        store.deleteDeeds({ userId })
        return 1
      }),
    deleteItem: ({ itemId }) =>
      run(() => {
        store.items.delete(itemId)
        store.deleteDeeds({ itemId })
        return 1
      })
  }
}

const millis = (time: DateTime.DateTime.Input | undefined, now: number): number =>
  time === undefined ? now : DateTime.toEpochMillis(DateTime.makeUnsafe(time))

const choice = (input: ItemPage & { readonly unseenBy?: string | undefined }): Choice => ({
  categories: input.categories ?? [],
  unseenBy: input.unseenBy,
  count: input.count ?? DEFAULT_COUNT,
  offset: input.offset ?? 0
})

const scored = (scores: ReadonlyArray<Score>): ReadonlyArray<Scored> =>
  scores.map(([id, score]) => new Scored({ id, score: Option.some(score) }))
