import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import * as HttpServer from "../../src/http/HttpServer.ts"
import * as Baggage from "../../src/propagation/Baggage.ts"
import * as Correlation from "../../src/propagation/Correlation.ts"
import * as Trust from "../../src/propagation/Trust.ts"
import * as TestTelemetry from "../../src/testing/TestTelemetry.ts"
import { headerOf, rawRequest } from "./wire.ts"
import { get, start, test, text } from "./serving.ts"

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
const spanId = "00f067aa0ba902b7"
const traceparent = `traceparent: 00-${traceId}-${spanId}-01`
const uuid = /^[0-9a-f-]{36}$/

describe("with the rest of Effect's server", () => {
  test("a finalizer of the request is below its span", () =>
    Effect.gen(function* () {
      const handler = Effect.as(
        Effect.addFinalizer(() => Effect.void.pipe(Effect.withSpan("cleanup"))),
        text("hello")
      )
      const port = yield* start(get("/", handler)).pipe(Effect.withSpan("startup"))
      yield* rawRequest(port, "/")
      yield* TestTelemetry.expectTrace({ name: "GET /", children: ["cleanup"] })
      yield* TestTelemetry.expectTrace({ name: "startup", children: [] })
    }))

  test("a WebSocket has a span as long as its connection", () =>
    Effect.gen(function* () {
      const port = yield* start(
        get(
          "/socket",
          Effect.gen(function* () {
            const request = yield* HttpServerRequest
            const socket = yield* request.upgrade
            yield* socket.reader.pipe(
              Effect.flatMap((reader) => reader.pull),
              Effect.scoped,
              Effect.ignore
            )
            return HttpServerResponse.empty()
          })
        )
      )
      const client = new WebSocket(`ws://127.0.0.1:${port}/socket`)
      yield* Effect.promise(() => new Promise((resolve) => client.addEventListener("open", resolve, { once: true })))
      assert.deepStrictEqual(yield* TestTelemetry.spans, [])
      client.send("bye")
      yield* Effect.promise(() => new Promise((resolve) => client.addEventListener("close", resolve, { once: true })))
      yield* TestTelemetry.expectTrace({
        name: "GET /socket",
        status: "unset",
        attributes: { "http.response.status_code": 101, "error.type": undefined }
      })
    }))

  test("its log line of a request is in the span and has the ids", () =>
    Effect.gen(function* () {
      const lines: Array<readonly [span: string | undefined, annotations: Readonly<Record<string, unknown>>]> = []
      const logger = Logger.make(({ fiber }) => {
        const span = fiber.cache.span
        lines.push([
          span?._tag === "Span" ? span.name : undefined,
          { ...fiber.getRef(References.CurrentLogAnnotations) }
        ])
      })
      const port = yield* start(get("/", Effect.as(Correlation.setUser({ userId: "u-1" }), text("hello"))), {
        disableLogger: false
      }).pipe(Effect.provide(Logger.layer([logger])))
      yield* rawRequest(port, "/", ["x-request-id: r-1", "x-correlation-id: c-1"])
      yield* TestTelemetry.expectTrace({ name: "GET /" })
      assert.strictEqual(lines.length, 1)
      const [name, annotations] = lines[0]!
      assert.include(name, "GET")
      assert.include(annotations, { "request.id": "r-1", "trace.correlation_id": "c-1", "user.id": "u-1" })
    }))

  test("an HttpApi is named by its endpoints, and a request that does not decode is a 400 without error", () =>
    Effect.gen(function* () {
      class Api extends HttpApi.make("api").add(
        HttpApiGroup.make("users").add(
          HttpApiEndpoint.get("user", "/users/:id", {
            params: { id: Schema.NumberFromString.check(Schema.isInt()) },
            success: Schema.String
          })
        )
      ) {}
      const group = HttpApiBuilder.group(Api, "users", (handlers) =>
        handlers.handle("user", () => Effect.succeed("ada"))
      )
      const port = yield* start(HttpApiBuilder.layer(Api).pipe(Layer.provide(group)) as never)
      assert.strictEqual((yield* rawRequest(port, "/users/7")).status, 200)
      yield* TestTelemetry.expectTrace({ name: "GET /users/:id", attributes: { "http.response.status_code": 200 } })
      yield* TestTelemetry.clear
      assert.strictEqual((yield* rawRequest(port, "/users/seven")).status, 400)
      yield* TestTelemetry.expectTrace({
        name: "GET /users/:id",
        status: "unset",
        attributes: { "http.response.status_code": 400, "error.type": undefined }
      })
    }))

  test("there is one span where there is no HttpServer, as with a web handler", () =>
    Effect.gen(function* () {
      const context = yield* Effect.context<never>()
      const { dispose, handler } = HttpRouter.toWebHandler(
        get("/users/:id", Effect.succeed(text("hello"))).pipe(
          Layer.provideMerge(HttpServer.layerStockOff),
          Layer.provideMerge(Layer.succeedContext(context))
        ) as never,
        { disableLogger: true, middleware: HttpServer.middleware as never }
      )
      const response = yield* Effect.promise(() =>
        (handler as (request: Request) => Promise<Response>)(new Request("http://localhost:3000/users/7"))
      )
      assert.match(response.headers.get("x-request-id")!, uuid)
      yield* TestTelemetry.expectTrace({
        name: "GET /users/:id",
        attributes: { "server.address": undefined, "client.address": undefined },
        children: []
      })
      assert.strictEqual((yield* TestTelemetry.spans).length, 1)
      yield* Effect.promise(dispose)
    }))
})

