/**
 * Debian's packages, where the script may install them: as root, where there is apt.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { rmSync, writeFileSync } from "node:fs"
import type { Guard } from "./Guard.ts"
import { type CommandFailed, run, which } from "./processes.ts"
import { say, timer } from "./report.ts"
import { Unavailable } from "./Server.ts"

/** dpkg has one lock for the whole machine. */
const turn = Semaphore.makeUnsafe(1)

const policy = "/usr/sbin/policy-rc.d"

/** A server's package starts it right away on its usual port, unless this file says no. */
const withoutStarting = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      try {
        writeFileSync(policy, "#!/bin/sh\nexit 101\n", { flag: "wx", mode: 0o755 })
        return true
      } catch {
        // The machine has a policy of its own.
        return false
      }
    }),
    () => effect,
    (ours) => Effect.sync(() => ours && rmSync(policy, { force: true }))
  )

const apt = (args: ReadonlyArray<string>) =>
  run("apt-get", ["-o", "DPkg::Lock::Timeout=120", ...args], { env: { DEBIAN_FRONTEND: "noninteractive" } })

/** Installs a package for `program`, or says why it cannot. */
export const aptInstall = (name: string, program: string): Effect.Effect<void, Unavailable | CommandFailed, Guard> =>
  Effect.gen(function* () {
    const advice = `${program} is not installed; install it (Debian's package is ${name})`
    if (which("apt-get") === undefined) return yield* new Unavailable({ reason: advice })
    if (process.getuid?.() !== 0) return yield* new Unavailable({ reason: `${advice}, which needs root` })
    const took = timer()
    say("build", name, "installing Debian's package")
    const install = apt(["install", "--yes", "--no-install-recommends", name])
    // On a fresh machine the lists of packages are empty or old: then they are fetched first.
    yield* withoutStarting(
      install.pipe(Effect.catchTag("CommandFailed", () => apt(["update"]).pipe(Effect.andThen(install))))
    )
    say("build", name, `done in ${took()}`)
  }).pipe(turn.withPermit)
