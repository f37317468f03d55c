/** `/api/v1/users`: who there is, and who follows whom. */
import { Effect } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import * as BusinessEvents from "effect-telemetry/events/BusinessEvents"
import * as Users from "../Data/Users.ts"
import { Senseless } from "../Domain.ts"
import { forget, timelineOf } from "../Feed.ts"
import { learnOfFollow } from "../Recommendations.ts"
import * as Timelines from "../Timelines.ts"
import { signedIn } from "./Identity.ts"
import { pathUser } from "./Input.ts"

const get = Effect.gen(function* () {
  const { id } = yield* pathUser
  return yield* HttpServerResponse.json(yield* Users.findUser(id))
})

const follow = Effect.gen(function* () {
  const { id: targetUserId } = yield* pathUser
  const userId = yield* signedIn
  if (userId === targetUserId) return yield* new Senseless({ message: "nobody follows themselves" })
  const isNew = yield* Effect.gen(function* () {
    yield* Users.findUser(targetUserId)
    // First where it may fail: asking again makes good for it, and the database never says more than Stream knows.
    yield* Timelines.follow(userId, targetUserId)
    const isNew = yield* Users.insertFollow(userId, targetUserId)
    yield* Effect.all([learnOfFollow(userId, targetUserId), forget([timelineOf(userId)])], { concurrency: "unbounded" })
    return isNew
  }).pipe(BusinessEvents.followUser({ userId, targetUserId }))
  return yield* HttpServerResponse.json({ userId, targetUserId, following: true }, { status: isNew ? 201 : 200 })
})

const unfollow = Effect.gen(function* () {
  const { id: targetUserId } = yield* pathUser
  const userId = yield* signedIn
  yield* Effect.gen(function* () {
    yield* Timelines.unfollow(userId, targetUserId)
    yield* Users.deleteFollow(userId, targetUserId)
    yield* forget([timelineOf(userId)])
  }).pipe(
    BusinessEvents.socialInteraction({
      action: "follow",
      targetType: "user",
      targetId: targetUserId,
      isFollowing: false
    })
  )
  return HttpServerResponse.empty({ status: 204 })
})

export const routes = HttpRouter.addAll([
  HttpRouter.route("GET", "/api/v1/users/:id", get),
  HttpRouter.route("PUT", "/api/v1/users/:id/follow", follow),
  HttpRouter.route("DELETE", "/api/v1/users/:id/follow", unfollow)
])
