/**
 * `search` and `suggest` over indices in this process.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import { InvalidRequest } from "../../../operation/Reason.ts"
import type * as Types from "../SearchTypes.ts"
import { type EmbeddedDocument, type EmbeddedIndex, highlight, type TextMatch } from "./EmbeddedIndex.ts"
import { begins, distance } from "./errors.ts"
import { refused, wildcard } from "./Mapping.ts"
import * as matching from "./matching.ts"
import { words } from "./TextIndex.ts"

/** More matching documents are not counted, unless that is asked for. */
const MAX_COUNT = 10_000

interface Candidate {
  readonly document: EmbeddedDocument
  readonly score: number
  readonly match: TextMatch | undefined
  readonly sort: ReadonlyArray<unknown>
}

/** Finds documents. Throws the reason of a failure. `complete` makes the order tell all documents apart. */
export const search = (
  indices: ReadonlyArray<EmbeddedIndex>,
  input: Types.SearchInput,
  now: number,
  complete: boolean
): Types.SearchResult => {
  if (input.raw !== undefined) {
    throw new InvalidRequest({
      message: `raw is not accepted: the embedded engine does not speak the words of another (${Object.keys(input.raw).join(", ")})`
    })
  }
  const text =
    input.text === undefined ? undefined : typeof input.text === "string" ? { query: input.text } : input.text
  const filters = input.filter === undefined ? [] : Array.isArray(input.filter) ? input.filter : [input.filter]
  const sort = input.sort ?? (complete && text === undefined ? [] : ["_score"])
  const entries = complete ? [...sort, matching.POSITION] : sort
  if (input.after !== undefined && input.after.length !== entries.length) {
    throw refused(
      "illegal_argument_exception",
      `after has ${input.after.length} values, the order has ${entries.length}`
    )
  }
  const found: Array<Candidate> = []
  let order: matching.Order | undefined
  let position = 0
  for (const index of indices) {
    const { mapping } = index
    order = matching.order(entries as ReadonlyArray<string>, mapping)
    const matches = text === undefined ? undefined : index.match(text)
    const tests = filters.map((filter) => matching.test(filter, mapping, now))
    for (const document of index.documents()) {
      position++
      const match = matches?.get(document.id)
      if (matches !== undefined && match === undefined) continue
      if (!tests.every((matches) => matches(document))) continue
      const score = match?.score ?? 1
      found.push({ document, score, match, sort: order.valuesOf(document, score, position) })
    }
  }
  if (order !== undefined) {
    const { compare } = order
    found.sort((a, b) => compare(a.sort, b.sort))
  }
  const { after } = input
  const following =
    after === undefined || order === undefined ? found : found.filter(({ sort }) => order.compare(sort, after) > 0)
  const from = input.from ?? 0
  const page = following.slice(from, from + (input.size ?? 10))
  const counted = input.countAll === true ? found.length : Math.min(found.length, MAX_COUNT)
  return {
    hits: page.map((candidate) => hit(candidate, input, order?.byScore === true, complete)),
    total: counted,
    totalIsExact: counted === found.length,
    partial: false,
    timedOut: false,
    shards: { total: indices.length, successful: indices.length, failed: 0 },
    took: Duration.zero,
    pointInTime: Option.none(),
    aggregations: {}
  }
}

const hit = (
  { document, match, score, sort }: Candidate,
  { highlight: fields = [], sort: asked, source }: Types.SearchInput,
  byScore: boolean,
  complete: boolean
): Types.Hit => {
  const parsed = JSON.parse(document.json) as Types.Source
  const highlights: Record<string, ReadonlyArray<string>> = {}
  for (const path of fields) {
    const matched = match?.matched.get(path)
    const marked = (document.values.get(path) ?? [])
      .map((text) => (matched === undefined ? "" : highlight(String(text), matched)))
      .filter((text) => text.includes("<em>"))
    if (marked.length > 0) highlights[path] = marked
  }
  return {
    index: document.index,
    id: document.id,
    score: byScore ? Option.some(score) : Option.none(),
    source: source === false ? {} : source === undefined || source === true ? parsed : picked(parsed, source, ""),
    sort: asked === undefined && !complete ? [] : sort,
    highlights
  }
}

