/** The scanner of SQL: no value of a statement is shown, and no text is too much for it. */
import assert from "node:assert/strict"
import * as QuerySummary from "../../../src/services/Database/QuerySummary.ts"
import * as SqlText from "../../../src/services/Database/SqlText.ts"
import { type Choices, letters, printable } from "../Choices.ts"
import { target } from "../Target.ts"

const dialects: ReadonlyArray<SqlText.Dialect> = ["pg", "sqlite", "mysql", "mssql", "clickhouse"]

/** What a value holds, so that it can be found. */
const secret = "zqk7vx"

type Piece = (choices: Choices, dialect: SqlText.Dialect) => string

const inQuotes = (choices: Choices): string =>
  `${choices.text(6, `${letters} ;-/*$\n`)}${secret}${choices.text(6, `${letters} ;-/*$"\n`)}`

const values: ReadonlyArray<Piece> = [
  (choices) => `'${inQuotes(choices)}'`,
  (choices) => `'it''s ${inQuotes(choices)}'`,
  (choices) => `${choices.pick(["N", "B", "X", "U&", "_utf8mb4"])}'${inQuotes(choices)}'`,
  // Where a backslash escapes nothing, the quote behind it ends the text.
  (choices, dialect) =>
    dialect === "pg" || dialect === "sqlite" || dialect === "mssql"
      ? `'${inQuotes(choices)}\\', '${inQuotes(choices)}'`
      : `'${inQuotes(choices)}\\\\', '${inQuotes(choices)}'`,
  (choices) => `/* ${inQuotes(choices).replaceAll("*/", "").replaceAll("/*", "").replace(/[*/]/g, "")} */ 1`,
  (choices) => `-- ${inQuotes(choices).replaceAll("\n", "")}\n 1`,
  (choices, dialect) =>
    dialect === "pg"
      ? `E'\\'${inQuotes(choices)}'`
      : dialect === "mysql" || dialect === "clickhouse"
        ? `'\\'${inQuotes(choices)}'`
        : `'${inQuotes(choices)}'`,
  (choices, dialect) =>
    dialect === "pg" ? `$a$${inQuotes(choices).replaceAll("$", "")}$a$` : `'${inQuotes(choices)}'`,
  (choices, dialect) => (dialect === "mysql" ? `"${inQuotes(choices).replaceAll('"', "")}"` : "1"),
  (choices) => `${choices.below(1000)}`,
  (choices) => `-${choices.below(1000)}.5e10`,
  () => "$1",
  () => "?",
  () => "true"
]

const words =
  'SELECT * FROM posts users WHERE id = AND INSERT INTO VALUES ( ) , UPDATE SET DELETE WITH AS JOIN ON CREATE TABLE ; BEGIN COPY ::int . "a"'.split(
    " "
  )

const statementOf = (choices: Choices) => {
  const dialect = choices.pick(dialects)
  const sql = choices
    .list(40, (choices) => (choices.once(3) ? choices.pick(values)(choices, dialect) : choices.pick(words)))
    .join(choices.pick([" ", "\n", "  "]))
  return { dialect, sql, planted: true }
}

const garbage = (choices: Choices) => ({
  dialect: choices.pick(dialects),
  sql: choices.oneOf(
    (choices) => choices.text(80),
    (choices) => choices.text(80, `'"$\\/*-;(). \n${secret}ENBXU&`),
    (choices) => choices.text(60, printable).repeat(choices.pick([1, 20, 800]))
  ),
  planted: false
})

export const sql = target({
  name: "sql",
  claim: "a span shows a statement without its values, within the limits, whatever the text is",
  make: (choices) => choices.oneOf<{ dialect: SqlText.Dialect; sql: string; planted: boolean }>(statementOf, garbage),
  check: ({ dialect, planted, sql }) => {
    const described = QuerySummary.describe(sql, dialect)
    const all = JSON.stringify(described)
    if (planted) assert.ok(!all.includes(secret), `shown: ${all}`)
    assert.ok(described.text.length <= SqlText.maxTextLength + SqlText.truncated.length)
    assert.ok((described.summary?.length ?? 0) <= QuerySummary.maxSummaryLength)
    assert.match(described.spanName, /^db\.[a-z_]+$/)
    // What is shown has no value left in it, so it says the same of itself.
    if (!described.text.endsWith(SqlText.truncated)) {
      assert.equal(SqlText.sanitize(described.text, dialect), described.text)
    }
  }
})
