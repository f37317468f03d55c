/**
 * What the operations of `Search` take and give.
 *
 * @internal
 */
import type * as Duration from "effect/Duration"
import type * as Option from "effect/Option"
import type * as Result from "effect/Result"
import type { Reason } from "../../operation/Reason.ts"
import type { Fields, Filter, Sort, TextQuery } from "./SearchQuery.ts"

/** A document as it is kept: JSON. */
export type Source = Readonly<Record<string, unknown>>

/**
 * When a write can be found by a search: `false` after the next refresh of its index (a second, by default), `true` at once
 * (costly), `"wait"` before the operation returns. A `get` sees it in any case. Default `false`.
 */
export type Refresh = boolean | "wait"

/** The version of a document: what a write that must not overtake another one is conditional on. */
export interface Version {
  /** Counts the writes to a shard. */
  readonly seqNo: number
  /** Counts how often the shard got another primary. */
  readonly primaryTerm: number
}

/** Input of the operations on one document. */
export interface DocumentKey {
  /** The name of an index. */
  readonly index: string
  /** 1 to 512 bytes. */
  readonly id: string
  /** What decides about the document's shard, where it is not its id. */
  readonly routing?: string | undefined
}

/** Input of `index`. */
export interface IndexInput {
  readonly index: string
  /** 1 to 512 bytes. Without one the engine makes one, and the operation is not repeated where its outcome is unknown. */
  readonly id?: string | undefined
  /** Anything that is an object in JSON. */
  readonly document: object
  /** Fails as `Conflict` where there is such a document already. Default `false`: replaces it. */
  readonly create?: boolean | undefined
  /** Fails as `Conflict` where the document has another version. */
  readonly ifVersion?: Version | undefined
  /** When a search finds it. Default `false`. */
  readonly refresh?: Refresh | undefined
  /** What decides about the document's shard, where it is not its id. */
  readonly routing?: string | undefined
}

/** Input of `update`. */
export interface UpdateInput extends DocumentKey {
  /** The fields to change; objects are merged, everything else is replaced. */
  readonly document: object
  /** Makes the document of these fields where there is none. Default `false`: fails as `NotFound`. */
  readonly upsert?: boolean | undefined
  /** Fails as `Conflict` where the document has another version. */
  readonly ifVersion?: Version | undefined
  /** When a search finds the change. Default `false`. */
  readonly refresh?: Refresh | undefined
}

/** Input of `delete`. */
export interface DeleteInput extends DocumentKey {
  /** Fails as `Conflict` where the document has another version. */
  readonly ifVersion?: Version | undefined
  /** When a search no longer finds it. Default `false`. */
  readonly refresh?: Refresh | undefined
}

/** What a write did. */
export type Outcome = "created" | "updated" | "deleted" | "noop" | "not_found"

/** A document that was written. */
export interface Written {
  readonly index: string
  /** As it was given, or as the engine made it. */
  readonly id: string
  readonly outcome: Outcome
  /** What it has now: for `ifVersion` of the next write. */
  readonly version: Version
}

/** A document that was got. */
export interface Found<A = Source> {
  readonly index: string
  readonly id: string
  /** For `ifVersion` of a write that must not overtake another one. */
  readonly version: Version
  /** The document. */
  readonly source: A
}

/** One operation of a bulk. `index` is needed where the bulk itself names none. */
export type BulkOperation =
  | {
      readonly action: "index" | "create"
      readonly index?: string | undefined
      readonly id?: string | undefined
      readonly document: object
      readonly routing?: string | undefined
    }
  | {
      readonly action: "update"
      readonly index?: string | undefined
      readonly id: string
      readonly document: object
      readonly upsert?: boolean | undefined
      readonly routing?: string | undefined
    }
  | {
      readonly action: "delete"
      readonly index?: string | undefined
      readonly id: string
      readonly routing?: string | undefined
    }

/** Input of `bulk`. */
export interface BulkInput {
  /** The index of the operations that name none. */
  readonly index?: string | undefined
  readonly operations: ReadonlyArray<BulkOperation>
  readonly refresh?: Refresh | undefined
}

/** What became of one operation of a bulk. */
export interface BulkItem {
  readonly action: BulkOperation["action"]
  readonly index: string
  /** None where the engine was to make it and the operation failed. */
  readonly id: Option.Option<string>
  readonly result: Result.Result<Written, Reason>
}

/** What became of a bulk. */
export interface BulkResult {
  /** One for each operation, in the order of the operations. */
  readonly items: ReadonlyArray<BulkItem>
  /** Those that failed. */
  readonly failures: ReadonlyArray<BulkItem>
}

/** A state of indices that stays as it is while their documents change, so that pages fit together. */
export interface PointInTime {
  /** As a page before gave it. Without one, the state is taken now. */
  readonly id?: string | undefined
  /** How long it is kept after each page. */
  readonly keepAlive: Duration.Input
}

