import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Client from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Tracer from "effect/Tracer"
import * as HttpClient from "../../src/http/HttpClient.ts"
import { ResendCount } from "../../src/operation/ResendCount.ts"
import * as Baggage from "../../src/propagation/Baggage.ts"
import * as Correlation from "../../src/propagation/Correlation.ts"
import * as Propagators from "../../src/propagation/Propagators.ts"
import * as TraceContext from "../../src/propagation/TraceContext.ts"
import * as Trust from "../../src/propagation/Trust.ts"
import * as TestTelemetry from "../../src/testing/TestTelemetry.ts"
import * as SemconvStability from "../../src/tracer/SemconvStability.ts"
import { makeRecorder } from "./wire.ts"

const clients = {
  fetch: HttpClient.layer.pipe(Layer.provide(FetchHttpClient.layer)),
  undici: HttpClient.layer.pipe(Layer.provide(NodeHttpClient.layerUndici)),
  "node:http": HttpClient.layer.pipe(Layer.provide(NodeHttpClient.layerNodeHttp))
}

const test = <A, E>(name: string, body: () => Effect.Effect<A, E, any>, client: Layer.Layer<any> = clients.fetch) =>
  it.live(
    name,
    () => Effect.scoped(body()).pipe(Effect.provide(Layer.merge(TestTelemetry.layer(), client))) as Effect.Effect<A, E>
  )

const remote = TraceContext.toExternalSpan(
  TraceContext.parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03", "rojo=1,congo=2")!
)

describe("every client sends the trace on, in one span an attempt", () => {
  for (const [name, client] of Object.entries(clients)) {
    test(
      name,
      () =>
        Effect.gen(function* () {
          const recorder = yield* makeRecorder
          const response = yield* Client.get(`${recorder.url}/users/7?page=2`)
          assert.strictEqual(yield* response.text, "recorded")
          const span = yield* TestTelemetry.expectTrace({
            name: "GET",
            kind: "client",
            status: "unset",
            attributes: {
              "http.request.method": "GET",
              "url.full": `${recorder.url}/users/7?page=2`,
              "url.template": undefined,
              "server.address": "127.0.0.1",
              "server.port": recorder.port,
              "http.response.status_code": 200,
              "http.request.resend_count": undefined,
              "error.type": undefined
            },
            events: [],
            children: []
          })
          assert.deepStrictEqual(recorder.last("traceparent"), [`00-${span.traceId}-${span.spanId}-03`])
          for (const absent of ["tracestate", "b3", "x-b3-traceid", "baggage", "x-correlation-id"]) {
            assert.deepStrictEqual(recorder.last(absent), [])
          }
        }),
      client
    )
  }

  test("tracestate and the random flag of the caller go on", () =>
    Effect.gen(function* () {
      const recorder = yield* makeRecorder
      yield* Client.get(recorder.url).pipe(Effect.withSpan("work"), Effect.withParentSpan(remote))
      assert.deepStrictEqual(recorder.last("tracestate"), ["rojo=1,congo=2"])
      assert.match(recorder.last("traceparent")[0]!, /^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-03$/)
    }))

  test("a span is a child of what runs", () =>
    Effect.gen(function* () {
      const recorder = yield* makeRecorder
      yield* Client.post(recorder.url, { body: undefined }).pipe(
        HttpClient.withUrlTemplate("/users/{id}"),
        Effect.withSpan("work")
      )
      yield* TestTelemetry.expectTrace({
        name: "work",
        children: [{ name: "POST /users/{id}", kind: "client", attributes: { "url.template": "/users/{id}" } }]
      })
    }))
})

