/** What of the library is public: its modules, the names under which they are imported, and what each of them exports. */
import type { Manifest } from "../../package/contents.ts"
import { resolve as resolveExport } from "../../package/contents.ts"
import { hasTag } from "./comments.ts"
import { type Declaration, isForeign, type Module, type Origin } from "./declarations.ts"

/** A name that a module exports. */
export interface Entry {
  readonly name: string
  /** Where it is declared. */
  readonly path: string
  readonly declaration: Declaration
}

/** A public module. */
export interface PublicModule {
  readonly module: Module
  /** `effect-telemetry/operation/RetryPolicy`. */
  readonly specifier: string
  /** The file of its page, without folder and ending. */
  readonly page: string
  /** Its name in the root module, where it has one. */
  readonly namespace: string | undefined
  /** What it exports and documents. */
  readonly entries: ReadonlyArray<Entry>
  /** What it exports and another public module documents: by name. */
  readonly elsewhere: ReadonlyMap<string, Origin>
}

const sourceOf = (manifest: Manifest, key: string): string | undefined =>
  resolveExport(manifest, key).find((target) => target.endsWith(".ts") && !target.endsWith(".d.ts"))

/** The name under which a module is imported; undefined where it cannot be. Names of their own are preferred to the pattern's. */
const specifierOf = (manifest: Manifest, path: string): string | undefined => {
  const source = `./src/${path}.ts`
  const own = Object.keys(manifest.exports).find((key) => !key.includes("*") && sourceOf(manifest, key) === source)
  const key = own ?? `./${path}`
  return sourceOf(manifest, key) === source ? `${manifest.name}${key.slice(1)}` : undefined
}

const isPublic = (module: Module): boolean =>
  module.path !== "cli/main" && !/(^|\/)internal\//.test(module.path) && !hasTag(module.comment, "internal")

/** Everything that a module exports: by name, where it is declared. */
const exportsOf = (modules: ReadonlyMap<string, Module>, path: string): ReadonlyMap<string, Origin> => {
  const module = modules.get(path)
  if (module === undefined) throw new Error(`there is no module ${path}`)
  const all = new Map<string, Origin>()
  for (const star of module.stars) for (const [name, origin] of exportsOf(modules, star)) all.set(name, origin)
  for (const [name, local] of module.exports) {
    if (typeof local === "string") all.set(name, { path, name: local })
    else if (local.name === undefined || isForeign(local)) all.set(name, local)
    else all.set(name, exportsOf(modules, local.path).get(local.name) ?? local)
  }
  return all
}

/** All public modules, in the order of their paths. */
export const surface = (modules: ReadonlyMap<string, Module>, manifest: Manifest): ReadonlyArray<PublicModule> => {
  const namespaces = new Map<string, string>()
  for (const [name, { name: whole, path }] of exportsOf(modules, "index")) {
    if (whole === undefined) namespaces.set(path, name)
  }
  const isShown = new Set(
    [...modules.values()]
      .filter((module) => isPublic(module) && specifierOf(manifest, module.path) !== undefined)
      .map(({ path }) => path)
  )
  return [...isShown].map((path): PublicModule => {
    const module = modules.get(path)!
    const entries: Array<Entry> = []
    const elsewhere = new Map<string, Origin>()
    for (const [name, origin] of exportsOf(modules, path)) {
      if (isForeign(origin) || (origin.path !== path && isShown.has(origin.path))) {
        elsewhere.set(name, origin)
        continue
      }
      const declaration =
        origin.name === undefined ? undefined : modules.get(origin.path)?.declarations.get(origin.name)
      if (declaration === undefined) throw new Error(`${path} exports ${name}, whose declaration is not found`)
      if (!hasTag(declaration.comment, "internal")) entries.push({ name, path: origin.path, declaration })
    }
    return {
      module,
      specifier: specifierOf(manifest, path)!,
      page: path === "index" ? manifest.name : path.split("/").at(-1)!,
      namespace: namespaces.get(path),
      entries,
      elsewhere
    }
  })
}
