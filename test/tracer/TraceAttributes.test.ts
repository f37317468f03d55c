import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TraceAttributes from "../../src/tracer/TraceAttributes.ts"

describe("a holder", () => {
  it("is set, replaced, emptied; undefined removes", () => {
    const holder = TraceAttributes.make({ "user.id": "u", "request.id": undefined })
    assert.deepStrictEqual(holder.entries(), [["user.id", "u"]])
    assert.isTrue(holder.set("a", 1))
    assert.isTrue(holder.set("user.id", "v"))
    assert.deepStrictEqual(holder.entries(), [
      ["user.id", "v"],
      ["a", 1]
    ])
    assert.isTrue(holder.set("a", undefined))
    assert.isFalse(holder.delete("a"))
    assert.isTrue(holder.delete("user.id"))
    assert.deepStrictEqual([holder.size, holder.get("user.id")], [0, undefined])
  })

  it("gives snapshots that do not change", () => {
    const holder = TraceAttributes.make({ a: 1 })
    const { snapshot } = holder
    holder.set("a", 2)
    holder.set("b", 3)
    holder.delete("a")
    assert.deepStrictEqual(snapshot, { keys: ["a"], values: [1] })
    assert.deepStrictEqual(holder.snapshot, { keys: ["b"], values: [3] })
  })

  it("forks: what the fork sets, the other does not see", () => {
    const holder = TraceAttributes.make({ a: 1 })
    const fork = holder.fork()
    fork.set("a", 2)
    holder.set("b", 3)
    assert.deepStrictEqual(
      [holder.entries(), fork.entries()],
      [
        [
          ["a", 1],
          ["b", 3]
        ],
        [["a", 2]]
      ]
    )
  })

  it("refuses more keys than a request has", () => {
    const holder = TraceAttributes.make()
    for (let i = 0; i < 1000; i++) holder.set(`k${i}`, i)
    assert.strictEqual(holder.size, TraceAttributes.MaximumKeys)
    assert.isFalse(holder.set("another", 1))
    assert.isTrue(holder.set("k0", "replaced"))
  })
})

describe("in a fiber", () => {
  it.effect("there is none until one is provided; each request has its own", () =>
    Effect.gen(function* () {
      const read = Effect.withFiber((fiber) => Effect.succeed(TraceAttributes.ofFiber(fiber)?.entries()))
      yield* TraceAttributes.annotate("a", 1)
      assert.isUndefined(yield* read)
      const request = (id: string) =>
        TraceAttributes.provide(
          Effect.andThen(TraceAttributes.annotate("request.id", id), Effect.andThen(Effect.yieldNow, read))
        )
      const seen = yield* Effect.all([request("1"), request("2")], { concurrency: 2 })
      assert.deepStrictEqual(seen, [[["request.id", "1"]], [["request.id", "2"]]])
    })
  )

  it.effect("one inside of another starts with what that holds", () =>
    Effect.gen(function* () {
      const holder = TraceAttributes.make({ a: 1 })
      const inner = yield* TraceAttributes.provide(
        TraceAttributes.provide(Effect.andThen(TraceAttributes.annotate("b", 2), TraceAttributes.Current)),
        holder
      )
      assert.deepStrictEqual(inner?.entries(), [
        ["a", 1],
        ["b", 2]
      ])
      assert.deepStrictEqual(holder.entries(), [["a", 1]])
    })
  )
})
