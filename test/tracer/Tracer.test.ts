import * as OtelTracer from "@effect/opentelemetry/OtelTracer"
import * as Otel from "@opentelemetry/api"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import * as Tracer from "effect/Tracer"
import { vi } from "vitest"
import * as Sampler from "../../src/tracer/Sampler.ts"
import type { TelemetrySpan } from "../../src/tracer/Span.ts"
import type { UnsampledSpan } from "../../src/tracer/UnsampledSpan.ts"
import * as TraceAttributes from "../../src/tracer/TraceAttributes.ts"
import * as OurTracer from "../../src/tracer/Tracer.ts"
import { withSpan } from "../../src/tracer/withSpan.ts"
import { attributesOf, collect, collector } from "./support.ts"

const both = [
  ["our withSpan", withSpan as typeof Effect.withSpan],
  ["Effect's withSpan", Effect.withSpan]
] as const

describe.each(both)("a trace by %s", (_, withSpan) => {
  it.effect("has one id, parents, and the random flag where it starts here", () =>
    Effect.gen(function* () {
      const { span } = yield* collect(Effect.void.pipe(withSpan("child"), withSpan("root", { kind: "server" })))
      assert.match(span("root").traceId, /^[0-9a-f]{32}$/)
      assert.match(span("root").spanId, /^[0-9a-f]{16}$/)
      assert.strictEqual(span("child").traceId, span("root").traceId)
      assert.strictEqual(span("child").parentSpanId, span("root").spanId)
      assert.deepStrictEqual([span("root").traceFlags, span("child").traceFlags], [3, 3])
      assert.deepStrictEqual([span("root").kindCode, span("child").kindCode], [1, 0])
      assert.isUndefined(span("root").traceState)
    })
  )

  it.effect.each([
    [0, undefined],
    [1, 1],
    [2, undefined],
    [3, 3],
    [255, 3],
    [254, undefined]
  ] as const)("keeps a remote parent's flags: %s", ([flags, expected]) =>
    Effect.gen(function* () {
      const parent = OtelTracer.makeExternalSpan({ traceId: "1".repeat(32), spanId: "2".repeat(16), traceFlags: flags })
      const inside = yield* collect(
        Effect.gen(function* () {
          const span = (yield* Effect.currentSpan) as unknown as TelemetrySpan | UnsampledSpan
          // What a header would say.
          assert.strictEqual(span.traceFlags, expected ?? flags & 2)
          assert.strictEqual(span.traceId, parent.traceId)
        }).pipe(withSpan("inner"), withSpan("outer"), Effect.withParentSpan(parent))
      )
      assert.lengthOf(inside.spans, expected === undefined ? 0 : 2)
    })
  )

  it.effect("an external span without flags is sampled or not as it says, and not random", () =>
    Effect.gen(function* () {
      const external = (sampled: boolean) =>
        Tracer.externalSpan({ traceId: "1".repeat(32), spanId: "2".repeat(16), sampled })
      const { spans } = yield* collect(
        Effect.all([
          Effect.void.pipe(withSpan("kept"), Effect.withParentSpan(external(true))),
          Effect.void.pipe(withSpan("dropped"), Effect.withParentSpan(external(false)))
        ])
      )
      assert.deepStrictEqual(
        spans.map((span) => [span.name, span.traceFlags, span.isLocalRoot, span.parentIsRemote]),
        [["kept", 1, true, true]]
      )
    })
  )

  it.effect("annotations of the span itself win over its parent's", () =>
    Effect.gen(function* () {
      const annotations = Context.make(OtelTracer.OtelTraceState, Otel.createTraceState("own=1")).pipe(
        Context.add(OtelTracer.OtelTraceFlags, 2 as number)
      ) as Context.Context<never>
      const { span } = yield* collect(
        Effect.void.pipe(
          withSpan("own", { annotations }),
          Effect.withParentSpan(
            OtelTracer.makeExternalSpan({
              traceId: "1".repeat(32),
              spanId: "2".repeat(16),
              traceFlags: 1,
              traceState: "parent=1"
            })
          )
        )
      )
      assert.strictEqual(span("own").traceState, "own=1")
      assert.strictEqual(span("own").traceFlags, 3)
    })
  )

  it.effect("root: a trace of its own, its tracestate not inherited", () =>
    Effect.gen(function* () {
      const { span } = yield* collect(
        Effect.void.pipe(
          withSpan("root", { root: true }),
          withSpan("parent"),
          Effect.withParentSpan(
            OtelTracer.makeExternalSpan({
              traceId: "1".repeat(32),
              spanId: "2".repeat(16),
              traceFlags: 1,
              traceState: "a=b"
            })
          )
        )
      )
      assert.notStrictEqual(span("root").traceId, span("parent").traceId)
      assert.isUndefined(span("root").parentSpanId)
      assert.isUndefined(span("root").traceState)
      assert.strictEqual(span("root").traceFlags, 3)
    })
  )

  it.effect("sampled: false and levels drop a span and what starts under it", () =>
    Effect.gen(function* () {
      const inner = Effect.void.pipe(withSpan("inner"))
      const { spans } = yield* collect(
        Effect.all([
          inner.pipe(withSpan("explicit", { sampled: false })),
          inner.pipe(withSpan("level", { level: "Debug" })),
          Effect.provideService(inner, Tracer.CurrentTraceLevel, "Trace"),
          Effect.void.pipe(withSpan("kept", { level: "Error" })),
          Effect.void.pipe(withSpan("again", { sampled: true }), withSpan("dropped", { sampled: false }))
        ]).pipe(Effect.provideService(Tracer.MinimumTraceLevel, "Info"))
      )
      assert.deepStrictEqual(
        spans.map((span) => span.name),
        ["kept", "again"]
      )
    })
  )

  it.effect("what is dropped on purpose is not recorded for a decision at the end either", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      yield* collect(
        Effect.all([
          Effect.void.pipe(withSpan("inner"), withSpan("explicit", { sampled: false })),
          Effect.void.pipe(withSpan("child"), withSpan("by the sampler"))
        ]),
        {
          sampler: Sampler.parentBased(Sampler.alwaysOff),
          receiver: { takesUnsampled: true, ended: (span) => void seen.push(span.name) }
        }
      )
      assert.deepStrictEqual(seen, ["child", "by the sampler"])
    })
  )

  it.effect("spans that are no span are not parents: the nearest real ancestor is", () =>
    Effect.gen(function* () {
      const { span } = yield* collect(
        Effect.gen(function* () {
          const disabled = yield* Effect.currentSpan.pipe(withSpan("disabled"), Effect.withTracerEnabled(false))
          yield* Effect.void.pipe(withSpan("explicit", { parent: disabled }))
          yield* Effect.void.pipe(
            withSpan("enabled again"),
            Effect.withTracerEnabled(true),
            withSpan("hidden"),
            Effect.withTracerEnabled(false)
          )
        }).pipe(withSpan("real"))
      )
      assert.strictEqual(span("explicit").parentSpanId, span("real").spanId)
      assert.strictEqual(span("enabled again").parentSpanId, span("real").spanId)
    })
  )

  it.effect("a parent of another tracer is local, and its trace goes on", () =>
    Effect.gen(function* () {
      const native = new Tracer.NativeSpan({
        name: "native",
        parent: Option.none(),
        annotations: Context.empty(),
        links: [],
        startTime: 0n,
        kind: "internal",
        sampled: true
      })
      const { span } = yield* collect(Effect.void.pipe(withSpan("ours", { parent: native })))
      assert.deepStrictEqual(
        [span("ours").traceId, span("ours").parentSpanId, span("ours").parentIsRemote, span("ours").isLocalRoot],
        [native.traceId, native.spanId, false, true]
      )
    })
  )
})

