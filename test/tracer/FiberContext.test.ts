import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import * as FiberContext from "../../src/tracer/FiberContext.ts"

class Service extends Context.Service<Service, string>()("test/Service") {}

describe("a span is put into a fiber's context", () => {
  it("in the short ways, which this version of Effect allows: where one does not, the long way is gone, at a price", () => {
    assert.deepStrictEqual([FiberContext.isTogether, FiberContext.takesPreset], [true, true])
  })

  it.effect("however deep, with all that was there before, which stays as it was", () =>
    Effect.withFiber((fiber) =>
      Effect.sync(() => {
        const first = fiber.context
        let parent: References.StackFrame | undefined
        for (let depth = 0; depth < 40; depth++) {
          const before = fiber.context
          const size = before.mapUnsafe.size
          const span = Tracer.externalSpan({ traceId: "1".repeat(32), spanId: depth.toString(16).padStart(16, "0") })
          const frame: References.StackFrame = { name: `span ${depth}`, stack: () => undefined, parent }
          const made = FiberContext.enter(fiber, span, frame)
          assert.strictEqual(fiber.context, made)
          assert.deepStrictEqual([fiber.cache.span, fiber.cache.stackFrame], [span, frame])
          assert.strictEqual(Context.getOrUndefined(made, Tracer.ParentSpan), span)
          assert.strictEqual(Context.get(made, References.CurrentStackFrame), frame)
          assert.strictEqual(Context.getOrUndefined(made, Service), depth > 5 ? `from ${depth - 1}` : undefined)
          assert.strictEqual(before.mapUnsafe.size, size)
          if (depth >= 5) fiber.setContext(Context.add(made, Service, `from ${depth}`) as Context.Context<never>)
          parent = frame
        }
        fiber.setContext(first)
      })
    )
  )
})
