/** Requests of strangers: whatever the headers hold, the server answers, the spans are bounded, and no prototype changes. */
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Server from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import { createServer, maxHeaderSize } from "node:http"
import * as Net from "node:net"
import * as HttpServer from "../../src/http/HttpServer.ts"
import * as Baggage from "../../src/propagation/Baggage.ts"
import * as Correlation from "../../src/propagation/Correlation.ts"
import * as Propagators from "../../src/propagation/Propagators.ts"
import * as TraceState from "../../src/propagation/TraceState.ts"
import * as Trust from "../../src/propagation/Trust.ts"
import * as TestTelemetry from "../../src/testing/TestTelemetry.ts"
import type { TestSpan } from "../../src/testing/TestSpan.ts"
import { get } from "../http/serving.ts"
import { type RawResponse, rawRequest } from "../http/wire.ts"

const traceparent = `traceparent: 00-${"a".repeat(32)}-${"b".repeat(16)}-01`

/** What the handler sees of a request, as it tells it. */
interface Seen {
  readonly baggage: ReadonlyArray<readonly [string, string]>
  readonly ids: Correlation.Ids
  readonly sent: Readonly<Record<string, string>>
}

const seen: Effect.Effect<HttpServerResponse.HttpServerResponse> = Effect.gen(function* () {
  const baggage = [...(yield* Baggage.CurrentBaggage)].map(([key, entry]) => [key, entry.value] as const)
  const told: Seen = { baggage, ids: yield* Correlation.current, sent: yield* Propagators.inject }
  return HttpServerResponse.jsonUnsafe(told)
})

/** A server, with Node.js' own limit of headers or another one. */
const serve = (headerBytes?: number) =>
  Effect.map(
    Layer.build(
      HttpRouter.serve(get("/*", seen), { disableListenLog: true, disableLogger: true }).pipe(
        Layer.provideMerge(HttpServer.layer),
        Layer.provideMerge(
          NodeHttpServer.layer(() => createServer(headerBytes === undefined ? {} : { maxHeaderSize: headerBytes }), {
            port: 0,
            host: "127.0.0.1"
          })
        )
      ) as unknown as Layer.Layer<Server.HttpServer>
    ),
    (context) => {
      const { address } = Context.get(context, Server.HttpServer)
      return "port" in address ? address.port : 0
    }
  )

const bodyOf = (response: RawResponse): Seen => {
  if (response.status !== 200) throw new Error(`${response.status} ${JSON.stringify(response).slice(0, 300)}`)
  // The connection is read byte by byte.
  const body = Buffer.from(response.body, "latin1").toString("utf8")
  return JSON.parse(body.slice(body.indexOf("{"), body.lastIndexOf("}") + 1)) as Seen
}

const prototypes = (): unknown => ({
  object: Reflect.ownKeys(Object.prototype),
  array: Reflect.ownKeys(Array.prototype),
  map: Reflect.ownKeys(Map.prototype),
  empty: Object.keys({})
})

/** Characters of all that a span holds. */
const sizeOf = (span: TestSpan): number =>
  JSON.stringify([span.name, span.data.attributeKeys, span.data.attributeValues, span.data.traceState ?? ""]).length

const test = (name: string, body: () => Effect.Effect<void, unknown, any>, trust?: Trust.Options) =>
  it.live(
    name,
    () =>
      Effect.gen(function* () {
        const before = prototypes()
        yield* body()
        assert.deepStrictEqual(prototypes(), before)
      }).pipe(
        Effect.scoped,
        Effect.provide(Layer.merge(TestTelemetry.layer(), trust === undefined ? Layer.empty : Trust.layer(trust)))
      ) as Effect.Effect<void>
  )

