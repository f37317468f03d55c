/**
 * The cache on Redis, through `@effect/platform-node`'s `NodeRedis` (the official `redis` client).
 *
 * The client keeps no queue of commands while it is disconnected: a dead Redis fails at once, and an application starts
 * without it; it connects in the background, again and again. The log hears of it in one line, then once a minute, and once when
 * Redis is back. The client's own timeout covers only the wait to be written, so every command has our deadline around it.
 *
 * Needs the packages `@effect/platform-node` and `redis`.
 *
 * **Example** (From the environment)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Cache } from "effect-telemetry/Cache"
 * import * as CacheLive from "effect-telemetry/CacheLive"
 *
 * const ping = Effect.flatMap(Cache, (cache) => cache.ping()).pipe(
 *   Effect.catchTag("CacheError", (error) => Effect.logWarning(error.message))
 * )
 * Effect.runPromise(ping.pipe(Effect.provide(CacheLive.layer({ url: "redis://127.0.0.1:1" }))))
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/semconv/database/redis/
 */
import type { NodeRedis as NodeRedisService } from "@effect/platform-node/NodeRedis"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { MinimumLogLevel } from "effect/References"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { RedisError } from "effect/persistence/Redis"
import { secret, sentence } from "../environment.ts"
import { optionalPeer } from "../optionalPeer.ts"
import {
  InvalidRequest,
  RateLimited,
  type Reason,
  Timeout,
  Unauthorized,
  Unavailable,
  Conflict,
  fromConnection
} from "../../operation/Reason.ts"
import { Cache, type CacheCalls, type CacheOptions, make } from "./Cache.ts"
import * as RedisWatch from "./RedisWatch.ts"

/** Where Redis is. */
export interface RedisOptions extends CacheOptions {
  /** `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS. */
  readonly url: string | Redacted.Redacted
  /** How long a connection may take. Default 2 s. */
  readonly connectTimeout?: Duration.Input | undefined
}

type RedisClient = NodeRedisService["Service"]["client"]

const module = "CacheLive"
await optionalPeer(module, "redis", () => import("redis"))
const NodeRedis = await optionalPeer(module, "@effect/platform-node", () => import("@effect/platform-node/NodeRedis"))

/** A setting of the cache that is not accepted. Shows no secret. */
export class CacheConfigError extends Data.TaggedError("CacheConfigError")<{
  /** The variable of the environment that stands for the setting. */
  readonly setting: "REDIS_URL"
  /** What is wrong with it, and what is accepted. */
  readonly problem: string
}> {
  override get message(): string {
    return sentence(this.setting, this.problem)
  }
}

/**
 * The cache on the Redis of a URL. Builds even where Redis is away. A URL that is none fails with a `CacheConfigError` that names it
 * without its credentials.
 */
export const layer = (options: RedisOptions): Layer.Layer<Cache, CacheConfigError> =>
  Layer.effect(Cache, connect(options))

/**
 * The cache on the Redis that `REDIS_URL` names (default `redis://127.0.0.1:6379`). An empty variable counts as one that is not
 * set. Fails as `layer` does.
 */
export const layerConfig = (options: CacheOptions = {}): Layer.Layer<Cache, CacheConfigError | Config.ConfigError> =>
  Layer.unwrap(Effect.map(secret("REDIS_URL"), (url) => layer({ ...options, url: url ?? "redis://127.0.0.1:6379" })))

