import { assert, describe, it } from "@effect/vitest"
import { randomBytes } from "../../src/tracer/RandomBytes.ts"

describe("random bytes", () => {
  it("are as many as were asked for, and nobody gets them twice, over many pools", () => {
    const seen = new Set<string>()
    for (let i = 0; i < 5_000; i++) {
      const bytes = randomBytes(24)
      assert.strictEqual(bytes.length, 24)
      seen.add(bytes.toString("hex"))
    }
    assert.strictEqual(seen.size, 5_000)
  })

  it("take every value", () => {
    const seen = new Set<number>()
    for (let i = 0; i < 20; i++) for (const byte of randomBytes(1_000)) seen.add(byte)
    assert.strictEqual(seen.size, 256)
  })
})
