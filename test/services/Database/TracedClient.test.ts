/** `traced` with a client of another making: SQLite, as Node.js has it. */
import { assert, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { SqlError, classifySqliteError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { DatabaseSync } from "node:sqlite"
import * as Database from "../../../src/services/Database/Database.ts"
import { StatementSpans } from "../../../src/services/Database/StatementSpan.ts"
import * as Disabled from "../../../src/tracer/Disabled.ts"
import { observe, spansOf, tree } from "./support.ts"

const sqlite = Effect.gen(function* () {
  const database = yield* Effect.acquireRelease(
    Effect.sync(() => new DatabaseSync(":memory:")),
    (database) => Effect.sync(() => database.close())
  )
  const all = (text: string, params: ReadonlyArray<unknown>) =>
    Effect.try({
      try: () => database.prepare(text).all(...(params as ReadonlyArray<string | number>)),
      catch: (cause) => {
        const { errcode: errno, message } = cause as Error & { readonly errcode?: number }
        return new SqlError({ reason: classifySqliteError({ errno, message }, { message, operation: "execute" }) })
      }
    })
  const values = (text: string, params: ReadonlyArray<unknown>) =>
    Effect.map(all(text, params), (rows) => rows.map((row) => Object.values(row)))
  const connection: Connection = {
    execute: (text, params, transform) => Effect.map(all(text, params), (rows) => transform?.(rows) ?? rows),
    executeRaw: all,
    executeValues: values,
    executeValuesUnprepared: values,
    executeUnprepared: (text, params, transform) => Effect.map(all(text, params), (rows) => transform?.(rows) ?? rows),
    executeStream: (text, params) => Stream.fromIterableEffect(all(text, params))
  }
  const semaphore = Semaphore.makeUnsafe(1)
  return yield* SqlClient.make({
    ...SqlClient.makeSqliteAcquirers({ connection: Effect.succeed(connection), semaphore }),
    compiler: Statement.makeCompilerSqlite(),
    driver: "node-sqlite",
    spanAttributes: [["db.system.name", "sqlite"]]
  })
}).pipe(Effect.provide(Reactivity.layer))

describe("a client of another making", () => {
  it.effect("has our spans", () =>
    Effect.gen(function* () {
      const plain = yield* sqlite
      const sql = Database.traced(plain, { namespace: ":memory:" })
      assert.strictEqual(Database.traced(sql), sql)
      const spans = yield* spansOf(
        Effect.gen(function* () {
          yield* sql`CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT)`
          yield* sql`INSERT OR REPLACE INTO posts ${sql.insert({ id: 1, title: "one" })}`
          expect(yield* sql`SELECT * FROM [posts] WHERE title <> 'secret'`).toEqual([{ id: 1, title: "one" }])
          yield* Stream.runDrain(sql`SELECT * FROM posts`.stream)
        })
      )
      assert.deepStrictEqual(tree(spans), ["db.create_table", "db.insert", "db.select", "db.select"])
      assert.deepStrictEqual(spans[2]!.attributes, {
        "db.system.name": "sqlite",
        "db.namespace": ":memory:",
        "db.operation.name": "SELECT",
        "db.collection.name": "posts",
        "db.query.summary": "SELECT posts",
        "db.query.text": "SELECT * FROM [posts] WHERE title <> ?",
        "db.response.returned_rows": 1
      })
    }).pipe(Effect.scoped)
  )

  it.effect("keeps its own transactions, with its own span around them", () =>
    Effect.gen(function* () {
      const sql = Database.traced(yield* sqlite)
      yield* sql`CREATE TABLE posts (id INTEGER PRIMARY KEY)`
      const { exit, spans } = yield* observe(
        sql.withTransaction(Effect.andThen(sql`INSERT INTO posts VALUES (1)`, sql`INSERT INTO posts VALUES (1)`))
      )
      assert.strictEqual(exit._tag, "Failure")
      assert.deepStrictEqual(tree(spans), [
        "db.insert < sql.transaction",
        "db.insert < sql.transaction",
        "sql.transaction"
      ])
      assert.strictEqual(spans[1]!.attributes["error.type"], "InvalidRequest")
      expect(yield* sql`SELECT * FROM posts`).toEqual([])
    }).pipe(Effect.scoped)
  )
})

describe("other tracers", () => {
  it.effect("Effect's own tracer gets the same spans; a transformer's change keeps the first name", () =>
    Effect.gen(function* () {
      const sql = Database.traced(yield* sqlite)
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      const toSelect: Statement.Transformer = (_, sql) => Effect.succeed(sql`SELECT 1`)
      yield* Effect.gen(function* () {
        yield* sql`CREATE TABLE posts (id INTEGER)`
        yield* Effect.provideService(sql`DELETE FROM posts`, Statement.CurrentTransformer, toSelect)
      }).pipe(Effect.provideService(Tracer.Tracer, tracer))
      assert.deepStrictEqual(
        spans.map(({ attributes, name }) => [name, attributes.get("db.query.text")]),
        [
          ["db.create_table", "CREATE TABLE posts (id INTEGER)"],
          ["db.delete", "SELECT ?"]
        ]
      )
    }).pipe(Effect.scoped)
  )

  it.effect("where tracing is switched off, the wrapped client runs as it is", () =>
    Effect.gen(function* () {
      const sql = Database.traced(yield* sqlite)
      expect(yield* sql`SELECT 1 AS n`).toEqual([{ n: 1 }])
      expect(yield* Stream.runCollect(sql`SELECT 1 AS n`.stream)).toEqual([{ n: 1 }])
    }).pipe(Effect.scoped, Effect.provide(Disabled.layer))
  )
})

describe("what a text says is kept", () => {
  it("as long as it is asked for, and not more than so much", () => {
    const spans = new StatementSpans({ system: "postgresql" }, "pg")
    const first = spans.describe("SELECT 0")
    assert.strictEqual(spans.describe("SELECT 0"), first)
    for (let i = 1; i <= 600; i++) {
      spans.describe(`SELECT ${i}`)
      spans.describe("SELECT 0")
    }
    assert.strictEqual(spans.describe("SELECT 0"), first)
    const once = spans.describe("SELECT 1")
    for (let i = 2; i <= 3000; i++) spans.describe(`SELECT ${i} AS n`)
    assert.notStrictEqual(spans.describe("SELECT 1"), once)
    const long = `SELECT ${"a, ".repeat(10_000)} b`
    assert.notStrictEqual(spans.describe(long), spans.describe(long))
  })
})
