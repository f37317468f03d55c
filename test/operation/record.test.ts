import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Catalogue from "../../src/catalogue/Catalogue.ts"
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

  it.effect("what an error is made of does not matter: its message, its causes, and no harm from its getters", () =>
    Effect.gen(function* () {
      const hostile = Object.defineProperty({}, "isRetryable", {
        get: () => {
          throw new Error("a getter")
        }
      })
      const errors: ReadonlyArray<unknown> = [
        { _tag: "IndexAway", message: "connection refused" },
        new Error("outer", { cause: new TypeError("inner") }),
        "a text",
        undefined,
        hostile
      ]
      for (const error of errors) yield* recordServiceError("geo", error).pipe(Effect.withSpan("geo.by_hand"))
      const [tagged, nested, text, nothing, odd] = (yield* TestTelemetry.spans).map(
        (span): Readonly<Record<string, unknown>> => ({
          type: span.attributes["error.type"],
          ...span.events[0]!.attributes
        })
      )
      assert.strictEqual(tagged!["type"], "IndexAway")
      assert.strictEqual(tagged!["exception.type"], "IndexAway")
      assert.strictEqual(tagged!["exception.message"], "connection refused")
      assert.match(String(nested!["exception.stacktrace"]), /outer[^]*cause[^]*TypeError: inner/)
      assert.strictEqual(text!["exception.message"], "a text")
      assert.strictEqual(nothing!["type"], "_OTHER")
      assert.strictEqual(odd!["type"], "_OTHER")
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

  it.effect("the catalogue has all that they set, with its type", () =>
    Effect.gen(function* () {
      const error = new GeoError({ operation: "locate", reason: new NotFound({ message: "no such place" }) })
      yield* Effect.andThen(
        recordServiceError("geo", error),
        recordServiceSuccess({ itemCount: 3, fromCache: true, partial: false })
      ).pipe(Effect.withSpan("geo.by_hand"))
      const { attributes } = (yield* TestTelemetry.spans)[0]!
      const types: Readonly<Record<string, string>> = { number: "int", boolean: "boolean", string: "string" }
      assert.deepStrictEqual(
        Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, types[typeof value]])),
        Object.fromEntries(Catalogue.recorded.map(({ key, type }) => [key, type]))
      )
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
