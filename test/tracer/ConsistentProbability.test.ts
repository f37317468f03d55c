import { assert, describe, it } from "@effect/vitest"
import { createTraceState } from "@opentelemetry/api"
import * as Effect from "effect/Effect"
import { ConsistentProbability } from "../../src/tracer/ConsistentProbability.ts"
import * as EffectTracer from "effect/Tracer"
import * as TraceContext from "../../src/propagation/TraceContext.ts"
import * as Sampler from "../../src/tracer/Sampler.ts"
import type { EndedSpan } from "../../src/tracer/SpanReceiver.ts"
import * as Tracer from "../../src/tracer/Tracer.ts"
import * as TestTelemetry from "../../src/testing/TestTelemetry.ts"

const traceId = (randomness: string) => `4bf92f3577b34da6${"0".repeat(2)}${randomness}`.slice(0, 32)
const mark = (ratio: number) => new ConsistentProbability(ratio).mark(undefined).get("ot")

describe("ConsistentProbability", () => {
  it("marks what it keeps as the specification writes thresholds", () => {
    assert.deepStrictEqual([1, 0.5, 0.25, 0.125, 0.75, 0.1, 0.01].map(mark), [
      "th:0",
      "th:8",
      "th:c",
      "th:e",
      "th:4",
      "th:e666",
      "th:fd70a"
    ])
  })

  it("keeps what is not below the threshold", () => {
    const quarter = new ConsistentProbability(0.25)
    assert.isFalse(quarter.keeps(traceId("bfffffffffffff"), undefined))
    assert.isTrue(quarter.keeps(traceId("c0000000000000"), undefined))
    assert.isTrue(quarter.keeps(traceId("ffffffffffffff"), undefined))
    assert.isFalse(new ConsistentProbability(0).keeps(traceId("ffffffffffffff"), undefined))
    assert.isTrue(new ConsistentProbability(1).keeps(traceId("00000000000000"), undefined))
  })

  it("goes by explicit randomness where there is some that is valid", () => {
    const half = new ConsistentProbability(0.5)
    assert.isTrue(half.keeps(traceId("00000000000000"), createTraceState("ot=rv:f0000000000000")))
    assert.isFalse(half.keeps(traceId("ffffffffffffff"), createTraceState("ot=rv:00000000000000")))
    assert.isTrue(half.keeps(traceId("ffffffffffffff"), createTraceState("ot=rv:0000")))
  })

  it("what a smaller share keeps, a larger one keeps too", () => {
    const shares = [0.01, 0.1, 0.3, 0.5, 0.9, 1].map((ratio) => new ConsistentProbability(ratio))
    for (let i = 0; i < 2000; i++) {
      const id = traceId(((BigInt(i) * 0x9e3779b97f4a7c15n) & 0xffffffffffffffn).toString(16).padStart(14, "0"))
      const kept = shares.map((share) => share.keeps(id, undefined))
      assert.deepStrictEqual(kept, [...kept].sort(), id)
    }
  })

  it("keeps the other members and fields of tracestate", () => {
    const marked = new ConsistentProbability(0.5).mark(createTraceState("ot=rv:f0000000000000;th:c,vendor=1"))
    assert.strictEqual(marked.get("ot"), "th:8;rv:f0000000000000")
    assert.strictEqual(marked.get("vendor"), "1")
  })

  it.effect("a trace that is kept carries its threshold to the last child; one that is dropped carries none", () =>
    Effect.gen(function* () {
      for (let i = 0; i < 200; i++) yield* Effect.void.pipe(Effect.withSpan("child"), Effect.withSpan("root"))
      const spans = yield* TestTelemetry.spans
      assert.isAbove(spans.length, 0)
      assert.isBelow(spans.length, 400)
      for (const span of spans) {
        assert.strictEqual(span.data.traceState, "ot=th:8")
        assert.isAtLeast(Number.parseInt(span.traceId.slice(18, 19), 16), 8)
      }
    }).pipe(Effect.provide(TestTelemetry.layer({ sampler: Sampler.parentBased(Sampler.consistentRatio(0.5)) })))
  )

  // What the caller said, in flags and tracestate, and what is left of its threshold here.
  const borders: ReadonlyArray<readonly [string, Sampler.Sampler, boolean, string, boolean, string | undefined]> = [
    [
      "the caller's decision is followed",
      Sampler.parentBased(Sampler.alwaysOn),
      true,
      "ot=th:8;rv:90000000000000",
      true,
      "th:8;rv:90000000000000"
    ],
    [
      "the caller contradicts itself",
      Sampler.parentBased(Sampler.alwaysOn),
      true,
      "ot=th:8;rv:10000000000000",
      true,
      "rv:10000000000000"
    ],
    [
      "the caller's threshold is none",
      Sampler.parentBased(Sampler.alwaysOn),
      true,
      "ot=th:xyz;rv:10000000000000",
      true,
      "rv:10000000000000"
    ],
    [
      "the caller dropped it, and an error keeps it",
      Sampler.parentBased(Sampler.alwaysOn),
      false,
      "ot=th:8;rv:10000000000000",
      false,
      "rv:10000000000000"
    ],
    [
      "a share of our own keeps it",
      Sampler.consistentRatio(0.1),
      true,
      "ot=th:8;rv:f0000000000000",
      true,
      "th:e666;rv:f0000000000000"
    ],
    [
      "a share of our own drops it, and an error keeps it",
      Sampler.consistentRatio(0.1),
      true,
      "ot=th:8;rv:90000000000000",
      false,
      "rv:90000000000000"
    ],
    ["everything is kept, whatever the caller said", Sampler.alwaysOn, true, "ot=th:8,other=1", true, undefined],
    ["nothing is kept, but for an error", Sampler.alwaysOff, true, "ot=th:8", false, undefined]
  ]
  for (const [what, sampler, parentSampled, state, sampled, ot] of borders) {
    it(`a span carries a threshold only where it stands for that share: ${what}`, () => {
      const ended: Array<EndedSpan> = []
      const tracer = Tracer.make({ sampler, receiver: { takesUnsampled: true, ended: (span) => ended.push(span) } })
      const parent = TraceContext.toExternalSpan(
        TraceContext.parse(
          `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-${parentSampled ? "01" : "00"}`,
          state
        )!
      )
      const program = Effect.void.pipe(Effect.withSpan("child"), Effect.withSpan("root", { parent }))
      Effect.runSync(Effect.provideService(program, EffectTracer.Tracer, tracer))
      assert.strictEqual(ended.length, 2)
      for (const span of ended) {
        assert.strictEqual(span.sampled, sampled)
        const kept = span.traceState === undefined ? undefined : createTraceState(span.traceState)
        assert.strictEqual(kept?.get("ot"), ot)
        if (state.includes("other")) assert.strictEqual(kept?.get("other"), "1")
      }
    })
  }
})
