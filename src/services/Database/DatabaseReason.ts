/**
 * Why a statement failed: SQLSTATEs, sorted into the vocabulary that every service here speaks, plus what only a database
 * knows.
 *
 * The error of a statement is Effect's own `SqlError`; nothing replaces it. `reasonOf` reads what it means: a reason with a
 * tag, whether another try may help, and the SQLSTATE. The span of a failed statement has the tag as `error.type` and the
 * SQLSTATE as `db.response.status_code`.
 *
 * | reason | SQLSTATE | another try |
 * |---|---|---|
 * | `SerializationFailure` | 40001, 40000 | of the whole transaction |
 * | `Deadlock` | 40P01 | of the whole transaction |
 * | `LockTimeout` | 55P03 | yes |
 * | `Unavailable` | 08…, 57P01, 57P02, 57P03, 57P05, 25P03, 53300; refused and lost connections | yes |
 * | `Unavailable` | other 53…, 57…, 58…, XX… | no |
 * | `Conflict` | 23505, 23P01, 40002 | no |
 * | `Cancelled` | 57014 | no |
 * | `ReadOnly` | 25006 | no |
 * | `Unauthorized` | 28…, 42501 | no |
 * | `InvalidRequest` | 22…, other 23…, other 25…, 42…, P0…, and the rest of the statement's own faults | no |
 * | `Decode` | a value that could not be converted | no |
 * | `Unclassified` | anything else | no |
 *
 * **Example** (What an error means)
 *
 * ```ts
 * import { SqlError, UnknownError } from "effect/sql/SqlError"
 * import { reasonOf } from "effect-telemetry/services/Database/DatabaseReason"
 *
 * const cause = Object.assign(new Error("cannot execute INSERT in a read-only transaction"), { code: "25006" })
 * const reason = reasonOf(new SqlError({ reason: new UnknownError({ cause, message: cause.message }) }))
 * console.log(reason._tag, reason.code, reason.isRetryable) // ReadOnly 25006 false
 * ```
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
import * as Data from "effect/Data"
import * as Predicate from "effect/Predicate"
import { ConnectionError, SqlError, type SqlErrorReason } from "effect/sql/SqlError"
import {
  Conflict,
  Decode,
  type Details,
  InvalidRequest,
  Unauthorized,
  Unavailable,
  fromConnection,
  systemCode
} from "../../operation/Reason.ts"

/** Another transaction's changes cannot be reconciled with this one's. The whole transaction may be repeated. */
export class SerializationFailure extends Data.TaggedError("SerializationFailure")<Details> {
  get isRetryable(): boolean {
    return true
  }
  get mayHaveActed(): boolean {
    return false
  }
}

/** Two transactions waited for each other, and this one was chosen to give way. It may be repeated as a whole. */
export class Deadlock extends Data.TaggedError("Deadlock")<Details> {
  get isRetryable(): boolean {
    return true
  }
  get mayHaveActed(): boolean {
    return false
  }
}

/** A lock was not to be had: at once (`NOWAIT`) or within `lock_timeout`. */
export class LockTimeout extends Data.TaggedError("LockTimeout")<Details> {
  get isRetryable(): boolean {
    return true
  }
  get mayHaveActed(): boolean {
    return false
  }
}

/** The server cancelled the statement: on request, or because `statement_timeout` passed. */
export class Cancelled extends Data.TaggedError("Cancelled")<Details> {
  get isRetryable(): boolean {
    return false
  }
  get mayHaveActed(): boolean {
    return false
  }
}

/** A write in a transaction, or on a server, that only reads. */
export class ReadOnly extends Data.TaggedError("ReadOnly")<Details> {
  get isRetryable(): boolean {
    return false
  }
  get mayHaveActed(): boolean {
    return false
  }
}

/** A failure that says nothing of its kind. */
export class Unclassified extends Data.TaggedError("Unclassified")<Details> {
  get isRetryable(): boolean {
    return false
  }
  get mayHaveActed(): boolean {
    return true
  }
}

