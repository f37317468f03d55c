/**
 * The cache: keys, hashes and lists with a time to live, as Redis has them.
 *
 * A cache is never needed for a right answer: every operation has a short deadline, a dead cache fails fast (its circuit
 * opens), and the caller falls through to the source with `Effect.catchTag("CacheError", …)`. Two layers: `CacheLive` (Redis
 * through `@effect/platform-node`'s `NodeRedis`) and `CacheEmbedded` (in this process, with real expiry and eviction).
 *
 * **Example** (Cache-aside)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Option from "effect/Option"
 * import { Cache } from "effect-telemetry/Cache"
 * import * as CacheEmbedded from "effect-telemetry/CacheEmbedded"
 *
 * const user = Effect.gen(function* () {
 *   const cache = yield* Cache
 *   const cached = yield* cache.get({ key: "user:1" }).pipe(Effect.orElseSucceed(() => Option.none<string>()))
 *   if (Option.isSome(cached)) return cached.value
 *   yield* cache.set({ key: "user:1", value: "ada", ttl: "5 minutes" }).pipe(Effect.ignore)
 *   return "ada"
 * })
 * Effect.runPromise(user.pipe(Effect.provide(CacheEmbedded.layer()))).then(console.log)
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/semconv/database/redis/
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Attributes from "../../operation/Attributes.ts"
import * as Operation from "../../operation/Operation.ts"
import { Decode } from "../../operation/Reason.ts"
import { ServiceError } from "../../operation/ServiceError.ts"

/** A cache operation failed, for the reason inside. */
export class CacheError extends ServiceError("CacheError", "cache") {}

/** Input of the operations on one key. */
export interface Key {
  /** As Redis has it: any text, and best short; it stands on the span as `cache.key`. */
  readonly key: string
}

/** Input of the operations on several keys. */
export interface Keys {
  /** Each as `Key.key`. */
  readonly keys: ReadonlyArray<string>
}

const bytes = (text: string): number => Buffer.byteLength(text)
const key = <A extends Key>() => Attributes.string<A>("the key", (input) => input.key)
const keyCount = Attributes.int<Keys>("how many keys were asked for", (input) => input.keys.length)
const command = (name: string) => Attributes.constant("the Redis command", name)
const hit = Attributes.boolean<Option.Option<unknown>>("whether the value was there", Option.isSome)
const size = Attributes.int<Option.Option<string>>("bytes of the value", (found) =>
  Option.isSome(found) ? bytes(found.value) : undefined
)
const itemCount = Attributes.int<ReadonlyArray<unknown>>("how many values came back", (values) => values.length)
const ttlSeconds = Attributes.double<{ readonly ttl?: Duration.Input | undefined }>(
  "the time to live, in seconds",
  (input) => (input.ttl === undefined ? undefined : Duration.toSeconds(Duration.fromInputUnsafe(input.ttl)))
)

