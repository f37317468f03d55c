/**
 * The database: Effect's own `SqlClient`, with every statement, transaction and stream traced.
 *
 * There is nothing to call here in order to be traced: `DatabaseLive` (a PostgreSQL server) and `DatabaseEmbedded` (PGlite in
 * this process, for development and tests) provide `SqlClient` and `PgClient`, and what runs on them has spans. `traced` does
 * the same to a client of another making.
 *
 * Spans are client spans, `db.select`, `db.insert`, `db.update`, `db.delete`, `db.begin` and so on (`DatabaseAttributes`).
 * They show the statement with placeholders, never values. A statement that fails keeps Effect's `SqlError`; `reasonOf` says
 * what its SQLSTATE means, `catchReason` catches by that, and `transaction` repeats what a serialization failure or deadlock
 * undid, when asked to. An interrupted statement is cancelled on the server.
 *
 * **Example** (A statement, traced)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as SqlClient from "effect/sql/SqlClient"
 * import * as Database from "effect-telemetry/services/Database/Database"
 * import * as DatabaseEmbedded from "effect-telemetry/services/Database/DatabaseEmbedded"
 *
 * const program = Effect.gen(function* () {
 *   const sql = yield* SqlClient.SqlClient
 *   yield* sql`CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL)`
 *   yield* sql`INSERT INTO users ${sql.insert({ id: 1, name: "Ada" })}`
 *   yield* sql`INSERT INTO users ${sql.insert({ id: 1, name: "Grace" })}`.pipe(
 *     Database.catchReason("Conflict", () => Effect.log("there is such a user already"))
 *   )
 *   return yield* sql`SELECT * FROM users`
 * })
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(DatabaseEmbedded.layer()))))
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/semconv/db/postgresql/
 */
import * as Effect from "effect/Effect"
import { type SqlError, isSqlError } from "effect/sql/SqlError"
import { type DatabaseReason, type Tag, reasonOf } from "./DatabaseReason.ts"

export { reasonOf, sqlStateOf } from "./DatabaseReason.ts"
export type { DatabaseReason, Tag } from "./DatabaseReason.ts"
export { transaction } from "./Transaction.ts"
export type { TransactionOptions } from "./Transaction.ts"
export { traced } from "./TracedClient.ts"
export type { TracedOptions } from "./TracedClient.ts"

/** Whether another try of what failed may succeed. False for errors that are not a database's. */
export const isRetryable = (error: unknown): boolean => isSqlError(error) && reasonOf(error).isRetryable

/**
 * Catches the errors of a database that have a certain reason.
 *
 * **Example** (An insert that may find the row there)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import type { SqlError } from "effect/sql/SqlError"
 * import * as Database from "effect-telemetry/services/Database/Database"
 *
 * export const insertOnce = (insert: Effect.Effect<void, SqlError>): Effect.Effect<boolean, SqlError> =>
 *   Effect.as(insert, true).pipe(Database.catchReason("Conflict", () => Effect.succeed(false)))
 * ```
 */
export const catchReason =
  <const T extends Tag, A2, E2, R2>(
    tag: T,
    handler: (reason: Extract<DatabaseReason, { readonly _tag: T }>, error: SqlError) => Effect.Effect<A2, E2, R2>
  ) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A | A2, E | E2, R | R2> =>
    Effect.catch(self, (error): Effect.Effect<A2, E | E2, R2> => {
      if (!isSqlError(error)) return Effect.fail(error)
      const reason = reasonOf(error)
      return reason._tag === tag
        ? handler(reason as Extract<DatabaseReason, { readonly _tag: T }>, error)
        : Effect.fail(error)
    })
