/**
 * Installs, starts and stops the real servers that `test/services-real` talks to, each on a free port of loopback and in a folder of
 * its own: `npm run services -- --help`.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { tmpdir, constants } from "node:os"
import { parse, usage } from "./services/arguments.ts"
import { cacheFolder } from "./services/cache.ts"
import { collector } from "./services/collector.ts"
import { compose } from "./services/compose.ts"
import { elasticsearch } from "./services/elasticsearch.ts"
import { runInForeground } from "./services/foreground.ts"
import { Guard } from "./services/Guard.ts"
import { jaeger } from "./services/jaeger.ts"
import { opensearch } from "./services/opensearch.ts"
import { installAll, startAll } from "./services/orchestrate.ts"
import { postgres } from "./services/postgres.ts"
import { prometheus } from "./services/prometheus.ts"
import { redis } from "./services/redis.ts"
import { say, timer } from "./services/report.ts"
import type { Server } from "./services/Server.ts"
import { versitygw } from "./services/versitygw.ts"

const servers: ReadonlyArray<Server> = [
  postgres,
  redis,
  jaeger,
  collector,
  elasticsearch,
  opensearch,
  versitygw,
  prometheus,
  compose
]
const known = servers.map((server) => server.name)

const inCI = process.env["CI"] === "true" || process.env["CI"] === "1"

let interruptedBy: NodeJS.Signals = "SIGTERM"

/** The addresses as a file for a shell; it holds passwords, so it is its owner's alone. */
const writeEnvironment = (folder: string, environment: Readonly<Record<string, string>>) => {
  const file = join(folder, "environment")
  const lines = Object.entries(environment).map(([name, value]) => `export ${name}='${value}'\n`)
  writeFileSync(file, lines.join(""), { mode: 0o600 })
  return file
}

/** Servers do not wait for one another's end. */
const stoppingSideBySide = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Scope.make("parallel"),
    (scope) => Scope.provide(effect, scope),
    (scope, exit) => {
      const took = timer()
      return Scope.close(scope, exit).pipe(Effect.tap(() => Effect.sync(() => say("stop", "services", took()))))
    }
  )

const program = (options: Exclude<ReturnType<typeof parse>, string>) =>
  Effect.gen(function* () {
    const took = timer()
    const chosen = servers.filter((server) => options.names.includes(server.name))
    console.log(`${chosen.length} servers; what is fetched and built stays in ${cacheFolder()}`)
    const { ready, skipped } = yield* installAll(chosen)
    if (skipped.length > 0 && inCI) {
      say("fail", "services", `${skipped.map(({ name }) => name).join(", ")} skipped, which CI=true does not allow`)
      return 1
    }
    if (options.action === "install") return 0

    const guard = yield* Guard
    // A server may run as another user, who must be able to pass through to its own folder.
    const root = yield* guard.folder(join(tmpdir(), "effect-telemetry-services-"), 0o711)
    return yield* Effect.gen(function* () {
      const environment = yield* startAll(ready, root)
      const count = `${ready.length} servers ready after ${took()}`
      if (options.action === "run") {
        say("run", options.command[0] ?? "", count)
        return yield* runInForeground(options.command, environment, () => interruptedBy)
      }
      const file = writeEnvironment(root, environment)
      console.log(`\n${count}. In another terminal:\n\n  . ${file}\n\nCtrl-C stops them.`)
      return yield* Effect.never
    }).pipe(stoppingSideBySide)
  }).pipe(Effect.scoped)

const options = parse(process.argv.slice(2), known)
if (typeof options === "string") {
  console.error(`services: ${options}\n\n${usage(known)}`)
  process.exitCode = 2
} else if (options.action === "help") {
  console.log(usage(known))
} else {
  // A reader that has gone (`| head`) is no reason to leave servers behind.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {})

  const fiber = Effect.runFork(program(options).pipe(Effect.provide(Guard.layer)))
  let signals = 0
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      signals++
      interruptedBy = signal
      // Asked twice: go at once. The watchdog ends what is left.
      if (signals > 1) process.exit(128 + constants.signals[signal])
      fiber.interruptUnsafe(fiber.id)
    })
  }
  fiber.addObserver((exit) => {
    if (Exit.isSuccess(exit)) process.exit(exit.value)
    if (Cause.hasInterruptsOnly(exit.cause)) process.exit(128 + constants.signals[interruptedBy])
    const error = Cause.squash(exit.cause)
    say("fail", "services", error instanceof Error ? error.message : String(error))
    process.exit(1)
  })
}
