/**
 * What is fetched and built once for all checkouts: `$XDG_CACHE_HOME/effect-telemetry`, else `~/.cache/effect-telemetry`.
 */
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs"
import { homedir } from "node:os"
import { isAbsolute, join } from "node:path"
import { Guard } from "./Guard.ts"
import { say, timer } from "./report.ts"

/** The specification of base directories takes absolute paths only. */
export const cacheFolder = (env: Readonly<Record<string, string | undefined>> = process.env): string => {
  const base = env["XDG_CACHE_HOME"]
  return join(base !== undefined && isAbsolute(base) ? base : join(homedir(), ".cache"), "effect-telemetry")
}

const filesBelow = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()

/** The same for the same sources and parts, on the same kind of machine. */
export const buildKey = (sources: string | undefined, parts: ReadonlyArray<string>): string => {
  const hash = createHash("sha256")
  for (const part of [process.platform, process.arch, ...parts]) hash.update(part).update("\0")
  if (sources !== undefined) {
    for (const file of filesBelow(sources))
      hash.update(file.slice(sources.length)).update("\0").update(readFileSync(file))
  }
  return hash.digest("hex").slice(0, 16)
}

/**
 * A folder with the result of a build, made when it is not there yet. `build` works in a copy of the sources and leaves its result in
 * `result`, which moves to its place in one step: two scripts may build the same thing side by side, and one that is stopped leaves
 * nothing that looks finished.
 */
export const built = <Tool, E, R>(options: {
  readonly name: string
  readonly notice: string
  readonly sources?: string | undefined
  readonly key: ReadonlyArray<string>
  /** What the build is made with; looked for only when there is something to build. */
  readonly tool: Effect.Effect<Tool, E, R>
  readonly build: (tool: Tool, work: string, result: string) => Effect.Effect<void, E, R>
}): Effect.Effect<string, E, R | Guard> =>
  Effect.gen(function* () {
    const servers = join(cacheFolder(), "servers")
    const place = join(servers, `${options.name}-${buildKey(options.sources, options.key)}`)
    if (existsSync(place)) return place

    const guard = yield* Guard
    const tool = yield* options.tool
    const took = timer()
    say("build", options.name, options.notice)
    mkdirSync(servers, { recursive: true })
    yield* Effect.scoped(
      Effect.gen(function* () {
        const folder = yield* guard.folder(join(servers, `.${options.name}-`), 0o755)
        const work = join(folder, "work")
        const result = join(folder, "result")
        mkdirSync(work)
        if (options.sources !== undefined) cpSync(options.sources, work, { recursive: true })
        mkdirSync(result)
        yield* options.build(tool, work, result)
        if (!existsSync(place)) renameSync(result, place)
      })
    )
    say("build", options.name, `done in ${took()}`)
    return place
  })
