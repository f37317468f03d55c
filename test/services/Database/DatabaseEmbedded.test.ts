import { assert, describe, expect, it } from "@effect/vitest"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as SqlClient from "effect/sql/SqlClient"
import * as Net from "node:net"
import * as DatabaseEmbedded from "../../../src/services/Database/DatabaseEmbedded.ts"
import { spansOf } from "./support.ts"

const isOpen = (port: number): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const socket = Net.connect({ host: "127.0.0.1", port })
    socket.on("connect", () => {
      socket.destroy()
      resume(Effect.succeed(true))
    })
    socket.on("error", () => resume(Effect.succeed(false)))
  })

describe("the embedded database", () => {
  it.live(
    "keeps its data in a directory, and closes its port with its scope",
    () =>
      Effect.gen(function* () {
        const directory = yield* FileSystem.FileSystem.pipe(
          Effect.flatMap((fs) => fs.makeTempDirectoryScoped({ prefix: "embedded-" }))
        )
        const inside = <A, E>(effect: Effect.Effect<A, E, PgClient.PgClient | SqlClient.SqlClient>) =>
          Effect.provide(
            Effect.gen(function* () {
              const value = yield* effect
              const port = (yield* PgClient.PgClient).config.port!
              assert.isTrue(yield* isOpen(port))
              return { value, port }
            }),
            DatabaseEmbedded.layer({ directory })
          )
        const first = yield* inside(
          Effect.flatMap(SqlClient.SqlClient, (sql) =>
            Effect.andThen(sql`CREATE TABLE kept (n int)`, sql`INSERT INTO kept VALUES (7)`)
          )
        )
        assert.isFalse(yield* isOpen(first.port))
        const second = yield* inside(Effect.flatMap(SqlClient.SqlClient, (sql) => sql`SELECT n FROM kept`))
        expect(second.value).toEqual([{ n: 7 }])
      }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)),
    60_000
  )

  it.live(
    "transforms names, and refuses to listen rather than to wait for ever",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`CREATE TABLE people (first_name text)`
        yield* sql`INSERT INTO people ${sql.insert({ firstName: "Ada" })}`
        expect(yield* sql`SELECT * FROM people`).toEqual([{ firstName: "Ada" }])
        const plain = sql.withoutTransforms()
        const [span] = yield* spansOf(
          Effect.map(plain`SELECT * FROM people`, (rows) => expect(rows).toEqual([{ first_name: "Ada" }]))
        )
        assert.strictEqual(span?.name, "db.select")
        assert.strictEqual(sql.withoutTransforms(), plain)

        const client = yield* PgClient.PgClient
        const error = yield* Effect.flip(Effect.scoped(client.listen("channel")))
        assert.include(error.message, "LISTEN needs a connection of its own")
        yield* client.notify("channel", "nobody hears it")
      }).pipe(
        Effect.provide(
          DatabaseEmbedded.layer({
            transformQueryNames: (name) => name.replaceAll(/[A-Z]/g, (letter) => "_" + letter.toLowerCase()),
            transformResultNames: (name) => name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
          })
        )
      ),
    60_000
  )

  it.live("says which directory could not be opened", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Effect.provide(Effect.void, DatabaseEmbedded.layer({ directory: "/dev/null/database" }))
      )
      assert.include(error.message, "the embedded database could not be opened")
    })
  )
})
