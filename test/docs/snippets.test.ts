import { assert, describe, it } from "@effect/vitest"
import { compile, extract, root, run } from "./snippets.ts"

const snippets = extract()

describe("snippets of README, guides and doc comments", () => {
  it("there are some", () => {
    assert.isAbove(snippets.length, 40)
  })

  it("compile", { timeout: 120_000 }, () => {
    assert.strictEqual(compile(), "")
  })

  describe.concurrent("run", () => {
    for (const { file, mode, origin } of snippets) {
      if (mode === "types") continue
      it(origin, { timeout: 120_000 }, async ({ expect }) => {
        const args =
          mode === "vitest"
            ? [`${root}node_modules/vitest/vitest.mjs`, "run", "--config", "test/docs/vitest.snippets.config.ts", file]
            : ["--conditions=source", file]
        const { code, output } = await run(args)
        expect(code, output).toBe(0)
      })
    }
  })
})
