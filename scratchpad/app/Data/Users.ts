/** Users and whom they follow, in the database. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { NotFound, User } from "../Domain.ts"
import { rowsOf } from "./rows.ts"

const users = rowsOf(User)

/** A user; fails with `NotFound`. */
export const findUser = Effect.fnUntraced(function* (id: string) {
  const sql = yield* SqlClient.SqlClient
  const [user] = yield* users(sql`SELECT * FROM users WHERE id = ${id}`)
  return user ?? (yield* new NotFound({ what: "user", id }))
})

/** The users of these ids, in any order. */
export const findUsers = Effect.fnUntraced(function* (ids: ReadonlyArray<string>) {
  const sql = yield* SqlClient.SqlClient
  return yield* users(sql`SELECT * FROM users WHERE ${sql.in("id", [...new Set(ids)])}`)
})

/** The ids of those who follow a user. */
export const followersOf = Effect.fnUntraced(function* (userId: string) {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ followerId: string }>`SELECT follower_id FROM follows WHERE followee_id = ${userId}`
  return rows.map(({ followerId }) => followerId)
})

/** All users. */
export const allUsers = Effect.flatMap(SqlClient.SqlClient, (sql) => users(sql`SELECT * FROM users ORDER BY id`))

/** Who follows whom. */
export const allFollows = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql<{ followerId: string; followeeId: string }>`SELECT follower_id, followee_id FROM follows`
)

/** Makes one user follow another; whether that is new. */
export const insertFollow = Effect.fnUntraced(function* (followerId: string, followeeId: string) {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql`INSERT INTO follows ${sql.insert({ followerId, followeeId })}
    ON CONFLICT DO NOTHING RETURNING follower_id`
  return rows.length > 0
})

/** Ends that; whether there was anything to end. */
export const deleteFollow = Effect.fnUntraced(function* (followerId: string, followeeId: string) {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql`DELETE FROM follows
    WHERE follower_id = ${followerId} AND followee_id = ${followeeId} RETURNING follower_id`
  return rows.length > 0
})
