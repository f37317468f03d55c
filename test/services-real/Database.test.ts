/**
 * The database on a real PostgreSQL, named by `TEST_DATABASE_URL` (`postgresql://user:password@host:port/database`): the suite
 * of the embedded one, plain and multiplexed, and what only a server can do.
 */
import { assert, describe, expect, it, layer } from "@effect/vitest"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as SqlClient from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import * as Database from "../../src/services/Database/Database.ts"
import * as DatabaseLive from "../../src/services/Database/DatabaseLive.ts"
import { suite } from "../services/Database/suite.ts"
import { realServer } from "./support.ts"
import { observe, spansOf, tree } from "../services/Database/support.ts"

realServer("TEST_DATABASE_URL")("PostgreSQL", ({ TEST_DATABASE_URL: text }) => {
  const url = new URL(text)
  const target = {
    "db.namespace": url.pathname.slice(1),
    "server.address": url.hostname,
    "server.port": Number(url.port === "" ? 5432 : url.port)
  }
  const run = `t${process.pid}_${Date.now()}`

  suite("a PostgreSQL server", { layer: DatabaseLive.layer({ url: text }), target, table: `${run}_a` })
  suite("a PostgreSQL server, multiplexed", {
    layer: DatabaseLive.layer({ url: text, multiplex: true, maxConnections: 3 }),
    target,
    table: `${run}_b`
  })
  suite("a PostgreSQL server, by one connection", {
    layer: DatabaseLive.layer({ url: Redacted.make(text), maxConnections: 1 }),
    target,
    table: `${run}_c`
  })

  layer(DatabaseLive.layer({ url: text, applicationName: run }), { excludeTestServices: true })(
    "on a server only",
    (it) => {
      const table = `${run}_d`
      const fresh = Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`DROP TABLE IF EXISTS ${sql(table)}`
        yield* sql`CREATE TABLE ${sql(table)} (id int PRIMARY KEY, n int NOT NULL)`
        yield* sql`INSERT INTO ${sql(table)} ${sql.insert([
          { id: 1, n: 0 },
          { id: 2, n: 0 }
        ])}`
        return sql
      })
      const running = (sql: SqlClient.SqlClient, text: string) =>
        Effect.map(
          sql<{ n: number }>`SELECT count(*)::int AS n FROM pg_stat_activity
        WHERE application_name = ${run} AND state = 'active' AND query LIKE ${`%${text}%`} AND pid <> pg_backend_pid()`,
          ([row]) => row!.n
        )
      const until = (check: Effect.Effect<boolean, unknown>) =>
        Effect.repeat(Effect.delay(check, "10 millis"), { until: (done) => done, times: 500 }).pipe(
          Effect.flatMap((done) => (done ? Effect.void : Effect.die(new Error("it did not come to pass"))))
        )

      for (const [name, make] of Object.entries({
        statement: (sql: SqlClient.SqlClient): Effect.Effect<unknown, unknown> => sql`SELECT pg_sleep(60)`,
        transaction: (sql: SqlClient.SqlClient): Effect.Effect<unknown, unknown> =>
          sql.withTransaction(sql`SELECT pg_sleep(60)`),
        stream: (sql: SqlClient.SqlClient): Effect.Effect<unknown, unknown> =>
          Stream.runDrain(sql`SELECT pg_sleep(60)`.stream)
      })) {
        it.effect(`an interrupted ${name} is cancelled on the server`, () =>
          Effect.gen(function* () {
            const sql = yield* SqlClient.SqlClient
            const { exit, spans } = yield* observe(
              Effect.gen(function* () {
                const fiber = yield* Effect.forkChild(make(sql))
                yield* until(Effect.map(running(sql, "pg_sleep"), (n) => n === 1)).pipe(Effect.withTracerEnabled(false))
                yield* Fiber.interrupt(fiber)
                assert.strictEqual(yield* running(sql, "pg_sleep").pipe(Effect.withTracerEnabled(false)), 0)
              })
            )
            assert.isTrue(Exit.isSuccess(exit), String(exit))
            const sleeping = spans.find(({ name }) => name === "db.select")!
            assert.deepStrictEqual([sleeping.status, sleeping.attributes["effect.fiber.interrupted"]], ["unset", true])
            assert.isUndefined(sleeping.attributes["error.type"])
            assert.isBelow(sleeping.duration, 30_000)
          })
        )
      }

      it.effect("two transactions that cannot both be right: one is repeated, and both are", () =>
        Effect.gen(function* () {
          const sql = yield* fresh
          const both = yield* Deferred.make<void>()
          let reads = 0
          // Each reads what the other writes; both have read before either writes.
          const add = (from: number, to: number) =>
            Database.transaction(
              Effect.gen(function* () {
                const [row] = yield* sql<{ n: number }>`SELECT n FROM ${sql(table)} WHERE id = ${from}`
                if (++reads === 2) yield* Deferred.succeed(both, undefined)
                yield* Deferred.await(both)
                yield* sql`UPDATE ${sql(table)} SET n = ${row!.n + 1} WHERE id = ${to}`
              }),
              { isolation: "serializable", retry: { baseDelay: "5 millis", attempts: 10 } }
            )
          const { exit, spans } = yield* observe(
            Effect.all([add(1, 2), add(2, 1)], { concurrency: 2 }).pipe(Effect.withSpan("request"))
          )
          assert.isTrue(Exit.isSuccess(exit), String(exit))
          assert.strictEqual(
            spans.filter(({ attributes }) => attributes["error.type"] === "SerializationFailure").length >= 1,
            true
          )
          assert.isAtLeast(spans.at(-1)!.events.filter(({ name }) => name === "retry").length, 1)
          expect(yield* sql`SELECT sum(n)::int AS n FROM ${sql(table)}`).toEqual([{ n: 3 }])
        })
      )

      it.effect("a deadlock is broken, and the one that gave way is repeated", () =>
        Effect.gen(function* () {
          const sql = yield* fresh
          const both = yield* Deferred.make<void>()
          let locked = 0
          const add = (first: number, second: number) =>
            Database.transaction(
              Effect.gen(function* () {
                yield* sql`UPDATE ${sql(table)} SET n = n + 1 WHERE id = ${first}`
                if (++locked === 2) yield* Deferred.succeed(both, undefined)
                yield* Deferred.await(both)
                yield* sql`UPDATE ${sql(table)} SET n = n + 1 WHERE id = ${second}`
              }),
              { retry: { baseDelay: "5 millis" } }
            )
          const { exit, spans } = yield* observe(Effect.all([add(1, 2), add(2, 1)], { concurrency: 2 }))
          assert.isTrue(Exit.isSuccess(exit), String(exit))
          assert.isAtLeast(
            spans.filter(({ attributes }) => attributes["db.response.status_code"] === "40P01").length,
            1
          )
          expect(yield* sql`SELECT n FROM ${sql(table)}`).toEqual([{ n: 2 }, { n: 2 }])
        })
      )

      it.effect("a lock that is taken, and a statement that takes too long", () =>
        Effect.gen(function* () {
          const sql = yield* fresh
          const lock = sql`SELECT * FROM ${sql(table)} WHERE id = 1 FOR UPDATE NOWAIT`
          const error = yield* sql.withTransaction(
            Effect.andThen(
              lock,
              // Another connection: outside of this transaction.
              Effect.promise(() => Effect.runPromise(Effect.flip(lock)))
            )
          )
          const reason = Database.reasonOf(error)
          assert.deepStrictEqual([reason._tag, reason.code, reason.isRetryable], ["LockTimeout", "55P03", true])
          const slow = yield* Effect.flip(
            sql.withTransaction(Effect.andThen(sql`SET LOCAL statement_timeout = '20ms'`, sql`SELECT pg_sleep(60)`))
          )
          assert.strictEqual(Database.reasonOf(slow)._tag, "Cancelled")
        })
      )

      it.effect(
        "a connection that the server ends in a transaction is a typed failure, and the transaction is repeated",
        () =>
          Effect.gen(function* () {
            const sql = yield* fresh
            let runs = 0
            const work = Effect.gen(function* () {
              runs++
              yield* sql`UPDATE ${sql(table)} SET n = n + 1 WHERE id = 1`
              if (runs > 1) return
              yield* sql`SELECT pg_terminate_backend(pg_backend_pid())`
            })
            const once = yield* observe(sql.withTransaction(work))
            const reason = Database.reasonOf(yield* Effect.flip(once.exit))
            assert.deepStrictEqual([reason._tag, reason.isRetryable], ["Unavailable", true])
            assert.deepStrictEqual(
              once.spans.map(({ attributes, name }) => [name, attributes["error.type"]]),
              [
                ["db.begin", undefined],
                ["db.update", undefined],
                ["db.select", "Unavailable"],
                ["db.rollback", "Unavailable"]
              ]
            )
            runs = 0
            yield* Database.transaction(work, { retry: { baseDelay: "1 millis" } })
            assert.strictEqual(runs, 2)
            expect(yield* sql`SELECT n FROM ${sql(table)} WHERE id = 1`).toEqual([{ n: 1 }])
          })
      )

      it.effect("a connection that is lost in the commit is not taken for a transaction that did not take place", () =>
        Effect.gen(function* () {
          const sql = yield* fresh
          yield* sql.unsafe(`CREATE OR REPLACE FUNCTION ${table}_end() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$`)
          yield* sql.unsafe(`CREATE CONSTRAINT TRIGGER ${table}_end AFTER UPDATE ON ${table} DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION ${table}_end()`)
          let runs = 0
          const { exit, spans } = yield* observe(
            Database.transaction(
              Effect.suspend(() => {
                runs++
                return sql`UPDATE ${sql(table)} SET n = 1`
              }),
              { retry: true }
            )
          )
          assert.isTrue(Exit.isFailure(exit))
          assert.strictEqual(runs, 1)
          assert.deepStrictEqual(
            [spans.at(-1)!.name, spans.at(-1)!.attributes["error.type"]],
            ["db.commit", "Unavailable"]
          )
          yield* sql.unsafe(`DROP FUNCTION ${table}_end() CASCADE`)
        })
      )

      it.effect("a transaction that the wrapped client began is gone on with by it", () =>
        Effect.gen(function* () {
          const plain = yield* PgClient.make({ url: Redacted.make(text) })
          const sql = Database.traced(plain)
          const { exit, spans } = yield* observe(
            plain.withTransaction(sql.withTransaction(sql`SELECT txid_current() = txid_current() AS same`))
          )
          expect(yield* exit).toEqual([{ same: true }])
          assert.deepStrictEqual(tree(spans), [
            "db.select < sql.transaction",
            "sql.transaction < sql.transaction",
            "sql.transaction"
          ])
        }).pipe(Effect.scoped, Effect.provide(Reactivity.layer))
      )

      it.effect("LISTEN and NOTIFY are traced", () =>
        Effect.gen(function* () {
          const client = yield* PgClient.PgClient
          const { exit, spans } = yield* observe(
            Effect.scoped(
              Effect.gen(function* () {
                const queue = yield* client.listen(run)
                yield* client.notify(run, "a payload")
                return (yield* Queue.take(queue)).payload
              })
            )
          )
          assert.strictEqual(yield* exit, "a payload")
          assert.deepStrictEqual(tree(spans), ["db.listen", "db.select"])
          assert.notInclude(JSON.stringify(spans.map(({ attributes }) => attributes)), "payload")
        })
      )

      it.effect("cleans up", () =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          yield* sql`DROP TABLE ${sql(table)}`
          assert.strictEqual(yield* running(sql, "pg_sleep"), 0)
        })
      )
    }
  )

  describe("what a server refuses", () => {
    const attempt = (options: DatabaseLive.DatabaseOptions) =>
      observe(Effect.flatMap(SqlClient.SqlClient, (sql) => sql`SELECT 1`)).pipe(
        Effect.provide(DatabaseLive.layer(options))
      )

    it.live("a user that is none: Unauthorized, without the password", () =>
      Effect.gen(function* () {
        const { exit, spans } = yield* attempt({
          url: text,
          username: "nobody_of_this_name",
          password: Redacted.make("hunter2")
        })
        assert.isTrue(Exit.isFailure(exit))
        assert.strictEqual(spans[0]!.attributes["error.type"], "Unauthorized")
        assert.notInclude(String(exit) + JSON.stringify(spans[0]!.attributes), "hunter2")
      })
    )

    it.live("a port where nobody listens: Unavailable, and the server was not reached", () =>
      Effect.gen(function* () {
        const { exit, spans } = yield* attempt({ url: text, port: 1 })
        const error = yield* Effect.flip(exit)
        const reason = Database.reasonOf(error)
        assert.deepStrictEqual([reason._tag, reason.code, reason.mayHaveActed], ["Unavailable", "ECONNREFUSED", false])
        assert.deepStrictEqual([spans[0]!.name, spans[0]!.attributes["server.port"]], ["db.select", 1])
        const inTransaction = yield* observe(
          Effect.flatMap(SqlClient.SqlClient, (sql) => sql.withTransaction(sql`SELECT 1`))
        ).pipe(Effect.provide(DatabaseLive.layer({ url: text, port: 1 })))
        assert.deepStrictEqual(
          [tree(inTransaction.spans), inTransaction.spans[0]!.attributes["error.type"]],
          [["db.begin"], "Unavailable"]
        )
      })
    )

    it.live("from the environment", () =>
      Effect.gen(function* () {
        const spans = yield* spansOf(Effect.flatMap(SqlClient.SqlClient, (sql) => sql`SELECT 1`)).pipe(
          Effect.provide(DatabaseLive.layerConfig()),
          Effect.provideService(
            ConfigProvider.ConfigProvider,
            ConfigProvider.fromUnknown({
              PGHOST: url.hostname,
              PGPORT: String(target["server.port"]),
              PGDATABASE: target["db.namespace"],
              PGUSER: decodeURIComponent(url.username),
              PGPASSWORD: decodeURIComponent(url.password),
              PGSSLMODE: "prefer"
            })
          )
        )
        assert.deepInclude(spans[0]!.attributes, target)
      })
    )
  })
})