/** The fields of a document whose paths fit. */
const picked = (source: Types.Source, patterns: ReadonlyArray<string>, prefix: string): Types.Source =>
  Object.fromEntries(
    Object.entries(source).flatMap(([key, value]) => {
      const path = prefix + key
      if (patterns.some((pattern) => wildcard(pattern).test(path))) return [[key, value]]
      if (Array.isArray(value)) {
        const elements = value.flatMap((element) => (isObject(element) ? [picked(element, patterns, `${path}.`)] : []))
        return elements.some((element) => Object.keys(element).length > 0) ? [[key, elements]] : []
      }
      if (!isObject(value)) return []
      const inner = picked(value, patterns, `${path}.`)
      return Object.keys(inner).length > 0 ? [[key, inner]] : []
    })
  )

const isObject = (value: unknown): value is Types.Source => typeof value === "object" && value !== null

/** Completes or corrects. Throws the reason of a failure. */
export const suggest = (
  indices: ReadonlyArray<EmbeddedIndex>,
  input: Types.SuggestInput
): ReadonlyArray<Types.Suggestion> => (input.mode === "correct" ? correct(indices, input) : complete(indices, input))

/** The words of a completion: letters only, in lower case. */
const simple = (text: string): string =>
  text
    .toLowerCase()
    .split(/\P{L}+/u)
    .filter((word) => word !== "")
    .join(" ")

const complete = (
  indices: ReadonlyArray<EmbeddedIndex>,
  { field, fuzzy, size = 5, text }: Types.SuggestInput
): ReadonlyArray<Types.Suggestion> => {
  const typed = simple(text)
  const best = new Map<string, Types.Suggestion>()
  for (const index of indices) {
    if (index.mapping.typeOf(field) !== "completion") {
      throw refused("illegal_argument_exception", `Field [${field}] is not a completion suggest field`)
    }
    if (typed === "") continue
    for (const document of index.documents()) {
      for (const { input, weight } of document.completions.get(field) ?? []) {
        if (!begins(simple(input), typed, fuzzy === true)) continue
        if ((best.get(input)?.score ?? -1) >= weight) continue
        best.set(input, { text: input, for: text, score: weight, id: Option.some(document.id) })
      }
    }
  }
  return [...best.values()].sort((a, b) => b.score - a.score || (a.text < b.text ? -1 : 1)).slice(0, size)
}

/** Shorter words are taken as they are: anything is near to them. */
const SHORTEST_WORD = 4

const correct = (
  indices: ReadonlyArray<EmbeddedIndex>,
  { field, size = 5, text }: Types.SuggestInput
): ReadonlyArray<Types.Suggestion> => {
  const known = new Map<string, number>()
  for (const index of indices) {
    if (index.mapping.typeOf(field) === undefined) {
      throw refused("illegal_argument_exception", `no mapping found for field [${field}]`)
    }
    for (const [word, count] of index.vocabulary(field)) known.set(word, (known.get(word) ?? 0) + count)
  }
  return words(text).flatMap(({ text: word }) =>
    word.length < SHORTEST_WORD || known.has(word)
      ? []
      : [...known]
          .filter(([other]) => other.length >= SHORTEST_WORD && other[0] === word[0])
          .map(([other, count]) => ({ other, count, errors: distance(word, other) }))
          .filter(({ errors }) => errors <= 2)
          .sort((a, b) => a.errors - b.errors || b.count - a.count || (a.other < b.other ? -1 : 1))
          .slice(0, size)
          .map(({ errors, other }) => ({
            text: other,
            for: word,
            score: 1 - errors / Math.min(word.length, other.length),
            id: Option.none<string>()
          }))
  )
}
