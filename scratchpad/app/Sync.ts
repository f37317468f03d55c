/**
 * What the other services have to know of what the database holds already. Everything here can be done again: it changes
 * nothing that is there.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { Gorse } from "effect-telemetry/Gorse"
import { allPosts } from "./Data/Posts.ts"
import { allFollows } from "./Data/Users.ts"
import { authorItem, itemOf } from "./Recommendations.ts"

/** Tells Gorse of users, posts, and what people did with them. */
export const teachGorse = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const gorse = yield* Gorse
  const posts = yield* allPosts
  const follows = yield* allFollows
  const likes = yield* sql<{
    userId: string
    postId: string
  }>`SELECT user_id, post_id FROM engagements WHERE type = 'like'`
  const authors = new Set(posts.map(({ authorId }) => authorId))
  for (const userId of authors) yield* gorse.insertItem({ itemId: userId, ...authorItem })
  for (const post of posts) yield* gorse.insertItem(itemOf(post))
  yield* gorse.insertFeedback({
    overwrite: true,
    feedback: [
      ...likes.map(({ postId, userId }) => ({ userId, itemId: postId, feedbackType: "like" })),
      ...follows.map(({ followeeId, followerId }) => ({
        userId: followerId,
        itemId: followeeId,
        feedbackType: "follow"
      }))
    ]
  })
})
