/**
 * Builds the library as it is published, into a directory of this run: what is measured is what users run, not types that are
 * stripped while a process starts.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { joinStart } from "../../scripts/build/start.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const builds = join(root, "node_modules", ".cache", "effect-telemetry-bench")

const noMaps = ["--declaration", "false", "--declarationMap", "false", "--sourceMap", "false"]

export interface Build {
  readonly directory: string
  readonly url: string
  readonly remove: () => void
}

export const build = async (): Promise<Build> => {
  removeAbandoned()
  const directory = join(builds, String(process.pid))
  mkdirSync(directory, { recursive: true })
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc")
  const { status } = spawnSync(
    process.execPath,
    [tsc, "-p", join(root, "tsconfig.build.json"), "--outDir", directory, ...noMaps],
    { cwd: root, stdio: ["ignore", 2, 2] }
  )
  if (status !== 0) console.error(`tsc ended with ${status}: what it could build is measured`)
  writeFileSync(join(directory, "package.json"), `{ "type": "module", "sideEffects": false }\n`)
  await joinStart(directory, false)
  return {
    directory,
    url: pathToFileURL(`${directory}/`).href,
    remove: () => rmSync(directory, { recursive: true, force: true })
  }
}

/** What a run that was killed has left. */
const removeAbandoned = (): void => {
  mkdirSync(builds, { recursive: true })
  for (const name of readdirSync(builds)) {
    if (!isRunning(Number(name))) rmSync(join(builds, name), { recursive: true, force: true })
  }
}

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
