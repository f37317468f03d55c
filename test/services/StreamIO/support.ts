/** What tests of the live layer share. */
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { StreamIO, type StreamIOError } from "../../../src/services/StreamIO/StreamIO.ts"
import * as StreamIOLive from "../../../src/services/StreamIO/StreamIOLive.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"
import { type Answer, answering, type Answering } from "../answering.ts"

export const secret = "hunter2-the-api-secret"
export const quick = { retry: { baseDelay: "1 millis" as const, jitter: 0 } }

/** A test of the live layer against a server that answers as it is told. */
export const test = <E>(
  title: string,
  answer: Answer,
  body: (stream: StreamIO["Service"], server: Answering) => Effect.Effect<unknown, E, TestTelemetry.TestTelemetry>,
  options: Partial<StreamIOLive.StreamIOLiveOptions> = {}
) =>
  it.live(title, () =>
    Effect.gen(function* () {
      const server = yield* answering(answer)
      const layer = StreamIOLive.layer({ apiKey: "key", apiSecret: secret, baseUrl: server.url, ...quick, ...options })
      yield* Effect.flatMap(StreamIO, (stream) => body(stream, server)).pipe(
        Effect.provide([layer, TestTelemetry.layer()])
      )
    }).pipe(Effect.scoped)
  )

export const reasonOf = <A>(effect: Effect.Effect<A, StreamIOError>) =>
  Effect.map(Effect.flip(effect), (error) => error.reason)
