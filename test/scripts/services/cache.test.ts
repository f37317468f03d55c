import { afterEach, beforeEach, describe, expect, it, vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { homedir, tmpdir } from "node:os"
import { join } from "node:path"
import { built, buildKey, cacheFolder } from "../../../scripts/services/cache.ts"
import { Guard } from "../../../scripts/services/Guard.ts"

let base = ""
let before: string | undefined

beforeEach(() => {
  before = process.env["XDG_CACHE_HOME"]
  base = mkdtempSync(join(tmpdir(), "cache-test-"))
  vi.spyOn(console, "log").mockImplementation(() => {})
  process.env["XDG_CACHE_HOME"] = base
})

afterEach(() => {
  vi.restoreAllMocks()
  if (before === undefined) delete process.env["XDG_CACHE_HOME"]
  else process.env["XDG_CACHE_HOME"] = before
  rmSync(base, { recursive: true, force: true })
})

const sources = (content: string) => {
  const folder = join(base, "sources")
  mkdirSync(join(folder, "deep"), { recursive: true })
  writeFileSync(join(folder, "deep", "main.go"), content)
  return folder
}

describe("the cache of built servers", () => {
  it("lies where the user's caches lie, outside the checkout", () => {
    expect(cacheFolder({ XDG_CACHE_HOME: "/var/caches" })).toBe("/var/caches/effect-telemetry")
    expect(cacheFolder({})).toBe(join(homedir(), ".cache", "effect-telemetry"))
    // The specification of base directories: a relative path is to be ignored.
    expect(cacheFolder({ XDG_CACHE_HOME: "caches" })).toBe(join(homedir(), ".cache", "effect-telemetry"))
  })

  it("has a key that changes with the sources and with what is built from them", () => {
    const one = buildKey(sources("one"), ["v1"])
    expect(buildKey(sources("one"), ["v1"])).toBe(one)
    expect(buildKey(sources("two"), ["v1"])).not.toBe(one)
    expect(buildKey(sources("one"), ["v2"])).not.toBe(one)
    expect(buildKey(undefined, ["a", "b"])).not.toBe(buildKey(undefined, ["ab"]))
  })

  it.live("builds once, from a copy of the sources, and again when they changed", () =>
    Effect.gen(function* () {
      let builds = 0
      const build = (content: string) =>
        built({
          name: "thing",
          notice: "a thing",
          sources: sources(content),
          key: [],
          tool: Effect.succeed("hammer"),
          build: (tool, work, result) =>
            Effect.sync(() => {
              builds++
              const text = readFileSync(join(work, "deep", "main.go"), "utf8")
              writeFileSync(join(result, "binary"), `${tool}:${text}`)
              writeFileSync(join(work, "left over"), "")
            })
        })
      const first = yield* build("one")
      expect(readFileSync(join(first, "binary"), "utf8")).toBe("hammer:one")
      expect(yield* build("one")).toBe(first)
      expect(builds).toBe(1)
      const second = yield* build("two")
      expect(second).not.toBe(first)
      expect(readFileSync(join(second, "binary"), "utf8")).toBe("hammer:two")
      expect(readdirSync(join(cacheFolder(), "servers")).length).toBe(2)
      expect(existsSync(join(base, "sources", "left over"))).toBe(false)
    }).pipe(Effect.provide(Guard.layer))
  )

  it.live("keeps nothing of a build that failed", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.result(
        built({
          name: "thing",
          notice: "a thing",
          key: [],
          tool: Effect.void,
          build: (_, _work, result) =>
            Effect.sync(() => writeFileSync(join(result, "half"), "")).pipe(Effect.andThen(Effect.fail("no compiler")))
        })
      )
      expect(exit).toMatchObject({ failure: "no compiler" })
      expect(readdirSync(join(cacheFolder(), "servers"))).toEqual([])
    }).pipe(Effect.provide(Guard.layer))
  )
})
