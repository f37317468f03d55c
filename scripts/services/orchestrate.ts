/**
 * Several servers at once: installed lane by lane, started side by side, each after those that it talks to.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import type { Scope } from "effect/Scope"
import type { Guard } from "./Guard.ts"
import type { CommandFailed, ServerFailed } from "./processes.ts"
import { say, timer } from "./report.ts"
import type { Installed, Running, Server } from "./Server.ts"

export interface Skipped {
  readonly name: string
  readonly reason: string
}

export interface Ready {
  readonly server: Server
  readonly installed: Installed
}

/** Installs what can be had. */
export const installAll = (
  servers: ReadonlyArray<Server>
): Effect.Effect<{ readonly ready: ReadonlyArray<Ready>; readonly skipped: ReadonlyArray<Skipped> }, never, Guard> => {
  const ready: Array<Ready> = []
  const skipped: Array<Skipped> = []
  const install = (server: Server) =>
    Effect.suspend(() => {
      const took = timer()
      return server.install.pipe(
        Effect.match({
          onSuccess: (installed) => {
            ready.push({ server, installed })
            say("install", server.name, `${installed.description} (${took()})`)
          },
          onFailure: (error) => {
            skipped.push({ name: server.name, reason: error.message })
            say("skip", server.name, error.message)
          }
        })
      )
    })
  const lanes = [...new Set(servers.map((server) => server.lane))]
  return Effect.forEach(
    lanes,
    (lane) =>
      Effect.forEach(
        servers.filter((server) => server.lane === lane),
        install,
        { discard: true }
      ),
    { concurrency: "unbounded", discard: true }
  ).pipe(Effect.as({ ready, skipped }))
}

/** Starts all, each in a folder of its own in `root`; the environment that leads to them. They stop with the scope. */
export const startAll = (
  servers: ReadonlyArray<Ready>,
  root: string
): Effect.Effect<Readonly<Record<string, string>>, CommandFailed | ServerFailed, Guard | Scope> =>
  Effect.gen(function* () {
    const started = new Map<string, Deferred.Deferred<Running>>()
    for (const { server } of servers) started.set(server.name, yield* Deferred.make<Running>())
    const all: Record<string, string> = {}

    const start = ({ installed, server }: Ready) =>
      Effect.gen(function* () {
        const environment: Record<string, string> = {}
        for (const name of server.after ?? []) {
          const other = started.get(name)
          if (other !== undefined) Object.assign(environment, (yield* Deferred.await(other)).environment)
        }
        const took = timer()
        let attempt = 0
        const running = yield* Effect.suspend(() => {
          const folder = join(root, attempt === 0 ? server.name : `${server.name}-${attempt}`)
          attempt++
          mkdirSync(folder, { recursive: true })
          return installed.start({ folder, environment })
        }).pipe(Effect.retry({ times: 2, while: (error) => error._tag === "ServerFailed" && error.addressInUse }))
        Object.assign(all, running.environment)
        const process = running.pid === undefined ? "no server" : `process ${running.pid}`
        say("start", server.name, `${running.url} (${process}, ${took()})`)
        const own = started.get(server.name)
        if (own !== undefined) yield* Deferred.succeed(own, running)
      })
    yield* Effect.forEach(servers, start, { concurrency: "unbounded", discard: true })
    return all
  })