/** Every reason for which a statement or a transaction fails. */
export type DatabaseReason =
  | SerializationFailure
  | Deadlock
  | LockTimeout
  | Unavailable
  | Conflict
  | Cancelled
  | ReadOnly
  | Unauthorized
  | InvalidRequest
  | Decode
  | Unclassified

/** The tags of all reasons: what `error.type` says on the span of a failed statement. */
export type Tag = DatabaseReason["_tag"]

/** All tags, in the order of the table above. */
export const tags: ReadonlyArray<Tag> = [
  "SerializationFailure",
  "Deadlock",
  "LockTimeout",
  "Unavailable",
  "Conflict",
  "Cancelled",
  "ReadOnly",
  "Unauthorized",
  "InvalidRequest",
  "Decode",
  "Unclassified"
]

/** The SQLSTATE of an error, where the server gave one. A system's code (`EPIPE`) is none. */
export const sqlStateOf = (error: SqlError): string | undefined => {
  let cause: unknown = error.reason.cause
  for (let depth = 0; depth < 4 && Predicate.isObject(cause); depth++) {
    const code: unknown = (cause as { code?: unknown }).code
    if (typeof code === "string" && /^[0-9A-DF-Z][0-9A-Z]{4}$/.test(code)) return code
    cause = (cause as { cause?: unknown }).cause
  }
  return undefined
}

/** What an error of a statement, of a connection or of a transaction means. */
export const reasonOf = (error: SqlError): DatabaseReason => {
  const sqlState = sqlStateOf(error)
  const found = sqlState === undefined ? undefined : fromSqlState(sqlState, error)
  return found ?? fromEffect(error, sqlState)
}

const detailsOf = (error: SqlError, code: string | undefined): Details => ({
  message: error.message,
  cause: error.reason.cause,
  code
})

const connectionLost = new Set(["57P01", "57P02", "57P03", "57P05", "25P03", "53300"])

const fromSqlState = (sqlState: string, error: SqlError): DatabaseReason | undefined => {
  const details = detailsOf(error, sqlState)
  switch (sqlState) {
    case "40001":
    case "40000":
      return new SerializationFailure(details)
    case "40P01":
      return new Deadlock(details)
    case "55P03":
      return new LockTimeout(details)
    case "57014":
      return new Cancelled(details)
    case "25006":
      return new ReadOnly(details)
    case "23505":
    case "23P01":
    case "40002":
      return new Conflict(details)
    case "42501":
      return new Unauthorized(details)
    case "08007":
    case "40003":
      return new Unavailable(details)
  }
  if (connectionLost.has(sqlState)) return new Unavailable({ ...details, notActed: !isCommit(error) })
  switch (sqlState.slice(0, 2)) {
    case "08":
      return new Unavailable({ ...details, notActed: error.reason.operation === "connect" })
    case "28":
      return new Unauthorized(details)
    case "53":
    case "57":
    case "58":
    case "XX":
      return new Unavailable({ ...details, notActed: !isCommit(error), retryable: false })
    case "0A":
    case "0L":
    case "0P":
    case "20":
    case "21":
    case "22":
    case "23":
    case "24":
    case "25":
    case "26":
    case "27":
    case "2B":
    case "2D":
    case "2F":
    case "34":
    case "38":
    case "39":
    case "3B":
    case "3D":
    case "3F":
    case "42":
    case "44":
    case "54":
    case "55":
    case "P0":
      return new InvalidRequest(details)
  }
  return undefined
}

/** Whether the error came while a transaction was being committed: then a lost connection leaves its outcome unknown. */
export const isCommit = (error: SqlError): boolean => error.reason.operation === "commit"

const fromEffect = (error: SqlError, sqlState: string | undefined): DatabaseReason => {
  const details = detailsOf(error, sqlState)
  switch (error.reason._tag) {
    case "ConnectionError": {
      const fault = fromConnection(error.reason.cause, error.message)
      const isOpening = error.reason.operation === "connect"
      return new Unavailable({
        ...details,
        code: fault.code,
        notActed: fault.notActed === true || isOpening,
        retryable: fault.isRetryable
      })
    }
    case "AuthenticationError":
    case "AuthorizationError":
      return new Unauthorized(details)
    case "SqlSyntaxError":
    case "ConstraintError":
      return new InvalidRequest(details)
    case "UniqueViolation":
      return new Conflict(details)
    case "DeadlockError":
      return new Deadlock(details)
    case "SerializationError":
      return new SerializationFailure(details)
    case "LockTimeoutError":
      return new LockTimeout(details)
    case "StatementTimeoutError":
      return new Cancelled(details)
    case "UnknownError":
      return Predicate.isTagged(error.reason.cause, "CodecError") ? new Decode(details) : new Unclassified(details)
  }
}