const connect = Effect.fnUntraced(function* (options: RedisOptions) {
  const url = yield* checkedUrl(options.url)
  const scope = yield* Effect.scope
  const connectTimeout = Duration.fromInputUnsafe(options.connectTimeout ?? "2 seconds")
  const watch = yield* RedisWatch.make(new URL(url).host)
  let connected: RedisClient | undefined
  // A client cannot be closed while it connects: it would wait for replies that may never come. So each try has a scope and a
  // fiber of its own, which nobody interrupts; it is given up by taking its socket away, and the layer's scope takes over the
  // client that is connected.
  const once = Effect.uninterruptibleMask(
    Effect.fnUntraced(function* (restore) {
      const own = yield* Scope.make()
      const giveUp = new AbortController()
      const building = yield* Layer.buildWithScope(
        NodeRedis.layer({
          url,
          disableOfflineQueue: true,
          socket: { connectTimeout: Duration.toMillis(connectTimeout), signal: giveUp.signal }
        }),
        own
      ).pipe(
        Effect.onError((cause) => Scope.close(own, Exit.failCause(cause))),
        // It warns of every try, with a stack. `watch` says it in fewer words.
        Effect.provideService(MinimumLogLevel, "None"),
        Effect.forkDetach
      )
      const tooLate = Effect.sleep(connectTimeout).pipe(
        Effect.andThen(Effect.sync(() => giveUp.abort())),
        Effect.andThen(Effect.never)
      )
      const context = yield* restore(Effect.raceFirst(Fiber.join(building), tooLate)).pipe(
        Effect.onInterrupt(() => {
          giveUp.abort()
          return Effect.forkDetach(Effect.andThen(Fiber.await(building), Scope.close(own, Exit.void)))
        })
      )
      const { client } = Context.get(context, NodeRedis.NodeRedis)
      connected = client
      let closing = false
      client.on("error", (cause) => {
        if (!closing) watch.lost(cause)
      })
      client.on("ready", watch.ready)
      watch.ready()
      const close = Effect.suspend(() => {
        closing = true
        return Effect.andThen(closeWithin(client, "500 millis"), Scope.close(own, Exit.void))
      })
      yield* Scope.addFinalizer(scope, close)
    })
  ).pipe(Effect.tapError((error) => Effect.sync(() => watch.lost(error))))
  const first = yield* Effect.exit(once)
  if (Exit.isFailure(first)) {
    const again = Schedule.exponential("500 millis").pipe(
      Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, Duration.seconds(15)))),
      Schedule.jittered
    )
    yield* Effect.forkIn(Effect.retry(once, again), scope)
  }
  return yield* make(
    calls(() => connected),
    options
  )
})

/** The client's own `close` waits for every reply: a Redis that hangs would hold up the application's end. */
const closeWithin = (client: RedisClient, limit: Duration.Input): Effect.Effect<void> =>
  Effect.promise(() => client.close().catch(() => undefined)).pipe(
    Effect.timeoutOption(limit),
    Effect.andThen(
      Effect.sync(() => {
        if (client.isOpen) client.destroy()
      })
    ),
    Effect.ignoreCause
  )

const checkedUrl = (input: string | Redacted.Redacted): Effect.Effect<string, CacheConfigError> => {
  const url = typeof input === "string" ? input : Redacted.value(input)
  const parsed = URL.parse(url)
  if (parsed !== null && (parsed.protocol === "redis:" || parsed.protocol === "rediss:")) return Effect.succeed(url)
  // Nothing of the URL is shown, not even a scheme: there may be a password in it.
  const what = parsed === null ? "not a URL" : "the scheme of the URL is not accepted"
  return new CacheConfigError({
    setting: "REDIS_URL",
    problem: `${what}; expected redis://host:6379 or rediss://host:6379`
  })
}

