import { spawn } from "node:child_process"
import { cpSync, mkdirSync, writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { version } from "../../src/internal/version.ts"
import { environment, folder, node, program, root, run, unusedPort } from "./support.ts"

describe("the command", () => {
  it.effect("--version and --help", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* run(["--version"]), {
        code: 0,
        stdout: `effect-telemetry v${version}\n`,
        stderr: ""
      })
      for (const args of [["--help"], []]) {
        const { code, stderr, stdout } = yield* run(args)
        assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
        for (const word of ["doctor", "config", "send", "spool"]) assert.match(stdout, new RegExp(`^ {2}${word} `, "m"))
      }
      const { code, stdout } = yield* run(["doctor", "--help"])
      assert.strictEqual(code, 0)
      for (const flag of ["--tempo", "--jaeger", "--wait", "--json", "--dotenv"]) assert.include(stdout, flag)
    })
  )

  it.effect(
    "an unknown command, an unknown flag, a value that is none: what is wrong, where help is, exit code 2",
    () =>
      Effect.gen(function* () {
        const cases = [
          [["docter"], "docter", "effect-telemetry --help"],
          [["doctor", "--jsn"], "--jsn", "effect-telemetry doctor --help"],
          [["doctor", "--wait", "long"], "--wait", "effect-telemetry doctor --help"],
          [["doctor", "--wait", "-1"], "a number, 0 or more", "effect-telemetry doctor --help"],
          [["spool", "drain"], "drain", "effect-telemetry spool --help"]
        ] as const
        for (const [args, word, help] of cases) {
          const { code, stderr, stdout } = yield* run(args)
          assert.deepStrictEqual({ code, stdout }, { code: 2, stdout: "" }, args.join(" "))
          assert.include(stderr, word)
          assert.include(stderr, `See: ${help}`)
          assert.notInclude(stderr, "    at ")
        }
      })
  )

  it.effect("a reader that goes away ends the output, not the work, and the exit code stays the true one", () =>
    Effect.gen(function* () {
      const port = yield* unusedPort
      const ended = yield* Effect.callback<{ readonly code: number | null; readonly stderr: string }>((resume) => {
        const env = environment({ OTEL_ENABLED: "true", OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` })
        const child = spawn(node, ["--conditions=source", program, "doctor"], {
          cwd: root,
          env,
          stdio: ["ignore", "pipe", "pipe"]
        })
        let stderr = ""
        child.stderr.on("data", (text) => (stderr += text))
        // Closed before anything is written: every write fails.
        child.stdout.destroy()
        child.on("close", (code) => resume(Effect.succeed({ code, stderr })))
      })
      assert.deepStrictEqual(ended, { code: 1, stderr: "" })
    })
  )

  it.effect("a package that is missing is named, and how to get it", () =>
    Effect.gen(function* () {
      const at = yield* folder
      mkdirSync(`${at}/src`)
      for (const part of ["cli", "export", "internal", "tracer", "propagation"]) {
        cpSync(`${root}src/${part}`, `${at}/src/${part}`, { recursive: true })
      }
      writeFileSync(`${at}/package.json`, JSON.stringify({ name: "alone", type: "module" }))
      const { code, stderr } = yield* Effect.callback<{ readonly code: number | null; readonly stderr: string }>(
        (resume) => {
          const child = spawn(node, [`${at}/src/cli/main.ts`, "doctor"], {
            env: environment(),
            stdio: ["ignore", "ignore", "pipe"]
          })
          let text = ""
          child.stderr.on("data", (chunk) => (text += chunk))
          child.on("close", (exit) => resume(Effect.succeed({ code: exit, stderr: text })))
        }
      )
      assert.strictEqual(code, 1)
      assert.match(
        stderr,
        /^effect-telemetry: this command needs the package "([^"]+)", which is not installed: npm install \1\n$/
      )
    }).pipe(Effect.scoped)
  )
})
