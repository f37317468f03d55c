/**
 * Transactions of a traced PostgreSQL client: each statement of transaction control is a span of its own. Internal.
 *
 * @internal
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import { BeginTransaction, type SqlClient, makeWithTransaction } from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { SqlError, UnknownError } from "effect/sql/SqlError"
import * as Tracer from "effect/Tracer"
import { atCommit } from "./DatabaseReason.ts"
import { type StatementSpans, withoutRows } from "./StatementSpan.ts"

/** Whether the statements that control a transaction are traced: what `TracerEnabled` was where it began. */
const ControlTraced = Context.Reference<boolean>("effect-telemetry/services/Database/ControlTraced", {
  defaultValue: () => true
})

let clients = 0

/**
 * `withTransaction` of a traced client.
 *
 * **Details**
 *
 * The span of `BEGIN` covers the wait for a connection, as the span of any statement does. Effect's own `sql.transaction` is
 * silenced: inside, the current span is the one that was current outside.
 *
 * A connection that is gone has rolled back already: its failing `ROLLBACK` does not take the place of the error that
 * matters.
 */
export const tracedTransactions = (client: SqlClient, spans: StatementSpans): SqlClient["withTransaction"] => {
  /** Whether a transaction here is one of this client's traced ones. */
  const Ours = Context.Reference<boolean>(`effect-telemetry/services/Database/Transaction/${clients++}`, {
    defaultValue: () => false
  })

  const inSpan = <A, R>(text: string, effect: Effect.Effect<A, SqlError, R>): Effect.Effect<A, SqlError, R> =>
    Effect.withFiber((fiber) =>
      Effect.provideService(spans.run(text, effect, withoutRows), References.TracerEnabled, fiber.getRef(ControlTraced))
    )
  const control = (connection: Connection, text: string): Effect.Effect<void, SqlError> =>
    inSpan(text, Effect.asVoid(connection.execute(text, [], undefined)))
  const undo = (connection: Connection, text: string): Effect.Effect<void, SqlError> =>
    Effect.catch(control(connection, text), (error) =>
      error.reason._tag === "ConnectionError" ? Effect.void : Effect.fail(error)
    )

  const run = makeWithTransaction<Context.Service.Identifier<typeof client.transactionService>, Connection>({
    transactionService: client.transactionService,
    spanAttributes: [],
    acquireConnection: (restore) =>
      Effect.withFiber((fiber) => {
        const asked = fiber.getRef(BeginTransaction)
        const begun = Effect.tap(restore(client.reserve), (connection) =>
          asked === undefined
            ? connection.execute("BEGIN", [], undefined)
            : connection.executeUnprepared(asked, [], undefined)
        )
        return inSpan(asked ?? "BEGIN", begun)
      }),
    begin: () => Effect.void,
    savepoint: (connection, id) => control(connection, `SAVEPOINT effect_sql_${id}`),
    commit: (connection) => Effect.mapError(inSpan("COMMIT", committed(connection)), atCommit),
    rollback: (connection) => undo(connection, "ROLLBACK"),
    rollbackSavepoint: (connection, id) => undo(connection, `ROLLBACK TO SAVEPOINT effect_sql_${id}`),
    releaseSavepoint: (connection, id) => undo(connection, `RELEASE SAVEPOINT effect_sql_${id}`)
  })

  return <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | SqlError, R> =>
    Effect.withFiber((fiber) => {
      const isNested = Context.getOrUndefined(fiber.context, client.transactionService) !== undefined
      // A transaction that the wrapped client began knows nothing of ours, so only the wrapped client can go on with it.
      if (isNested && !fiber.getRef(Ours)) return client.withTransaction(effect)
      const enabled = fiber.cache.tracerEnabled
      const parent = fiber.cache.span
      const inside = Effect.updateContext(effect, (context: Context.Context<R>) => {
        const restored = Context.add(Context.add(context, References.TracerEnabled, enabled), Ours, true)
        return (
          parent === undefined
            ? Context.omit(Tracer.ParentSpan)(restored as Context.Context<Tracer.ParentSpan>)
            : Context.add(restored, Tracer.ParentSpan, parent)
        ) as Context.Context<R>
      })
      return Effect.provideContext(
        run(inside),
        Context.make(References.TracerEnabled, false).pipe(Context.add(ControlTraced, enabled))
      )
    })
}

/** Commits. PostgreSQL answers `COMMIT` of a transaction in which a statement failed with a rollback. */
const committed = (connection: Connection): Effect.Effect<void, SqlError> =>
  Effect.flatMap(connection.executeRaw("COMMIT", []), (result) => {
    if ((result as { readonly command?: unknown } | undefined)?.command !== "ROLLBACK") return Effect.void
    const message = "the transaction was rolled back at its end: a statement in it had failed"
    return Effect.fail(
      new SqlError({ reason: new UnknownError({ cause: new Error(message), message, operation: "commit" }) })
    )
  })
