import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { recordServiceError, recordServiceSuccess } from "../../src/operation/record.ts"
import { NotFound } from "../../src/operation/Reason.ts"
import * as TestTelemetry from "../../src/testing/TestTelemetry.ts"
import { GeoError } from "./support.ts"

describe("record", () => {
  it.effect("an error that is handled is recorded and does not make its span an error", () =>
    Effect.gen(function* () {
      const error = new GeoError({ operation: "locate", reason: new NotFound({ message: "no such place" }) })
      yield* Effect.fail(error).pipe(
        Effect.tapError((failure) => recordServiceError("geo", failure)),
        Effect.ignore,
        Effect.withSpan("geo.by_hand")
      )
      yield* TestTelemetry.expectTrace({
        name: "geo.by_hand",
        status: "unset",
        attributes: { "external.service": "geo", "error.type": "NotFound", "external.error.retryable": false },
        events: [
          {
            name: "exception",
            attributes: {
              "exception.type": "NotFound",
              "exception.message": "geo locate: NotFound: no such place",
              "exception.stacktrace": /GeoError/
            }
          }
        ]
      })
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )

  it.effect("a result says what it amounts to", () =>
    Effect.gen(function* () {
      yield* recordServiceSuccess({
        itemCount: 3,
        fromCache: true,
        partial: false,
        attributes: { "geo.planet": "earth" }
      }).pipe(Effect.withSpan("geo.by_hand"))
      yield* TestTelemetry.expectTrace({
        name: "geo.by_hand",
        attributes: {
          "result.item_count": 3,
          "result.from_cache": true,
          "result.partial": false,
          "geo.planet": "earth"
        }
      })
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )

  it.effect("outside of a span they do nothing", () =>
    Effect.gen(function* () {
      yield* recordServiceError("geo", "whatever")
      yield* recordServiceSuccess({ itemCount: 1 })
      assert.deepStrictEqual(yield* TestTelemetry.spans, [])
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )
})
