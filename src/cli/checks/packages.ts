/**
 * The packages around this one: copies that do not know of each other, versions that do not fit, peers that are missing.
 *
 * @internal
 */
import { realpathSync } from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { failed, type Finding, ok, skipped, warning } from "../Finding.ts"
import { type Installed, manifestIn, copies, resolvePackage } from "./tree.ts"
import { satisfies } from "./versions.ts"

/** This package's own folder: `src` and `dist` lie equally deep. */
export const ownFolder = (): string => realpathSync(fileURLToPath(new URL("../../..", import.meta.url)))

/** What an application must share with this package. */
const shared = ["effect", "@opentelemetry/api"] as const

const why: Readonly<Record<(typeof shared)[number], string>> = {
  effect: "spans of the one may be unknown to the other",
  "@opentelemetry/api": "spans of libraries may go to a copy that nobody listens to"
}

/** Packages that come with a peer of their own on `effect`. */
const companions = ["@effect/platform-node", "@effect/sql-pg", "@effect/opentelemetry", "@effect/vitest"]

const relative = (folder: string, from: string): string => {
  const path = Path.relative(from, folder)
  return path === "" ? "." : path.startsWith(`..${Path.sep}..`) ? folder : path
}

const listOf = (all: ReadonlyArray<Installed>, from: string): string =>
  all.map(({ folder, version }) => `${version} in ${relative(folder, from)}`).join(", ")

/** The two copies that matter, the application's and ours, and any others. */
export const packages = (application: string, own: string = ownFolder()): ReadonlyArray<Finding> => {
  const ranges = manifestIn(own)?.peerDependencies ?? {}
  const all = copies(shared, application)
  const found: Array<Finding> = []
  const good: Array<string> = []
  for (const name of shared) {
    const theirs = resolvePackage(name, application)
    const ours = resolvePackage(name, own)
    const range = ranges[name] ?? "*"
    if (theirs === undefined) {
      found.push(failed("packages", `${name} is not installed in ${application}`, `npm install ${name}@"${range}"`))
    } else if (!satisfies(theirs.version, range)) {
      found.push(
        failed(
          "packages",
          `${name} ${theirs.version} is installed, and ${range} is needed`,
          `npm install ${name}@"${range}"`
        )
      )
    } else if (ours !== undefined && ours.folder !== theirs.folder) {
      const what = `the application has ${name} ${theirs.version} in ${relative(theirs.folder, application)}, and effect-telemetry ${ours.version} in ${relative(ours.folder, application)}: ${why[name]}`
      const todo = `make it one copy: the same range in every package.json, then npm dedupe (npm ls ${name} shows who brings them)`
      found.push(ours.version === theirs.version ? warning("packages", what, todo) : failed("packages", what, todo))
    } else if ((all.get(name)?.length ?? 0) > 1) {
      found.push(
        warning(
          "packages",
          `there are ${all.get(name)!.length} copies of ${name} (${listOf(all.get(name)!, application)}): ${why[name]}`,
          `npm dedupe (npm ls ${name} shows who brings them)`
        )
      )
    } else good.push(`${name} ${theirs.version}`)
  }
  const effect = resolvePackage("effect", application)
  for (const name of companions) {
    const companion = resolvePackage(name, application)
    const range = companion?.manifest.peerDependencies?.["effect"]
    if (companion === undefined || range === undefined || effect === undefined || satisfies(effect.version, range))
      continue
    found.push(
      failed(
        "packages",
        `${name} ${companion.version} wants effect ${range}, and ${effect.version} is installed`,
        `install versions of effect and ${name} that go together`
      )
    )
  }
  return found.length > 0 ? found : [ok("packages", `one copy each of ${good.join(" and ")}`)]
}

/** The packages that an entry point loads beside those that this package has anyway. */
export const clients: Readonly<Record<string, ReadonlyArray<string>>> = {
  CacheLive: ["@effect/platform-node", "redis"],
  DatabaseLive: ["@effect/sql-pg"],
  DatabaseEmbedded: ["@effect/sql-pg", "@electric-sql/pglite", "@electric-sql/pglite-socket"],
  StreamIOLive: ["@stream-io/node-sdk"],
  SearchLive: ["@elastic/elasticsearch"],
  SearchOpenSearch: ["@opensearch-project/opensearch"],
  SearchEmbedded: ["minisearch"],
  StorageLive: ["@aws-sdk/client-s3", "@aws-sdk/lib-storage", "@aws-sdk/s3-request-presigner"]
}

/** The optional peers of the entry points that an application imports; each with the file that does. */
export const peers = (
  application: string,
  entryPoints: ReadonlyMap<string, string>,
  own: string = ownFolder()
): ReadonlyArray<Finding> => {
  const ranges = manifestIn(own)?.peerDependencies ?? {}
  const found: Array<Finding> = []
  const good: Array<string> = []
  for (const [entryPoint, file] of entryPoints) {
    for (const name of clients[entryPoint] ?? []) {
      const installed = resolvePackage(name, application)
      const range = ranges[name] ?? "*"
      const wanted = `npm install ${name}@"${range}"`
      if (installed === undefined) {
        found.push(
          failed(
            "peers",
            `${file} imports effect-telemetry/${entryPoint}, which needs ${name}, and it is not installed`,
            wanted
          )
        )
      } else if (!satisfies(installed.version, range)) {
        found.push(
          warning(
            "peers",
            `${name} ${installed.version} is installed, and effect-telemetry/${entryPoint} is made for ${range}`,
            wanted
          )
        )
      } else good.push(`${name} ${installed.version}`)
    }
  }
  if (found.length > 0) return found
  return good.length === 0
    ? [skipped("peers", "no live layer is imported, so no client is needed")]
    : [ok("peers", `there are ${[...new Set(good)].join(", ")}`)]
}
