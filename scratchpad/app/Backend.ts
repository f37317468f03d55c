/** The whole backend as one layer: its parts, its jobs, its HTTP server. */
import { Effect, Layer } from "effect"
import { giveUpAudio, processAudio } from "./Audio.ts"
import { Jobs, worker } from "./Jobs.ts"
import * as Parts from "./Parts.ts"
import { listening, served } from "./Server.ts"

export interface BackendOptions {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  /** What befalls the services, as `FAULTS` says it. */
  readonly faults: string
}

/** What the background jobs do. */
const jobs = worker({
  perform: ({ postId }) =>
    processAudio(postId).pipe(
      // Another try would find the same recording.
      Effect.catchTag(["UnreadableAudio", "NotFound"], () => giveUpAudio(postId))
    ),
  giveUp: ({ postId }) => giveUpAudio(postId)
})

/** Listens first: a port that is taken is known before anything else is started. */
export const backend = (options: BackendOptions) =>
  Layer.merge(served, jobs).pipe(
    Layer.provideMerge(Jobs.layer),
    Layer.provideMerge(Parts.layer(options.faults)),
    Layer.provideMerge(listening(options))
  )
