import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as IncomingHeaders from "../../src/http/IncomingHeaders.ts"
import * as Propagators from "../../src/propagation/Propagators.ts"
import * as TestTelemetry from "../../src/testing/TestTelemetry.ts"
import { rawRequest } from "./wire.ts"
import { get, start, test, text } from "./serving.ts"

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
const spanId = "00f067aa0ba902b7"
const traceparent = `00-${traceId}-${spanId}-01`

describe("the headers of a request", () => {
  test("are those that Node.js has read, and Effect's own say the same", () =>
    Effect.gen(function* () {
      let same = false
      const port = yield* start(
        get(
          "/",
          Effect.map(HttpServerRequest.HttpServerRequest, (request) => {
            const before = IncomingHeaders.of(request)
            same = JSON.stringify(before) === JSON.stringify(request.headers) && IncomingHeaders.of(request) !== before
            return text("hello")
          })
        )
      )
      yield* rawRequest(port, "/", ["X-Many: 1", "x-many: 2", `TraceParent: ${traceparent}`])
      assert.isTrue(same)
    }))

  test("are those that a middleware put in their place", () =>
    Effect.gen(function* () {
      let seen: unknown
      const port = yield* start(
        get(
          "/",
          Effect.map(HttpServerRequest.HttpServerRequest, (request) => {
            const changed = request.modify({ headers: Headers.fromInput({ "x-request-id": "changed" }) })
            seen = IncomingHeaders.of(changed)["x-request-id"]
            return text("hello")
          })
        )
      )
      yield* rawRequest(port, "/", ["x-request-id: sent"])
      assert.strictEqual(seen, "changed")
    }))

  it("are Effect's own for a request of the web", () => {
    const request = HttpServerRequest.fromWeb(new Request("http://localhost/", { headers: { "X-A": "1" } }))
    assert.strictEqual(IncomingHeaders.of(request)["x-a"], "1")
  })
})

describe("what is read from them", () => {
  const requestWith = (headers: Record<string, string>) =>
    HttpServerRequest.fromWeb(new Request("http://localhost/", { headers }))
  const extract = (propagators: ReadonlyArray<Propagators.Propagator>, headers: Record<string, string>) => {
    const request = requestWith(headers)
    return IncomingHeaders.extract(propagators, request.headers, request)
  }

  it("is nothing where no header of the formats is there", () => {
    const extracted = extract([Propagators.tracecontext, Propagators.baggage], { b3: `${traceId}-${spanId}-1` })
    assert.isUndefined(extracted.span)
    assert.strictEqual(extracted.baggage.size, 0)
  })

  for (const [propagator, headers] of [
    [Propagators.tracecontext, { traceparent }],
    [Propagators.b3, { b3: `${traceId}-${spanId}-1` }],
    [Propagators.b3, { "x-b3-traceid": traceId, "x-b3-spanid": spanId }],
    [Propagators.b3multi, { b3: `${traceId}-${spanId}-1` }]
  ] as const) {
    it(`is the caller's span: ${propagator.name} in ${Object.keys(headers).join(", ")}`, () => {
      assert.strictEqual(extract([Propagators.baggage, propagator], headers).span?.spanId, spanId)
    })
  }

  it("is what a format of the application's own finds, under whatever name", () => {
    const own: Propagators.Propagator = {
      name: "own",
      fields: ["x-own"],
      extractSpan: (carrier) => Propagators.tracecontext.extractSpan!({ traceparent: (carrier as any)["x-older"] }),
      inject: () => {}
    }
    assert.strictEqual(extract([own], { "x-older": traceparent }).span?.traceId, traceId)
  })

  test("is the caller's trace, whatever the case of its header", () =>
    Effect.gen(function* () {
      const port = yield* start(get("/", Effect.succeed(text("hello"))))
      yield* rawRequest(port, "/", [`TRACEPARENT: ${traceparent}`, "TraceState: a=1", "BAGGAGE: user.id=u-1"])
      const span = yield* TestTelemetry.expectTrace({ name: "GET /", attributes: { "user.id": "u-1" } })
      assert.strictEqual(span.traceId, traceId)
      assert.strictEqual(span.data.traceState, "a=1")
    }))
})

describe("the host of a request", () => {
  const native = (headers: Record<string, unknown>) =>
    ({ source: { rawHeaders: [], headers } }) as unknown as HttpServerRequest.HttpServerRequest

  it("is what HTTP/2 calls the authority, before a header of that name", () => {
    assert.strictEqual(IncomingHeaders.host(native({ ":authority": "a.example", host: "b.example" })), "a.example")
    assert.strictEqual(IncomingHeaders.host(native({ host: "b.example" })), "b.example")
    assert.isUndefined(IncomingHeaders.host(native({})))
  })

  test("is the target's own where the client names one", () =>
    Effect.gen(function* () {
      const port = yield* start(get("/users/:id", Effect.succeed(text("hello"))))
      yield* rawRequest(port, "http://shop.example:8080/users/7")
      yield* TestTelemetry.expectTrace({
        name: "GET /users/:id",
        attributes: { "server.address": "shop.example", "server.port": 8080, "url.path": "/users/7" }
      })
    }))
})
