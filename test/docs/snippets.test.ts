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

  // One run for all: most of what a run costs is starting the runner.
  it("those that are tests pass", { timeout: 240_000 }, async ({ expect }) => {
    const files = snippets.filter(({ mode }) => mode === "vitest").map(({ file }) => file)
    assert.isAbove(files.length, 4)
    const config = "test/docs/vitest.snippets.config.ts"
    const { code, output } = await run(
      [`${root}node_modules/vitest/vitest.mjs`, "run", "--config", config, ...files],
      {},
      200_000
    )
    expect(code, output).toBe(0)
    assert.include(output.replace(/\s+/g, " "), `Test Files ${files.length} passed (${files.length})`)
  })

  describe.concurrent("run", () => {
    for (const { file, mode, origin } of snippets) {
      if (mode !== "run") continue
      it(origin, { timeout: 120_000 }, async ({ expect }) => {
        const { code, output } = await run(["--conditions=source", file])
        expect(code, output).toBe(0)
        const shown = shownBy(origin)
        if (shown !== undefined) assert.strictEqual(difference(shown, linesOf(output)), "", output)
      })
    }
  })
})
