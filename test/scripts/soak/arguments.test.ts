import { describe, expect, it } from "@effect/vitest"
import { parse } from "../../../scripts/soak/arguments.ts"

describe("the soak's arguments", () => {
  it("has defaults", () => {
    expect(parse([])).toMatchObject({ minutes: 2, rate: 2_000 })
  })

  it("takes minutes, a rate and a seed", () => {
    expect(parse(["0.2", "--seed", "7", "--rate", "500"])).toEqual({ minutes: 0.2, rate: 500, seed: 7 })
  })

  it("says what it does not understand", () => {
    expect(parse(["soon"])).toBe("MINUTES is soon, but must be a number above 0")
    expect(parse(["-1"])).toBe("-1 is not known")
    expect(parse(["0"])).toBe("MINUTES is 0, but must be a number above 0")
    expect(parse(["--rate"])).toBe("--rate is missing, but must be a number above 0")
    expect(parse(["--rate", ""])).toContain("must be a number above 0")
    expect(parse(["--fast"])).toBe("--fast is not known")
  })

  it("is asked for help", () => {
    expect(parse(["--help"])).toBeUndefined()
  })
})
