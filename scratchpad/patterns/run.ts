/** `npm run pattern -- <name>` runs a pattern; without a name it lists them. */
import { readdirSync } from "node:fs"

const patterns = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(".ts") && file !== "run.ts")
  .map((file) => file.slice(0, -".ts".length))

const [name] = process.argv.slice(2)

if (name !== undefined && patterns.includes(name)) {
  await import(`./${name}.ts`)
} else {
  if (name !== undefined) console.error(`there is no pattern ${JSON.stringify(name)}\n`)
  console.log(patterns.map((pattern) => `  npm run pattern -- ${pattern}`).join("\n"))
  process.exitCode = name === undefined || name === "--help" ? 0 : 1
}
