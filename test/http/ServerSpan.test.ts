import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRespondable from "effect/http/HttpServerRespondable"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as IpNetwork from "effect/net/IpNetwork"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as Net from "node:net"
import * as HttpServer from "../../src/http/HttpServer.ts"
import * as TestTelemetry from "../../src/testing/TestTelemetry.ts"
import * as Sampler from "../../src/tracer/Sampler.ts"
import * as SemconvStability from "../../src/tracer/SemconvStability.ts"
import { rawRequest } from "./wire.ts"
import { get, start, test, text } from "./serving.ts"

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
const spanId = "00f067aa0ba902b7"
const traceparent = `traceparent: 00-${traceId}-${spanId}-01`

class UserNotFound extends Schema.TaggedError<UserNotFound>()("UserNotFound", { id: Schema.String }) {
  [HttpServerRespondable.symbol]() {
    return Effect.succeed(HttpServerResponse.empty({ status: 404 }))
  }
}
class Broken extends Schema.TaggedError<Broken>()("Broken", { message: Schema.String }) {}

describe("the span of a request", () => {
  test("is named by its route and says what was asked", () =>
    Effect.gen(function* () {
      const port = yield* start(
        get("/users/:id", Effect.succeed(text("hello")).pipe(Effect.delay(1), Effect.withSpan("db.select")))
      )
      const response = yield* rawRequest(port, "/users/7?page=2&token=s3cret", [`user-agent: ${"é".repeat(300)}`])
      assert.strictEqual(response.status, 200)
      const span = yield* TestTelemetry.expectTrace({
        name: "GET /users/:id",
        kind: "server",
        status: "unset",
        attributes: {
          "http.request.method": "GET",
          "http.route": "/users/:id",
          "url.path": "/users/7",
          "url.query": "page=2&token=REDACTED",
          "url.scheme": "http",
          "server.address": "127.0.0.1",
          "server.port": port,
          "client.address": "127.0.0.1",
          "user_agent.original": (agent: string) => agent.length === 200,
          "http.response.status_code": 200,
          "error.type": undefined,
          "http.method": undefined
        },
        events: [],
        children: ["db.select"]
      })
      assert.isUndefined(span.parentSpanId)
      assert.strictEqual((yield* TestTelemetry.spans).length, 2, "there is no span of Effect's own beside it")
    }))

  test("is named by its method where no route matched", () =>
    Effect.gen(function* () {
      const port = yield* start(get("/users/:id", Effect.succeed(text("hello"))))
      assert.strictEqual((yield* rawRequest(port, "/nothing")).status, 404)
      yield* TestTelemetry.expectTrace({
        name: "GET",
        status: "unset",
        attributes: {
          "http.route": undefined,
          "http.response.status_code": 404,
          "error.type": undefined,
          "url.path": "/nothing"
        },
        events: [],
        children: []
      })
      yield* TestTelemetry.clear
      yield* rawRequest(port, "/users/1", [], "PURGE")
      yield* TestTelemetry.expectTrace({
        name: "HTTP",
        attributes: { "http.request.method": "_OTHER", "http.request.method_original": "PURGE" }
      })
    }))

  test("of a HEAD request has the route that answers it", () =>
    Effect.gen(function* () {
      const port = yield* start(get("/users/:id", Effect.succeed(text("hello"))))
      yield* rawRequest(port, "/users/1", [], "HEAD")
      yield* TestTelemetry.expectTrace({ name: "HEAD /users/:id", attributes: { "http.route": "/users/:id" } })
    }))

  test("has the whole route where routers are nested, and where a middleware stands in between", () =>
    Effect.gen(function* () {
      const inner = HttpRouter.use((router) =>
        router.prefixed("/api/v1").add("GET", "/posts/:id", Effect.succeed(text("post")))
      )
      const spanning = HttpRouter.use((router) =>
        router.addGlobalMiddleware((app) => Effect.withSpan(app as Effect.Effect<any, any>, "inner") as never)
      )
      const port = yield* start(HttpServer.routes(Layer.mergeAll(inner, spanning)) as never)
      yield* rawRequest(port, "/api/v1/posts/3?x=1")
      yield* TestTelemetry.expectTrace({
        name: "GET /api/v1/posts/:id",
        attributes: { "http.route": "/api/v1/posts/:id", "url.path": "/api/v1/posts/3", "url.query": "x=1" },
        children: ["inner"]
      })
    }))

  test("is a root, whatever span the server was started in", () =>
    Effect.gen(function* () {
      const port = yield* start(get("/", Effect.succeed(text("hello")))).pipe(Effect.withSpan("startup"))
      yield* rawRequest(port, "/")
      const span = yield* TestTelemetry.expectTrace({ name: "GET /" })
      const startup = yield* TestTelemetry.expectTrace({ name: "startup", children: [] })
      assert.isUndefined(span.parentSpanId)
      assert.notStrictEqual(span.traceId, startup.traceId)
    }))

  test("goes on with the caller's trace, tracestate included", () =>
    Effect.gen(function* () {
      const port = yield* start(get("/", Effect.succeed(text("hello"))))
      yield* rawRequest(port, "/", [traceparent, "tracestate: rojo=1", "tracestate: congo=2"])
      const span = yield* TestTelemetry.expectTrace({ name: "GET /", kind: "server", links: [] })
      assert.strictEqual(span.traceId, traceId)
      assert.strictEqual(span.parentSpanId, spanId)
      assert.strictEqual(span.data.traceState, "rojo=1,congo=2")
      assert.isTrue(span.data.parentIsRemote)
    }))

  test("ends after the last byte of a stream", () =>
    Effect.gen(function* () {
      const body = Stream.make("a", "b", "c").pipe(
        Stream.tap(() => Effect.sleep(5)),
        Stream.encodeText
      )
      const port = yield* start(get("/stream", Effect.succeed(HttpServerResponse.stream(body))))
      const response = yield* rawRequest(port, "/stream")
      assert.include(response.body, "c")
      yield* TestTelemetry.expectTrace({
        name: "GET /stream",
        status: "unset",
        duration: (millis: number) => millis >= 14
      })
    }))

  test("carries the older names where they are asked for", () =>
    Effect.gen(function* () {
      const port = yield* start(get("/users/:id", Effect.succeed(text("hello")))).pipe(
        Effect.provideService(SemconvStability.CurrentSemconvStability, { httpDup: true, databaseDup: false })
      )
      yield* rawRequest(port, "/users/7?a=1", ["user-agent: curl/8"])
      yield* TestTelemetry.expectTrace({
        name: "GET /users/:id",
        attributes: {
          "http.method": "GET",
          "http.target": "/users/7?a=1",
          "http.scheme": "http",
          "http.status_code": 200,
          "http.user_agent": "curl/8",
          "http.client_ip": "127.0.0.1",
          "net.host.name": "127.0.0.1",
          "net.host.port": port,
          "http.request.method": "GET"
        }
      })
    }))

  test("has headers where Effect's setting asks for them, secret ones hidden", () =>
    Effect.gen(function* () {
      const port = yield* start(
        get("/", Effect.succeed(HttpServerResponse.setHeader(text("hello"), "x-answer", "42")))
      ).pipe(
        Effect.provideService(HttpMiddleware.TracerHeaderFilter, (name) => name.startsWith("x-") || name === "cookie")
      )
      yield* rawRequest(port, "/", ["x-question: why", "x-api-key: s3cret", "cookie: session=s3cret"])
      yield* TestTelemetry.expectTrace({
        name: "GET /",
        attributes: {
          "http.request.header.x-question": ["why"],
          "http.response.header.x-answer": ["42"],
          "http.request.header.x-api-key": (value: unknown) => !JSON.stringify(value).includes("s3cret"),
          "http.request.header.cookie": (value: unknown) => !JSON.stringify(value).includes("s3cret")
        }
      })
    }))

  test("ends although a setting of the application throws", () =>
    Effect.gen(function* () {
      const port = yield* start(get("/", Effect.succeed(text("hello")))).pipe(
        Effect.provideService(HttpMiddleware.TracerHeaderFilter, () => {
          throw new Error("no")
        })
      )
      assert.strictEqual((yield* rawRequest(port, "/")).status, 200)
      yield* TestTelemetry.expectTrace({ name: "GET /", status: "unset" })
    }))

  test("knows the client behind a proxy that Effect is told to trust", () =>
    Effect.gen(function* () {
      const port = yield* start(get("/", Effect.succeed(text("hello"))), {
        middleware: HttpMiddleware.xForwardedHeaders({ trustedProxies: [IpNetwork.fromStringUnsafe("127.0.0.0/8")] })
      })
      yield* rawRequest(port, "/", [
        "x-forwarded-for: 198.51.100.7",
        "x-forwarded-proto: https",
        "x-forwarded-host: shop.example"
      ])
      yield* TestTelemetry.expectTrace({
        name: "GET /",
        attributes: {
          "client.address": "198.51.100.7",
          "url.scheme": "https",
          "server.address": "shop.example",
          "server.port": 443
        }
      })
    }))

  test(
    "that head sampling drops, but tail decisions see, has its route too",
    () =>
      Effect.gen(function* () {
        const port = yield* start(get("/users/:id", Effect.succeed(text("hello"))))
        yield* rawRequest(port, "/users/7")
        yield* TestTelemetry.expectTrace({ name: "GET /users/:id", attributes: { "http.route": "/users/:id" } })
      }),
    { sampler: Sampler.alwaysOff, takesUnsampled: true }
  )

  test("whatever a stranger sends, the server answers", () =>
    Effect.gen(function* () {
      const port = yield* start(get("/", Effect.succeed(text("hello"))))
      for (const line of [
        `traceparent: ${"\xff".repeat(55)}`,
        `tracestate: ${"a=1,".repeat(2000)}`,
        `baggage: ${Array.from({ length: 1000 }, (_, i) => `k${i}=v`).join(",")}`,
        `baggage: ${"%ff".repeat(2000)}`,
        "x-correlation-id: <script>",
        `x-request-id: ${"x".repeat(5000)}`,
        "host: a b c"
      ]) {
        const response = yield* rawRequest(port, "/?%zz=%%&@//user:pass@host", [line])
        assert.isTrue(response.status === 200 || response.status === 400, `${line.slice(0, 40)}: ${response.status}`)
      }
      const huge = yield* rawRequest(port, "/", [`tracestate: ${"a".repeat(100_000)}`])
      assert.strictEqual(huge.status, 431)
    }))
})

