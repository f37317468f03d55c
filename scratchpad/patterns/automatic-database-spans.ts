/**
 * Automatic database spans: provide the database layer, and every statement and transaction is traced. No call site says so.
 *
 *   npm run pattern -- automatic-database-spans
 */
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import * as DatabaseEmbedded from "effect-telemetry/DatabaseEmbedded"
import * as Telemetry from "effect-telemetry/Telemetry"

const program = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE tracks (id int PRIMARY KEY, title text NOT NULL, plays int NOT NULL DEFAULT 0)`
  yield* sql`INSERT INTO tracks ${sql.insert([
    { id: 1, title: "Night Bus Home" },
    { id: 2, title: "Gravel Road" }
  ])}`
  yield* sql`UPDATE tracks SET plays = plays + 1 WHERE id = ${1}`.pipe(sql.withTransaction)
  yield* sql`SELECT title, plays FROM tracks ORDER BY plays DESC LIMIT ${10}`
  // Fails, and its span says why: the SQLSTATE, the reason, the message. The caller goes on.
  yield* Effect.ignore(sql`INSERT INTO tracks ${sql.insert({ id: 1, title: "A title that came second" })}`)
}).pipe(Effect.withSpan("tracks.tour"))

const live = Layer.provideMerge(
  DatabaseEmbedded.layer(),
  Telemetry.layer({ enabled: true, serviceName: "patterns", exporter: "console" })
)

Effect.runPromise(Effect.provide(program, live))
