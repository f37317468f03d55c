import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import * as Tracer from "effect/Tracer"
import * as Disabled from "../../src/tracer/Disabled.ts"
import * as Sampler from "../../src/tracer/Sampler.ts"
import type { TelemetrySpan } from "../../src/tracer/Span.ts"
import * as OurTracer from "../../src/tracer/Tracer.ts"
import { fn, withSpan } from "../../src/tracer/withSpan.ts"
import { build, type Built, type Combinators } from "./programs.ts"
import { attributesOf, collect, collector, counting } from "./support.ts"

const effects: Combinators = { withSpan: Effect.withSpan, fn: Effect.fn }
const ours: Combinators = { withSpan: withSpan as typeof Effect.withSpan, fn }

// Long enough for programs of some depth.
const Tape = Schema.Array(Schema.Int).check(Schema.isMinLength(20), Schema.isMaxLength(60))

/** A failure with everything about it that a user can see. */
const shown = (exit: Exit.Exit<unknown, unknown>): unknown =>
  Exit.isSuccess(exit)
    ? ["success", typeof exit.value === "object" ? "object" : exit.value]
    : exit.cause.reasons.map((reason) => [
        reason._tag,
        reason._tag === "Interrupt" ? undefined : reason._tag === "Fail" ? reason.error : reason.defect,
        frameNames(reason.annotations.get(Cause.StackTrace.key) as References.StackFrame | undefined)
      ])

const frameNames = (frame: References.StackFrame | undefined): string =>
  frame === undefined ? "" : `${frame.name} ${frameNames(frame.parent)}`

const data = (span: TelemetrySpan) => ({
  name: span.name,
  traceId: span.traceId,
  spanId: span.spanId,
  parentSpanId: span.parentSpanId,
  parentIsRemote: span.parentIsRemote,
  kind: span.kind,
  flags: span.traceFlags,
  start: [span.startSeconds, span.startNanos],
  end: [span.endSeconds, span.endNanos],
  status: [span.statusCode, span.statusMessage],
  attributes: attributesOf(span),
  events: span.events.map((event) => [
    event.name,
    attributesOf(event)["exception.type"],
    attributesOf(event)["exception.message"]
  ]),
  links: span.linkData.map((link) => [link.spanId, attributesOf(link)]),
  isLocalRoot: span.isLocalRoot
})

/** Runs a program and says everything about it that can be seen. */
const outcome = (
  { program, seen }: Built,
  provide: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
): Effect.Effect<unknown> =>
  Effect.gen(function* () {
    yield* TestClock.setTime(1_700_000_000_123)
    const exit = yield* Fiber.await(yield* Effect.forkDetach(provide(program)))
    return { exit: shown(exit), seen }
  })

const underOurTracer = (
  tape: ReadonlyArray<number>,
  combinators: Combinators,
  options: Partial<OurTracer.TracerOptions>
) =>
  Effect.gen(function* () {
    const collected = collector()
    const layer = OurTracer.layer({ idGenerator: counting(), ...options, receiver: collected.receiver })
    const result = yield* outcome(build(tape, combinators), Effect.provide(layer))
    return { result, spans: collected.spans.map(data) }
  })

/** Effect's own tracer, with everything that its spans were told. */
const underNativeTracer = (tape: ReadonlyArray<number>, combinators: Combinators) =>
  Effect.gen(function* () {
    const made: Array<Tracer.NativeSpan> = []
    const ids = counting()
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        span._spanId = ids.generateSpanId()
        span._traceId = Option.getOrUndefined(options.parent)?.traceId ?? ids.generateTraceId()
        made.push(span)
        return span
      }
    })
    const result = yield* outcome(build(tape, combinators), Effect.provideService(Tracer.Tracer, tracer))
    return {
      result,
      spans: made.map((span) => [
        span.name,
        span.spanId,
        Option.getOrUndefined(span.parent)?.spanId,
        span.kind,
        span.sampled,
        span.status._tag,
        span.status.startTime,
        span.status._tag === "Ended" ? shown(span.status.exit) : undefined,
        [...span.attributes],
        span.links.map((link) => [link.span.spanId, link.attributes]),
        Context.get(span.annotations, Tracer.DisablePropagation)
      ])
    }
  })

const runs = { arbitrary: { runs: 300 } }

