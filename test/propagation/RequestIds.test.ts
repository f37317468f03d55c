import { assert, describe, it } from "@effect/vitest"
import { uuid } from "../../src/propagation/RequestIds.ts"

describe("ids of requests", () => {
  it("are UUIDs of version 4, over many pools, no two alike", () => {
    const seen = new Set<string>()
    for (let i = 0; i < 10_000; i++) {
      const id = uuid()
      assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      seen.add(id)
    }
    assert.strictEqual(seen.size, 10_000)
  })

  it("use all of their digits", () => {
    const found = Array.from({ length: 36 }, () => new Set<string>())
    for (let i = 0; i < 2_000; i++) [...uuid()].forEach((digit, at) => found[at]!.add(digit))
    const sizes = found.map((digits) => digits.size)
    assert.deepStrictEqual(
      sizes,
      Array.from("xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx", (place) => (place === "x" ? 16 : place === "y" ? 4 : 1))
    )
  })
})