/**
 * An error that says in its message what the server said, with the SQLSTATE, or why there is no connection; and that is
 * `isRetryable` where the server only has no room or no time just now. The same error where there is nothing to add.
 *
 * **Details**
 *
 * Messages about malformed data (class 22) quote the data, and those about syntax (42601) may quote a literal; what they quote
 * becomes `?`, in the message and in the cause: such messages end up on spans and in logs. What the driver's error says beside
 * its message (`detail`: the row, the key) can be read as ever, but no longer shows where the error is printed whole.
 */
export const refine = (error: SqlError): SqlError => {
  if (refined.has(error)) return error
  const { reason } = error
  const { cause } = reason
  if (!Predicate.isError(cause)) return error
  const sqlState = sqlStateOf(error)
  if (sqlState === undefined) {
    if (reason._tag !== "ConnectionError") return error
    const why = cause.message === "" ? systemCode(cause) : cause.message
    return why === undefined || error.message.includes(why)
      ? error
      : remake(error, ConnectionError, { cause, message: `${error.message}: ${why}`, operation: reason.operation })
  }
  conceal(cause)
  const said = withoutValues(cause.message, sqlState)
  return remake(error, connectionLost.has(sqlState) ? ConnectionError : undefined, {
    cause:
      said === cause.message
        ? cause
        : conceal(Object.assign(new Error(said), cause, detailsIn(cause), { message: said })),
    message: `${said} (SQLSTATE ${sqlState})`,
    operation: reason.operation
  })
}

/** Quotes of the languages that PostgreSQL speaks. */
const quoted = /["'«»„“”‚‘’「『][\s\S]*["'«»„“”‚‘’」』]/
/** A literal within the quotes of a message. */
const quotedLiteral = /(["«„“「])\s?['$][\s\S]*(["»“”」])/

const withoutValues = (message: string, sqlState: string): string => {
  if (sqlState.startsWith("22")) return message.replace(quoted, '"?"')
  return sqlState === "42601" ? message.replace(quotedLiteral, "$1?$2") : message
}

const details = ["detail", "where", "internalQuery"] as const

const detailsIn = (error: Error): Readonly<Record<string, unknown>> =>
  Object.fromEntries(details.flatMap((name) => (name in error ? [[name, (error as never)[name] as unknown]] : [])))

/** Keeps the values of rows and parameters out of loggers that print an error with all that it has. */
const conceal = <E extends Error>(error: E): E => {
  for (const name of details) {
    try {
      if (Object.hasOwn(error, name)) Object.defineProperty(error, name, { enumerable: false })
    } catch {
      // It is frozen.
    }
  }
  return error
}

interface ReasonProps {
  readonly cause: unknown
  readonly message: string | undefined
  readonly operation: string | undefined
}

/** The error with other words, and with a reason of another class where one is given. */
const remake = (
  { reason }: SqlError,
  other: (new (props: ReasonProps) => SqlErrorReason) | undefined,
  props: ReasonProps
): SqlError => {
  const Reason = other ?? (reason.constructor as new (props: ReasonProps) => SqlErrorReason)
  const constraint = reason._tag === "UniqueViolation" ? { constraint: reason.constraint } : undefined
  const made = new SqlError({ reason: new Reason({ ...constraint, ...props }) })
  refined.add(made)
  return made
}

const refined = new WeakSet<SqlError>()

/** The same error as one of `COMMIT`. */
export const atCommit = (error: SqlError): SqlError =>
  remake(error, undefined, { cause: error.reason.cause, message: error.reason.message, operation: "commit" })
