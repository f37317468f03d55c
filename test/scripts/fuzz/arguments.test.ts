import { assert, describe, it } from "@effect/vitest"
import { parse, textOfTape } from "../../../scripts/fuzz/arguments.ts"

const known = ["sql", "http"]

describe("arguments of the fuzzer", () => {
  it("have defaults: a minute, a fixed seed, all targets", () => {
    assert.deepStrictEqual(parse([], known), {
      seconds: 60,
      seed: 1,
      targets: [],
      only: undefined,
      tape: undefined,
      list: false
    })
  })

  it("are read", () => {
    const told = parse(["--seconds", "5", "--seed", "42", "--target", "sql", "--target=http"], known)
    assert.deepInclude(told, { seconds: 5, seed: 42, targets: ["sql", "http"] })
    assert.deepInclude(parse(["--target", "sql", "--case", "7"], known), { only: 7 })
    const tape = [1, 0, 300]
    assert.deepInclude(parse(["--target", "sql", "--tape", textOfTape(tape)], known), { tape })
    assert.deepInclude(parse(["--target", "sql", "--tape", ""], known), { tape: [] })
  })

  it("are refused by name, with what is accepted", () => {
    for (const [args, message] of [
      [["--seed", "x"], /--seed is "x": accepted is a whole number/],
      [["--seconds", "-1"], /seconds/],
      [["--target", "sqll"], /--target is "sqll": accepted are sql, http/],
      [["--case", "1"], /need one --target/],
      [["--target", "sql", "--tape", "1.x"], /--tape is "x"/],
      [["--nonsense"], /nonsense/]
    ] as const) {
      assert.throws(() => parse(args, known), message)
    }
  })
})
