/** The command as people run it: a child process, in a project of its own, with an environment that is all given. */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as TelemetryConfig from "../../src/TelemetryConfig.ts"
import { vi } from "vitest"
import type { Finding } from "../../src/cli/Finding.ts"

// Some tests run the command many times, and a machine may be busy.
vi.setConfig({ testTimeout: 120_000 })

export const root = fileURLToPath(new URL("../..", import.meta.url))
export const node = join(root, "node_modules/.bin/node")
export const program = join(root, "src/cli/main.ts")

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly cwd?: string | undefined
}

export const environment = (env: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  PATH: process.env["PATH"] ?? "",
  HOME: process.env["HOME"] ?? "",
  // Half of what a run costs is reading the same modules once more.
  NODE_COMPILE_CACHE: join(tmpdir(), "effect-telemetry-cli-compiled"),
  ...env
})

/** Runs the command to its end: as it is installed where it runs, else that of the checkout. */
export const run = (args: ReadonlyArray<string>, options: RunOptions = {}): Effect.Effect<Ran> =>
  Effect.callback<Ran>((resume) => {
    const cwd = options.cwd ?? root
    const installed = join(cwd, "node_modules/effect-telemetry/src/cli/main.ts")
    const child: ChildProcess = spawn(
      node,
      ["--conditions=source", existsSync(installed) ? installed : program, ...args],
      {
        cwd,
        env: environment(options.env),
        stdio: ["ignore", "pipe", "pipe"]
      }
    )
    let stdout = ""
    let stderr = ""
    child.stdout!.setEncoding("utf8").on("data", (text: string) => (stdout += text))
    child.stderr!.setEncoding("utf8").on("data", (text: string) => (stderr += text))
    child.on("close", (code) => resume(Effect.succeed({ code, stdout, stderr })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** What `doctor --json` says. */
export interface Report {
  readonly ok: boolean
  readonly version: string
  readonly settings: ReadonlyArray<{ readonly setting: string; readonly value: string; readonly name?: string }>
  readonly checks: ReadonlyArray<Finding>
}

/** Runs the doctor, and says what it found; the exit code is part of it. */
export const examine = (
  env: Readonly<Record<string, string>>,
  args: ReadonlyArray<string> = [],
  cwd?: string
): Effect.Effect<Report & { readonly code: number | null; readonly of: (check: string) => ReadonlyArray<Finding> }> =>
  Effect.map(run(["doctor", "--json", ...args], { env, cwd }), ({ code, stderr, stdout }) => {
    let report: Report
    try {
      report = JSON.parse(stdout) as Report
    } catch {
      throw new Error(`no JSON: ${stdout} ${stderr}`)
    }
    return { ...report, code, of: (check: string) => report.checks.filter((finding) => finding.check === check) }
  })

/** A folder that is gone with the test. */
export const folder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-telemetry-cli-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** Writes files, by path inside of a folder. */
export const write = (at: string, files: Readonly<Record<string, string>>): void => {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(at, path)), { recursive: true })
    writeFileSync(join(at, path), text)
  }
}

/** Packages of this checkout, as a project has them. */
export const link = (at: string, names: ReadonlyArray<string>): void => {
  for (const name of names) {
    mkdirSync(dirname(join(at, "node_modules", name)), { recursive: true })
    symlinkSync(join(root, "node_modules", name), join(at, "node_modules", name))
  }
}

/** An application with this package and its peers, in a folder of its own. */
export const project = (files: Readonly<Record<string, string>> = {}): Effect.Effect<string, never, Scope.Scope> =>
  Effect.map(folder, (at) => {
    link(at, ["effect", "@opentelemetry/api"])
    symlinkSync(root, join(at, "node_modules/effect-telemetry"))
    write(at, {
      "package.json": JSON.stringify({ name: "checkout", type: "module" }),
      "src/main.ts": `import { TelemetryLive } from "effect-telemetry"\nmain.pipe(Effect.provide(TelemetryLive))\n`,
      ...files
    })
    return at
  })

/** A server of any behaviour, on a port of its own; closed with the scope. */
export const serve = (
  listener: http.RequestListener
): Effect.Effect<{ readonly url: string; readonly port: number }, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<http.Server>((resume) => {
        const server = http.createServer(listener)
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.sync(() => {
          server.close()
          server.closeAllConnections()
        })
    ),
    (server) => {
      const { port } = server.address() as AddressInfo
      return { port, url: `http://127.0.0.1:${port}` }
    }
  )

/** A port on which nothing listens. */
export const unusedPort: Effect.Effect<number> = Effect.scoped(
  Effect.map(
    serve(() => {}),
    ({ port }) => port
  )
)

/** A configuration from variables alone. */
export const config = (env: Readonly<Record<string, string>> = {}): TelemetryConfig.TelemetryConfig =>
  Effect.runSync(
    TelemetryConfig.load().pipe(
      Effect.provideService(
        ConfigProvider.ConfigProvider,
        ConfigProvider.fromEnv({ env: { OTEL_ENABLED: "true", OTEL_SERVICE_NAME: "checkout", ...env } })
      )
    )
  )
