/**
 * Search: documents in indices, found by full text, filters and order, as Elasticsearch and OpenSearch have them.
 *
 * Three layers: `SearchLive` (Elasticsearch, by its official client), `SearchOpenSearch` (OpenSearch, by its own) and
 * `SearchEmbedded` (a real engine in this process, for development and tests). Queries are written once for all of them
 * (`TextQuery`, `Filter`, `Sort`); what one engine can do beyond that goes into `raw`.
 *
 * **Details**
 *
 * A document that is not there is no failure: `get` gives `None`, `delete` gives `false`. An index that is not there is
 * `NotFound`. A bulk whose operations failed in part, and a search to which not all shards answered, succeed: their results
 * say so, and `result.partial` on the span.
 *
 * **Gotchas**
 *
 * What is written is found by the next refresh of its index, a second later by default; see `Refresh`. `get` sees it at once.
 *
 * **Example** (Documents of a schema)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 * import * as Search from "effect-telemetry/Search"
 * import * as SearchEmbedded from "effect-telemetry/SearchEmbedded"
 *
 * const Post = Schema.Struct({ title: Schema.String, plays: Schema.Int, at: Schema.Date })
 * const posts = Search.documents({ index: "posts", schema: Post })
 *
 * const program = Effect.gen(function* () {
 *   yield* posts.index({ id: "p1", document: { title: "Summer jazz", plays: 12, at: new Date(0) }, refresh: true })
 *   yield* posts.index({ id: "p2", document: { title: "Winter blues", plays: 3, at: new Date(0) }, refresh: true })
 *   const found = yield* posts.search({ text: "jazz", filter: { range: { plays: { gte: 10 } } } })
 *   return found.hits.map((hit) => `${hit.source.title} of ${hit.source.at.getUTCFullYear()}`)
 * })
 * Effect.runPromise(program.pipe(Effect.provide(SearchEmbedded.layer()))).then(console.log) // [ 'Summer jazz of 1970' ]
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/semconv/database/elasticsearch/
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Attributes from "../../operation/Attributes.ts"
import * as Operation from "../../operation/Operation.ts"
import { Decode } from "../../operation/Reason.ts"
import { ServiceError } from "../../operation/ServiceError.ts"
import type * as Types from "./SearchTypes.ts"

export type * from "./SearchQuery.ts"
export type * from "./SearchTypes.ts"

/** A search operation failed, for the reason inside. */
export class SearchError extends ServiceError("SearchError", "elasticsearch") {}

interface Indexed {
  readonly index: string
}

const endpoint = (name: string) => Attributes.constant("the endpoint of the engine", name)
const onIndex = <A extends Indexed>() => ({
  "es.index": Attributes.string<A>("the index", (input) => input.index),
  "db.collection.name": Attributes.string<A>("the index", (input) => input.index)
})
const docId = <A extends { readonly id?: string | undefined }>() =>
  Attributes.string<A>("the document's id", (input) => input.id)
const madeId = Attributes.string<Types.Written>(
  "the document's id, also where the engine made it",
  (result) => result.id
)
const query = <A>(from: (input: A) => string | undefined) =>
  Attributes.string<A>("what is looked for", from, { maxLength: 200 })

const textOf = (input: Types.SearchInput): string | undefined => {
  if (input.text !== undefined) return typeof input.text === "string" ? input.text : input.text.query
  return input.raw?.["query"] === undefined ? undefined : JSON.stringify(input.raw["query"])
}

/** The index of all operations of a bulk, where it is one. */
const bulkIndex = ({ index, operations }: Types.BulkInput): string | undefined => {
  const first = operations[0]?.index ?? index
  return operations.every((operation) => (operation.index ?? index) === first) ? first : undefined
}

