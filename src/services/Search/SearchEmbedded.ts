/**
 * The search in this process: for development and tests, with no server.
 *
 * It is a real search, on the engine MiniSearch: BM25 relevance, typing errors, beginnings of words, filters, order,
 * highlights, suggestions, versions with conflicts, fields that come with documents and have types from then on. It behaves as
 * Elasticsearch does at the level of these operations, and is held to it by the same tests.
 *
 * **Gotchas**
 *
 * - What is written is found at once: `refresh` is accepted and makes no difference. On a server it does.
 * - Words are split by Unicode's rules and put into lower case; there is no stemming, and a field's own analyzer is ignored.
 * - `raw`, and types of fields other than `FieldType`, are refused as `InvalidRequest`.
 * - Everything is in memory and goes with its layer.
 *
 * Needs the package `minisearch`.
 *
 * **Example** (A search for a test)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Search } from "effect-telemetry/Search"
 * import * as SearchEmbedded from "effect-telemetry/SearchEmbedded"
 *
 * const program = Effect.gen(function* () {
 *   const search = yield* Search
 *   yield* search.index({ index: "posts", id: "p1", document: { title: "Summer jazz" } })
 *   const found = yield* search.search({ index: "posts", text: { query: "sumer", fuzzy: true }, highlight: ["title"] })
 *   return found.hits.map((hit) => hit.highlights["title"])
 * })
 * Effect.runPromise(program.pipe(Effect.provide(SearchEmbedded.layer()))).then(console.log) // [ [ '<em>Summer</em> jazz' ] ]
 * ```
 */
import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { Conflict, InvalidRequest, isReason, NotFound, type Reason } from "../../operation/Reason.ts"
import { type EmbeddedDocument, EmbeddedIndex } from "./internal/EmbeddedIndex.ts"
import * as EmbeddedSearch from "./internal/EmbeddedSearch.ts"
import { Mapping, refused, wildcard } from "./internal/Mapping.ts"
import { checkId, checkIndex, checkIndices, checkWindow } from "./internal/validate.ts"
import { make, Search, type SearchCalls, type SearchOptions } from "./Search.ts"
import type * as Types from "./SearchTypes.ts"

/** How the operations are wanted. */
export interface SearchEmbeddedOptions extends SearchOptions {}

/** A search in this process, empty at first. */
export const layer = (options: SearchEmbeddedOptions = {}): Layer.Layer<Search> =>
  Layer.effect(
    Search,
    Effect.suspend(() => make("minisearch", calls(), options))
  )

/** States that are kept for their further pages, at most. */
const MAX_SNAPSHOTS = 500

interface Snapshot {
  readonly indices: ReadonlyArray<EmbeddedIndex>
  expiresAt: number
}

/** Indices and the states of them that are kept. */
class Store {
  private readonly indices = new Map<string, EmbeddedIndex>()
  private readonly snapshots = new Map<string, Snapshot>()
  now = 0

  find(name: string): EmbeddedIndex | undefined {
    return this.indices.get(name)
  }

  existing(name: string): EmbeddedIndex {
    const found = this.indices.get(name)
    if (found !== undefined) return found
    throw new NotFound({
      message: `index_not_found_exception: no such index [${name}]`,
      code: "index_not_found_exception",
      status: 404
    })
  }

  /** The index of a write, which makes it. */
  writable(name: string): EmbeddedIndex {
    return this.indices.get(name) ?? this.create(name, new Mapping())
  }

  create(name: string, mapping: Mapping): EmbeddedIndex {
    const index = new EmbeddedIndex(name, mapping)
    this.indices.set(name, index)
    return index
  }

  remove(name: string): void {
    this.indices.delete(name)
  }

  /** What a search looks in: a name has to be there, a pattern may fit none. */
  matching(expression: string): ReadonlyArray<EmbeddedIndex> {
    const found = new Set<EmbeddedIndex>()
    for (const part of expression.split(",")) {
      if (part !== "_all" && !part.includes("*")) found.add(this.existing(part))
      else {
        const fits = wildcard(part === "_all" ? "*" : part)
        for (const index of this.indices.values()) if (fits.test(index.name)) found.add(index)
      }
    }
    return [...found]
  }

  /** The state that a point in time stands for: a kept one, or the present one, which is kept from now on. */
  snapshot(expression: string, { id, keepAlive }: Types.PointInTime): readonly [id: string, snapshot: Snapshot] {
    for (const [other, { expiresAt }] of this.snapshots) if (expiresAt <= this.now) this.snapshots.delete(other)
    const expiresAt = this.now + Duration.toMillis(Duration.fromInputUnsafe(keepAlive))
    if (id !== undefined) {
      const found = this.snapshots.get(id)
      if (found === undefined) {
        throw new NotFound({
          message: "search_context_missing_exception: this point in time is not kept any more",
          code: "search_context_missing_exception",
          status: 404
        })
      }
      found.expiresAt = expiresAt
      return [id, found]
    }
    if (this.snapshots.size >= MAX_SNAPSHOTS) {
      throw refused("illegal_argument_exception", `more than ${MAX_SNAPSHOTS} points in time are being kept`)
    }
    const made: Snapshot = { indices: this.matching(expression).map((index) => index.snapshot()), expiresAt }
    const name = randomUUID()
    this.snapshots.set(name, made)
    return [name, made]
  }