describe("headers", () => {
  const old = {
    traceparent: `00-${"1".repeat(32)}-${"2".repeat(16)}-01`,
    TraceState: "old=1",
    Baggage: "old=1",
    "X-Correlation-ID": "old",
    "X-Request-ID": "old",
    "x-other": "kept"
  }

  test("take the place of what the request has, and leave it as it was", () =>
    Effect.gen(function* () {
      const recorder = yield* makeRecorder
      const request = HttpClientRequest.get(recorder.url, { headers: old })
      const response = yield* Client.execute(request).pipe(
        Correlation.provide({ correlationId: "c-1", requestId: "r-1" }),
        Effect.provide(Trust.layer({ hosts: ["127.0.0.1"] }))
      )
      const span = yield* TestTelemetry.expectTrace({ name: "GET" })
      assert.deepStrictEqual(recorder.last("traceparent"), [`00-${span.traceId}-${span.spanId}-03`])
      assert.deepStrictEqual(recorder.last("tracestate"), [])
      assert.deepStrictEqual(recorder.last("baggage"), ["trace.correlation_id=c-1"])
      assert.deepStrictEqual(recorder.last("x-correlation-id"), ["c-1"])
      assert.deepStrictEqual(recorder.last("x-request-id"), ["r-1"])
      assert.deepStrictEqual(recorder.last("x-other"), ["kept"])
      assert.strictEqual(request.headers["traceparent"], old.traceparent)
      assert.strictEqual(response.request.headers["x-correlation-id"], "old")
    }))

  test("of ids go to every host, baggage and the user's id to those that are named", () =>
    Effect.gen(function* () {
      const recorder = yield* makeRecorder
      const call = Client.get(recorder.url).pipe(
        Effect.tap(Correlation.setUser({ userId: "u é" })),
        Effect.andThen(Client.get(recorder.url)),
        Baggage.withEntries({ tenant: "t" }),
        Correlation.provide({ correlationId: "c-1", requestId: "r-1" })
      )
      yield* call
      assert.deepStrictEqual(recorder.last("baggage"), [])
      assert.deepStrictEqual(recorder.last("x-correlation-id"), ["c-1"])
      yield* call.pipe(Effect.provide(Trust.layer({ hosts: ["example.com", "localhost"] })))
      assert.deepStrictEqual(recorder.last("baggage"), [])
      yield* call.pipe(Effect.provide(Trust.layer({ hosts: [`127.0.0.1:${recorder.port}`] })))
      assert.deepStrictEqual(recorder.last("baggage"), ["tenant=t,user.id=u%20%C3%A9,trace.correlation_id=c-1"])
      assert.deepStrictEqual(recorder.last("x-request-id"), ["r-1"])
    }))

  test("are in the formats that are configured", () =>
    Effect.gen(function* () {
      const recorder = yield* makeRecorder
      const propagators = Result.getOrThrow(Propagators.fromNames(["b3", "b3multi"]))
      yield* Client.get(recorder.url).pipe(Effect.provideService(Propagators.CurrentPropagators, propagators))
      const span = yield* TestTelemetry.expectTrace({ name: "GET" })
      assert.deepStrictEqual(recorder.last("traceparent"), [])
      assert.deepStrictEqual(recorder.last("b3"), [`${span.traceId}-${span.spanId}-1`])
      assert.deepStrictEqual(recorder.last("x-b3-traceid"), [span.traceId])
      yield* Client.get(recorder.url).pipe(Effect.provideService(Propagators.CurrentPropagators, []))
      assert.deepStrictEqual(recorder.last("b3"), [])
    }))

  test("of one request that is sent many times at once are each its own", () =>
    Effect.gen(function* () {
      const recorder = yield* makeRecorder
      const request = HttpClientRequest.get(recorder.url, { headers: { "x-other": "kept" } })
      yield* Effect.all(
        Array.from({ length: 20 }, () => Client.execute(request)),
        { concurrency: "unbounded" }
      )
      const sent = recorder.received.map(({ headers }) => headers.find(([name]) => name === "traceparent")?.[1])
      assert.strictEqual(new Set(sent).size, 20)
      const spans = yield* TestTelemetry.spans
      assert.deepStrictEqual(sent.sort(), spans.map((span) => `00-${span.traceId}-${span.spanId}-03`).sort())
      assert.deepStrictEqual(Object.keys(request.headers), ["x-other"])
    }))

  test("come from the URL that a later `mapRequest` makes", () =>
    Effect.gen(function* () {
      const recorder = yield* makeRecorder
      const client = (yield* Client.HttpClient).pipe(Client.mapRequest(HttpClientRequest.prependUrl(recorder.url)))
      yield* client
        .get("/users")
        .pipe(Baggage.withEntries({ a: "1" }), Effect.provide(Trust.layer({ hosts: ["127.0.0.1"] })))
      assert.deepStrictEqual(recorder.last("baggage"), ["a=1"])
      yield* TestTelemetry.expectTrace({ name: "GET", attributes: { "url.full": `${recorder.url}/users` } })
    }))
})

