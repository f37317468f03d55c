/**
 * What is searched for, in words that every engine under `Search` understands: a full text, filters, a sort order, and the
 * types of fields.
 *
 * Queries are plain data, so that they can be built from a request, kept and compared. What an engine can do beyond this goes
 * into `raw` of an operation, in the engine's own words.
 *
 * **Details**
 *
 * A field of an object is named by its path: `author.name`. A field of type `text` is analysed (split into words, in lower
 * case) and is what full text looks at; its exact value is the field with `.keyword` behind its name (`title.keyword`), to
 * filter and to sort by, as long as it has at most 256 characters. Fields that no `create_index` named get their types from
 * the first document that has them: a string is `text`, or `date` where it looks like one in ISO 8601.
 *
 * **Example** (What a search page asks for)
 *
 * ```ts
 * import type * as SearchQuery from "effect-telemetry/services/Search/SearchQuery"
 *
 * const text: SearchQuery.TextQuery = { query: "sumer jaz", fields: { title: 3, body: 1 }, match: "all", fuzzy: true }
 * const filter: SearchQuery.Filter = {
 *   allOf: [{ term: { status: "published" } }, { range: { plays: { gte: 10 } } }, { not: { terms: { tag: ["spam", "test"] } } }]
 * }
 * const sort: ReadonlyArray<SearchQuery.Sort> = ["_score", { field: "plays", order: "desc" }]
 * console.log(JSON.stringify({ text, filter, sort }))
 * ```
 */

/** A value to compare with. A `Date` stands for its ISO 8601 text. */
export type Scalar = string | number | boolean | Date

/** A full text to look for. */
export interface TextQuery {
  /** The words. */
  readonly query: string
  /**
   * The fields to look in, of type `text`: their names, or their names with boosts (a match in a field of boost 3 counts
   * three times). Default: all.
   */
  readonly fields?: ReadonlyArray<string> | Readonly<Record<string, number>> | undefined
  /**
   * Whether a document has to have `any` of the words or `all` of them: then in whichever fields, but with `fuzzy` all in the
   * same field. Default `any`; more words make a better match.
   */
  readonly match?: "any" | "all" | undefined
  /** Whether words with a typing error match: one from 3 letters on, two from 6 letters on. Default `false`. */
  readonly fuzzy?: boolean | undefined
  /** Whether the last word may be the beginning of one: for a search while typing. Default `false`. */
  readonly prefix?: boolean | undefined
}

/** Bounds of a range; those that are not given are open. */
export interface Bounds {
  readonly gt?: Exclude<Scalar, boolean> | undefined
  readonly gte?: Exclude<Scalar, boolean> | undefined
  readonly lt?: Exclude<Scalar, boolean> | undefined
  readonly lte?: Exclude<Scalar, boolean> | undefined
}

/**
 * What a document must be like; has no influence on relevance. Of a field with several values one has to match. Several fields
 * in one filter all have to match.
 */
export type Filter =
  /** Fields that have exactly a value. */
  | { readonly term: Readonly<Record<string, Scalar>> }
  /** Fields that have one of several values. */
  | { readonly terms: Readonly<Record<string, ReadonlyArray<Scalar>>> }
  /** Fields within bounds. */
  | { readonly range: Readonly<Record<string, Bounds>> }
  /** Fields of type `keyword` that begin with a text. */
  | { readonly prefix: Readonly<Record<string, string>> }
  /** A field that has a value. */
  | { readonly exists: string }
  /** Documents by their ids. */
  | { readonly ids: ReadonlyArray<string> }
  | { readonly not: Filter }
  | { readonly anyOf: ReadonlyArray<Filter> }
  | { readonly allOf: ReadonlyArray<Filter> }

/** A field to sort by, or `_score`. A name alone is ascending, `_score` alone descending. */
export type Sort =
  | string
  | {
      readonly field: string
      /** Default `asc`; of `_score`: `desc`. */
      readonly order?: "asc" | "desc" | undefined
      /** Where documents without the field go. Default `last`. */
      readonly missing?: "first" | "last" | undefined
    }

/** The types that a field may have on every engine. `completion` is what `suggest` completes from. */
export type FieldType = "text" | "keyword" | "long" | "integer" | "double" | "float" | "boolean" | "date" | "completion"

/** The types of fields, by their paths. An object is a definition in the engine's own words. */
export type Fields = Readonly<Record<string, FieldType | Readonly<Record<string, unknown>>>>
