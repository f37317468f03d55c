import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { version } from "../../src/internal/version.ts"
import { environment, node, program, root } from "./support.ts"

const scratch = mkdtempSync(join(tmpdir(), "effect-telemetry-main-"))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

/** A file that runs before the program. */
const preload = (name: string, code: string): string => {
  const file = join(scratch, `${name}.mjs`)
  writeFileSync(file, code)
  return pathToFileURL(file).href
}

const olderVersion = (value: string): string =>
  `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${value}" } })\n`

/** What has come since Node.js 20, as far as it can be taken away. */
const node20 = preload(
  "node20",
  `${olderVersion("20.20.2")}
  delete Map.groupBy
  delete Object.groupBy
  delete Promise.try
  delete Promise.withResolvers
  delete Array.fromAsync
  delete globalThis.Iterator
  delete RegExp.escape
  delete Error.isError
  for (const name of ["union", "intersection", "difference", "isSubsetOf"]) delete Set.prototype[name]`
)

/** A Node.js whose own modules lack something that ours import. */
const unable = (value: string): string =>
  preload(
    `unable-${value}`,
    `${olderVersion(value)}
    import { registerHooks } from "node:module"
    registerHooks({
      load: (url, context, next) => {
        if (url.endsWith("/cli/program.ts")) throw new SyntaxError("The requested module 'node:zlib' does not provide an export named 'crc32'")
        return next(url, context)
      }
    })`
  )

const run = (before: string, ...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync(node, ["--conditions=source", "--import", before, ...args], {
    cwd: root,
    encoding: "utf8",
    env: environment()
  })
  assert.notInclude(stderr, "    at ")
  return { status, stderr, stdout }
}

describe("an old Node.js", () => {
  it("is what the doctor finds, among all the others, where it can be loaded", () => {
    const { status, stderr, stdout } = run(node20, program, "doctor")
    assert.deepStrictEqual([status, stderr], [1, ""])
    assert.include(
      stdout,
      "failed   node: Node.js 20.20.2 is too old → run the application on Node.js 22.19.0 or later\n"
    )
    assert.match(stdout, /^failed {3}enabled: tracing is off/m)
  })

  it("is all that the doctor finds where it cannot", () => {
    const { status, stderr, stdout } = run(unable("20.10.0"), program, "doctor")
    assert.deepStrictEqual(
      [status, stdout, stderr],
      [1, "failed   node: Node.js 20.10.0 is too old → run the application on Node.js 22.19.0 or later\n", ""]
    )
  })

  it("and JSON for machines", () => {
    const { status, stdout } = run(unable("18.20.8"), program, "doctor", "--json")
    assert.strictEqual(status, 1)
    assert.deepStrictEqual(JSON.parse(stdout), {
      ok: false,
      version,
      node: "18.20.8",
      settings: [],
      checks: [
        {
          check: "node",
          status: "failed",
          found: "Node.js 18.20.8 is too old",
          todo: "run the application on Node.js 22.19.0 or later"
        }
      ]
    })
  })

  it("is what the other commands say, where they cannot be loaded", () => {
    assert.deepStrictEqual(run(unable("20.10.0"), program, "config"), {
      status: 1,
      stdout: "",
      stderr: "effect-telemetry: Node.js 22.19.0 or later is needed, and this is 20.10.0\n"
    })
  })

  it("does not hide another reason", () => {
    const { status, stderr } = run(unable("24.21.0"), program, "doctor")
    assert.strictEqual(status, 1)
    assert.match(stderr, /^effect-telemetry: the command cannot be loaded: .*crc32/)
  })

  it("can import the library, as far as it loads", () => {
    const { status, stderr } = run(
      node20,
      "--input-type=module",
      "-e",
      `const { Catalogue } = await import("effect-telemetry"); process.exit(Catalogue.spans.length > 20 ? 0 : 2)`
    )
    assert.deepStrictEqual([status, stderr], [0, ""])
  })
})
