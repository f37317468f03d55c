import Undici from "@effect/platform-node/Undici"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Tracer from "effect/Tracer"
import * as FetchSpans from "../../src/http/FetchSpans.ts"
import { ResendCount } from "../../src/operation/ResendCount.ts"
import * as Correlation from "../../src/propagation/Correlation.ts"
import * as Trust from "../../src/propagation/Trust.ts"
import * as TestTelemetry from "../../src/testing/TestTelemetry.ts"
import { answering, hang, json, reset, stall, text, truncate, waitUntil } from "../services/answering.ts"

const test = <E>(name: string, body: Effect.Effect<unknown, E, any>) =>
  it.live(name, () => Effect.scoped(body).pipe(Effect.provide(TestTelemetry.layer())) as Effect.Effect<void, E>)

/** Ways in which a client sends: a `fetch` that it takes, a dispatcher for Node's `fetch`, one for undici 8. */
const agent = new Undici.Agent()
const ways: Readonly<Record<string, typeof fetch>> = {
  fetch: FetchSpans.fetch,
  "dispatcher under Node's fetch": (input, init) =>
    fetch(input, { ...init, dispatcher: FetchSpans.dispatcher() } as RequestInit),
  "dispatcher under undici's fetch": ((input: string, init: object) =>
    Undici.fetch(input, { ...init, dispatcher: FetchSpans.dispatcher(agent as never) as never })) as never,
  "dispatcher under undici's fetch, global": ((input: string, init: object) =>
    Undici.fetch(input, { ...init, dispatcher: FetchSpans.dispatcher() as never })) as never
}

for (const [way, send] of Object.entries(ways)) {
  describe(way, () => {
    test(
      "a request is a client span, which the server is told of",
      Effect.gen(function* () {
        const server = yield* answering(json(200, { ok: true }))
        const found = yield* FetchSpans.call(async () => {
          const response = await send(`${server.url}/posts?api_key=hush&q=1`, {
            method: "POST",
            headers: { "X-Own": "1", Traceparent: "00-stale" },
            body: "{}"
          })
          return response.json()
        }).pipe(
          Effect.provideService(ResendCount, 1),
          Correlation.provide({ correlationId: "c-1", requestId: "r-1", userId: "u-1" }),
          Effect.withSpan("op")
        )
        assert.deepStrictEqual(found, { ok: true })
        const trace = yield* TestTelemetry.expectTrace({
          name: "op",
          children: [
            {
              name: "POST",
              kind: "client",
              status: "unset",
              attributes: {
                "http.request.method": "POST",
                "url.full": `${server.url}/posts?api_key=REDACTED&q=1`,
                "server.address": "127.0.0.1",
                "server.port": server.port,
                "http.response.status_code": 200,
                "http.request.resend_count": 1,
                "error.type": undefined
              },
              children: []
            }
          ]
        })
        const [{ headers, text: body }] = server.received as [(typeof server.received)[0]]
        const child = trace.children[0]!
        assert.strictEqual(headers["traceparent"], `00-${child.traceId}-${child.spanId}-03`)
        assert.strictEqual(headers["x-correlation-id"], "c-1")
        assert.strictEqual(headers["x-request-id"], "r-1")
        assert.strictEqual(headers["x-own"], "1")
        assert.strictEqual(headers["baggage"], undefined)
        assert.strictEqual(body, "{}")
      })
    )

    test(
      "a bad status, a refused connection, a reset, a broken body are errors of the span",
      Effect.gen(function* () {
        const server = yield* answering(text(503, "busy"))
        const status = yield* FetchSpans.call(async () => (await send(server.url)).status)
        assert.strictEqual(status, 503)
        yield* TestTelemetry.expectSpan("GET", { status: "error", attributes: { "error.type": "503" } })
        for (const answer of [reset, truncate]) {
          yield* TestTelemetry.clear
          server.answer = answer
          const exit = yield* Effect.exit(FetchSpans.call(async () => (await send(server.url)).text()))
          assert(Exit.isFailure(exit))
          yield* TestTelemetry.expectSpan("GET", {
            status: "error",
            attributes: { "http.response.status_code": answer === reset ? undefined : 200 },
            events: ["exception"]
          })
        }
        yield* TestTelemetry.clear
        const port = yield* Effect.scoped(Effect.map(answering(hang), (server) => server.port))
        assert(Exit.isFailure(yield* Effect.exit(FetchSpans.call(() => send(`http://127.0.0.1:${port}/`)))))
        yield* TestTelemetry.expectSpan("GET", { status: "error", attributes: { "server.port": port } })
      })
    )

    for (const [what, answer] of Object.entries({ "before an answer": hang, "in mid-body": stall })) {
      test(
        `interruption ${what} reaches the server and ends the span`,
        Effect.gen(function* () {
          const server = yield* answering(answer)
          const before = server.connections()
          const fiber = yield* FetchSpans.call(async () => (await send(server.url)).text()).pipe(
            Effect.withSpan("op"),
            Effect.forkChild
          )
          yield* waitUntil(() => server.received.length === 1)
          yield* Effect.sleep("20 millis")
          yield* Fiber.interrupt(fiber)
          assert.isBelow(yield* waitUntil(() => server.connections() === before), 200)
          yield* TestTelemetry.expectTrace({
            name: "op",
            status: "unset",
            children: [{ name: "GET", status: "unset", attributes: { "effect.fiber.interrupted": true } }]
          })
        })
      )
    }

    test(
      "the client's own signal: its request was interrupted, not failed",
      Effect.gen(function* () {
        const server = yield* answering(hang)
        const exit = yield* Effect.exit(
          FetchSpans.call(() => send(server.url, { signal: AbortSignal.timeout(30) })).pipe(Effect.withSpan("op"))
        )
        assert(Exit.isFailure(exit))
        yield* TestTelemetry.expectTrace({ name: "op", status: "error", children: [{ name: "GET" }] })
        assert.isBelow(yield* waitUntil(() => server.connections() === 0), 200)
      })
    )

    test(
      "a body that is not read does not keep the span open",
      Effect.gen(function* () {
        const server = yield* answering(stall)
        const response = yield* FetchSpans.call(() => send(server.url)).pipe(Effect.withSpan("op"))
        yield* TestTelemetry.expectTrace(
          {
            name: "op",
            children: [{ name: "GET", status: "unset", attributes: { "http.response.status_code": 200 } }]
          },
          { yields: 0 }
        )
        yield* Effect.promise(async () => response.body?.cancel())
      })
    )

    test(
      "each step of a redirect is a request",
      Effect.gen(function* () {
        const server = yield* answering(({ path }, response) => {
          if (path === "/from") response.writeHead(302, { location: "/to" }).end()
          else response.end("there")
        })
        yield* FetchSpans.call(async () => (await send(`${server.url}/from`)).text()).pipe(Effect.withSpan("op"))
        const trace = yield* TestTelemetry.expectTrace({
          name: "op",
          children: [
            { name: "GET", attributes: { "http.response.status_code": 302, "url.full": /\/from$/ } },
            { name: "GET", attributes: { "http.response.status_code": 200, "url.full": /\/to$/ } }
          ]
        })
        assert.deepStrictEqual(
          server.received.map(({ headers }) => String(headers["traceparent"]).split("-")[2]),
          trace.children.map(({ spanId }) => spanId)
        )
      })
    )

    test(
      "baggage goes to trusted hosts only",
      Effect.gen(function* () {
        const server = yield* answering(text(200, ""))
        const sending = FetchSpans.call(() => send(server.url)).pipe(
          Correlation.provide({ correlationId: "c-1", userId: "u-1" })
        )
        yield* Effect.provide(sending, Trust.layer({ hosts: ["127.0.0.1"] }))
        assert.include(String(server.received[0]!.headers["baggage"]), "user.id=u-1")
      })
    )

    it.live("with tracing off the caller's trace goes on, and nothing else changes", () =>
      Effect.gen(function* () {
        const server = yield* answering(text(200, "plain"))
        const parent = Tracer.externalSpan({ traceId: "1".repeat(32), spanId: "2".repeat(16), sampled: true })
        const read = FetchSpans.call(async () => (await send(server.url)).text())
        assert.strictEqual(yield* read.pipe(Effect.withParentSpan(parent)), "plain")
        assert.strictEqual(server.received[0]!.headers["traceparent"], `00-${"1".repeat(32)}-${"2".repeat(16)}-01`)
        yield* read.pipe(Effect.withParentSpan(parent), Effect.provideService(Tracer.DisablePropagation, true))
        assert.strictEqual(server.received[1]!.headers["traceparent"], undefined)
      }).pipe(Effect.scoped)
    )

    test(
      "outside of a call a request passes through untouched",
      Effect.gen(function* () {
        const server = yield* answering(text(200, "plain"))
        yield* Effect.promise(() => send(server.url)).pipe(Effect.withSpan("op"))
        assert.strictEqual(server.received[0]!.headers["traceparent"], undefined)
        yield* TestTelemetry.expectTrace({ name: "op", children: [] })
      })
    )
  })
}

