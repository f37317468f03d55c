/** Comments in the database. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { Comment, type NewComment, NotFound } from "../Domain.ts"
import { rowsOf } from "./rows.ts"

const comments = rowsOf(Comment)

/** A comment; fails with `NotFound`. */
export const findComment = Effect.fnUntraced(function* (id: string) {
  const sql = yield* SqlClient.SqlClient
  const [comment] = yield* comments(sql`SELECT * FROM comments WHERE id = ${id}`)
  return comment ?? (yield* new NotFound({ what: "comment", id }))
})

/** Adds a comment. */
export const insertComment = Effect.fnUntraced(function* (
  id: string,
  postId: string,
  authorId: string,
  comment: NewComment
) {
  const sql = yield* SqlClient.SqlClient
  const row = { atSeconds: null, replyTo: null, ...comment, id, postId, authorId }
  const [inserted] = yield* comments(sql`INSERT INTO comments ${sql.insert(row).returning("*")}`)
  return inserted!
})

/** The comments on a post, the oldest first. */
export const commentsOn = Effect.fnUntraced(function* (postId: string) {
  const sql = yield* SqlClient.SqlClient
  return yield* comments(sql`SELECT * FROM comments WHERE post_id = ${postId} ORDER BY created_at, id LIMIT 100`)
})
