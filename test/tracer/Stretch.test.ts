import { AsyncLocalStorage, createHook } from "node:async_hooks"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as Otel from "@opentelemetry/api"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import * as Sampler from "../../src/tracer/Sampler.ts"
import * as OurTracer from "../../src/tracer/Tracer.ts"
import * as TracerProvider from "../../src/tracer/TracerProvider.ts"
import { fn, withSpan } from "../../src/tracer/withSpan.ts"
import { collect, collector } from "./support.ts"

const activeId = (): string | undefined => Otel.trace.getActiveSpan()?.spanContext().spanId
const currentId = Effect.map(Effect.currentSpan, (span) => span.spanId)

const raw = () => Otel.trace.getTracer("raw")

const provideTracer = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.provide(effect, OurTracer.layer({ receiver: { takesUnsampled: false, ended: () => {} } }))

describe("the active span is the current one", () => {
  const kinds: ReadonlyArray<readonly [string, Effect.Effect<string | undefined>]> = [
    ["sync", Effect.sync(activeId)],
    ["suspend", Effect.suspend(() => Effect.succeed(activeId()))],
    ["promise", Effect.promise(() => Promise.resolve(activeId()))],
    [
      "promise, after it waited",
      Effect.promise(async () => {
        await new Promise((resolve) => setTimeout(resolve, 1))
        return activeId()
      })
    ],
    ["tryPromise", Effect.tryPromise(() => Promise.resolve(activeId())).pipe(Effect.orDie)],
    [
      "tryPromise, in catch",
      Effect.tryPromise({ try: () => Promise.reject(new Error("no")), catch: activeId }).pipe(Effect.flip, Effect.orDie)
    ],
    ["try", Effect.try(activeId).pipe(Effect.orDie)],
    ["callback", Effect.callback((resume) => resume(Effect.succeed(activeId())))],
    ["callback, later", Effect.callback((resume) => void setTimeout(() => resume(Effect.succeed(activeId())), 1))],
    ["map", Effect.map(Effect.void, activeId)],
    ["map after waiting", Effect.map(Effect.sleep(1), activeId)],
    ["flatMap", Effect.flatMap(Effect.yieldNow, () => Effect.succeed(activeId()))],
    ["catch", Effect.catch(Effect.fail("x"), () => Effect.succeed(activeId()))],
    [
      "gen",
      Effect.gen(function* () {
        yield* Effect.yieldNow
        yield* Effect.sleep(1)
        return activeId()
      })
    ],
    ["withFiber", Effect.withFiber(() => Effect.succeed(activeId()))],
    ["forked", Effect.flatMap(Effect.forkChild(Effect.sync(activeId)), Fiber.join)],
    [
      "a timer of the fiber's code",
      Effect.callback((resume) => void setImmediate(() => resume(Effect.succeed(activeId()))))
    ],
    [
      "unnamed fn",
      fn(function* () {
        return yield* Effect.sync(activeId)
      })()
    ],
    ["disabled tracer", Effect.withTracerEnabled(Effect.sync(activeId), false)],
    ["disabled span", Effect.sync(activeId).pipe(withSpan("hidden"), Effect.withTracerEnabled(false))],
    [
      "span without propagation",
      Effect.sync(activeId).pipe(
        Effect.withSpan("hidden", { annotations: Context.make(Tracer.DisablePropagation, true) })
      )
    ],
    [
      "our span without propagation",
      Effect.sync(activeId).pipe(withSpan("hidden", { annotations: Context.make(Tracer.DisablePropagation, true) }))
    ]
  ]
  for (const wrap of [withSpan, Effect.withSpan] as ReadonlyArray<typeof Effect.withSpan>) {
    it.live.each(kinds)(`in %s under ${wrap === Effect.withSpan ? "Effect's" : "our"} withSpan`, ([, effect]) =>
      Effect.gen(function* () {
        const result = yield* Effect.all([effect, currentId]).pipe(wrap("work"))
        assert.isString(result[1])
        assert.strictEqual(result[0], result[1])
        // Where a child ended, its parent is active again.
        const after = yield* Effect.void.pipe(
          wrap("child"),
          Effect.andThen(Effect.all([Effect.sync(activeId), currentId])),
          wrap("parent")
        )
        assert.strictEqual(after[0], after[1])
      }).pipe(provideTracer)
    )
  }

  it.live("where it was dropped by sampling, as a span that does not record", () =>
    Effect.gen(function* () {
      const span = yield* Effect.sync(() => Otel.trace.getActiveSpan()!).pipe(withSpan("dropped", { sampled: false }))
      assert.isFalse(span.isRecording())
      assert.strictEqual(span.spanContext().traceFlags & 1, 0)
    }).pipe(provideTracer)
  )

  it.live("deeper than stretches nest", () =>
    Effect.gen(function* () {
      const dive = (depth: number): Effect.Effect<void, unknown> =>
        Effect.gen(function* () {
          assert.strictEqual(activeId(), yield* currentId)
          if (depth > 0) yield* dive(depth - 1)
          assert.strictEqual(activeId(), yield* currentId)
        }).pipe(withSpan(`depth ${depth}`, {}, { captureStackTrace: false }))
      yield* dive(500)
    }).pipe(provideTracer)
  )

  it.live.prop(
    "in many fibers at once, whatever their order",
    { plan: Schema.Array(Schema.Array(Schema.Int)) },
    ({ plan }) =>
      Effect.gen(function* () {
        const check = Effect.gen(function* () {
          assert.strictEqual(activeId(), yield* currentId)
        })
        const step = (n: number): Effect.Effect<void, unknown> => {
          switch (Math.abs(n) % 6) {
            case 0:
              return Effect.yieldNow
            case 1:
              return check.pipe(withSpan("a"))
            case 2:
              return Effect.promise(() => Promise.resolve()).pipe(Effect.andThen(check), Effect.withSpan("b"))
            case 3:
              return Effect.ignore(Effect.fail("x").pipe(withSpan("c")))
            case 4:
              return Effect.forkChild(check).pipe(Effect.flatMap(Fiber.join), withSpan("d"))
            default:
              return check
          }
        }
        const fibers = plan.map((steps, i) =>
          Effect.forEach(steps, (n) => Effect.andThen(step(n), check)).pipe(withSpan(`fiber ${i}`))
        )
        yield* Effect.all(fibers, { concurrency: "unbounded" }).pipe(withSpan("all"))
      }).pipe(provideTracer),
    { arbitrary: { runs: 50 } }
  )
})

