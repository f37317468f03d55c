import { createServer, type Server, type Socket } from "node:net"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as References from "effect/References"
import { ErrorReply, SimpleError, SocketClosedUnexpectedlyError, ClientOfflineError } from "redis"
import { Cache } from "../../../src/services/Cache/Cache.ts"
import * as CacheLive from "../../../src/services/Cache/CacheLive.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"

/** A server that speaks as much RESP as a client needs to become ready, then answers as it is told. */
const respServer = (answer: (command: string, socket: Socket, times: number) => void) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly server: Server }>((resume) => {
      const sockets = new Set<Socket>()
      let times = 0
      const server = createServer((socket) => {
        sockets.add(socket)
        socket.on("error", () => {})
        socket.on("data", (data) => {
          for (const command of commandsOf(data.toString())) {
            if (command === "HELLO") socket.write("%1\r\n+server\r\n+redis\r\n")
            else if (command === "CLIENT") socket.write("+OK\r\n")
            else answer(command, socket, ++times)
          }
        })
      })
      server.listen(0, "127.0.0.1", () =>
        resume(Effect.succeed({ url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`, server }))
      )
      server.on("close", () => sockets.forEach((socket) => socket.destroy()))
      Object.assign(server, { stop: () => sockets.forEach((socket) => socket.destroy()) })
    }),
    ({ server }) =>
      Effect.sync(() => {
        server.close()
        ;(server as unknown as { stop: () => void }).stop()
      })
  )

const commandsOf = (data: string): Array<string> =>
  [...data.matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g)].map((match) => match[1]!.toUpperCase())

const withServer = (
  answer: (command: string, socket: Socket, times: number) => void,
  options: Partial<CacheLive.RedisOptions>,
  body: Effect.Effect<void, unknown, Cache | TestTelemetry.TestTelemetry>
) =>
  Effect.gen(function* () {
    const { url } = yield* respServer(answer)
    yield* body.pipe(Effect.provide([CacheLive.layer({ ...options, url }), TestTelemetry.layer()]))
  }).pipe(Effect.scoped)

describe("CacheLive", () => {
  it("reads every kind of reply", () => {
    const kinds: Record<string, readonly [tag: string, retryable: boolean, mayHaveActed: boolean]> = {
      "READONLY You can't write against a read only replica.": ["Unavailable", true, false],
      "LOADING Redis is loading the dataset in memory": ["Unavailable", true, false],
      "MASTERDOWN Link with MASTER is down": ["Unavailable", true, false],
      "CLUSTERDOWN The cluster is down": ["Unavailable", true, false],
      "TRYAGAIN Multiple keys request during rehashing of slot": ["Unavailable", true, false],
      "BUSY Redis is busy running a script.": ["Unavailable", true, false],
      "MISCONF Redis is configured to save RDB snapshots": ["Unavailable", true, false],
      "OOM command not allowed when used memory > 'maxmemory'.": ["RateLimited", true, false],
      "NOAUTH Authentication required.": ["Unauthorized", false, false],
      "WRONGPASS invalid username-password pair": ["Unauthorized", false, false],
      "NOPERM this user has no permissions": ["Unauthorized", false, false],
      "WRONGTYPE Operation against a key holding the wrong kind of value": ["InvalidRequest", false, false],
      "ERR unknown command": ["InvalidRequest", false, false],
      "something new": ["InvalidRequest", false, false]
    }
    for (const [message, expected] of Object.entries(kinds)) {
      const reason = CacheLive.reasonOf(new SimpleError(message))
      assert.deepStrictEqual([reason._tag, reason.isRetryable, reason.mayHaveActed], [...expected], message)
    }
    assert.strictEqual(CacheLive.reasonOf(new ErrorReply("ERR x"))._tag, "InvalidRequest")
    const lost = CacheLive.reasonOf(new SocketClosedUnexpectedlyError())
    assert.deepStrictEqual([lost._tag, lost.mayHaveActed], ["Unavailable", true])
    assert.strictEqual(CacheLive.reasonOf(new ClientOfflineError()).mayHaveActed, false)
  })

  it.live("a Redis that is not there: the application starts, fails fast, falls through, and the circuit opens", () =>
    Effect.gen(function* () {
      const cache = yield* Cache
      const value = yield* cache
        .get({ key: "a" })
        .pipe(Effect.catchTag("CacheError", (error) => Effect.succeed(Option.some(error.reason._tag))))
      assert.deepStrictEqual(value, Option.some("Unavailable"))
      for (let i = 0; i < 4; i++) yield* Effect.ignore(cache.get({ key: "a" }))
      assert.strictEqual((yield* Effect.flip(cache.get({ key: "a" }))).reason._tag, "CircuitOpen")
    }).pipe(
      Effect.provide([CacheLive.layer({ url: "redis://127.0.0.1:1", retry: { attempts: 1 } }), TestTelemetry.layer()])
    )
  )

  it.live("a command that is written and never answered ends at our deadline", () =>
    withServer(
      () => {},
      { timeout: "50 millis", retry: { attempts: 2, baseDelay: "1 millis" } },
      Effect.gen(function* () {
        const cache = yield* Cache
        assert.strictEqual((yield* Effect.flip(cache.get({ key: "a" }))).reason._tag, "Timeout")
        assert.strictEqual((yield* Effect.flip(cache.incr({ key: "a" }))).reason._tag, "Timeout")
        yield* TestTelemetry.expectSpan("cache.get", {
          status: "error",
          attributes: { "error.type": "Timeout", "external.retry_count": 1 },
          events: ["retry", "exception"]
        })
        yield* TestTelemetry.expectSpan("cache.incr", { attributes: { "external.retry_count": undefined } })
      })
    )
  )

  it.live("a connection that is lost in mid-command: a read is repeated, a write is not", () =>
    withServer(
      (_, socket, times) => (times === 2 ? socket.write("$1\r\n7\r\n") : socket.destroy()),
      { circuit: false, retry: { attempts: 4, baseDelay: "150 millis", jitter: 0 } },
      Effect.gen(function* () {
        const cache = yield* Cache
        assert.deepStrictEqual(yield* cache.get({ key: "a" }), Option.some("7"))
        const failure = yield* Effect.flip(cache.incr({ key: "a" }))
        assert.strictEqual(failure.reason._tag, "Unavailable")
        yield* TestTelemetry.expectSpan("cache.incr", { attributes: { "external.retry_count": undefined } })
      })
    )
  )

  it.live("LOADING is waited for", () =>
    withServer(
      (_, socket, times) =>
        void socket.write(times < 3 ? "-LOADING Redis is loading the dataset in memory\r\n" : "$2\r\nok\r\n"),
      { retry: { baseDelay: "1 millis" } },
      Effect.gen(function* () {
        const cache = yield* Cache
        assert.deepStrictEqual(yield* cache.get({ key: "a" }), Option.some("ok"))
        yield* TestTelemetry.expectTrace({
          name: "cache.get",
          status: "unset",
          attributes: { "external.retry_count": 2 },
          events: [{ name: "retry", attributes: { "error.type": "Unavailable" } }, "retry"]
        })
      })
    )
  )

  it.live("a Redis that accepts connections and says nothing holds up neither the start nor the end", () =>
    Effect.gen(function* () {
      const sockets = new Set<Socket>()
      let accepted = 0
      const server = createServer((socket) => {
        accepted++
        sockets.add(socket)
        socket.on("error", () => {}).on("close", () => sockets.delete(socket))
        socket.resume()
      })
      yield* Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void)))
      const url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`
      const failure = yield* Effect.flatMap(Cache, (cache) =>
        // Long enough for another try, so that its connection is seen to be given up too.
        Effect.andThen(
          Effect.sync(() => accepted).pipe(Effect.delay("20 millis"), Effect.repeat({ until: (count) => count > 1 })),
          Effect.flip(cache.get({ key: "a" }))
        )
      ).pipe(
        Effect.provide([
          CacheLive.layer({ url, connectTimeout: "50 millis", retry: { attempts: 1 } }),
          TestTelemetry.layer()
        ])
      )
      assert.strictEqual(failure.reason._tag, "Unavailable")
      yield* Effect.sync(() => sockets.size).pipe(
        Effect.delay("10 millis"),
        Effect.repeat({ until: (count) => count === 0 })
      )
      server.close()
    })
  )

  it.live("the log hears once of a connection that is lost, and once of one that is back", () =>
    Effect.gen(function* () {
      const logged: Array<readonly [string, string, unknown]> = []
      const logger = Logger.make(({ fiber, logLevel, message }) => {
        logged.push([logLevel, String(message), fiber.getRef(References.CurrentLogAnnotations)])
      })
      let away = true
      // Commands are answered while Redis is there; a connection is cut at the first one while it is away.
      const { url } = yield* respServer((_, socket) => (away ? socket.destroy() : socket.write("+PONG\r\n")))
      yield* Effect.gen(function* () {
        const cache = yield* Cache
        yield* Effect.ignore(cache.ping())
        away = false
        yield* cache.ping().pipe(Effect.eventually, Effect.timeout("10 seconds"))
      }).pipe(
        Effect.provide(
          CacheLive.layer({ url, circuit: false, retry: { attempts: 1 } }).pipe(
            Layer.provideMerge(Logger.layer([logger]))
          )
        )
      )
      assert.deepStrictEqual(
        logged.map(([level, message]) => [level, message]),
        [
          ["Warn", "Redis is away: the cache answers as unavailable until it connects"],
          ["Info", "Redis is back: the cache is connected"]
        ]
      )
      assert.deepStrictEqual(logged[0]![2], {
        "server.address": new URL(url).host,
        "error.type": "SocketClosedUnexpectedlyError"
      })
    })
  )

  it.effect("a URL that is none is named without its secret", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(
        Layer.build(CacheLive.layerConfig()).pipe(
          Effect.scoped,
          Effect.provideService(
            ConfigProvider.ConfigProvider,
            ConfigProvider.fromUnknown({ REDIS_URL: "https://user:hunter2@redis.example" })
          )
        )
      )
      assert.strictEqual(exit._tag, "Failure")
      assert.include(
        String(exit),
        "REDIS_URL: the scheme of the URL is not accepted; expected redis://host:6379 or rediss://host:6379"
      )
      assert(Exit.isFailure(exit) && exit.cause.reasons[0]!._tag === "Fail", "a typed error, no defect")
      assert.notInclude(JSON.stringify(exit) + String(exit), "hunter2")
    })
  )
})
