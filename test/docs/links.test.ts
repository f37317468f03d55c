import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { root } from "./snippets.ts"

const pages = [
  ...globSync("*.md", { cwd: root }),
  ...globSync("docs/**/*.md", { cwd: root }),
  ...globSync("bench/*.md", { cwd: root }),
  ...globSync("deploy/**/*.md", { cwd: root })
]

/** The anchors that headings give, as GitHub makes them. */
const anchorsOf = (text: string): ReadonlySet<string> =>
  new Set(
    text
      .split("\n")
      .filter((line) => /^#+ /.test(line))
      .map((line) =>
        line
          .replace(/^#+ /, "")
          .toLowerCase()
          .replace(/[^\p{L}\p{N}\s_-]/gu, "")
          .trim()
          .replaceAll(" ", "-")
      )
  )

describe("links of the pages", () => {
  for (const page of pages) {
    it(`${page} links to what is there`, () => {
      const text = readFileSync(join(root, page), "utf8").replace(/```[\s\S]*?```/g, "")
      const broken: Array<string> = []
      for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target!)) continue
        const [path, anchor] = target!.split("#")
        const file = path === "" ? page : join(dirname(page), path!)
        if (!existsSync(join(root, file))) broken.push(target!)
        else if (anchor !== undefined && !anchorsOf(readFileSync(join(root, file), "utf8")).has(anchor))
          broken.push(target!)
      }
      assert.deepStrictEqual(broken, [])
    })
  }
})
