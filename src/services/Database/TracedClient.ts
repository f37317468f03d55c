/**
 * A SQL client whose statements, transactions and streams are traced, made of any of Effect's SQL clients.
 *
 * The client that is wrapped does the work. Its own spans (`sql.execute`, `sql.transaction`) are silenced, and ours stand in
 * their place, so that there is one span a statement, named and filled as documented. A `Statement.CurrentTransformer` gets
 * that span.
 *
 * **Example** (A client that the application makes itself)
 *
 * ```ts
 * import * as PgClient from "@effect/sql-pg/PgClient"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as SqlClient from "effect/sql/SqlClient"
 * import { traced } from "effect-telemetry/services/Database/TracedClient"
 *
 * const own = PgClient.layer({ host: "127.0.0.1", port: 5432, database: "reports", username: "app" })
 * const layer = Layer.effect(
 *   SqlClient.SqlClient,
 *   Effect.map(SqlClient.SqlClient, (sql) => traced(sql, { namespace: "reports", serverAddress: "127.0.0.1" }))
 * ).pipe(Layer.provide(own))
 *
 * const program = Effect.map(SqlClient.SqlClient, (sql) => sql`SELECT * FROM sales`.compile())
 * console.log(Effect.runSync(Effect.provide(program, layer)))
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/semconv/database/database-spans/
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as References from "effect/References"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import type * as Tracer from "effect/Tracer"
import type { Outcome, Target } from "./DatabaseAttributes.ts"
import { refine } from "./DatabaseReason.ts"
import type { Dialect } from "./SqlText.ts"
import {
  type Described,
  type RowsOf,
  StatementSpans,
  isTracing,
  rename,
  rowsOfList,
  rowsOfRaw
} from "./StatementSpan.ts"
import { tracedTransactions } from "./TracedTransaction.ts"

/** Where the statements of a client go, as its spans say it. What is not given is left out. */
export interface TracedOptions {
  /** `db.system.name`. Default: by the client's dialect (`postgresql`, `sqlite`, `mysql`, …). */
  readonly system?: string | undefined
  /** `db.namespace`: the database's name. */
  readonly namespace?: string | undefined
  /** `server.address`. */
  readonly serverAddress?: string | undefined
  /** `server.port`. */
  readonly serverPort?: number | undefined
}

const systems: Readonly<Record<Dialect, string>> = {
  pg: "postgresql",
  sqlite: "sqlite",
  mysql: "mysql",
  mssql: "microsoft.sql_server",
  clickhouse: "clickhouse"
}

/** Silences what the wrapped client would trace, and keeps it from applying the transformer a second time. */
const silent = Context.make(References.TracerEnabled, false).pipe(
  Context.add(Statement.CurrentTransformer, undefined as Statement.Transformer | undefined)
)

const spansOf = new WeakMap<SqlClient, StatementSpans>()

/**
 * Wraps a client. Everything about it stays as it is, except that its spans are ours and that its errors say what the server
 * said (`refine`).
 *
 * **Details**
 *
 * Statements, streams and what runs on a reserved connection are traced for every dialect. For PostgreSQL each statement of
 * transaction control is a span of its own (`db.begin`, `db.commit`, `db.rollback`, `db.savepoint`); with other databases a
 * transaction keeps the client's own span (`sql.transaction`). A client that is traced already is given back as it is.
 *
 * **Gotchas**
 *
 * A transaction of the traced client cannot hold one of the client that it was made of: give everyone the traced one.
 */
export const traced = <Client extends SqlClient>(client: Client, options: TracedOptions = {}): Client => {
  if (spansOf.has(client)) return client
  const dialect = client.onDialect<Dialect, Dialect, Dialect, Dialect, Dialect>({
    sqlite: () => "sqlite",
    pg: () => "pg",
    mysql: () => "mysql",
    mssql: () => "mssql",
    clickhouse: () => "clickhouse"
  })
  const target: Target = { ...options, system: options.system ?? systems[dialect] }
  const spans = new StatementSpans(target, dialect)
  return wrap(client, spans, dialect === "pg" ? tracedTransactions(client, spans) : client.withTransaction)
}

/** The spans of a client that is traced. */
export const statementSpans = (client: SqlClient): StatementSpans | undefined => spansOf.get(client)

