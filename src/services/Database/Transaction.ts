/**
 * Runs an effect in a transaction, with its isolation, and repeats it as a whole where that can help.
 *
 * **Example** (Two queries that see the same state)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as SqlClient from "effect/sql/SqlClient"
 * import * as Database from "effect-telemetry/Database"
 * import * as DatabaseEmbedded from "effect-telemetry/DatabaseEmbedded"
 *
 * const report = Effect.gen(function* () {
 *   const sql = yield* SqlClient.SqlClient
 *   const tables = yield* sql`SELECT count(*)::int AS count FROM pg_tables`
 *   const views = yield* sql`SELECT count(*)::int AS count FROM pg_views`
 *   return [tables, views].every((rows) => rows.length === 1)
 * }).pipe(Database.transaction({ isolation: "repeatable read", access: "read only" }))
 *
 * Effect.runPromise(report.pipe(Effect.provide(DatabaseEmbedded.layer()))).then(console.log) // true
 * ```
 *
 * @see https://www.postgresql.org/docs/current/mvcc-serialization-failure-handling.html
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import * as SqlClient from "effect/sql/SqlClient"
import { type SqlError, isSqlError } from "effect/sql/SqlError"
import * as Context from "effect/Context"
import * as RetryPolicy from "../../operation/RetryPolicy.ts"
import { recordingSpan } from "../../tracer/Recording.ts"
import { type DatabaseReason, isCommit, reasonOf } from "./DatabaseReason.ts"

/** How a transaction runs. What is not given is as the server has it. */
export interface TransactionOptions {
  /** What it sees of others. PostgreSQL's default is `read committed`. */
  readonly isolation?: "read committed" | "repeatable read" | "serializable" | undefined
  /** Whether it may write. */
  readonly access?: "read only" | "read write" | undefined
  /** Whether a serializable transaction that only reads waits for a moment in which it cannot fail. */
  readonly deferrable?: boolean | undefined
  /**
   * Whether it is repeated as a whole when it failed for a reason that another try may mend: a serialization failure, a
   * deadlock, a lock that was not to be had, a server that could not be reached. `true` is the default policy, 3 attempts in
   * all with exponential backoff. Default: no.
   */
  readonly retry?: boolean | RetryPolicy.RetryPolicyInput | undefined
}

/**
 * Runs an effect in a transaction: committed when it succeeds, rolled back when it fails or is interrupted.
 *
 * **Details**
 *
 * With `retry` the effect is run again from its beginning in a new transaction, so it must be safe to repeat: what it does
 * outside of the database is done again. Each retry is an event `retry` on the current span. A connection that was lost
 * while `COMMIT` was on its way leaves open whether the transaction took place; such a failure is never repeated.
 *
 * Inside another transaction of the same client it is a savepoint: isolation and access are then those of the outer one, and
 * only the outer one is repeated.
 *
 * **Example** (A transfer that is repeated when another one crosses it)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as SqlClient from "effect/sql/SqlClient"
 * import * as Database from "effect-telemetry/services/Database/Database"
 * import * as DatabaseEmbedded from "effect-telemetry/services/Database/DatabaseEmbedded"
 *
 * const program = Effect.gen(function* () {
 *   const sql = yield* SqlClient.SqlClient
 *   yield* sql`CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL)`
 *   yield* sql`INSERT INTO accounts ${sql.insert([{ id: 1, balance: 10 }, { id: 2, balance: 0 }])}`
 *   const transfer = Effect.andThen(
 *     sql`UPDATE accounts SET balance = balance - ${5} WHERE id = ${1}`,
 *     sql`UPDATE accounts SET balance = balance + ${5} WHERE id = ${2}`
 *   )
 *   yield* Database.transaction(transfer, { isolation: "serializable", retry: true })
 *   console.log(yield* sql`SELECT * FROM accounts ORDER BY id`)
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(DatabaseEmbedded.layer())))
 * ```
 */
