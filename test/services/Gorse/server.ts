/** A server that answers as Gorse does, over the recommender of the embedded layer. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Http from "node:http"
import { Gorse, type GorseError, type Scored } from "../../../src/services/Gorse/Gorse.ts"
import * as GorseEmbedded from "../../../src/services/Gorse/GorseEmbedded.ts"
import { type Answer, answering } from "../answering.ts"

export const API_KEY = "gorse-key-4711"

const fail = (response: Http.ServerResponse, status: number, message: string) =>
  response.writeHead(status, { "access-control-allow-origin": "*" }).end(message)

const ok = (response: Http.ServerResponse, body: unknown) =>
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body))

const changed = (rows: number) => ({ RowAffected: rows })

/** A Go slice that was never filled is `null`. */
const scores = (found: ReadonlyArray<Scored>, whenEmpty: null | [] = []) =>
  found.length === 0 ? whenEmpty : found.map(({ id, score }) => ({ Id: id, Score: Option.getOrElse(score, () => 0) }))

/** Answers with what a service of the embedded layer knows. */
export const gorseAnswer = Effect.gen(function* () {
  const context = yield* Layer.build(GorseEmbedded.layer({ maxItems: 50, circuit: false }))
  const users = new Set<string>()
  const items = new Set<string>()
  return ((received, response) => {
    const { headers, json, method, path, query } = received
    if (headers["x-api-key"] !== API_KEY) return void fail(response, 401, "unauthorized")
    const categories = new URL(received.target, "http://gorse").searchParams.getAll("category")
    // As in Go: the path is decoded before it is taken apart.
    const [, , kind, ...rest] = decodeURIComponent(path).split("/")
    const page = {
      count: query["n"] === undefined ? 10 : Number(query["n"]),
      offset: Number(query["offset"] ?? 0),
      categories
    }
    const unseenBy = query["user-id"]
    const feedback = (one: any) => {
      users.add(one.UserId)
      items.add(one.ItemId)
      return {
        feedbackType: one.FeedbackType,
        userId: one.UserId,
        itemId: one.ItemId,
        value: one.Value,
        timestamp: one.Timestamp
      }
    }
    const effect = Effect.gen(function* () {
      const gorse = yield* Gorse
      switch (`${method} ${kind} ${rest.length}`) {
        case "POST user 0":
          users.add(json.UserId)
          return ok(response, changed(yield* gorse.insertUser({ userId: json.UserId })))
        case "GET user 1":
          return users.has(rest[0]!)
            ? ok(response, { UserId: rest[0], Labels: null, Comment: "" })
            : fail(response, 404, `user ${rest[0]} not found`)
        case "DELETE user 1":
          users.delete(rest[0]!)
          return ok(response, changed(yield* gorse.deleteUser({ userId: rest[0]! })))
        case "POST item 0": {
          const inserted = yield* gorse.insertItem({
            itemId: json.ItemId,
            hidden: json.IsHidden,
            categories: json.Categories ?? [],
            timestamp: json.Timestamp
          })
          items.add(json.ItemId)
          return ok(response, changed(inserted))
        }
        case "GET item 1":
          return items.has(rest[0]!)
            ? ok(response, { ItemId: rest[0], IsHidden: false, Categories: null })
            : fail(response, 404, `item ${rest[0]} not found`)
        case "DELETE item 1":
          items.delete(rest[0]!)
          return ok(response, changed(yield* gorse.deleteItem({ itemId: rest[0]! })))
        case "POST feedback 0":
        case "PUT feedback 0":
          return ok(
            response,
            changed(yield* gorse.insertFeedback({ feedback: json.map(feedback), overwrite: method === "PUT" }))
          )
        case "DELETE feedback 2":
          return ok(response, changed(yield* gorse.deleteFeedback({ userId: rest[0]!, itemId: rest[1]! })))
        case "DELETE feedback 3":
          return ok(
            response,
            changed(yield* gorse.deleteFeedback({ feedbackType: rest[0]!, userId: rest[1]!, itemId: rest[2]! }))
          )
        case "GET recommend 1": {
          const delay = /^(\d+)ms$/.exec(query["write-back-delay"] ?? "")?.[1]
          const type = query["write-back-type"]
          const found = yield* gorse.getRecommend({
            ...page,
            userId: rest[0]!,
            writeBack: type === undefined ? undefined : { feedbackType: type, delay: Number(delay ?? 0) }
          })
          return ok(response, headers["x-api-version"] === "2" ? scores(found) : found.map(({ id }) => id))
        }
        case "GET item 3":
          return ok(response, scores(yield* gorse.getSimilarItems({ ...page, itemId: rest[0]!, unseenBy }), null))
        case "GET item-to-item 2":
          return rest[0] === "neighbors"
            ? ok(response, scores(yield* gorse.getSimilarItems({ ...page, itemId: rest[1]!, unseenBy }), null))
            : fail(response, 404, `item-to-item recommender ${rest[0]} not found`)
        case "GET user 3":
          return ok(response, scores(yield* gorse.getSimilarUsers({ ...page, userId: rest[0]! }), null))
        case "GET user-to-user 2":
          return rest[0] === "neighbors"
            ? ok(response, scores(yield* gorse.getSimilarUsers({ ...page, userId: rest[1]! }), null))
            : fail(response, 404, `user-to-user recommender ${rest[0]} not found`)
        case "GET non-personalized 1":
          return ok(response, rest[0] === "popular" ? scores(yield* gorse.getPopular({ ...page, unseenBy })) : [])
        case "GET latest 0":
          return ok(response, scores(yield* gorse.getLatest({ ...page, unseenBy })))
      }
      return fail(response, 404, "404: Page Not Found")
    }).pipe(
      Effect.catchTag("GorseError", (error: GorseError) =>
        Effect.sync(() => void fail(response, error.reason.status ?? 400, error.reason.message))
      ),
      Effect.provide(context)
    )
    return Effect.runPromise(effect).then(() => {})
  }) satisfies Answer as Answer
})

/** Starts it. */
export const gorseServer = Effect.flatMap(gorseAnswer, answering)
