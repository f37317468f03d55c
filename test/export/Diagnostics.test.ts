import { describe, expect, it } from "@effect/vitest"
import { Diagnostics, messageOf, oneLine } from "../../src/export/Diagnostics.ts"
import { fakeTiming } from "./FakeTiming.ts"
import { recordLog } from "./support.ts"

describe("Diagnostics", () => {
  it("says a kind of line once a minute, with how many were left out", () => {
    const timing = fakeTiming()
    const said = recordLog()
    const diagnostics = new Diagnostics(timing, said.log)
    for (let i = 0; i < 10; i++) diagnostics.sayRarely("full", "warn", "full", () => ({ i }))
    diagnostics.sayRarely("other", "error", "other")
    timing.advance(60_000)
    diagnostics.sayRarely("full", "warn", "full", () => ({ i: 99 }))
    expect(said.lines).toEqual([
      { level: "warn", message: "full", fields: { i: 0 } },
      { level: "error", message: "other", fields: {} },
      { level: "warn", message: "full", fields: { i: 99, similarLinesLeftOut: 9 } }
    ])
  })

  it("says some things once, and not without end where they are all different", () => {
    const said = recordLog()
    const diagnostics = new Diagnostics(fakeTiming(), said.log)
    for (let i = 0; i < 3; i++) diagnostics.sayOnce("a", "warn", "a")
    expect(said.lines).toHaveLength(1)
    for (let i = 0; i < 1_000; i++) diagnostics.sayOnce(`kind ${i}`, "warn", "b")
    expect(said.lines.length).toBeLessThanOrEqual(102)
  })

  it("survives a logger that throws, and none", () => {
    const failing = new Diagnostics(fakeTiming(), () => {
      throw new Error("no")
    })
    failing.say("warn", "x")
    failing.internal("here", "what")
    expect(failing.lastError).toEqual({ message: "here: what", at: expect.any(Number) })
    new Diagnostics(fakeTiming()).say("warn", "x")
  })

  it("makes a line of anything that is thrown", () => {
    const unprintable = {
      toString: () => {
        throw new Error("no")
      }
    }
    expect(
      [new Error("a\nb"), "text", undefined, unprintable, new AggregateError([new Error("first")], "all")].map(
        messageOf
      )
    ).toEqual(["a b", "text", "undefined", "unknown error", "first"])
    expect(oneLine("x".repeat(500))).toHaveLength(300)
  })
})