describe("withSpan and fn mean what Effect's mean", () => {
  it.effect.prop(
    "any program, under our tracer",
    { tape: Tape },
    ({ tape }) =>
      Effect.gen(function* () {
        const expected = yield* underOurTracer(tape, effects, {})
        const actual = yield* underOurTracer(tape, ours, {})
        assert.deepStrictEqual(actual, expected)
      }),
    runs
  )

  it.effect.prop(
    "any program, under our tracer without interoperation",
    { tape: Tape },
    ({ tape }) =>
      Effect.gen(function* () {
        const expected = yield* underOurTracer(tape, effects, { interoperation: false })
        const actual = yield* underOurTracer(tape, ours, { interoperation: false })
        assert.deepStrictEqual(actual, expected)
      }),
    runs
  )

  it.effect.prop(
    "any program, sampled by half",
    { tape: Tape },
    ({ tape }) =>
      Effect.gen(function* () {
        // By the number in the id: every other trace.
        const sampler: Sampler.Sampler = {
          shouldSample: (_context, traceId) => ({ decision: traceId.endsWith("1") ? 2 : 0 }),
          toString: () => "half"
        }
        const options = { sampler: Sampler.parentBased(sampler) }
        const expected = yield* underOurTracer(tape, effects, options)
        const actual = yield* underOurTracer(tape, ours, options)
        assert.deepStrictEqual(actual, expected)
      }),
    runs
  )

  it.effect.prop(
    "any program, under a tracer that is not ours",
    { tape: Tape },
    ({ tape }) =>
      Effect.gen(function* () {
        const expected = yield* underNativeTracer(tape, effects)
        const actual = yield* underNativeTracer(tape, ours)
        assert.deepStrictEqual(actual, expected)
      }),
    runs
  )

  it.effect.prop(
    "any program sees the same of interoperation as without it",
    { tape: Tape },
    ({ tape }) =>
      Effect.gen(function* () {
        const expected = yield* underOurTracer(tape, effects, { interoperation: false })
        const actual = yield* underOurTracer(tape, effects, { interoperation: true })
        assert.deepStrictEqual(actual, expected)
      }),
    runs
  )
})

/** The lines of this file that a pretty-printed cause names. */
const locations = (cause: Cause.Cause<unknown>): ReadonlyArray<string> =>
  [...Cause.pretty(cause).matchAll(/at (\S+(?: \(definition\))?) \([^()]*withSpan\.test\.ts:(\d+):\d+\)/g)].map(
    (match) => `${match[1]}:${match[2]}`
  )

const lineHere = (): number => Number(/withSpan\.test\.ts:(\d+)/.exec(new Error().stack!.split("\n")[2]!)![1])

describe("stack frames", () => {
  it.effect("a failure names the spans that it passed, with the places where they were asked for", () =>
    Effect.gen(function* () {
      const line = lineHere()
      const inner = Effect.fail("failed").pipe(withSpan("inner"))
      const outer = withSpan(inner, "outer")
      const cause = yield* Effect.flip(Effect.sandbox(outer))
      assert.deepStrictEqual(locations(cause), [`inner:${line + 1}`, `outer:${line + 2}`])
    }).pipe(collect)
  )

  it.effect("without capture the names are there alone", () =>
    Effect.gen(function* () {
      const cause = yield* Effect.fail("failed").pipe(
        withSpan("quick", {}, { captureStackTrace: false }),
        Effect.sandbox,
        Effect.flip
      )
      assert.include(Cause.pretty(cause), "at quick")
      assert.deepStrictEqual(locations(cause), [])
    }).pipe(collect)
  )

  it.effect("a location may be given", () =>
    Effect.gen(function* () {
      const cause = yield* Effect.fail("failed").pipe(
        withSpan("placed", {}, { captureStackTrace: () => "at elsewhere (other.ts:1:2)" }),
        Effect.sandbox,
        Effect.flip
      )
      assert.include(Cause.pretty(cause), "at placed (other.ts:1:2)")
    }).pipe(collect)
  )

  it.effect("fn names where it was called and where it was defined", () =>
    Effect.gen(function* () {
      const line = lineHere()
      const load = fn("load")(function* () {
        return yield* Effect.fail("failed")
      })
      const cause = yield* Effect.flip(Effect.sandbox(load()))
      assert.deepStrictEqual(locations(cause), [`load:${line + 4}`, `load (definition):${line + 1}`])
    }).pipe(collect)
  )

  it.effect("a success captures nothing that is rendered", () =>
    Effect.gen(function* () {
      const before = Error.stackTraceLimit
      yield* Effect.void.pipe(withSpan("fine"))
      yield* fn("also fine")(function* () {})()
      assert.strictEqual(Error.stackTraceLimit, before)
    }).pipe(collect)
  )

  it.effect("where no stack is to be captured, none is", () =>
    Effect.gen(function* () {
      const before = Error.stackTraceLimit
      Error.stackTraceLimit = 0
      const made = Effect.fail("failed").pipe(withSpan("bare"))
      Error.stackTraceLimit = before
      assert.deepStrictEqual(locations(yield* Effect.flip(Effect.sandbox(made))), [])
    }).pipe(collect)
  )
})

