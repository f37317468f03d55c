import { assert, describe, it } from "@effect/vitest"
import { Choices } from "../../../scripts/fuzz/Choices.ts"
import { replay, run } from "../../../scripts/fuzz/run.ts"
import { shrink } from "../../../scripts/fuzz/shrink.ts"
import { target } from "../../../scripts/fuzz/Target.ts"
import { targets } from "../../../scripts/fuzz/targets.ts"
import { runInThread } from "../../../scripts/fuzz/thread.ts"
import * as Misbehaving from "./misbehaving.ts"

const forever = () => performance.now() + 60_000

/** Fails where a list holds two numbers that add up to more than 1,000. */
const sums = target({
  name: "sums",
  claim: "no two neighbours are more than a thousand",
  make: (choices) => choices.list(40, (choices) => choices.below(1000)),
  check: (list) => {
    list.forEach((value, i) => {
      if (value + (list[i + 1] ?? 0) > 1000) throw new Error(`${value} and ${list[i + 1]}`)
    })
  }
})

describe("a run", () => {
  it("finds what does not hold, and makes it as small as it can be", async () => {
    const { cases, finding } = await run(sums, { seed: 1, until: forever() })
    assert.isAtLeast(cases, 1)
    const smallest = sums.make(Choices.replay(finding!.tape))
    assert.strictEqual(smallest.length, 2)
    assert.strictEqual(smallest[0]! + smallest[1]!, 1001)
    assert.isBelow(finding!.tape.length, finding!.choices)
    assert.include(finding!.input, String(smallest[1]))
    // The error that is printed is that of the input that is printed.
    assert.include(finding!.error, `${smallest[0]} and ${smallest[1]}`)
  })

  it("finds the same for the same seed, by the case's number, and by the tape", async () => {
    const first = await run(sums, { seed: 5, until: forever() })
    const again = await run(sums, { seed: 5, until: forever() })
    assert.deepStrictEqual(again.finding!.tape, first.finding!.tape)
    assert.deepStrictEqual([again.cases, again.finding!.input], [first.cases, first.finding!.input])
    const { index, tape } = first.finding!
    const alone = await run(sums, { seed: 5, until: forever(), from: index, cases: 1 })
    assert.deepStrictEqual(alone.finding!.tape, tape)
    assert.isDefined((await replay(sums, tape)).finding)
    assert.isUndefined((await replay(sums, [0])).finding)
  })

  it("ends when its time is over, or its cases are", async () => {
    const holds = target({ name: "holds", claim: "yes", make: (choices) => choices.below(9), check: () => {} })
    assert.deepStrictEqual(await run(holds, { seed: 1, until: performance.now() - 1 }), {
      cases: 0,
      finding: undefined
    })
    assert.strictEqual((await run(holds, { seed: 1, until: forever(), cases: 100 })).cases, 100)
  })

  it("closes what it opened, also after a finding", async () => {
    let open = 0
    const served = target<number, { readonly limit: number }>({
      name: "served",
      claim: "small",
      make: (choices) => choices.below(1000),
      open: async () => {
        open++
        return { resource: { limit: 500 }, close: async () => void open-- }
      },
      check: async (number, { limit }) => {
        if (number > limit) throw new Error("large")
      }
    })
    const { finding } = await run(served, { seed: 1, until: forever() })
    assert.deepStrictEqual(finding!.tape, [501])
    assert.strictEqual(open, 0)
  })
})

describe("shrinking", () => {
  it("stops after its tries, and keeps what fails", async () => {
    let tries = 0
    const result = await shrink(
      Array.from({ length: 500 }, () => 9),
      async (tape) => {
        tries++
        return tape.length > 490 ? tape : undefined
      },
      100
    )
    assert.strictEqual(tries, 100)
    assert.strictEqual(result.tries, 100)
    assert.isAbove(result.tape.length, 490)
  })
})

describe("a thread", () => {
  const module = new URL("misbehaving.ts", import.meta.url)
  const options = { seed: 1, millis: 20_000, hangMillis: 500, module }

  it("finds a case that does not end, and says which", async () => {
    const { finding } = await runInThread(Misbehaving.endless, options)
    assert.include(finding!.error, "did not end within 500 ms")
    assert.isAtLeast(Misbehaving.endless.make(Choices.replay(finding!.tape)), Misbehaving.limit)
  })

  it("finds a case that ends the process", async () => {
    const { finding } = await runInThread(Misbehaving.exiting, options)
    assert.include(finding!.error, "ended the thread")
    assert.isAtLeast(Misbehaving.exiting.make(Choices.replay(finding!.tape)), Misbehaving.limit)
  })

  it("finds an error that nobody waits for", async () => {
    const { finding } = await runInThread(Misbehaving.rejecting, options)
    assert.include(finding!.error, "nobody waits for this")
  })
})

describe("the targets", () => {
  for (const target of targets) {
    it(`hold for a few cases: ${target.name}`, async () => {
      const { cases, finding } = await run(target, { seed: 1, until: forever(), cases: 25 })
      assert.isUndefined(finding, finding?.error)
      assert.strictEqual(cases, 25)
    })
  }
})
