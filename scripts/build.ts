/** Builds `dist` for publishing, from nothing. */
import { spawnSync } from "node:child_process"
import { rmSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { joinStart } from "./build/start.ts"

const root = fileURLToPath(new URL("..", import.meta.url))
rmSync(`${root}dist`, { recursive: true, force: true })
const { status } = spawnSync("tsc", ["-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" })
if (status === 0) await joinStart(`${root}dist`, true)
process.exitCode = status ?? 1
