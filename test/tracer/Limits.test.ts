import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as Limits from "../../src/tracer/Limits.ts"

describe("limits", () => {
  it("are the specification's where nobody says otherwise", () => {
    assert.deepStrictEqual(Limits.make(), {
      attributeCount: 128,
      eventCount: 128,
      linkCount: 128,
      attributeCountPerEvent: 128,
      attributeCountPerLink: 128,
      valueLength: 8192,
      arrayLength: 1024
    })
  })

  it("what is no limit is the default", () => {
    const limits = Limits.make({
      attributeCount: 0,
      eventCount: -1,
      linkCount: NaN,
      valueLength: Infinity,
      arrayLength: undefined
    })
    assert.deepStrictEqual(
      [limits.attributeCount, limits.eventCount, limits.linkCount, limits.valueLength, limits.arrayLength],
      [0, 128, 128, Infinity, 1024]
    )
  })
})

describe("a cut", () => {
  it.prop(
    "is a beginning of the text, at most that long, and splits no character",
    { text: Schema.String, length: Schema.Int },
    ({ length, text }) => {
      const whole = text.toWellFormed()
      const cut = Limits.cut(whole, length)
      assert.isTrue(whole.startsWith(cut))
      assert.isTrue(cut.isWellFormed())
      assert.isTrue(
        whole.length <= length ? cut === whole : cut.length <= Math.max(0, length) && cut.length >= length - 1
      )
    }
  )

  it.each([
    ["😀😀", 4, "😀😀"],
    ["😀😀", 3, "😀"],
    ["😀😀", 1, ""],
    ["abc", 0, ""],
    ["abc", -1, ""]
  ])("%s at %s is %s", (text, length, expected) => {
    assert.strictEqual(Limits.cut(text, length), expected)
  })
})