describe("a server refuses first", () => {
  test("headers of a megabyte, before anything of ours reads them", () =>
    Effect.gen(function* () {
      const port = yield* serve()
      for (const name of ["baggage", "traceparent", "tracestate", "b3", "x-correlation-id", "x-other", "cookie"]) {
        const response = yield* rawRequest(port, "/", [`${name}: ${"x".repeat(1_000_000)}`])
        assert.include([431, 400, NaN], response.status, name)
      }
      const many = yield* rawRequest(
        port,
        "/",
        Array.from({ length: 10_000 }, (_, i) => `x-${i}: ${i}`)
      )
      assert.include([431, 400, NaN], many.status)
      const long = yield* rawRequest(port, `/${"x".repeat(1_000_000)}`)
      assert.include([431, 414, 400, NaN], long.status)
      assert.deepStrictEqual(yield* TestTelemetry.spans, [])
      // And goes on.
      assert.strictEqual((yield* rawRequest(port, "/")).status, 200)
      yield* TestTelemetry.expectTrace({ name: "GET /*" })
    }))

  test("what is no HTTP", () =>
    Effect.gen(function* () {
      const port = yield* serve()
      const lines: ReadonlyArray<ReadonlyArray<string>> = [
        ["x"],
        [": no name"],
        ["bad name: x"],
        ["x: \u0000"],
        ["x: a\rb"],
        ["content-length: -1"],
        ["content-length: 5", "content-length: 6"],
        ["transfer-encoding: chunked", "content-length: 5"],
        [" folded: x"]
      ]
      for (const headers of lines) {
        const response = yield* rawRequest(port, "/", headers)
        assert.notStrictEqual(response.status, 500, JSON.stringify(headers))
      }
      assert.strictEqual((yield* rawRequest(port, "/")).status, 200)
    }))
})

/** Bytes that are allowed here, so that headers reach our own code. */
const allowed = 4_000_000

