import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SemconvStability from "../../src/tracer/SemconvStability.ts"

describe("OTEL_SEMCONV_STABILITY_OPT_IN", () => {
  it.each([
    ["", false, false, []],
    ["http/dup", true, false, []],
    [" database/dup , http/dup,", true, true, []],
    ["http,database", false, false, []],
    ["messaging,HTTP/DUP", false, false, ["messaging", "HTTP/DUP"]]
  ] as const)("%j", (value, httpDup, databaseDup, unknown) => {
    assert.deepStrictEqual(SemconvStability.parse(value), { httpDup, databaseDup, unknown: [...unknown] })
  })

  it.effect("asks for no old names by default", () =>
    Effect.gen(function* () {
      const stability = yield* SemconvStability.CurrentSemconvStability
      assert.deepStrictEqual(stability, { httpDup: false, databaseDup: false })
    })
  )
})
