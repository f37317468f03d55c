/**
 * Finding posts by words: Elasticsearch, or OpenSearch, or a search in this process; the database where that is away.
 */
import { Effect, Schema } from "effect"
import * as BusinessEvents from "effect-telemetry/events/BusinessEvents"
import { recordServiceError } from "effect-telemetry/operation/record"
import { documents, Search, type SearchError } from "effect-telemetry/Search"
import { findPosts, searchPosts } from "./Data/Posts.ts"
import { Genre, type Post } from "./Domain.ts"

/** What of a post can be searched. */
const Document = Schema.Struct({
  title: Schema.String,
  genre: Genre,
  authorId: Schema.String,
  plays: Schema.Int,
  createdAt: Schema.Date
})

const index = "posts"
const indexed = documents({ index, schema: Document })

const documentOf = ({ authorId, createdAt, genre, playCount, title }: Post) => ({
  title,
  genre,
  authorId,
  plays: playCount,
  createdAt
})

const recordFailure = (error: SearchError) => recordServiceError("elasticsearch", error)

/** Makes a post findable. Where that fails, it is there all the same, and the next start makes up for it. */
export const indexPost = (post: Post) =>
  indexed.index({ id: post.id, document: documentOf(post) }).pipe(Effect.catchTag("SearchError", recordFailure))

/** Makes all these posts findable. */
export const indexPosts = Effect.fnUntraced(function* (posts: ReadonlyArray<Post>) {
  const search = yield* Search
  yield* search.createIndex({
    index,
    ifMissing: true,
    fields: { title: "text", genre: "keyword", authorId: "keyword", plays: "integer", createdAt: "date" }
  })
  yield* indexed.indexAll(
    posts.map((post) => ({ id: post.id, document: documentOf(post) })),
    { refresh: true }
  )
})

/** What somebody looks for. */
export interface Query {
  readonly text: string
  readonly genre: Genre | undefined
  readonly limit: number
}

/** The ids of posts, the most relevant first. */
const findIds = ({ genre, limit, text }: Query) =>
  indexed
    .search({
      text: { query: text, fields: { title: 3, genre: 1 }, fuzzy: true },
      filter: genre === undefined ? undefined : { term: { genre } },
      size: limit
    })
    .pipe(Effect.map(({ hits }) => hits.map(({ id }) => id)))

/** What a search found, and whether it was the database that was asked. */
interface Found {
  readonly posts: ReadonlyArray<Post>
  readonly fallbackUsed: boolean
}

/** Posts, the most relevant first. */
export const search = (query: Query) =>
  findIds(query).pipe(
    Effect.flatMap(findPosts),
    Effect.map((posts): Found => ({ posts, fallbackUsed: false })),
    Effect.catchTag("SearchError", (error) =>
      Effect.andThen(
        recordFailure(error),
        Effect.map(searchPosts(query.text, query.genre, query.limit), (posts): Found => ({ posts, fallbackUsed: true }))
      )
    ),
    BusinessEvents.search(
      { query: query.text, index, filters: query.genre === undefined ? undefined : [`genre:${query.genre}`] },
      ({ fallbackUsed, posts }: Found) => ({ resultCount: posts.length, fallbackUsed })
    )
  )