describe("where a server takes more", () => {
  test("ten thousand members of baggage: what the specification asks for is read, the rest is not", () =>
    Effect.gen(function* () {
      const port = yield* serve(allowed)
      const members = Array.from({ length: 10_000 }, (_, i) => `k${i}=v${i}`)
      const inOne = bodyOf(yield* rawRequest(port, "/", [traceparent, `baggage: ${members.join(",")}`]))
      assert.strictEqual(inOne.baggage.length, Baggage.MAX_MEMBERS)
      assert.strictEqual(inOne.baggage.length, 180)
      const inMany = bodyOf(
        yield* rawRequest(
          port,
          "/",
          members.slice(0, 900).map((member) => `baggage: ${member}`)
        )
      )
      assert.strictEqual(inMany.baggage.length, Baggage.MAX_MEMBERS)
      const empty = bodyOf(yield* rawRequest(port, "/", [`baggage: ${",".repeat(1_000_000)}a=b`]))
      assert.deepStrictEqual(empty.baggage, [])
      const long = bodyOf(yield* rawRequest(port, "/", [`baggage: a=b,c=${"x".repeat(1_000_000)},d=e`]))
      assert.deepStrictEqual(long.baggage, [["a", "b"]])
      const properties = bodyOf(yield* rawRequest(port, "/", [`baggage: a=b${";p".repeat(500_000)}`]))
      assert.deepStrictEqual(properties.baggage, [])
      assert.isAtMost(inOne.sent["baggage"]!.length, Baggage.MAX_BYTES)
    }))

  test("a megabyte in each header that is read", () =>
    Effect.gen(function* () {
      const port = yield* serve(allowed)
      const megabyte = "a".repeat(1_000_000)
      const headers: ReadonlyArray<string> = [
        `traceparent: 00-${megabyte}`,
        `traceparent: 01-${"a".repeat(32)}-${"b".repeat(16)}-01-${megabyte}`,
        `tracestate: ${megabyte}`,
        `tracestate: ${"a=1,".repeat(250_000)}`,
        `tracestate: ${",".repeat(1_000_000)}`,
        `tracestate: a=${" ".repeat(1_000_000)}b`,
        `b3: ${megabyte}`,
        `x-b3-traceid: ${megabyte}`,
        `x-correlation-id: ${megabyte}`,
        `x-request-id: ${megabyte}`,
        `user-agent: ${megabyte}`,
        `host: ${megabyte}`,
        `x-forwarded-for: ${megabyte}`
      ]
      for (const header of headers) {
        yield* TestTelemetry.clear
        const response = yield* rawRequest(port, "/", [traceparent, header])
        assert.include([200, 400], response.status, header.slice(0, 40))
        if (response.status !== 200) continue
        const { ids, sent } = bodyOf(response)
        assert.isAtMost(ids.correlationId!.length, 128)
        assert.isAtMost(ids.requestId!.length, 128)
        assert.isAtMost(sent["tracestate"]?.length ?? 0, TraceState.MAX_LENGTH)
        const [span] = yield* TestTelemetry.eventually(
          Effect.flatMap(TestTelemetry.spans, (spans) =>
            spans.length === 1 ? Effect.succeed(spans) : Effect.fail("no span yet")
          )
        )
        assert.isAtMost(sizeOf(span!), 4096, header.slice(0, 40))
      }
    }))

  test("a target of a hundred thousand parameters", () =>
    Effect.gen(function* () {
      const port = yield* serve(allowed)
      const query = Array.from({ length: 100_000 }, (_, i) => `token${i}=${i}`).join("&")
      assert.strictEqual((yield* rawRequest(port, `/?${query}`)).status, 200)
      const [span] = yield* TestTelemetry.eventually(
        Effect.flatMap(TestTelemetry.spans, (spans) =>
          spans.length === 1 ? Effect.succeed(spans) : Effect.fail("no span")
        )
      )
      // One text of at most 8,192 characters, and what else a span has.
      assert.isAtMost(sizeOf(span!), 8192 + 2048)
    }))

  test("hundreds of headers of one name, and thousands of names", () =>
    Effect.gen(function* () {
      const port = yield* serve(allowed)
      const one = Array.from({ length: 900 }, () => traceparent)
      // More than one traceparent is none.
      const twice = bodyOf(yield* rawRequest(port, "/", one))
      assert.notInclude(twice.sent["traceparent"]!, "a".repeat(32))
      const states = Array.from({ length: 900 }, (_, i) => `tracestate: k${i}=1`)
      assert.isUndefined(bodyOf(yield* rawRequest(port, "/", [traceparent, ...states])).sent["tracestate"])
      const names = Array.from({ length: 2000 }, (_, i) => `x-h${i}: 1`)
      assert.include([200, 431], (yield* rawRequest(port, "/", names)).status)
    }))
})

describe("odd bytes", () => {
  test("that are no UTF-8, and names of prototypes", () =>
    Effect.gen(function* () {
      const port = yield* serve()
      const all = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).filter((c) => !"\r\n\u0000".includes(c))
      for (const character of all) {
        const value = `a${character}b`
        const response = yield* rawRequest(port, "/", [
          traceparent,
          `baggage: k=${value},${value}=1,ok=1`,
          `tracestate: k=${value}`,
          `x-correlation-id: ${value}`,
          `x-request-id: ${value}`,
          `user-agent: ${value}`
        ])
        assert.include([200, 400], response.status, JSON.stringify(character))
      }
      const percent = bodyOf(
        yield* rawRequest(port, "/", ["baggage: a=%ff%fe,b=%F0%9F%8E,c=%,d=%zz,e=%C3%28,f=%00,g=%ED%A0%80,ok=1"])
      )
      assert.includeDeepMembers(
        [...percent.baggage],
        [
          ["ok", "1"],
          ["a", "\ufffd\ufffd"]
        ]
      )
      assert.isTrue(percent.baggage.every(([, value]) => value.isWellFormed()))
      const named = bodyOf(
        yield* rawRequest(port, "/", [
          "baggage: __proto__=polluted,constructor=polluted,prototype=polluted,toString=polluted",
          "__proto__: polluted",
          "constructor: polluted",
          `tracestate: __proto__=polluted`,
          "x-correlation-id: __proto__"
        ])
      )
      assert.deepStrictEqual(
        named.baggage.map(([key]) => key),
        ["__proto__", "constructor", "prototype", "toString"]
      )
      assert.isUndefined(({} as Record<string, unknown>)["polluted"])
    }))

  test("in methods and targets", () =>
    Effect.gen(function* () {
      const port = yield* serve()
      for (const target of [
        "/%00",
        "/%zz",
        "/\u00ff",
        "/..%2f..",
        "//host/x",
        "*",
        "http://other/x",
        "/?__proto__=1",
        "/#a"
      ]) {
        const response = yield* rawRequest(port, target)
        assert.notStrictEqual(response.status, 500, target)
      }
      for (const method of ["get", "PROPFIND", "M-SEARCH", "X".repeat(5000), "\u00ff"]) {
        const response = yield* rawRequest(port, "/", [], method)
        assert.notStrictEqual(response.status, 500, method.slice(0, 20))
      }
      yield* Effect.sleep(20)
      const spans = yield* TestTelemetry.spans
      // A stranger makes no names up.
      for (const span of spans) assert.match(span.name, /^(?:GET|HTTP)(?: \/\*)?$/)
    }))
})

