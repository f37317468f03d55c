/** Posts in the database. */
import { Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { type FeedType, type NewPost, NotFound, Post } from "../Domain.ts"
import { rowsOf } from "./rows.ts"

const posts = rowsOf(Post)

/** A post; fails with `NotFound`. */
export const findPost = Effect.fnUntraced(function* (id: string) {
  const sql = yield* SqlClient.SqlClient
  const [post] = yield* posts(sql`SELECT * FROM posts WHERE id = ${id}`)
  return post ?? (yield* new NotFound({ what: "post", id }))
})

/** The posts of these ids, in that order; those that are gone are left out. */
export const findPosts = Effect.fnUntraced(function* (ids: ReadonlyArray<string>) {
  if (ids.length === 0) return []
  const sql = yield* SqlClient.SqlClient
  const found = yield* posts(sql`SELECT * FROM posts WHERE ${sql.in("id", ids)}`)
  return ids.flatMap((id) => found.find((post) => post.id === id) ?? [])
})

/** All posts. */
export const allPosts = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  posts(sql`SELECT * FROM posts ORDER BY created_at`)
)

/** Adds a post. */
export const insertPost = Effect.fnUntraced(function* (id: string, authorId: string, post: NewPost) {
  const sql = yield* SqlClient.SqlClient
  const row = { bpm: null, daw: null, ...post, id, authorId }
  const [inserted] = yield* posts(sql`INSERT INTO posts ${sql.insert(row).returning("*")}`)
  return inserted!
})

/** Changes a post. */
export const updatePost = Effect.fnUntraced(function* (
  id: string,
  change: Partial<Pick<Post, "status" | "audioUrl" | "waveform">>
) {
  const sql = yield* SqlClient.SqlClient
  const [updated] = yield* posts(sql`UPDATE posts SET ${sql.update(change)} WHERE id = ${id} RETURNING *`)
  return updated ?? (yield* new NotFound({ what: "post", id }))
})

/** Which part of which feed. */
export interface FeedPage {
  readonly type: FeedType
  readonly limit: number
  readonly offset: number
}

/** A page of a feed, for the user who asks. */
export const postsOfFeed = Effect.fnUntraced(function* (page: FeedPage, userId: string | undefined) {
  const sql = yield* SqlClient.SqlClient
  const part = sql`LIMIT ${page.limit} OFFSET ${page.offset}`
  switch (page.type) {
    case "global":
      return yield* posts(sql`SELECT * FROM posts ORDER BY created_at DESC, id ${part}`)
    case "trending":
      return yield* posts(sql`SELECT * FROM posts ORDER BY (play_count + 5 * like_count)
        / power(extract(epoch FROM now() - created_at) / 3600 + 2, 1.5) DESC, id ${part}`)
    case "timeline":
      return yield* posts(sql`SELECT * FROM posts WHERE author_id IN
        (SELECT followee_id FROM follows WHERE follower_id = ${userId}) ORDER BY created_at DESC, id ${part}`)
  }
})

const CommentCount = rowsOf(Schema.Struct({ postId: Schema.String, comments: Schema.Int }))

/** How many comments posts have; those without any are left out. */
export const commentCounts = Effect.fnUntraced(function* (postIds: ReadonlyArray<string>) {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* CommentCount(sql`SELECT post_id, count(*)::int AS comments FROM comments
    WHERE ${sql.in("post_id", postIds)} GROUP BY post_id`)
  return new Map(rows.map(({ comments, postId }) => [postId, comments]))
})

/** Posts whose title, genre or author's name has the words, the most relevant first. */
export const searchPosts = Effect.fnUntraced(function* (query: string, genre: string | undefined, limit: number) {
  const sql = yield* SqlClient.SqlClient
  const words = sql`websearch_to_tsquery('english', ${query})`
  const text = sql`to_tsvector('english', title || ' ' || genre)`
  const within = genre === undefined ? sql`` : sql`AND genre = ${genre}`
  return yield* posts(sql`SELECT * FROM posts WHERE ${text} @@ ${words} ${within}
    ORDER BY ts_rank(${text}, ${words}) DESC, play_count DESC, id LIMIT ${limit}`)
})