describe("the rest of a context", () => {
  const key = Otel.createContextKey("a key of the application")

  it.live("is there inside of spans, and is not touched outside", () =>
    Effect.gen(function* () {
      const tracer = yield* Effect.tracer
      const outside = Otel.ROOT_CONTEXT.setValue(key, "value")
      const seen = yield* Effect.promise(() =>
        Otel.context.with(outside, async () => {
          const inside = await Effect.runPromise(
            Effect.gen(function* () {
              yield* Effect.sleep(1)
              return [Otel.context.active().getValue(key), activeId() === (yield* currentId)]
            }).pipe(withSpan("inner"), withSpan("outer"), Effect.withTracer(tracer))
          )
          return [...inside, Otel.context.active() === outside]
        })
      )
      assert.deepStrictEqual(seen, ["value", true, true])
    }).pipe(provideTracer)
  )

  it.live("a value set inside is seen below, and the span's too", () =>
    Effect.gen(function* () {
      const seen = yield* Effect.sync(() => {
        const changed = Otel.context.active().setValue(key, 1)
        return [
          changed.getValue(key),
          Otel.trace.getSpan(changed)?.spanContext().spanId === activeId(),
          changed.deleteValue(key).getValue(key)
        ]
      }).pipe(withSpan("work"))
      assert.deepStrictEqual(seen, [1, true, undefined])
      const without = yield* Effect.sync(() => Otel.trace.getSpan(Otel.trace.deleteSpan(Otel.context.active()))).pipe(
        withSpan("work")
      )
      assert.isUndefined(without)
    }).pipe(provideTracer)
  )

  it.live("other async storages keep their values, also those set inside", () =>
    Effect.gen(function* () {
      const storage = new AsyncLocalStorage<string>()
      const tracer = yield* Effect.tracer
      const seen = yield* Effect.promise(() =>
        storage.run("outer", () =>
          Effect.runPromise(
            Effect.gen(function* () {
              const seen = [storage.getStore()]
              seen.push(yield* Effect.sync(() => storage.getStore()).pipe(withSpan("child")))
              seen.push(yield* Effect.promise(() => storage.run("inner", async () => storage.getStore())))
              yield* Effect.sleep(1)
              seen.push(storage.getStore())
              return seen
            }).pipe(withSpan("work"), Effect.withTracer(tracer))
          )
        )
      )
      assert.deepStrictEqual(seen, ["outer", "outer", "inner", "outer"])
    }).pipe(provideTracer)
  )

  it.live("after a run that was started in no context there is none", () =>
    Effect.gen(function* () {
      const tracer = yield* Effect.tracer
      const before = yield* Effect.promise(async () => {
        Effect.runSync(Effect.sync(activeId).pipe(withSpan("work"), Effect.withTracer(tracer)))
        Effect.runFork(Effect.sync(activeId).pipe(withSpan("work"), Effect.withTracer(tracer)))
        return activeId()
      })
      assert.isUndefined(before)
    }).pipe(provideTracer)
  )
})

