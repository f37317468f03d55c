/**
 * The span of a statement: how it is named, what it carries, how it ends. Internal to the traced client.
 *
 * What a text says is worked out once and kept, since the same statements run over and over.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import type * as Tracer from "effect/Tracer"
import * as Attributes from "../../operation/Attributes.ts"
import { ExpectedFailures } from "../../operation/ExpectedFailures.ts"
import * as Disabled from "../../tracer/Disabled.ts"
import { isRecording, markExpected } from "../../tracer/Recording.ts"
import { CurrentSemconvStability } from "../../tracer/SemconvStability.ts"
import { type SpanOptionsNoTrace, withSpan } from "../../tracer/withSpan.ts"
import { type Outcome, type Target, olderOutcome, olderStatement, outcome, statement } from "./DatabaseAttributes.ts"
import { reasonOf, refine, sqlStateOf } from "./DatabaseReason.ts"
import { type QueryDescription, describe } from "./QuerySummary.ts"
import type { Dialect } from "./SqlText.ts"

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** A statement's text, read. */
export interface Described {
  readonly query: QueryDescription
  /** The options of its span, whose attributes are made when a span is kept. */
  readonly options: Options
  /** The same with the older names beside the stable ones. */
  readonly older: Options
}

interface Options extends SpanOptionsNoTrace {
  readonly kind: "client"
  readonly attributes: () => Readonly<Record<string, unknown>>
}

/** Whether anybody asks for spans. */
export const isTracing = (fiber: AnyFiber): boolean =>
  fiber.cache.tracerEnabled && fiber.cache.tracer !== Disabled.tracer

const statementTable = Attributes.compile(statement)
const olderStatementTable = Attributes.compile(olderStatement)
const outcomeTable = Attributes.compile(outcome)
const olderOutcomeTable = Attributes.compile(olderOutcome)

const client = { kind: "client" } as const
const noStackTrace = { captureStackTrace: false } as const

/** Texts that are kept, twice as many at most, and how long one may be. */
const maxKept = 500
const maxKeptLength = 8192

/** What a statement gave, in rows. */
export type RowsOf<A> = (result: A) => Outcome

const noRows: Outcome = {}

/** For results in which no rows are looked for. */
export const withoutRows: RowsOf<unknown> = () => noRows

/** For results that are lists of rows. */
export const rowsOfList: RowsOf<ReadonlyArray<unknown>> = (rows) => ({ returnedRows: rows.length })

/** For a driver's own result: a list of rows, or something that has one as `rows`. */
export const rowsOfRaw: RowsOf<unknown> = (result) => {
  if (Array.isArray(result)) return { returnedRows: result.length }
  if (typeof result !== "object" || result === null) return noRows
  const { rowCount, rows } = result as { readonly rows?: unknown; readonly rowCount?: unknown }
  return {
    returnedRows: Array.isArray(rows) ? rows.length : undefined,
    affectedRows: typeof rowCount === "number" ? rowCount : undefined
  }
}

/** Makes the spans of one client's statements. */
export class StatementSpans {
  readonly target: Target
  readonly dialect: Dialect
  // Two generations: what is not asked for while the younger one fills is forgotten with the older one.
  private young = new Map<string, Described>()
  private old = new Map<string, Described>()

  constructor(target: Target, dialect: Dialect) {
    this.target = target
    this.dialect = dialect
  }

  /** What a text says. */
  describe(sql: string): Described {
    const known = this.young.get(sql)
    if (known !== undefined) return known
    const described = this.old.get(sql) ?? this.read(sql)
    if (sql.length <= maxKeptLength) {
      if (this.young.size >= maxKept) {
        this.old = this.young
        this.young = new Map()
      }
      this.young.set(sql, described)
    }
    return described
  }

  private read(sql: string): Described {
    const query = describe(sql, this.dialect)
    const facts = { target: this.target, query }
    const attributes = Attributes.read(statementTable, facts)
    const both = { ...attributes, ...Attributes.read(olderStatementTable, facts) }
    return {
      query,
      options: { kind: "client", attributes: () => attributes },
      older: { kind: "client", attributes: () => both }
    }
  }

  /** Runs an effect that is this statement, in its span. */
  run<A, R>(sql: string, effect: Effect.Effect<A, SqlError, R>, rowsOf: RowsOf<A>): Effect.Effect<A, SqlError, R> {
    return Effect.withFiber((fiber) =>
      isTracing(fiber) ? this.settle(fiber, this.describe(sql), effect, rowsOf) : Effect.mapError(effect, refine)
    )
  }

  /** Whether the rows that a statement changes are to be counted: for an older name only, and where a driver can. */
  countsChanges(fiber: AnyFiber, described: Described): boolean {
    const { changesRows, returnsRows } = described.query
    return changesRows && !returnsRows && this.dialect === "pg" && writesOlder(fiber)
  }

