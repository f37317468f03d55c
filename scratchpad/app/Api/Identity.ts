/**
 * Who asks.
 *
 * A stand-in for real authentication: whoever sends `x-user-id: u_mara` is Mara. A real application verifies a token here;
 * what follows is the same: `Correlation.setUser`, and every span and log line of the request has the user's id.
 */
import { Effect, Option, Schema } from "effect"
import { HttpRouter, HttpServerRequest } from "effect/http"
import * as Correlation from "effect-telemetry/propagation/Correlation"
import { NotSignedIn, UserId } from "../Domain.ts"

const decode = Schema.decodeUnknownOption(UserId)

/** The user who asks, if the request says so. */
export const currentUser = Effect.map(HttpServerRequest.HttpServerRequest, ({ headers }) =>
  Option.getOrUndefined(decode(headers["x-user-id"]))
)

/** The user who asks; fails with `NotSignedIn`. */
export const signedIn = Effect.flatMap(currentUser, (userId) =>
  userId === undefined
    ? Effect.fail(new NotSignedIn({ message: "say who you are with the header x-user-id: u_mara" }))
    : Effect.succeed(userId)
)

/** Tells the trace who asks. */
export const middleware = HttpRouter.middleware(
  (app) =>
    Effect.andThen(
      Effect.flatMap(currentUser, (userId) =>
        userId === undefined ? Effect.void : Effect.orDie(Correlation.setUser({ userId }))
      ),
      app
    ),
  { global: true }
)
