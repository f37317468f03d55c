import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Search from "../../../src/services/Search/Search.ts"
import * as SearchOpenSearch from "../../../src/services/Search/SearchOpenSearch.ts"
import * as wire from "../answering.ts"
import { faultSuite } from "./faults.ts"

faultSuite("SearchOpenSearch, on the wire", "opensearch", SearchOpenSearch.layer, {})

const env = (variables: Record<string, string>) =>
  Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env: variables })))

const ping = Effect.flatMap(Search.Search, (search) => search.search({ index: "posts" }))

describe("SearchOpenSearch", () => {
  it.live("signs in from the environment", () =>
    Effect.gen(function* () {
      const server = yield* wire.answering(
        wire.json(200, {
          took: 1,
          timed_out: false,
          _shards: { total: 1, successful: 1, failed: 0 },
          hits: { hits: [] }
        })
      )
      yield* ping.pipe(
        Effect.provide(SearchOpenSearch.layerConfig()),
        env({ OPENSEARCH_URL: server.url, OPENSEARCH_USERNAME: "ada", OPENSEARCH_PASSWORD: "x" })
      )
      assert.strictEqual(server.received[0]?.headers.authorization, `Basic ${btoa("ada:x")}`)
    }).pipe(Effect.scoped)
  )

  it.live("settings that are missing or wrong are named, without secrets", () =>
    Effect.gen(function* () {
      const problem = (variables: Record<string, string>) =>
        Effect.map(
          Effect.flip(Effect.scoped(Layer.build(SearchOpenSearch.layerConfig()))).pipe(env(variables)),
          (error) => error.message
        )
      assert.include(yield* problem({}), "OPENSEARCH_URL")
      assert.match(yield* problem({ OPENSEARCH_URL: "u:s3cret" }), /^OPENSEARCH_URL: (?!.*s3cret)/)
      assert.match(
        yield* problem({ OPENSEARCH_URL: "http://h", OPENSEARCH_USERNAME: "u" }),
        /^OPENSEARCH_PASSWORD is missing/
      )
    })
  )

  it.live("200 with HTML, of a page that signs people in, is Decode", () =>
    Effect.gen(function* () {
      const server = yield* wire.answering(wire.text(200, "<html>sign in</html>", { "content-type": "text/html" }))
      const error = yield* Effect.flip(ping).pipe(Effect.provide(SearchOpenSearch.layer({ url: server.url })))
      assert.strictEqual(error.reason._tag, "Decode")
    }).pipe(Effect.scoped)
  )
})
