import { assert, describe, it } from "@effect/vitest"
import { run } from "./docs/snippets.ts"

/** Prints the packages that are loaded with a module. */
const packagesOf = async (module: string): Promise<ReadonlyArray<string>> => {
  const { code, output } = await run([
    "--conditions=source",
    "--input-type=module",
    "-e",
    `
import { registerHooks } from "node:module"
const packages = new Set()
registerHooks({
  load: (url, context, next) => {
    const name = /.*node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1]
    if (name !== undefined) packages.add(name)
    return next(url, context)
  }
})
await import("${module}")
console.log("packages " + JSON.stringify([...packages].sort()))
process.exit(0)
`
  ])
  assert.strictEqual(code, 0, output)
  return JSON.parse(/^packages (.*)$/m.exec(output)![1]!)
}

/** What the library loads in any case. */
const always = new Set([
  "@effect/opentelemetry",
  "@opentelemetry/api",
  "@opentelemetry/context-async-hooks",
  "@opentelemetry/core",
  "@opentelemetry/semantic-conventions",
  "effect"
])

/** Each entry point, and the client libraries that may be loaded with it. */
const entryPoints: Readonly<Record<string, ReadonlyArray<RegExp>>> = {
  "effect-telemetry": [],
  "effect-telemetry/testing": [],
  "effect-telemetry/Cache": [],
  "effect-telemetry/Database": [],
  "effect-telemetry/StreamIO": [],
  "effect-telemetry/Gorse": [],
  "effect-telemetry/Search": [],
  "effect-telemetry/Storage": [],
  "effect-telemetry/CacheEmbedded": [],
  "effect-telemetry/StreamIOEmbedded": [],
  "effect-telemetry/GorseEmbedded": [],
  "effect-telemetry/StorageEmbedded": [],
  "effect-telemetry/SearchEmbedded": [/^minisearch$/],
  "effect-telemetry/DatabaseEmbedded": [/^@effect\/sql-pg$/, /^@electric-sql\//],
  "effect-telemetry/CacheLive": [/^redis$/, /^@redis\//, /^@effect\/platform-node/, /^cluster-key-slot$/],
  "effect-telemetry/DatabaseLive": [/^@effect\/sql-pg$/],
  "effect-telemetry/GorseLive": [],
  "effect-telemetry/StreamIOLive": [/^@stream-io\//, /./],
  "effect-telemetry/SearchLive": [/^@elastic\//, /./],
  "effect-telemetry/SearchOpenSearch": [/^@opensearch-project\//, /./],
  "effect-telemetry/StorageLive": [/^@aws-sdk\//, /^@smithy\//, /./]
}

/** No entry point but its own loads one of these. */
const clients: Readonly<Record<string, RegExp>> = {
  StreamIOLive: /^@stream-io\//,
  SearchLive: /^@elastic\//,
  SearchOpenSearch: /^@opensearch-project\//,
  StorageLive: /^@aws-sdk\//,
  CacheLive: /^redis$/,
  "Database(Live|Embedded)": /^@effect\/sql-pg$/
}

describe("entry points", () => {
  for (const [module, allowed] of Object.entries(entryPoints)) {
    it(`${module} loads no client library but its own`, async () => {
      const packages = await packagesOf(module)
      const extra = packages.filter((name) => !always.has(name) && !allowed.some((pattern) => pattern.test(name)))
      assert.deepStrictEqual(extra, [])
      for (const [owner, client] of Object.entries(clients)) {
        if (new RegExp(`/${owner}$`).test(module))
          assert.isTrue(
            packages.some((name) => client.test(name)),
            owner
          )
        else
          assert.deepStrictEqual(
            packages.filter((name) => client.test(name)),
            [],
            `${module} loads ${owner}'s client`
          )
      }
    })
  }
})
