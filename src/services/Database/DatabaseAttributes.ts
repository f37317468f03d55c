/**
 * What the span of a statement carries: each attribute with its type, its meaning and where its value comes from, written
 * once. `docs/spans.md` and the spans themselves read the same lines.
 *
 * **Example** (The attributes of a statement)
 *
 * ```ts
 * import * as Attributes from "effect-telemetry/operation/Attributes"
 * import * as DatabaseAttributes from "effect-telemetry/services/Database/DatabaseAttributes"
 * import * as QuerySummary from "effect-telemetry/services/Database/QuerySummary"
 *
 * const table = Attributes.compile(DatabaseAttributes.statement)
 * const query = QuerySummary.describe("SELECT * FROM posts WHERE id = $1")
 * console.log(Attributes.read(table, { target: { system: "postgresql", namespace: "app" }, query }))
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/semconv/db/sql/
 */
import * as Attributes from "../../operation/Attributes.ts"
import { tags } from "./DatabaseReason.ts"
import { maxSummaryLength, type QueryDescription } from "./QuerySummary.ts"
import { maxTextLength, truncated } from "./SqlText.ts"

/** Where statements go. */
export interface Target {
  /** `db.system.name`: `postgresql`. */
  readonly system: string
  /** `db.namespace`: the database's name. */
  readonly namespace?: string | undefined
  /** `server.address`: a host's name or address, or the path of a socket. */
  readonly serverAddress?: string | undefined
  /** `server.port`. */
  readonly serverPort?: number | undefined
}

/** A statement and where it goes. */
export interface Statement {
  readonly target: Target
  readonly query: QueryDescription
}

/** What became of a statement. */
export interface Outcome {
  /** How many rows came back. */
  readonly returnedRows?: number | undefined
  /** How many rows the server counts: those that came back, or that were changed. */
  readonly affectedRows?: number | undefined
  /** Where it failed: the tag of its reason. */
  readonly errorType?: string | undefined
  /** Where the server refused it: five characters. */
  readonly sqlState?: string | undefined
}

/** The names of spans: any other operation gives `db.{operation in lower case}`. */
export const spanNames: ReadonlyArray<string> = [
  "db.select",
  "db.insert",
  "db.update",
  "db.delete",
  "db.begin",
  "db.commit",
  "db.rollback",
  "db.savepoint",
  "db.release_savepoint",
  "db.create_table",
  "db.query"
]

/** Attributes that are known before a statement runs. */
export const statement: Attributes.AttributeTable<Statement> = {
  "db.system.name": Attributes.string("the database system", ({ target }) => target.system),
  "db.namespace": Attributes.string("the database", ({ target }) => target.namespace),
  "db.operation.name": Attributes.string("what the statement does, in upper case", ({ query }) => query.operation),
  "db.collection.name": Attributes.string("the table, where it is one only", ({ query }) => query.collection),
  "db.query.summary": Attributes.string(
    `operations and tables in their order, at most ${maxSummaryLength} characters`,
    ({ query }) => query.summary
  ),
  "db.query.text": Attributes.string(
    `the statement with placeholders, never values; cut at ${maxTextLength} characters with "${truncated}"`,
    ({ query }) => query.text
  ),
  "server.address": Attributes.string("the server's host", ({ target }) => target.serverAddress),
  "server.port": Attributes.int("the server's port", ({ target }) => target.serverPort)
}

/** Attributes that are known when a statement has run. */
export const outcome: Attributes.AttributeTable<Outcome> = {
  "db.response.returned_rows": Attributes.int("how many rows it returned", ({ returnedRows }) => returnedRows),
  "error.type": Attributes.string("why it failed", ({ errorType }) => errorType, { values: tags }),
  "db.response.status_code": Attributes.string("the SQLSTATE with which it failed", ({ sqlState }) => sqlState)
}

/** The names from before the conventions were stable, written too with `OTEL_SEMCONV_STABILITY_OPT_IN=database/dup`. */
export const olderStatement: Attributes.AttributeTable<Statement> = {
  "db.system": Attributes.string("as `db.system.name`", ({ target }) => target.system),
  "db.name": Attributes.string("as `db.namespace`", ({ target }) => target.namespace),
  "db.operation": Attributes.string("as `db.operation.name`", ({ query }) => query.operation),
  "db.sql.table": Attributes.string("as `db.collection.name`", ({ query }) => query.collection),
  "db.statement": Attributes.string("as `db.query.text`", ({ query }) => query.text)
}

/** The older names of what is known when a statement has run. */
export const olderOutcome: Attributes.AttributeTable<Outcome> = {
  "db.rows_affected": Attributes.int(
    "how many rows it changed or returned",
    ({ affectedRows, returnedRows }) => affectedRows ?? returnedRows
  )
}