describe.each(both)("a local trace by %s", (_, withSpan) => {
  it.effect("is shared by all spans under one local root, and counts those that are open", () =>
    Effect.gen(function* () {
      const open: Array<[string, number, boolean]> = []
      const { span, started } = yield* collect(
        Effect.gen(function* () {
          const gate = yield* Deferred.make<void>()
          const late = yield* Deferred.await(gate).pipe(
            withSpan("late"),
            Effect.forkDetach({ startImmediately: true }),
            withSpan("root")
          )
          yield* Effect.void.pipe(withSpan("other"))
          yield* Deferred.succeed(gate, undefined)
          yield* Fiber.join(late)
        }),
        {
          receiver: {
            ended: (span) => void open.push([span.name, span.localTrace.openSpans, span.localTrace.rootEnded])
          }
        }
      )
      assert.throws(() => span("root"))
      assert.deepStrictEqual(open, [
        ["root", 1, true],
        ["other", 0, true],
        ["late", 0, true]
      ])
      const [root, late, other] = started
      assert.strictEqual(root!.localTrace, late!.localTrace)
      assert.notStrictEqual(root!.localTrace, other!.localTrace)
      assert.deepStrictEqual([root!.isLocalRoot, late!.isLocalRoot, other!.isLocalRoot], [true, false, true])
    })
  )
})

