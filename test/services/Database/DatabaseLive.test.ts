import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqlClient from "effect/sql/SqlClient"
import * as DatabaseLive from "../../../src/services/Database/DatabaseLive.ts"
import { observe } from "./support.ts"

const environment = (variables: Readonly<Record<string, string>>) =>
  Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(variables))

/** Where a failing statement says that it went: nobody listens there. */
const targetOf = (
  layer: ReturnType<typeof DatabaseLive.layerConfig>,
  variables: Readonly<Record<string, string>> = {}
) =>
  Effect.gen(function* () {
    const { spans } = yield* observe(Effect.flatMap(SqlClient.SqlClient, (sql) => sql`SELECT 1`))
    const { config } = yield* PgClient.PgClient
    const { attributes } = spans[0]!
    return {
      namespace: attributes["db.namespace"],
      address: attributes["server.address"],
      port: attributes["server.port"],
      config
    }
  }).pipe(Effect.provide(layer), environment(variables))

const fails = (layer: ReturnType<typeof DatabaseLive.layerConfig>, variables: Readonly<Record<string, string>> = {}) =>
  Effect.map(Effect.exit(Effect.scoped(Layer.build(layer)).pipe(environment(variables))), (exit) => {
    assert.isTrue(Exit.isFailure(exit))
    return String(exit)
  })

describe("from the environment", () => {
  it.live("DATABASE_URL", () =>
    Effect.gen(function* () {
      const target = yield* targetOf(DatabaseLive.layerConfig(), {
        DATABASE_URL: "postgres://ada:p%40ss@127.0.0.1:1/shop?sslmode=disable"
      })
      assert.deepInclude(target, { namespace: "shop", address: "127.0.0.1", port: 1 })
      assert.notInclude(JSON.stringify(target.config), "p%40ss")
    })
  )
  it.live("PGHOST and its like; a socket's path has no port; an IPv6 host has no brackets", () =>
    Effect.gen(function* () {
      const target = yield* targetOf(DatabaseLive.layerConfig(), {
        PGHOST: "127.0.0.1",
        PGPORT: "1",
        PGDATABASE: "shop",
        PGUSER: "ada",
        PGPASSWORD: "secret",
        PGSSLMODE: "prefer",
        PGCONNECT_TIMEOUT: "2"
      })
      assert.deepInclude(target, { namespace: "shop", address: "127.0.0.1", port: 1 })
      const socket = yield* targetOf(DatabaseLive.layerConfig(), {
        PGHOST: "/nowhere",
        PGDATABASE: "shop",
        PGUSER: "ada"
      })
      assert.deepInclude(socket, { namespace: "shop", address: "/nowhere", port: undefined })
      const six = yield* targetOf(DatabaseLive.layerConfig(), { DATABASE_URL: "postgresql://ada@[::1]:1" })
      assert.deepInclude(six, { namespace: "ada", address: "::1", port: 1 })
    })
  )
  it.live("options win over the URL, and the URL over PGHOST", () =>
    Effect.gen(function* () {
      const target = yield* targetOf(DatabaseLive.layerConfig({ port: 2, database: "mine" }), {
        DATABASE_URL: "postgresql://ada@127.0.0.1:1/shop",
        PGHOST: "db.example",
        PGPORT: "3",
        PGDATABASE: "other"
      })
      assert.deepInclude(target, { namespace: "mine", address: "127.0.0.1", port: 2 })
    })
  )
})

describe("what is not accepted is named, and no secret is shown", () => {
  it.live.each<readonly [string, string, string]>([
    ["no URL", "hunter2 is my password", "DATABASE_URL: not a URL"],
    ["another protocol", "mysql://ada:hunter2@h/d", "DATABASE_URL: not a URL of PostgreSQL"],
    ["a port that is none", "postgresql://ada:hunter2@h:99999/d", "DATABASE_URL: not a URL"],
    ["a port parameter that is none", "postgresql://ada:hunter2@h/d?port=0", "DATABASE_URL: its port is not one"],
    ["a broken escape", "postgresql://ada:hunter2%@h/d", "DATABASE_URL: not percent-encoded"],
    [
      "an unknown sslmode",
      "postgresql://ada:hunter2@h/d?sslmode=maybe",
      'DATABASE_URL: the sslmode "maybe" is not known; expected one of disable'
    ]
  ])("%s", ([, url, message]) =>
    Effect.gen(function* () {
      const shown = yield* fails(DatabaseLive.layerConfig(), { DATABASE_URL: url })
      assert.include(shown, message)
      assert.notInclude(shown, "hunter2")
    })
  )
  it.live("nothing at all", () =>
    Effect.gen(function* () {
      assert.include(yield* fails(DatabaseLive.layerConfig()), "DATABASE_URL is not set; expected postgresql://")
    })
  )
  it.live("other variables", () =>
    Effect.gen(function* () {
      assert.include(yield* fails(DatabaseLive.layerConfig(), { PGHOST: "h", PGPORT: "many" }), "PGPORT")
      assert.include(
        yield* fails(DatabaseLive.layerConfig(), { PGHOST: "h", PGSSLMODE: "maybe" }),
        'PGSSLMODE: the sslmode "maybe"'
      )
    })
  )
  it.live("an option", () =>
    Effect.gen(function* () {
      const shown = yield* fails(DatabaseLive.layer({ url: Redacted.make("ftp://ada:hunter2@h") }))
      assert.include(shown, "url: not a URL of PostgreSQL")
      assert.notInclude(shown, "hunter2")
    })
  )
})
