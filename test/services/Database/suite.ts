/**
 * What every layer of the database has to do. The embedded one and a real server run the same tests; what only a server
 * can do is asked for by name.
 */
import { assert, expect, layer } from "@effect/vitest"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { SqlError } from "effect/sql/SqlError"
import * as Migrator from "effect/sql/Migrator"
import * as Statement from "effect/sql/Statement"
import * as SqlSchema from "effect/sql/SqlSchema"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as Database from "../../../src/services/Database/Database.ts"
import * as ExpectedFailures from "../../../src/operation/ExpectedFailures.ts"
import * as TraceAttributes from "../../../src/tracer/TraceAttributes.ts"
import { CurrentSemconvStability } from "../../../src/tracer/SemconvStability.ts"
import { type SeenSpan, observe, spansOf, tree } from "./support.ts"

export interface SuiteOptions<E> {
  readonly layer: Layer.Layer<PgClient.PgClient | SqlClient.SqlClient, E>
  /** What the spans say of where statements go. */
  readonly target: {
    readonly "db.namespace": string
    readonly "server.address": string
    /** Where it is not given, the port is that of the client's configuration. */
    readonly "server.port"?: number
  }
  /** A table's name that this run has for itself. */
  readonly table: string
}

class Mistake extends Schema.TaggedError<Mistake>()("Mistake", { message: Schema.String }) {}

/** An error of the server's own making, with this SQLSTATE. */
const raise = (sql: SqlClient.SqlClient, sqlState: string) =>
  sql.unsafe(`DO $$ BEGIN RAISE EXCEPTION 'made to fail' USING ERRCODE = '${sqlState}'; END $$`)

const failure = <A, E>(exit: Exit.Exit<A, E>): E => {
  if (Exit.isSuccess(exit)) throw new Error("it did not fail")
  const [reason] = exit.cause.reasons
  if (reason === undefined || !Cause.isFailReason(reason)) throw new Error(`no failure: ${Cause.pretty(exit.cause)}`)
  return reason.error
}

const one = (spans: ReadonlyArray<SeenSpan>): SeenSpan => {
  assert.strictEqual(spans.length, 1, tree(spans).join(", "))
  return spans[0]!
}

