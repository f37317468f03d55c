/**
 * What a statement does and to which tables: the name of its span, its operation, its collection, its summary.
 *
 * Reads the tokens of `SqlText` the way a person skims a statement: the verb that leads, the tables behind `FROM`, `JOIN`,
 * `INTO`, `UPDATE`, `USING`, without the names that a `WITH` clause defines and without functions. It knows common table
 * expressions, subqueries, joins, upserts, `INSERT … SELECT`, DDL, `COPY`, `EXPLAIN`, transaction control and several
 * statements in one text. What it does not know it leaves out; no text makes it throw.
 *
 * - The span's name is `db.` and the operation in lower case, with `_` for blanks (`db.select`, `db.create_table`); `db.query`
 *   where the operation can't be told, or where several statements differ in it.
 * - The operation is the verb of the statement proper, not that of a `WITH` clause before it.
 * - The collection is the table, where it is one only, with its schema where that is written.
 * - The summary lists operations and targets in the order of the text (`INSERT shipments SELECT orders`), up to 255
 *   characters.
 *
 * **Example** (A statement, summarised)
 *
 * ```ts
 * import * as QuerySummary from "effect-telemetry/services/Database/QuerySummary"
 *
 * const query = QuerySummary.describe("WITH top AS (SELECT id FROM posts LIMIT 10) DELETE FROM feed WHERE post_id IN (SELECT id FROM top)")
 * console.log(query.spanName, query.operation, query.summary)
 * // db.delete DELETE SELECT posts DELETE feed SELECT
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/semconv/db/database-spans/#generating-a-summary-of-the-query
 */
import type { Part } from "./SqlQuery.ts"
import { type Statement, readStatement } from "./SqlStatement.ts"
import { type Dialect, type Token, scan } from "./SqlText.ts"

/** What a span says of a statement. */
export interface QueryDescription {
  /** The name of its span. */
  readonly spanName: string
  /** `db.operation.name`, in upper case; `undefined` where it can't be told. */
  readonly operation: string | undefined
  /** `db.collection.name`; `undefined` where there is no table or more than one. */
  readonly collection: string | undefined
  /** `db.query.summary`, at most 255 characters. */
  readonly summary: string | undefined
  /** `db.query.text`: placeholders, never values; at most 500 characters, then `... (truncated)`. */
  readonly text: string
  /** Whether it returns rows, even if none. */
  readonly returnsRows: boolean
  /** Whether it changes rows. */
  readonly changesRows: boolean
}

/** The longest `db.query.summary`, in characters. */
export const maxSummaryLength = 255

/** Describes a statement, or several in one text. */
export const describe = (sql: string, dialect: Dialect = "pg"): QueryDescription => {
  const { text, tokens } = scan(sql, dialect)
  const statements = splitStatements(tokens).map(readStatement)
  const operation = sameOperation(statements)
  const parts = statements.flatMap((statement) => statement.parts)
  const tables = new Set(parts.flatMap((part) => part.tables))
  return {
    spanName: operation === undefined ? "db.query" : "db." + operation.toLowerCase().replaceAll(" ", "_"),
    operation,
    collection: tables.size === 1 ? [...tables][0] : undefined,
    summary: summarize(parts),
    text,
    returnsRows: statements.some((statement) => statement.returnsRows),
    changesRows: operation !== undefined && changing.has(operation)
  }
}

const changing = new Set(["INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE"])

/** The tokens between semicolons, without what is empty. */
const splitStatements = (tokens: ReadonlyArray<Token>): ReadonlyArray<ReadonlyArray<Token>> => {
  const statements: Array<ReadonlyArray<Token>> = []
  let from = 0
  for (let i = 0; i <= tokens.length; i++) {
    if (i < tokens.length && !(tokens[i]!.kind === "mark" && tokens[i]!.key === ";")) continue
    if (i > from) statements.push(tokens.slice(from, i))
    from = i + 1
  }
  return statements
}

const sameOperation = (statements: ReadonlyArray<Statement>): string | undefined => {
  const first = statements[0]?.operation
  return statements.every((statement) => statement.operation === first) ? first : undefined
}

const summarize = (parts: ReadonlyArray<Part>): string | undefined => {
  let summary = ""
  for (const part of parts) {
    for (const word of [part.operation, ...part.targets]) {
      const longer = summary === "" ? word : summary + " " + word
      if (longer.length > maxSummaryLength) return summary === "" ? undefined : summary
      summary = longer
    }
  }
  return summary === "" ? undefined : summary
}
