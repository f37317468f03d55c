/**
 * Recordings: stored as they come in, processed afterwards by a background job.
 */
import { Effect, Option, Stream } from "effect"
import * as Database from "effect-telemetry/Database"
import * as BusinessEvents from "effect-telemetry/events/BusinessEvents"
import { Storage } from "effect-telemetry/Storage"
import { findPost, updatePost } from "./Data/Posts.ts"
import { type AudioFormat, NotFound, type Post } from "./Domain.ts"
import { Jobs } from "./Jobs.ts"
import { waveformOf } from "./Waveform.ts"

const mediaTypes: Readonly<Record<AudioFormat, string>> = {
  wav: "audio/wav",
  flac: "audio/flac",
  mp3: "audio/mpeg",
  aac: "audio/aac",
  ogg: "audio/ogg"
}

export const keyOf = (post: Pick<Post, "id" | "format">): string => `audio/${post.id}.${post.format}`

/** Stores a recording as it comes in, and has it processed. */
export const uploadAudio = <E, R>(post: Post, size: number, body: Stream.Stream<Uint8Array, E, R>) =>
  Effect.gen(function* () {
    const storage = yield* Storage
    const jobs = yield* Jobs
    const context = yield* Effect.context<R>()
    yield* storage.putObject({
      key: keyOf(post),
      contentType: mediaTypes[post.format],
      body: Stream.provideContext(body, context)
    })
    const [updated] = yield* Effect.all([
      updatePost(post.id, { status: "processing", audioUrl: `/api/v1/posts/${post.id}/audio` }),
      jobs.enqueue({ kind: "process_audio", postId: post.id })
    ]).pipe(Database.transaction())
    yield* jobs.wake
    return updated
  }).pipe(
    BusinessEvents.audioUpload({
      audioPostId: post.id,
      sizeBytes: size,
      format: post.format,
      daw: post.daw ?? undefined
    })
  )

/** Draws the waveform of a post's recording: the background job `process_audio`. */
export const processAudio = (postId: string) =>
  Effect.gen(function* () {
    const storage = yield* Storage
    const post = yield* findPost(postId)
    const recording = yield* storage.getObject({ key: keyOf(post) })
    if (Option.isNone(recording)) return yield* new NotFound({ what: "recording", id: keyOf(post) })
    // Other formats would need a decoder for each; players get along without the picture.
    const waveform = post.format === "wav" ? (yield* waveformOf(recording.value.body)).peaks : null
    yield* updatePost(postId, { status: "ready", waveform })
  }).pipe(
    Effect.scoped,
    Effect.tapError(() => BusinessEvents.audioProcessing.annotate({ status: "failed" })),
    BusinessEvents.audioProcessing({ audioPostId: postId, status: "pending" }, () => ({ status: "complete" }))
  )

/** What becomes of a post whose recording cannot be processed. */
export const giveUpAudio = (postId: string) => Effect.asVoid(updatePost(postId, { status: "failed" }))

/** A post's recording, as a stream. */
export const readAudio = Effect.fnUntraced(function* (post: Post) {
  const storage = yield* Storage
  const recording = yield* storage.getObject({ key: keyOf(post) })
  if (Option.isNone(recording)) return yield* new NotFound({ what: "recording", id: keyOf(post) })
  return recording.value
})
