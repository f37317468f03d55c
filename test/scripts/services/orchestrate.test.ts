import { afterEach, beforeEach, describe, expect, it, vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Guard } from "../../../scripts/services/Guard.ts"
import { installAll, startAll } from "../../../scripts/services/orchestrate.ts"
import { CommandFailed, ServerFailed } from "../../../scripts/services/processes.ts"
import { type Installed, type Server, type StartContext, Unavailable } from "../../../scripts/services/Server.ts"

let root = ""
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "orchestrate-test-"))
  vi.spyOn(console, "log").mockImplementation(() => {})
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(root, { recursive: true, force: true })
})

const server = (name: string, options: Partial<Server> & { readonly start?: Installed["start"] } = {}): Server => ({
  name,
  lane: options.lane ?? "other",
  after: options.after,
  install:
    options.install ??
    Effect.succeed({
      description: name,
      start:
        options.start ??
        (() => Effect.succeed({ pid: 1, url: `test:${name}`, environment: { [`TEST_${name.toUpperCase()}`]: name } }))
    })
})

const startNow = (servers: ReadonlyArray<Server>) =>
  installAll(servers).pipe(
    Effect.flatMap(({ ready }) => startAll(ready, root)),
    Effect.scoped,
    Effect.provide(Guard.layer)
  )

describe("several servers", () => {
  it.live("are skipped with the reason when they cannot be had; the others are there", () =>
    Effect.gen(function* () {
      const { ready, skipped } = yield* installAll([
        server("a"),
        server("b", { install: Effect.fail(new Unavailable({ reason: "no JDK 21 or later" })) }),
        server("c", {
          install: Effect.fail(new CommandFailed({ command: "go build", how: "exit code 1", lines: ["offline"] }))
        }),
        server("d", { lane: "go" })
      ])
      expect(ready.map((each) => each.server.name).sort()).toEqual(["a", "d"])
      expect(skipped).toEqual([
        { name: "b", reason: "no JDK 21 or later" },
        { name: "c", reason: "go build: exit code 1\n    offline" }
      ])
    }).pipe(Effect.provide(Guard.layer))
  )

  it.live("start in folders of their own, after those that they talk to, and know where those are", () =>
    Effect.gen(function* () {
      const contexts: Record<string, StartContext> = {}
      const order: Array<string> = []
      const record = (name: string, delay: number) =>
        server(name, {
          after: name === "collector" ? ["jaeger", "not asked for"] : undefined,
          start: (context) =>
            Effect.sleep(delay).pipe(
              Effect.map(() => {
                contexts[name] = context
                order.push(name)
                expect(existsSync(context.folder)).toBe(true)
                return { pid: 1, url: "", environment: { [`TEST_${name}`]: "here" } }
              })
            )
        })
      const environment = yield* startNow([record("collector", 0), record("redis", 0), record("jaeger", 100)])
      expect(environment).toEqual({ TEST_collector: "here", TEST_redis: "here", TEST_jaeger: "here" })
      expect(contexts["collector"]?.environment).toEqual({ TEST_jaeger: "here" })
      expect(contexts["redis"]?.environment).toEqual({})
      expect(order.indexOf("jaeger")).toBeLessThan(order.indexOf("collector"))
      expect(new Set(Object.values(contexts).map((context) => context.folder)).size).toBe(3)
    })
  )

  it.live("try another port when somebody took theirs, in a fresh folder", () =>
    Effect.gen(function* () {
      const folders: Array<string> = []
      const environment = yield* startNow([
        server("redis", {
          start: ({ folder }) => {
            folders.push(folder)
            return folders.length < 3
              ? Effect.fail(
                  new ServerFailed({ server: "Redis", how: "exit code 1", lines: ["bind: Address already in use"] })
                )
              : Effect.succeed({ pid: 1, url: "", environment: { TEST_REDIS_URL: "here" } })
          }
        })
      ])
      expect(environment).toEqual({ TEST_REDIS_URL: "here" })
      expect(new Set(folders).size).toBe(3)
    })
  )

  it.live("fail together, at once and for its reason, when one does not start", () =>
    Effect.gen(function* () {
      let attempts = 0
      const error = yield* Effect.flip(
        startNow([
          server("slow", { start: () => Effect.never }),
          server("broken", {
            start: () => {
              attempts++
              return Effect.fail(new ServerFailed({ server: "Broken", how: "exit code 1", lines: ["bad settings"] }))
            }
          })
        ])
      )
      expect(error.message).toBe("Broken did not start: exit code 1\n    bad settings")
      expect(attempts).toBe(1)
    })
  )
})
