import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Ids from "../../src/tracer/Ids.ts"
import { withSpan } from "../../src/tracer/withSpan.ts"
import { collect, counting } from "./support.ts"

describe("ids from the pool", () => {
  it("are valid, and no two are the same", () => {
    const traces = new Set<string>()
    const spans = new Set<string>()
    for (let i = 0; i < 20_000; i++) {
      const [traceId, spanId] = [Ids.pooled.traceId(), Ids.pooled.spanId()]
      assert.isTrue(Ids.areValid(traceId, spanId))
      traces.add(traceId)
      spans.add(spanId)
    }
    assert.deepStrictEqual([traces.size, spans.size], [20_000, 20_000])
  })

  it("have every digit at every place", () => {
    const digits = Array.from({ length: 32 }, () => new Set<string>())
    for (let i = 0; i < 5000; i++) [...Ids.pooled.traceId()].forEach((digit, place) => digits[place]!.add(digit))
    assert.isTrue(digits.every((set) => set.size === 16))
  })
})

describe("validity", () => {
  it.each([
    ["1".repeat(32), "1".repeat(16), true],
    ["0".repeat(32), "1".repeat(16), false],
    ["1".repeat(32), "0".repeat(16), false],
    ["A".repeat(32), "1".repeat(16), false],
    ["1".repeat(31), "1".repeat(16), false],
    ["1".repeat(33), "1".repeat(16), false],
    ["noop", "noop", false]
  ])("%s %s is %s", (traceId, spanId, valid) => {
    assert.strictEqual(Ids.areValid(traceId, spanId), valid)
  })
})

describe("an id generator of OpenTelemetry", () => {
  it.effect("makes the ids; the random flag is not claimed", () =>
    Effect.gen(function* () {
      const { span } = yield* collect(Effect.void.pipe(withSpan("child"), withSpan("root")), {
        idGenerator: counting()
      })
      assert.deepStrictEqual(
        [span("root").traceId, span("root").spanId, span("child").spanId],
        ["1".padStart(32, "0"), "1".padStart(16, "0"), "2".padStart(16, "0")]
      )
      assert.deepStrictEqual([span("root").traceFlags, span("child").traceFlags], [1, 1])
    })
  )

  it.effect("that throws, or makes what is no id, is not used", () =>
    Effect.gen(function* () {
      const { spans } = yield* collect(Effect.void.pipe(withSpan("child"), withSpan("root")), {
        idGenerator: {
          generateTraceId: () => {
            throw new Error("no ids")
          },
          generateSpanId: () => "0000000000000000"
        }
      })
      assert.lengthOf(spans, 2)
      for (const span of spans) assert.isTrue(Ids.areValid(span.traceId, span.spanId))
    })
  )
})
