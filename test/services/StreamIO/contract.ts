/** What both parts of the contract of Stream's layers need. */
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { type FeedPage, StreamIO } from "../../../src/services/StreamIO/StreamIO.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"

/** Declares a test of a layer. Each has one that knows nothing. */
export type Declare = (
  title: string,
  body: Effect.Effect<void, unknown, StreamIO | TestTelemetry.TestTelemetry>
) => void

export const declare =
  (layer: Layer.Layer<StreamIO, unknown>): Declare =>
  (title, body) =>
    it.live(title, () => body.pipe(Effect.provide([layer, TestTelemetry.layer()])))

export const ids = (page: FeedPage): ReadonlyArray<string> => page.activities.map(({ id }) => id)

export const spanOf = (
  name: string,
  spans: ReadonlyArray<TestTelemetry.TestSpan>
): ReadonlyArray<TestTelemetry.TestSpan> => spans.filter((one) => one.name === name)

export const none: ReadonlyArray<string> = []

/** Stream, with users of these names. */
export const users = (...names: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const stream = yield* StreamIO
    for (const userId of names) yield* stream.upsertUser({ userId })
    return stream
  })
