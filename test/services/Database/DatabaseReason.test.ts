import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as Sql from "effect/sql/SqlError"
import {
  type Tag,
  atCommit,
  reasonOf,
  refine,
  sqlStateOf,
  tags
} from "../../../src/services/Database/DatabaseReason.ts"

const server = (code: string, message = "it failed", fields: object = {}): Error =>
  Object.assign(new Error(message), { severity: "ERROR", code, ...fields })
const unknown = (cause: unknown, operation = "query"): Sql.SqlError =>
  new Sql.SqlError({ reason: new Sql.UnknownError({ cause, message: "Query failed", operation }) })
const connection = (cause: unknown, operation = "query"): Sql.SqlError =>
  new Sql.SqlError({ reason: new Sql.ConnectionError({ cause, message: "Failed to connect", operation }) })
const system = (code: string): Error => Object.assign(new Error(`connect ${code}`), { code, syscall: "connect" })

describe("SQLSTATEs", () => {
  const cases: ReadonlyArray<readonly [sqlState: string, tag: Tag, isRetryable: boolean]> = [
    ["40001", "SerializationFailure", true],
    ["40P01", "Deadlock", true],
    ["40002", "Conflict", false],
    ["40003", "Unavailable", true],
    ["55P03", "LockTimeout", true],
    ["55006", "InvalidRequest", false],
    ["08006", "Unavailable", true],
    ["08007", "Unavailable", true],
    ["57P01", "Unavailable", true],
    ["57P02", "Unavailable", true],
    ["57P03", "Unavailable", true],
    ["57P04", "Unavailable", false],
    ["57P05", "Unavailable", true],
    ["25P03", "Unavailable", true],
    ["53300", "Unavailable", true],
    ["53200", "Unavailable", false],
    ["58030", "Unavailable", false],
    ["XX000", "Unavailable", false],
    ["23505", "Conflict", false],
    ["23P01", "Conflict", false],
    ["23503", "InvalidRequest", false],
    ["57014", "Cancelled", false],
    ["25006", "ReadOnly", false],
    ["25P02", "InvalidRequest", false],
    ["28P01", "Unauthorized", false],
    ["42501", "Unauthorized", false],
    ["42P01", "InvalidRequest", false],
    ["22012", "InvalidRequest", false],
    ["0A000", "InvalidRequest", false],
    ["3D000", "InvalidRequest", false],
    ["P0001", "InvalidRequest", false],
    ["HV000", "Unclassified", false],
    ["ZZ999", "Unclassified", false]
  ]
  it.each(cases)("%s is %s", (sqlState, tag, isRetryable) => {
    const reason = reasonOf(unknown(server(sqlState)))
    assert.deepStrictEqual([reason._tag, reason.isRetryable], [tag, isRetryable])
  })

  it("an error wrapped in another is found; a system's code is none", () => {
    assert.strictEqual(sqlStateOf(unknown(new Error("outer", { cause: server("23505") }))), "23505")
    for (const code of ["EPIPE", "E2BIG", "ECONNRESET", 23505, undefined]) {
      assert.isUndefined(sqlStateOf(unknown(Object.assign(new Error("x"), { code }))))
    }
    assert.isUndefined(sqlStateOf(unknown("23505")))
  })
})

describe("what the server may have done", () => {
  it("a statement that the server refused has not acted", () => {
    for (const code of ["40001", "40P01", "55P03", "57P03", "53300", "23505"]) {
      assert.isFalse(reasonOf(unknown(server(code))).mayHaveActed, code)
    }
  })
  it("a connection that could not be opened has not acted; one that was lost may have", () => {
    assert.isFalse(reasonOf(connection(system("ECONNREFUSED"))).mayHaveActed)
    assert.isFalse(reasonOf(connection(new Error("Connection timed out"), "connect")).mayHaveActed)
    assert.isTrue(reasonOf(connection(system("ECONNRESET"))).mayHaveActed)
    assert.isTrue(reasonOf(connection(new Error("Connection closed"))).mayHaveActed)
  })
  it("a server that goes while it commits may have committed", () => {
    assert.isTrue(reasonOf(atCommit(unknown(server("57P01")))).mayHaveActed)
    assert.isFalse(reasonOf(unknown(server("57P01"))).mayHaveActed)
  })
})

