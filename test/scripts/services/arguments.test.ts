import { describe, expect, it } from "@effect/vitest"
import { parse, usage } from "../../../scripts/services/arguments.ts"

const known = ["postgres", "redis", "jaeger"]

describe("the command line of the services script", () => {
  it("starts everything when nothing is said", () => {
    expect(parse([], known)).toEqual({ action: "start", names: known, command: [] })
  })

  it("takes names with and without an action, in the order in which servers start", () => {
    expect(parse(["redis"], known)).toEqual({ action: "start", names: ["redis"], command: [] })
    expect(parse(["install", "jaeger", "postgres"], known)).toEqual({
      action: "install",
      names: ["postgres", "jaeger"],
      command: []
    })
  })

  it("hands everything behind the dashes to the command, dashes and names included", () => {
    expect(parse(["run", "redis", "--", "npm", "run", "x", "--", "--help", "redis"], known)).toEqual({
      action: "run",
      names: ["redis"],
      command: ["npm", "run", "x", "--", "--help", "redis"]
    })
  })

  it("says what is wrong and what is accepted", () => {
    expect(parse(["mysql"], known)).toBe(
      '"mysql" is neither an action (start, install, run) nor a server (postgres, redis, jaeger)'
    )
    expect(parse(["run", "redis"], known)).toBe("run needs a command: run [names] -- command")
    expect(parse(["run", "--"], known)).toBe("run needs a command: run [names] -- command")
    expect(parse(["install", "--", "ls"], known)).toBe("install takes no command: say run [names] -- command")
  })

  it("explains itself, naming every server", () => {
    expect(parse(["start", "--help"], known)).toMatchObject({ action: "help" })
    for (const name of known) expect(usage(known)).toContain(name)
  })
})
