import * as Otel from "@opentelemetry/api"
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler as SdkSampler,
  TraceIdRatioBasedSampler
} from "@opentelemetry/sdk-trace-base"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import * as Sampler from "../../src/tracer/Sampler.ts"
import { withSpan } from "../../src/tracer/withSpan.ts"
import { attributesOf, collect } from "./support.ts"

const TraceId = Schema.String.check(Schema.isPattern(/^[0-9a-f]{32}$/))
const Ratio = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))

const ask = (sampler: SdkSampler, traceId: string, parent?: Otel.SpanContext): number =>
  sampler.shouldSample(
    parent === undefined ? Otel.ROOT_CONTEXT : Otel.trace.setSpanContext(Otel.ROOT_CONTEXT, parent),
    traceId,
    "name",
    Otel.SpanKind.INTERNAL,
    {},
    []
  ).decision

const decide = (rule: Sampler.Rule, traceId: string): number => {
  if (typeof rule === "number") return rule
  if (rule._tag === "Ratio") return rule.decide(traceId)
  if (rule._tag === "Ask") return ask(rule.sampler, traceId)
  throw new Error(`no standard rule: ${rule._tag}`)
}

describe("the standard samplers", () => {
  it.prop("the ratio's decision is the SDK's", { traceId: TraceId, ratio: Ratio }, ({ ratio, traceId }) => {
    const theirs = new TraceIdRatioBasedSampler(ratio)
    const expected = ask(theirs, traceId)
    assert.strictEqual(ask(Sampler.traceIdRatio(ratio), traceId), expected)
    assert.strictEqual(decide(Sampler.compile(Sampler.traceIdRatio(ratio)).root, traceId), expected)
    assert.strictEqual(decide(Sampler.compile(theirs).root, traceId), expected)
  })

  const ratio = 0.5
  const samplers: ReadonlyArray<readonly [string, SdkSampler, SdkSampler]> = [
    ["on", Sampler.alwaysOn, new AlwaysOnSampler()],
    ["off", Sampler.alwaysOff, new AlwaysOffSampler()],
    ["ratio", Sampler.traceIdRatio(ratio), new TraceIdRatioBasedSampler(ratio)],
    ["parent-based on", Sampler.parentBased(Sampler.alwaysOn), new ParentBasedSampler({ root: new AlwaysOnSampler() })],
    [
      "parent-based ratio",
      Sampler.parentBased(Sampler.traceIdRatio(ratio)),
      new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) })
    ],
    [
      "parent-based with all parts",
      Sampler.parentBased(Sampler.alwaysOff, {
        remoteParentSampled: Sampler.alwaysOff,
        remoteParentNotSampled: Sampler.alwaysOn,
        localParentSampled: Sampler.traceIdRatio(ratio),
        localParentNotSampled: Sampler.alwaysOn
      }),
      new ParentBasedSampler({
        root: new AlwaysOffSampler(),
        remoteParentSampled: new AlwaysOffSampler(),
        remoteParentNotSampled: new AlwaysOnSampler(),
        localParentSampled: new TraceIdRatioBasedSampler(ratio),
        localParentNotSampled: new AlwaysOnSampler()
      })
    ]
  ]
  it.each(samplers)("%s: ours, the SDK's and what is compiled of both agree", (_, ours, theirs) => {
    assert.strictEqual(String(ours), String(theirs))
    for (const traceId of ["1".repeat(32), "f".repeat(32), "8".repeat(31) + "1", "0123456789abcdef".repeat(2)]) {
      const parents = [
        ["root", undefined],
        ["remoteSampled", { isRemote: true, traceFlags: 1 }],
        ["remoteNotSampled", { isRemote: true, traceFlags: 0 }],
        ["localSampled", { isRemote: false, traceFlags: 1 }],
        ["localNotSampled", { traceFlags: 0 }]
      ] as const
      for (const [kind, parent] of parents) {
        const context = parent === undefined ? undefined : { traceId, spanId: "1".repeat(16), ...parent }
        const expected = ask(theirs, traceId, context)
        assert.strictEqual(ask(ours, traceId, context), expected, kind)
        assert.strictEqual(decide(Sampler.compile(ours)[kind], traceId), expected, kind)
        assert.strictEqual(decide(Sampler.compile(theirs)[kind], traceId), expected, kind)
      }
    }
  })

  it("beyond its ends a ratio is its end, and none is zero", () => {
    assert.strictEqual(Sampler.compile(Sampler.traceIdRatio(5)).root, 2)
    assert.strictEqual(Sampler.compile(Sampler.traceIdRatio(-5)).root, 0)
    assert.strictEqual(Sampler.compile(Sampler.traceIdRatio(NaN)).root, 0)
  })

  it("what only looks like one is asked", () => {
    class AlwaysOnSampler extends AlwaysOffSampler {}
    const rule = Sampler.compile(new AlwaysOnSampler()).root
    assert.isTrue(typeof rule === "object" && rule._tag === "Ask")
  })
})

describe("any other sampler", () => {
  it.effect("is told everything, and what it says is done", () =>
    Effect.gen(function* () {
      const asked: Array<Parameters<SdkSampler["shouldSample"]>> = []
      const sampler: SdkSampler = {
        shouldSample: (...args) => {
          asked.push(args)
          return {
            decision: args[2] === "dropped" ? 0 : 2,
            attributes: { "sampler.said": args[2] },
            traceState: Otel.createTraceState("sampler=1")
          }
        },
        toString: () => "custom"
      }
      const parent = Tracer.externalSpan({ traceId: "1".repeat(32), spanId: "2".repeat(16) })
      const { span, spans } = yield* collect(
        Effect.void.pipe(
          withSpan("child", {
            kind: "client",
            attributes: () => ({ a: 1n }),
            links: [{ span: parent, attributes: { l: 1 } }]
          }),
          withSpan("dropped"),
          withSpan("root", { root: true }),
          Effect.annotateSpans("common", true),
          Effect.withParentSpan(parent)
        ),
        { sampler }
      )
      assert.deepStrictEqual(
        spans.map((span) => span.name),
        ["child", "root"]
      )
      const [root, dropped, child] = asked.map(([context, traceId, name, kind, attributes, links]) => ({
        parent: Otel.trace.getSpanContext(context)?.spanId,
        traceId,
        name,
        kind,
        attributes,
        links: links.map((link) => [link.context.spanId, link.attributes])
      }))
      assert.deepStrictEqual(root, {
        parent: undefined,
        traceId: span("root").traceId,
        name: "root",
        kind: 0,
        attributes: { common: true },
        links: []
      })
      assert.deepInclude(dropped, { parent: span("root").spanId, name: "dropped" })
      assert.deepStrictEqual(child, {
        parent: span("child").parentSpanId,
        traceId: span("root").traceId,
        name: "child",
        kind: 2,
        attributes: { common: true, a: "1" },
        links: [["2".repeat(16), { l: 1 }]]
      })
      assert.deepStrictEqual(attributesOf(span("child")), { common: true, a: 1n.toString(), "sampler.said": "child" })
      assert.strictEqual(span("child").traceState, "sampler=1")
      assert.strictEqual(span("root").traceState, "sampler=1")
    })
  )

  it.effect("that throws costs nobody a trace", () =>
    Effect.gen(function* () {
      const { spans } = yield* collect(Effect.void.pipe(withSpan("work")), {
        sampler: {
          shouldSample: () => {
            throw new Error("broken")
          },
          toString: () => {
            throw new Error("broken too")
          }
        }
      })
      assert.lengthOf(spans, 1)
    })
  )
})