describe("secrets", () => {
  test("in URLs are hidden", () =>
    Effect.gen(function* () {
      const recorder = yield* makeRecorder
      const url = recorder.url.replace("//", "//ada:lovelace@")
      yield* Client.execute(
        HttpClientRequest.get(`${url}/a?X-Amz-Signature=s3cret&page=2`).pipe(
          HttpClientRequest.setUrlParam("voucher", Redacted.make("s3cret") as never)
        )
      ).pipe(Effect.ignore)
      const span = yield* TestTelemetry.expectTrace({ name: "GET" })
      const shown = JSON.stringify([span.attributes, span.events.map((event) => event.attributes)])
      assert.include(shown, "page=2")
      for (const secret of ["s3cret", "lovelace", "ada:"]) assert.notInclude(shown, secret)
    }))
})

describe("what goes wrong", () => {
  test("4xx and 5xx are errors of the span and no failure of the request", () =>
    Effect.gen(function* () {
      const recorder = yield* makeRecorder
      recorder.statuses = [404, 503, 302]
      for (const [status, expected] of [
        [404, "error"],
        [503, "error"],
        [302, "unset"]
      ] as const) {
        yield* TestTelemetry.clear
        const response = yield* Client.get(recorder.url)
        assert.strictEqual(response.status, status)
        yield* TestTelemetry.expectTrace({
          name: "GET",
          status: expected,
          attributes: {
            "http.response.status_code": status,
            "error.type": expected === "error" ? String(status) : undefined
          },
          events: []
        })
      }
    }))

  test("a connection that breaks is an error with its reason", () =>
    Effect.gen(function* () {
      const recorder = yield* makeRecorder
      recorder.statuses = [0]
      const error = yield* Effect.flip(Client.get(recorder.url))
      assert.strictEqual(error._tag, "HttpClientError")
      yield* TestTelemetry.expectTrace({
        name: "GET",
        status: "error",
        attributes: {
          "http.response.status_code": undefined,
          "error.type": "TransportError",
          "server.port": recorder.port
        },
        events: ["exception"]
      })
    }))

  test("a URL that is none is an error", () =>
    Effect.gen(function* () {
      yield* Effect.flip(Client.get("http://["))
      yield* TestTelemetry.expectTrace({
        name: "GET",
        status: "error",
        attributes: { "error.type": "InvalidUrlError" }
      })
    }))

  test("an interrupted request is unset, and its connection is given up", () =>
    Effect.gen(function* () {
      const recorder = yield* makeRecorder
      recorder.statuses = [-1]
      const fiber = yield* Effect.forkChild(Client.get(recorder.url))
      while (recorder.received.length === 0) yield* Effect.sleep(1)
      yield* Fiber.interrupt(fiber)
      yield* TestTelemetry.expectTrace({
        name: "GET",
        status: "unset",
        attributes: {
          "effect.fiber.interrupted": true,
          "http.response.status_code": undefined,
          "error.type": undefined
        }
      })
    }))
})

