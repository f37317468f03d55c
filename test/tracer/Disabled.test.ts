import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import * as Disabled from "../../src/tracer/Disabled.ts"
import { fn, withSpan } from "../../src/tracer/withSpan.ts"

describe("switched off", () => {
  it.effect("spans keep nothing, whoever makes them", () =>
    Effect.gen(function* () {
      for (const make of [
        Effect.currentSpan,
        Effect.currentSpan.pipe(Effect.withSpan("work")),
        Effect.currentSpan.pipe(Effect.withSpan("work"), Effect.withTracerEnabled(true)),
        Effect.makeSpan("made")
      ]) {
        const span = yield* make
        span.attribute("a", 1)
        span.event("e", 0n)
        span.addLinks([])
        span.end(0n, yield* Effect.exit(Effect.void))
        assert.isFalse(span.sampled)
        assert.deepStrictEqual([span.attributes.size, span.links.length, span.status._tag], [0, 0, "Ended"])
        assert.isTrue(Context.get(span.annotations, Tracer.DisablePropagation))
      }
    }).pipe(Effect.provide(Disabled.layer))
  )

  it.effect("no span is a parent", () =>
    Effect.gen(function* () {
      const span = yield* Effect.currentSpan.pipe(Effect.withSpan("inner"), Effect.withSpan("outer"))
      assert.isTrue(Option.isNone(span.parent))
    }).pipe(Effect.provide(Disabled.layer))
  )

  it.effect("an effect that is made there is the bare one", () =>
    Effect.gen(function* () {
      const work = Effect.sync(() => 1)
      let asked = 0
      const options = { attributes: () => ({ asked: ++asked }) }
      assert.strictEqual(work.pipe(withSpan("work", options, { captureStackTrace: false })), work)
      assert.strictEqual(withSpan(work, "work", options), work)
      assert.strictEqual(yield* fn("work")(() => work)(), 1)
      assert.strictEqual(asked, 0)
      assert.isTrue(Disabled.isCurrent())
    }).pipe(Effect.provide(Disabled.layer))
  )

  it.effect("an effect that was made elsewhere is bare there", () => {
    assert.isFalse(Disabled.isCurrent())
    const made = Effect.currentSpan.pipe(withSpan("work"))
    return Effect.gen(function* () {
      assert.strictEqual((yield* made).name, "disabled")
    }).pipe(Effect.provide(Disabled.layer))
  })

  it.effect("a span for a disabled place has its name and its parent", () =>
    Effect.sync(() => {
      const parent = Tracer.externalSpan({ traceId: "1".repeat(32), spanId: "2".repeat(16) })
      const span = Disabled.span("name", parent, Context.empty())
      assert.deepStrictEqual([span.name, Option.getOrUndefined(span.parent), span.kind], ["name", parent, "internal"])
    })
  )
})