  /** Runs a statement that has been read, in its span. */
  settle<A, R>(
    fiber: AnyFiber,
    described: Described,
    effect: Effect.Effect<A, SqlError, R>,
    rowsOf: RowsOf<A>
  ): Effect.Effect<A, SqlError, R> {
    const older = writesOlder(fiber)
    const options = older ? described.older : described.options
    return withSpan(described.query.spanName, options, noStackTrace)(this.settled(described, older, effect, rowsOf))
  }

  /** Runs something in the span of a statement of which it is not yet certain what it says. */
  open<A, R>(
    described: Described,
    body: (span: Tracer.Span) => Effect.Effect<A, SqlError, R>
  ): Effect.Effect<A, SqlError, R> {
    return withSpan(
      described.query.spanName,
      client,
      noStackTrace
    )(Effect.withFiber((fiber) => body(fiber.cache.span as Tracer.Span)))
  }

  /** In the span that is open, runs the statement that it has come to. */
  settleOpen<A, R>(
    fiber: AnyFiber,
    span: Tracer.Span,
    described: Described,
    effect: Effect.Effect<A, SqlError, R>,
    rowsOf: RowsOf<A>
  ): Effect.Effect<A, SqlError, R> {
    return this.settled(described, begin(fiber, span, described), effect, rowsOf)
  }

  /** Writes on the fiber's span what becomes of a statement. */
  private settled<A, R>(
    described: Described,
    older: boolean,
    effect: Effect.Effect<A, SqlError, R>,
    rowsOf: RowsOf<A>
  ): Effect.Effect<A, SqlError, R> {
    return Effect.withFiber((fiber) => {
      const span = fiber.cache.span as Tracer.Span
      if (!isRecording(span)) return Effect.mapError(effect, refine)
      return Effect.mapBoth(effect, {
        onFailure: (error) => failed(fiber, span, error),
        onSuccess: (result) => {
          succeeded(span, described, older, rowsOf(result))
          return result
        }
      })
    })
  }

  /** Makes the span of a statement; it ends with the scope. */
  scoped(described: Described): Effect.Effect<Tracer.Span, never, Scope.Scope> {
    return Effect.makeSpanScoped(described.query.spanName, client)
  }

  /** Writes what is known of a streaming statement on its span, and, when the scope closes, what became of it. */
  settleStream<A, R>(
    fiber: AnyFiber,
    span: Tracer.Span,
    described: Described,
    stream: Stream.Stream<A, SqlError, R>
  ): Effect.Effect<Stream.Stream<A, SqlError, R>, never, Scope.Scope> {
    if (!isRecording(span)) return Effect.succeed(Stream.mapError(stream, refine))
    const older = begin(fiber, span, described)
    let returnedRows = 0
    let failure = false
    const counted = stream.pipe(
      Stream.mapArray((rows) => {
        returnedRows += rows.length
        return rows
      }),
      Stream.mapError((error) => {
        failure = true
        return failed(fiber, span, error)
      })
    )
    // Finalizers run in reverse order: the count is there before the span ends.
    return Effect.as(
      Effect.addFinalizer(() =>
        Effect.sync(() => {
          if (!failure) succeeded(span, described, older, { returnedRows })
        })
      ),
      counted
    )
  }
}

const writesOlder = (fiber: AnyFiber): boolean => fiber.getRef(CurrentSemconvStability).databaseDup

/** Writes the attributes of a statement; gives whether the older names are written too. */
const begin = (fiber: AnyFiber, span: Tracer.Span, described: Described): boolean => {
  const older = writesOlder(fiber)
  if (!isRecording(span)) return older
  const attributes = (older ? described.older : described.options).attributes()
  for (const key in attributes) span.attribute(key, attributes[key])
  return older
}

const succeeded = (span: Tracer.Span, described: Described, older: boolean, found: Outcome): void => {
  // A statement that returns no rows by its nature says nothing of them.
  const returnedRows = found.returnedRows === 0 && !described.query.returnsRows ? undefined : found.returnedRows
  const facts = { ...found, returnedRows }
  Attributes.each(outcomeTable, facts, (key, value) => span.attribute(key, value))
  if (older) Attributes.each(olderOutcomeTable, facts, (key, value) => span.attribute(key, value))
}

const failed = (fiber: AnyFiber, span: Tracer.Span, error: SqlError): SqlError => {
  const better = refine(error)
  const reason = reasonOf(better)
  const facts: Outcome = { errorType: reason._tag, sqlState: sqlStateOf(better) }
  Attributes.each(outcomeTable, facts, (key, value) => span.attribute(key, value))
  const expected: ReadonlySet<string> = fiber.getRef(ExpectedFailures)
  if (expected.has(reason._tag)) markExpected(span)
  return better
}

/** Renames a span, where it or the OpenTelemetry span inside of it can be renamed. */
export const rename = (span: Tracer.Span, name: string): void => {
  if (span.name === name) return
  const own = span as { readonly updateName?: unknown; readonly span?: { readonly updateName?: unknown } | undefined }
  const target = typeof own.updateName === "function" ? own : own.span
  if (typeof target?.updateName === "function") target.updateName(name)
}