describe("the fiber", () => {
  it.live("yields to others in a long stretch", () =>
    Effect.gen(function* () {
      let others = 0
      const busy = Effect.forEach(Array.from({ length: 10_000 }), () => Effect.void, { discard: true }).pipe(
        withSpan("busy")
      )
      const fiber = yield* Effect.forkChild(
        Effect.forever(
          Effect.andThen(
            Effect.sync(() => void others++),
            Effect.yieldNow
          )
        )
      )
      yield* busy
      yield* Fiber.interrupt(fiber)
      assert.isAbove(others, 1)
    }).pipe(provideTracer)
  )

  it.live("is interrupted from inside of a stretch", () =>
    Effect.gen(function* () {
      let went = false
      const exit = yield* Effect.withFiber((fiber) =>
        Effect.sync(() => fiber.interruptUnsafe()).pipe(
          Effect.andThen(
            Effect.sync(() => {
              went = true
            })
          )
        )
      ).pipe(withSpan("work"), Effect.forkChild, Effect.flatMap(Fiber.await))
      assert.isTrue(Exit.isFailure(exit) && Exit.hasInterrupts(exit))
      assert.isFalse(went)
    }).pipe(provideTracer)
  )

  it.live("says what is no effect as it does without us", () =>
    Effect.gen(function* () {
      const wrong = Effect.flatMap(Effect.void, () => "no effect" as unknown as Effect.Effect<void>)
      const without = yield* Effect.flatMap(Effect.forkChild(wrong), Fiber.await)
      const within = yield* Effect.flatMap(Effect.forkChild(wrong.pipe(withSpan("work"))), Fiber.await).pipe(
        provideTracer
      )
      const nested = yield* wrong.pipe(
        withSpan("b"),
        withSpan("a"),
        Effect.forkChild,
        Effect.flatMap(Fiber.await),
        provideTracer
      )
      assert.deepStrictEqual(JSON.stringify(within), JSON.stringify(without))
      assert.deepStrictEqual(JSON.stringify(nested), JSON.stringify(without))
    })
  )

  it.live("dies of what its code throws, and its spans say so", () =>
    Effect.gen(function* () {
      const { span } = yield* collect(
        Effect.sync(() => {
          throw new RangeError("thrown")
        }).pipe(withSpan("inner"), withSpan("outer"))
      )
      assert.strictEqual(span("inner").statusMessage, "thrown")
      assert.strictEqual(span("outer").statusMessage, "thrown")
    })
  )
})

describe("a fiber that waits for another's work", () => {
  it.live("goes on in its own span", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const waiting = yield* Effect.gen(function* () {
        yield* Deferred.await(gate)
        return [activeId(), yield* currentId]
      }).pipe(withSpan("waits"), Effect.forkChild({ startImmediately: true }))
      yield* Deferred.succeed(gate, undefined).pipe(withSpan("opens"))
      const [active, current] = yield* Fiber.join(waiting)
      assert.strictEqual(active, current)
    }).pipe(provideTracer)
  )
})

