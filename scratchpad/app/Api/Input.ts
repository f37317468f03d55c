/** What several routes read from a request. */
import { Effect, Schema } from "effect"
import { HttpRouter, HttpServerRequest } from "effect/http"
import { PostId, UserId } from "../Domain.ts"

/** The user of the path. */
export const pathUser = HttpRouter.schemaPathParams(Schema.Struct({ id: UserId }))

/** The post of the path. */
export const pathPost = HttpRouter.schemaPathParams(Schema.Struct({ id: PostId }))

/** A whole number of the query, with limits and a default. */
export const queryInt = (minimum: number, maximum: number, missing: number) =>
  Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum, maximum })).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed(String(missing)))
  )

/** The JSON of the body; everything that is wrong with it is told at once. */
export const bodyOf = <A, I, R>(schema: Schema.Codec<A, I, R>) =>
  HttpServerRequest.schemaBodyJson(schema, { errors: "all" })