describe("without a SQLSTATE Effect's own reason counts", () => {
  const props = { cause: new Error("x"), message: "x", operation: "query" }
  const cases: ReadonlyArray<readonly [Sql.SqlErrorReason, Tag]> = [
    [new Sql.ConnectionError(props), "Unavailable"],
    [new Sql.AuthenticationError(props), "Unauthorized"],
    [new Sql.AuthorizationError(props), "Unauthorized"],
    [new Sql.SqlSyntaxError(props), "InvalidRequest"],
    [new Sql.UniqueViolation({ ...props, constraint: "c" }), "Conflict"],
    [new Sql.ConstraintError(props), "InvalidRequest"],
    [new Sql.DeadlockError(props), "Deadlock"],
    [new Sql.SerializationError(props), "SerializationFailure"],
    [new Sql.LockTimeoutError(props), "LockTimeout"],
    [new Sql.StatementTimeoutError(props), "Cancelled"],
    [new Sql.UnknownError(props), "Unclassified"],
    [new Sql.UnknownError({ ...props, cause: { _tag: "CodecError" } }), "Decode"]
  ]
  it.each(cases.map(([reason, tag]) => [reason._tag, tag, reason] as const))("%s is %s", (_, tag, reason) => {
    assert.strictEqual(reasonOf(new Sql.SqlError({ reason }))._tag, tag)
  })
})

describe("refine", () => {
  it("says what the server said, and keeps reason, constraint and cause", () => {
    const cause = server("23505", 'duplicate key value violates unique constraint "c"', {
      constraint: "c",
      detail: "Key (id)=(1)"
    })
    const better = refine(
      new Sql.SqlError({
        reason: new Sql.UniqueViolation({ cause, message: "Query failed", operation: "query", constraint: "c" })
      })
    )
    assert.strictEqual(better.message, 'duplicate key value violates unique constraint "c" (SQLSTATE 23505)')
    assert.strictEqual(better.reason._tag === "UniqueViolation" ? better.reason.constraint : undefined, "c")
    assert.strictEqual(better.reason.cause, cause)
    assert.strictEqual(refine(better), better)
  })
  it("is retryable where the server has only no room or no time", () => {
    for (const code of ["57P01", "57P03", "53300"]) assert.isTrue(refine(unknown(server(code))).isRetryable, code)
    assert.isFalse(refine(unknown(server("53100"))).isRetryable)
  })
  it("says why there is no connection", () => {
    assert.strictEqual(refine(connection(system("ECONNREFUSED"))).message, "Failed to connect: connect ECONNREFUSED")
    const both = Object.assign(new AggregateError([system("ECONNREFUSED")]), { code: "ECONNREFUSED" })
    assert.strictEqual(refine(connection(both)).message, "Failed to connect: ECONNREFUSED")
  })
  it("leaves alone what it can add nothing to", () => {
    for (const error of [unknown(new Error("x")), connection("x"), connection(new Error("Failed"))]) {
      assert.strictEqual(refine(error), error)
    }
  })
  it("keeps values out of messages about them", () => {
    const error = refine(
      unknown(server("22P02", 'invalid input syntax for type integer: "a "quoted" secret"', { position: "8" }))
    )
    const cause = error.reason.cause as Error & { readonly position: string }
    assert.strictEqual(error.message, 'invalid input syntax for type integer: "?" (SQLSTATE 22P02)')
    assert.notInclude(`${cause.message}${cause.stack}`, "secret")
    assert.strictEqual(cause.position, "8")
  })
})

it("every reason is named, once", () => {
  assert.strictEqual(new Set(tags).size, tags.length)
})

it.prop("any cause has a reason", { cause: Schema.Unknown, code: Schema.String }, ({ cause, code }) => {
  assert.include(tags, reasonOf(unknown(cause))._tag)
  const coded = unknown(Object.assign(new Error("x"), { code }))
  assert.include(tags, reasonOf(coded)._tag)
  assert.include(tags, reasonOf(refine(coded))._tag)
})