  release(id: string): void {
    this.snapshots.delete(id)
  }
}

const calls = (): SearchCalls => {
  const store = new Store()
  /** Runs a command at the clock's time; a reason that it throws is its failure. */
  const run = <A>(problem: InvalidRequest | undefined, command: () => A): Effect.Effect<A, Reason> =>
    problem !== undefined
      ? Effect.fail(problem)
      : Effect.flatMap(Clock.currentTimeMillis, (now) => {
          store.now = now
          return Effect.fromResult(attempt(command))
        })
  return {
    index: (input) =>
      run(checkIndex(input.index) ?? checkId(input.id), () =>
        store.writable(input.index).write(input.id, input.document, input)
      ),
    get: ({ id, index }) =>
      run(checkIndex(index) ?? checkId(id), () =>
        Option.map(Option.fromUndefinedOr(store.existing(index).get(id)), found)
      ),
    update: (input) =>
      run(checkIndex(input.index) ?? checkId(input.id), () => store.writable(input.index).update(input)),
    delete: ({ id, ifVersion, index }) =>
      run(checkIndex(index) ?? checkId(id), () => store.existing(index).remove(id, ifVersion).outcome === "deleted"),
    bulk: (input) =>
      run(
        input.operations.reduce<InvalidRequest | undefined>(
          (problem, { id, index }) => problem ?? checkIndex(index ?? input.index ?? "") ?? checkId(id),
          undefined
        ),
        () => {
          const items = input.operations.map((operation) => bulkItem(store, operation.index ?? input.index!, operation))
          return { items, failures: items.filter(({ result }) => Result.isFailure(result)) }
        }
      ),
    createIndex: (input) =>
      run(checkIndex(input.index), () => {
        if (input.raw !== undefined) {
          throw new InvalidRequest({
            message: "raw is not accepted: the embedded engine does not speak the words of another"
          })
        }
        if (store.find(input.index) !== undefined) {
          if (input.ifMissing === true) return false
          throw new Conflict({
            message: `resource_already_exists_exception: index [${input.index}] already exists`,
            code: "resource_already_exists_exception",
            status: 400
          })
        }
        store.create(input.index, new Mapping(input.fields, input.dynamic))
        return true
      }),
    deleteIndex: ({ ifExists, index }) =>
      run(checkIndex(index), () => {
        if (ifExists === true && store.find(index) === undefined) return false
        store.remove(store.existing(index).name)
        return true
      }),
    suggest: (input) =>
      run(checkIndices(input.index), () => EmbeddedSearch.suggest(store.matching(input.index), input)),
    search: (input) =>
      run(checkIndices(input.index) ?? checkWindow(input), () => {
        if (input.pointInTime === undefined) {
          return EmbeddedSearch.search(store.matching(input.index), input, store.now, false)
        }
        const [id, { indices }] = store.snapshot(input.index, input.pointInTime)
        const result = EmbeddedSearch.search(indices, input, store.now, true)
        if (result.hits.length > 0 && result.hits.length === (input.size ?? 10)) {
          return { ...result, pointInTime: Option.some(id) }
        }
        store.release(id)
        return result
      })
  }
}

/** What a command gives, or the reason that it throws; anything else that it throws is a defect. */
const attempt = <A>(command: () => A): Result.Result<A, Reason> => {
  try {
    return Result.succeed(command())
  } catch (error) {
    if (isReason(error)) return Result.fail(error)
    throw error
  }
}

const found = (document: EmbeddedDocument): Types.Found => ({
  index: document.index,
  id: document.id,
  version: { seqNo: document.seqNo, primaryTerm: 1 },
  source: JSON.parse(document.json) as Types.Source
})

const bulkItem = (store: Store, name: string, operation: Types.BulkOperation): Types.BulkItem => {
  const result = attempt(() => {
    switch (operation.action) {
      case "delete":
        return store.existing(name).remove(operation.id)
      case "update":
        return store.writable(name).update(operation)
      default:
        return store.writable(name).write(operation.id, operation.document, { create: operation.action === "create" })
    }
  })
  const id = Result.isSuccess(result) ? result.success.id : operation.id
  return { action: operation.action, index: name, id: Option.fromUndefinedOr(id), result }
}