describe("failures", () => {
  test("a 5xx is an error, with the failure that made it", () =>
    Effect.gen(function* () {
      const port = yield* start(get("/", Effect.fail(new Broken({ message: "the disk is full" }))))
      assert.strictEqual((yield* rawRequest(port, "/")).status, 500)
      yield* TestTelemetry.expectTrace({
        name: "GET /",
        status: "error",
        statusMessage: "the disk is full",
        attributes: { "http.response.status_code": 500, "error.type": "Broken" },
        events: [
          { name: "exception", attributes: { "exception.type": "Broken", "exception.message": "the disk is full" } }
        ]
      })
    }))

  test("a defect is an error of its class", () =>
    Effect.gen(function* () {
      const port = yield* start(get("/", Effect.die(new TypeError("no such method"))))
      assert.strictEqual((yield* rawRequest(port, "/")).status, 500)
      yield* TestTelemetry.expectTrace({
        name: "GET /",
        status: "error",
        attributes: { "http.response.status_code": 500, "error.type": "TypeError" }
      })
    }))

  test("a 5xx that the handler gives by itself is an error without an exception", () =>
    Effect.gen(function* () {
      const port = yield* start(get("/", Effect.succeed(HttpServerResponse.empty({ status: 503 }))))
      yield* rawRequest(port, "/")
      yield* TestTelemetry.expectTrace({
        name: "GET /",
        status: "error",
        attributes: { "http.response.status_code": 503, "error.type": "503" },
        events: []
      })
    }))

  test("a failure that becomes a 4xx is recorded and is no error", () =>
    Effect.gen(function* () {
      const port = yield* start(get("/users/:id", Effect.fail(new UserNotFound({ id: "7" }))))
      assert.strictEqual((yield* rawRequest(port, "/users/7")).status, 404)
      yield* TestTelemetry.expectTrace({
        name: "GET /users/:id",
        status: "unset",
        attributes: { "http.response.status_code": 404, "error.type": undefined, "http.route": "/users/:id" },
        events: [{ name: "exception", attributes: { "exception.type": "UserNotFound" } }]
      })
    }))

  test("a body that breaks off is an error, although its status was sent", () =>
    Effect.gen(function* () {
      const body = Stream.make(new Uint8Array([65])).pipe(Stream.concat(Stream.fail(new Broken({ message: "torn" }))))
      const port = yield* start(get("/", Effect.succeed(HttpServerResponse.stream(body))))
      yield* rawRequest(port, "/")
      yield* TestTelemetry.expectTrace({
        name: "GET /",
        status: "error",
        attributes: { "http.response.status_code": 200, "error.type": "Broken" }
      })
    }))

  const leave = (port: number, path: string, when: Effect.Effect<unknown>) =>
    Effect.gen(function* () {
      const socket = Net.connect(port, "127.0.0.1")
      socket.on("error", () => {})
      socket.on("data", () => {})
      socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`)
      yield* when
      socket.destroy()
    })

  test("a caller that goes away interrupts: the status is unset, and none was sent", () =>
    Effect.gen(function* () {
      const entered = yield* Deferred.make<void>()
      const left = yield* Deferred.make<void>()
      const port = yield* start(
        get(
          "/slow",
          Deferred.succeed(entered, undefined).pipe(
            Effect.andThen(Effect.never),
            Effect.onInterrupt(() => Deferred.succeed(left, undefined))
          )
        )
      )
      yield* leave(port, "/slow", Deferred.await(entered))
      yield* Deferred.await(left)
      yield* TestTelemetry.expectTrace({
        name: "GET /slow",
        status: "unset",
        attributes: {
          "effect.fiber.interrupted": true,
          "http.response.status_code": undefined,
          "error.type": undefined,
          "http.route": "/slow"
        },
        events: []
      })
    }))

  test("a caller that goes away in the middle of a body leaves the status that was sent", () =>
    Effect.gen(function* () {
      const entered = yield* Deferred.make<void>()
      const left = yield* Deferred.make<void>()
      const body = Stream.make(new Uint8Array([65])).pipe(
        Stream.concat(Stream.fromEffect(Deferred.succeed(entered, undefined)).pipe(Stream.flatMap(() => Stream.never))),
        Stream.onExit(() => Deferred.succeed(left, undefined))
      )
      const port = yield* start(
        get("/stream", Effect.succeed(HttpServerResponse.stream(body as Stream.Stream<Uint8Array>)))
      )
      yield* leave(port, "/stream", Deferred.await(entered))
      yield* Deferred.await(left)
      yield* TestTelemetry.expectTrace({
        name: "GET /stream",
        status: "unset",
        attributes: { "effect.fiber.interrupted": true, "http.response.status_code": 200 }
      })
    }))

  test("a server that shuts down answers with a 503, which is its error", () =>
    Effect.gen(function* () {
      const entered = yield* Deferred.make<void>()
      const request = yield* Effect.scoped(
        Effect.gen(function* () {
          const port = yield* start(
            get("/", Effect.andThen(Deferred.succeed(entered, undefined), Effect.interrupt) as Effect.Effect<never>)
          )
          const fiber = yield* Effect.forkDetach(rawRequest(port, "/"))
          yield* Deferred.await(entered)
          yield* Fiber.await(fiber)
          return fiber
        })
      )
      assert.strictEqual((yield* Fiber.join(request)).status, 503)
      yield* TestTelemetry.expectTrace({
        name: "GET /",
        status: "error",
        attributes: { "http.response.status_code": 503, "error.type": "503" }
      })
    }))
})

describe("tracers of another make", () => {
  class Spans extends Context.Service<Spans, Array<Tracer.NativeSpan>>()("test/http/ServerSpan/Spans") {}
  const other = Layer.effectContext(
    Effect.sync(() => {
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      return Context.make(Spans, spans).pipe(Context.add(Tracer.Tracer, tracer))
    })
  )

  it.live(
    "get names, attributes without secrets, and an exit that is an error where the status is",
    () =>
      Effect.gen(function* () {
        const port = yield* start(
          Layer.mergeAll(
            get("/users/:id", Effect.succeed(text("hello"))),
            get("/broken", Effect.succeed(HttpServerResponse.empty({ status: 503 })))
          )
        )
        yield* rawRequest(port, "/users/7?token=s3cret", [traceparent])
        yield* rawRequest(port, "/broken")
        const [user, broken] = yield* Spans
        assert.strictEqual(user!.name, "GET /users/:id")
        assert.strictEqual(user!.traceId, traceId)
        assert.strictEqual(user!.attributes.get("url.query"), "token=REDACTED")
        assert.strictEqual(user!.status._tag === "Ended" && user!.status.exit._tag, "Success")
        assert.strictEqual(broken!.attributes.get("error.type"), "503")
        assert.strictEqual(broken!.status._tag === "Ended" && broken!.status.exit._tag, "Failure")
      }).pipe(Effect.scoped, Effect.provide(other)) as Effect.Effect<void>
  )

  it.live("of @effect/opentelemetry too", () =>
    Effect.gen(function* () {
      const exporter = new InMemorySpanExporter()
      const sdk = NodeSdk.layer(() => ({
        resource: { serviceName: "test" },
        spanProcessor: new SimpleSpanProcessor(exporter)
      }))
      const [span] = yield* Effect.gen(function* () {
        const port = yield* start(get("/users/:id", Effect.succeed(text("hello"))))
        yield* rawRequest(port, "/users/7", [traceparent, "tracestate: rojo=1"])
        while (exporter.getFinishedSpans().length === 0) yield* Effect.sleep(1)
        return exporter.getFinishedSpans()
      }).pipe(Effect.scoped, Effect.provide(sdk))
      assert.strictEqual(span?.name, "GET /users/:id")
      assert.strictEqual(span?.attributes["http.response.status_code"], 200)
      assert.strictEqual(span?.spanContext().traceId, traceId)
      assert.strictEqual(span?.spanContext().traceState?.serialize(), "rojo=1")
    })
  )
})
