/**
 * Programs from the Go module proxy. Modules, objects and binaries stay in the cache folder.
 */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { built, cacheFolder } from "./cache.ts"
import type { Guard } from "./Guard.ts"
import { type CommandFailed, run, which } from "./processes.ts"
import { Unavailable } from "./Server.ts"

/** From 1.21 on, Go itself fetches the newer one that a module asks for. */
const oldestMinor = 21

const environment = (): Readonly<Record<string, string>> => ({
  GOMODCACHE: join(cacheFolder(), "go", "mod"),
  GOCACHE: join(cacheFolder(), "go", "build"),
  GOWORK: "off",
  CGO_ENABLED: "0"
})

const flags = ["-modcacherw", "-buildvcs=false", "-trimpath", "-ldflags=-s -w"]

const go = Effect.gen(function* () {
  const program = which("go")
  if (program === undefined) return yield* new Unavailable({ reason: `Go 1.${oldestMinor} or later is not installed` })
  const version = (yield* run(program, ["env", "GOVERSION"])).trim()
  const minor = /^go1\.(\d+)/.exec(version)?.[1]
  if (minor !== undefined && Number(minor) < oldestMinor) {
    return yield* new Unavailable({ reason: `${program} is ${version}; 1.${oldestMinor} or later is needed` })
  }
  return program
})

const tagsOf = ({ tags }: { readonly tags?: ReadonlyArray<string> | undefined }): ReadonlyArray<string> =>
  tags === undefined ? [] : [`-tags=${tags.join(",")}`]

/** Builds a program out of a module that lies beside this file; the path of the binary. */
export const goBuild = (options: {
  readonly name: string
  readonly notice: string
  readonly module: string
  readonly target: string
  /** Build tags. */
  readonly tags?: ReadonlyArray<string> | undefined
}): Effect.Effect<string, Unavailable | CommandFailed, Guard> =>
  built({
    name: options.name,
    notice: options.notice,
    sources: options.module,
    key: [options.target, ...flags, ...tagsOf(options)],
    tool: go,
    build: (program, work, result) =>
      run(
        program,
        ["build", "-mod=readonly", ...flags, ...tagsOf(options), "-o", join(result, options.name), options.target],
        { cwd: work, env: environment(), background: true }
      ).pipe(Effect.asVoid)
  }).pipe(Effect.map((folder) => join(folder, options.name)))

/** Builds a program out of a published module at a version; the path of the binary. */
export const goInstall = (options: {
  readonly name: string
  readonly notice: string
  readonly program: string
}): Effect.Effect<string, Unavailable | CommandFailed, Guard> =>
  built({
    name: options.name,
    notice: options.notice,
    key: [options.program, ...flags],
    tool: go,
    build: (program, work, result) =>
      run(program, ["install", ...flags, options.program], {
        cwd: work,
        env: { ...environment(), GOBIN: result },
        background: true
      }).pipe(Effect.asVoid)
  }).pipe(Effect.map((folder) => join(folder, options.name)))