describe("many at once", () => {
  test("each is answered and has one span, also those that go away", () =>
    Effect.gen(function* () {
      const port = yield* serve()
      const leave = Effect.callback<void>((resume) => {
        const socket = Net.connect(port, "127.0.0.1", () => {
          socket.write(`GET / HTTP/1.1\r\nhost: h\r\n${traceparent}\r\nbaggage: ${"a=b,".repeat(1000)}\r\n\r\n`)
          socket.destroy()
        })
        socket.on("error", () => {})
        socket.on("close", () => resume(Effect.void))
      })
      const ask = (i: number) =>
        i % 5 === 0 ? Effect.as(leave, 0) : Effect.map(rawRequest(port, "/", [traceparent]), ({ status }) => status)
      const statuses = yield* Effect.forEach(
        Array.from({ length: 500 }, (_, i) => i),
        ask,
        { concurrency: 50 }
      )
      assert.strictEqual(statuses.filter((status) => status === 200).length, 400)
      const spans = yield* TestTelemetry.eventually(
        Effect.flatMap(TestTelemetry.spans, (spans) =>
          spans.length >= 400 ? Effect.succeed(spans) : Effect.fail("few")
        )
      )
      assert.isAtMost(spans.length, 500)
      assert.strictEqual(new Set(spans.map((span) => span.spanId)).size, spans.length)
      assert.isTrue(spans.every((span) => span.traceId === "a".repeat(32)))
    }))

  test(
    "of callers that are not trusted: each has a trace of its own, with a link, and nothing else of theirs",
    () =>
      Effect.gen(function* () {
        const port = yield* serve()
        const forged = [
          traceparent,
          "tracestate: vendor=forged",
          "baggage: user.id=root,trace.correlation_id=forged",
          "x-correlation-id: forged",
          "x-request-id: forged"
        ]
        for (let i = 0; i < 50; i++) {
          const { baggage, ids, sent } = bodyOf(yield* rawRequest(port, "/", forged))
          assert.deepStrictEqual(baggage, [])
          assert.isUndefined(ids.userId)
          assert.notInclude(JSON.stringify({ ids, sent }), "forged")
          assert.notInclude(sent["traceparent"]!, "a".repeat(32))
        }
        const spans = yield* TestTelemetry.spans
        assert.strictEqual(new Set(spans.map((span) => span.traceId)).size, 50)
        for (const span of spans) {
          assert.deepStrictEqual(
            span.data.linkData.map((link) => link.traceId),
            ["a".repeat(32)]
          )
        }
      }),
    { callers: false }
  )
})

describe("the limits that hold before ours", () => {
  it("are those of Node.js", () => {
    assert.strictEqual(maxHeaderSize, 16 * 1024)
  })
})
