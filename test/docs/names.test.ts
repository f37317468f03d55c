/** What pages name is there: variables of the environment, functions of modules, files of the repository, YAML that can be read. */
import { globSync, readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { parseAllDocuments } from "yaml"
import * as root from "../../src/index.ts"
import * as TelemetryConfig from "../../src/TelemetryConfig.ts"
import { blocksOf } from "./blocks.ts"
import { root as repository } from "./snippets.ts"

const pages = [...globSync("*.md", { cwd: repository }), ...globSync("docs/**/*.md", { cwd: repository })]
  // Those are made of the doc comments.
  .filter((page) => !page.startsWith("docs/reference/"))
  .sort()

const textOf = (page: string): string => readFileSync(repository + page, "utf8")
const variables = new Set(TelemetryConfig.table.flatMap((row) => row.variables))

/** Read by others: Effect's exporters of logs and metrics, as the reference backend installs them. */
const ofOthers = new Set(["OTEL_LOGS_EXPORTER", "OTEL_METRICS_EXPORTER"])

const namespaces: Readonly<Record<string, unknown>> = root

describe("what pages name", () => {
  it.each(pages)("%s: variables are settings", (page) => {
    const named = new Set(textOf(page).match(/\bOTEL_[A-Z0-9_]*[A-Z0-9]\b/g) ?? [])
    assert.deepStrictEqual(
      [...named].filter((name) => !variables.has(name) && !ofOthers.has(name)),
      []
    )
  })

  it.each(pages)("%s: members of modules are exported", async (page) => {
    const prose = textOf(page).replace(/```[\s\S]*?```/g, "")
    const missing: Array<string> = []
    for (const [, module = "", member = ""] of prose.matchAll(/`([A-Z]\w+)\.([a-z]\w*)/g)) {
      const own = /(Live|Embedded|SearchOpenSearch)$/.test(module) && !(module in namespaces)
      const exported = own ? await entry(module) : namespaces[module]
      // A service's own method, as in `Telemetry.flush`, is a function of its module too. Others are not ours.
      if (typeof exported === "object" && exported !== null && !(member in exported)) {
        missing.push(`${module}.${member}`)
      }
    }
    assert.deepStrictEqual(missing, [])
  })

  it("YAML can be read", () => {
    const blocks = pages.flatMap(blocksOf).filter(({ info }) => info === "yaml")
    assert.isAbove(blocks.length, 0)
    for (const { lines, origin } of blocks) {
      const errors = parseAllDocuments(lines.join("\n")).flatMap((document) => document.errors)
      assert.deepStrictEqual(errors, [], origin)
    }
  })
})

/** A layer has an entry point of its own. */
const entry = async (module: string): Promise<object | undefined> => {
  const [file] = globSync(`src/services/*/${module}.ts`, { cwd: repository })
  return file === undefined ? undefined : ((await import(/* @vite-ignore */ repository + file)) as object)
}
