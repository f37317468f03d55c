/**
 * The upload of a stream, in parts, in constant memory: `@aws-sdk/lib-storage` behind an effect.
 *
 * What fits into one part is put at once. Otherwise the parts of an upload that does not succeed are removed again, after an
 * interruption too: S3 keeps them, and lets one pay for them, until somebody does.
 *
 * @internal
 */
import type { PutObjectCommandInput } from "@aws-sdk/client-s3"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Readable } from "node:stream"
import type { Call } from "../../operation/Operation.ts"
import { Decode, InvalidRequest, type Reason } from "../../operation/Reason.ts"
import type { Requests, Send } from "./S3Requests.ts"
import type { S3Settings } from "./S3Settings.ts"
import { etagOf } from "./StorageInput.ts"
import { AbortMultipartUploadCommand, type S3Client, Upload } from "./S3Packages.ts"
import type { PutResult } from "./Storage.ts"

/** Uploads a stream. */
export const upload = (
  requests: Requests,
  settings: S3Settings,
  call: Call,
  params: PutObjectCommandInput,
  body: Stream.Stream<Uint8Array, unknown>
): Effect.Effect<PutResult, Reason> =>
  Effect.gen(function* () {
    let size = 0
    let broken: Cause.Cause<unknown> | undefined
    const source = body.pipe(
      Stream.tap((chunk) =>
        Effect.sync(() => {
          size += chunk.byteLength
        })
      ),
      // Only what fails by itself: the client ends a source that it does not need any more with an error too.
      Stream.catchCause((cause) => {
        if (!Cause.hasInterruptsOnly(cause)) broken = cause
        return Stream.failCause(cause)
      })
    )
    const chunks = yield* Stream.toAsyncIterableEffect(source)
    const sent = requests.use(call, async (send, signal) => {
      const readable = Readable.from(chunks, { objectMode: true, highWaterMark: 1 })
      // An upload that waits for its source would not notice that it is to end.
      signal.addEventListener("abort", () => readable.destroy(new Error("the upload was interrupted")), { once: true })
      const client = { config: requests.client.config, send: tidying(send) } as unknown as S3Client
      const { concurrency, partSize } = settings
      const work = new Upload({
        client,
        params: { ...params, Body: readable },
        partSize,
        queueSize: concurrency
      }).done()
      requests.afterwards(work)
      try {
        return await work
      } finally {
        readable.destroy()
      }
    })
    const result = yield* Effect.catch(sent, (reason) => {
      if (broken === undefined) return Effect.fail(reason)
      const failure = Cause.findErrorOption(broken)
      return failure._tag === "None"
        ? Effect.die(Cause.squash(broken))
        : Effect.fail(new InvalidRequest({ message: "the body that was to be stored failed", cause: failure.value }))
    })
    if (result.ETag === undefined) {
      return yield* Effect.fail(new Decode({ message: "s3 stored an object and gave no entity tag" }))
    }
    return { etag: etagOf(result.ETag), size }
  })

/** A removal of parts that fails has its span; it must not stand in the place of why the upload failed. */
const tidying =
  (send: Send): Send =>
  (command) => {
    const sent = send(command)
    return command instanceof AbortMultipartUploadCommand ? sent.catch(() => ({}) as never) : sent
  }
