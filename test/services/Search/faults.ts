import { assert, describe, it, vi } from "@effect/vitest"
import * as Https from "node:https"
import type { ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as RetryPolicy from "../../../src/operation/RetryPolicy.ts"
import * as Search from "../../../src/services/Search/Search.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"
import { ca, server as certificate } from "../../support/certificates.ts"
import * as wire from "../answering.ts"

/** A live layer of the search, for a server. */
export type MakeLayer = (
  options: {
    readonly url: string | Redacted.Redacted
    readonly tls?: { readonly ca: string } | undefined
  } & Search.SearchOptions
) => Layer.Layer<Search.Search, unknown>

/** Everything that spans say. */
const shown = (spans: ReadonlyArray<TestTelemetry.TestSpan>): string =>
  JSON.stringify(
    spans.map(({ attributes, events, status }) => [attributes, events, status]),
    (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)
  )

const httpsServer = (answer: (response: ServerResponse) => void) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<Https.Server>((resume) => {
        const server = Https.createServer(certificate, (_, response) => answer(response))
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.sync(() => {
          server.closeAllConnections()
          server.close()
        })
    ),
    (server) => `https://localhost:${(server.address() as AddressInfo).port}`
  )

interface Fixture {
  readonly server: wire.Answering
  readonly search: Search.Search["Service"]
}

const quick: RetryPolicy.RetryPolicyInput = { baseDelay: "5 millis", maxDelay: "10 millis" }

const error = (type: string, reason: string, status: number) => ({
  error: { root_cause: [{ type, reason }], type, reason },
  status
})

const written = {
  _index: "posts",
  _id: "1",
  _version: 1,
  result: "created",
  _shards: { total: 2, successful: 1, failed: 0 },
  _seq_no: 0,
  _primary_term: 1
}
const shards = { total: 3, successful: 3, skipped: 0, failed: 0 }
const searched = {
  took: 2,
  timed_out: false,
  _shards: shards,
  hits: { total: { value: 0, relation: "eq" }, max_score: null, hits: [] }
}
const html = "<html><head><title>Request Entity Too Large</title></head><body>nginx</body></html>"

const document = { index: "posts", id: "1", document: { title: "One" } }
const withoutId = { index: "posts", document: { title: "One" } }

/** What the real servers and what stands between answer, and what has to become of it. */
export const faultSuite = (
  name: string,
  system: string,
  make: MakeLayer,
  /** The headers by which a client knows its engine. */
  product: Readonly<Record<string, string>>
) => {
  const json = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
    wire.json(status, body, { ...product, ...headers })

  const test = (
    title: string,
    options: Search.SearchOptions,
    body: (fixture: Fixture) => Effect.Effect<void, unknown, Search.Search | TestTelemetry.TestTelemetry | Scope.Scope>
  ) =>
    it.live(title, () =>
      Effect.gen(function* () {
        const server = yield* wire.answering(json(200, written))
        const layer = make({ url: server.url, retry: quick, circuit: false, ...options })
        yield* Effect.gen(function* () {
          yield* body({ server, search: yield* Search.Search })
        }).pipe(Effect.provide(layer))
      }).pipe(Effect.scoped, Effect.provide(TestTelemetry.layer()))
    )

  const failure = <A>(effect: Effect.Effect<A, Search.SearchError>) =>
    Effect.map(Effect.flip(effect), ({ reason }) => reason)

  describe(name, () => {
    test("requests as the REST API has them", {}, ({ search, server }) =>
      Effect.gen(function* () {
        yield* search.index({
          ...document,
          id: "a/b ü",
          refresh: "wait",
          routing: "r",
          ifVersion: { seqNo: 3, primaryTerm: 2 }
        })
        yield* search.index({ ...withoutId, create: true })
        yield* search.update({ index: "posts", id: "1", document: { a: 1 }, upsert: true, refresh: true })
        yield* search.delete({ index: "posts", id: "." })
        server.answer = json(200, searched)
        yield* search.search({
          index: "posts,new-*",
          text: { query: "jazz", fields: { title: 2 }, match: "all" },
          filter: { term: { status: "x" } },
          sort: ["_score", { field: "plays", order: "desc" }],
          from: 5,
          size: 2,
          timeout: "1500 millis",
          source: ["title"],
          raw: { aggs: { tags: { terms: { field: "tag" } } }, track_scores: true }
        })
        const seen = server.received.map(({ method, target }) => `${method} ${target}`)
        assert.deepStrictEqual(seen, [
          "PUT /posts/_doc/a%2Fb%20%C3%BC?refresh=wait_for&if_seq_no=3&if_primary_term=2&routing=r",
          "POST /posts/_doc?op_type=create",
          "POST /posts/_update/1?refresh=true",
          "DELETE /posts/_doc/%2E",
          "POST /posts%2Cnew-*/_search"
        ])
        assert.deepStrictEqual(server.received[0]?.json, { title: "One" })
        assert.deepStrictEqual(server.received[2]?.json, { doc: { a: 1 }, doc_as_upsert: true })
        assert.deepStrictEqual(server.received[4]?.json, {
          query: {
            bool: {
              must: [
                {
                  multi_match: {
                    query: "jazz",
                    lenient: true,
                    type: "cross_fields",
                    operator: "and",
                    fields: ["title^2"]
                  }
                }
              ],
              filter: [{ term: { status: "x" } }]
            }
          },
          sort: [{ _score: "desc" }, { plays: { order: "desc", missing: "_last" } }],
          from: 5,
          size: 2,
          _source: ["title"],
          timeout: "1500ms",
          aggs: { tags: { terms: { field: "tag" } } },
          track_scores: true
        })
      })
    )

    test("each attempt is a child span, once, and carries the trace on", {}, ({ search, server }) =>
      Effect.gen(function* () {
        server.answer = wire.inTurn(
          json(429, error("es_rejected_execution_exception", "rejected", 429)),
          json(201, written)
        )
        yield* search.index(document).pipe(Effect.withSpan("request"))
        const trace = yield* TestTelemetry.expectTrace({
          name: "request",
          children: [
            {
              name: "es.index",
              kind: "client",
              status: "unset",
              attributes: {
                "db.system.name": system,
                "external.retry_count": 1,
                "error.type": undefined
              },
              events: [{ name: "retry", attributes: { "retry.attempt": 1, "error.type": "RateLimited" } }],
              children: [
                {
                  name: "PUT",
                  kind: "client",
                  status: "error",
                  attributes: {
                    "http.request.method": "PUT",
                    "http.response.status_code": 429,
                    "error.type": "429",
                    "url.full": `${server.url}/posts/_doc/1`,
                    "server.address": "127.0.0.1",
                    "server.port": server.port,
                    "http.request.resend_count": undefined
                  }
                },
                {
                  name: "PUT",
                  status: "unset",
                  attributes: {
                    "http.response.status_code": 201,
                    "http.request.resend_count": 1,
                    "error.type": undefined
                  }
                }
              ]
            }
          ]
        })
        const attempts = trace.children[0]!.children
        assert.deepStrictEqual(
          server.received.map(({ headers }) => headers["traceparent"]?.slice(0, 52)),
          attempts.map((span) => `00-${span.traceId}-${span.spanId}`)
        )
        assert.strictEqual((yield* TestTelemetry.spans).length, 4)
      })
    )

    describe("statuses", () => {
      const cases: ReadonlyArray<{
        readonly title: string
        readonly answer: wire.Answer
        readonly tag: string
        readonly code?: string | undefined
        /** How often a write with an id, and one without, is sent. */
        readonly sent: readonly [withId: number, withoutId: number]
      }> = [
        {
          title: "429 rejected",
          answer: json(429, error("es_rejected_execution_exception", "rejected execution of primary operation", 429)),
          tag: "RateLimited",
          code: "es_rejected_execution_exception",
          sent: [3, 3]
        },
        {
          title: "429 circuit breaker",
          answer: json(429, error("circuit_breaking_exception", "[parent] Data too large", 429)),
          tag: "RateLimited",
          sent: [3, 3]
        },
        {
          title: "429 disk full",
          answer: json(
            429,
            error(
              "cluster_block_exception",
              "index [posts] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark]",
              429
            )
          ),
          tag: "RateLimited",
          sent: [3, 3]
        },
        { title: "429 of a proxy", answer: wire.text(429, "slow down"), tag: "RateLimited", sent: [3, 3] },
        {
          title: "503 without a primary shard",
          answer: json(503, error("unavailable_shards_exception", "[posts][0] primary shard is not active", 503)),
          tag: "Unavailable",
          code: "unavailable_shards_exception",
          sent: [3, 3]
        },
        {
          title: "503 before the cluster is there",
          answer: json(
            503,
            error(
              "cluster_block_exception",
              "blocked by: [SERVICE_UNAVAILABLE/1/state not recovered / initialized]",
              503
            )
          ),
          tag: "Unavailable",
          sent: [3, 3]
        },
        { title: "503 of a proxy", answer: wire.text(503, html), tag: "Unavailable", sent: [3, 1] },
        { title: "502 of a proxy", answer: wire.text(502, html), tag: "Unavailable", sent: [3, 1] },
        { title: "504 of a proxy", answer: wire.text(504, html), tag: "Timeout", sent: [3, 1] },
        {
          title: "500",
          answer: json(500, error("null_pointer_exception", "oops", 500)),
          tag: "Unavailable",
          sent: [3, 1]
        },
        {
          title: "503 of a master that is too busy",
          answer: json(503, error("process_cluster_event_timeout_exception", "failed to process cluster event", 503)),
          tag: "Timeout",
          sent: [3, 1]
        },
        {
          title: "400",
          answer: json(400, error("document_parsing_exception", "[1:10] failed to parse", 400)),
          tag: "InvalidRequest",
          code: "document_parsing_exception",
          sent: [1, 1]
        },
        {
          title: "405 with an error that is a text",
          answer: json(405, { error: "Incorrect HTTP method for uri", status: 405 }),
          tag: "InvalidRequest",
          sent: [1, 1]
        },
        {
          title: "401",
          answer: json(
            401,
            error("security_exception", "unable to authenticate user [ada-s3cret] for REST request", 401)
          ),
          tag: "Unauthorized",
          sent: [1, 1]
        },
        {
          title: "403",
          answer: json(
            403,
            error("security_exception", "action [indices:data/write] is unauthorized for user [ada-s3cret]", 403)
          ),
          tag: "Unauthorized",
          sent: [1, 1]
        },
        {
          title: "403 read-only",
          answer: json(
            403,
            error(
              "cluster_block_exception",
              "index [posts] blocked by: [FORBIDDEN/12/index read-only / allow delete (api)]",
              403
            )
          ),
          tag: "Conflict",
          sent: [1, 1]
        },
        {
          title: "404 of an index",
          answer: json(404, error("index_not_found_exception", "no such index [posts]", 404)),
          tag: "NotFound",
          code: "index_not_found_exception",
          sent: [1, 1]
        },
        { title: "404 of a proxy", answer: wire.text(404, html), tag: "NotFound", sent: [1, 1] },
        {
          title: "409",
          answer: json(409, error("version_conflict_engine_exception", "[1]: version conflict", 409)),
          tag: "Conflict",
          sent: [1, 1]
        },
        {
          title: "413 with HTML",
          answer: wire.text(413, html, { "content-type": "text/html" }),
          tag: "InvalidRequest",
          sent: [1, 1]
        },
        {
          title: "200 cut off in mid-body",
          answer: (received, response) => wire.truncate(received, Object.assign(response, {})),
          tag: "Unavailable",
          sent: [3, 1]
        },
        { title: "a connection that is reset", answer: wire.reset, tag: "Unavailable", sent: [3, 1] },
        {
          title: "200 that is no JSON",
          answer: (_, response) => {
            response.writeHead(200, { "content-type": "application/json", ...product }).end('{"half":')
          },
          tag: "Decode",
          sent: [1, 1]
        },
        { title: "200 that is another thing", answer: json(200, { ok: true }), tag: "Decode", sent: [1, 1] }
      ]
      for (const { answer, code, sent, tag, title } of cases) {
        test(title, {}, ({ search, server }) =>
          Effect.gen(function* () {
            server.answer = answer
            const reason = yield* failure(search.index(document))
            assert.strictEqual(reason._tag, tag, reason.message)
            if (code !== undefined) assert.strictEqual(reason.code, code)
            assert.notInclude(reason.message, "s3cret")
            assert.notInclude(reason.message, "<html>")
            assert.strictEqual(server.received.length, sent[0])
            server.received.length = 0
            yield* failure(search.index(withoutId))
            assert.strictEqual(server.received.length, sent[1])
            yield* TestTelemetry.expectSpan("es.index", {
              status: "error",
              attributes: { "error.type": tag, "external.error.retryable": sent[0] > 1 }
            })
          })
        )
      }
    })

    test("a 404 with HTML is no document that is not there", {}, ({ search, server }) =>
      Effect.gen(function* () {
        server.answer = wire.text(404, html)
        assert.strictEqual((yield* failure(search.get({ index: "posts", id: "1" })))._tag, "NotFound")
        assert.strictEqual((yield* failure(search.delete({ index: "posts", id: "1" })))._tag, "NotFound")
        assert.strictEqual((yield* failure(search.deleteIndex({ index: "posts", ifExists: true })))._tag, "NotFound")
        server.answer = json(404, { _index: "posts", _id: "1", found: false })
        yield* TestTelemetry.clear
        assert.deepStrictEqual(yield* search.get({ index: "posts", id: "1" }), Option.none())
        yield* TestTelemetry.expectTrace({
          name: "es.get",
          status: "unset",
          children: [{ name: "GET", status: "unset", attributes: { "http.response.status_code": 404 } }]
        })
      })
    )

    test("Retry-After is waited for, or not at all where it is too long", {}, ({ search, server }) =>
      Effect.gen(function* () {
        const busy = error("es_rejected_execution_exception", "rejected", 429)
        server.answer = wire.inTurn(json(429, busy, { "retry-after": "1" }), json(200, searched))
        const [elapsed] = yield* Effect.timed(search.search({ index: "posts" }))
        assert.isAtLeast(Duration.toMillis(elapsed), 1000)
        server.received.length = 0
        server.answer = json(429, busy, { "retry-after": new Date(Date.now() + 3_600_000).toUTCString() })
        const reason = yield* failure(search.search({ index: "posts" }))
        assert(reason._tag === "RateLimited" && reason.retryAfter !== undefined)
        assert.isAbove(Duration.toMinutes(reason.retryAfter), 50)
        assert.strictEqual(server.received.length, 1)
      })
    )

    it.live("a refused connection is known not to have acted, also by a name with two addresses", () =>
      Effect.gen(function* () {
        const { port } = yield* Effect.scoped(wire.answering(wire.hang))
        for (const host of ["127.0.0.1", "localhost"]) {
          yield* TestTelemetry.clear
          const reason = yield* Effect.flatMap(Search.Search, (search) => failure(search.index(withoutId))).pipe(
            Effect.provide(make({ url: `http://user:s3cret@${host}:${port}`, retry: quick }))
          )
          assert.strictEqual(reason._tag, "Unavailable")
          assert.strictEqual(reason.code, "ECONNREFUSED")
          assert.strictEqual(reason.mayHaveActed, false)
          yield* TestTelemetry.expectSpan("es.index", { attributes: { "external.retry_count": 2 } })
          const spans = yield* TestTelemetry.spans
          assert.strictEqual(spans.filter((span) => span.name === "POST").length, 3)
          assert.notInclude(shown(spans), "s3cret")
        }
      }).pipe(Effect.provide(TestTelemetry.layer()))
    )

    for (const [title, answer] of [
      ["a server that never answers", wire.hang],
      ["a body that never ends", wire.stall]
    ] as const) {
      test(
        `${title}: deadline and interruption reach it, its connection is given up`,
        { timeout: "500 millis", retry: { attempts: 1 } },
        ({ search, server }) =>
          Effect.gen(function* () {
            let closed = 0
            server.answer = (received, response) => {
              response.on("close", () => closed++)
              return answer(received, response)
            }
            const [elapsed, reason] = yield* Effect.timed(failure(search.search({ index: "posts" })))
            assert.strictEqual(reason._tag, "Timeout")
            assert.isBelow(Duration.toMillis(elapsed), 5000)
            yield* wire.waitUntil(() => closed === 1)
            server.received.length = 0
            const fiber = yield* Effect.forkChild(search.get({ index: "posts", id: "1" }))
            yield* wire.waitUntil(() => server.received.length === 1)
            const [interrupted] = yield* Effect.timed(Fiber.interrupt(fiber))
            assert.isBelow(Duration.toMillis(interrupted), 200)
            yield* wire.waitUntil(() => closed === 2)
            // A client may have one ready for the next request.
            assert.isAtMost(server.connections(), 1)
            yield* TestTelemetry.expectSpan("es.get", {
              status: "unset",
              attributes: { "effect.fiber.interrupted": true }
            })
            yield* TestTelemetry.expectSpan("GET", {
              status: "unset",
              attributes: { "effect.fiber.interrupted": true }
            })
          })
      )
    }

    it.live("connections are kept between requests, and closed with the layer", () =>
      Effect.gen(function* () {
        const server = yield* wire.answering(json(200, searched))
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(make({ url: server.url }), scope)
        yield* Effect.flatMap(Search.Search, (search) =>
          Effect.forEach([1, 2, 3], () => search.search({ index: "posts" }))
        ).pipe(Effect.provide(context))
        assert.isAtMost(server.connections(), 2)
        server.answer = wire.hang
        const hanging = yield* Effect.forkChild(
          Effect.provide(
            Effect.flatMap(Search.Search, (search) => search.search({ index: "posts" })),
            context
          )
        )
        yield* wire.waitUntil(() => server.received.length === 4)
        const [elapsed] = yield* Effect.timed(Scope.close(scope, Exit.void))
        assert.isBelow(Duration.toMillis(elapsed), 1000)
        yield* wire.waitUntil(() => server.connections() === 0)
        yield* Fiber.interrupt(hanging)
      }).pipe(Effect.scoped)
    )

    test("a search that is partial says so", {}, ({ search, server }) =>
      Effect.gen(function* () {
        server.answer = wire.inTurn(
          json(200, { ...searched, timed_out: true }),
          json(200, {
            ...searched,
            _shards: { total: 5, successful: 3, skipped: 0, failed: 2, failures: [{ shard: 0 }] }
          })
        )
        const late = yield* search.search({ index: "posts" })
        assert.deepStrictEqual([late.partial, late.timedOut], [true, true])
        const torn = yield* search.search({ index: "posts" })
        assert.deepStrictEqual([torn.partial, torn.timedOut, torn.shards.failed], [true, false, 2])
        yield* TestTelemetry.expectSpan("es.search", {
          status: "unset",
          attributes: { "result.partial": true, "es.shards_queried": 5, "es.hit_count": 0 }
        })
        assert.strictEqual(server.received.length, 2)
      })
    )

    test("aggregations are given as the engine has them; a lower bound is no exact count", {}, ({ search, server }) =>
      Effect.gen(function* () {
        server.answer = json(200, {
          ...searched,
          hits: { total: { value: 10_000, relation: "gte" }, hits: [] },
          aggregations: { tags: { buckets: [] } }
        })
        const result = yield* search.search({ index: "posts", raw: { query: { match_none: {} } } })
        assert.deepStrictEqual(result.aggregations, { tags: { buckets: [] } })
        assert.deepStrictEqual([result.total, result.totalIsExact], [10_000, false])
        assert.deepStrictEqual(server.received[0]?.json.query, { match_none: {} })
        yield* TestTelemetry.expectSpan("es.search", { attributes: { "es.query": '{"match_none":{}}' } })
      })
    )

    describe("bulk", () => {
      const ok = (id: string) => ({
        index: { _index: "posts", _id: id, result: "created", _seq_no: 1, _primary_term: 1, status: 201 }
      })
      const bad = (id: string | null, status: number, type: string) => ({
        index: { _index: "posts", _id: id, status, error: { type, reason: `why ${type}` } }
      })
      const answer = (...items: ReadonlyArray<object>) => json(200, { took: 1, errors: true, items })
      const rejected = "es_rejected_execution_exception"
      const operations = (...ids: ReadonlyArray<string | undefined>) =>
        ids.map((id) => ({ action: "index" as const, id, document: { id } }))
      const lines = (received: wire.Received | undefined) =>
        (received?.text.trim().split("\n") ?? [])
          .filter((_, n) => n % 2 === 0)
          .map((line) => JSON.parse(line).index._id)
      const summary = (result: Search.BulkResult) =>
        result.items.map(({ result }) => (Result.isSuccess(result) ? result.success.id : result.failure._tag))

      test(
        "only what was refused for the moment is sent again, and answers find their places",
        {},
        ({ search, server }) =>
          Effect.gen(function* () {
            server.answer = wire.inTurn(
              answer(
                bad("a", 429, rejected),
                ok("b"),
                bad("c", 400, "document_parsing_exception"),
                bad("d", 429, rejected)
              ),
              answer(ok("a"), bad("d", 503, "unavailable_shards_exception")),
              json(200, { took: 1, errors: false, items: [ok("d")] })
            )
            const result = yield* search.bulk({ index: "posts", operations: operations("a", "b", "c", "d") })
            assert.deepStrictEqual(server.received.map(lines), [["a", "b", "c", "d"], ["a", "d"], ["d"]])
            assert.deepStrictEqual(summary(result), ["a", "b", "InvalidRequest", "d"])
            assert.strictEqual(result.failures.length, 1)
            const trace = yield* TestTelemetry.expectTrace({
              name: "es.bulk",
              status: "unset",
              attributes: {
                "es.bulk_size": 4,
                "result.partial": true,
                "result.item_count": 3,
                "external.retry_count": 2,
                "error.type": undefined
              },
              events: [
                {
                  name: "retry",
                  attributes: { "retry.attempt": 1, "error.type": "RateLimited", "error.message": /2 of 4/ }
                },
                { name: "retry", attributes: { "retry.attempt": 2, "error.message": /1 of 4/ } }
              ]
            })
            assert.deepStrictEqual(
              trace.children.map((span) => span.attributes["http.request.resend_count"] ?? "none"),
              ["none", 1, 2]
            )
          })
      )

      test(
        "what is refused until the end is a failure of its operation; the policy bounds it",
        {},
        ({ search, server }) =>
          Effect.gen(function* () {
            server.answer = (received, response) =>
              answer(...lines(received).map((id) => (id === "a" ? ok("a") : bad(id, 429, rejected))))(
                received,
                response
              )
            const result = yield* search.bulk({ index: "posts", operations: operations("a", "b", undefined) })
            assert.deepStrictEqual(summary(result), ["a", "RateLimited", "RateLimited"])
            assert.strictEqual(server.received.length, 3)
            server.received.length = 0
            yield* search.bulk({ index: "posts", operations: operations("b") }).pipe(RetryPolicy.with({ attempts: 1 }))
            assert.strictEqual(server.received.length, 1)
          })
      )

      test("what may have been acted upon is sent again only with an id", {}, ({ search, server }) =>
        Effect.gen(function* () {
          server.answer = (received, response) =>
            answer(...lines(received).map((id) => bad(id ?? null, 500, "internal")))(received, response)
          const result = yield* search.bulk({ index: "posts", operations: operations(undefined, "b") })
          assert.deepStrictEqual(
            server.received.map((received) => lines(received).length),
            [2, 1, 1]
          )
          assert.deepStrictEqual(summary(result), ["Unavailable", "Unavailable"])
        })
      )

      test(
        "a connection that breaks: all again if all have ids; later rounds keep what is known",
        {},
        ({ search, server }) =>
          Effect.gen(function* () {
            server.answer = wire.inTurn(wire.reset, answer(ok("a")))
            assert.deepStrictEqual(summary(yield* search.bulk({ index: "posts", operations: operations("a") })), ["a"])
            server.received.length = 0
            server.answer = wire.reset
            const lost = yield* failure(search.bulk({ index: "posts", operations: operations("a", undefined) }))
            assert.strictEqual(lost._tag, "Unavailable")
            assert.strictEqual(server.received.length, 1)
            server.received.length = 0
            server.answer = wire.inTurn(answer(ok("a"), bad("b", 429, rejected)), wire.reset, answer(ok("b")))
            assert.deepStrictEqual(summary(yield* search.bulk({ index: "posts", operations: operations("a", "b") })), [
              "a",
              "b"
            ])
            server.answer = wire.inTurn(answer(ok("a"), bad("b", 429, rejected)), wire.reset)
            const partial = yield* search.bulk({ index: "posts", operations: operations("a", "b") })
            assert.deepStrictEqual(summary(partial), ["a", "Unavailable"])
          })
      )

      test("an answer with other items than were asked for is Decode", {}, ({ search, server }) =>
        Effect.gen(function* () {
          server.answer = answer(ok("a"))
          assert.strictEqual(
            (yield* failure(search.bulk({ index: "posts", operations: operations("a", "b") })))._tag,
            "Decode"
          )
          assert.strictEqual(server.received.length, 1)
        })
      )
    })

    test("scan opens a state, goes on in it, and closes it", {}, ({ search, server }) =>
      Effect.gen(function* () {
        void search
        const hit = (id: string, sort: ReadonlyArray<unknown>) => ({
          _index: "posts",
          _id: id,
          _score: null,
          _source: {},
          sort
        })
        const page = (id: string, ...hits: ReadonlyArray<object>) =>
          json(200, { ...searched, pit_id: id, hits: { total: { value: 3, relation: "eq" }, hits } })
        server.answer = wire.inTurn(
          json(200, { id: "pit-1", pit_id: "pit-1" }),
          page("pit-2", hit("1", [3, 1]), hit("2", [2 ** 63, 2])),
          wire.reset,
          page("pit-3", hit("3", [2 ** 63, 3])),
          json(200, {})
        )
        const found = yield* Stream.runCollect(
          Search.scan({ index: "posts", size: 2, sort: ["plays"], keepAlive: "30 seconds" })
        )
        assert.deepStrictEqual(
          found.map(({ id }) => id),
          ["1", "2", "3"]
        )
        const [open, first, lost, second, close] = server.received
        assert.match(open!.target, /^\/posts\/(_pit|_search\/point_in_time)\?keep_alive=30000ms$/)
        assert.deepInclude(first!.json, { pit: { id: "pit-1", keep_alive: "30000ms" } })
        assert.strictEqual(first!.path, "/_search")
        assert.strictEqual(first!.query["allow_partial_search_results"], "false")
        assert.deepStrictEqual(lost!.json, second!.json)
        assert.deepInclude(second!.json, {
          pit: { id: "pit-2", keep_alive: "30000ms" },
          search_after: ["9223372036854775807", 2]
        })
        assert.strictEqual(close!.method, "DELETE")
        assert.include(close!.text, "pit-3")
        assert.strictEqual(server.received.length, 5)
      })
    )

    test(
      "the circuit opens after failures in a row",
      { retry: { attempts: 1 }, circuit: { failures: 2 } },
      ({ search, server }) =>
        Effect.gen(function* () {
          server.answer = wire.text(503, html)
          yield* failure(search.search({ index: "posts" }))
          yield* failure(search.search({ index: "posts" }))
          assert.strictEqual((yield* failure(search.search({ index: "posts" })))._tag, "CircuitOpen")
          assert.strictEqual(server.received.length, 2)
          yield* TestTelemetry.expectSpan("es.search", {
            attributes: { "external.circuit_breaker_triggered": true, "error.type": "CircuitOpen" },
            children: []
          })
        })
    )

    it.live("credentials of the URL are sent, and appear nowhere else", () =>
      Effect.gen(function* () {
        const server = yield* wire.answering(
          json(401, error("security_exception", "unable to authenticate user [ada]", 401))
        )
        const url = Redacted.make(server.url.replace("http://", "http://ada:s3%3Acret@") + "/base")
        const reason = yield* Effect.flatMap(Search.Search, (search) => failure(search.index(document))).pipe(
          Effect.provide(make({ url }))
        )
        assert.strictEqual(reason._tag, "Unauthorized")
        assert.strictEqual(server.received[0]?.headers.authorization, `Basic ${btoa("ada:s3:cret")}`)
        assert.strictEqual(server.received[0]?.path, "/base/posts/_doc/1")
        const spans = yield* TestTelemetry.spans
        yield* TestTelemetry.expectSpan("PUT", { attributes: { "url.full": `${server.url}/base/posts/_doc/1` } })
        const all = `${shown(spans)} ${JSON.stringify(reason)} ${reason.message}`
        for (const secret of ["s3%3Acret", "s3:cret", btoa("ada:s3:cret")]) assert.notInclude(all, secret)
      }).pipe(Effect.scoped, Effect.provide(TestTelemetry.layer()))
    )

    it.live("a certificate that is not trusted is known not to get better; one that is, works", () =>
      Effect.gen(function* () {
        const url = yield* httpsServer((response) =>
          response.writeHead(200, { "content-type": "application/json", ...product }).end(JSON.stringify(searched))
        )
        const once = Effect.flatMap(Search.Search, (search) => search.search({ index: "posts" }))
        const { reason } = (yield* Effect.flip(once.pipe(Effect.provide(make({ url }))))) as Search.SearchError
        assert.strictEqual(reason._tag, "Unavailable")
        assert.deepStrictEqual([reason.isRetryable, reason.mayHaveActed], [false, false])
        const found = yield* once.pipe(Effect.provide(make({ url, tls: { ca } })))
        assert.strictEqual(found.total, 0)
      }).pipe(Effect.scoped)
    )

    it.live("with tracing off nothing is sent but the request", () =>
      Effect.gen(function* () {
        const server = yield* wire.answering(json(200, searched))
        yield* Effect.flatMap(Search.Search, (search) => search.search({ index: "posts" })).pipe(
          Effect.provide(make({ url: server.url }))
        )
        assert.strictEqual(server.received[0]?.headers["traceparent"], undefined)
      }).pipe(Effect.scoped)
    )

    it.live("nothing is written to the console, whatever breaks", () =>
      Effect.gen(function* () {
        const log = vi.spyOn(console, "log").mockReturnValue(undefined)
        const server = yield* wire.answering(wire.truncate)
        yield* Effect.gen(function* () {
          const search = yield* Search.Search
          yield* Effect.exit(search.search({ index: "posts" }))
          server.answer = wire.stall
          yield* Effect.exit(search.search({ index: "posts" }))
        }).pipe(
          Effect.provide(make({ url: server.url, timeout: "50 millis", retry: { attempts: 1 } })),
          Effect.ensuring(Effect.sync(() => log.mockRestore()))
        )
        assert.strictEqual(log.mock.calls.length, 0)
      }).pipe(Effect.scoped)
    )
  })
}
