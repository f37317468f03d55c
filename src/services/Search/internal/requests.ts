/**
 * Operations as requests of the REST API that Elasticsearch and OpenSearch have in common.
 *
 * @internal
 *
 * @see https://www.elastic.co/docs/api/doc/elasticsearch/
 * @see https://docs.opensearch.org/latest/api-reference/
 */
import * as Duration from "effect/Duration"
import type { Bounds, Fields, Filter, Scalar, Sort, TextQuery } from "../SearchQuery.ts"
import type * as Types from "../SearchTypes.ts"

type Json = Readonly<Record<string, unknown>>

/** A request, before a client sends it. */
export interface RestRequest {
  readonly method: "GET" | "PUT" | "POST" | "DELETE"
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean>> | undefined
  readonly body?: Json | undefined
  /** A body of lines of JSON. */
  readonly lines?: ReadonlyArray<object> | undefined
  /** Whether a 404 is an answer, and no failure. */
  readonly mayBeMissing?: boolean | undefined
}

/** In what the engines differ. */
export interface Dialect {
  readonly openPointInTime: (index: string, keepAlive: string) => RestRequest
  readonly closePointInTime: (id: string) => RestRequest
  /** What an order is completed by, so that it tells all documents of a point in time apart. */
  readonly tiebreaker: string
}

/** A path: `.` and `..` as segments would be resolved on the way. */
export const path = (...segments: ReadonlyArray<string>): string =>
  segments
    .map((segment) => `/${encodeURIComponent(segment).replace(/^\.+$/, (dots) => "%2E".repeat(dots.length))}`)
    .join("")

const refreshOf = (refresh: Types.Refresh | undefined) =>
  refresh === undefined || refresh === false ? undefined : { refresh: refresh === "wait" ? "wait_for" : "true" }

const versionOf = (version: Types.Version | undefined) =>
  version === undefined ? undefined : { if_seq_no: version.seqNo, if_primary_term: version.primaryTerm }

const routingOf = (routing: string | undefined) => (routing === undefined ? undefined : { routing })

/** Milliseconds as the engines read them. */
export const millis = (duration: Duration.Input): string =>
  `${Math.max(1, Math.round(Duration.toMillis(Duration.fromInputUnsafe(duration))))}ms`

export const index = (input: Types.IndexInput): RestRequest => ({
  method: input.id === undefined ? "POST" : "PUT",
  path: input.id === undefined ? path(input.index, "_doc") : path(input.index, "_doc", input.id),
  query: {
    ...(input.create === true ? { op_type: "create" } : undefined),
    ...refreshOf(input.refresh),
    ...versionOf(input.ifVersion),
    ...routingOf(input.routing)
  },
  body: input.document as Json
})

export const get = (input: Types.DocumentKey): RestRequest => ({
  method: "GET",
  path: path(input.index, "_doc", input.id),
  query: routingOf(input.routing),
  mayBeMissing: true
})

export const update = (input: Types.UpdateInput): RestRequest => ({
  method: "POST",
  path: path(input.index, "_update", input.id),
  query: { ...refreshOf(input.refresh), ...versionOf(input.ifVersion), ...routingOf(input.routing) },
  body: { doc: input.document, ...(input.upsert === true ? { doc_as_upsert: true } : undefined) }
})

export const remove = (input: Types.DeleteInput): RestRequest => ({
  method: "DELETE",
  path: path(input.index, "_doc", input.id),
  query: { ...refreshOf(input.refresh), ...versionOf(input.ifVersion), ...routingOf(input.routing) },
  mayBeMissing: true
})

export const bulk = (input: Types.BulkInput, operations: ReadonlyArray<Types.BulkOperation>): RestRequest => ({
  method: "POST",
  path: input.index === undefined ? "/_bulk" : path(input.index, "_bulk"),
  query: refreshOf(input.refresh),
  lines: operations.flatMap((operation): ReadonlyArray<object> => {
    const { action, id, index, routing } = operation
    const target = {
      [action]: {
        ...(index === undefined ? undefined : { _index: index }),
        ...(id === undefined ? undefined : { _id: id }),
        ...routingOf(routing)
      }
    }
    switch (operation.action) {
      case "delete":
        return [target]
      case "update":
        return [
          target,
          { doc: operation.document, ...(operation.upsert === true ? { doc_as_upsert: true } : undefined) }
        ]
      default:
        return [target, operation.document]
    }
  })
})

