import { describe, expect, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const script = join(import.meta.dirname, "../../scripts/services.ts")

const services = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) => {
  const result = spawnSync(process.execPath, [script, ...args], { encoding: "utf8", env: { ...process.env, ...env } })
  return { code: result.status, output: result.stdout + result.stderr }
}

/** Nothing in the cache and nothing in PATH: no server that is built from source can be had. */
const bare = (env: Readonly<Record<string, string>>) => {
  const folder = mkdtempSync(join(tmpdir(), "services-test-"))
  try {
    return services(["install", "collector"], { PATH: folder, XDG_CACHE_HOME: folder, ...env })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe("npm run services", () => {
  it("explains itself", () => {
    const { code, output } = services(["--help"])
    expect(code).toBe(0)
    for (const name of [
      "postgres",
      "redis",
      "jaeger",
      "collector",
      "elasticsearch",
      "opensearch",
      "versitygw",
      "prometheus",
      "compose"
    ]) {
      expect(output).toContain(name)
    }
  })

  it("names a word that it does not know and leaves with 2", () => {
    const { code, output } = services(["run", "mysql", "--", "true"])
    expect(code).toBe(2)
    expect(output).toContain('"mysql" is neither an action (start, install, run) nor a server (postgres, ')
  })

  it("skips what cannot be had, with the reason", () => {
    const { code, output } = bare({ CI: "" })
    expect(output).toMatch(/skip +collector +Go 1\.21 or later is not installed/)
    expect(code).toBe(0)
  })

  it("takes a skip for a failure in CI", () => {
    const { code, output } = bare({ CI: "true" })
    expect(output).toContain("collector skipped, which CI=true does not allow")
    expect(code).toBe(1)
  })
})
