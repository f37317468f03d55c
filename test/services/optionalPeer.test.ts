import { existsSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { root, run } from "../docs/snippets.ts"

/** Modules that need packages which an application installs only if it uses them. */
const modules: Readonly<Record<string, ReadonlyArray<string>>> = {
  CacheLive: ["redis", "@effect/platform-node"],
  DatabaseLive: ["@effect/sql-pg"],
  DatabaseEmbedded: ["@effect/sql-pg", "@electric-sql/pglite", "@electric-sql/pglite-socket"],
  StreamIOLive: ["@stream-io/node-sdk"],
  SearchLive: ["@elastic/elasticsearch"],
  SearchOpenSearch: ["@opensearch-project/opensearch"],
  SearchEmbedded: ["minisearch"],
  StorageLive: ["@aws-sdk/client-s3", "@aws-sdk/lib-storage", "@aws-sdk/s3-request-presigner"]
}

const without = (name: string, module: string) => `
import { registerHooks } from "node:module"
registerHooks({
  resolve: (specifier, context, next) => {
    if (specifier === "${name}" || specifier.startsWith("${name}/")) {
      throw Object.assign(new Error("Cannot find package '${name}' imported from " + context.parentURL), { code: "ERR_MODULE_NOT_FOUND" })
    }
    return next(specifier, context)
  }
})
await import("effect-telemetry/${module}").then(
  () => console.log("loaded"),
  (error) => console.log(error.message)
)
`

describe("a package that is not installed", () => {
  for (const [module, packages] of Object.entries(modules)) {
    const service = module.replace(/Live$|Embedded$|OpenSearch$/, "")
    for (const name of packages) {
      it(`${module} without ${name} says what to install`, async () => {
        assert.isTrue(existsSync(`${root}src/services/${service}/${module}.ts`))
        const { output } = await run(["--conditions=source", "--input-type=module", "-e", without(name, module)])
        assert.include(
          output,
          `effect-telemetry/${module} needs the package "${name}", which is not installed: npm install ${name}`
        )
      })
    }
  }
})