const wrap = <Client extends SqlClient>(
  client: Client,
  spans: StatementSpans,
  withTransaction: SqlClient["withTransaction"]
): Client => {
  const make = (inner: Inner) => asStatement(new TracedStatement(inner, owner))
  const sql = function (strings: unknown, ...args: ReadonlyArray<never>): unknown {
    const made: unknown = (client as (strings: unknown, ...args: ReadonlyArray<never>) => unknown)(strings, ...args)
    return typeof strings === "string" ? made : make(made as Statement.Statement<unknown>)
  } as unknown as Client
  const owner: Owner = { client, sql, spans }
  let untransformed: Client | undefined
  Object.assign(sql, client, {
    unsafe: (text: string, params?: ReadonlyArray<unknown>) => make(client.unsafe(text, params)),
    safe: sql,
    reserve: Effect.map(client.reserve, (connection) => tracedConnection(connection, spans)),
    withTransaction,
    withoutTransforms: () => {
      if (untransformed === undefined) {
        const other = client.withoutTransforms()
        untransformed = other === client ? sql : wrap(other, spans, withTransaction)
      }
      return untransformed
    }
  })
  spansOf.set(sql, spans)
  return sql
}

/** One of the ways to run a statement. */
interface Way<A> {
  readonly of: (statement: Statement.Statement<unknown>) => Effect.Effect<A, SqlError>
  readonly rowsOf: RowsOf<A>
  /** Whether names in the statement stay as they are written. */
  readonly untransformed: boolean
}

const list = (of: Way<ReadonlyArray<unknown>>["of"], untransformed = false): Way<ReadonlyArray<unknown>> => ({
  of,
  rowsOf: rowsOfList,
  untransformed
})

const ways = {
  rows: list((statement) => statement),
  withoutTransform: list((statement) => statement.withoutTransform, true),
  values: list((statement) => statement.values) as Way<ReadonlyArray<ReadonlyArray<unknown>>>,
  valuesUnprepared: list((statement) => statement.valuesUnprepared) as Way<ReadonlyArray<ReadonlyArray<unknown>>>,
  unprepared: list((statement) => statement.unprepared),
  raw: { of: (statement) => statement.raw, rowsOf: rowsOfRaw, untransformed: true } satisfies Way<unknown>
}

type Inner = Statement.Statement<unknown>

/** What a statement needs of the client that it belongs to. */
interface Owner {
  /** The wrapped client. */
  readonly client: SqlClient
  /** The traced one. */
  readonly sql: SqlClient
  readonly spans: StatementSpans
}

class TracedStatement extends Effectable.Class<ReadonlyArray<unknown>, SqlError> {
  readonly inner: Inner
  readonly owner: Owner
  readonly segments: Inner["segments"]
  constructor(inner: Inner, owner: Owner) {
    super()
    this.inner = inner
    this.owner = owner
    this.segments = inner.segments
  }
  asEffect(): Effect.Effect<ReadonlyArray<unknown>, SqlError> {
    return perform(this, ways.rows)
  }
  get withoutTransform(): Inner["withoutTransform"] {
    return perform(this, ways.withoutTransform)
  }
  get raw(): Inner["raw"] {
    return perform(this, ways.raw)
  }
  get values(): Inner["values"] {
    return perform(this, ways.values)
  }
  get valuesUnprepared(): Inner["valuesUnprepared"] {
    return perform(this, ways.valuesUnprepared)
  }
  get unprepared(): Inner["unprepared"] {
    return perform(this, ways.unprepared)
  }
  get stream(): Inner["stream"] {
    return streaming(this)
  }
  compile(withoutTransform?: boolean): ReturnType<Inner["compile"]> {
    return this.inner.compile(withoutTransform)
  }
  override toJSON(): unknown {
    return this.inner.toJSON()
  }
}

// What makes a value a fragment, so that a statement can be part of another.
const { segments: _, ...fragmentMark } = Statement.fragment([])
Object.assign(TracedStatement.prototype, fragmentMark)

/** The statement as its users see it. */
const asStatement = (traced: TracedStatement): Inner => traced as unknown as Inner

