/**
 * The database in this process: PGlite (PostgreSQL, compiled to WebAssembly) behind its socket server on a free port of the
 * loopback interface, and the very same `PgClient` as towards a real server. For development and tests.
 *
 * It holds its data in memory, or in a directory where one is given. Nothing has to be installed or started.
 *
 * **Gotchas**
 *
 * There is one connection, and everybody waits for it: a transaction keeps it until it ends. What waits for another
 * connection from inside of a transaction waits for ever, so run statements of a transaction in its own fiber's context.
 * Statements run in this process's only thread: an interrupted one is not cancelled, and `pg_sleep` puts everything to
 * sleep. `LISTEN` needs a connection of its own and fails.
 *
 * Needs the packages `@effect/sql-pg`, `@electric-sql/pglite` and `@electric-sql/pglite-socket`.
 *
 * **Example** (A database for one program)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as SqlClient from "effect/sql/SqlClient"
 * import * as DatabaseEmbedded from "effect-telemetry/services/Database/DatabaseEmbedded"
 *
 * const program = Effect.gen(function* () {
 *   const sql = yield* SqlClient.SqlClient
 *   console.log(yield* sql`SELECT 1 + 1 AS two`)
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(DatabaseEmbedded.layer())))
 * ```
 */
import type * as Pg from "@effect/sql-pg/PgClient"
import type { Extensions } from "@electric-sql/pglite"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { SqlClient } from "effect/sql/SqlClient"
import { ConnectionError, SqlError, UnknownError } from "effect/sql/SqlError"
import { optionalPeer } from "../optionalPeer.ts"
import { tracedPgClient } from "./PgTraced.ts"

const module = "DatabaseEmbedded"
const PgClient = await optionalPeer(module, "@effect/sql-pg", () => import("@effect/sql-pg/PgClient"))
const { PGlite } = await optionalPeer(module, "@electric-sql/pglite", () => import("@electric-sql/pglite"))
const { PGLiteSocketServer } = await optionalPeer(
  module,
  "@electric-sql/pglite-socket",
  () => import("@electric-sql/pglite-socket")
)

/** How the embedded database is made. */
export interface EmbeddedOptions {
  /** The directory that holds the data; it is made where it is missing. Default: in memory, gone with the process. */
  readonly directory?: string | undefined
  /** The port that it listens on, loopback only. Default: a free one. */
  readonly port?: number | undefined
  /** PGlite's extensions (`@electric-sql/pglite/contrib/…`). */
  readonly extensions?: Extensions | undefined
  /** As `PgClient`'s. */
  readonly transformResultNames?: ((name: string) => string) | undefined
  /** As `PgClient`'s. */
  readonly transformQueryNames?: ((name: string) => string) | undefined
}

const database = "postgres"
const host = "127.0.0.1"

/**
 * The embedded database. It stops, and closes its files, with the layer's scope. Fails where it cannot start: a directory that
 * cannot be written to, a port that is taken.
 */
export const layer = (options: EmbeddedOptions = {}): Layer.Layer<Pg.PgClient | SqlClient, SqlError> =>
  PgClient.layerFrom(
    Effect.gen(function* () {
      const server = yield* serve(options)
      const port = Number(server.getServerConn().split(":").at(-1))
      const client = yield* PgClient.make({
        host,
        port,
        database,
        username: "postgres",
        ssl: false,
        // One session is behind all connections: two at once would run into each other's half-sent statements.
        minConnections: 1,
        maxConnections: 1,
        transformResultNames: options.transformResultNames,
        transformQueryNames: options.transformQueryNames
      })
      const sql = tracedPgClient(client, {
        system: "postgresql",
        namespace: database,
        serverAddress: host,
        serverPort: port
      })
      return Object.assign(sql, { listen: () => Effect.fail(noListening()) } satisfies Pick<Pg.PgClient, "listen">)
    })
  )

const serve = (options: EmbeddedOptions) =>
  Effect.acquireRelease(
    attempt("could not be opened", () =>
      PGlite.create(options.directory ?? "memory://", { database, extensions: options.extensions ?? {} })
    ),
    (pglite) => Effect.promise(() => pglite.close().catch(() => {}))
  ).pipe(
    Effect.flatMap((pglite) =>
      Effect.acquireRelease(
        attempt("could not be served", async () => {
          // One connection works; another may come to ask that a statement be cancelled, or while a lost one goes.
          const server = new PGLiteSocketServer({ db: pglite, host, port: options.port ?? 0, maxConnections: 8 })
          await server.start()
          return server
        }),
        (server) => Effect.promise(() => server.stop().catch(() => {}))
      )
    )
  )

const attempt = <A>(what: string, evaluate: () => Promise<A>): Effect.Effect<A, SqlError> =>
  Effect.tryPromise({
    try: evaluate,
    catch: (cause) =>
      new SqlError({
        reason: new ConnectionError({
          cause,
          message: `the embedded database ${what}: ${cause instanceof Error ? cause.message : String(cause)}`,
          operation: "connect"
        })
      })
  })

const noListening = (): SqlError => {
  const message =
    "LISTEN needs a connection of its own, and the embedded database has one only; use a PostgreSQL server"
  return new SqlError({ reason: new UnknownError({ cause: new Error(message), message, operation: "listen" }) })
}
