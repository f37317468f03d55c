/** What listeners do with posts, in the database. */
import { Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { type Engagement, NotFound } from "../Domain.ts"
import { rowsOf } from "./rows.ts"

const counts = rowsOf(Schema.Struct({ playCount: Schema.Int, likeCount: Schema.Int }))

/** Adds what a listener did, and counts it; gives the counts. To be run in a transaction. */
export const insertEngagement = Effect.fnUntraced(function* (postId: string, userId: string, type: Engagement["type"]) {
  const sql = yield* SqlClient.SqlClient
  const plays = type === "play" ? 1 : 0
  const likes = type === "like" ? 1 : 0
  const [updated] = yield* counts(sql`UPDATE posts
    SET play_count = play_count + ${plays}, like_count = like_count + ${likes}
    WHERE id = ${postId} RETURNING play_count, like_count`)
  if (updated === undefined) return yield* new NotFound({ what: "post", id: postId })
  yield* sql`INSERT INTO engagements ${sql.insert({ postId, userId, type })}`
  return updated
})

/** Who likes what. */
export const allLikes = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql<{ userId: string; postId: string }>`SELECT user_id, post_id FROM engagements WHERE type = 'like'`
)
