import { assert, describe, it } from "@effect/vitest"
import { printedBy } from "./blocks.ts"
import { difference, linesOf } from "./compare.ts"
import { compile, extract, root, run } from "./snippets.ts"

const snippets = extract()

/** What the page says that a program prints, where it does. */
const shownBy = (origin: string): ReadonlyArray<string> | undefined => {
  const page = origin.slice(0, origin.lastIndexOf(":"))
  return page.endsWith(".md") ? printedBy(page).get(origin) : undefined
}

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
        const shown = shownBy(origin)
        if (shown !== undefined) assert.strictEqual(difference(shown, linesOf(output)), "", output)
      })
    }
  })
})
