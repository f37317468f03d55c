import * as Otel from "@opentelemetry/api"
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks"
import { afterEach, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Tracer from "effect/Tracer"
import * as OurTracer from "../../src/tracer/Tracer.ts"
import * as TracerProvider from "../../src/tracer/TracerProvider.ts"
import { withSpan } from "../../src/tracer/withSpan.ts"
import { type Collector, collector } from "./support.ts"

const activeId = (): string | undefined => Otel.trace.getActiveSpan()?.spanContext().spanId
const currentId = Effect.map(Effect.currentSpan, (span) => span.spanId)

/** Raw spans of OpenTelemetry go through our tracer too. */
const collectAll = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<Collector> =>
  Effect.suspend(() => {
    const collected = collector()
    const layer = TracerProvider.layer.pipe(Layer.provideMerge(OurTracer.layer({ receiver: collected.receiver })))
    return effect.pipe(
      Effect.provide(layer),
      Effect.exit,
      Effect.flatMap((exit) => (Exit.isFailure(exit) ? Effect.die(exit.cause) : Effect.succeed(collected)))
    )
  })

const raw = () => Otel.trace.getTracer("raw")

const provideTracer = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.provide(effect, OurTracer.layer({ receiver: { takesUnsampled: false, ended: () => {} } }))

describe("spans of OpenTelemetry", () => {
  it.live("nest under the current span", () =>
    Effect.gen(function* () {
      const { span } = yield* collectAll(
        Effect.sync(() => raw().startActiveSpan("library", (inner) => inner.end())).pipe(withSpan("effect"))
      )
      assert.strictEqual(span("library").parentSpanId, span("effect").spanId)
      assert.strictEqual(span("library").localTrace, span("effect").localTrace)
      assert.strictEqual(span("library").instrumentationScope.name, "raw")
    })
  )

  it.live("are the parents of spans that are started in their callbacks", () =>
    Effect.gen(function* () {
      const { span } = yield* collectAll(
        Effect.gen(function* () {
          const context = yield* Effect.context<never>()
          yield* Effect.promise(() =>
            raw().startActiveSpan("library", async (library) => {
              await Promise.resolve()
              await Effect.runPromiseWith(context)(Effect.yieldNow.pipe(withSpan("ours inside"), withSpan("ours")))
              await Effect.runPromiseWith(context)(Effect.yieldNow.pipe(Effect.withSpan("effect's")))
              library.end()
            })
          )
        }).pipe(withSpan("around"))
      )
      assert.strictEqual(span("library").parentSpanId, span("around").spanId)
      assert.strictEqual(span("ours").parentSpanId, span("library").spanId)
      assert.strictEqual(span("ours inside").parentSpanId, span("ours").spanId)
      assert.strictEqual(span("effect's").parentSpanId, span("library").spanId)
    })
  )

  it.live("stay active for what a fiber in their callback does outside of spans of its own", () =>
    Effect.gen(function* () {
      const { span } = yield* collectAll(
        Effect.gen(function* () {
          const context = yield* Effect.context<never>()
          yield* Effect.promise(() =>
            raw().startActiveSpan("library", async (library) => {
              await Effect.runPromiseWith(context)(
                Effect.gen(function* () {
                  yield* Effect.sleep(1)
                  raw().startSpan("second").end()
                  yield* Effect.void.pipe(withSpan("ours"))
                  raw().startSpan("third").end()
                })
              )
              library.end()
            })
          )
        }).pipe(withSpan("around"))
      )
      for (const name of ["second", "ours", "third"]) {
        assert.strictEqual(span(name).parentSpanId, span("library").spanId, name)
      }
    })
  )

  it.live("are adopted by a fiber that has no span", () =>
    Effect.gen(function* () {
      const { span } = yield* collectAll(
        Effect.gen(function* () {
          const tracer = yield* Effect.tracer
          yield* Effect.promise(() =>
            raw().startActiveSpan("ambient", async (ambient) => {
              const run = <A>(effect: Effect.Effect<A>) => Effect.runPromise(Effect.withTracer(effect, tracer))
              await run(Effect.void.pipe(withSpan("ours")))
              await run(Effect.void.pipe(Effect.withSpan("effect's")))
              await run(Effect.void.pipe(withSpan("root", { root: true })))
              ambient.end()
            })
          )
        })
      )
      assert.strictEqual(span("ours").parentSpanId, span("ambient").spanId)
      assert.strictEqual(span("effect's").parentSpanId, span("ambient").spanId)
      assert.isUndefined(span("root").parentSpanId)
    })
  )

  it.live("that are not ours are adopted whole: flags, tracestate, locality", () =>
    Effect.gen(function* () {
      const parent: Otel.SpanContext = {
        traceId: "1".repeat(32),
        spanId: "2".repeat(16),
        traceFlags: 3,
        traceState: Otel.createTraceState("vendor=value"),
        isRemote: false
      }
      const { span } = yield* collectAll(
        Effect.gen(function* () {
          const tracer = yield* Effect.tracer
          yield* Effect.promise(() =>
            Otel.context.with(Otel.trace.setSpanContext(Otel.ROOT_CONTEXT, parent), () =>
              Effect.runPromise(Effect.void.pipe(withSpan("child"), withSpan("root"), Effect.withTracer(tracer)))
            )
          )
        })
      )
      const { parentIsRemote, parentSpanId, traceFlags, traceId, traceState } = span("root")
      assert.deepStrictEqual(
        { traceId, parentSpanId, traceFlags, traceState, parentIsRemote },
        {
          traceId: parent.traceId,
          parentSpanId: parent.spanId,
          traceFlags: 3,
          traceState: "vendor=value",
          parentIsRemote: false
        }
      )
      assert.strictEqual(span("child").traceState, "vendor=value")
      assert.isTrue(span("root").isLocalRoot)
    })
  )

  it.live("that a fiber made active are no parents of what runs in their context by itself", () =>
    Effect.gen(function* () {
      const { span } = yield* collectAll(
        Effect.gen(function* () {
          const tracer = yield* Effect.tracer
          yield* Effect.sync(() => Effect.runSync(Effect.void.pipe(withSpan("alone"), Effect.withTracer(tracer))))
        }).pipe(withSpan("around"))
      )
      assert.isUndefined(span("alone").parentSpanId)
    })
  )

  it.live("an unsampled one is followed", () =>
    Effect.gen(function* () {
      const { spans } = yield* collectAll(
        Effect.gen(function* () {
          const tracer = yield* Effect.tracer
          const dropped = Otel.trace.setSpanContext(Otel.ROOT_CONTEXT, {
            traceId: "1".repeat(32),
            spanId: "2".repeat(16),
            traceFlags: 0
          })
          yield* Effect.promise(() =>
            Otel.context.with(dropped, () =>
              Effect.runPromise(Effect.void.pipe(withSpan("dropped"), Effect.withTracer(tracer)))
            )
          )
        })
      )
      assert.deepStrictEqual(spans, [])
    })
  )
})

describe("an external span", () => {
  it.live("is active where it is the parent", () =>
    Effect.gen(function* () {
      const parent = Tracer.externalSpan({ traceId: "1".repeat(32), spanId: "2".repeat(16), sampled: false })
      const active = yield* Effect.sync(() => Otel.trace.getActiveSpan()?.spanContext()).pipe(
        Effect.withParentSpan(parent)
      )
      assert.deepInclude(active, { traceId: parent.traceId, spanId: parent.spanId, traceFlags: 0, isRemote: true })
    }).pipe(provideTracer)
  )
})

describe("the context manager", () => {
  afterEach(() => {
    Otel.context.disable()
  })

  it.live("is registered while a layer lives, and gone afterwards", () =>
    Effect.gen(function* () {
      const isManaged = () => {
        const probe = Otel.ROOT_CONTEXT.setValue(Symbol.for("probe"), 1)
        return Otel.context.with(probe, () => Otel.context.active()) === probe
      }
      assert.isFalse(isManaged())
      yield* Effect.sync(() => assert.isTrue(isManaged())).pipe(provideTracer)
      assert.isFalse(isManaged())
      yield* Effect.sync(() => assert.isTrue(isManaged())).pipe(
        provideTracer,
        Effect.andThen(Effect.sync(() => assert.isTrue(isManaged()))),
        provideTracer
      )
      assert.isFalse(isManaged())
    })
  )

  it.live("of the application is used, and left in its place", () =>
    Effect.gen(function* () {
      const manager = new AsyncLocalStorageContextManager().enable()
      Otel.context.setGlobalContextManager(manager)
      const seen = yield* Effect.gen(function* () {
        const own = yield* currentId
        const child = yield* Effect.all([Effect.promise(async () => activeId()), currentId]).pipe(withSpan("child"))
        return [
          activeId() === own,
          child[0] === child[1],
          Otel.trace.getSpan(manager.active())?.spanContext().spanId === own
        ]
      }).pipe(withSpan("work"), provideTracer)
      assert.deepStrictEqual(seen, [true, true, true])
      const probe = Otel.ROOT_CONTEXT.setValue(Symbol.for("probe"), 1)
      assert.strictEqual(
        Otel.context.with(probe, () => manager.active()),
        probe
      )
    })
  )

  it.live("of ours does what the API says", () =>
    Effect.gen(function* () {
      const probe = Otel.ROOT_CONTEXT.setValue(Symbol.for("probe"), 1)
      const bound = Otel.context.bind(probe, function (this: unknown, n: number) {
        return [this, n, Otel.context.active() === probe]
      })
      assert.deepStrictEqual(bound.call("self", 1), ["self", 1, true])
      assert.deepStrictEqual(
        Otel.context.with(
          probe,
          function (this: string, a: number, b: number) {
            return [this, a, b]
          },
          "self",
          1,
          2
        ),
        ["self", 1, 2]
      )
      yield* Effect.void
    }).pipe(provideTracer)
  )

  it.live("without interoperation none is registered and nothing is made active", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* Effect.sync(activeId).pipe(withSpan("work")))
    }).pipe(
      Effect.provide(OurTracer.layer({ interoperation: false, receiver: { takesUnsampled: false, ended: () => {} } }))
    )
  )
})