describe("attributes", () => {
  it.effect("given as a function are made once, for a span that is kept", () =>
    Effect.gen(function* () {
      let made = 0
      const work = Effect.void.pipe(
        withSpan("work", {
          attributes: () => {
            made++
            return { a: 1, b: undefined }
          }
        })
      )
      const kept = yield* collect(work)
      assert.strictEqual(made, 1)
      assert.deepStrictEqual(attributesOf(kept.span("work")), { a: 1 })
      yield* collect(work, { sampler: Sampler.alwaysOff })
      assert.strictEqual(made, 1)
    })
  )

  it.effect("of spans that nobody keeps are not read: no getter is called, no function", () =>
    Effect.gen(function* () {
      let read = 0
      const attributes = {
        get expensive() {
          read++
          return 1
        }
      }
      yield* collect(Effect.void.pipe(withSpan("work", { attributes })), { sampler: Sampler.alwaysOff })
      assert.strictEqual(read, 0)
      yield* Effect.void.pipe(withSpan("work", { attributes }), Effect.provide(Disabled.layer))
      assert.strictEqual(read, 0)
    })
  )

  it.effect("for a decision at the trace's end are made when the span is kept, and not before", () =>
    Effect.gen(function* () {
      let made = 0
      const ended: Array<TelemetrySpan> = []
      yield* collect(Effect.void.pipe(withSpan("work", { attributes: () => ({ made: ++made }) })), {
        sampler: Sampler.alwaysOff,
        receiver: { takesUnsampled: true, ended: (span) => void ended.push(span as TelemetrySpan) }
      })
      assert.strictEqual(made, 0)
      assert.deepStrictEqual(attributesOf(ended[0]!.seal({ "sampling.reason": "error" })), {
        made: 1,
        "sampling.reason": "error"
      })
    })
  )

  it.effect("that throw harm nobody", () =>
    Effect.gen(function* () {
      const throwing = {
        get bad(): string {
          throw new Error("no")
        },
        good: 1
      }
      const { span } = yield* collect(
        Effect.all([
          Effect.void.pipe(withSpan("getter", { attributes: throwing })),
          Effect.void.pipe(
            withSpan("function", {
              attributes: () => {
                throw new Error("no")
              }
            })
          )
        ])
      )
      assert.deepStrictEqual(attributesOf(span("getter")), { good: 1 })
      assert.deepStrictEqual(attributesOf(span("function")), {})
    })
  )

  it.effect("given as a function work under a tracer that is not ours too", () =>
    Effect.gen(function* () {
      const span = yield* Effect.currentSpan.pipe(withSpan("work", { attributes: () => ({ a: 1 }) }))
      assert.deepStrictEqual([...span.attributes], [["a", 1]])
    })
  )
})

describe("forms", () => {
  it.effect("data first, data last, options from the arguments", () =>
    Effect.gen(function* () {
      const traced = Effect.fnUntraced(
        function* (id: string) {
          return yield* Effect.succeed(id)
        },
        withSpan("with arguments", (id) => ({ attributes: { id } }))
      )
      const { span } = yield* collect(
        Effect.all([
          withSpan(Effect.void, "first", { kind: "client", captureStackTrace: false }),
          Effect.void.pipe(withSpan("last", { kind: "server" })),
          traced("x")
        ])
      )
      assert.strictEqual(span("first").kind, "client")
      assert.strictEqual(span("last").kind, "server")
      assert.deepStrictEqual(attributesOf(span("with arguments")), { id: "x" })
    })
  )

  it.effect("fn: this, arguments, pipeables, length, options", () =>
    Effect.gen(function* () {
      class Service {
        readonly prefix = "p"
        readonly load = fn("load", { attributes: { fixed: 1 } })(
          { self: this },
          function* (this: Service, a: string, b: string) {
            yield* Effect.annotateCurrentSpan("a", a)
            return this.prefix + a + b
          }
        )
      }
      const piped = fn("piped")(
        function* (n: number) {
          return yield* Effect.succeed(n)
        },
        (effect, n) => Effect.map(effect, (value) => value + n)
      )
      const service = new Service()
      const { span } = yield* collect(
        Effect.gen(function* () {
          assert.strictEqual(yield* service.load("a", "b"), "pab")
          assert.strictEqual(yield* piped(2), 4)
        })
      )
      assert.strictEqual(service.load.length, 2)
      assert.deepStrictEqual(attributesOf(span("load")), { fixed: 1, a: "a" })
      assert.strictEqual(span("piped").name, "piped")
    })
  )

  it.effect("fn: a body that returns an effect, an unnamed one, pipeables that leave Effect", () =>
    Effect.gen(function* () {
      const plain = fn("plain")((n: number) => Effect.succeed(n))
      const unnamed = fn(function* () {
        return yield* Effect.currentParentSpan
      })
      const left = fn("left")(
        function* () {
          return yield* Effect.succeed(3)
        },
        (effect) => Effect.runSync(effect)
      )
      const { spans } = yield* collect(
        Effect.gen(function* () {
          assert.strictEqual(yield* plain(1), 1)
          assert.strictEqual((yield* unnamed()) as unknown, yield* Effect.currentSpan)
          assert.strictEqual(left() as unknown, 3)
        }).pipe(withSpan("around"))
      )
      assert.deepStrictEqual(
        spans.map((span) => span.name),
        ["plain", "around"]
      )
    })
  )

  it.effect("one effect runs as often as one likes, each time in a span of its own", () =>
    Effect.gen(function* () {
      const work = Effect.void.pipe(withSpan("work"))
      const { spans } = yield* collect(Effect.all([work, work, work], { concurrency: 3 }))
      assert.strictEqual(new Set(spans.map((span) => span.spanId)).size, 3)
    })
  )
})

