import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { SourceMap } from "node:module"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { joinStart } from "../../../scripts/build/start.ts"

const root = resolve(import.meta.dirname, "../../..")
// Inside of the package, so that what is built finds the packages that it imports.
const built = join(root, "node_modules", ".cache", `effect-telemetry-build-${process.pid}`)

const url = (module: string): string => pathToFileURL(join(built, `${module}.js`)).href

/** What a program that is given the built library prints. */
const output = (program: string, environment: Readonly<Record<string, string>> = {}): string => {
  const { status, stderr, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    cwd: root,
    encoding: "utf8",
    env: { PATH: process.env["PATH"], ...environment }
  })
  assert.strictEqual(status, 0, stderr)
  return stdout
}

describe("the build", { timeout: 120_000 }, () => {
  beforeAll(async () => {
    mkdirSync(built, { recursive: true })
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc")
    const args = ["-p", "tsconfig.build.json", "--outDir", built, "--declarationMap", "false"]
    const { status, stdout } = spawnSync(process.execPath, [tsc, ...args], { cwd: root, encoding: "utf8" })
    assert.strictEqual(status, 0, stdout)
    writeFileSync(join(built, "package.json"), `{ "type": "module" }`)
    await joinStart(built, true)
  }, 120_000)
  afterAll(() => rmSync(built, { recursive: true, force: true }))

  it("starts from two files of ours", () => {
    const loaded = output(`
      import { registerHooks } from "node:module"
      const loaded = []
      registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context) } })
      await import(${JSON.stringify(url("Telemetry"))})
      console.log(JSON.stringify(loaded.filter((url) => url.startsWith(${JSON.stringify(pathToFileURL(built).href)}))))
    `)
    assert.deepStrictEqual(JSON.parse(loaded), [url("Telemetry"), url("internal/start")])
  })

  it("has every module under its own name, with everything that it exports, and one copy of it", () => {
    const joined = readdirSync(built, { recursive: true, encoding: "utf8" })
      .filter(
        (file) => file.endsWith(".js") && /^export \{.*start\.js"\n$/.test(readFileSync(join(built, file), "utf8"))
      )
      .map((file) => file.replaceAll("\\", "/").replace(/\.js$/, ""))
    assert.includeMembers(joined, ["Telemetry", "TelemetryConfig", "tracer/Span", "export/Spool", "internal/version"])
    // By Node.js itself, not by the loader of the tests.
    const found = output(`
      const start = new Set(Object.values(await import(${JSON.stringify(url("internal/start"))})))
      const modules = ${JSON.stringify(joined.map((module) => [module, url(module), pathToFileURL(join(root, "src", `${module}.ts`)).href]))}
      const found = []
      for (const [module, own, source] of modules) {
        const built = await import(own)
        const names = Object.keys(await import(source))
        found.push([module, Object.keys(built), names, names.filter((name) => !start.has(built[name]))])
      }
      const { Telemetry } = await import(${JSON.stringify(url("index"))})
      console.log(JSON.stringify({ found, same: Telemetry === await import(${JSON.stringify(url("Telemetry"))}) }))
    `)
    const { found: modules, same } = JSON.parse(found) as {
      readonly found: ReadonlyArray<
        readonly [string, ReadonlyArray<string>, ReadonlyArray<string>, ReadonlyArray<string>]
      >
      readonly same: boolean
    }
    assert.isTrue(same)
    assert.strictEqual(modules.length, joined.length)
    for (const [module, names, sources, others] of modules) {
      assert.deepStrictEqual([names, others], [sources, []], module)
      assert.isTrue(existsSync(join(built, `${module}.d.ts`)), module)
      assert.isFalse(existsSync(join(built, `${module}.js.map`)), module)
    }
  })

  it("leads from a line of the one file to its line in the sources", () => {
    const file = join(built, "internal", "start.js")
    const lines = readFileSync(file, "utf8").split("\n")
    const map = new SourceMap(JSON.parse(readFileSync(`${file}.map`, "utf8")))
    assert.include(lines.at(-1) || lines.at(-2), "sourceMappingURL=start.js.map")
    const line = lines.findIndex((text) => text.includes("OpenTelemetry tracing enabled: service"))
    const entry = map.findEntry(line, lines[line]!.indexOf("`"))
    assert.isTrue("originalSource" in entry)
    const source = resolve(join(built, "internal"), (entry as { originalSource: string }).originalSource)
    assert.strictEqual(source, join(root, "src", "TelemetryConfig.ts"))
    const original = readFileSync(source, "utf8").split("\n")[(entry as { originalLine: number }).originalLine]
    assert.include(original, "OpenTelemetry tracing enabled: service")
  })

  it("traces", () => {
    const printed = output(
      `
      import * as Effect from "effect/Effect"
      import { withSpan } from ${JSON.stringify(url("tracer/withSpan"))}
      import { TelemetryLive } from ${JSON.stringify(url("index"))}
      const program = Effect.void.pipe(withSpan("inner"), Effect.withSpan("outer"))
      await Effect.runPromise(Effect.provide(program, TelemetryLive))
    `,
      { OTEL_ENABLED: "true", OTEL_TRACES_EXPORTER: "console", OTEL_SERVICE_NAME: "built" }
    )
    assert.match(printed, /tracing enabled: service built, exporter console/)
    assert.match(printed, /outer[\s\S]*inner/)
  })
})
