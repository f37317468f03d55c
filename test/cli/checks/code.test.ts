import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Check from "../../../src/cli/checks/code.ts"
import { folder, write } from "../support.ts"

const examine = (files: Readonly<Record<string, string>>, hasSpool = false) =>
  Effect.map(folder, (at) => {
    write(at, files)
    return Check.code(Check.scan(at), hasSpool)
  }).pipe(Effect.scoped)

const main = `import { TelemetryLive } from "effect-telemetry"\n\nprogram.pipe(Effect.provide(TelemetryLive))\n`

describe("code", () => {
  it.effect("the layer is named", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* examine({ "src/main.ts": main }), [
        { check: "code", status: "ok", found: "the layer is named in src/main.ts:1" }
      ])
    })
  )

  it.effect("nothing is imported, or imported and not used, or only in a comment", () =>
    Effect.gen(function* () {
      const [none] = yield* examine({ "src/main.ts": "console.log(1)" })
      assert.include(none!, { status: "warning", found: "no file here imports effect-telemetry" })
      const [unused] = yield* examine({
        "src/main.ts": `import { fn } from "effect-telemetry/Telemetry"\n// TelemetryLive`
      })
      assert.include(unused!.found, "neither TelemetryLive nor Telemetry.layer is named")
      assert.strictEqual((yield* examine({ "README.md": "" }))[0]!.status, "skipped")
    })
  )

  it.effect("a database client of one's own is not traced, unless it is given to Database.traced", () =>
    Effect.gen(function* () {
      const database = `import { PgClient } from "@effect/sql-pg"\n`
      const [finding] = yield* examine({ "src/main.ts": main, "src/db.ts": database })
      assert.include(finding!, {
        status: "warning",
        found: "src/db.ts:1 imports @effect/sql-pg: statements of a client of one's own are not traced"
      })
      const [pg] = yield* examine({ "src/main.ts": main, "src/db.ts": `const { Pool } = require("pg")` })
      assert.include(pg!.found, "imports pg")
      const [traced] = yield* examine({ "src/main.ts": main, "src/db.ts": `${database}Database.traced(client)` })
      assert.strictEqual(traced!.status, "ok")
    })
  )

  it.effect("process.exit loses the last spans, unless there is a spool; tests and node_modules are not read", () =>
    Effect.gen(function* () {
      const files = { "src/main.ts": `${main}process.exit(0)\n` }
      const [finding] = yield* examine(files)
      assert.include(finding!, {
        status: "warning",
        found: "process.exit in src/main.ts:4 ends the process before the last spans are sent"
      })
      assert.strictEqual((yield* examine(files, true))[0]!.status, "ok")
      const elsewhere = {
        "test/a.ts": "process.exit(1)",
        "src/a.test.ts": "process.exit(1)",
        "node_modules/a/a.js": "process.exit(1)"
      }
      assert.strictEqual((yield* examine({ "src/main.ts": main, ...elsewhere }))[0]!.status, "ok")
    })
  )

  it("entry points and lines", () => {
    const read = Check.readCode(
      `import * as CacheLive from "effect-telemetry/CacheLive"\nconst x = await import("effect-telemetry/StorageLive")`,
      (line) => `a.ts:${line}`
    )
    assert.deepStrictEqual(
      [...read.entryPoints],
      [
        ["CacheLive", "a.ts:1"],
        ["StorageLive", "a.ts:2"]
      ]
    )
  })
})