describe("ids", () => {
  const echo = get(
    "/",
    Effect.gen(function* () {
      const ids = yield* Correlation.current
      yield* Effect.void.pipe(Effect.withSpan("below"))
      return yield* HttpServerResponse.json(ids)
    }).pipe(Effect.orDie)
  )

  test("are taken over, echoed, and on every span", () =>
    Effect.gen(function* () {
      const port = yield* start(echo)
      const response = yield* rawRequest(port, "/", [
        "X-Correlation-ID: c-1",
        "X-Request-ID: r-1",
        "baggage: user.id=u%201"
      ])
      assert.deepStrictEqual(headerOf(response, "x-correlation-id"), ["c-1"])
      assert.deepStrictEqual(headerOf(response, "x-request-id"), ["r-1"])
      assert.deepStrictEqual(JSON.parse(response.body.match(/\{.*\}/)![0]), {
        correlationId: "c-1",
        requestId: "r-1",
        userId: "u 1"
      })
      const attributes = { "trace.correlation_id": "c-1", "request.id": "r-1", "user.id": "u 1" }
      yield* TestTelemetry.expectTrace({ name: "GET /", attributes, children: [{ name: "below", attributes }] })
    }))

  test("are made where they are missing or not accepted", () =>
    Effect.gen(function* () {
      const port = yield* start(echo)
      const seen = new Set<string>()
      for (const lines of [
        [],
        ["x-correlation-id: a b", "x-request-id: <script>alert(1)</script>"],
        [`x-correlation-id: ${"x".repeat(129)}`, "x-request-id: é"],
        ["x-correlation-id: a", "x-correlation-id: b", "x-request-id: a", "x-request-id: b"]
      ]) {
        const response = yield* rawRequest(port, "/", lines)
        for (const name of ["x-correlation-id", "x-request-id"]) {
          const [id, ...more] = headerOf(response, name)
          assert.match(id!, uuid)
          assert.deepStrictEqual(more, [])
          seen.add(id!)
        }
      }
      assert.strictEqual(seen.size, 8)
    }))

  test("that the handler sets are on the server's span, in the answer, and never in the next request's", () =>
    Effect.gen(function* () {
      const port = yield* start(
        Layer.mergeAll(
          get(
            "/set",
            Effect.gen(function* () {
              yield* Correlation.setUser({ userId: "u-42", organizationId: "o-1" })
              yield* Correlation.setRequest("r-new")
              yield* Correlation.setCorrelationId("c-new")
              return HttpServerResponse.setHeader(text("set"), "x-request-id", "of the handler")
            })
          ),
          echo
        )
      )
      const response = yield* rawRequest(port, "/set")
      assert.deepStrictEqual(headerOf(response, "x-correlation-id"), ["c-new"])
      assert.deepStrictEqual(headerOf(response, "x-request-id"), ["r-new"])
      yield* TestTelemetry.expectTrace({
        name: "GET /set",
        attributes: {
          "user.id": "u-42",
          "organization.id": "o-1",
          "request.id": "r-new",
          "trace.correlation_id": "c-new"
        }
      })
      const next = yield* rawRequest(port, "/")
      assert.notInclude(next.body, "u-42")
      yield* TestTelemetry.expectTrace({
        name: "GET /",
        attributes: { "user.id": undefined, "organization.id": undefined }
      })
    }))

  test("are echoed by errors too", () =>
    Effect.gen(function* () {
      const port = yield* start(get("/broken", Effect.die("no")))
      for (const path of ["/broken", "/nothing"]) {
        const response = yield* rawRequest(port, path, ["x-request-id: r-1"])
        assert.deepStrictEqual(headerOf(response, "x-request-id"), ["r-1"])
        assert.strictEqual(headerOf(response, "x-correlation-id").length, 1)
      }
    }))
})

