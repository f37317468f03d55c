/** What happens when somebody posts. */
import { Effect } from "effect"
import * as Database from "effect-telemetry/Database"
import * as BusinessEvents from "effect-telemetry/events/BusinessEvents"
import { recordServiceError } from "effect-telemetry/operation/record"
import { Storage } from "effect-telemetry/Storage"
import { insertPost } from "./Data/Posts.ts"
import { followersOf } from "./Data/Users.ts"
import type { NewPost, Post } from "./Domain.ts"
import { forget, globalFeed, timelineOf } from "./Feed.ts"
import { newId } from "./Ids.ts"
import { learnOfPost } from "./Recommendations.ts"
import { indexPost } from "./Search.ts"
import { publishPost } from "./Timelines.ts"

/**
 * What players load of a post, from the storage and without this backend. It is a convenience: where the storage is away,
 * the post is there all the same, and players ask the API.
 */
const publishPlayerData = (post: Post) =>
  Effect.flatMap(Storage, (storage) =>
    storage.putObject({
      key: `players/${post.id}.json`,
      contentType: "application/json",
      body: JSON.stringify({ id: post.id, title: post.title, durationSeconds: post.durationSeconds, bpm: post.bpm })
    })
  ).pipe(Effect.catchTag("StorageError", (error) => recordServiceError("s3", error)))

/**
 * Creates a post: in the database, where it has to succeed; then wherever else it is heard of, side by side, where a failure is
 * recorded and tolerated; then the cached feeds that it belongs into are forgotten.
 */
export const createPost = (authorId: string, input: NewPost) =>
  Effect.gen(function* () {
    const [post, followers] = yield* Effect.all([insertPost(newId("p"), authorId, input), followersOf(authorId)]).pipe(
      Database.transaction()
    )
    yield* Effect.all(
      [publishPlayerData(post), indexPost(post), publishPost(post), learnOfPost(authorId, post, "post")],
      {
        concurrency: "unbounded"
      }
    )
    yield* forget([globalFeed, ...followers.map(timelineOf)])
    return post
  }).pipe(BusinessEvents.createPost({ audioFormat: input.format }, (post: Post) => ({ postId: post.id })))
