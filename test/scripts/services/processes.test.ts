import { afterEach, beforeEach, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { exitCode, runInForeground } from "../../../scripts/services/foreground.ts"
import { Guard } from "../../../scripts/services/Guard.ts"
import { answers, freePort } from "../../../scripts/services/ports.ts"
import { lastLines, launch, run, which } from "../../../scripts/services/processes.ts"
import { send } from "../../../scripts/services/watchdog.ts"

let folder = ""
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "processes-test-"))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

const node = (program: string, ...args: ReadonlyArray<string>): [string, ReadonlyArray<string>] => [
  process.execPath,
  ["-e", program, ...args]
]

/** An HTTP server that answers on the port it is given. */
const server = `require("http").createServer((_, r) => r.end("ok")).listen(process.argv[1], "127.0.0.1")`

const log = () => join(folder, "server.log")

/** Waits, without a limit of its own, until something holds: the test's limit is the limit. */
const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (holds() ? Effect.void : Effect.sleep(20).pipe(Effect.andThen(until(holds)))))

const readWhenThere = (path: string) =>
  until(() => existsSync(path) && readFileSync(path, "utf8").endsWith("\n")).pipe(
    Effect.map(() => readFileSync(path, "utf8").trim())
  )

describe("run", () => {
  it.live("gives what a command printed", () =>
    Effect.gen(function* () {
      expect(yield* run(...node(`console.log("out"); console.error("err")`))).toBe("out\n")
    }).pipe(Effect.provide(Guard.layer))
  )

  it.live("fails with the command, how it ended and its last lines", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        run(
          ...node(`for (let i = 1; i <= 40; i++) console.log("line", i); console.error("boom"); process.exitCode = 3`)
        )
      )
      expect(error.message).toContain("exit code 3")
      expect(error.lines.at(-1)).toBe("boom")
      expect(error.lines).not.toContain("line 1")
    }).pipe(Effect.provide(Guard.layer))
  )

  it.live("fails when there is no such program", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(run("no-such-program", ["x"]))
      expect(error.message).toMatch(/^no-such-program x: .*ENOENT/)
    }).pipe(Effect.provide(Guard.layer))
  )

  it.live("ends the command, with what it started, when it is interrupted", () =>
    Effect.gen(function* () {
      const pids = join(folder, "pids")
      const child = `setInterval(() => {}, 1000)`
      const parent = `const c = require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(child)}]);
        require("fs").writeFileSync(process.argv[1], process.pid + " " + c.pid + "\\n"); setInterval(() => {}, 1000)`
      const fiber = yield* Effect.forkChild(run(...node(parent, pids)))
      const both = (yield* readWhenThere(pids)).split(" ").map(Number)
      yield* Fiber.interrupt(fiber)
      for (const pid of both) yield* until(() => !send(pid, 0))
    }).pipe(Effect.provide(Guard.layer))
  )
})

describe("launch", () => {
  it.live("waits until a server answers, and stops it with the scope", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const url = `http://127.0.0.1:${port}/`
      const pid = yield* Effect.scoped(
        Effect.gen(function* () {
          const { pid } = yield* launch("Web", ...node(server, String(port)), { log: log(), ready: answers(url) })
          expect(yield* answers(url)).toBe(true)
          return pid
        })
      )
      expect(send(pid, 0)).toBe(false)
    }).pipe(Effect.provide(Guard.layer))
  )

  it.live("fails with the server's own last lines when it ends before it answers", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Effect.scoped(
          launch(
            "Web",
            ...node(`console.log("reading settings"); console.error("port: not a number"); process.exit(78)`),
            {
              log: log(),
              ready: Effect.succeed(false)
            }
          )
        )
      )
      expect(error.message).toBe("Web did not start: exit code 78\n    reading settings\n    port: not a number")
      expect(error.addressInUse).toBe(false)
    }).pipe(Effect.provide(Guard.layer))
  )

  it.live("knows a taken port from other failures", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const command = node(server, String(port))
      const error = yield* Effect.gen(function* () {
        yield* launch("Web", ...command, { log: log(), ready: answers(`http://127.0.0.1:${port}/`) })
        return yield* Effect.flip(launch("Other", ...command, { log: join(folder, "2"), ready: Effect.succeed(false) }))
      }).pipe(Effect.scoped)
      expect(error.addressInUse).toBe(true)
    }).pipe(Effect.provide(Guard.layer))
  )

  it.live("fails when a server never answers, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const pidFile = join(folder, "pid")
      const error = yield* Effect.flip(
        Effect.scoped(
          launch(
            "Web",
            ...node(
              `require("fs").writeFileSync(process.argv[1], process.pid + "\\n"); console.log("thinking"); setInterval(() => {}, 1000)`,
              pidFile
            ),
            { log: log(), ready: Effect.sync(() => existsSync(pidFile)).pipe(Effect.as(false)), limitMillis: 1_500 }
          )
        )
      )
      expect(error.message).toContain("no answer within 1.5 s")
      if (existsSync(pidFile)) expect(send(Number(readFileSync(pidFile, "utf8")), 0)).toBe(false)
    }).pipe(Effect.provide(Guard.layer))
  )

  it.live("fails when there is no such program", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Effect.scoped(launch("Web", "no-such-program", [], { log: log(), ready: Effect.succeed(false) }))
      )
      expect(error.message).toMatch(/^Web did not start: .*ENOENT/)
    }).pipe(Effect.provide(Guard.layer))
  )
})