/** The operations of the cache. */
export const operations = Operation.table(
  {
    service: "cache",
    prefix: "cache",
    error: CacheError,
    attributes: { "db.system.name": Attributes.constant("the database system", "redis") }
  },
  {
    /** The value of a key; none where there is none or it has expired. */
    get: Operation.effect<Key, Option.Option<string>>({
      name: "get",
      brief: "the value of a key",
      idempotent: true,
      input: { "cache.key": key(), "db.operation.name": command("GET") },
      result: { "cache.hit": hit, "cache.size_bytes": size }
    }),
    /** Sets a key, for good or for a time to live. */
    set: Operation.effect<Key & { readonly value: string; readonly ttl?: Duration.Input | undefined }, void>({
      name: "set",
      brief: "set a key, with an optional time to live",
      idempotent: true,
      input: {
        "cache.key": key(),
        "db.operation.name": command("SET"),
        "cache.size_bytes": Attributes.int("bytes of the value", (input) => bytes(input.value)),
        "cache.ttl_seconds": ttlSeconds
      }
    }),
    /** Removes keys; how many there were. */
    delete: Operation.effect<Keys, number>({
      name: "delete",
      brief: "remove keys",
      idempotent: true,
      input: { "cache.key_count": keyCount, "db.operation.name": command("DEL") },
      result: { "result.item_count": Attributes.int("how many keys were removed", (removed) => removed) }
    }),
    /** Whether a key is there. */
    exists: Operation.effect<Key, boolean>({
      name: "exists",
      brief: "whether a key is there",
      idempotent: true,
      input: { "cache.key": key(), "db.operation.name": command("EXISTS") },
      result: { "cache.hit": Attributes.boolean("whether the key is there", (found) => found) }
    }),
    /** The time that a key has left: none where there is no such key, infinity where it does not expire. */
    ttl: Operation.effect<Key, Option.Option<Duration.Duration>>({
      name: "ttl",
      brief: "the time that a key has left",
      idempotent: true,
      input: { "cache.key": key(), "db.operation.name": command("PTTL") },
      result: {
        "cache.hit": hit,
        "cache.ttl_seconds": Attributes.double("the time left, in seconds", (left) =>
          Option.isSome(left) && Duration.isFinite(left.value) ? Duration.toSeconds(left.value) : undefined
        )
      }
    }),
    /** Gives a key a time to live; whether there was such a key. */
    expire: Operation.effect<Key & { readonly ttl: Duration.Input }, boolean>({
      name: "expire",
      brief: "give a key a time to live",
      idempotent: true,
      input: { "cache.key": key(), "db.operation.name": command("PEXPIRE"), "cache.ttl_seconds": ttlSeconds },
      result: { "cache.hit": Attributes.boolean("whether the key was there", (found) => found) }
    }),
    /** Adds to a counter (by 1 where nothing else is said), which begins at 0; its new value. */
    incr: Operation.effect<Key & { readonly by?: number | undefined }, number>({
      name: "incr",
      brief: "add to a counter",
      idempotent: false,
      input: { "cache.key": key(), "db.operation.name": command("INCRBY") }
    }),
    /** Subtracts from a counter (1 where nothing else is said); its new value. */
    decr: Operation.effect<Key & { readonly by?: number | undefined }, number>({
      name: "decr",
      brief: "subtract from a counter",
      idempotent: false,
      input: { "cache.key": key(), "db.operation.name": command("DECRBY") }
    }),
    /** The values of several keys, in the order asked for. */
    mget: Operation.effect<Keys, ReadonlyArray<Option.Option<string>>>({
      name: "mget",
      brief: "the values of several keys",
      idempotent: true,
      input: { "cache.key_count": keyCount, "db.operation.name": command("MGET") },
      result: {
        "cache.hit": Attributes.boolean("whether every key was there", (values) => values.every(Option.isSome)),
        "result.item_count": Attributes.int(
          "how many keys were there",
          (values) => values.filter(Option.isSome).length
        ),
        "cache.size_bytes": Attributes.int("bytes of all values", (values) =>
          values.reduce((sum, value) => sum + (Option.isSome(value) ? bytes(value.value) : 0), 0)
        )
      }
    }),
    /** The keys that match a glob pattern, by SCAN: never blocks the server, may give a key that is being removed. */
    keys: Operation.stream<{ readonly pattern: string }, string>({
      name: "keys",
      brief: "the keys that match a pattern, by SCAN",
      idempotent: true,
      input: {
        "cache.key": Attributes.string("the pattern", (input) => input.pattern),
        "db.operation.name": command("SCAN")
      }
    }),
    /** The value of a hash's field. */
    hget: Operation.effect<Key & { readonly field: string }, Option.Option<string>>({
      name: "hget",
      brief: "the value of a hash's field",
      idempotent: true,
      input: { "cache.key": key(), "db.operation.name": command("HGET") },
      result: { "cache.hit": hit, "cache.size_bytes": size }
    }),
    /** Sets fields of a hash; how many of them are new. */
    hset: Operation.effect<Key & { readonly fields: Readonly<Record<string, string>> }, number>({
      name: "hset",
      brief: "set fields of a hash",
      idempotent: true,
      input: {
        "cache.key": key(),
        "db.operation.name": command("HSET"),
        "cache.size_bytes": Attributes.int("bytes of the values", (input) =>
          Object.values(input.fields).reduce((sum, value) => sum + bytes(value), 0)
        )
      }
    }),
    /** All fields of a hash; empty where there is none. */
    hgetall: Operation.effect<Key, Readonly<Record<string, string>>>({
      name: "hgetall",
      brief: "all fields of a hash",
      idempotent: true,
      input: { "cache.key": key(), "db.operation.name": command("HGETALL") },
      result: {
        "cache.hit": Attributes.boolean("whether the hash was there", (fields) => Object.keys(fields).length > 0),
        "result.item_count": Attributes.int("how many fields came back", (fields) => Object.keys(fields).length)
      }
    }),
    /** Puts values at the head of a list; its new length. */
    lpush: Operation.effect<Key & { readonly values: ReadonlyArray<string> }, number>({
      name: "lpush",
      brief: "put values at the head of a list",
      idempotent: false,
      input: {
        "cache.key": key(),
        "db.operation.name": command("LPUSH"),
        "cache.size_bytes": Attributes.int("bytes of the values", (input) =>
          input.values.reduce((sum, value) => sum + bytes(value), 0)
        )
      }
    }),
    /** Takes the last value of a list. */
    rpop: Operation.effect<Key, Option.Option<string>>({
      name: "rpop",
      brief: "take the last value of a list",
      idempotent: false,
      input: { "cache.key": key(), "db.operation.name": command("RPOP") },
      result: { "cache.hit": hit, "cache.size_bytes": size }
    }),
    /** A part of a list; `start` and `stop` count from 0, negative ones from the end; both are included. */
    lrange: Operation.effect<Key & { readonly start: number; readonly stop: number }, ReadonlyArray<string>>({
      name: "lrange",
      brief: "a part of a list",
      idempotent: true,
      input: { "cache.key": key(), "db.operation.name": command("LRANGE") },
      result: { "result.item_count": itemCount }
    }),
    /** Whether the cache answers. */
    ping: Operation.effect<void, void>({
      name: "ping",
      brief: "whether the cache answers",
      idempotent: true,
      input: { "db.operation.name": command("PING") }
    })
  }
)

