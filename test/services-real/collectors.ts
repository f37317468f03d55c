/** The Collector, run with the configurations of `deploy/` until the scope closes. */
import { spawn, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer, type AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"

/** A file of `deploy/`. */
export const configuration = (name: string): string => fileURLToPath(new URL(`../../deploy/${name}`, import.meta.url))

export const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** A folder that goes with the scope. */
export const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "collector-test-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** What the Collector says of configurations without running them; empty where it has nothing against them. */
export const validate = (
  binary: string,
  configurations: ReadonlyArray<string>,
  environment: Readonly<Record<string, string>>
): string => {
  const { status, stderr } = spawnSync(
    binary,
    ["validate", ...configurations.flatMap((name) => ["--config", configuration(name)])],
    { env: { ...process.env, ...environment }, encoding: "utf8" }
  )
  return status === 0 ? "" : stderr
}

/**
 * Runs it with configurations, each laid over those before it, in an environment; ready once its health check says so. Its queue is in
 * a folder of its own unless the environment names one.
 */
export const collector = (
  binary: string,
  configurations: ReadonlyArray<string>,
  environment: Readonly<Record<string, string>>
) =>
  Effect.gen(function* () {
    const [health, directory] = [yield* freePort, yield* folder]
    const env = {
      HEALTH_ENDPOINT: `127.0.0.1:${health}`,
      QUEUE_DIRECTORY: join(directory, "queue"),
      ...environment
    }
    assert.strictEqual(validate(binary, configurations, env), "")
    let said = ""
    const running = spawn(
      binary,
      configurations.flatMap((name) => ["--config", configuration(name)]),
      {
        env: { ...process.env, ...env },
        stdio: ["ignore", "ignore", "pipe"]
      }
    )
    running.stderr.on("data", (data) => (said += String(data)))
    const ended = new Promise<void>((resolve) => running.on("exit", () => resolve()))
    /** Ends it with a signal, and waits until it has. */
    const end = (signal: NodeJS.Signals) =>
      Effect.promise(() => {
        running.kill(signal)
        return ended
      })
    yield* Effect.addFinalizer(() => end("SIGTERM"))
    for (let i = 0; ; i++) {
      const healthy = yield* Effect.tryPromise(() => fetch(`http://127.0.0.1:${health}/`)).pipe(
        Effect.map((response) => response.ok),
        Effect.orElseSucceed(() => false)
      )
      if (healthy) return { end, pid: running.pid! }
      if (i > 200) return yield* Effect.die(new Error(`the Collector does not become ready:\n${said.slice(-2000)}`))
      yield* Effect.sleep("50 millis")
    }
  })

/** Waits until something holds, for some seconds. */
export const until = (what: string, holds: () => boolean): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let i = 0; i < 300; i++) {
      if (holds()) return
      yield* Effect.sleep("100 millis")
    }
    return yield* Effect.die(new Error(`it does not come to that: ${what}`))
  })
