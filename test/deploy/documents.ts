/**
 * The queries that stand in pages and in configuration.
 */
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseAllDocuments } from "yaml"

/** The repository. */
export const root = fileURLToPath(new URL("../..", import.meta.url))

export type Language = "traceql" | "promql" | "logql"

/** A query of a page. */
export interface Query {
  /** `docs/querying.md:12`. */
  readonly origin: string
  readonly language: Language
  readonly text: string
  /** Whether the page shows it as one that is refused: a block of `traceql refused`. */
  readonly refused: boolean
}

/**
 * Whether code within a line is TraceQL: a brace, a space, and no object of JavaScript after it (`{ key: …`, `{ key, …`,
 * `{ key }`, `{ ...rest`).
 */
export const isTraceql = (code: string): boolean =>
  /^\{ [^}]/.test(code) && !/^\{ (?:\.\.\.|readonly |type |["']?[\w$.-]+["']?\??(?:: |, | \}))/.test(code)

/** The queries of a page: blocks of a query language, and code within lines that is TraceQL. */
export const queriesOf = (page: string, text: string): ReadonlyArray<Query> => {
  const found: Array<Query> = []
  let block: { readonly language: Language | undefined; readonly refused: boolean } | undefined
  let lines: Array<string> = []
  let from = 0
  const end = (): void => {
    const query = lines.join("\n").trim()
    if (block?.language !== undefined && query !== "")
      found.push({ origin: `${page}:${from}`, language: block.language, text: query, refused: block.refused })
    lines = []
  }
  text.split("\n").forEach((line, at) => {
    const fence = /^\s*```+(\w*)(?: (.*))?$/.exec(line)
    if (fence !== null) {
      end()
      if (block !== undefined) block = undefined
      else {
        const language = /^(?:traceql|promql|logql)$/.test(fence[1]!) ? (fence[1] as Language) : undefined
        block = { language, refused: fence[2] === "refused" }
      }
      return
    }
    if (block === undefined) {
      // Cells of tables have a backslash before each |.
      for (const [, , code] of line.matchAll(/(?<!`)(`+) ?(.+?) ?\1(?!`)/g)) {
        const query = code!.replaceAll("\\|", "|")
        if (isTraceql(query))
          found.push({ origin: `${page}:${at + 1}`, language: "traceql", text: query, refused: false })
      }
      return
    }
    // An empty line ends a query, and begins the next.
    if (line.trim() === "") return end()
    if (lines.length === 0) from = at + 1
    lines.push(line)
  })
  return found
}

const strings = (value: unknown): ReadonlyArray<string> =>
  typeof value === "string"
    ? [value]
    : typeof value === "object" && value !== null
      ? Object.values(value).flatMap(strings)
      : []

/** The queries of every page, and of the configuration of `deploy`. */
export const all = (): ReadonlyArray<Query> => {
  const pages = ["*.md", "docs/**/*.md", "deploy/**/*.md", "bench/**/*.md"].flatMap((glob) =>
    globSync(glob, { cwd: root })
  )
  const configuration = globSync("deploy/**/*.{yaml,yml}", { cwd: root })
  return [
    ...pages.sort().flatMap((page) => queriesOf(page, readFileSync(join(root, page), "utf8"))),
    ...configuration.sort().flatMap((file) =>
      parseAllDocuments(readFileSync(join(root, file), "utf8"))
        .flatMap((document) => strings(document.toJS()))
        .filter(isTraceql)
        .map((text): Query => ({ origin: file, language: "traceql", text, refused: false }))
    )
  ]
}