/** The operations of the search. */
export const operations = Operation.table(
  {
    service: "elasticsearch",
    prefix: "es",
    error: SearchError,
    attributes: {
      "db.system.name": Attributes.string("the engine", undefined, {
        values: ["elasticsearch", "opensearch", "minisearch"]
      })
    }
  },
  {
    /** Writes a document, or replaces it. */
    index: Operation.effect<Types.IndexInput, Types.Written>({
      name: "index",
      brief: "write a document",
      idempotent: ({ create, id, ifVersion }) => id !== undefined && create !== true && ifVersion === undefined,
      input: { ...onIndex(), "es.doc_id": docId(), "db.operation.name": endpoint("index") },
      result: { "es.doc_id": madeId }
    }),
    /** Finds documents. */
    search: Operation.effect<Types.SearchInput, Types.SearchResult>({
      name: "search",
      brief: "find documents",
      idempotent: true,
      input: { ...onIndex(), "es.query": query(textOf), "db.operation.name": endpoint("search") },
      result: {
        "es.hit_count": Attributes.int("how many documents match", (result) => result.total),
        "es.shards_queried": Attributes.int("how many shards were asked", (result) => result.shards.total),
        "result.item_count": Attributes.int("how many documents came back", (result) => result.hits.length),
        "result.partial": Attributes.boolean(
          "documents may be missing: shards failed, or the time was up",
          (result) => result.partial || undefined
        )
      }
    }),
    /** Removes a document; whether it was there. */
    delete: Operation.effect<Types.DeleteInput, boolean>({
      name: "delete",
      brief: "remove a document",
      idempotent: ({ ifVersion }) => ifVersion === undefined,
      input: { ...onIndex(), "es.doc_id": docId(), "db.operation.name": endpoint("delete") },
      result: { "result.item_count": Attributes.int("how many documents were removed", (found) => (found ? 1 : 0)) }
    }),
    /**
     * Writes and removes many documents at once. Operations that the engine refused for the moment are sent again, alone, as
     * often as the retry policy allows. An operation that failed does not fail the bulk.
     */
    bulk: Operation.effect<Types.BulkInput, Types.BulkResult>({
      name: "bulk",
      brief: "write and remove many documents",
      idempotent: ({ operations }) => operations.every(({ action, id }) => action !== "create" && id !== undefined),
      input: {
        "es.index": Attributes.string("the index, where it is one", bulkIndex),
        "db.collection.name": Attributes.string("the index, where it is one", bulkIndex),
        "es.bulk_size": Attributes.int("how many operations", (input) => input.operations.length),
        "db.operation.name": endpoint("bulk")
      },
      result: {
        "result.item_count": Attributes.int(
          "how many operations succeeded",
          (result) => result.items.length - result.failures.length
        ),
        "result.partial": Attributes.boolean(
          "some operations failed",
          (result) => result.failures.length > 0 || undefined
        )
      }
    }),
    /** Changes some fields of a document. */
    update: Operation.effect<Types.UpdateInput, Types.Written>({
      name: "update",
      brief: "change fields of a document",
      idempotent: ({ ifVersion }) => ifVersion === undefined,
      input: { ...onIndex(), "es.doc_id": docId(), "db.operation.name": endpoint("update") }
    }),
    /** A document by its id; none where there is none. Sees what was written just now. */
    get: Operation.effect<Types.DocumentKey, Option.Option<Types.Found>>({
      name: "get",
      brief: "a document by its id",
      idempotent: true,
      input: { ...onIndex(), "es.doc_id": docId(), "db.operation.name": endpoint("get") },
      result: {
        "result.item_count": Attributes.int("1 where there is such a document, else 0", (found) =>
          Option.isSome(found) ? 1 : 0
        )
      }
    }),
    /** Completes what was begun, or corrects what was mistyped; the best first. */
    suggest: Operation.effect<Types.SuggestInput, ReadonlyArray<Types.Suggestion>>({
      name: "suggest",
      brief: "complete or correct what was typed",
      idempotent: true,
      input: { ...onIndex(), "es.query": query((input) => input.text), "db.operation.name": endpoint("search") },
      result: { "result.item_count": Attributes.int("how many suggestions came back", (found) => found.length) }
    }),
    /** Makes an index; whether it was not there before. */
    createIndex: Operation.effect<Types.CreateIndexInput, boolean>({
      name: "create_index",
      brief: "make an index",
      idempotent: ({ ifMissing }) => ifMissing === true,
      input: { ...onIndex(), "db.operation.name": endpoint("indices.create") }
    }),
    /** Removes an index with its documents; whether it was there. */
    deleteIndex: Operation.effect<Types.DeleteIndexInput, boolean>({
      name: "delete_index",
      brief: "remove an index",
      idempotent: ({ ifExists }) => ifExists === true,
      input: { ...onIndex(), "db.operation.name": endpoint("indices.delete") }
    })
  }
)

/** The bare calls that a layer of the search implements. */
export type SearchCalls = Operation.BareCalls<typeof operations>

/** The search, as a service: provided by `SearchLive`, `SearchOpenSearch` or `SearchEmbedded`. */
export class Search extends Context.Service<Search, Operation.Client<typeof operations>>()("effect-telemetry/Search") {}

/** How a layer of the search wants its operations. */
export type SearchOptions = Operation.ImplementOptions

/** The deadline of an attempt, where nothing else is said: 30 seconds. */
export const defaultTimeout: Duration.Input = "30 seconds"

/** @internal */
export const make = (system: string, calls: SearchCalls, options: SearchOptions = {}) =>
  Effect.map(
    Operation.implement(operations, calls, {
      ...options,
      timeout: options.timeout ?? defaultTimeout,
      attributes: { "db.system.name": system, ...options.attributes }
    }),
    Search.of
  )

/** Input of `scan`. */
export interface ScanInput extends Omit<Types.SearchInput, "from" | "after" | "pointInTime"> {
  /** How long the engine keeps the state that is read, from page to page. Default 1 minute. */
  readonly keepAlive?: Duration.Input | undefined
}