describe.each(both)("times by %s", (_, withSpan) => {
  it.effect("are those of the fiber's clock", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_700_000_000_123)
      const { span } = yield* collect(
        Effect.gen(function* () {
          yield* TestClock.adjust(250)
          const current = yield* Effect.currentSpan
          assert.strictEqual(current.status._tag, "Started")
          assert.strictEqual(current.status.startTime, 1_700_000_000_123_000_000n)
          current.event("event", yield* Clock.currentTimeNanos)
          yield* TestClock.adjust("1 hour")
        }).pipe(withSpan("work"))
      )
      const work = span("work")
      assert.deepStrictEqual([work.startSeconds, work.startNanos], [1_700_000_000, 123_000_000])
      assert.deepStrictEqual([work.endSeconds, work.endNanos], [1_700_003_600, 373_000_000])
      assert.strictEqual(work.durationNanos, 3_600_250_000_000)
      assert.deepStrictEqual([work.events[0]!.seconds, work.events[0]!.nanos], [1_700_000_000, 373_000_000])
      assert.strictEqual(work.status.startTime, 1_700_000_000_123_000_000n)
    })
  )

  it.live("are wall time, run on, and lie within their parents'", () =>
    Effect.gen(function* () {
      const before = Date.now()
      const { span } = yield* collect(Effect.sleep(5).pipe(withSpan("child"), withSpan("root")))
      const after = Date.now()
      const time = (seconds: number, nanos: number) => seconds * 1e3 + nanos / 1e6
      const [root, child] = [span("root"), span("child")]
      assert.isAtLeast(time(root.startSeconds, root.startNanos), before - 1)
      assert.isAtMost(time(root.endSeconds, root.endNanos), after + 1)
      assert.isAtLeast(child.durationNanos, 4e6)
      const order = [
        [root.startSeconds, root.startNanos],
        [child.startSeconds, child.startNanos],
        [child.endSeconds, child.endNanos],
        [root.endSeconds, root.endNanos]
      ] as ReadonlyArray<[number, number]>
      for (let i = 1; i < order.length; i++) {
        assert.isAtLeast((order[i]![0] - order[i - 1]![0]) * 1e9 + order[i]![1] - order[i - 1]![1], 0)
      }
      for (const [seconds, nanos] of order)
        assert.isTrue(Number.isInteger(seconds) && Number.isInteger(nanos) && nanos < 1e9)
    })
  )

  it.live("do not go back with the wall clock inside of a trace, and follow it in the next", () =>
    Effect.gen(function* () {
      const hour = 3_600_000
      const now = Date.now
      const { span } = yield* collect(
        Effect.gen(function* () {
          yield* Effect.gen(function* () {
            yield* Effect.sync(() => vi.spyOn(Date, "now").mockImplementation(() => now() - hour))
            yield* Effect.void.pipe(withSpan("after the step"))
            yield* Effect.log("a line")
            const current = yield* Effect.currentSpan
            current.event("event", yield* Clock.currentTimeNanos)
          }).pipe(withSpan("during"))
          yield* Effect.void.pipe(withSpan("next"))
        }).pipe(Effect.ensuring(Effect.sync(() => vi.restoreAllMocks())))
      )
      const during = span("during")
      assert.isBelow(during.durationNanos, 10e9)
      assert.isAtLeast(span("after the step").startSeconds, during.startSeconds)
      for (const event of during.events) {
        assert.isAtLeast((event.seconds - during.startSeconds) * 1e9 + event.nanos - during.startNanos, 0, event.name)
        assert.isAtMost((event.seconds - during.endSeconds) * 1e9 + event.nanos - during.endNanos, 0, event.name)
      }
      assert.closeTo(span("next").startSeconds, during.startSeconds - 3600, 10)
    })
  )

  it.effect("are not taken where timing is off", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(5000)
      const { span } = yield* collect(Effect.void.pipe(withSpan("work"), Effect.withTracerTiming(false)))
      assert.deepStrictEqual(
        [span("work").startSeconds, span("work").endSeconds, span("work").durationNanos],
        [0, 0, 0]
      )
    })
  )

  it.live("are not taken where timing is off, on the machine's clock", () =>
    Effect.gen(function* () {
      const { span } = yield* collect(Effect.void.pipe(withSpan("work"), Effect.withTracerTiming(false)))
      assert.deepStrictEqual(
        [span("work").startSeconds, span("work").endSeconds, span("work").durationNanos],
        [0, 0, 0]
      )
    })
  )
})

