/**
 * PostgreSQL from Debian's package, or any of 15 or later that is here.
 */
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"
import { chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { aptInstall } from "./apt.ts"
import { freePort } from "./ports.ts"
import { launch, run, which } from "./processes.ts"
import { type Server, Unavailable } from "./Server.ts"

const oldest = 15
const database = "telemetry"
const role = "telemetry"

/** Debian keeps the programs of each version in a folder of its own, outside PATH. */
const folders = (): ReadonlyArray<string> => {
  const debian = "/usr/lib/postgresql"
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  const inPath = which("initdb")
  return [
    ...versions.map((version) => join(debian, version, "bin")),
    ...(inPath === undefined ? [] : [dirname(inPath)])
  ]
}

const programs = () =>
  folders().find((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres")))

/** The server refuses to run as root: as root it runs as the user that the package made. */
const user = Effect.gen(function* () {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string) =>
    run("id", [flag, "postgres"]).pipe(
      Effect.map((text) => Number(text.trim())),
      Effect.mapError(() => new Unavailable({ reason: "it does not run as root, and there is no user named postgres" }))
    )
  return { uid: yield* id("-u"), gid: yield* id("-g") }
})

export const postgres: Server = {
  name: "postgres",
  lane: "other",
  install: Effect.gen(function* () {
    if (programs() === undefined) yield* aptInstall("postgresql", "PostgreSQL")
    const bin = programs()
    if (bin === undefined) return yield* new Unavailable({ reason: "initdb and postgres are nowhere to be found" })
    const version = (yield* run(join(bin, "postgres"), ["--version"])).trim()
    const major = Number(/(\d+)/.exec(version)?.[1])
    if (major < oldest) return yield* new Unavailable({ reason: `${version} in ${bin}; ${oldest} or later is needed` })
    const as = yield* user

    return {
      description: version.replace("postgres (PostgreSQL)", "PostgreSQL"),
      start: ({ folder }) =>
        Effect.gen(function* () {
          const port = yield* freePort
          const password = randomBytes(12).toString("hex")
          const data = join(folder, "data")
          const passwordFile = join(folder, "password")
          mkdirSync(data, { mode: 0o700 })
          writeFileSync(passwordFile, password, { mode: 0o600 })
          for (const path of as === undefined ? [] : [folder, data, passwordFile]) chownSync(path, as!.uid, as!.gid)

          const options = { cwd: folder, user: as }
          yield* run(
            join(bin, "initdb"),
            [
              `--pgdata=${data}`,
              `--username=${role}`,
              `--pwfile=${passwordFile}`,
              "--auth=scram-sha-256",
              "--encoding=UTF8",
              "--locale=C",
              "--no-sync"
            ],
            options
          )
          const settings = [
            `port=${port}`,
            "listen_addresses=127.0.0.1",
            `unix_socket_directories=${folder}`,
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "max_connections=200"
          ]
          const { pid } = yield* launch(
            "PostgreSQL",
            join(bin, "postgres"),
            ["-D", data, ...settings.flatMap((setting) => ["-c", setting])],
            {
              ...options,
              log: join(folder, "postgres.log"),
              // SIGINT asks for a fast shutdown: open connections are ended.
              signal: "SIGINT",
              ready: run(join(bin, "pg_isready"), ["-h", "127.0.0.1", "-p", String(port), "-t", "2"]).pipe(
                Effect.as(true)
              )
            }
          )
          yield* run(join(bin, "createdb"), ["-h", "127.0.0.1", "-p", String(port), "-U", role, database], {
            env: { PGPASSWORD: password }
          })
          return {
            pid,
            url: `postgres://127.0.0.1:${port}/${database}`,
            environment: { TEST_DATABASE_URL: `postgres://${role}:${password}@127.0.0.1:${port}/${database}` }
          }
        })
    }
  })
}
