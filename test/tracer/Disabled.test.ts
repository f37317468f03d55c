import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import * as Disabled from "../../src/tracer/Disabled.ts"

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

  it.effect("a span for a disabled place has its name and its parent", () =>
    Effect.sync(() => {
      const parent = Tracer.externalSpan({ traceId: "1".repeat(32), spanId: "2".repeat(16) })
      const span = Disabled.span("name", parent, Context.empty())
      assert.deepStrictEqual([span.name, Option.getOrUndefined(span.parent), span.kind], ["name", parent, "internal"])
    })
  )
})
