import { assert, describe, it } from "@effect/vitest"
import { anything, Choices, hash, randomOf } from "../../../scripts/fuzz/Choices.ts"

const some = (choices: Choices) => ({
  number: choices.between(3, 9),
  list: choices.list(10, (choices) => choices.below(100)),
  text: choices.text(20, anything),
  way: choices.oneOf<unknown>(
    () => "first",
    (choices) => choices.bytes(5)
  ),
  mutated: choices.mutated("00-abc-01")
})

describe("choices", () => {
  it("are the same for the same seed, and others for another one", () => {
    const [first, again, other] = [7, 7, 8].map((seed) => some(Choices.random(seed)))
    assert.deepStrictEqual(first, again)
    assert.notDeepEqual(first, other)
    // The numbers themselves are part of the promise: a seed that is written down says the same next year.
    const random = randomOf(1)
    assert.deepStrictEqual([random(), random(), random()], [1_580_013_426, 350_525_680, 3_524_174_333])
    assert.notStrictEqual(hash("a", 1, 2), hash("a", 2, 1))
  })

  it("are made again by their tape", () => {
    for (let seed = 0; seed < 200; seed++) {
      const choices = Choices.random(seed)
      const made = some(choices)
      const replayed = Choices.replay(choices.tape)
      assert.deepStrictEqual(some(replayed), made)
      assert.deepStrictEqual(replayed.tape, choices.tape)
    }
  })

  it("are the simplest without a tape, and stay within their bounds on any", () => {
    assert.deepStrictEqual(some(Choices.replay([])), {
      number: 3,
      list: [],
      text: "",
      way: "first",
      mutated: "00-abc-01"
    })
    const wild = some(Choices.replay([1e9, 1e9, 1e9, 1e9]))
    assert.strictEqual(wild.number, 9)
    assert.isAtMost(Math.max(0, ...wild.list), 99)
  })
})