describe("what surrounds a span", () => {
  it.effect("is seen anew where the context changed between parent and child", () =>
    Effect.gen(function* () {
      const { span } = yield* collect(
        Effect.void.pipe(
          withSpan("child"),
          Effect.annotateSpans("inside", 1),
          Effect.andThen(Effect.void.pipe(withSpan("sibling"))),
          withSpan("parent"),
          Effect.annotateSpans("outside", 2)
        )
      )
      assert.deepStrictEqual(attributesOf(span("child")), { outside: 2, inside: 1 })
      assert.deepStrictEqual(attributesOf(span("sibling")), { outside: 2 })
      assert.deepStrictEqual(attributesOf(span("parent")), { outside: 2 })
    })
  )

  it.effect("is restored afterwards, whatever happened inside", () =>
    Effect.gen(function* () {
      const context = yield* Effect.context<never>()
      for (const inner of [Effect.void, Effect.fail("x"), Effect.die("y"), Effect.interrupt]) {
        yield* Effect.exit(withSpan(inner as Effect.Effect<void, string>, "inner"))
        assert.strictEqual(yield* Effect.context<never>(), context)
      }
    }).pipe(collect)
  )

  it.effect("another tracer takes over where it is provided", () =>
    Effect.gen(function* () {
      const { spans } = yield* collect(
        Effect.void.pipe(withSpan("theirs"), Effect.withTracer(Tracer.nativeTracer), withSpan("ours"))
      )
      assert.deepStrictEqual(
        spans.map((span) => span.name),
        ["ours"]
      )
    })
  )
})

describe("switched off", () => {
  it.effect("the bare effect runs: nothing is put into the context", () =>
    Effect.gen(function* () {
      const before = yield* Effect.context<never>()
      const inside = yield* Effect.context<never>().pipe(withSpan("work"))
      assert.strictEqual(inside, before)
    }).pipe(Effect.provide(Disabled.layer))
  )

  it.effect("code that wants the current span still gets one", () =>
    Effect.gen(function* () {
      const span = yield* Effect.currentSpan.pipe(withSpan("work"))
      span.attribute("a", 1)
      assert.isFalse(span.sampled)
      const effects = yield* Effect.currentSpan.pipe(Effect.withSpan("work"))
      assert.strictEqual(effects.name, "work")
    }).pipe(Effect.provide(Disabled.layer))
  )
})

describe("interruption", () => {
  it.effect("ends the span, status unset", () =>
    Effect.gen(function* () {
      const { span } = yield* collect(
        Effect.gen(function* () {
          const fiber = yield* Effect.forkChild(Effect.never.pipe(withSpan("endless")), { startImmediately: true })
          yield* Fiber.interrupt(fiber)
        })
      )
      assert.strictEqual(span("endless").statusCode, 0)
      assert.deepStrictEqual(attributesOf(span("endless")), { "effect.fiber.interrupted": true })
      assert.deepStrictEqual(span("endless").events, [])
    })
  )

  it.effect("a span around code that can not be interrupted ends when that does", () =>
    Effect.gen(function* () {
      let finished = false
      const { span } = yield* collect(
        Effect.gen(function* () {
          const work = Effect.yieldNow.pipe(
            Effect.andThen(
              Effect.sync(() => {
                finished = true
              })
            ),
            Effect.uninterruptible,
            withSpan("firm")
          )
          const fiber = yield* Effect.forkChild(work, { startImmediately: true })
          yield* Fiber.interrupt(fiber)
        })
      )
      assert.isTrue(finished)
      assert.deepStrictEqual(attributesOf(span("firm")), { "effect.fiber.interrupted": true })
    })
  )
})
