/**
 * What a published package must and must not contain, by its manifest.
 */
export type Target = string | null | { readonly [condition: string]: Target }

export interface Manifest {
  readonly name: string
  readonly exports: Readonly<Record<string, Target>>
  readonly bin?: string | Readonly<Record<string, string>> | undefined
}

/** The files that a target leads to, whatever the condition. */
const leaves = (target: Target): ReadonlyArray<string> => {
  if (target === null) return []
  return typeof target === "string" ? [target] : Object.values(target).flatMap(leaves)
}

/** What a subpath leads to, as Node resolves it: an exact key first, then the pattern with the longest beginning. */
export const resolve = (manifest: Manifest, subpath: string): ReadonlyArray<string> => {
  const exact = manifest.exports[subpath]
  if (exact !== undefined) return leaves(exact)
  const patterns = Object.keys(manifest.exports)
    .filter((key) => key.includes("*"))
    .map((key) => ({ key, before: key.slice(0, key.indexOf("*")), after: key.slice(key.indexOf("*") + 1) }))
    .filter(
      ({ after, before }) =>
        subpath.startsWith(before) && subpath.endsWith(after) && subpath.length > before.length + after.length
    )
    .sort((a, b) => b.before.length - a.before.length || b.key.length - a.key.length)
  const best = patterns[0]
  if (best === undefined) return []
  const star = subpath.slice(best.before.length, subpath.length - best.after.length)
  return leaves(manifest.exports[best.key] ?? null).map((leaf) => leaf.replaceAll("*", star))
}

const bare = (path: string) => path.replace(/^\.\//, "")

const programs = (manifest: Manifest): ReadonlyArray<string> => {
  const { bin } = manifest
  return bin === undefined ? [] : typeof bin === "string" ? [bare(bin)] : Object.values(bin).map(bare)
}

/** The subpath under which a source file is public. */
const subpathOf = (source: string) => {
  const module = source.replace(/^src\//, "").replace(/\.ts$/, "")
  return module === "index" ? "." : `./${module}`
}

/** What a user may import, by name. A program is run, not imported. */
export const publicModules = (manifest: Manifest, sources: ReadonlyArray<string>): ReadonlyArray<string> => {
  const run = new Set(programs(manifest))
  return sources
    .map(subpathOf)
    .filter((subpath) => {
      const leads = resolve(manifest, subpath).map(bare)
      return leads.length > 0 && !leads.some((path) => run.has(path))
    })
    .map((subpath) => (subpath === "." ? manifest.name : `${manifest.name}${subpath.slice(1)}`))
}

/** What must be there and is not. */
export const wanted = (
  manifest: Manifest,
  sources: ReadonlyArray<string>,
  files: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const there = new Set(files)
  const must = new Set(["package.json", "README.md", "LICENSE", ...programs(manifest)])
  for (const [key, target] of Object.entries(manifest.exports)) {
    if (!key.includes("*")) for (const leaf of leaves(target)) must.add(bare(leaf))
  }
  for (const source of sources) {
    for (const leaf of resolve(manifest, subpathOf(source))) must.add(bare(leaf))
    // A module that is not public is still imported by those that are.
    const module = source.replace(/^src\//, "dist/").replace(/\.ts$/, "")
    must.add(`${module}.js`)
    must.add(`${module}.d.ts`)
  }
  return [...must].filter((path) => !there.has(path)).sort()
}

/** What is there and must not be: tests, programs that are not published, anything outside the published folders. */
export const unwanted = (manifest: Manifest, files: ReadonlyArray<string>): ReadonlyArray<string> => {
  const run = new Set(programs(manifest))
  return files.filter((path) => {
    if (/\.test\.|\.tsbuildinfo$|(^|\/)\.|(^|\/)(test|tests|scratchpad|bench)\//.test(path)) return true
    const allowed =
      /^(dist\/|src\/|docs\/.+\.md$|package\.json$|README\.md$|LICENSE$|SECURITY\.md$|CHANGELOG\.md$)/.test(path)
    return !allowed && !run.has(path)
  })
}