describe("Effect's manual spans", () => {
  it.live("end at the time that they are told", () =>
    Effect.gen(function* () {
      const { span } = yield* collect(
        Effect.gen(function* () {
          const made = yield* Effect.makeSpan("manual")
          made.attribute("a", 1)
          const end = made.status.startTime + 5_000_000_000n
          made.end(end, Exit.void)
          made.end(end + 1n, Exit.fail("again"))
          made.attribute("late", 1)
          made.event("late", end)
          made.addLinks([{ span: made, attributes: {} }])
          assert.strictEqual(made.status._tag, "Ended")
        })
      )
      assert.strictEqual(span("manual").durationNanos, 5_000_000_000)
      assert.deepStrictEqual(attributesOf(span("manual")), { a: 1 })
      assert.deepStrictEqual([span("manual").events, span("manual").linkData, span("manual").statusCode], [[], [], 0])
    })
  )

  it.live("that end before they started have no duration", () =>
    Effect.gen(function* () {
      const { span } = yield* collect(
        Effect.map(Effect.makeSpan("early"), (made) => made.end(made.status.startTime - 5_000_000_000n, Exit.void))
      )
      assert.strictEqual(span("early").durationNanos, 0)
      assert.strictEqual(span("early").endSeconds, span("early").startSeconds)
    })
  )

  it.effect("useSpan and withSpanScoped", () =>
    Effect.gen(function* () {
      const { spans } = yield* collect(
        Effect.useSpan("used", (span) => Effect.sync(() => span.attribute("a", 1))).pipe(
          Effect.andThen(Effect.scoped(Effect.withSpanScoped(Effect.void, "scoped")))
        )
      )
      assert.deepStrictEqual(
        spans.map((span) => span.name),
        ["used", "scoped"]
      )
    })
  )
})

describe.each(both)("the request's attributes by %s", (_, withSpan) => {
  it.effect("are on every span below, as they are when it ends; its own win", () =>
    Effect.gen(function* () {
      const { span } = yield* collect(
        Effect.gen(function* () {
          yield* Effect.void.pipe(withSpan("before"))
          yield* TraceAttributes.annotate("user.id", "u-1")
          yield* Effect.void.pipe(withSpan("child"))
          yield* Effect.void.pipe(withSpan("own", { attributes: { "user.id": "mine" } }))
          const forked = yield* Effect.forkChild(Effect.void.pipe(withSpan("forked")))
          yield* Fiber.join(forked)
          yield* TraceAttributes.annotate("user.id", "u-2")
        }).pipe(withSpan("root"), (request) =>
          TraceAttributes.provide(request, TraceAttributes.make({ "request.id": "r" }))
        )
      )
      assert.deepStrictEqual(attributesOf(span("before")), { "request.id": "r" })
      assert.deepStrictEqual(attributesOf(span("child")), { "request.id": "r", "user.id": "u-1" })
      assert.deepStrictEqual(attributesOf(span("own")), { "user.id": "mine", "request.id": "r" })
      assert.deepStrictEqual(attributesOf(span("forked")), { "request.id": "r", "user.id": "u-1" })
      assert.deepStrictEqual(attributesOf(span("root")), { "request.id": "r", "user.id": "u-2" })
    })
  )
})

describe("receivers", () => {
  it.effect("several see every span; one that throws is no one else's matter", () =>
    Effect.gen(function* () {
      const [a, b] = [collector(), collector()]
      const broken: OurTracer.ProcessorReceiver = {
        takesUnsampled: false,
        started: () => {
          throw new Error("started")
        },
        ended: () => {
          throw new Error("ended")
        }
      }
      yield* Effect.void.pipe(
        withSpan("work"),
        Effect.provide(OurTracer.layer({ receiver: [broken, a.receiver, broken, b.receiver] }))
      )
      assert.deepStrictEqual([a.spans.length, b.spans.length, a.started.length], [1, 1, 1])
    })
  )
})