describe("a request that waits for a connection", () => {
  const abortError = (error: unknown) => (error as Error).name === "AbortError"

  for (const kind of ["older", "newer"] as const) {
    test(
      `is given up at once, and aborted when there is one (${kind} handlers)`,
      Effect.gen(function* () {
        const told: Array<unknown> = []
        const aborted: Array<unknown> = []
        let front: any
        const waiting: FetchSpans.Dispatcher = {
          dispatch: (_, handler) => {
            front = handler
            return true
          }
        }
        const client = FetchSpans.dispatcher(waiting)
        const handler =
          kind === "older"
            ? { onConnect: () => told.push("connected"), onError: (error: unknown) => told.push(error) }
            : {
                onRequestStart: () => told.push("connected"),
                onResponseError: (_: unknown, error: unknown) => told.push(error)
              }
        const fiber = yield* FetchSpans.call(() => {
          client.dispatch({ origin: "http://a.test", path: "/", method: "GET", headers: ["a", "1"] }, handler)
          return new Promise<void>(() => {})
        }).pipe(Effect.forkChild)
        yield* Effect.yieldNow
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(told.length, 1)
        assert(abortError(told[0]))
        if (kind === "older") front.onConnect((reason: unknown) => aborted.push(reason))
        else front.onRequestStart({ abort: (reason: unknown) => aborted.push(reason) })
        assert(aborted.length === 1 && abortError(aborted[0]))
        assert.strictEqual(told.length, 1)
        yield* TestTelemetry.expectSpan("GET", { attributes: { "effect.fiber.interrupted": true } })
      })
    )
  }

  test(
    "what a dispatcher throws is thrown, and recorded",
    Effect.gen(function* () {
      const broken = FetchSpans.dispatcher({
        dispatch: () => {
          throw new TypeError("no such agent")
        }
      })
      const failure = yield* Effect.flip(
        FetchSpans.call(async () => broken.dispatch({ origin: "http://a.test", path: "/", method: "GET" }, {}))
      )
      assert.strictEqual((failure as Error).message, "no such agent")
      yield* TestTelemetry.expectSpan("GET", { status: "error", attributes: { "error.type": "TypeError" } })
    })
  )
})