export const createIndex = (input: Types.CreateIndexInput): RestRequest => ({
  method: "PUT",
  path: path(input.index),
  body: overlay(
    {
      settings: {
        ...(input.shards === undefined ? undefined : { number_of_shards: input.shards }),
        ...(input.replicas === undefined ? undefined : { number_of_replicas: input.replicas })
      },
      mappings: {
        ...(input.dynamic === false ? { dynamic: "strict" } : undefined),
        properties: properties(input.fields ?? {})
      }
    },
    input.raw
  )
})

/** Fields as a mapping. A text has its exact value beside it, as a field that was not named would have. */
const properties = (fields: Fields): Json =>
  Object.fromEntries(
    Object.entries(fields).map(([name, type]) => [
      name,
      typeof type !== "string"
        ? type
        : type === "text"
          ? { type, fields: { keyword: { type: "keyword", ignore_above: 256 } } }
          : { type }
    ])
  )

export const deleteIndex = (input: Types.DeleteIndexInput): RestRequest => ({
  method: "DELETE",
  path: path(input.index),
  mayBeMissing: input.ifExists
})

export const suggest = ({ field, fuzzy, index, mode, size = 5, text }: Types.SuggestInput): RestRequest => ({
  method: "POST",
  path: path(index, "_search"),
  body: {
    size: 0,
    _source: false,
    suggest: {
      suggestions:
        mode === "correct"
          ? { text, term: { field, size } }
          : {
              prefix: text,
              completion: {
                field,
                size,
                skip_duplicates: true,
                ...(fuzzy === true ? { fuzzy: { fuzziness: "AUTO" } } : undefined)
              }
            }
    }
  }
})

/** `pointInTime`: the id of the state to search, where there is one. */
export const search = (input: Types.SearchInput, dialect: Dialect, pointInTime: string | undefined): RestRequest => {
  const { after, countAll, from, highlight, size, source, timeout } = input
  const sort = sortOf(input, pointInTime === undefined ? undefined : dialect.tiebreaker)
  return {
    method: "POST",
    path: pointInTime === undefined ? path(input.index, "_search") : "/_search",
    // A page with documents missing would look like the last one.
    query: pointInTime === undefined ? undefined : { allow_partial_search_results: false },
    body: overlay(
      {
        query: queryOf(input),
        ...(sort === undefined ? undefined : { sort }),
        ...(from === undefined ? undefined : { from }),
        ...(size === undefined ? undefined : { size }),
        ...(after === undefined ? undefined : { search_after: after.map(sortValue) }),
        ...(source === undefined ? undefined : { _source: source }),
        ...(countAll === true ? { track_total_hits: true } : undefined),
        ...(timeout === undefined ? undefined : { timeout: millis(timeout) }),
        ...(highlight === undefined ? undefined : { highlight: highlightOf(highlight) }),
        ...(pointInTime === undefined
          ? undefined
          : { pit: { id: pointInTime, keep_alive: millis(input.pointInTime!.keepAlive) } })
      },
      input.raw
    )
  }
}

/** Whole texts, not parts of them. */
const highlightOf = (fields: ReadonlyArray<string>): Json => ({
  number_of_fragments: 0,
  fields: Object.fromEntries(fields.map((field) => [field, {}]))
})

/**
 * A value of an order as it is sent back. A document without the field is sorted by the greatest or least 64-bit integer,
 * which a number of JavaScript rounds to one that the engine does not accept.
 */
const sortValue = (value: unknown): unknown =>
  typeof value === "number" && Math.abs(value) >= 2 ** 63
    ? value > 0
      ? "9223372036854775807"
      : "-9223372036854775808"
    : value

