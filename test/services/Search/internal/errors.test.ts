import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { begins, distance, maxErrors } from "../../../../src/services/Search/internal/errors.ts"

/** Few letters, so that words resemble each other. */
const Word = Schema.Array(Schema.Literals(["a", "b", "c"])).check(Schema.isMaxLength(8))

describe("typing errors", () => {
  it.each([
    ["summer", "summer", 0],
    ["sumer", "summer", 1],
    ["sumner", "summer", 1],
    ["smmer", "summer", 1],
    ["rian", "rain", 1],
    ["", "abc", 3],
    ["ca", "abc", 3],
    ["kitten", "sitting", 3]
  ])("%s, %s: %d", (a, b, errors) => {
    assert.strictEqual(distance(a, b), errors)
    assert.strictEqual(distance(b, a), errors)
  })

  it.prop("a distance: of nothing only to itself, the same both ways, within bounds", { a: Word, b: Word }, (input) => {
    const [a, b] = [input.a.join(""), input.b.join("")]
    const errors = distance(a, b)
    assert.strictEqual(errors === 0, a === b)
    assert.strictEqual(errors, distance(b, a))
    assert.isAtLeast(errors, Math.abs(a.length - b.length))
    assert.isAtMost(errors, Math.max(a.length, b.length))
  })

  it.prop("what begins so begins so, with errors allowed too", { a: Word, b: Word }, (input) => {
    const [a, b] = [input.a.join(""), input.b.join("")]
    assert.isTrue(begins(a + b, a, false))
    assert.isTrue(begins(a + b, a, true))
    const nearest = Math.min(...Array.from({ length: b.length + 1 }, (_, at) => distance(a, b.slice(0, at))))
    if (!b.startsWith(a)) {
      assert.strictEqual(begins(b, a, true), a.length >= 3 && a[0] === b[0] && nearest <= maxErrors(a))
    }
  })
})
