import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Check from "../../../src/cli/checks/node.ts"
import { root } from "../support.ts"

describe("node", () => {
  it("old ones fail, others do not", () => {
    for (const version of ["18.20.0", "20.19.4", "22.18.0"]) assert.strictEqual(Check.node(version).status, "failed")
    for (const version of ["22.19.0", "23.0.0", "24.21.0"]) assert.strictEqual(Check.node(version).status, "ok")
  })

  it("the oldest one is that of the package", () => {
    const { engines } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { engines: { node: string } }
    assert.strictEqual(`>=${Check.oldest}`, engines.node)
  })
})
