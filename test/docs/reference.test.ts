/** The reference is complete, and every public name says what it is for. */
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { firstSentence, parseComment } from "../../scripts/docs/reference/comments.ts"
import { slug } from "../../scripts/docs/reference/links.ts"
import { folder, reference, type Reference } from "../../scripts/docs/reference/reference.ts"
import { root } from "./snippets.ts"

let made: Reference
beforeAll(async () => {
  made = await reference()
}, 120_000)

const source = (path: string): string => `src/${path}.ts`

describe("the reference", () => {
  it("has a page for every entry point and every namespace of the root", () => {
    const pages = new Map(made.modules.map(({ module, page }) => [module.path, page]))
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      readonly exports: Readonly<Record<string, { readonly source?: string } | string | null>>
    }
    const entries = Object.values(manifest.exports).flatMap((target) =>
      typeof target === "object" && target?.source !== undefined && !target.source.includes("*") ? [target.source] : []
    )
    const index = readFileSync(join(root, "src/index.ts"), "utf8")
    const namespaces = [...index.matchAll(/^export \* as \w+ from "\.(\/[^"]+)"/gm)].map((match) => `./src${match[1]}`)
    assert.isAbove(entries.length, 15)
    assert.isAbove(namespaces.length, 15)
    for (const file of [...entries, ...namespaces]) {
      const page = pages.get(file.replace(/^\.\/src\/(.*)\.ts$/, "$1"))
      assert.isDefined(page, `${file} has no page`)
      assert.isTrue(made.files.some((made) => made.file === `${folder}/${page}.md`))
    }
  })

  it("stands in the repository as the comments say it now", () => {
    const stale = made.files
      .filter(({ content, file }) => !existsSync(root + file) || readFileSync(root + file, "utf8") !== content)
      .map(({ file }) => file)
    assert.deepStrictEqual(stale, [], 'run "npm run docs"')
    const pages = globSync(`${folder}/*`, { cwd: root }).map((file) => file.replaceAll("\\", "/"))
    assert.sameMembers(
      pages,
      made.files.map(({ file }) => file)
    )
  })

  it("its index leads to every page", () => {
    const index = made.files.find(({ file }) => file === `${folder}/README.md`)!.content
    assert.deepStrictEqual(
      made.modules.filter(({ page }) => !index.includes(`](${page}.md)`)).map(({ specifier }) => specifier),
      []
    )
  })

  it("its links lead to pages, headings and sources that are there", () => {
    assert.deepStrictEqual(made.broken, [])
    const texts = new Map(made.files.map(({ content, file }) => [file, content.replace(/^```[\s\S]*?^```$/gm, "")]))
    const anchors = new Map(
      [...texts].map(([file, text]) => [
        file,
        [...text.matchAll(/^#+ (.*)$/gm)].map((match) => slug(match[1]!.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")))
      ])
    )
    const broken: Array<string> = []
    for (const [file, text] of texts) {
      const own = anchors.get(file)!
      if (new Set(own).size !== own.length) broken.push(`${file} has two headings of one name`)
      for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target!)) continue
        const [path, anchor] = target!.split("#")
        const to = path === "" ? file : join(dirname(file), path!).replaceAll("\\", "/")
        const isThere = texts.has(to) || (!to.startsWith(folder) && existsSync(join(root, to)))
        if (!isThere || (anchor !== undefined && !anchors.get(to)?.includes(anchor))) broken.push(`${file}: ${target}`)
      }
    }
    assert.deepStrictEqual(broken, [])
  })

  it("shows no module and no name that is internal", () => {
    for (const { entries, module } of made.modules) {
      assert.notMatch(readFileSync(join(root, source(module.path)), "utf8"), /^\/\*\*(?:(?!\*\/)[\s\S])*@internal/)
      for (const { declaration } of entries) assert.notMatch(declaration.signature, /@internal|\w+_base\b|import\("/)
    }
    const found = made.files.flatMap(({ content, file }) =>
      [
        ...content.matchAll(/@internal|\{@\w+|effect-telemetry\/(?:\w+\/)*internal\/\w+|src\/(?:\w+\/)*internal\/\w+/g)
      ].map(([text]) => `${file}: ${text}`)
    )
    assert.deepStrictEqual(found, [])
  })
})

describe("a page", () => {
  const page = (name: string): string => made.files.find(({ file }) => file === `${folder}/${name}.md`)!.content

  it("says how its module is imported, by itself and from the root", () => {
    assert.include(
      page("Cache"),
      'import * as Cache from "effect-telemetry/Cache"\nimport { Cache } from "effect-telemetry"\n'
    )
    assert.include(page("TestTelemetry"), 'import * as TestTelemetry from "effect-telemetry/testing"\n```')
  })

  it("shows a name that is no identifier, and what a class extends, as they are written", () => {
    assert.match(page("RetryPolicy"), /### `with`\n\n```typescript\nconst with: \{\n {2}\(policy: RetryPolicyInput\)/)
    assert.include(page("Cache"), 'class CacheError extends ServiceError("CacheError", "cache") {}')
    assert.include(page("Batcher"), "class Batcher implements SpanBatcher {")
    for (const { entries } of made.modules) {
      for (const { declaration } of entries) {
        assert.notMatch(declaration.signature, /^ +(private|protected|#)|\w_base\b/m, declaration.name)
      }
    }
  })

  it("documents what its module takes from an internal one, and links to what has a page of its own", () => {
    assert.include(page("Storage"), "### `PutObject`")
    assert.include(page("Database"), "- [`transaction`](Transaction.md#transaction)")
    assert.include(page("effect-telemetry"), "- [`setUser`](Correlation.md#setuser)")
    assert.include(page("TestTelemetry"), "[`ExpectedSpan`](ExpectedTrace.md#expectedspan)")
  })

  it("puts exports under what they are", () => {
    const headings = page("CacheLive").match(/^##+ .*$/gm)
    const expected = ["## Layers", "### `layer`", "### `layerConfig`", "## Errors", "### `CacheConfigError`"]
    assert.deepStrictEqual(headings?.slice(0, 5), expected)
  })
})

describe("doc comments", () => {
  it("open every public module with a sentence", () => {
    const missing = made.modules
      .filter(({ module }) => !/[.!?:]$/.test(firstSentence(module.comment?.text ?? "")))
      .map(({ module }) => source(module.path))
    assert.deepStrictEqual(missing, [])
  })

  it("give every public module a program, which the test of snippets runs", () => {
    const missing = made.modules
      .filter(({ module }) => !/^```ts( vitest)?$/m.test(module.comment?.text ?? ""))
      .map(({ module }) => source(module.path))
    assert.deepStrictEqual(missing, [])
  })

  it("say of every export what it is for", () => {
    const missing = made.modules.flatMap(({ entries }) =>
      entries
        .filter(({ declaration }) => !/\w.*[.!?:]$/s.test(firstSentence(declaration.comment?.text ?? "")))
        .map(({ name, path }) => `${source(path)}: ${name}`)
    )
    assert.deepStrictEqual([...new Set(missing)], [])
  })
})

describe("a doc comment", () => {
  it("is its text, without the tags and what makes it a comment", () => {
    const comment = parseComment(
      "/**\n * One.\n *\n * ```ts\n * // @see in code\n * const a = 1 /* b *\\/\n * ```\n * @see https://a.b/c\n *   more\n * @since 1.0.0\n */"
    )
    assert.deepStrictEqual(comment, {
      text: "One.\n\n```ts\n// @see in code\nconst a = 1 /* b */\n```",
      tags: [
        { name: "see", text: "https://a.b/c\n  more" },
        { name: "since", text: "1.0.0" }
      ]
    })
    assert.deepStrictEqual(parseComment("* One line. "), { text: "One line.", tags: [] })
  })

  it("has a first sentence, also where a line ends in it", () => {
    assert.strictEqual(firstSentence("One\nline, 0.2 of it. Two.\n\nThree."), "One line, 0.2 of it.")
    assert.strictEqual(firstSentence("No end"), "No end")
  })
})