describe("repetitions", () => {
  /** 0 stands for none: a first attempt has no such attribute. */
  const counts = Effect.map(TestTelemetry.spans, (spans) =>
    spans.filter(({ kind }) => kind === "client").map(({ attributes }) => attributes["http.request.resend_count"] ?? 0)
  )

  test("an operation tells their number", () =>
    Effect.gen(function* () {
      const recorder = yield* makeRecorder
      yield* Client.get(recorder.url)
      yield* Client.get(recorder.url).pipe(Effect.provideService(ResendCount, 2))
      assert.deepStrictEqual(yield* counts, [0, 2])
    }))

  test("Effect's own retries are counted, for failures and for responses", () =>
    Effect.gen(function* () {
      const recorder = yield* makeRecorder
      recorder.statuses = [0, 503, 429, 200]
      const client = (yield* Client.HttpClient).pipe(Client.retryTransient({ times: 5 }))
      const response = yield* client.get(recorder.url)
      assert.strictEqual(response.status, 200)
      assert.deepStrictEqual(yield* counts, [0, 1, 2, 3])
    }))

  test("so are those whose attempts have fibers of their own", () =>
    Effect.gen(function* () {
      const recorder = yield* makeRecorder
      recorder.statuses = [503, 503, 200]
      const client = (yield* Client.HttpClient).pipe(Client.filterStatusOk)
      yield* client.get(recorder.url).pipe(Effect.timeout("10 seconds"), Effect.retry({ times: 3 }))
      assert.deepStrictEqual(yield* counts, [0, 1, 2])
    }))

  test("a request that is made again after a success, or for another reason, is none", () =>
    Effect.gen(function* () {
      const recorder = yield* makeRecorder
      const call = Client.get(recorder.url)
      yield* call
      yield* call.pipe(Effect.repeat({ times: 2 }))
      yield* Effect.suspend(() => Effect.andThen(call, Effect.fail("other"))).pipe(
        Effect.retry(Schedule.recurs(1)),
        Effect.ignore
      )
      assert.deepStrictEqual(yield* counts, [0, 0, 0, 0, 0, 0])
    }))
})