const calls = (client: () => RedisClient | undefined): CacheCalls => {
  const use = <A>(f: (client: RedisClient) => Promise<A>): Effect.Effect<A, Reason> =>
    Effect.suspend(() => {
      const connected = client()
      return connected === undefined
        ? Effect.fail(new Unavailable({ message: "Redis is not connected yet", notActed: true }))
        : Effect.tryPromise({ try: () => f(connected), catch: reasonOf })
    })
  const millis = (ttl: Duration.Input) => Math.max(1, Math.round(Duration.toMillis(Duration.fromInputUnsafe(ttl))))
  return {
    get: ({ key }) =>
      Effect.map(
        use((redis) => redis.get(key)),
        Option.fromNullOr
      ),
    set: ({ key, ttl, value }) =>
      Effect.asVoid(
        use((redis) =>
          ttl === undefined
            ? redis.set(key, value)
            : redis.set(key, value, { expiration: { type: "PX", value: millis(ttl) } })
        )
      ),
    delete: ({ keys }) => (keys.length === 0 ? Effect.succeed(0) : use((redis) => redis.del([...keys]))),
    exists: ({ key }) =>
      Effect.map(
        use((redis) => redis.exists(key)),
        (count) => count > 0
      ),
    ttl: ({ key }) =>
      Effect.map(
        use((redis) => redis.pTTL(key)),
        (left) => (left === -2 ? Option.none() : Option.some(left === -1 ? Duration.infinity : Duration.millis(left)))
      ),
    expire: ({ key, ttl }) =>
      Effect.map(
        use((redis) => redis.pExpire(key, millis(ttl))),
        (set) => set === 1
      ),
    incr: ({ by, key }) => use((redis) => redis.incrBy(key, by ?? 1)),
    decr: ({ by, key }) => use((redis) => redis.decrBy(key, by ?? 1)),
    mget: ({ keys }) =>
      keys.length === 0
        ? Effect.succeed([])
        : Effect.map(
            use((redis) => redis.mGet([...keys])),
            (values) => values.map(Option.fromNullOr)
          ),
    keys: ({ pattern }) =>
      Effect.succeed(
        Stream.paginate("0", (cursor) =>
          Effect.map(
            use((redis) => redis.scan(cursor, { MATCH: pattern, COUNT: 500 })),
            (page) => [page.keys, page.cursor === "0" ? Option.none() : Option.some(page.cursor)]
          )
        )
      ),
    hget: ({ field, key }) =>
      Effect.map(
        use((redis) => redis.hGet(key, field)),
        Option.fromNullOr
      ),
    hset: ({ fields, key }) =>
      Object.keys(fields).length === 0
        ? Effect.fail(new InvalidRequest({ message: "hset needs at least one field" }))
        : use((redis) => redis.hSet(key, fields)),
    hgetall: ({ key }) =>
      Effect.map(
        use((redis) => redis.hGetAll(key)),
        (fields) => ({ ...fields })
      ),
    lpush: ({ key, values }) =>
      values.length === 0
        ? Effect.fail(new InvalidRequest({ message: "lpush needs at least one value" }))
        : use((redis) => redis.lPush(key, [...values])),
    rpop: ({ key }) =>
      Effect.map(
        use((redis) => redis.rPop(key)),
        Option.fromNullOr
      ),
    lrange: ({ key, start, stop }) => use((redis) => redis.lRange(key, start, stop)),
    ping: () => Effect.asVoid(use((redis) => redis.ping()))
  }
}

// The first word of an error reply is its kind.
const unavailable = new Set([
  "READONLY",
  "LOADING",
  "MASTERDOWN",
  "CLUSTERDOWN",
  "TRYAGAIN",
  "BUSY",
  "MOVED",
  "ASK",
  "NOREPLICAS",
  "MISCONF"
])
const unauthorized = new Set(["NOAUTH", "WRONGPASS", "NOPERM"])

/**
 * The reason that a failure of the Redis client means. A connection that was lost in mid-command leaves the outcome unknown; a
 * command that was refused before it ran has not acted.
 *
 * @internal
 */
export const reasonOf = (error: unknown): Reason => {
  const cause = unwrap(error)
  const name = cause instanceof Error ? cause.constructor.name : ""
  const message = cause instanceof Error ? cause.message : String(cause)
  if (name === "SimpleError" || name === "BlobError" || name === "ErrorReply" || name === "MultiErrorReply") {
    const kind = /^[A-Z]+/.exec(message)?.[0] ?? "ERR"
    const details = { message, cause, code: kind }
    if (unavailable.has(kind)) return new Unavailable({ ...details, notActed: true })
    if (kind === "OOM") return new RateLimited(details)
    if (unauthorized.has(kind))
      return new Unauthorized({ ...details, message: `${kind}: Redis refuses these credentials` })
    if (kind === "EXECABORT") return new Conflict(details)
    return new InvalidRequest(details)
  }
  if (name === "ClientOfflineError" || name === "ClientClosedError" || name === "DisconnectsClientError") {
    return new Unavailable({ message: "Redis is not connected", cause, notActed: true })
  }
  if (name.includes("Timeout")) {
    return name === "ConnectionTimeoutError"
      ? new Unavailable({ message: "Redis does not accept the connection in time", cause, notActed: true })
      : new Timeout({ message: "Redis did not answer in time", cause })
  }
  if (name === "SocketClosedUnexpectedlyError") {
    return new Unavailable({ message: "the connection to Redis was lost in mid-command", cause })
  }
  return fromConnection(cause)
}

const unwrap = (error: unknown): unknown =>
  (error as RedisError | undefined)?._tag === "RedisError" ? (error as RedisError).cause : error