/** The bare calls that a layer of the cache implements. */
export type CacheCalls = Operation.BareCalls<typeof operations>

/** The cache, as a service: provided by `CacheLive` or `CacheEmbedded`. */
export class Cache extends Context.Service<Cache, Operation.Client<typeof operations>>()("effect-telemetry/Cache") {}

/** How a layer of the cache wants its operations. */
export type CacheOptions = Operation.ImplementOptions

/** The deadline of an attempt, where nothing else is said: 1 second. A cache that is slower is of no use. */
export const defaultTimeout: Duration.Input = "1 second"

/** @internal */
export const make = (calls: CacheCalls, options: CacheOptions = {}) =>
  Effect.map(
    Operation.implement(operations, calls, {
      ...options,
      timeout: options.timeout ?? defaultTimeout,
      retry: { baseDelay: "20 millis", maxDelay: "500 millis", ...options.retry }
    }),
    Cache.of
  )

/** Reads and writes values of one type, as JSON. */
export interface JsonCache<A> {
  /** None where the key is absent; fails with `Decode` where its value is not of the type. */
  readonly get: (input: Key) => Effect.Effect<Option.Option<A>, CacheError, Cache>
  /** With a time to live, or for good. Fails with `Decode` where the value cannot be encoded. */
  readonly set: (
    input: Key & { readonly value: A; readonly ttl?: Duration.Input | undefined }
  ) => Effect.Effect<void, CacheError, Cache>
}

/** The cache for values of a schema, kept as JSON. What is kept and not of the schema fails with the reason `Decode`. */
export const json = <A, I>(schema: Schema.Codec<A, I>): JsonCache<A> => {
  const codec = Schema.fromJsonString(schema)
  const decode = Schema.decodeEffect(codec)
  const encode = Schema.encodeEffect(codec)
  const fail = (operation: string, what: string) => (cause: unknown) =>
    new CacheError({ operation, reason: new Decode({ message: what, cause }) })
  return {
    get: (input) =>
      Effect.flatMap(Cache, (cache) => cache.get(input)).pipe(
        Effect.flatMap(
          Option.match({
            onNone: () => Effect.succeed(Option.none<A>()),
            onSome: (text) =>
              decode(text).pipe(
                Effect.map(Option.some),
                Effect.mapError(fail("get", `the value of ${input.key} is not of the expected type`))
              )
          })
        )
      ),
    set: (input) =>
      encode(input.value).pipe(
        Effect.mapError(fail("set", `the value for ${input.key} cannot be encoded`)),
        Effect.flatMap((value) =>
          Effect.flatMap(Cache, (cache) => cache.set({ key: input.key, value, ttl: input.ttl }))
        )
      )
  }
}
