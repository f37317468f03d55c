/**
 * Redis from Debian's package, or any that is here. It keeps nothing on disk.
 */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { aptInstall } from "./apt.ts"
import { freePort, replies } from "./ports.ts"
import { launch, run, which } from "./processes.ts"
import { type Server, Unavailable } from "./Server.ts"

export const redis: Server = {
  name: "redis",
  lane: "other",
  install: Effect.gen(function* () {
    if (which("redis-server") === undefined) yield* aptInstall("redis-server", "Redis")
    const program = which("redis-server")
    if (program === undefined) return yield* new Unavailable({ reason: "redis-server is not in PATH" })
    const version = /v=(\S+)/.exec(yield* run(program, ["--version"]))?.[1] ?? "of an unknown version"

    return {
      description: `Redis ${version}`,
      start: ({ folder }) =>
        Effect.gen(function* () {
          const port = yield* freePort
          const settings = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
          const { pid } = yield* launch("Redis", program, [...settings, "--dir", folder], {
            cwd: folder,
            log: join(folder, "redis.log"),
            ready: replies(port, "PING", "+PONG")
          })
          const url = `redis://127.0.0.1:${port}`
          return { pid, url, environment: { TEST_REDIS_URL: url } }
        })
    }
  })
}
