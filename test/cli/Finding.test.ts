import { assert, describe, it } from "@effect/vitest"
import * as Finding from "../../src/cli/Finding.ts"

describe("Finding", () => {
  it("a finding is one line: status, check, what was found, what to do", () => {
    assert.strictEqual(
      Finding.line(Finding.failed("answer", "HTTP 401", "set a header"), false),
      "failed   answer: HTTP 401 → set a header"
    )
    assert.strictEqual(Finding.line(Finding.ok("node", "Node.js 24.0.0"), false), "ok       node: Node.js 24.0.0")
  })

  it("colours are only where they are asked for", () => {
    assert.include(Finding.line(Finding.warning("clock", "off", "set it"), true), "\u001b[33mwarning \u001b[0m")
    for (const finding of [Finding.ok("tls", "x"), Finding.skipped("tls", "x"), Finding.failed("tls", "x", "y")]) {
      assert.notInclude(Finding.line(finding, false), "\u001b")
    }
  })
})
