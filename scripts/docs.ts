/**
 * Generates what is generated: `docs/spans.md` and Grafana's dashboards from the span catalogue, the table of `docs/settings.md`
 * from the settings, the figures of `docs/performance.md` from the benchmark's last results, `docs/reference` from the doc
 * comments. `npm run docs` writes, `npm run docs -- --check` fails where a file is not what the code says.
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { sep } from "node:path"
import { fileURLToPath } from "node:url"
import { generated } from "./docs/generated.ts"
import { folder, reference } from "./docs/reference/reference.ts"

const root = fileURLToPath(new URL("..", import.meta.url))
const check = process.argv.includes("--check")
let stale = 0

const complain = (problem: string): void => {
  stale++
  console.error(problem)
}

const pages = await reference()
for (const problem of pages.broken) complain(problem)

for (const { content, file } of [...(await generated((file) => readFileSync(root + file, "utf8"))), ...pages.files]) {
  let current: string | undefined
  try {
    current = readFileSync(root + file, "utf8")
  } catch {
    current = undefined
  }
  if (current === content) continue
  if (check) {
    complain(`${file} is not what the code says: run "npm run docs"`)
  } else {
    mkdirSync(root + folder, { recursive: true })
    writeFileSync(root + file, content)
    console.log(`wrote ${file}`)
  }
}

// The page of a module that is gone, or no longer public, goes too.
const wanted = new Set(pages.files.map(({ file }) => file))
for (const found of globSync(`${folder}/*`, { cwd: root })) {
  const file = found.split(sep).join("/")
  if (wanted.has(file)) continue
  if (check) {
    complain(`${file} is the page of no public module: run "npm run docs"`)
  } else {
    rmSync(root + file)
    console.log(`removed ${file}`)
  }
}
process.exitCode = stale === 0 ? 0 : 1