const sortOf = (
  { sort, text }: Types.SearchInput,
  tiebreaker: string | undefined
): ReadonlyArray<unknown> | undefined => {
  const own =
    sort?.map(sortEntry) ?? (tiebreaker !== undefined && text !== undefined ? [sortEntry("_score")] : undefined)
  return tiebreaker === undefined ? own : [...(own ?? []), { [tiebreaker]: "asc" }]
}

const sortEntry = (sort: Sort): Json => {
  const { field, missing = "last", order } = typeof sort === "string" ? { field: sort } : sort
  return field === "_score"
    ? { _score: order ?? "desc" }
    : { [field]: { order: order ?? "asc", missing: `_${missing}` } }
}

const queryOf = ({ filter, text }: Types.SearchInput): Json => {
  const filters = filter === undefined ? [] : isList(filter) ? filter : [filter]
  const must = text === undefined ? [] : [textQuery(typeof text === "string" ? { query: text } : text)]
  if (must.length === 0 && filters.length === 0) return { match_all: {} }
  return { bool: { must: must.length === 0 ? [{ match_all: {} }] : must, filter: filters.map(filterQuery) } }
}

const textQuery = ({ fields, fuzzy, match, prefix, query }: TextQuery): Json => ({
  multi_match: {
    query,
    lenient: true,
    type: prefix === true ? "bool_prefix" : match === "all" && fuzzy !== true ? "cross_fields" : "best_fields",
    operator: match === "all" ? "and" : "or",
    ...(fuzzy === true ? { fuzziness: "AUTO:3,6" } : undefined),
    ...(fields === undefined
      ? undefined
      : {
          fields: isList(fields) ? fields : Object.entries(fields).map(([field, boost]) => `${field}^${boost}`)
        })
  }
})

const value = (scalar: Scalar): unknown => (scalar instanceof Date ? scalar.toISOString() : scalar)

const each = <A>(record: Readonly<Record<string, A>>, query: (field: string, value: A) => Json): Json => {
  const queries = Object.entries(record).map(([field, given]) => query(field, given))
  return queries.length === 1 ? queries[0]! : { bool: { filter: queries } }
}

/** A filter as a query. */
export const filterQuery = (filter: Filter): Json => {
  if ("term" in filter) return each(filter.term, (field, given) => ({ term: { [field]: value(given) } }))
  if ("terms" in filter) return each(filter.terms, (field, given) => ({ terms: { [field]: given.map(value) } }))
  if ("range" in filter) return each(filter.range, (field, given) => ({ range: { [field]: boundsOf(given) } }))
  if ("prefix" in filter) return each(filter.prefix, (field, given) => ({ prefix: { [field]: given } }))
  if ("exists" in filter) return { exists: { field: filter.exists } }
  if ("ids" in filter) return { ids: { values: filter.ids } }
  if ("not" in filter) return { bool: { must_not: [filterQuery(filter.not)] } }
  if ("anyOf" in filter) {
    return filter.anyOf.length === 0
      ? { match_none: {} }
      : { bool: { should: filter.anyOf.map(filterQuery), minimum_should_match: 1 } }
  }
  return { bool: { filter: filter.allOf.map(filterQuery) } }
}

const boundsOf = (bounds: Bounds): Json =>
  Object.fromEntries(
    Object.entries(bounds).flatMap(([bound, given]) => (given === undefined ? [] : [[bound, value(given as Scalar)]]))
  )

/** Lays objects over objects, everything else in place of what is there. */
const overlay = (base: Json, over: Json | undefined): Json => {
  if (over === undefined) return base
  const merged: Record<string, unknown> = { ...base }
  for (const [key, given] of Object.entries(over)) {
    const below = merged[key]
    // A query is a whole: two of them in one object would be none.
    merged[key] = isPlain(below) && isPlain(given) && key !== "query" ? overlay(below, given) : given
  }
  return merged
}

const isList = <A>(value: A): value is Extract<A, ReadonlyArray<unknown>> => Array.isArray(value)

const isPlain = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)
