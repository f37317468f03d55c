import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Search from "../../../src/services/Search/Search.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"

type Services = Search.Search | TestTelemetry.TestTelemetry

const ids = (result: Search.SearchResult): ReadonlyArray<string> => result.hits.map((hit) => hit.id)

/** What every layer of the search must do. `unique` makes names of indices that no other run has. */
export const searchSuite = (
  name: string,
  layer: Layer.Layer<Search.Search, unknown>,
  unique: (index: string) => string,
  system: string
) => {
  /** A test with an index of its own, which is there and empty, and goes afterwards. */
  const test = (
    title: string,
    body: (index: string, search: Search.Search["Service"]) => Effect.Effect<void, unknown, Services>
  ) =>
    it.live(title, () =>
      Effect.gen(function* () {
        const search = yield* Search.Search
        const index = unique(`t${title.replace(/\W+/g, "").toLowerCase().slice(0, 30)}`)
        yield* search.createIndex({ index, fields })
        yield* TestTelemetry.clear
        yield* body(index, search).pipe(Effect.ensuring(Effect.ignore(search.deleteIndex({ index, ifExists: true }))))
      }).pipe(Effect.provide([layer, TestTelemetry.layer()]))
    )

  const fields: Search.Fields = {
    title: "text",
    body: "text",
    status: "keyword",
    plays: "integer",
    rating: "double",
    live: "boolean",
    at: "date",
    suggest: "completion",
    "author.name": "keyword"
  }

  const posts = {
    p1: {
      title: "Summer jazz",
      body: "An evening of saxophones",
      status: "published",
      plays: 12,
      rating: 4.5,
      live: true,
      at: "2024-01-10T12:00:00Z",
      author: { name: "ada" }
    },
    p2: {
      title: "Winter blues",
      body: "Guitars and some jazz in between",
      status: "published",
      plays: 3,
      rating: 3,
      live: false,
      at: "2024-02-01T00:00:00Z",
      author: { name: "grace" }
    },
    p3: {
      title: "Summer rain",
      body: "Field recordings",
      status: "draft",
      plays: 100,
      live: false,
      at: "2024-02-29T23:59:59.500Z",
      author: { name: "ada" }
    },
    p4: { title: "Don't stop", body: "Drums", status: "published", rating: 1.25, tags: ["drums", "Live Set"] }
  }

  const fill = (index: string) =>
    Effect.flatMap(Search.Search, (search) =>
      search.bulk({
        index,
        refresh: true,
        operations: Object.entries(posts).map(([id, document]) => ({ action: "index" as const, id, document }))
      })
    )

  const failsWith = <A>(tag: string, effect: Effect.Effect<A, Search.SearchError, Services>) =>
    Effect.map(Effect.flip(effect), (error) => {
      assert.strictEqual(error._tag, "SearchError")
      assert.strictEqual(error.reason._tag, tag, error.message)
      return error
    })

  describe(name, () => {
    test("a document: written, got, changed, replaced, removed; all on spans", (index, search) =>
      Effect.gen(function* () {
        const written = yield* search.index({ index, id: "1", document: { title: "One", author: { name: "ada" } } })
        assert.deepInclude(written, { index, id: "1", outcome: "created" })
        const got = yield* search.get({ index, id: "1" })
        assert(Option.isSome(got))
        assert.deepStrictEqual(got.value, {
          index,
          id: "1",
          version: written.version,
          source: { title: "One", author: { name: "ada" } }
        })
        const changed = yield* search.update({ index, id: "1", document: { plays: 2, author: { age: 7 } } })
        assert.strictEqual(changed.outcome, "updated")
        assert.isAbove(changed.version.seqNo, written.version.seqNo)
        assert.deepStrictEqual(Option.getOrThrow(yield* search.get({ index, id: "1" })).source, {
          title: "One",
          plays: 2,
          author: { name: "ada", age: 7 }
        })
        assert.strictEqual((yield* search.update({ index, id: "1", document: { plays: 2 } })).outcome, "noop")
        assert.strictEqual((yield* search.index({ index, id: "1", document: { title: "Two" } })).outcome, "updated")
        assert.deepStrictEqual(Option.getOrThrow(yield* search.get({ index, id: "1" })).source, { title: "Two" })
        assert.strictEqual(yield* search.delete({ index, id: "1" }), true)
        assert.strictEqual(yield* search.delete({ index, id: "1" }), false)
        assert.deepStrictEqual(yield* search.get({ index, id: "1" }), Option.none())
        const attributes = {
          "external.service": "elasticsearch",
          "es.index": index,
          "es.doc_id": "1",
          "db.system.name": system,
          "db.collection.name": index,
          "error.type": undefined,
          "external.retry_count": undefined
        }
        yield* TestTelemetry.expectSpan("es.index", {
          kind: "client",
          status: "unset",
          attributes: {
            ...attributes,
            "db.operation.name": "index",
            "es.operation": "index",
            "external.operation": "index"
          }
        })
        yield* TestTelemetry.expectSpan("es.get", {
          attributes: { ...attributes, "db.operation.name": "get", "result.item_count": 1 }
        })
        yield* TestTelemetry.expectSpan("es.get", { attributes: { "result.item_count": 0 }, status: "unset" })
        yield* TestTelemetry.expectSpan("es.update", { attributes: { ...attributes, "db.operation.name": "update" } })
        yield* TestTelemetry.expectSpan("es.delete", {
          attributes: { ...attributes, "db.operation.name": "delete", "result.item_count": 1 }
        })
        yield* TestTelemetry.expectSpan("es.delete", { attributes: { "result.item_count": 0 }, status: "unset" })
      }))

    test("an id that the engine makes is in the result and on the span", (index, search) =>
      Effect.gen(function* () {
        const { id, outcome } = yield* search.index({ index, document: { title: "One" } })
        assert.strictEqual(outcome, "created")
        assert.isTrue(Option.isSome(yield* search.get({ index, id })))
        yield* TestTelemetry.expectSpan("es.index", { attributes: { "es.doc_id": id } })
      }))

    test("ids of any characters; those that are none are refused", (index, search) =>
      Effect.gen(function* () {
        for (const id of ["a/b", "a b", "ü-€-𝄞", "..", ".", "a?b=c#d", "%2F", "a+b", '"q"', "x".repeat(512)]) {
          yield* search.index({ index, id, document: { title: id } })
          const got = yield* search.get({ index, id })
          assert.strictEqual(Option.getOrThrow(got).id, id)
          assert.deepStrictEqual(Option.getOrThrow(got).source, { title: id })
          assert.strictEqual(yield* search.delete({ index, id }), true)
        }
        for (const id of ["", "x".repeat(513), "\ud800"]) {
          yield* failsWith("InvalidRequest", search.index({ index, id, document: {} }))
          yield* failsWith("InvalidRequest", search.get({ index, id }))
        }
      }))

    test("conflicts: another version, a document that is there already", (index, search) =>
      Effect.gen(function* () {
        const first = yield* search.index({ index, id: "1", document: { plays: 1 } })
        const second = yield* search.index({ index, id: "1", document: { plays: 2 }, ifVersion: first.version })
        const stale = yield* failsWith(
          "Conflict",
          search.index({ index, id: "1", document: { plays: 3 }, ifVersion: first.version })
        )
        assert.strictEqual(stale.reason.status, 409)
        assert.strictEqual(stale.isRetryable, false)
        yield* failsWith(
          "Conflict",
          search.update({ index, id: "1", document: { plays: 3 }, ifVersion: first.version })
        )
        yield* failsWith("Conflict", search.delete({ index, id: "1", ifVersion: first.version }))
        yield* failsWith("Conflict", search.index({ index, id: "1", document: {}, create: true }))
        assert.deepStrictEqual(Option.getOrThrow(yield* search.get({ index, id: "1" })).source, { plays: 2 })
        assert.strictEqual(yield* search.delete({ index, id: "1", ifVersion: second.version }), true)
        assert.strictEqual((yield* search.index({ index, id: "1", document: {}, create: true })).outcome, "created")
        yield* TestTelemetry.expectSpan("es.index", {
          status: "error",
          attributes: { "error.type": "Conflict", "external.error.retryable": false, "external.retry_count": undefined }
        })
      }))

    test("update of a document that is not there: NotFound, or made of the fields", (index, search) =>
      Effect.gen(function* () {
        const missing = yield* failsWith("NotFound", search.update({ index, id: "1", document: { plays: 1 } }))
        assert.strictEqual(missing.reason.code, "document_missing_exception")
        const made = yield* search.update({ index, id: "1", document: { plays: 1 }, upsert: true })
        assert.strictEqual(made.outcome, "created")
        assert.deepStrictEqual(Option.getOrThrow(yield* search.get({ index, id: "1" })).source, { plays: 1 })
      }))

    test("an index that is not there", (index, search) =>
      Effect.gen(function* () {
        const absent = `${index}-absent`
        for (const effect of [
          search.get({ index: absent, id: "1" }),
          search.delete({ index: absent, id: "1" }),
          search.search({ index: absent }),
          search.suggest({ index: absent, text: "a", field: "suggest" }),
          search.deleteIndex({ index: absent })
        ] as ReadonlyArray<Effect.Effect<unknown, Search.SearchError>>) {
          const error = yield* failsWith("NotFound", effect)
          assert.strictEqual(error.reason.code, "index_not_found_exception")
        }
        assert.strictEqual((yield* search.search({ index: `${absent}*` })).total, 0)
        assert.strictEqual(yield* search.deleteIndex({ index: absent, ifExists: true }), false)
        yield* search.index({ index: absent, id: "1", document: { title: "makes it" } })
        assert.isTrue(Option.isSome(yield* search.get({ index: absent, id: "1" })))
        assert.strictEqual(yield* search.deleteIndex({ index: absent }), true)
      }))

    test("indices: made once, of names that are accepted, and removed one at a time", (index, search) =>
      Effect.gen(function* () {
        const conflict = yield* failsWith("Conflict", search.createIndex({ index }))
        assert.strictEqual(conflict.reason.code, "resource_already_exists_exception")
        assert.strictEqual(yield* search.createIndex({ index, ifMissing: true }), false)
        for (const bad of ["", "Upper", "a b", "a,b", "a*", "_all", "-a", "..", "a/b", "x".repeat(256)]) {
          yield* failsWith("InvalidRequest", search.createIndex({ index: bad }))
          yield* failsWith("InvalidRequest", search.deleteIndex({ index: bad }))
          yield* failsWith("InvalidRequest", search.index({ index: bad, id: "1", document: {} }))
        }
        yield* failsWith(
          "InvalidRequest",
          search.createIndex({ index: `${index}-x`, fields: { a: { type: "no_such_type" } } })
        )
        yield* TestTelemetry.expectSpan("es.create_index", {
          attributes: { "es.index": index, "db.operation.name": "indices.create", "error.type": "Conflict" }
        })
        yield* search.createIndex({ index: `${index}-strict`, fields: { title: "text" }, dynamic: false })
        yield* search.index({ index: `${index}-strict`, id: "1", document: { title: "One" } })
        yield* failsWith("InvalidRequest", search.index({ index: `${index}-strict`, id: "1", document: { other: 1 } }))
        yield* search.deleteIndex({ index: `${index}-strict` })
        yield* TestTelemetry.expectSpan("es.delete_index", { attributes: { "db.operation.name": "indices.delete" } })
      }))

    test("a value that does not fit its field is InvalidRequest, and not in the message", (index, search) =>
      Effect.gen(function* () {
        for (const document of [
          { plays: "s3cret-many" },
          { at: "s3cret" },
          { live: "s3cret" },
          { title: { inner: "s3cret" } },
          { author: "s3cret" },
          ["s3cret"]
        ]) {
          const error = yield* failsWith("InvalidRequest", search.index({ index, id: "1", document }))
          assert.notInclude(error.message, "s3cret")
          assert.strictEqual(error.isRetryable, false)
        }
        yield* failsWith("InvalidRequest", search.index({ index, id: "1", document: { plays: 1n } }))
        for (const document of [
          { plays: "12" },
          { plays: null },
          { at: 1_700_000_000_000 },
          { live: "true" },
          { title: ["a", "b"] }
        ]) {
          yield* search.index({ index, id: "1", document })
          assert.deepStrictEqual(Option.getOrThrow(yield* search.get({ index, id: "1" })).source as unknown, document)
        }
      }))

    test("full text: any word, all words, boosts, errors, beginnings", (index, search) =>
      Effect.gen(function* () {
        yield* fill(index)
        const find = (text: string | Search.TextQuery) => Effect.map(search.search({ index, text }), ids)
        assert.deepStrictEqual([...(yield* find("SUMMER"))].sort(), ["p1", "p3"])
        assert.deepStrictEqual([...(yield* find("jazz"))].sort(), ["p1", "p2"])
        assert.strictEqual((yield* find("summer jazz"))[0], "p1")
        assert.sameMembers([...(yield* find("summer jazz"))], ["p1", "p2", "p3"])
        assert.deepStrictEqual(yield* find({ query: "summer jazz", match: "all" }), ["p1"])
        assert.deepStrictEqual(yield* find({ query: "jazz winter", match: "all" }), ["p2"])
        assert.deepStrictEqual(yield* find({ query: "jazz", fields: ["body"] }), ["p2"])
        assert.deepStrictEqual(yield* find({ query: "jazz", fields: { title: 5, body: 1 } }), ["p1", "p2"])
        assert.deepStrictEqual(yield* find({ query: "jazz", fields: { title: 1, body: 9 } }), ["p2", "p1"])
        assert.deepStrictEqual(yield* find("sumer"), [])
        assert.sameMembers([...(yield* find({ query: "sumer", fuzzy: true }))], ["p1", "p3"])
        assert.sameMembers([...(yield* find({ query: "jaz rian", fuzzy: true, fields: ["title"] }))], ["p1", "p3"])
        assert.deepStrictEqual(
          yield* find({ query: "sumer jaz", fuzzy: true, match: "all", fields: ["title", "body"] }),
          ["p1"]
        )
        assert.sameMembers([...(yield* find({ query: "sum", prefix: true, fields: ["title"] }))], ["p1", "p3"])
        assert.deepStrictEqual(yield* find({ query: "summer ra", prefix: true, match: "all", fields: ["title"] }), [
          "p3"
        ])
        assert.deepStrictEqual(yield* find("don't"), ["p4"])
        assert.deepStrictEqual(yield* find("ada"), yield* find({ query: "ada", fields: ["author.name"] }))
        assert.deepStrictEqual(yield* find({ query: "jazz", fields: ["none"] }), [])
        for (const odd of ["", "   ", "!!!", "AND OR NOT", '"quoted', "a:b^(", "\\", "drums~"]) yield* find(odd)
        const { hits, total, totalIsExact } = yield* search.search({ index, text: "jazz" })
        assert.strictEqual(total, 2)
        assert.isTrue(totalIsExact)
        assert.isTrue(hits.every((hit) => Option.exists(hit.score, (score) => score > 0)))
        yield* TestTelemetry.expectSpan("es.search", {
          attributes: {
            "es.query": "jazz",
            "es.index": index,
            "es.hit_count": 2,
            "es.shards_queried": 1,
            "result.item_count": 2,
            "result.partial": undefined,
            "db.operation.name": "search"
          }
        })
      }))

    test("the query on the span is cut at 200 characters", (index, search) =>
      Effect.gen(function* () {
        yield* search.search({ index, text: "jazz ".repeat(100) })
        yield* TestTelemetry.expectSpan("es.search", {
          attributes: { "es.query": (query: unknown) => typeof query === "string" && query.length === 200 }
        })
      }))

    test("filters", (index, search) =>
      Effect.gen(function* () {
        yield* fill(index)
        const find = (filter: Search.Filter | ReadonlyArray<Search.Filter>) =>
          Effect.map(search.search({ index, filter }), (result) => [...ids(result)].sort())
        const expected: ReadonlyArray<readonly [Search.Filter | ReadonlyArray<Search.Filter>, ReadonlyArray<string>]> =
          [
            [{ term: { status: "published" } }, ["p1", "p2", "p4"]],
            [{ term: { status: "Published" } }, []],
            [{ term: { status: "published", live: true } }, ["p1"]],
            [{ term: { plays: 12 } }, ["p1"]],
            [{ term: { rating: 4.5 } }, ["p1"]],
            [{ term: { "author.name": "ada" } }, ["p1", "p3"]],
            [{ term: { title: "summer" } }, ["p1", "p3"]],
            [{ term: { "title.keyword": "Summer jazz" } }, ["p1"]],
            [{ term: { tags: "drums" } }, ["p4"]],
            [{ term: { "tags.keyword": "Live Set" } }, ["p4"]],
            [{ term: { none: "x" } }, []],
            [{ terms: { status: ["draft", "none"] } }, ["p3"]],
            [{ terms: { plays: [3, 100] } }, ["p2", "p3"]],
            [{ terms: { status: [] } }, []],
            [{ range: { plays: { gte: 12 } } }, ["p1", "p3"]],
            [{ range: { plays: { gt: 3, lt: 100 } } }, ["p1"]],
            [{ range: { plays: { gte: 2.5, lte: 12.5 } } }, ["p1", "p2"]],
            [{ range: { plays: {} } }, ["p1", "p2", "p3"]],
            [{ range: { at: { gte: "2024-02-01" } } }, ["p2", "p3"]],
            [{ range: { at: { lte: "2024-02-29" } } }, ["p1", "p2", "p3"]],
            [{ range: { at: { gt: "2024-02" } } }, ["p3"]],
            [{ range: { at: { lte: "2024" } } }, []],
            [{ range: { at: { gt: "2024-02-29T23:59" } } }, []],
            [{ range: { at: { gte: new Date("2024-02-29T23:59:59.500Z") } } }, ["p3"]],
            [{ range: { at: { lt: "2024-02-01T00:00:00Z" } } }, ["p1"]],
            [{ range: { at: { gte: "now-1d" } } }, []],
            [{ range: { at: { lt: "2024-01-10||+1M/M" } } }, ["p1"]],
            [{ term: { at: "2024-02-29" } }, ["p3"]],
            [{ range: { status: { gte: "e" } } }, ["p1", "p2", "p4"]],
            [{ prefix: { status: "pub" } }, ["p1", "p2", "p4"]],
            [{ exists: "plays" }, ["p1", "p2", "p3"]],
            [{ exists: "author" }, ["p1", "p2", "p3"]],
            [{ exists: "none" }, []],
            [{ ids: ["p2", "p9"] }, ["p2"]],
            [{ not: { term: { status: "published" } } }, ["p3"]],
            [{ anyOf: [{ term: { plays: 3 } }, { term: { plays: 12 } }] }, ["p1", "p2"]],
            [{ anyOf: [] }, []],
            [{ allOf: [{ exists: "plays" }, { not: { term: { live: true } } }] }, ["p2", "p3"]],
            [{ allOf: [] }, ["p1", "p2", "p3", "p4"]],
            [
              [{ exists: "plays" }, { term: { status: "published" } }],
              ["p1", "p2"]
            ],
            [[], ["p1", "p2", "p3", "p4"]]
          ]
        for (const [filter, wanted] of expected) {
          assert.deepStrictEqual(yield* find(filter), wanted, JSON.stringify(filter))
        }
        const both = yield* search.search({ index, text: "jazz", filter: { term: { live: false } } })
        assert.deepStrictEqual(ids(both), ["p2"])
        yield* failsWith("InvalidRequest", search.search({ index, filter: { range: { at: { gte: "no date" } } } }))
        yield* failsWith("InvalidRequest", search.search({ index, filter: { term: { plays: "many" } } }))
      }))

    test("order, pages, parts of documents, highlights", (index, search) =>
      Effect.gen(function* () {
        yield* fill(index)
        const sorted = (sort: ReadonlyArray<Search.Sort>) => Effect.map(search.search({ index, sort }), ids)
        assert.deepStrictEqual(yield* sorted(["plays"]), ["p2", "p1", "p3", "p4"])
        assert.deepStrictEqual(yield* sorted([{ field: "plays", order: "desc" }]), ["p3", "p1", "p2", "p4"])
        assert.deepStrictEqual(yield* sorted([{ field: "plays", missing: "first" }]), ["p4", "p2", "p1", "p3"])
        assert.deepStrictEqual(yield* sorted([{ field: "status" }, { field: "rating", order: "desc" }]), [
          "p3",
          "p1",
          "p2",
          "p4"
        ])
        assert.deepStrictEqual(yield* sorted(["title.keyword"]), ["p4", "p1", "p3", "p2"])
        assert.deepStrictEqual(yield* sorted([{ field: "at", order: "desc" }]), ["p3", "p2", "p1", "p4"])
        yield* failsWith("InvalidRequest", sorted(["title"]))
        yield* failsWith("InvalidRequest", sorted(["none"]))
        const page = yield* search.search({ index, sort: ["plays"], from: 1, size: 2 })
        assert.deepStrictEqual(ids(page), ["p1", "p3"])
        assert.strictEqual(page.total, 4)
        assert.isTrue(page.hits.every((hit) => Option.isNone(hit.score)))
        const next = yield* search.search({ index, sort: ["plays"], after: page.hits[0]!.sort, size: 1 })
        assert.deepStrictEqual(ids(next), ["p3"])
        const counted = yield* search.search({ index, size: 0, countAll: true })
        assert.deepStrictEqual([counted.total, counted.hits.length, counted.totalIsExact], [4, 0, true])
        const parts = yield* search.search({ index, filter: { ids: ["p1"] }, source: ["title", "author.*"] })
        assert.deepStrictEqual(parts.hits[0]?.source, { title: "Summer jazz", author: { name: "ada" } })
        const none = yield* search.search({ index, filter: { ids: ["p1"] }, source: false })
        assert.deepStrictEqual(none.hits[0]?.source, {})
        const marked = yield* search.search({ index, text: "jazz", sort: ["plays"], highlight: ["title", "body"] })
        assert.deepStrictEqual(
          marked.hits.map((hit) => hit.highlights),
          [{ body: ["Guitars and some <em>jazz</em> in between"] }, { title: ["Summer <em>jazz</em>"] }]
        )
        for (const input of [{ from: -1 }, { size: -1 }, { size: 1.5 }, { from: 9991, size: 10 }, { size: 10_001 }]) {
          yield* failsWith("InvalidRequest", search.search({ index, ...input }))
        }
      }))

    test("fields that no one named have types from their first document on", (index, search) =>
      Effect.gen(function* () {
        yield* search.index({
          index,
          id: "1",
          document: {
            count: 5,
            share: 0.5,
            on: true,
            day: "2024-03-01",
            name: "Ada Lovelace",
            year: "2024",
            deep: { er: ["x", "y"] }
          },
          refresh: true
        })
        const filters: ReadonlyArray<Search.Filter> = [
          { range: { count: { gt: 4 } } },
          { range: { share: { lt: 0.6 } } },
          { term: { on: true } },
          { range: { day: { gte: "2024-03-01", lt: "2024-03-02" } } },
          { term: { "name.keyword": "Ada Lovelace" } },
          { term: { name: "lovelace" } },
          { term: { "year.keyword": "2024" } },
          { term: { "deep.er": "y" } }
        ]
        for (const filter of filters) {
          assert.strictEqual((yield* search.search({ index, filter })).total, 1, JSON.stringify(filter))
        }
        yield* failsWith("InvalidRequest", search.index({ index, id: "2", document: { count: "five" } }))
        yield* failsWith("InvalidRequest", search.index({ index, id: "2", document: { deep: "flat" } }))
        assert.deepStrictEqual(yield* search.get({ index, id: "2" }), Option.none())
      }))

    test("what was changed or removed is not found any more", (index, search) =>
      Effect.gen(function* () {
        yield* fill(index)
        yield* search.search({ index, text: "jazz" })
        yield* search.update({ index, id: "p1", document: { title: "Summer funk" }, refresh: "wait" })
        assert.deepStrictEqual(ids(yield* search.search({ index, text: "jazz" })), ["p2"])
        assert.deepStrictEqual(ids(yield* search.search({ index, text: "funk" })), ["p1"])
        yield* search.delete({ index, id: "p2", refresh: true })
        assert.strictEqual((yield* search.search({ index, text: "jazz" })).total, 0)
      }))

    test("bulk: operations succeed and fail one by one", (index, search) =>
      Effect.gen(function* () {
        yield* search.index({ index, id: "1", document: { title: "One" } })
        const result = yield* search.bulk({
          index,
          operations: [
            { action: "index", id: "1", document: { title: "One again" } },
            { action: "create", id: "1", document: { title: "Conflict" } },
            { action: "index", id: "2", document: { plays: "s3cret" } },
            { action: "delete", id: "77" },
            { action: "update", id: "78", document: { plays: 1 } },
            { action: "update", id: "79", document: { plays: 1 }, upsert: true },
            { action: "index", document: { title: "No id" } },
            { action: "update", id: "1", document: { plays: 4 } },
            { action: "delete", id: "79" }
          ]
        })
        const outcomes = result.items.map((item) =>
          Result.isSuccess(item.result) ? item.result.success.outcome : item.result.failure._tag
        )
        assert.deepStrictEqual(outcomes, [
          "updated",
          "Conflict",
          "InvalidRequest",
          "not_found",
          "NotFound",
          "created",
          "created",
          "updated",
          "deleted"
        ])
        assert.deepStrictEqual(
          result.failures.map((item) => Option.getOrNull(item.id)),
          ["1", "2", "78"]
        )
        for (const { result: failure } of result.failures) {
          assert.notInclude(Result.isFailure(failure) ? failure.failure.message : "", "s3cret")
        }
        const made = Option.getOrThrow(result.items[6]!.id)
        assert.isTrue(Option.isSome(yield* search.get({ index, id: made })))
        assert.deepStrictEqual(Option.getOrThrow(yield* search.get({ index, id: "1" })).source, {
          title: "One again",
          plays: 4
        })
        yield* TestTelemetry.expectSpan("es.bulk", {
          status: "unset",
          attributes: {
            "es.bulk_size": 9,
            "es.index": index,
            "result.item_count": 6,
            "result.partial": true,
            "db.operation.name": "bulk",
            "external.retry_count": undefined
          }
        })
      }))

    test("bulk: over several indices, of nothing, and what it refuses as a whole", (index, search) =>
      Effect.gen(function* () {
        const other = `${index}-other`
        const result = yield* search.bulk({
          index,
          operations: [
            { action: "index", id: "1", document: {} },
            { action: "index", index: other, id: "1", document: {} }
          ]
        })
        assert.deepStrictEqual(
          result.items.map((item) => item.index),
          [index, other]
        )
        assert.deepStrictEqual(result.failures, [])
        yield* TestTelemetry.expectSpan("es.bulk", {
          attributes: { "es.index": undefined, "result.partial": undefined }
        })
        yield* search.deleteIndex({ index: other })
        assert.deepStrictEqual(yield* search.bulk({ index, operations: [] }), { items: [], failures: [] })
        yield* failsWith("InvalidRequest", search.bulk({ operations: [{ action: "delete", id: "1" }] }))
        yield* failsWith("InvalidRequest", search.bulk({ index, operations: [{ action: "delete", id: "" }] }))
      }))

    test("suggestions: completed, and corrected", (index, search) =>
      Effect.gen(function* () {
        yield* search.bulk({
          index,
          refresh: true,
          operations: [
            {
              action: "index",
              id: "1",
              document: { title: "summer jazz", suggest: ["Summer jazz", "Jazz of the summer"] }
            },
            {
              action: "index",
              id: "2",
              document: { title: "summer rain", suggest: { input: "Summer rain", weight: 5 } }
            },
            { action: "index", id: "3", document: { title: "winter", suggest: "Winter" } }
          ]
        })
        const complete = (text: string, more: Partial<Search.SuggestInput> = {}) =>
          Effect.map(search.suggest({ index, field: "suggest", text, ...more }), (found) =>
            found.map(({ text }) => text)
          )
        assert.deepStrictEqual(yield* complete("sum"), ["Summer rain", "Summer jazz"])
        assert.deepStrictEqual(yield* complete("SUMMER J"), ["Summer jazz"])
        assert.deepStrictEqual(yield* complete("sum", { size: 1 }), ["Summer rain"])
        assert.deepStrictEqual(yield* complete("rain"), [])
        assert.deepStrictEqual(yield* complete("sumner"), [])
        assert.sameMembers(yield* complete("sumner", { fuzzy: true }), ["Summer rain", "Summer jazz"])
        const [first] = yield* search.suggest({ index, field: "suggest", text: "win" })
        assert.deepStrictEqual([first?.text, first?.for, first?.id], ["Winter", "win", Option.some("3")])
        const corrected = yield* search.suggest({ index, field: "title", text: "Sumner jazz wimter", mode: "correct" })
        assert.deepStrictEqual(
          corrected.map((found) => [found.for, found.text, Option.isNone(found.id)]),
          [
            ["sumner", "summer", true],
            ["wimter", "winter", true]
          ]
        )
        assert.isTrue(corrected.every(({ score }) => score > 0 && score < 1))
        yield* failsWith("InvalidRequest", search.suggest({ index, field: "title", text: "a" }))
        yield* TestTelemetry.expectSpan("es.suggest", {
          attributes: { "es.query": "sum", "es.index": index, "result.item_count": 2, "db.operation.name": "search" }
        })
      }))

    test("scan: every document once, in order, of one state", (index, search) =>
      Effect.gen(function* () {
        const count = 25
        yield* search.bulk({
          index,
          refresh: true,
          // Many have the same value, some have none: pages begin in the midst of both.
          operations: Array.from({ length: count }, (_, n) => ({
            action: "index" as const,
            id: `d${String(n).padStart(2, "0")}`,
            document:
              n % 5 === 0 ? { status: "none" } : { plays: n % 3, rating: n / 2, live: n % 2 === 0, at: "2024-01-01" }
          }))
        })
        yield* TestTelemetry.clear
        const scan = (input: Partial<Search.ScanInput>) => Stream.runCollect(Search.scan({ index, size: 4, ...input }))
        for (const sort of [
          undefined,
          ["plays"],
          [{ field: "plays", order: "desc", missing: "first" }],
          ["at", "status"],
          ["rating"],
          [{ field: "rating", order: "desc", missing: "first" }]
        ] as const) {
          const found = yield* scan({ sort })
          assert.strictEqual(new Set(found.map((hit) => hit.id)).size, count, JSON.stringify(sort))
          assert.strictEqual(found.length, count, JSON.stringify(sort))
        }
        const plays = (yield* scan({ sort: ["plays"] })).map((hit) => hit.source["plays"] as number | undefined)
        assert.deepStrictEqual(
          plays,
          plays.toSorted((a, b) => (a ?? 9) - (b ?? 9))
        )
        assert.strictEqual((yield* scan({ filter: { term: { status: "none" } } })).length, 5)
        assert.strictEqual((yield* scan({ size: 100 })).length, count)
        yield* TestTelemetry.clear
        const during = yield* Stream.runCollect(
          Search.scan({ index, size: 10 }).pipe(
            Stream.tap((hit) =>
              hit.id.startsWith("d") ? search.index({ index, document: {}, refresh: true }) : Effect.void
            )
          )
        )
        assert.strictEqual(during.length, count)
        const pages = (yield* TestTelemetry.spans).filter((span) => span.name === "es.search")
        assert.deepStrictEqual(
          pages.map((span) => span.attributes["result.item_count"]),
          [10, 10, 5]
        )
        const gone = yield* Effect.flip(
          search.search({ index, pointInTime: { id: "no-such-point-in-time", keepAlive: "1 minute" } })
        )
        assert.include(["NotFound", "InvalidRequest"], gone.reason._tag)
      }))

    test("documents of a schema", (index, search) =>
      Effect.gen(function* () {
        const Post = Schema.Struct({
          title: Schema.String,
          plays: Schema.Int,
          at: Schema.Date,
          tags: Schema.optional(Schema.Array(Schema.String))
        })
        const documents = Search.documents({ index, schema: Post })
        const post = { title: "Summer jazz", plays: 3, at: new Date("2024-01-01T00:00:00Z") }
        yield* documents.index({ id: "1", document: post })
        const result = yield* documents.indexAll(
          Array.from({ length: 7 }, (_, n) => ({ id: `b${n}`, document: { ...post, plays: n } })),
          { refresh: true }
        )
        assert.strictEqual(result.items.length, 7)
        assert.deepStrictEqual(Option.getOrThrow(yield* documents.get({ id: "1" })).source, post)
        assert.deepStrictEqual(yield* documents.get({ id: "none" }), Option.none())
        const found = yield* documents.search({
          text: "jazz",
          filter: { range: { at: { gte: post.at } } },
          sort: ["plays"],
          size: 2
        })
        assert.deepStrictEqual(
          found.hits.map((hit) => hit.source.plays),
          [0, 1]
        )
        assert.instanceOf(found.hits[0]?.source.at, Date)
        assert.strictEqual((yield* Stream.runCollect(documents.scan({ size: 3 }))).length, 8)
        yield* search.index({ index, id: "odd", document: { title: 5 }, refresh: true })
        yield* failsWith("Decode", documents.get({ id: "odd" }))
        yield* failsWith("Decode", documents.search({ filter: { ids: ["odd"] } }))
        yield* failsWith("Decode", documents.index({ id: "2", document: { ...post, plays: 1.5 } }))
      }))
  })
}
