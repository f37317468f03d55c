/** What tests of the live layer share. */
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Gorse, type GorseError } from "../../../src/services/Gorse/Gorse.ts"
import * as GorseLive from "../../../src/services/Gorse/GorseLive.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"
import { type Answer, answering, type Answering } from "../answering.ts"

export const key = "hunter2-the-api-key"
export const quick = { retry: { baseDelay: "1 millis" as const, jitter: 0 } }

/** A test of the live layer against a server that answers as it is told. */
export const test = <E>(
  title: string,
  answer: Answer,
  body: (gorse: Gorse["Service"], server: Answering) => Effect.Effect<unknown, E, TestTelemetry.TestTelemetry>,
  options: Partial<GorseLive.GorseLiveOptions> = {}
) =>
  it.live(title, () =>
    Effect.gen(function* () {
      const server = yield* answering(answer)
      const layer = GorseLive.layer({ url: server.url, apiKey: key, ...quick, ...options })
      yield* Effect.flatMap(Gorse, (gorse) => body(gorse, server)).pipe(Effect.provide([layer, TestTelemetry.layer()]))
    }).pipe(Effect.scoped)
  )

export const reasonOf = <A>(effect: Effect.Effect<A, GorseError>) =>
  Effect.map(Effect.flip(effect), (error) => error.reason)
