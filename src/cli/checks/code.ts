/**
 * The application's own files, as far as reading tells: whether the layer is used, what is not traced, what ends the process
 * before spans are sent. It looks for words, and runs nothing; files beyond the first 5,000 are not read.
 *
 * @internal
 */
import { readdirSync, readFileSync, statSync } from "node:fs"
import * as Path from "node:path"
import { type Finding, ok, skipped, warning } from "../Finding.ts"

/** Where something stands: `src/main.ts:3`. */
type Place = string

/** What was seen in the files of an application. */
export interface Seen {
  readonly files: number
  /** Imports of this package by entry point (`CacheLive`; the root is ""), each with the first file. */
  readonly entryPoints: ReadonlyMap<string, Place>
  /** Where the layer is named. */
  readonly layer: Place | undefined
  /** Where a PostgreSQL client of another is imported. */
  readonly foreignDatabase: { readonly name: string; readonly place: Place } | undefined
  /** Where a database is given to our layer. */
  readonly tracedDatabase: Place | undefined
  readonly processExit: Place | undefined
}

const maxFiles = 5_000
const maxBytes = 512 * 1024
const ending = /\.(?:ts|mts|cts|tsx|js|mjs|cjs|jsx)$/
const others = new Set(["node_modules", "dist", "build", "out", "coverage", "test", "tests", "__tests__"])
const isTest = (name: string): boolean => /\.(?:test|spec|d)\.[cm]?[jt]sx?$/.test(name)

const filesIn = (root: string): ReadonlyArray<string> => {
  const files: Array<string> = []
  const queue = [root]
  for (let folder = queue.shift(); folder !== undefined && files.length < maxFiles; folder = queue.shift()) {
    let entries: ReadonlyArray<import("node:fs").Dirent>
    try {
      entries = readdirSync(folder, { withFileTypes: true })
    } catch {
      continue
    }
    for (const entry of [...entries].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = Path.join(folder, entry.name)
      if (entry.isDirectory() && !entry.name.startsWith(".") && !others.has(entry.name)) queue.push(path)
      else if (entry.isFile() && ending.test(entry.name) && !isTest(entry.name) && files.length < maxFiles)
        files.push(path)
    }
  }
  return files
}

/** What one file says; the parts of `Seen` that need no other file. */
export const readCode = (text: string, place: (line: number) => Place) => {
  const entryPoints = new Map<string, Place>()
  let layer: Place | undefined
  let foreignDatabase: { readonly name: string; readonly place: Place } | undefined
  let tracedDatabase: Place | undefined
  let processExit: Place | undefined
  text.split("\n").forEach((line, at) => {
    if (/^\s*(?:\/\/|\*|\/\*)/.test(line)) return
    const here = (): Place => place(at + 1)
    const own = /(?:from|import|require)\s*\(?\s*["']effect-telemetry(?:\/([\w/]+))?["']/.exec(line)
    if (own !== null && !entryPoints.has(own[1] ?? "")) entryPoints.set(own[1] ?? "", here())
    if (/\bTelemetryLive\b|\bTelemetry\.layer\b/.test(line)) layer ??= here()
    const foreign = /(?:from|import|require)\s*\(?\s*["'](@effect\/sql-pg|pg|postgres)(?:\/[\w/]+)?["']/.exec(line)
    if (foreign !== null) foreignDatabase ??= { name: foreign[1]!, place: here() }
    if (/\bDatabase\.traced\b|effect-telemetry\/Database(?:Live|Embedded)\b/.test(line)) tracedDatabase ??= here()
    if (/\bprocess\.exit\s*\(/.test(line)) processExit ??= here()
  })
  return { entryPoints, layer, foreignDatabase, tracedDatabase, processExit }
}

/** Reads the files of an application. */
export const scan = (application: string): Seen => {
  const entryPoints = new Map<string, Place>()
  let seen: Omit<Seen, "files" | "entryPoints"> = {
    layer: undefined,
    foreignDatabase: undefined,
    tracedDatabase: undefined,
    processExit: undefined
  }
  const files = filesIn(application)
  for (const file of files) {
    let text: string
    try {
      if (statSync(file).size > maxBytes) continue
      text = readFileSync(file, "utf8")
    } catch {
      continue
    }
    const name = Path.relative(application, file).split(Path.sep).join("/")
    const read = readCode(text, (line) => `${name}:${line}`)
    for (const [entryPoint, place] of read.entryPoints)
      if (!entryPoints.has(entryPoint)) entryPoints.set(entryPoint, place)
    seen = {
      layer: seen.layer ?? read.layer,
      foreignDatabase: seen.foreignDatabase ?? read.foreignDatabase,
      tracedDatabase: seen.tracedDatabase ?? read.tracedDatabase,
      processExit: seen.processExit ?? read.processExit
    }
  }
  return { files: files.length, entryPoints, ...seen }
}

/** What that means. */
export const code = (seen: Seen, hasSpool: boolean): ReadonlyArray<Finding> => {
  if (seen.files === 0) return [skipped("code", "no source files here")]
  const found: Array<Finding> = []
  if (seen.entryPoints.size === 0) {
    found.push(
      warning(
        "code",
        "no file here imports effect-telemetry",
        "give TelemetryLive to the program: Effect.provide(TelemetryLive)"
      )
    )
  } else if (seen.layer === undefined) {
    found.push(
      warning(
        "code",
        "effect-telemetry is imported, but neither TelemetryLive nor Telemetry.layer is named: no spans are made",
        "give TelemetryLive to the program: Effect.provide(TelemetryLive)"
      )
    )
  }
  if (seen.foreignDatabase !== undefined && seen.tracedDatabase === undefined) {
    found.push(
      warning(
        "code",
        `${seen.foreignDatabase.place} imports ${seen.foreignDatabase.name}: statements of a client of one's own are not traced`,
        "use effect-telemetry/DatabaseLive, or give an Effect SqlClient to Database.traced"
      )
    )
  }
  if (seen.processExit !== undefined && !hasSpool) {
    found.push(
      warning(
        "code",
        `process.exit in ${seen.processExit} ends the process before the last spans are sent`,
        "let the program end by itself (NodeRuntime.runMain), or call Telemetry.flush before, or set OTEL_SPOOL_DIRECTORY"
      )
    )
  }
  return found.length > 0 ? found : [ok("code", `the layer is named in ${seen.layer}`)]
}