describe("what Effect's client can do stays", () => {
  test("a request is aborted when its scope closes", () =>
    Effect.gen(function* () {
      const recorder = yield* makeRecorder
      let signal: AbortSignal | undefined
      const spy: typeof globalThis.fetch = (input, init) => {
        signal = init?.signal ?? undefined
        return globalThis.fetch(input, init)
      }
      const client = Client.withScope(yield* Client.HttpClient)
      yield* client.get(recorder.url).pipe(Effect.scoped, Effect.provideService(FetchHttpClient.Fetch, spy))
      assert.isTrue(signal?.aborted)
      assert.strictEqual(recorder.last("traceparent").length, 1)
    }))

  test("a client that is traced twice is traced once", () =>
    Effect.gen(function* () {
      const recorder = yield* makeRecorder
      const client = HttpClient.trace(HttpClient.trace(yield* Client.HttpClient))
      yield* client.get(recorder.url)
      assert.strictEqual((yield* TestTelemetry.spans).length, 1)
    }))

  test("baggage does not follow a redirect to a host that is not trusted", () =>
    Effect.gen(function* () {
      const trusted = yield* makeRecorder
      const other = yield* makeRecorder
      trusted.statuses = [302]
      trusted.location = `${other.url}/next`
      const client = (yield* Client.HttpClient).pipe(Client.followRedirects(3))
      yield* client
        .get(trusted.url)
        .pipe(
          Baggage.withEntries({ tenant: "t" }),
          Effect.provide(Trust.layer({ hosts: [`127.0.0.1:${trusted.port}`] })),
          Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" })
        )
      assert.deepStrictEqual(trusted.last("baggage"), ["tenant=t"])
      assert.strictEqual(other.received.length, 1)
      assert.deepStrictEqual(other.last("baggage"), [])
    }))

  test("redirects are followed, each in a span", () =>
    Effect.gen(function* () {
      const recorder = yield* makeRecorder
      recorder.statuses = [302, 307, 200]
      recorder.location = "/next"
      const client = (yield* Client.HttpClient).pipe(Client.followRedirects(3))
      const response = yield* client
        .get(recorder.url)
        .pipe(Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" }))
      assert.strictEqual(response.status, 200)
      const spans = yield* TestTelemetry.spans
      assert.deepStrictEqual(
        spans.map(({ attributes }) => attributes["http.response.status_code"]),
        [302, 307, 200]
      )
      const sent = recorder.received.map(({ headers }) => headers.filter(([name]) => name === "traceparent").length)
      assert.deepStrictEqual(sent, [1, 1, 1])
    }))

  test("requests that it is told not to trace go out as they are", () =>
    Effect.gen(function* () {
      const recorder = yield* makeRecorder
      const call = Client.get(recorder.url, { headers: { traceparent: "as it is" } })
      yield* call.pipe(Effect.provideService(Client.TracerDisabledWhen, () => true))
      assert.deepStrictEqual(recorder.last("traceparent"), ["as it is"])
      yield* call.pipe(Effect.provideService(Tracer.DisablePropagation, true))
      assert.deepStrictEqual(recorder.last("traceparent"), ["as it is"])
      assert.deepStrictEqual(yield* TestTelemetry.spans, [])
    }))

  test("a client that sends requests of its own while sending one has them traced", () =>
    Effect.gen(function* () {
      const recorder = yield* makeRecorder
      const traced = yield* Client.HttpClient
      const outer = HttpClient.trace(
        Client.transform(traced, (effect) => Effect.andThen(traced.get(`${recorder.url}/token`), effect))
      )
      yield* outer.get(`${recorder.url}/data`)
      yield* TestTelemetry.expectTrace({
        name: "GET",
        attributes: { "url.full": `${recorder.url}/data` },
        children: [
          { attributes: { "url.full": `${recorder.url}/token` } },
          { attributes: { "url.full": `${recorder.url}/data` } }
        ]
      })
    }))

  test("headers are on spans where its setting asks for them", () =>
    Effect.gen(function* () {
      const recorder = yield* makeRecorder
      yield* Client.get(recorder.url, { headers: { "x-question": "why", authorization: "Bearer s3cret" } }).pipe(
        Effect.provideService(Client.TracerHeaderFilter, () => true)
      )
      yield* TestTelemetry.expectTrace({
        name: "GET",
        attributes: {
          "http.request.header.x-question": ["why"],
          "http.request.header.authorization": (value: unknown) => !JSON.stringify(value).includes("s3cret"),
          "http.response.header.content-type": ["text/plain"]
        }
      })
    }))
})

describe("settings", () => {
  test("the older names are there where they are asked for", () =>
    Effect.gen(function* () {
      const recorder = yield* makeRecorder
      recorder.statuses = [500]
      yield* Client.get(recorder.url).pipe(
        Effect.provideService(SemconvStability.CurrentSemconvStability, { httpDup: true, databaseDup: false })
      )
      yield* TestTelemetry.expectTrace({
        name: "GET",
        attributes: {
          "http.method": "GET",
          "http.url": `${recorder.url}/`,
          "http.status_code": 500,
          "net.peer.name": "127.0.0.1",
          "net.peer.port": recorder.port
        }
      })
    }))

  it.live(
    "without a tracer the caller's trace, the ids and the baggage go on",
    () =>
      Effect.gen(function* () {
        const recorder = yield* makeRecorder
        yield* Client.get(recorder.url).pipe(
          Effect.withSpan("nobody sees"),
          Effect.withParentSpan(remote),
          Baggage.withEntries({ a: "1" }),
          Correlation.provide({ correlationId: "c-1" }),
          Effect.provide(Trust.layer({ hosts: true }))
        )
        assert.deepStrictEqual(recorder.last("traceparent"), [
          "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03"
        ])
        assert.deepStrictEqual(recorder.last("tracestate"), ["rojo=1,congo=2"])
        assert.deepStrictEqual(recorder.last("baggage"), ["a=1,trace.correlation_id=c-1"])
        assert.deepStrictEqual(recorder.last("x-correlation-id"), ["c-1"])
        yield* Client.get(recorder.url)
        assert.deepStrictEqual(recorder.last("traceparent"), [])
      }).pipe(Effect.scoped, Effect.provide(clients.fetch)) as Effect.Effect<void>
  )
})
