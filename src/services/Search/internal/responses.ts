/**
 * What Elasticsearch and OpenSearch answer, checked and in our words.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Decode, type Reason } from "../../../operation/Reason.ts"
import type * as Types from "../SearchTypes.ts"
import { faultOf, fromFault } from "./reasons.ts"

const Source = Schema.Record(Schema.String, Schema.Unknown)
const Shards = Schema.Struct({ total: Schema.Number, successful: Schema.Number, failed: Schema.Number })

const WrittenBody = Schema.Struct({
  _index: Schema.String,
  _id: Schema.String,
  result: Schema.Literals(["created", "updated", "deleted", "noop", "not_found"]),
  _seq_no: Schema.optional(Schema.Number),
  _primary_term: Schema.optional(Schema.Number)
})

const FoundBody = Schema.Struct({
  _index: Schema.String,
  _id: Schema.String,
  found: Schema.Boolean,
  _source: Schema.optional(Source),
  _seq_no: Schema.optional(Schema.Number),
  _primary_term: Schema.optional(Schema.Number)
})

const SearchBody = Schema.Struct({
  took: Schema.Number,
  timed_out: Schema.Boolean,
  _shards: Shards,
  hits: Schema.Struct({
    total: Schema.optional(Schema.Struct({ value: Schema.Number, relation: Schema.String })),
    hits: Schema.Array(
      Schema.Struct({
        _index: Schema.String,
        _id: Schema.String,
        _score: Schema.optional(Schema.NullOr(Schema.Number)),
        _source: Schema.optional(Source),
        sort: Schema.optional(Schema.Array(Schema.Unknown)),
        highlight: Schema.optional(Schema.Record(Schema.String, Schema.Array(Schema.String)))
      })
    )
  }),
  terminated_early: Schema.optional(Schema.Boolean),
  pit_id: Schema.optional(Schema.String),
  aggregations: Schema.optional(Source)
})

const SuggestBody = Schema.Struct({
  _shards: Shards,
  suggest: Schema.optional(
    Schema.Record(
      Schema.String,
      Schema.Array(
        Schema.Struct({
          text: Schema.String,
          options: Schema.Array(
            Schema.Struct({
              text: Schema.String,
              _score: Schema.optional(Schema.Number),
              score: Schema.optional(Schema.Number),
              _id: Schema.optional(Schema.String)
            })
          )
        })
      )
    )
  )
})

const BulkBody = Schema.Struct({
  errors: Schema.Boolean,
  items: Schema.Array(
    Schema.Record(
      Schema.String,
      Schema.Struct({
        _index: Schema.String,
        _id: Schema.optional(Schema.NullOr(Schema.String)),
        status: Schema.Number,
        result: Schema.optional(Schema.String),
        _seq_no: Schema.optional(Schema.Number),
        _primary_term: Schema.optional(Schema.Number),
        error: Schema.optional(Schema.Unknown)
      })
    )
  )
})

const PointInTimeBody = Schema.Union([Schema.Struct({ id: Schema.String }), Schema.Struct({ pit_id: Schema.String })])

const decoder = <A, I>(what: string, schema: Schema.Codec<A, I>) => {
  const decode = Schema.decodeUnknownEffect(schema)
  return (body: unknown): Effect.Effect<A, Reason> =>
    Effect.mapError(decode(body), (cause) => new Decode({ message: `the answer is not what ${what} promises`, cause }))
}

const versionOf = (body: { readonly _seq_no?: number | undefined; readonly _primary_term?: number | undefined }) => ({
  seqNo: body._seq_no ?? 0,
  primaryTerm: body._primary_term ?? 0
})

const decodeWritten = decoder("a write", WrittenBody)

export const written = (body: unknown): Effect.Effect<Types.Written, Reason> =>
  Effect.map(decodeWritten(body), (answer) => ({
    index: answer._index,
    id: answer._id,
    outcome: answer.result,
    version: versionOf(answer)
  }))

const decodeFound = decoder("get", FoundBody)

export const found = (body: unknown): Effect.Effect<Option.Option<Types.Found>, Reason> =>
  Effect.map(decodeFound(body), (answer) =>
    answer.found
      ? Option.some({
          index: answer._index,
          id: answer._id,
          version: versionOf(answer),
          source: answer._source ?? {}
        })
      : Option.none()
  )

const decodeSearch = decoder("search", SearchBody)

export const searched = (body: unknown): Effect.Effect<Types.SearchResult, Reason> =>
  Effect.map(decodeSearch(body), ({ _shards, aggregations, hits, pit_id, timed_out, took }) => ({
    hits: hits.hits.map((hit) => ({
      index: hit._index,
      id: hit._id,
      score: Option.fromNullishOr(hit._score),
      source: hit._source ?? {},
      sort: hit.sort ?? [],
      highlights: hit.highlight ?? {}
    })),
    total: hits.total?.value ?? hits.hits.length,
    totalIsExact: hits.total?.relation === "eq",
    partial: timed_out || _shards.failed > 0,
    timedOut: timed_out,
    shards: { total: _shards.total, successful: _shards.successful, failed: _shards.failed },
    took: Duration.millis(took),
    pointInTime: Option.fromUndefinedOr(pit_id),
    aggregations: aggregations ?? {}
  }))

const decodeSuggest = decoder("suggest", SuggestBody)

export const suggested = (body: unknown): Effect.Effect<ReadonlyArray<Types.Suggestion>, Reason> =>
  Effect.map(decodeSuggest(body), ({ suggest }) =>
    (suggest?.["suggestions"] ?? []).flatMap((entry) =>
      entry.options.map((option) => ({
        text: option.text,
        for: entry.text,
        score: option._score ?? option.score ?? 0,
        id: Option.fromUndefinedOr(option._id)
      }))
    )
  )

const decodePointInTime = decoder("a point in time", PointInTimeBody)

export const pointInTime = (body: unknown): Effect.Effect<string, Reason> =>
  Effect.map(decodePointInTime(body), (answer) => ("id" in answer ? answer.id : answer.pit_id))

const decodeBulk = decoder("bulk", BulkBody)
const outcomes: ReadonlySet<string> = new Set(["created", "updated", "deleted", "noop", "not_found"])

/** What became of the operations that were sent, in their order. */
export const bulked = (
  body: unknown,
  operations: ReadonlyArray<Types.BulkOperation>
): Effect.Effect<ReadonlyArray<Types.BulkItem>, Reason> =>
  Effect.flatMap(decodeBulk(body), ({ items }) =>
    items.length === operations.length
      ? Effect.succeed(items.map((item, at) => bulkItem(Object.values(item)[0]!, operations[at]!)))
      : Effect.fail(
          new Decode({ message: `the answer has ${items.length} items for ${operations.length} operations of a bulk` })
        )
  )

const bulkItem = (
  answer: (typeof BulkBody)["Type"]["items"][number][string],
  { action }: Types.BulkOperation
): Types.BulkItem => {
  const failed = answer.error !== undefined || !outcomes.has(answer.result ?? "")
  return {
    action,
    index: answer._index,
    id: Option.fromNullishOr(answer._id),
    result: failed
      ? Result.fail(fromFault(answer.status, faultOf(answer)))
      : Result.succeed({
          index: answer._index,
          id: answer._id ?? "",
          outcome: answer.result as Types.Outcome,
          version: versionOf(answer)
        })
  }
}