/** Input of `search`. Without `text` and `filter` every document matches. */
export interface SearchInput {
  /** The name of an index; several with commas between; `*` stands for anything. */
  readonly index: string
  /** What to look for; a string means any of its words in any field. */
  readonly text?: string | TextQuery | undefined
  /** What documents must be like; of several filters all have to match. Default: anything. */
  readonly filter?: Filter | ReadonlyArray<Filter> | undefined
  /** Default: by relevance. */
  readonly sort?: ReadonlyArray<Sort> | undefined
  /** How many hits to leave out. `from` and `size` are at most 10,000 together; further pages by `after` or `scan`. */
  readonly from?: number | undefined
  /** How many hits to give. Default 10; 0 counts only. */
  readonly size?: number | undefined
  /** Begins behind the hit with these sort values (`Hit.sort`). The order must tell all hits apart. */
  readonly after?: ReadonlyArray<unknown> | undefined
  /** Fields whose matching words are to be marked, in `<em>`. */
  readonly highlight?: ReadonlyArray<string> | undefined
  /** Which fields of the documents to give: paths, `*` for anything. Default all; `false` for none. */
  readonly source?: boolean | ReadonlyArray<string> | undefined
  /** Counts the matching documents beyond 10,000. Default `false`. */
  readonly countAll?: boolean | undefined
  /** How long the engine may search; then it answers with what it has, which makes the result partial. */
  readonly timeout?: Duration.Input | undefined
  /** Searches a state of the indices that is kept from page to page. Default: what is there now. */
  readonly pointInTime?: PointInTime | undefined
  /** Parts of the request in the engine's own words (`aggs`, `collapse`, `query`), laid over the others. Not embedded. */
  readonly raw?: Readonly<Record<string, unknown>> | undefined
}

/** A document that matched. */
export interface Hit<A = Source> {
  readonly index: string
  readonly id: string
  /** The relevance; none where hits are sorted by fields only. */
  readonly score: Option.Option<number>
  readonly source: A
  /** The values that it was sorted by. */
  readonly sort: ReadonlyArray<unknown>
  /** The whole text of each highlighted field that matched, with matching words in `<em>`. */
  readonly highlights: Readonly<Record<string, ReadonlyArray<string>>>
}

/** What a search found. */
export interface SearchResult<A = Source> {
  readonly hits: ReadonlyArray<Hit<A>>
  /** How many documents match. */
  readonly total: number
  /** Whether `total` is exact, and not a lower bound. */
  readonly totalIsExact: boolean
  /** Whether documents may be missing: shards failed, or the time was up. */
  readonly partial: boolean
  /** Whether `timeout` was up before all was searched. */
  readonly timedOut: boolean
  /** How many shards were asked, and how many of them answered. */
  readonly shards: { readonly total: number; readonly successful: number; readonly failed: number }
  /** How long the engine took. */
  readonly took: Duration.Duration
  /** The state that was searched, where a point in time was asked for and may be gone on with. */
  readonly pointInTime: Option.Option<string>
  /** As the engine gives them, where `raw` asked for them. */
  readonly aggregations: Readonly<Record<string, unknown>>
}

/** Input of `suggest`. */
export interface SuggestInput {
  readonly index: string
  /** What was typed. */
  readonly text: string
  /** To complete: a field of type `completion`. To correct: one of type `text`. */
  readonly field: string
  /** `complete` what was begun, or `correct` words that are not there. Default `complete`. */
  readonly mode?: "complete" | "correct" | undefined
  /** How many suggestions, for each word when correcting. Default 5. */
  readonly size?: number | undefined
  /** Completes with typing errors in what was typed. Default `false`. */
  readonly fuzzy?: boolean | undefined
}

/** A suggestion. */
export interface Suggestion {
  /** What to put in the place of that part. */
  readonly text: string
  /** The part of the input that it is for: all of it when completing, a word when correcting. */
  readonly for: string
  /** How well it fits; comparable within one answer only. */
  readonly score: number
  /** The document that it comes from, when completing. */
  readonly id: Option.Option<string>
}

/** Input of `create_index`. */
export interface CreateIndexInput {
  /** Lower case, none of `\ / * ? " < > | , #` and space, not beginning with `-`, `_` or `+`, at most 255 bytes. */
  readonly index: string
  readonly fields?: Fields | undefined
  /** Whether fields that are not named may come with documents. Default `true`. */
  readonly dynamic?: boolean | undefined
  /** How many shards. Default: as the engine is configured. */
  readonly shards?: number | undefined
  /** How many copies of each shard. Default: as the engine is configured. */
  readonly replicas?: number | undefined
  /** Is satisfied where there is such an index already. Default `false`: fails as `Conflict`. */
  readonly ifMissing?: boolean | undefined
  /** Parts of the request in the engine's own words, laid over the others. Not embedded. */
  readonly raw?: Readonly<Record<string, unknown>> | undefined
}

/** Input of `delete_index`. */
export interface DeleteIndexInput {
  /** One name; no `*`. */
  readonly index: string
  /** Is satisfied where there is no such index. Default `false`: fails as `NotFound`. */
  readonly ifExists?: boolean | undefined
}
