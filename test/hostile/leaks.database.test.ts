/** No value of a statement leaves the process: not its parameters, not its literals, and not what the server quotes of them. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import { inspect } from "node:util"
import * as Database from "../../src/services/Database/Database.ts"
import * as DatabaseEmbedded from "../../src/services/Database/DatabaseEmbedded.ts"
import { leaving, type Planted, secret, waysOf } from "./support.ts"

type Statement = (sql: SqlClient.SqlClient, secret: string) => Effect.Effect<unknown, unknown, any>

/** Statements that hold a secret each, with how they end. */
const statements: Readonly<Record<string, Statement>> = {
  "a parameter": (sql, s) => sql`SELECT id FROM users WHERE name = ${s}`,
  "several parameters": (sql, s) => sql`SELECT id FROM users WHERE ${sql.in("name", [s, "a", s])}`,
  "an insert": (sql, s) => sql`INSERT INTO users ${sql.insert([{ id: 10, name: s }])}`,
  "an insert that returns": (sql, s) => sql`INSERT INTO users ${sql.insert({ id: 11, name: s })} RETURNING *`,
  "an update": (sql, s) => sql`UPDATE users SET ${sql.update({ name: s })} WHERE id = 10`,
  "a fragment with a parameter": (sql, s) => sql`SELECT 1 WHERE ${sql.and([sql`1 = 1`, sql`'a' <> ${s}`])}`,
  "unsafe, with parameters": (sql, s) => sql.unsafe("SELECT id FROM users WHERE name = $1", [s]),
  "a literal": (sql, s) => sql.unsafe(`SELECT id FROM users WHERE name = '${s}'`),
  "a literal with an escape": (sql, s) => sql.unsafe(`SELECT E'it\\'s ${s}'`),
  "a dollar-quoted literal": (sql, s) => sql.unsafe(`SELECT $body$${s}$body$`),
  "a comment": (sql, s) => sql.unsafe(`SELECT 1 /* ${s} */ -- ${s}`),
  "the values of a stream": (sql, s) => Stream.runDrain(sql`SELECT ${s}::text AS name`.stream),
  "a transaction": (sql, s) => sql.withTransaction(sql`INSERT INTO users ${sql.insert({ id: 12, name: s })}`),
  "the name of a savepoint's values": (sql, s) =>
    sql.withTransaction(sql.withTransaction(sql`UPDATE users SET name = ${s} WHERE id = 12`)),
  "a repeated transaction": (sql, s) => Database.transaction(sql`UPDATE users SET name = ${s} WHERE id = 12`),
  "a row that is there already": (sql, s) =>
    Effect.andThen(
      Effect.ignore(sql`INSERT INTO users ${sql.insert({ id: 20, name: s })}`),
      sql`INSERT INTO users ${sql.insert({ id: 21, name: s })}`
    ),
  "a value that is no number": (sql, s) => sql`SELECT ${s}::int`,
  "a value that is no date": (sql, s) => sql`SELECT ${s}::date`,
  "a value that is no uuid": (sql, s) => sql`SELECT ${s}::uuid`,
  "a value that is no JSON": (sql, s) => sql`SELECT ${`{${s}}`}::json`,
  "a value that is no boolean": (sql, s) => sql`SELECT ${s}::boolean`,
  "a value with quotes that is no number": (sql, s) => sql`SELECT ${`a "${s}" b`}::int`,
  "a value over several lines that is no number": (sql, s) => sql`SELECT ${`a"\n${s}\n`}::int`,
  "a value that is too long": (sql, s) => sql`INSERT INTO users ${sql.insert({ id: 30, name: s, code: s })}`,
  "a value that a check refuses": (sql, s) => sql`INSERT INTO users ${sql.insert({ id: -1, name: s })}`,
  "a row without what it needs": (sql, s) => sql`INSERT INTO users ${sql.insert({ id: 31, bio: s })}`,
  "a reference to nothing": (sql, s) => sql`INSERT INTO posts ${sql.insert({ id: 1, author: s })}`,
  "a regular expression": (sql, s) => sql`SELECT 'a' ~ ${`${s}(`}`,
  "a literal in a text that cannot be read": (sql, s) => sql.unsafe(`SELECT '${s}' FROM WHERE`),
  "a literal that does not end": (sql, s) => sql.unsafe(`SELECT 1, '${s}`)
}

const schema = (sql: SqlClient.SqlClient) =>
  Effect.all([
    sql`CREATE TABLE users (id int PRIMARY KEY CHECK (id > 0), name text UNIQUE NOT NULL, code varchar(3), bio text)`,
    sql`CREATE TABLE posts (id int PRIMARY KEY, author text REFERENCES users (name))`
  ])

describe("leaks of the database", () => {
  it.live("spans, events, errors and log lines hold no value of a statement", () =>
    Effect.gen(function* () {
      const planted = Object.entries(statements).map(([door, statement]) => ({ door, statement, secret: secret() }))
      const printed: Array<string> = []
      const failed: Array<string> = []
      const program: Planted["program"] = Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* schema(sql)
        for (const { door, secret, statement } of planted) {
          yield* Effect.catchCause(statement(sql, secret) as Effect.Effect<unknown>, (cause) => {
            failed.push(door)
            const error = Cause.squash(cause) as Error
            printed.push(`${door}: ${error.message} ${Cause.pretty(cause)} ${error.stack} ${String(error)}`)
            // As loggers print an error whole.
            printed.push(
              `${door}: ${JSON.stringify(error)} ${inspect(error, { depth: null })} ${inspect(cause, { depth: null })}`
            )
            return Effect.logError("the statement failed", cause)
          })
        }
      }).pipe(Effect.withSpan("all"), Effect.provide(DatabaseEmbedded.layer())) as Planted["program"]
      const left = yield* leaving(program)
      const leaked = planted.flatMap(({ door, secret }) =>
        [...waysOf(left, secret), ...(printed.some((text) => text.includes(secret)) ? ["the error"] : [])].map(
          (way) => `${door}: ${way}`
        )
      )
      assert.deepStrictEqual(leaked, [])
      assert.isAtLeast(failed.length, 13)
      assert.isAtLeast(left.spans.length, planted.length)
    }).pipe(Effect.scoped)
  )
})
