/**
 * The parts of the backend: each on a real server where the environment names one, in this process otherwise.
 *
 * A live or embedded layer is imported when it is used, so that only the clients in use are loaded.
 */
import { Config, Context, Data, Effect, Layer, Option, References, String } from "effect"
import { lateFaults } from "./LateFaults.ts"
import { migrate } from "./Migrations.ts"
import { seed } from "./Seed.ts"
import { sync } from "./Sync.ts"

/** Told what is being started, and what is ready. */
export const Progress = Context.Reference("app/Progress", {
  defaultValue: () => ({
    starting: (_part: string, _what: string): void => {},
    ready: (_part: string, _detail: string): void => {}
  })
})

/** A part that could not be started. */
export class PartError extends Data.TaggedError("PartError")<{ readonly message: string; readonly cause: unknown }> {}

/** A part that says what it is and when it is ready; `prepare` runs before that and may add a detail. */
const part = <A, E extends Error, R, E2 extends Error = never, R2 = never>(options: {
  readonly name: string
  readonly what: string
  readonly load: () => Promise<Layer.Layer<A, E, R>>
  readonly prepare?: Effect.Effect<string, E2, R2> | undefined
}) =>
  Layer.effectContext(
    Effect.gen(function* () {
      const progress = yield* Progress
      const started = performance.now()
      progress.starting(options.name, options.what)
      const context = yield* Layer.build(yield* Effect.promise(options.load))
      const detail = yield* Effect.provide(options.prepare ?? Effect.succeed(""), context)
      const took = `${Math.round(performance.now() - started)} ms`
      progress.ready(options.name, detail === "" ? took : `${detail}, ${took}`)
      return context
    }).pipe(
      Effect.mapError(
        (cause) => new PartError({ message: `the ${options.name}, ${options.what}: ${cause.message}`, cause })
      )
    )
  )

/** One layer where one of these variables is set, another one where none is. */
const whereSet = <A, E, R, A2, E2, R2>(
  names: ReadonlyArray<string>,
  live: Layer.Layer<A, E, R>,
  embedded: Layer.Layer<A2, E2, R2>
) =>
  Layer.unwrap(
    Effect.map(
      Effect.forEach(names, (name) => Config.option(Config.NonEmptyString(name))),
      (values): Layer.Layer<A | A2, E | E2, R | R2> => (values.some(Option.isSome) ? live : embedded) as never
    )
  )

/** Columns are in snake case, fields are not. */
const naming = { transformQueryNames: String.camelToSnake, transformResultNames: String.snakeToCamel }

const fill = Effect.gen(function* () {
  const migrations = yield* migrate
  const { posts, users } = yield* seed
  return `${migrations.length} migrations run, ${users} users, ${posts} posts`
})

/** PostgreSQL at `DATABASE_URL` (or `PGHOST`), or PGlite in this process. */
export const database = whereSet(
  ["DATABASE_URL", "PGHOST"],
  part({
    name: "database",
    what: "PostgreSQL (DATABASE_URL)",
    load: async () => (await import("effect-telemetry/DatabaseLive")).layerConfig(naming),
    prepare: fill
  }),
  part({
    name: "database",
    what: "PGlite, in this process",
    load: async () => (await import("effect-telemetry/DatabaseEmbedded")).layer(naming),
    prepare: fill
  })
)

/** Redis at `REDIS_URL`, or a cache in this process. */
export const cache = whereSet(
  ["REDIS_URL"],
  part({
    name: "cache",
    what: "Redis (REDIS_URL)",
    load: async () => (await import("effect-telemetry/CacheLive")).layerConfig()
  }),
  part({
    name: "cache",
    what: "in this process",
    load: async () => (await import("effect-telemetry/CacheEmbedded")).layer()
  })
)

/** S3 in the bucket `S3_BUCKET` (at `S3_ENDPOINT`), or a directory that goes with this process. */
export const storage = whereSet(
  ["S3_BUCKET", "S3_ENDPOINT"],
  part({
    name: "storage",
    what: "S3 (S3_BUCKET)",
    load: async () => (await import("effect-telemetry/StorageLive")).layerConfig()
  }),
  part({
    name: "storage",
    what: "on the file system",
    load: async () => (await import("effect-telemetry/StorageEmbedded")).layer({ bucket: "audio" })
  })
)

/** Gorse at `GORSE_URL`, or a recommender in this process. */
export const gorse = whereSet(
  ["GORSE_URL"],
  part({
    name: "gorse",
    what: "Gorse (GORSE_URL)",
    load: async () => (await import("effect-telemetry/GorseLive")).layerConfig()
  }),
  part({
    name: "gorse",
    what: "recommendations, in this process",
    load: async () => (await import("effect-telemetry/GorseEmbedded")).layer()
  })
)

/** Elasticsearch at `ELASTICSEARCH_URL`, OpenSearch at `OPENSEARCH_URL`, or a search in this process. */
export const search = whereSet(
  ["ELASTICSEARCH_URL"],
  part({
    name: "search",
    what: "Elasticsearch (ELASTICSEARCH_URL)",
    load: async () => (await import("effect-telemetry/SearchLive")).layerConfig()
  }),
  whereSet(
    ["OPENSEARCH_URL"],
    part({
      name: "search",
      what: "OpenSearch (OPENSEARCH_URL)",
      load: async () => (await import("effect-telemetry/SearchOpenSearch")).layerConfig()
    }),
    part({
      name: "search",
      what: "full-text search, in this process",
      load: async () => (await import("effect-telemetry/SearchEmbedded")).layer()
    })
  )
)

/** Stream with `STREAM_API_KEY`, or feeds in this process. */
export const stream = whereSet(
  ["STREAM_API_KEY"],
  part({
    name: "stream",
    what: "Stream (STREAM_API_KEY)",
    load: async () => (await import("effect-telemetry/StreamIOLive")).layerConfig()
  }),
  part({
    name: "stream",
    what: "activity feeds, in this process",
    load: async () => (await import("effect-telemetry/StreamIOEmbedded")).layer()
  })
)

/** Every part, with the faults of a list (`stream.follow=fail:2`). Starting them is not traced. */
export const layer = (faults: string) => {
  const { begin, layer: late } = lateFaults(faults)
  return Layer.effectDiscard(Effect.andThen(sync, begin)).pipe(
    Layer.provideMerge(Layer.mergeAll(database, cache, storage, search, stream, gorse)),
    Layer.provide(late),
    Layer.provide(Layer.succeed(References.TracerEnabled, false))
  )
}