describe("what is kept to return to", () => {
  const frames = () => {
    const open = new Set<number>()
    const hook = createHook({
      init: (id, type) => void (type === "effect-telemetry/Span" && open.add(id)),
      destroy: (id) => void open.delete(id)
    })
    return { open, hook }
  }

  for (const [name, sampler] of [
    ["spans", Sampler.alwaysOn],
    ["spans that are not sampled", Sampler.alwaysOff]
  ] as const) {
    it.live(`is let go when its span ends: ${name}`, () =>
      Effect.gen(function* () {
        const { hook, open } = frames()
        hook.enable()
        const child = Effect.sleep(1).pipe(Effect.andThen(Effect.sync(activeId)))
        yield* Effect.all([child.pipe(withSpan("ours")), child.pipe(Effect.withSpan("plain"))]).pipe(withSpan("parent"))
        yield* Effect.sleep(1)
        hook.disable()
        assert.strictEqual(open.size, 0)
      }).pipe(Effect.provide(OurTracer.layer({ sampler, receiver: { takesUnsampled: false, ended: () => {} } })))
    )
  }

  it.live("is the fiber's own: another fiber in the same span has what was current where it started", () =>
    Effect.gen(function* () {
      const storage = new AsyncLocalStorage<string>()
      const look = Effect.sleep(1).pipe(Effect.andThen(Effect.sync(() => [storage.getStore(), activeId()])))
      const seen = yield* Effect.gen(function* () {
        const span = yield* Effect.currentSpan
        const tracer = yield* Effect.tracer
        const elsewhere = storage.run("elsewhere", () =>
          Effect.runFork(look.pipe(Effect.withParentSpan(span), Effect.withTracer(tracer)))
        )
        return { id: span.spanId, here: yield* look, there: yield* Fiber.join(elsewhere), again: yield* look }
      }).pipe(withSpan("shared"))
      assert.deepStrictEqual(seen.here, [undefined, seen.id])
      assert.deepStrictEqual(seen.there, ["elsewhere", seen.id])
      assert.deepStrictEqual(seen.again, [undefined, seen.id])
    }).pipe(provideTracer)
  )

  it("holds where storages write into what runs, as before Node.js 24", ({ skip }) => {
    const flag = "--no-async-context-frame"
    if (!process.allowedNodeEnvironmentFlags.has(flag)) {
      skip(`this Node.js, ${process.version}, has no ${flag}: its storages work in the one way that it has`)
    }
    const program = fileURLToPath(new URL("stretches.ts", import.meta.url))
    for (const flags of [[], [flag]]) {
      const { status, stderr, stdout } = spawnSync(process.execPath, [...flags, program], { encoding: "utf8" })
      assert.deepStrictEqual([status, stdout], [0, "352 looks\n"], stderr)
    }
  })
})

describe("below a span that is not sampled", () => {
  it.live("spans of OpenTelemetry are of its trace, and not sampled either", () =>
    Effect.gen(function* () {
      const collected = collector()
      const layer = TracerProvider.layer.pipe(
        Layer.provideMerge(OurTracer.layer({ receiver: collected.receiver, sampler: Sampler.alwaysOff }))
      )
      const seen = yield* Effect.gen(function* () {
        const outer = yield* Effect.currentSpan
        const nested = yield* Effect.promise(async () => {
          await Promise.resolve()
          const span = raw().startSpan("raw")
          span.end()
          return span.spanContext()
        }).pipe(withSpan("inner"))
        return { traceId: outer.traceId, nested, after: activeId() }
      }).pipe(withSpan("outer"), Effect.provide(layer))
      assert.strictEqual(seen.nested.traceId, seen.traceId)
      assert.strictEqual(seen.nested.traceFlags & 1, 0)
      assert.isDefined(seen.after)
      assert.strictEqual(collected.spans.length, 0)
    })
  )
})
