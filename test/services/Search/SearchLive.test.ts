import { assert, describe, it } from "@effect/vitest"
import { Client } from "@elastic/elasticsearch"
import { trace } from "@opentelemetry/api"
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Search from "../../../src/services/Search/Search.ts"
import * as SearchLive from "../../../src/services/Search/SearchLive.ts"
import * as wire from "../answering.ts"
import { faultSuite } from "./faults.ts"

const product = { "x-elastic-product": "Elasticsearch" }

faultSuite("SearchLive, on the wire", "elasticsearch", SearchLive.layer, product)

const env = (variables: Record<string, string>) =>
  Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env: variables })))

const empty = wire.json(
  200,
  { took: 1, timed_out: false, _shards: { total: 1, successful: 1, failed: 0 }, hits: { hits: [] } },
  product
)

const ping = Effect.flatMap(Search.Search, (search) => search.search({ index: "posts" }))

describe("SearchLive", () => {
  it.live("a server that is not Elasticsearch is a clear error of the configuration", () =>
    Effect.gen(function* () {
      const server = yield* wire.answering(wire.json(200, { took: 1 }))
      const error = yield* Effect.flip(ping).pipe(Effect.provide(SearchLive.layer({ url: server.url })))
      assert.strictEqual(error.reason._tag, "InvalidRequest")
      assert.include(error.message, `what answers at ${server.url} is not Elasticsearch`)
      assert.include(error.message, "SearchOpenSearch")
      assert.strictEqual(server.received.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("signs in from the environment", () =>
    Effect.gen(function* () {
      const server = yield* wire.answering(empty)
      const signedInWith = (variables: Record<string, string>) =>
        ping.pipe(
          Effect.provide(SearchLive.layerConfig()),
          env({ ELASTICSEARCH_URL: server.url, ...variables }),
          Effect.map(() => server.received.at(-1)?.headers.authorization)
        )
      assert.strictEqual(yield* signedInWith({ ELASTICSEARCH_API_KEY: "a2V5" }), "ApiKey a2V5")
      assert.strictEqual(
        yield* signedInWith({ ELASTICSEARCH_USERNAME: "ada", ELASTICSEARCH_PASSWORD: "x" }),
        `Basic ${btoa("ada:x")}`
      )
      assert.strictEqual(yield* signedInWith({ ELASTICSEARCH_API_KEY: "", ELASTICSEARCH_USERNAME: "" }), undefined)
    }).pipe(Effect.scoped)
  )

  it.live("settings that are missing or wrong are named, without secrets", () =>
    Effect.gen(function* () {
      const problem = (variables: Record<string, string>) =>
        Effect.map(
          Effect.flip(Effect.scoped(Layer.build(SearchLive.layerConfig()))).pipe(env(variables)),
          (error) => error.message
        )
      assert.include(yield* problem({}), "ELASTICSEARCH_URL")
      const cases: ReadonlyArray<readonly [Record<string, string>, RegExp]> = [
        [{ ELASTICSEARCH_URL: "" }, /ELASTICSEARCH_URL/],
        [{ ELASTICSEARCH_URL: " , " }, /^ELASTICSEARCH_URL is empty/],
        [{ ELASTICSEARCH_URL: "s3cret" }, /^ELASTICSEARCH_URL is not a URL; expected http/],
        [{ ELASTICSEARCH_URL: "ftp://u:s3cret@h" }, /^ELASTICSEARCH_URL: the scheme/],
        [{ ELASTICSEARCH_URL: "http://u:s3cret@h?a=b" }, /^ELASTICSEARCH_URL: a query/],
        [{ ELASTICSEARCH_URL: "http://s3cret@h" }, /^ELASTICSEARCH_URL: a URL has a user without a password/],
        [{ ELASTICSEARCH_URL: "http://u:%s3cret@h" }, /^ELASTICSEARCH_URL: the credentials .* percent-encoded/],
        [{ ELASTICSEARCH_URL: "http://u:s3cret@a,http://u:s3cret2@b" }, /^ELASTICSEARCH_URL: the URLs have different/],
        [{ ELASTICSEARCH_URL: "http://h", ELASTICSEARCH_USERNAME: "u" }, /^ELASTICSEARCH_PASSWORD is missing/],
        [{ ELASTICSEARCH_URL: "http://h", ELASTICSEARCH_PASSWORD: "s3cret" }, /^ELASTICSEARCH_USERNAME is missing/],
        [
          { ELASTICSEARCH_URL: "http://u:s3cret@h", ELASTICSEARCH_USERNAME: "u", ELASTICSEARCH_PASSWORD: "s3cret" },
          /^ELASTICSEARCH_USERNAME: the URL has credentials already/
        ],
        [
          { ELASTICSEARCH_URL: "http://u:s3cret@h", ELASTICSEARCH_API_KEY: "s3cret" },
          /^ELASTICSEARCH_API_KEY: there are/
        ]
      ]
      for (const [variables, expected] of cases) {
        const message = yield* problem(variables)
        assert.match(message, expected)
        assert.notInclude(message, "s3cret")
      }
      const fingerprint = yield* Effect.flip(
        Effect.scoped(Layer.build(SearchLive.layer({ url: "http://h", caFingerprint: "AA" })))
      )
      assert.include(fingerprint.message, "caFingerprint")
    })
  )

  it.live("several nodes take turns", () =>
    Effect.gen(function* () {
      const answer = empty
      const [a, b] = [yield* wire.answering(answer), yield* wire.answering(answer)]
      yield* Effect.forEach([1, 2, 3, 4], () => ping).pipe(
        Effect.provide(SearchLive.layer({ url: `${a.url}, ${b.url}` }))
      )
      assert.deepStrictEqual([a.received.length, b.received.length], [2, 2])
    }).pipe(Effect.scoped)
  )

  it.live("the client's own spans are off", () =>
    Effect.gen(function* () {
      const exporter = new InMemorySpanExporter()
      const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
      yield* Effect.acquireRelease(
        Effect.sync(() => trace.setGlobalTracerProvider(provider)),
        () => Effect.sync(() => trace.disable())
      )
      const server = yield* wire.answering(empty)
      yield* ping.pipe(Effect.provide(SearchLive.layer({ url: server.url })))
      assert.deepStrictEqual(exporter.getFinishedSpans(), [])
      // As it is by itself, it makes one for each call.
      const client = new Client({ node: server.url })
      yield* Effect.promise(() => client.search({ index: "posts" }))
      yield* Effect.promise(() => client.close())
      assert.deepStrictEqual(
        exporter.getFinishedSpans().map((span) => span.name),
        ["search"]
      )
    }).pipe(Effect.scoped)
  )
})
