/**
 * Puts the modules with which tracing starts into one file. They are some ninety, most of them small, and to find, read and link
 * one costs Node.js a third of a millisecond, which is more than all that they do. Each keeps a file of its own, which names what
 * it has of the one: every import goes on meaning the same thing, and the same copy of it.
 */
import { rmSync, writeFileSync } from "node:fs"
import { dirname, join, relative, sep } from "node:path"
import { pathToFileURL } from "node:url"
import { type InputOptions, rolldown } from "rolldown"

const sources = join(import.meta.dirname, "..", "..", "src")

/** What every application starts with. */
const front = "Telemetry"

/** Where they stand together. Not a module that can be imported: `exports` has nothing of `internal`. */
const together = "internal/start"

const input = (entry: string): InputOptions => ({
  input: entry,
  platform: "node",
  // What is not ours stays outside: one copy of it, whoever imports it.
  external: (id) => !/^[./]|^[A-Z]:|^\0/.test(id),
  transform: { target: "es2024" }
})

const slashed = (path: string): string => path.split(sep).join("/")

/** The modules that are loaded with the front door, as paths below the sources, without extension. */
const started = async (): Promise<ReadonlyArray<string>> => {
  const bundle = await rolldown(input(join(sources, `${front}.ts`)))
  const { output } = await bundle.generate({ format: "esm" })
  await bundle.close()
  return output[0].moduleIds.map((id) => slashed(relative(sources, id)).replace(/\.ts$/, ""))
}

/** What a module has, by the name that it has in the one file. */
const exportsOf = async (directory: string, module: string): Promise<ReadonlyArray<readonly [string, string]>> => {
  const names = Object.keys((await import(pathToFileURL(join(directory, `${module}.js`)).href)) as object)
  return names.map((name) => [name, `${module.replaceAll("/", "_")}$${name}`])
}

/** Rewrites what `tsc` has built into a directory. */
export const joinStart = async (directory: string, sourcemap: boolean): Promise<void> => {
  const modules: Array<readonly [module: string, names: ReadonlyArray<readonly [string, string]>]> = []
  for (const module of await started()) modules.push([module, await exportsOf(directory, module)])

  const entry = modules
    .filter(([, names]) => names.length > 0)
    .map(([module, names]) => {
      const list = names.map(([name, inFile]) => `${name} as ${inFile}`).join(", ")
      return `export { ${list} } from ${JSON.stringify(slashed(join(sources, `${module}.ts`)))}\n`
    })
  const bundle = await rolldown({
    ...input("\0start"),
    plugins: [
      {
        name: "start",
        resolveId: (id) => (id === "\0start" ? id : null),
        load: (id) => (id === "\0start" ? entry.join("") : null)
      }
    ]
  })
  const file = join(directory, `${together}.js`)
  await bundle.write({
    file,
    format: "esm",
    comments: { jsdoc: false },
    sourcemap,
    // They are published beside it.
    sourcemapExcludeSources: true
  })
  await bundle.close()

  for (const [module, names] of modules) {
    const own = join(directory, `${module}.js`)
    const path = slashed(relative(dirname(own), file))
    const list = names.map(([name, inFile]) => `${inFile} as ${name}`).join(", ")
    writeFileSync(own, `export { ${list} } from "${path.startsWith(".") ? path : `./${path}`}"\n`)
    rmSync(`${own}.map`, { force: true })
  }
}
