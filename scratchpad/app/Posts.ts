/** What happens when somebody posts. */
import { Effect } from "effect"
import * as Database from "effect-telemetry/Database"
import * as BusinessEvents from "effect-telemetry/events/BusinessEvents"
import { insertPost } from "./Data/Posts.ts"
import { followersOf } from "./Data/Users.ts"
import type { NewPost, Post } from "./Domain.ts"
import { forget, globalFeed, timelineOf } from "./Feed.ts"
import { newId } from "./Ids.ts"

/** Creates a post: the post and who has to hear of it in one transaction, then the feeds that it belongs into. */
export const createPost = (authorId: string, input: NewPost) =>
  Effect.gen(function* () {
    const [post, followers] = yield* Effect.all([insertPost(newId("p"), authorId, input), followersOf(authorId)]).pipe(
      Database.transaction()
    )
    yield* forget([globalFeed, timelineOf(authorId), ...followers.map(timelineOf)])
    return post
  }).pipe(BusinessEvents.createPost({ audioFormat: input.format }, (post: Post) => ({ postId: post.id })))
