/**
 * Packages as they lie on the disk: which copy a folder gets, and which copies there are.
 *
 * @internal
 */
import { readdirSync, readFileSync, realpathSync } from "node:fs"
import * as Path from "node:path"

export interface Manifest {
  readonly name?: string | undefined
  readonly version?: string | undefined
  readonly peerDependencies?: Readonly<Record<string, string>> | undefined
}

/** A package that is installed. */
export interface Installed {
  /** Its real folder. */
  readonly folder: string
  readonly version: string
  readonly manifest: Manifest
}

export const manifestIn = (folder: string): Manifest | undefined => {
  try {
    return JSON.parse(readFileSync(Path.join(folder, "package.json"), "utf8")) as Manifest
  } catch {
    return undefined
  }
}

const installedIn = (folder: string): Installed | undefined => {
  const manifest = manifestIn(folder)
  if (manifest === undefined) return undefined
  try {
    return { folder: realpathSync(folder), version: manifest.version ?? "", manifest }
  } catch {
    return undefined
  }
}

/** The folder and those above it. */
const upwards = (from: string): ReadonlyArray<string> => {
  const folders: Array<string> = []
  for (let folder = Path.resolve(from); ; folder = Path.dirname(folder)) {
    folders.push(folder)
    if (folder === Path.dirname(folder)) return folders
  }
}

/** The copy that code in a folder gets, as Node.js resolves it. */
export const resolvePackage = (name: string, from: string): Installed | undefined => {
  for (const folder of upwards(from)) {
    if (Path.basename(folder) === "node_modules") continue
    const found = installedIn(Path.join(folder, "node_modules", name))
    if (found !== undefined) return found
  }
  return undefined
}

/** The nearest folder upwards that has a `package.json`. */
export const applicationIn = (from: string): { readonly folder: string; readonly manifest: Manifest } | undefined => {
  for (const folder of upwards(from)) {
    const manifest = manifestIn(folder)
    if (manifest !== undefined) return { folder, manifest }
  }
  return undefined
}

const entriesOf = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** Enough for any tree that a person has; what is beyond is not looked at. */
const longest = 20_000

/** All copies of some packages in the trees of `node_modules` that code in a folder sees, each once. */
export const copies = (names: ReadonlyArray<string>, from: string): ReadonlyMap<string, ReadonlyArray<Installed>> => {
  const found = new Map<string, Map<string, Installed>>(names.map((name) => [name, new Map()]))
  const seen = new Set<string>()
  const queue = upwards(from).map((folder) => Path.join(folder, "node_modules"))
  const visit = (folder: string, name: string): void => {
    const of = found.get(name)
    const installed = of === undefined ? undefined : installedIn(folder)
    if (installed !== undefined) of!.set(installed.folder, installed)
    queue.push(Path.join(folder, "node_modules"))
  }
  for (let modules = queue.shift(); modules !== undefined && seen.size < longest; modules = queue.shift()) {
    let real: string
    try {
      real = realpathSync(modules)
    } catch {
      continue
    }
    if (seen.has(real)) continue
    seen.add(real)
    for (const entry of entriesOf(real)) {
      if (entry === ".pnpm") {
        for (const inner of entriesOf(Path.join(real, entry))) queue.push(Path.join(real, entry, inner, "node_modules"))
      } else if (entry.startsWith("@")) {
        for (const inner of entriesOf(Path.join(real, entry))) visit(Path.join(real, entry, inner), `${entry}/${inner}`)
      } else if (!entry.startsWith(".")) visit(Path.join(real, entry), entry)
    }
  }
  return new Map([...found].map(([name, of]) => [name, [...of.values()]]))
}
