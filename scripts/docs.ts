/**
 * Generates what is generated: `docs/spans.md` and Grafana's dashboards from the span catalogue, the configuration table of
 * `README.md` from the settings. `npm run docs` writes, `npm run docs -- --check` fails where a file is not what the code says.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { generated } from "./docs/generated.ts"

const root = fileURLToPath(new URL("..", import.meta.url))
const check = process.argv.includes("--check")
let stale = 0
for (const { content, file } of await generated((file) => readFileSync(root + file, "utf8"))) {
  let current: string | undefined
  try {
    current = readFileSync(root + file, "utf8")
  } catch {
    current = undefined
  }
  if (current === content) continue
  if (check) {
    stale++
    console.error(`${file} is not what the code says: run "npm run docs"`)
  } else {
    writeFileSync(root + file, content)
    console.log(`wrote ${file}`)
  }
}
process.exitCode = stale === 0 ? 0 : 1