describe("baggage", () => {
  test("of the caller is the handler's", () =>
    Effect.gen(function* () {
      const port = yield* start(
        get(
          "/",
          Effect.map(Baggage.CurrentBaggage, (baggage) => text(Baggage.format(baggage) ?? "none"))
        )
      )
      const response = yield* rawRequest(port, "/", ["baggage: tenant=t%201;p=1", "Baggage: plan=free"])
      assert.include(response.body, "tenant=t%201;p=1,plan=free")
      assert.include((yield* rawRequest(port, "/")).body, "none")
    }))
})

describe("trust", () => {
  const handler = Effect.gen(function* () {
    const baggage = yield* Baggage.CurrentBaggage
    return yield* HttpServerResponse.json({ ids: yield* Correlation.current, baggage: baggage.size })
  }).pipe(Effect.orDie)
  const lines = [
    traceparent,
    "tracestate: a=1",
    "baggage: user.id=admin,a=1",
    "x-correlation-id: c-1",
    "x-request-id: r-1"
  ]

  test("what a stranger says is not taken over: a new trace, linked", () =>
    Effect.gen(function* () {
      const port = yield* start(get("/", handler)).pipe(Effect.provide(Trust.layer({ callers: ["10.0.0.0/8"] })))
      const response = yield* rawRequest(port, "/", lines)
      const body = JSON.parse(response.body.match(/\{.*\}/)![0])
      assert.strictEqual(body.baggage, 0)
      assert.isUndefined(body.ids.userId)
      assert.match(body.ids.correlationId, uuid)
      assert.match(body.ids.requestId, uuid)
      assert.deepStrictEqual(headerOf(response, "x-request-id"), [body.ids.requestId])
      const span = yield* TestTelemetry.expectTrace({ name: "GET /", kind: "server", links: [{ traceId, spanId }] })
      assert.notStrictEqual(span.traceId, traceId)
      assert.isUndefined(span.parentSpanId)
      assert.isUndefined(span.data.traceState)
    }))

  test("its sampling decision is not taken over either", () =>
    Effect.gen(function* () {
      const port = yield* start(get("/", handler)).pipe(Effect.provide(Trust.layer({ callers: false })))
      yield* rawRequest(port, "/", [`traceparent: 00-${traceId}-${spanId}-00`])
      yield* TestTelemetry.expectTrace({ name: "GET /", links: [{ traceId }] })
    }))

  test("of a caller that is trusted, all is", () =>
    Effect.gen(function* () {
      const port = yield* start(get("/", handler)).pipe(Effect.provide(Trust.layer({ callers: ["127.0.0.1"] })))
      yield* rawRequest(port, "/", [`traceparent: 00-${traceId}-${spanId}-00`])
      yield* rawRequest(port, "/", lines)
      const span = yield* TestTelemetry.expectTrace({ name: "GET /", attributes: { "user.id": "admin" } })
      assert.strictEqual(span.traceId, traceId)
      assert.strictEqual((yield* TestTelemetry.spans).length, 1, "the caller said no to the first")
    }))
})

describe("switched off", () => {
  test("requests that Effect's setting excludes have no span, and nothing below has", () =>
    Effect.gen(function* () {
      const routes = Layer.mergeAll(
        get("/health", Effect.succeed(text("ok")).pipe(Effect.withSpan("db.select"))),
        get("/", Effect.succeed(text("ok")))
      )
      const port = yield* start(routes).pipe(
        Effect.provide(HttpMiddleware.layerTracerDisabledForUrls(["/health"])),
        Effect.withSpan("startup")
      )
      const response = yield* rawRequest(port, "/health", ["x-request-id: r-1"])
      assert.strictEqual(response.status, 200)
      assert.deepStrictEqual(headerOf(response, "x-request-id"), ["r-1"])
      yield* rawRequest(port, "/")
      yield* TestTelemetry.expectTrace({ name: "GET /" })
      assert.deepStrictEqual((yield* TestTelemetry.spans).map((span) => span.name).sort(), ["GET /", "startup"])
    }))

  it.live(
    "without a tracer, ids and the caller's trace are there",
    () =>
      Effect.gen(function* () {
        const port = yield* start(
          get(
            "/",
            Effect.gen(function* () {
              const ids = yield* Correlation.current
              const carrier = yield* Correlation.capture.pipe(Effect.withSpan("nobody sees"))
              return yield* HttpServerResponse.json({ ids, carrier })
            }).pipe(Effect.orDie)
          )
        )
        const response = yield* rawRequest(port, "/", [traceparent, "x-correlation-id: c-1"])
        const body = JSON.parse(response.body.match(/\{.*\}/)![0])
        assert.strictEqual(body.ids.correlationId, "c-1")
        assert.include(body.carrier.traceparent, traceId)
        assert.deepStrictEqual(headerOf(response, "x-correlation-id"), ["c-1"])
      }).pipe(Effect.scoped) as Effect.Effect<void>
  )
})
