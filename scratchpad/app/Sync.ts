/**
 * What the other services have to know of what the database holds already, told at the start. Telling it again changes
 * nothing; a service that is away is told at the next start.
 */
import { Effect } from "effect"
import { allLikes } from "./Data/Engagements.ts"
import { allPosts } from "./Data/Posts.ts"
import { allFollows, allUsers } from "./Data/Users.ts"
import { teach } from "./Recommendations.ts"
import { indexPosts } from "./Search.ts"
import { makeTimelines } from "./Timelines.ts"

const away = (error: { readonly service: string; readonly message: string }) =>
  Effect.logWarning(`${error.service} was not told of what there is: ${error.message}`)

/** The start waits for nothing that does not answer. */
const inTime = (name: string) =>
  Effect.timeoutOrElse({
    duration: "10 seconds",
    orElse: () => Effect.logWarning(`${name} was not told of all that there is: it takes too long`)
  })

/** Tells all of them. */
export const sync = Effect.gen(function* () {
  const [users, follows, posts, likes] = yield* Effect.all([allUsers, allFollows, allPosts, allLikes])
  yield* Effect.all(
    [
      indexPosts(posts).pipe(Effect.catchTag("SearchError", away), inTime("search")),
      makeTimelines({ users, follows, posts }).pipe(Effect.catchTag("StreamIOError", away), inTime("stream")),
      teach({ posts, follows, likes }).pipe(Effect.catchTag("GorseError", away), inTime("gorse"))
    ],
    { concurrency: "unbounded", discard: true }
  )
})
