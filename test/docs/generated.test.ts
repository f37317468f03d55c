import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { generated } from "../../scripts/docs/generated.ts"
import { version } from "../../src/internal/version.ts"
import { root } from "./snippets.ts"

const read = (file: string) => readFileSync(root + file, "utf8")

describe("what is generated", () => {
  it("is what the code says", async () => {
    for (const { content, file } of await generated(read)) {
      assert.strictEqual(read(file), content, `${file}: run "npm run docs"`)
    }
  })

  it("the version of the code is that of the package", () => {
    assert.strictEqual(JSON.parse(read("package.json")).version, version)
  })
})