describe("the watchdog", () => {
  it.live("ends servers and removes folders when the script is killed", () =>
    Effect.gen(function* () {
      const script = join(folder, "script.ts")
      const facts = join(folder, "facts")
      const services = join(import.meta.dirname, "../../../scripts/services")
      const effect = join(import.meta.dirname, "../../../node_modules/effect/dist/Effect.js")
      writeFileSync(
        script,
        `import * as Effect from ${JSON.stringify(effect)}
import { writeFileSync } from "node:fs"
import { Guard } from ${JSON.stringify(join(services, "Guard.ts"))}
import { freePort, answers } from ${JSON.stringify(join(services, "ports.ts"))}
import { launch } from ${JSON.stringify(join(services, "processes.ts"))}
Effect.runFork(Effect.gen(function*() {
  const guard = yield* Guard
  const folder = yield* guard.folder(${JSON.stringify(join(folder, "root-"))}, 0o700)
  const port = yield* freePort
  const { pid } = yield* launch("Web", process.execPath, ["-e", ${JSON.stringify(server)}, String(port)],
    { log: folder + "/log", ready: answers("http://127.0.0.1:" + port) })
  writeFileSync(${JSON.stringify(facts)}, pid + " " + folder + "\\n")
  yield* Effect.never
}).pipe(Effect.scoped, Effect.provide(Guard.layer)))
`
      )
      const child = spawn(process.execPath, [script], { stdio: ["ignore", "inherit", "inherit"] })
      const [pid = "", root = ""] = (yield* readWhenThere(facts)).split(" ")
      expect(send(Number(pid), 0)).toBe(true)
      expect(existsSync(root)).toBe(true)
      child.kill("SIGKILL")
      yield* until(() => !send(Number(pid), 0) && !existsSync(root))
    })
  )
})

describe("the command that is run with the servers", () => {
  it.live("gets the environment, and its exit code is passed on", () =>
    Effect.gen(function* () {
      const command = node(`process.exit(process.env.TEST_REDIS_URL === "redis://here" ? 7 : 1)`)
      const code = yield* runInForeground(
        [command[0], ...command[1]],
        { TEST_REDIS_URL: "redis://here" },
        () => "SIGTERM"
      )
      expect(code).toBe(7)
    }).pipe(Effect.provide(Guard.layer))
  )

  it.live("gets the signal that the script got, and time to end", () =>
    Effect.gen(function* () {
      const file = join(folder, "said")
      const command = node(
        `const fs = require("fs"), f = process.argv[1]; setInterval(() => {}, 1000)
         process.on("SIGHUP", () => setTimeout(() => { fs.appendFileSync(f, "bye\\n"); process.exit(0) }, 50))
         fs.appendFileSync(f, "hello\\n")`,
        file
      )
      const fiber = yield* Effect.forkChild(runInForeground([command[0], ...command[1]], {}, () => "SIGHUP"))
      yield* readWhenThere(file)
      yield* Fiber.interrupt(fiber)
      expect(readFileSync(file, "utf8")).toBe("hello\nbye\n")
    }).pipe(Effect.provide(Guard.layer))
  )

  it("has the shell's exit code when a signal ended it", () => {
    expect(exitCode(0, null)).toBe(0)
    expect(exitCode(null, "SIGKILL")).toBe(137)
    expect(exitCode(null, "SIGINT")).toBe(130)
  })
})

describe("small things", () => {
  it.live("never hands out a port twice", () =>
    Effect.gen(function* () {
      const ports = yield* Effect.all(
        Array.from({ length: 20 }, () => freePort),
        { concurrency: "unbounded" }
      )
      expect(new Set(ports).size).toBe(20)
    })
  )

  it("quotes the last lines that say something", () => {
    expect(lastLines("a\n\n  \r\nb\r\n")).toEqual(["a", "b"])
    expect(lastLines("")).toEqual([])
  })

  it("finds programs in PATH, and only programs", () => {
    expect(which("sh")).toMatch(/\/sh$/)
    expect(which("no-such-program")).toBeUndefined()
  })
})