/**
 * All documents that match, however many, in order: a state of the index is kept while its pages (of `size`, by default 1,000)
 * are read, each of them a span `es.search`. Fails where a page cannot be read, as `search` does.
 *
 * **Gotchas**
 *
 * A stream that is not read to its end leaves the state to its `keepAlive`. On OpenSearch the order is completed by `_id`,
 * which has to be loaded into its memory. Elasticsearch does not go on in an order by a boolean field that some documents lack.
 */
export const scan = (input: ScanInput): Stream.Stream<Types.Hit, SearchError, Search> => {
  const { keepAlive = "1 minute", size = 1000, ...rest } = input
  interface Page {
    readonly id?: string | undefined
    readonly after?: ReadonlyArray<unknown> | undefined
  }
  return Stream.paginate({} as Page, ({ after, id }) =>
    Effect.flatMap(Search, (search) => search.search({ ...rest, size, after, pointInTime: { id, keepAlive } })).pipe(
      Effect.map(({ hits, pointInTime }) => [
        hits,
        Option.map(pointInTime, (id): Page => ({ id, after: hits.at(-1)?.sort }))
      ])
    )
  )
}

/** Documents of one type in one index. */
export interface Documents<A> {
  readonly index: (
    input: Omit<Types.IndexInput, "index" | "document"> & { readonly document: A }
  ) => Effect.Effect<Types.Written, SearchError, Search>
  /** Writes many documents; see `bulk`. */
  readonly indexAll: (
    documents: Iterable<{ readonly id?: string | undefined; readonly document: A }>,
    options?: { readonly refresh?: Types.Refresh | undefined }
  ) => Effect.Effect<Types.BulkResult, SearchError, Search>
  /** None where there is no such document; fails with `Decode` where it is not of the type. */
  readonly get: (
    input: Omit<Types.DocumentKey, "index">
  ) => Effect.Effect<Option.Option<Types.Found<A>>, SearchError, Search>
  /** Fails with `Decode` where a document is not of the type. */
  readonly search: (
    input: Omit<Types.SearchInput, "index" | "source">
  ) => Effect.Effect<Types.SearchResult<A>, SearchError, Search>
  /** All documents that match; see `scan`. */
  readonly scan: (input: Omit<ScanInput, "index" | "source">) => Stream.Stream<Types.Hit<A>, SearchError, Search>
}

/** The documents of a schema in an index, kept as the schema's JSON (a date as its ISO 8601 text). */
export const documents = <A extends object, I>(options: {
  readonly index: string
  readonly schema: Schema.Codec<A, I>
}): Documents<A> => {
  const { index } = options
  const codec = Schema.toCodecJson(options.schema)
  const decoded = Schema.decodeUnknownEffect(codec)
  const encoded = Schema.encodeEffect(codec)
  const fail = (operation: string, message: string) => (cause: unknown) =>
    new SearchError({ operation, reason: new Decode({ message, cause }) })
  const decode =
    (operation: string) =>
    <D extends Types.Found | Types.Hit>(
      found: D
    ): Effect.Effect<Omit<D, "source"> & { readonly source: A }, SearchError> =>
      decoded(found.source).pipe(
        Effect.map((source) => ({ ...found, source })),
        Effect.mapError(fail(operation, `the document ${found.id} of ${index} is not of the expected type`))
      )
  const encode = (operation: string, document: A) =>
    Effect.mapError(
      Effect.map(encoded(document), (json) => json as object),
      fail(operation, `a document for ${index} cannot be encoded`)
    )
  return {
    index: (input) =>
      Effect.flatMap(encode("index", input.document), (document) =>
        Effect.flatMap(Search, (search) => search.index({ ...input, index, document }))
      ),
    indexAll: (documents, options) =>
      Effect.forEach(documents, ({ document, id }) =>
        Effect.map(encode("bulk", document), (document) => ({ action: "index" as const, id, document }))
      ).pipe(
        Effect.flatMap((operations) =>
          Effect.flatMap(Search, (search) => search.bulk({ index, operations, refresh: options?.refresh }))
        )
      ),
    get: (input) =>
      Effect.flatMap(Search, (search) => search.get({ ...input, index })).pipe(
        Effect.flatMap(
          Option.match({
            onNone: () => Effect.succeed(Option.none<Types.Found<A>>()),
            onSome: (found) => Effect.map(decode("get")(found), Option.some<Types.Found<A>>)
          })
        )
      ),
    search: (input) =>
      Effect.flatMap(Search, (search) => search.search({ ...input, index })).pipe(
        Effect.flatMap((result) =>
          Effect.map(Effect.forEach(result.hits, decode("search")), (hits) => ({ ...result, hits }))
        )
      ),
    scan: (input) => Stream.mapEffect(scan({ ...input, index }), decode("search"))
  }
}
