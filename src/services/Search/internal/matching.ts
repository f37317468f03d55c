/**
 * Whether a document in this process is as a filter wants it, and how two of them are ordered.
 *
 * @internal
 */
import type { Bounds, Filter, Scalar, Sort } from "../SearchQuery.ts"
import { coerce, type Indexed, type Mapping, refused } from "./Mapping.ts"
import { words } from "./TextIndex.ts"

/** What of a document filters and orders look at. */
export interface Matchable {
  readonly id: string
  readonly values: ReadonlyMap<string, ReadonlyArray<Indexed>>
  readonly completions: ReadonlyMap<string, ReadonlyArray<unknown>>
}

type Test = (document: Matchable) => boolean

/** Makes a filter ready for many documents. Throws the reason where a value does not fit its field. */
export const test = (filter: Filter, mapping: Mapping, now: number): Test => {
  if ("term" in filter)
    return all(Object.entries(filter.term).map(([path, given]) => oneOf(mapping, path, [given], now)))
  if ("terms" in filter)
    return all(Object.entries(filter.terms).map(([path, given]) => oneOf(mapping, path, given, now)))
  if ("range" in filter)
    return all(Object.entries(filter.range).map(([path, bounds]) => within(mapping, path, bounds, now)))
  if ("prefix" in filter) {
    return all(
      Object.entries(filter.prefix).map(
        ([path, prefix]) =>
          (document: Matchable) =>
            terms(document, mapping, path).some((value) => String(value).startsWith(prefix))
      )
    )
  }
  if ("exists" in filter) return exists(filter.exists)
  if ("ids" in filter) {
    const ids = new Set(filter.ids)
    return ({ id }) => ids.has(id)
  }
  if ("not" in filter) {
    const inner = test(filter.not, mapping, now)
    return (document) => !inner(document)
  }
  if ("anyOf" in filter) {
    const inner = filter.anyOf.map((one) => test(one, mapping, now))
    return (document) => inner.some((matches) => matches(document))
  }
  return all(filter.allOf.map((one) => test(one, mapping, now)))
}

const all =
  (tests: ReadonlyArray<Test>): Test =>
  (document) =>
    tests.every((matches) => matches(document))

const exists =
  (path: string): Test =>
  ({ completions, values }) => {
    if ((values.get(path)?.length ?? 0) > 0 || completions.has(path)) return true
    for (const [other, found] of values) if (other.startsWith(`${path}.`) && found.length > 0) return true
    return false
  }

/** What of a field can be compared exactly: of a text, its words. */
const terms = (document: Matchable, mapping: Mapping, path: string): ReadonlyArray<Indexed> => {
  const values = document.values.get(path) ?? []
  return mapping.typeOf(path) === "text"
    ? values.flatMap((value) => words(String(value)).map((word) => word.text))
    : values
}

const noValue = (path: string, value: unknown) =>
  refused(
    "query_shard_exception",
    `failed to create query: ${JSON.stringify(value)} is no value of the field [${path}]`
  )

const oneOf = (mapping: Mapping, path: string, given: ReadonlyArray<Scalar>, now: number): Test => {
  const type = mapping.typeOf(path)
  if (type === undefined) return () => false
  // A date without a time stands for all of its day.
  if (type === "date") {
    const tests = given.map((value) => within(mapping, path, { gte: value as string, lte: value as string }, now))
    return (document) => tests.some((matches) => matches(document))
  }
  const wanted = new Set(
    given.map((value) => {
      const coerced = coerce(type, value, false, now)
      if (coerced === undefined) throw noValue(path, value)
      return coerced
    })
  )
  return (document) => terms(document, mapping, path).some((value) => wanted.has(value))
}

const within = (mapping: Mapping, path: string, bounds: Bounds, now: number): Test => {
  const type = mapping.typeOf(path)
  if (type === undefined) return () => false
  const bound = (name: keyof Bounds): Indexed | undefined => {
    const given = bounds[name]
    if (given === undefined) return undefined
    // Cut to an integer, a bound of 1.5 would let 1 in or 2 out.
    const as = type === "long" || type === "integer" ? "double" : type
    const coerced = coerce(as, given, name === "gt" || name === "lte", now)
    if (coerced === undefined) throw noValue(path, given)
    return coerced
  }
  const [gt, gte, lt, lte] = [bound("gt"), bound("gte"), bound("lt"), bound("lte")]
  return (document) =>
    terms(document, mapping, path).some(
      (value) =>
        (gt === undefined || value > gt) &&
        (gte === undefined || value >= gte) &&
        (lt === undefined || value < lt) &&
        (lte === undefined || value <= lte)
    )
}

/** What a document is sorted by; `null` where it has no value. */
export type SortValue = Indexed | null

/** An order of documents. */
export interface Order {
  readonly valuesOf: (document: Matchable, score: number, position: number) => ReadonlyArray<SortValue>
  readonly compare: (a: ReadonlyArray<unknown>, b: ReadonlyArray<unknown>) => number
  readonly byScore: boolean
}

/** What completes an order, so that it tells all documents apart: the order in which they were written. */
export const POSITION = "_position"

/** Makes an order ready. Throws the reason where a field cannot be sorted by. */
export const order = (sort: ReadonlyArray<Sort>, mapping: Mapping): Order => {
  const keys = sort.map((entry) => {
    const { field, missing = "last", order } = typeof entry === "string" ? { field: entry } : entry
    const descending = (order ?? (field === "_score" ? "desc" : "asc")) === "desc"
    if (field === "_score" || field === POSITION) return { field, descending, missingFirst: false }
    const type = mapping.typeOf(field)
    if (type === undefined) {
      throw refused("query_shard_exception", `No mapping found for [${field}] in order to sort on`)
    }
    if (type === "text" || type === "completion") {
      throw refused(
        "illegal_argument_exception",
        `a field of type ${type} cannot be sorted by; for the exact value of a text, sort by [${field}.keyword]`
      )
    }
    return { field, descending, missingFirst: missing === "first" }
  })
  return {
    byScore: sort.length === 0 || keys.some(({ field }) => field === "_score"),
    valuesOf: (document, score, position) =>
      keys.map(({ descending, field }) => {
        if (field === "_score") return score
        if (field === POSITION) return position
        const values = document.values.get(field) ?? []
        return values.length === 0 ? null : values.reduce((a, b) => ((descending ? b > a : b < a) ? b : a))
      }),
    compare: (a, b) => {
      for (let i = 0; i < keys.length; i++) {
        const { descending, missingFirst } = keys[i]!
        const [x, y] = [(a[i] ?? null) as SortValue, (b[i] ?? null) as SortValue]
        if (x === y) continue
        if (x === null || y === null) return (x === null) === missingFirst ? -1 : 1
        return x < y !== descending ? -1 : 1
      }
      return 0
    }
  }
}