export const transaction: {
  (
    options?: TransactionOptions
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | SqlError, R | SqlClient.SqlClient>
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    options?: TransactionOptions
  ): Effect.Effect<A, E | SqlError, R | SqlClient.SqlClient>
} = dual(
  (args) => Effect.isEffect(args[0]),
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    options: TransactionOptions = {}
  ): Effect.Effect<A, E | SqlError, R | SqlClient.SqlClient> =>
    Effect.flatMap(SqlClient.SqlClient, (sql) =>
      Effect.withFiber((fiber) => {
        const isNested = Context.getOrUndefined(fiber.context, sql.transactionService) !== undefined
        const once = sql.withTransaction(self)
        if (isNested) return once
        const begun = beginning(fiber, self, options)
        const attempt = begun === undefined ? once : begun(sql)
        const { retry } = options
        if (retry === undefined || retry === false) return attempt
        return repeated(fiber, attempt, RetryPolicy.make(retry === true ? {} : retry))
      })
    )
)

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** The transaction with a `BEGIN` of its own, which holds for this one only; `undefined` where the usual one will do. */
const beginning = <A, E, R>(fiber: AnyFiber, self: Effect.Effect<A, E, R>, options: TransactionOptions) => {
  const { access, deferrable, isolation } = options
  const modes = [
    ...(isolation === undefined ? [] : [`ISOLATION LEVEL ${isolation.toUpperCase()}`]),
    ...(access === undefined ? [] : [access.toUpperCase()]),
    ...(deferrable === undefined ? [] : [deferrable ? "DEFERRABLE" : "NOT DEFERRABLE"])
  ]
  if (modes.length === 0) return undefined
  const before = fiber.getRef(SqlClient.BeginTransaction)
  return (sql: SqlClient.SqlClient) =>
    Effect.provideService(
      sql.withTransaction(Effect.provideService(self, SqlClient.BeginTransaction, before)),
      SqlClient.BeginTransaction,
      `BEGIN ${modes.join(" ")}`
    )
}

/** Repeats a transaction. What failed is read from the whole cause: a statement's error may have become a defect. */
const repeated = <A, E, R>(
  fiber: AnyFiber,
  attempt: Effect.Effect<A, E, R>,
  policy: RetryPolicy.RetryPolicy
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const span = recordingSpan(fiber)
    let last: DatabaseReason | undefined
    let attempts = 0
    const again = Effect.withFiber<A, Cause.Cause<E>, R>((inner) => {
      if (attempts++ > 0 && last !== undefined) {
        const { duration } = inner.getRef(Schedule.CurrentMetadata)
        span?.event("retry", inner.getRef(Clock.Clock).currentTimeNanosUnsafe(), {
          "retry.attempt": attempts - 1,
          "retry.delay_ms": Math.round(Duration.toMillis(duration)),
          "error.type": last._tag,
          "error.message": last.message
        })
      }
      return Effect.sandbox(attempt)
    })
    return Effect.retry(again, {
      // The delays depend on the policy only: no reason of a database says how long to wait.
      schedule: RetryPolicy.schedule(policy) as Schedule.Schedule<Duration.Duration, unknown>,
      times: policy.attempts - 1,
      while: (cause: Cause.Cause<E>) => {
        last = repeatable(cause)
        return last !== undefined
      }
    }).pipe(Effect.catch((cause: Cause.Cause<E>) => Effect.failCause(cause)))
  })

/** Why a transaction may be repeated; `undefined` where it may not. */
const repeatable = (cause: Cause.Cause<unknown>): DatabaseReason | undefined => {
  if (Cause.hasInterrupts(cause)) return undefined
  for (const reason of cause.reasons) {
    const error = Cause.isFailReason(reason) ? reason.error : Cause.isDieReason(reason) ? reason.defect : undefined
    const found = sqlErrorIn(error)
    if (found === undefined) continue
    const meaning = reasonOf(found)
    if (meaning.isRetryable && !(meaning._tag === "Unavailable" && isCommit(found))) return meaning
  }
  return undefined
}

/** The database's error in an error of the application, which may have it as its cause. */
const sqlErrorIn = (error: unknown): SqlError | undefined => {
  let current = error
  for (let depth = 0; depth < 8 && Predicate.isObject(current); depth++) {
    if (isSqlError(current)) return current
    current = (current as { readonly cause?: unknown }).cause
  }
  return undefined
}