export const suite = <E>(name: string, options: SuiteOptions<E>): void => {
  const { table, target } = options
  const base = Effect.map(PgClient.PgClient, ({ config }) => ({
    "db.system.name": "postgresql",
    "server.port": config.port,
    ...target
  }))

  layer(options.layer, { excludeTestServices: true, timeout: "60 seconds" })(name, (it) => {
    const fresh = Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`DROP TABLE IF EXISTS ${sql(table)}`
      yield* sql`CREATE TABLE ${sql(table)} (id int PRIMARY KEY, title text NOT NULL)`
      yield* sql`INSERT INTO ${sql(table)} ${sql.insert([
        { id: 1, title: "one" },
        { id: 2, title: "two" },
        { id: 3, title: "three" }
      ])}`
      return sql
    })

    it.effect("a statement is one client span with exactly what is documented", () =>
      Effect.gen(function* () {
        const sql = yield* fresh
        const span = one(yield* spansOf(sql`SELECT * FROM ${sql(table)} WHERE title <> ${"secret"} LIMIT 10`))
        assert.strictEqual(span.name, "db.select")
        assert.strictEqual(span.kind, "client")
        assert.deepStrictEqual(span.attributes, {
          ...(yield* base),
          "db.operation.name": "SELECT",
          "db.collection.name": table,
          "db.query.summary": `SELECT ${table}`,
          "db.query.text": `SELECT * FROM "${table}" WHERE title <> $1 LIMIT ?`,
          "db.response.returned_rows": 3
        })
      })
    )

    it.effect("every way to run a statement makes one span and counts its rows", () =>
      Effect.gen(function* () {
        const sql = yield* fresh
        const statement = () => sql`SELECT id FROM ${sql(table)} ORDER BY id`
        const ways = {
          rows: statement(),
          withoutTransform: statement().withoutTransform,
          values: statement().values,
          valuesUnprepared: statement().valuesUnprepared,
          unprepared: statement().unprepared,
          raw: statement().raw,
          stream: Stream.runCollect(statement().stream),
          unsafe: sql.unsafe(`SELECT id FROM "${table}" WHERE id < $1`, [4]),
          untransformed: sql.withoutTransforms()`SELECT id FROM ${sql(table)}`,
          reserved: Effect.scoped(
            Effect.flatMap(sql.reserve, (connection) => connection.execute(`SELECT id FROM "${table}"`, [], undefined))
          )
        }
        for (const [way, effect] of Object.entries(ways)) {
          const span = one(yield* spansOf<unknown, SqlError, never>(effect as Effect.Effect<unknown, SqlError>))
          assert.deepStrictEqual([way, span.name, span.attributes["db.response.returned_rows"]], [way, "db.select", 3])
        }
        expect(yield* statement()).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }])
        expect(yield* statement().values).toEqual([[1], [2], [3]])
        expect(yield* statement().raw).toMatchObject({ command: "SELECT", rowCount: 3 })
      })
    )

    it.effect("a statement can be part of another, and decoded by a schema", () =>
      Effect.gen(function* () {
        const sql = yield* fresh
        const inner = sql`SELECT id FROM ${sql(table)} WHERE id > ${1}`
        const find = SqlSchema.findAll({
          Request: Schema.Number,
          Result: Schema.Struct({ id: Schema.Number }),
          execute: (id) => sql`SELECT * FROM (${inner}) q WHERE id < ${id}`
        })
        const { exit, spans } = yield* observe(find(3))
        expect(yield* exit).toEqual([{ id: 2 }])
        assert.strictEqual(one(spans).attributes["db.query.summary"], `SELECT SELECT ${table}`)
      })
    )

    it.effect("writes and definitions are named by what they do", () =>
      Effect.gen(function* () {
        const sql = yield* fresh
        const spans = yield* spansOf(
          Effect.gen(function* () {
            yield* sql`INSERT INTO ${sql(table)} ${sql.insert({ id: 4, title: "four" }).returning("*")}`
            yield* sql`UPDATE ${sql(table)} SET title = ${"4"} WHERE id = 4`
            yield* sql`DELETE FROM ${sql(table)} WHERE id > 3 RETURNING id`
            yield* sql`CREATE INDEX ON ${sql(table)} (title)`
            yield* sql`EXPLAIN SELECT * FROM ${sql(table)}`
          })
        )
        assert.deepStrictEqual(
          spans.map(({ attributes, name }) => [name, attributes["db.response.returned_rows"]]),
          [
            ["db.insert", 1],
            ["db.update", undefined],
            ["db.delete", 1],
            ["db.create_index", undefined],
            ["db.explain", spans[4]?.attributes["db.response.returned_rows"]]
          ]
        )
        assert.isAbove(spans[4]!.attributes["db.response.returned_rows"] as number, 0)
        assert.isTrue(spans.every(({ attributes }) => attributes["db.collection.name"] === table))
      })
    )

    it.effect("a failure has its reason and SQLSTATE, and says what the server said", () =>
      Effect.gen(function* () {
        const sql = yield* fresh
        const { exit, spans } = yield* observe(sql`INSERT INTO ${sql(table)} ${sql.insert({ id: 1, title: "again" })}`)
        const error = failure(exit)
        const span = one(spans)
        assert.strictEqual(span.attributes["error.type"], "Conflict")
        assert.strictEqual(span.attributes["db.response.status_code"], "23505")
        assert.isUndefined(span.attributes["db.response.returned_rows"])
        assert.deepStrictEqual([span.status, span.statusMessage], ["error", error.message])
        assert.strictEqual(error.reason._tag, "UniqueViolation")
        assert.strictEqual(
          error.message,
          `duplicate key value violates unique constraint "${table}_pkey" (SQLSTATE 23505)`
        )
        const reason = Database.reasonOf(error)
        assert.deepStrictEqual([reason._tag, reason.code, reason.isRetryable], ["Conflict", "23505", false])
      })
    )

    it.effect("a failure about a value does not show the value", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const { exit, spans } = yield* observe(sql`SELECT ${"hunter2"}::text::int`)
        const error = failure(exit)
        assert.strictEqual(error.message, 'invalid input syntax for type integer: "?" (SQLSTATE 22P02)')
        assert.notInclude(Cause.pretty(Cause.fail(error)), "hunter2")
        assert.notInclude(
          JSON.stringify([one(spans).attributes, one(spans).events.map((event) => event.attributes)]),
          "hunter2"
        )
        assert.strictEqual(one(spans).attributes["error.type"], "InvalidRequest")
      })
    )

    it.effect("SQLSTATEs become reasons, and reasons can be caught", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const cases: ReadonlyArray<readonly [sqlState: string, tag: Database.Tag, isRetryable: boolean]> = [
          ["40001", "SerializationFailure", true],
          ["40P01", "Deadlock", true],
          ["55P03", "LockTimeout", true],
          ["57P03", "Unavailable", true],
          ["53300", "Unavailable", true],
          ["53100", "Unavailable", false],
          ["23P01", "Conflict", false],
          ["57014", "Cancelled", false],
          ["25006", "ReadOnly", false],
          ["42501", "Unauthorized", false],
          ["23502", "InvalidRequest", false],
          ["P0001", "InvalidRequest", false]
        ]
        for (const [sqlState, tag, isRetryable] of cases) {
          const { exit, spans } = yield* observe(raise(sql, sqlState))
          const error = failure(exit)
          const { attributes } = one(spans)
          assert.deepStrictEqual(
            [attributes["db.response.status_code"], attributes["error.type"], Database.isRetryable(error)],
            [sqlState, tag, isRetryable]
          )
        }
        const caught = yield* raise(sql, "25006").pipe(
          Database.catchReason("Conflict", () => Effect.succeed("conflict")),
          Database.catchReason("ReadOnly", (reason) => Effect.succeed(reason.code))
        )
        assert.strictEqual(caught, "25006")
      })
    )

    it.effect("a transaction shows begin, statements and commit; the current span inside is the one outside", () =>
      Effect.gen(function* () {
        const sql = yield* fresh
        const spans = yield* spansOf(
          sql
            .withTransaction(
              Effect.gen(function* () {
                yield* sql`UPDATE ${sql(table)} SET title = title`
                yield* Effect.annotateCurrentSpan("inside", true)
                yield* sql`SELECT 1`.pipe(Effect.withSpan("step"))
              })
            )
            .pipe(Effect.withSpan("request"))
        )
        assert.deepStrictEqual(tree(spans), [
          "db.begin < request",
          "db.update < request",
          "db.select < step",
          "step < request",
          "db.commit < request",
          "request"
        ])
        assert.strictEqual(spans.at(-1)!.attributes["inside"], true)
        assert.deepStrictEqual(spans[4]!.attributes, {
          ...(yield* base),
          "db.operation.name": "COMMIT",
          "db.query.summary": "COMMIT",
          "db.query.text": "COMMIT"
        })
      })
    )

    it.effect("a transaction without a span around it has roots only", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        assert.deepStrictEqual(tree(yield* spansOf(sql.withTransaction(sql`SELECT 1`))), [
          "db.begin",
          "db.select",
          "db.commit"
        ])
      })
    )

    it.effect("a failure rolls back; a nested transaction is a savepoint", () =>
      Effect.gen(function* () {
        const sql = yield* fresh
        const add = (id: number) => sql`INSERT INTO ${sql(table)} ${sql.insert({ id, title: "new" })}`
        const mistake = Effect.fail(new Mistake({ message: "on purpose" }))
        const { exit, spans } = yield* observe(
          sql.withTransaction(
            Effect.gen(function* () {
              yield* sql.withTransaction(add(10))
              yield* sql.withTransaction(Effect.andThen(add(11), mistake)).pipe(Effect.ignore)
              yield* sql.withTransaction(raise(sql, "22012")).pipe(Effect.ignore)
              yield* add(12)
            })
          )
        )
        assert.isTrue(Exit.isSuccess(exit))
        assert.deepStrictEqual(
          spans.map(({ name }) => name),
          "begin, savepoint insert release_savepoint, savepoint insert rollback release_savepoint, savepoint do rollback release_savepoint, insert, commit"
            .split(/,? /)
            .map((name) => `db.${name}`)
        )
        const rolledBack = yield* observe(sql.withTransaction(Effect.andThen(add(13), mistake)))
        assert.strictEqual(failure(rolledBack.exit)._tag, "Mistake")
        assert.deepStrictEqual(
          rolledBack.spans.map(({ name }) => name),
          ["db.begin", "db.insert", "db.rollback"]
        )
        expect(yield* sql`SELECT id FROM ${sql(table)} WHERE id >= 10 ORDER BY id`).toEqual([{ id: 10 }, { id: 12 }])
      })
    )

    it.effect("a commit that the server turns into a rollback is a failure", () =>
      Effect.gen(function* () {
        const sql = yield* fresh
        const { exit, spans } = yield* observe(sql.withTransaction(Effect.ignore(raise(sql, "22012"))))
        assert.include(failure(exit).message, "rolled back at its end")
        assert.strictEqual(spans.at(-1)!.name, "db.commit")
        assert.strictEqual(spans.at(-1)!.attributes["error.type"], "Unclassified")
      })
    )

    it.effect("what waits for the commit runs after it", () =>
      Effect.gen(function* () {
        const sql = yield* fresh
        const ran: Array<string> = []
        yield* sql.withTransaction(
          Effect.andThen(
            sql.afterCommit(Effect.sync(() => void ran.push("after"))),
            Effect.sync(() => void ran.push("inside"))
          )
        )
        assert.deepStrictEqual(ran, ["inside", "after"])
      })
    )

    it.effect("a stream is one span from its first pull to its end", () =>
      Effect.gen(function* () {
        const sql = yield* fresh
        const rows = sql`SELECT n FROM generate_series(1, 2000) n`.stream
        const spans = yield* spansOf(
          Stream.runDrain(
            Stream.mapEffect(rows, () => Effect.void.pipe(Effect.withSpan("row")), { concurrency: 1 }).pipe(
              Stream.take(2000)
            )
          ).pipe(Effect.withSpan("request"))
        )
        const stream = spans.find(({ name }) => name === "db.select")!
        assert.strictEqual(stream.attributes["db.response.returned_rows"], 2000)
        assert.strictEqual(spans.filter(({ name, parent }) => name === "row" && parent === "request").length, 2000)
        assert.strictEqual(stream.parent, "request")

        const part = one(yield* spansOf(Stream.runDrain(Stream.take(rows, 1))))
        assert.isAtLeast(part.attributes["db.response.returned_rows"] as number, 1)
        assert.strictEqual(part.status, "unset")

        const broken = yield* observe(Stream.runDrain(sql`SELECT 1 / (3 - n) FROM generate_series(1, 5) n`.stream))
        assert.strictEqual(failure(broken.exit)._tag, "SqlError")
        assert.strictEqual(one(broken.spans).attributes["db.response.status_code"], "22012")
        assert.strictEqual(one(broken.spans).status, "error")
      })
    )

    it.effect("the transformer gets the statement's span, once, and may change the statement", () =>
      Effect.gen(function* () {
        const sql = yield* fresh
        let calls = 0
        const transformer: Statement.Transformer = (self, sql, _fiber, span) => {
          calls++
          span.attribute("tenant.id", "t-1")
          const [text] = self.compile()
          return Effect.succeed(text.startsWith("DELETE") ? sql`SELECT id FROM ${sql(table)} WHERE id = ${2}` : self)
        }
        const run = <A, E>(effect: Effect.Effect<A, E>) =>
          observe(Effect.provideService(effect, Statement.CurrentTransformer, transformer))

        const same = yield* run(sql`SELECT id FROM ${sql(table)} WHERE id = ${1}`)
        expect(yield* same.exit).toEqual([{ id: 1 }])
        assert.strictEqual(one(same.spans).attributes["tenant.id"], "t-1")
        assert.strictEqual(calls, 1)

        const changed = yield* run(sql`DELETE FROM ${sql(table)}`)
        expect(yield* changed.exit).toEqual([{ id: 2 }])
        const span = one(changed.spans)
        assert.deepStrictEqual(
          [span.name, span.attributes["db.operation.name"], span.attributes["tenant.id"]],
          ["db.select", "SELECT", "t-1"]
        )

        const streamed = yield* run(Stream.runCollect(sql`DELETE FROM ${sql(table)}`.stream))
        expect(yield* streamed.exit).toEqual([{ id: 2 }])
        assert.strictEqual(one(streamed.spans).attributes["tenant.id"], "t-1")
        assert.strictEqual(calls, 3)
      })
    )

    it.effect("without tracing there are no spans, and everything works", () =>
      Effect.gen(function* () {
        const sql = yield* fresh
        let calls = 0
        const transformer: Statement.Transformer = (self) => Effect.sync(() => (calls++, self))
        const { exit, spans } = yield* observe(
          Effect.gen(function* () {
            yield* sql`SELECT 1`
            yield* sql.withTransaction(sql`SELECT 1`)
            yield* Stream.runDrain(sql`SELECT 1`.stream)
            return yield* Effect.flip(raise(sql, "40001"))
          }).pipe(Effect.provideService(Statement.CurrentTransformer, transformer), Effect.withTracerEnabled(false))
        )
        assert.deepStrictEqual(tree(spans), [])
        assert.include((yield* exit).message, "made to fail (SQLSTATE 40001)")
        assert.strictEqual(calls, 4)
      })
    )

    it.effect("a trace that is not sampled has no spans, and everything works", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const parent = Tracer.externalSpan({
          traceId: "0".repeat(31) + "1",
          spanId: "0".repeat(15) + "1",
          sampled: false
        })
        const { exit, spans } = yield* observe(
          Effect.withParentSpan(
            Effect.andThen(sql.withTransaction(sql`SELECT 1`), Stream.runCollect(sql`SELECT 2 AS n`.stream)),
            parent
          )
        )
        expect(yield* exit).toEqual([{ n: 2 }])
        assert.deepStrictEqual(tree(spans), [])
      })
    )

    it.effect("a failure that is expected is recorded without being an error", () =>
      Effect.gen(function* () {
        const sql = yield* fresh
        const insert = sql`INSERT INTO ${sql(table)} ${sql.insert({ id: 1, title: "again" })}`
        const span = one((yield* observe(ExpectedFailures.expect("Conflict")(insert))).spans)
        assert.deepStrictEqual([span.status, span.attributes["error.type"]], ["unset", "Conflict"])
      })
    )

    it.effect("the attributes of a request are on every span", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const spans = yield* spansOf(
          TraceAttributes.provide(
            Effect.gen(function* () {
              yield* TraceAttributes.annotate("user.id", "u-1")
              yield* sql.withTransaction(sql`SELECT 1`)
              yield* Stream.runDrain(sql`SELECT 1`.stream)
            })
          )
        )
        assert.deepStrictEqual(
          spans.map(({ attributes, name }) => [name, attributes["user.id"]]),
          [
            ["db.begin", "u-1"],
            ["db.select", "u-1"],
            ["db.commit", "u-1"],
            ["db.select", "u-1"]
          ]
        )
      })
    )

    it.effect("the older names stand beside the stable ones when asked for", () =>
      Effect.gen(function* () {
        const sql = yield* fresh
        const run = <A, E>(effect: Effect.Effect<A, E>) =>
          Effect.map(
            observe(Effect.provideService(effect, CurrentSemconvStability, { httpDup: false, databaseDup: true })),
            ({ exit, spans }) => ({ exit, attributes: one(spans).attributes })
          )
        const selected = yield* run(sql`SELECT * FROM ${sql(table)}`)
        assert.deepInclude(selected.attributes, {
          "db.system": "postgresql",
          "db.name": target["db.namespace"],
          "db.operation": "SELECT",
          "db.sql.table": table,
          "db.statement": `SELECT * FROM "${table}"`,
          "db.rows_affected": 3,
          "db.response.returned_rows": 3
        })
        const updated = yield* run(sql`UPDATE ${sql(table)} SET title = ${"x"} WHERE id > ${1}`)
        assert.strictEqual(updated.attributes["db.rows_affected"], 2)
        expect(yield* updated.exit).toEqual([])
      })
    )

    it.effect("a transaction is repeated as a whole, when asked to, and says so", () =>
      Effect.gen(function* () {
        const sql = yield* fresh
        let runs = 0
        const work = Effect.gen(function* () {
          runs++
          yield* sql`INSERT INTO ${sql(table)} ${sql.insert({ id: 100 + runs, title: "try" })}`
          if (runs < 3) yield* raise(sql, runs === 1 ? "40001" : "40P01")
          return runs
        })
        const retry = { attempts: 5, baseDelay: "1 millis" } as const
        const { exit, spans } = yield* observe(
          Database.transaction(work, { isolation: "serializable", retry }).pipe(Effect.withSpan("request"))
        )
        assert.strictEqual(yield* exit, 3)
        expect(yield* sql`SELECT id FROM ${sql(table)} WHERE id > 100`).toEqual([{ id: 103 }])
        assert.deepStrictEqual(
          spans.map(({ name }) => name),
          "db.begin db.insert db.do db.rollback db.begin db.insert db.do db.rollback db.begin db.insert db.commit request".split(
            " "
          )
        )
        assert.strictEqual(spans[0]!.attributes["db.query.text"], "BEGIN ISOLATION LEVEL SERIALIZABLE")
        assert.deepStrictEqual(
          spans
            .at(-1)!
            .events.map(({ attributes, name }) => [name, attributes["retry.attempt"], attributes["error.type"]]),
          [
            ["retry", 1, "SerializationFailure"],
            ["retry", 2, "Deadlock"]
          ]
        )
        assert.isTrue(spans.at(-1)!.events.every(({ attributes }) => Number.isInteger(attributes["retry.delay_ms"])))
      })
    )

    it.effect("a transaction is repeated only where that is asked for and can help, and so often as is allowed", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const runsOf = (effect: Effect.Effect<unknown, unknown>, options: Database.TransactionOptions) => {
          let runs = 0
          const counted = Effect.andThen(
            Effect.sync(() => {
              runs++
            }),
            effect
          )
          return Effect.map(
            Effect.exit(Effect.provideService(Database.transaction(counted, options), SqlClient.SqlClient, sql)),
            () => runs
          )
        }
        const retry = { baseDelay: "1 millis" } as const
        assert.strictEqual(yield* runsOf(raise(sql, "40001"), {}), 1)
        assert.strictEqual(yield* runsOf(raise(sql, "40001"), { retry: false }), 1)
        assert.strictEqual(yield* runsOf(raise(sql, "40001"), { retry }), 3)
        assert.strictEqual(yield* runsOf(raise(sql, "23505"), { retry }), 1)
        assert.strictEqual(yield* runsOf(Effect.fail(new Mistake({ message: "no" })), { retry }), 1)
        assert.strictEqual(yield* runsOf(Effect.orDie(raise(sql, "40001")), { retry }), 3)
        const wrapped = Effect.mapError(raise(sql, "40001"), (cause) => ({ _tag: "OfTheApplication", cause }))
        assert.strictEqual(yield* runsOf(wrapped, { retry }), 3)
        assert.strictEqual(yield* runsOf(Effect.interrupt, { retry }), 1)
        // Inside another one it is a savepoint, and what it failed for concerns the whole.
        let inner = 0
        const nested = Database.transaction(
          Effect.suspend(() => {
            inner++
            return raise(sql, "40001")
          }),
          { isolation: "serializable", retry }
        ).pipe(Effect.provideService(SqlClient.SqlClient, sql))
        assert.strictEqual(yield* runsOf(nested, { retry }), 3)
        assert.strictEqual(inner, 3)
      })
    )

    it.effect("a transaction's mode holds for it alone", () =>
      Effect.gen(function* () {
        const sql = yield* fresh
        const mode = Effect.map(
          sql<{ transaction_read_only: string }>`SHOW transaction_read_only`,
          ([row]) => row?.transaction_read_only
        )
        assert.strictEqual(yield* Database.transaction(mode, { access: "read only" }), "on")
        assert.strictEqual(yield* Database.transaction(mode), "off")
        const error = yield* Effect.flip(Database.transaction(sql`DELETE FROM ${sql(table)}`, { access: "read only" }))
        assert.strictEqual(Database.reasonOf(error)._tag, "ReadOnly")
      })
    )

    it.effect("migrations run on it", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`DROP TABLE IF EXISTS ${sql(`${table}_migrations`)}, ${sql(`${table}_made`)}`
        const migrate = Migrator.make({})({
          table: `${table}_migrations`,
          loader: Migrator.fromRecord({
            "0001_make": Effect.flatMap(
              SqlClient.SqlClient,
              (sql) => sql`CREATE TABLE ${sql(`${table}_made`)} (id int)`
            )
          })
        })
        const { exit, spans } = yield* observe(migrate)
        expect(yield* exit).toEqual([[1, "make"]])
        expect(yield* migrate).toEqual([])
        const names = spans.map(({ name }) => name)
        assert.include(names, "db.begin")
        assert.include(names, "db.lock")
        assert.include(names, "db.commit")
        assert.include(tree(spans), "db.create_table < Migrator 1_make")
        assert.isFalse(names.some((name) => name.startsWith("sql.")))
        yield* sql`DROP TABLE ${sql(`${table}_migrations`)}, ${sql(`${table}_made`)}`
      })
    )

    it.effect("many fibers share it: statements, transactions and streams at once", () =>
      Effect.gen(function* () {
        const sql = yield* fresh
        const add = (id: number) =>
          sql.withTransaction(
            Effect.gen(function* () {
              yield* sql`INSERT INTO ${sql(table)} ${sql.insert({ id, title: "many" })}`
              yield* Effect.yieldNow
              if (id % 5 === 0) yield* new Mistake({ message: "every fifth" })
            })
          )
        yield* Effect.forEach(
          Array.from({ length: 60 }, (_, i) => i),
          (i) =>
            Effect.all(
              [
                Effect.ignore(add(1000 + i)),
                sql`SELECT count(*) FROM ${sql(table)}`,
                Stream.runDrain(sql`SELECT n FROM generate_series(1, 10) n`.stream)
              ],
              { concurrency: "unbounded", discard: true }
            ),
          { concurrency: "unbounded", discard: true }
        ).pipe(Effect.timeout("20 seconds"))
        expect(yield* sql`SELECT count(*)::int AS n FROM ${sql(table)} WHERE id >= 1000`).toEqual([{ n: 48 }])
      })
    )

    it.effect("an interrupted statement leaves everything usable", () =>
      Effect.gen(function* () {
        const sql = yield* fresh
        const { exit, spans } = yield* observe(
          Effect.gen(function* () {
            const fibers = yield* Effect.forEach(Array.from({ length: 30 }), () =>
              Effect.forkChild(sql`SELECT count(*) FROM generate_series(1, 5000)`)
            )
            yield* Effect.yieldNow
            yield* Fiber.interruptAll(fibers)
            yield* sql.withTransaction(Effect.interrupt).pipe(Effect.exit)
          })
        )
        assert.isTrue(Exit.isSuccess(exit))
        assert.deepStrictEqual(
          spans.slice(-2).map(({ name }) => name),
          ["db.begin", "db.rollback"]
        )
        expect(yield* sql`SELECT count(*)::int AS n FROM ${sql(table)}`).toEqual([{ n: 3 }])
      })
    )

    it.effect("cleans up", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`DROP TABLE IF EXISTS ${sql(table)}`
        expect(yield* sql`SELECT 1 FROM pg_tables WHERE tablename = ${table}`).toEqual([])
      })
    )
  })
}
