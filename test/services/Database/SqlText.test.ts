import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as SqlText from "../../../src/services/Database/SqlText.ts"

describe("values become placeholders", () => {
  it.each([
    ["SELECT 'it''s', 1, -2.5e-10, 0xFF, 1_000, .5", "SELECT ?, ?, -?, ?, ?, ?"],
    ["SELECT E'a\\'b', B'101', X'1F', N'x', U&'d\\0061t'", "SELECT ?, ?, ?, ?, ?"],
    ["SELECT $$it's$$, $tag$ $$ 'inner' $tag$", "SELECT ?, ?"],
    [
      "WHERE a = TRUE AND b = false AND c IS TRUE AND d IS NOT FALSE",
      "WHERE a = ? AND b = ? AND c IS TRUE AND d IS NOT FALSE"
    ],
    ["SELECT now() - interval '7 days', date '2020-01-01', '1'::int", "SELECT now() - interval ?, date ?, ?::int"],
    ["ALTER ROLE app PASSWORD 'hunter2'", "ALTER ROLE app PASSWORD ?"],
    ["SELECT 'never closed", "SELECT ?"],
    ["SELECT $body$ never closed", "SELECT ?"],
    ["SELECT E'ends with a backslash\\", "SELECT ?"]
  ])("%s", (sql, text) => {
    assert.strictEqual(SqlText.sanitize(sql), text)
  })
})

describe("names and placeholders stay", () => {
  it.each([
    ['SELECT "First Name", t1.col2, "a""b" FROM "S"."T" WHERE id = $1 AND x = ANY($12)', undefined],
    ["SELECT data->'a'->>'b' FROM docs WHERE data ?| $1", "SELECT data->?->>? FROM docs WHERE data ?| $1"],
    ["INSERT INTO t VALUES (?, ?2, :name, @p1)", undefined],
    ["SELECT x::varchar(255), ARRAY[1, 2]", "SELECT x::varchar(?), ARRAY[?, ?]"],
    ["SELECT größe, ταβλε FROM 表", undefined],
    ["SELECT a$1, b FROM t", undefined]
  ])("%s", (sql, text) => {
    assert.strictEqual(SqlText.sanitize(sql), text ?? sql)
  })
})

describe("comments and white space", () => {
  it.each([
    ["SELECT 1 -- by ada@example.com\nFROM t", "SELECT ? FROM t"],
    ["/* trace 4bf9 */ SELECT /* a /* nested */ comment */ 1", "SELECT ?"],
    ["SELECT\n\t  a,\r\n  b", "SELECT a, b"],
    ["SELECT a/**/FROM t", "SELECT a FROM t"],
    ["SELECT '--', '/*', \"--\" FROM t", 'SELECT ?, ?, "--" FROM t'],
    ["SELECT 1 /* never closed", "SELECT ?"],
    ["", ""]
  ])("%s", (sql, text) => {
    assert.strictEqual(SqlText.sanitize(sql), text)
  })
})

describe("dialects", () => {
  it("MySQL quotes values with double quotes, escapes with backslashes and comments with #", () => {
    assert.strictEqual(
      SqlText.sanitize("SELECT `a`, \"secret\", 'it\\'s' FROM t # note", "mysql"),
      "SELECT `a`, ?, ? FROM t"
    )
  })
  it("SQL Server quotes names with brackets", () => {
    assert.strictEqual(
      SqlText.sanitize("SELECT [first 1] FROM [dbo].[t] WHERE a = 1", "mssql"),
      "SELECT [first 1] FROM [dbo].[t] WHERE a = ?"
    )
  })
})

describe("length", () => {
  it("is cut at 500 characters and says so", () => {
    const sql = `SELECT ${"a, ".repeat(300)} b`
    const text = SqlText.sanitize(sql)
    assert.strictEqual(text, sql.slice(0, 500) + "... (truncated)")
  })
  it("is not cut where values made it long", () => {
    assert.strictEqual(SqlText.sanitize(`SELECT '${"x".repeat(2000)}'`), "SELECT ?")
  })
  it("exactly 500 characters are left alone", () => {
    const sql = "SELECT " + "a".repeat(493)
    assert.strictEqual(SqlText.sanitize(sql), sql)
    assert.strictEqual(SqlText.sanitize(sql + "b"), sql + "... (truncated)")
  })
  it("a text longer than what is read is marked as cut", () => {
    const text = SqlText.sanitize(`SELECT 1${" ".repeat(SqlText.maxScanned)}FROM t`)
    assert.strictEqual(text, "SELECT ?... (truncated)")
  })
  it("a surrogate pair is not cut in half", () => {
    const text = SqlText.sanitize("SELECT " + "a".repeat(492) + "😀")
    assert.strictEqual(text, "SELECT " + "a".repeat(492) + "... (truncated)")
  })
})

describe("properties", () => {
  // What a statement may hold between its values, each piece complete in itself.
  const filler = Schema.Literals([
    "SELECT",
    "FROM",
    "posts",
    '"Posts"',
    "(",
    ")",
    ",",
    "$1",
    "->",
    "::",
    "AND",
    "= ANY",
    ";",
    "/* x */",
    "-- y\n",
    "t.a",
    "1"
  ])
  const quotes = [
    (secret: string) => `'${secret.replaceAll("'", "''")}'`,
    (secret: string) => `E'${secret.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`,
    (secret: string) => `$q$${secret.replaceAll("$", "")}$q$`,
    (secret: string) => `/* ${secret.replaceAll("*", "").replaceAll("/", "")} */`,
    (secret: string) => `-- ${secret.replaceAll("\n", "")}\n`
  ]
  const value = Schema.Struct({
    secret: Schema.String,
    quote: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: quotes.length - 1 }))
  })

  it.prop(
    "no value and no comment is ever shown",
    { pieces: Schema.Array(Schema.Union([filler, value])) },
    ({ pieces }) => {
      const sql = pieces
        .map((piece) => (typeof piece === "string" ? piece : quotes[piece.quote]!("S3CRET" + piece.secret + "S3CRET")))
        .join(" ")
      assert.notInclude(SqlText.sanitize(sql), "S3CRET")
    },
    { arbitrary: { runs: 500 } }
  )

  it.prop("any text is read, and what comes out is short", { sql: Schema.String }, ({ sql }) => {
    assert.isAtMost(SqlText.sanitize(sql).length, SqlText.maxTextLength + SqlText.truncated.length)
  })

  it.prop("sanitizing twice changes nothing", { pieces: Schema.Array(Schema.Union([filler, value])) }, ({ pieces }) => {
    const sql = pieces.map((piece) => (typeof piece === "string" ? piece : quotes[0]!(piece.secret))).join(" ")
    const once = SqlText.sanitize(sql)
    if (!once.endsWith(SqlText.truncated)) assert.strictEqual(SqlText.sanitize(once), once)
  })
})
