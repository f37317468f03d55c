/**
 * The requests that the backend sends itself: one for each pattern of tracing that it has to show.
 */
import { seededPost } from "../Seed.ts"
import { makeRecording } from "../Waveform.ts"

/** A request, what should come of it, and what is to be seen. */
export interface Step {
  readonly title: string
  readonly shows: string
  readonly method: "GET" | "POST" | "PUT" | "DELETE"
  readonly path: string | ((known: Known) => string)
  /** Who asks. */
  readonly user?: string | undefined
  readonly json?: object | undefined
  readonly audio?: (() => Uint8Array) | undefined
  /** What befalls it on purpose, unless `FAULTS` says otherwise. */
  readonly onPurpose?: { readonly fault: string; readonly shows: string } | undefined
  /** The status that is expected, or several that are as good. */
  readonly status: number | ReadonlyArray<number>
  /** Spans that are expected, among others. */
  readonly spans: ReadonlyArray<string>
  /** How many background jobs it leads to. */
  readonly jobs?: number | undefined
  /** What later steps want to know of the answer. */
  readonly learn?: ((body: any) => Known) | undefined
}

/** What steps know of the answers before. */
export interface Known {
  readonly postId?: string | undefined
}

const postPath = (known: Known) => `/api/v1/posts/${known.postId ?? seededPost(1)}`

export const steps: ReadonlyArray<Step> = [
  {
    title: "A user",
    shows: "the request, and under it the statement that it runs: no code traces either",
    method: "GET",
    path: "/api/v1/users/u_mara",
    status: 200,
    spans: ["GET /api/v1/users/:id", "db.select"]
  },
  {
    title: "A follow",
    shows: "an event with meaning, and what it consists of: Stream, the database, recommendations, the cache",
    method: "PUT",
    path: "/api/v1/users/u_sol/follow",
    user: "u_wren",
    onPurpose: {
      fault: "stream.follow=fail:2",
      shows: "Stream fails twice, and is asked again: one operation, its retries in it"
    },
    // 200 where the database remembers an earlier demo.
    status: [201, 200],
    spans: [
      "PUT /api/v1/users/:id/follow",
      "social.follow_user",
      "stream.follow",
      "db.insert",
      "gorse.insert_user_item"
    ]
  },
  {
    title: "A feed, which is not cached yet",
    shows:
      "a cache miss, then Stream, the posts, what belongs to them (two statements at once), and the cache is filled",
    method: "GET",
    path: "/api/v1/feed?type=timeline",
    user: "u_wren",
    status: 200,
    spans: [
      "GET /api/v1/feed",
      "feed.get",
      "cache.get",
      "stream.get_feed",
      "db.select",
      "data.enrich_posts",
      "cache.set"
    ]
  },
  {
    title: "The same feed again",
    shows: "a cache hit: nothing else is asked",
    method: "GET",
    path: "/api/v1/feed?type=timeline",
    user: "u_wren",
    status: 200,
    spans: ["feed.get", "cache.get"]
  },
  {
    title: "A new post",
    shows: "a transaction, then storage, search, timelines and recommendations side by side, then the cache",
    method: "POST",
    path: "/api/v1/posts",
    user: "u_mara",
    json: {
      title: "Last Train, First Light",
      format: "wav",
      genre: "lofi",
      durationSeconds: 173,
      bpm: 84,
      daw: "Ableton Live"
    },
    status: 201,
    spans: [
      "POST /api/v1/posts",
      "feed.create_post",
      "db.insert",
      "s3.put_object",
      "es.index",
      "stream.create_activity",
      "gorse.insert_user_item",
      "cache.delete"
    ],
    learn: (post) => ({ postId: post.id })
  },
  {
    title: "Its recording",
    shows: "a body that streams into the storage, and a background job that remembers its request",
    method: "PUT",
    path: (known) => `${postPath(known)}/audio`,
    user: "u_mara",
    audio: makeRecording,
    status: 202,
    jobs: 1,
    spans: [
      "audio.upload",
      "s3.put_object",
      "job.enqueue process_audio",
      "job.run process_audio",
      "audio.processing",
      "s3.get_object"
    ]
  },
  {
    title: "A comment",
    shows: "what only the result knows (comment.id) on the span of the event",
    method: "POST",
    path: (known) => `${postPath(known)}/comments`,
    user: "u_wren",
    json: { body: "that first chord", atSeconds: 4 },
    status: 201,
    spans: ["social.create_comment", "db.select", "db.insert"]
  },
  {
    title: "Somebody listens",
    shows: "an engagement event, counted in a transaction",
    method: "POST",
    path: (known) => `${postPath(known)}/engagement`,
    user: "u_wren",
    json: { type: "play" },
    status: 200,
    spans: ["engagement.track_play", "db.begin", "db.update", "db.insert", "db.commit", "gorse.insert_feedback"]
  },
  {
    title: "A search",
    shows: "the search engine says which posts, the database what they are now",
    onPurpose: {
      fault: "es.search=fail:3",
      shows: "it fails three times, and the database is asked in its place"
    },
    method: "GET",
    path: "/api/v1/search?q=rain",
    status: 200,
    spans: ["search.query", "es.search", "db.select"]
  },
  {
    title: "A search with a typing error",
    shows: "what an engine is for: it forgives typing errors",
    method: "GET",
    path: "/api/v1/search?q=gravle",
    status: 200,
    spans: ["search.query", "es.search", "db.select"]
  },
  {
    title: "What to listen to next",
    shows: "a recommendation, and an event of the application's own (feed.recommend)",
    method: "GET",
    path: "/api/v1/recommendations",
    user: "u_wren",
    status: 200,
    spans: ["GET /api/v1/recommendations", "feed.recommend", "gorse.get_recommend", "db.select", "data.enrich_posts"]
  },
  {
    title: "A post that is not there",
    shows: "a failure that is the caller's: recorded as an event, but no error of the server",
    method: "GET",
    path: "/api/v1/posts/p_nowhere",
    status: 404,
    spans: ["GET /api/v1/posts/:id", "db.select"]
  },
  {
    title: "A post that makes no sense",
    shows: "input that its Schema refuses: nothing is reached",
    method: "POST",
    path: "/api/v1/posts",
    user: "u_juno",
    json: { title: "  ", format: "vinyl", genre: "trap", durationSeconds: 90 },
    status: 400,
    spans: ["POST /api/v1/posts"]
  }
]

/** What befalls the demo on purpose, as `FAULTS` says it. */
export const demoFaults = steps.flatMap(({ onPurpose }) => onPurpose?.fault ?? []).join(",")
