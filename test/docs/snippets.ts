import { spawn, spawnSync } from "node:child_process"
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

/** The repository. */
export const root = fileURLToPath(new URL("../..", import.meta.url))

/** Where snippets are written: inside of the package, so that they import it by its name as a user does. */
const folder = `${root}.snippets/`

/** A piece of code in a page or in a doc comment. */
export interface Snippet {
  /** `README.md:12`. */
  readonly origin: string
  /** The file that it is written to. */
  readonly file: string
  /** What stands behind the language of its block: `vitest` for a test, `types` for one that is only compiled. */
  readonly mode: "run" | "vitest" | "types"
}

/** Every `ts` block of pages and of doc comments, written to files. */
export const extract = (): ReadonlyArray<Snippet> => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const pages = [...globSync("*.md", { cwd: root }), ...globSync("docs/**/*.md", { cwd: root })]
  const sources = globSync("src/**/*.ts", { cwd: root })
  const snippets: Array<Snippet> = []
  for (const path of [...pages, ...sources].sort()) {
    const text = readFileSync(root + path, "utf8")
    const lines = (path.endsWith(".ts") ? text.replace(/^[ \t]*\* ?/gm, "") : text).split("\n")
    for (let i = 0; i < lines.length; i++) {
      const fence = /^```ts(?: (\w+))?$/.exec(lines[i]!.trim())
      if (fence === null) continue
      const end = lines.findIndex((line, at) => at > i && line.trim() === "```")
      const mode = fence[1] === "vitest" ? "vitest" : fence[1] === "types" ? "types" : "run"
      const name = `${path.replaceAll(/[^A-Za-z0-9]+/g, "-")}-${i + 1}`
      const file = `${folder}${name}${mode === "vitest" ? ".test" : ""}.ts`
      // A doc comment cannot hold the end of a comment.
      writeFileSync(
        file,
        `${lines
          .slice(i + 1, end)
          .join("\n")
          .replaceAll("*\\/", "*/")}\n`
      )
      snippets.push({ origin: `${path}:${i + 1}`, file, mode })
      i = end
    }
  }
  writeFileSync(
    `${folder}tsconfig.json`,
    JSON.stringify({
      extends: "../tsconfig.json",
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
      include: ["*.ts"]
    })
  )
  return snippets
}

/** What the compiler says of all snippets; empty where nothing is wrong. */
export const compile = (): string =>
  spawnSync(`${root}node_modules/.bin/tsc`, ["--noEmit", "-p", `${folder}tsconfig.json`], {
    cwd: root,
    encoding: "utf8"
  }).stdout

/** Runs a program of the repository to its end. */
export const run = (
  args: ReadonlyArray<string>,
  environment: Readonly<Record<string, string>> = {},
  patienceMillis = 60_000
): Promise<{ readonly code: number | null; readonly output: string }> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...process.env, NO_COLOR: "1", ...environment },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let output = ""
    child.stdout.on("data", (data) => (output += String(data)))
    child.stderr.on("data", (data) => (output += String(data)))
    const timer = setTimeout(() => child.kill("SIGKILL"), patienceMillis)
    child.on("close", (code) => {
      clearTimeout(timer)
      resolve({ code, output })
    })
  })
