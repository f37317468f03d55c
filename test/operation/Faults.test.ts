import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Faults from "../../src/operation/Faults.ts"
import * as Operation from "../../src/operation/Operation.ts"
import * as TestTelemetry from "../../src/testing/TestTelemetry.ts"
import { failing, table } from "./support.ts"

const locate = (faults: string) =>
  Effect.gen(function* () {
    const client = failing()
    const geo = yield* Operation.implement(table, client.bare, {
      retry: { baseDelay: "1 millis" },
      timeout: "20 millis"
    })
    const exit = yield* Effect.exit(geo.locate({ place: "Oslo" }))
    return [exit._tag, client.calls()] as const
  }).pipe(Effect.scoped, Effect.provide([Faults.layer(faults), TestTelemetry.layer()]))

describe("Faults", () => {
  it.live("befall the operations that they name, and no others", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* locate("geo.locate=fail:2"), ["Success", 1])
      assert.deepStrictEqual(yield* locate("geo=down"), ["Failure", 0])
      assert.deepStrictEqual(yield* locate("geo.locate=hang"), ["Failure", 0])
      assert.deepStrictEqual(yield* locate("geo.name=down, es=down"), ["Success", 1])
      assert.deepStrictEqual(yield* locate("geo.locate=slow:1ms,geo.locate=fail:1"), ["Success", 1])
      assert.deepStrictEqual(yield* locate("geo.locate=flaky:0"), ["Success", 1])
      assert.deepStrictEqual(yield* locate("geo.locate=limited:60s"), ["Failure", 0])
    })
  )

  it.effect("what is not understood is named, with what is accepted", () =>
    Effect.gen(function* () {
      for (const bad of ["geo", "geo=explode", "geo=slow:fast", "geo=fail:0", "geo=flaky:2", "geo=down:1"]) {
        const error = yield* Effect.flip(Faults.parse(`geo=hang,${bad}`))
        assert.include(error.message, `FAULTS: ${JSON.stringify(bad)} is not accepted; expected service=fault`)
      }
    })
  )
})
