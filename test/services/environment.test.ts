import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { inspect } from "node:util"
import * as CacheLive from "../../src/services/Cache/CacheLive.ts"
import * as DatabaseLive from "../../src/services/Database/DatabaseLive.ts"
import * as GorseLive from "../../src/services/Gorse/GorseLive.ts"
import * as SearchLive from "../../src/services/Search/SearchLive.ts"
import * as SearchOpenSearch from "../../src/services/Search/SearchOpenSearch.ts"
import * as StorageLive from "../../src/services/Storage/StorageLive.ts"
import * as StreamIOLive from "../../src/services/StreamIO/StreamIOLive.ts"
import * as environment from "../../src/services/environment.ts"

const layers: Readonly<Record<string, Layer.Layer<any, unknown>>> = {
  cache: CacheLive.layerConfig(),
  database: DatabaseLive.layerConfig(),
  gorse: GorseLive.layerConfig(),
  elasticsearch: SearchLive.layerConfig(),
  opensearch: SearchOpenSearch.layerConfig(),
  storage: StorageLive.layerConfig(),
  stream: StreamIOLive.layerConfig()
}

/** What a layer fails with, `undefined` where it builds. Empty variables arrive as they do from a provider that keeps them. */
const failure = (layer: keyof typeof layers, variables: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(
      Effect.scoped(Layer.build(layers[layer]!)).pipe(
        Effect.provideService(
          ConfigProvider.ConfigProvider,
          ConfigProvider.fromUnknown(variables, { preserveEmptyStrings: true })
        ),
        Effect.provide(Logger.layer([]))
      )
    )
    if (Exit.isSuccess(exit)) return undefined
    const [reason] = exit.cause.reasons
    assert(reason !== undefined && Cause.isFailReason(reason), "a typed failure")
    assert.notInclude(inspect(exit, { depth: 12, showHidden: true }), "hunter2")
    return reason.error as Error
  })

describe("environment", () => {
  const keys = { STREAM_API_KEY: "key", STREAM_API_SECRET: "hunter2" }
  const storage = { S3_BUCKET: "media", S3_ENDPOINT: "http://127.0.0.1:1" }
  const nodes = "expected http://host:9200 or https://host, several with commas between"
  const cases: ReadonlyArray<readonly [layer: string, variables: Record<string, string>, message: string]> = [
    ["stream", {}, "STREAM_API_KEY is not set; expected what Stream's dashboard shows"],
    ["stream", { ...keys, STREAM_API_KEY: "" }, "STREAM_API_KEY is not set; expected what Stream's dashboard shows"],
    ["stream", { STREAM_API_KEY: "key" }, "STREAM_API_SECRET is not set; expected what Stream's dashboard shows"],
    [
      "stream",
      { ...keys, STREAM_API_SECRET: "" },
      "STREAM_API_SECRET is not set; expected what Stream's dashboard shows"
    ],
    [
      "stream",
      { ...keys, STREAM_API_SECRET: "hunter2 " },
      "STREAM_API_SECRET has white space or characters beyond ASCII; expected what Stream's dashboard shows"
    ],
    ["elasticsearch", {}, `ELASTICSEARCH_URL is not set; ${nodes}`],
    ["elasticsearch", { ELASTICSEARCH_URL: "" }, `ELASTICSEARCH_URL is not set; ${nodes}`],
    ["elasticsearch", { ELASTICSEARCH_URL: "hunter2" }, `ELASTICSEARCH_URL is not a URL; ${nodes}`],
    ["opensearch", {}, `OPENSEARCH_URL is not set; ${nodes}`],
    [
      "database",
      {},
      "DATABASE_URL is not set; expected postgresql://[user[:password]@]host[:port]/database, or PGHOST and PGDATABASE"
    ],
    [
      "database",
      { PGHOST: "h", PGPORT: "eighty" },
      'PGPORT: "eighty" is not accepted; expected a port, from 1 to 65535'
    ],
    ["database", { PGHOST: "h", PGPORT: "0" }, 'PGPORT: "0" is not accepted; expected a port, from 1 to 65535'],
    [
      "database",
      { PGHOST: "h", PGCONNECT_TIMEOUT: "2s" },
      'PGCONNECT_TIMEOUT: "2s" is not accepted; expected seconds, at most 2147483; 0 for no limit'
    ],
    ["storage", {}, "S3_BUCKET is not set; expected the name of a bucket"],
    [
      "storage",
      { S3_BUCKET: "media" },
      "AWS_REGION is not set; expected a region such as eu-central-1, or S3_ENDPOINT"
    ],
    [
      "storage",
      { ...storage, S3_FORCE_PATH_STYLE: "perhaps" },
      'S3_FORCE_PATH_STYLE: "perhaps" is neither; expected true, false, yes, no, on, off, 1 or 0'
    ],
    [
      "gorse",
      { GORSE_URL: "gorse:8088" },
      "GORSE_URL: not a URL of HTTP; expected http://host:port or https://host:port, with or without a path"
    ],
    ["cache", { REDIS_URL: "hunter2" }, "REDIS_URL: not a URL; expected redis://host:6379 or rediss://host:6379"]
  ]
  for (const [layer, variables, message] of cases) {
    it.effect(`${layer}: ${message}`, () =>
      Effect.gen(function* () {
        const error = yield* failure(layer, variables)
        assert.strictEqual(error?.message, message)
        assert.notInclude(message, "SchemaError")
      })
    )
  }

  it.live("an empty variable counts as one that is not set", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* failure("gorse", { GORSE_URL: "", GORSE_API_KEY: "" }))
      assert.isUndefined(yield* failure("cache", { REDIS_URL: "" }))
      assert.isUndefined(yield* failure("stream", { ...keys, STREAM_BASE_URL: "" }))
      assert.isUndefined(
        yield* failure("storage", { ...storage, AWS_REGION: "", S3_FORCE_PATH_STYLE: "", AWS_ACCESS_KEY_ID: "" })
      )
      const url = { ELASTICSEARCH_URL: "http://127.0.0.1:1" }
      assert.isUndefined(
        yield* failure("elasticsearch", { ...url, ELASTICSEARCH_USERNAME: "", ELASTICSEARCH_API_KEY: "" })
      )
    })
  )

  it("reads yes and no, and whole numbers", () => {
    assert.deepStrictEqual(["true", "1", " YES", "on"].map(environment.boolean), [true, true, true, true])
    assert.deepStrictEqual(["false", "0", "No", "off"].map(environment.boolean), [false, false, false, false])
    assert.typeOf(environment.boolean("toString"), "string")
    const port = (value: string) => environment.integer(value, 1, 65_535, "a port")
    assert.deepStrictEqual([port("1"), port(" 65535 ")], [1, 65_535])
    for (const value of ["", "1.5", "0x10", "1e3", "65536", "NaN"]) assert.typeOf(port(value), "string", value)
  })
})