const perform = <A>(self: TracedStatement, asked: Way<A>): Effect.Effect<A, SqlError> =>
  Effect.withFiber((fiber) => {
    // Without tracing the wrapped client does what it always does, its transformer included.
    if (!isTracing(fiber)) return Effect.mapError(asked.of(self.inner), refine)
    const { client, spans, sql } = self.owner
    const wayFor = (described: Described): Way<A> =>
      asked === (ways.rows as unknown) && spans.countsChanges(fiber, described)
        ? (counting(client) as unknown as Way<A>)
        : asked
    const described = spans.describe(self.inner.compile(asked.untransformed)[0])
    const transformer = fiber.getRef(Statement.CurrentTransformer)
    if (transformer === undefined) {
      const way = wayFor(described)
      return spans.settle(fiber, described, silently(way.of(self.inner)), way.rowsOf)
    }
    return spans.open(described, (span) =>
      Effect.flatMap(transformer(asStatement(self), sql, fiber, span), (statement) => {
        const changed = transformed(self, span, statement, asked.untransformed)
        const way = wayFor(changed.described)
        return spans.settleOpen(fiber, span, changed.described, silently(way.of(changed.statement)), way.rowsOf)
      })
    )
  })

/** Runs a statement that gives no rows so that it is known how many it changed: only the driver's own result says so. */
const counting = (client: SqlClient): Way<ReadonlyArray<unknown>> => {
  let outcome: Outcome = {}
  return {
    of: (statement) =>
      Effect.map(client.unsafe(...statement.compile()).raw, (result) => {
        outcome = rowsOfRaw(result)
        const { rows } = result as { readonly rows?: unknown }
        return Array.isArray(rows) ? rows : []
      }),
    rowsOf: () => outcome,
    untransformed: false
  }
}

const silently = <A>(effect: Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> =>
  Effect.provideContext(effect, silent)

/** What a transformer made of a statement, for the wrapped client, and what its text says now. */
const transformed = (
  self: TracedStatement,
  span: Tracer.Span,
  statement: Inner,
  untransformed: boolean
): { readonly statement: Inner; readonly described: Described } => {
  const [text, params] = statement.compile(untransformed)
  const described = self.owner.spans.describe(text)
  rename(span, described.query.spanName)
  return {
    statement: statement === asStatement(self) ? self.inner : self.owner.client.unsafe(text, params),
    described
  }
}

const streaming = (self: TracedStatement): Stream.Stream<unknown, SqlError> =>
  Stream.unwrap(
    Effect.withFiber((fiber) => {
      if (!isTracing(fiber)) return Effect.succeed(Stream.mapError(self.inner.stream, refine))
      const { spans, sql } = self.owner
      const described = spans.describe(self.inner.compile()[0])
      const transformer = fiber.getRef(Statement.CurrentTransformer)
      const settle = (span: Tracer.Span, statement: Inner, now: Described) =>
        spans.settleStream(fiber, span, now, Stream.provideContext(statement.stream, silent))
      return Effect.flatMap(spans.scoped(described), (span) =>
        transformer === undefined
          ? settle(span, self.inner, described)
          : Effect.flatMap(transformer(asStatement(self), sql, fiber, span), (statement) => {
              const changed = transformed(self, span, statement, false)
              return settle(span, changed.statement, changed.described)
            })
      )
    })
  )

/** A reserved connection, traced: the wrapped client makes no spans for what runs on one. */
const tracedConnection = (connection: Connection, spans: StatementSpans): Connection => ({
  execute: (text, params, transform) => spans.run(text, connection.execute(text, params, transform), rowsOfList),
  executeRaw: (text, params) => spans.run(text, connection.executeRaw(text, params), rowsOfRaw),
  executeValues: (text, params) => spans.run(text, connection.executeValues(text, params), rowsOfList),
  executeValuesUnprepared: (text, params) =>
    spans.run(text, connection.executeValuesUnprepared(text, params), rowsOfList),
  executeUnprepared: (text, params, transform) =>
    spans.run(text, connection.executeUnprepared(text, params, transform), rowsOfList),
  executeStream: (text, params, transform) =>
    Stream.unwrap(
      Effect.withFiber((fiber) => {
        const stream = connection.executeStream(text, params, transform)
        if (!isTracing(fiber)) return Effect.succeed(Stream.mapError(stream, refine))
        const described = spans.describe(text)
        return Effect.flatMap(spans.scoped(described), (span) => spans.settleStream(fiber, span, described, stream))
      })
    )
})
