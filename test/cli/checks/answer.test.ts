import * as http from "node:http"
import * as http2 from "node:http2"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Check from "../../../src/cli/checks/answer.ts"
import type * as Probe from "../../../src/cli/probe.ts"
import * as certificates from "../../support/certificates.ts"
import * as Receiver from "../../support/OtlpReceiver.ts"
import { config, serve } from "../support.ts"

const ask = (env: Record<string, string>, millis = 5_000) => Effect.promise(() => Check.ask(config(env), millis))

/** Asks a server that answers so. */
const answered = (listener: http.RequestListener, env: Record<string, string> = {}) =>
  Effect.gen(function* () {
    const { url } = yield* serve(listener)
    const { finding } = yield* ask({ OTEL_EXPORTER_OTLP_ENDPOINT: url, ...env })
    return { ...finding, todo: finding.todo ?? "", url }
  }).pipe(Effect.scoped)

const status =
  (code: number, body = "", headers: http.OutgoingHttpHeaders = {}): http.RequestListener =>
  (request, response) => {
    request.resume()
    response.writeHead(code, headers).end(body)
  }

describe("an empty export", () => {
  it.effect("a collector takes it, in both encodings, plain and compressed", () =>
    Effect.gen(function* () {
      const receiver = yield* Receiver.scoped()
      for (const protocol of ["http/protobuf", "http/json"]) {
        for (const compression of ["none", "gzip"]) {
          const { finding } = yield* ask({
            OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
            OTEL_EXPORTER_OTLP_COMPRESSION: compression,
            OTEL_EXPORTER_OTLP_HEADERS: "x-scope-orgid=a%20b"
          })
          assert.strictEqual(finding.status, "ok", JSON.stringify(finding))
          assert.match(finding.found, /^an empty export was taken: HTTP 200 in \d+ ms$/)
        }
      }
      assert.lengthOf(receiver.requests, 4)
      for (const { headers, malformed, method, path } of receiver.requests) {
        assert.deepStrictEqual(
          { method, path, malformed },
          { method: "POST", path: "/v1/traces", malformed: undefined }
        )
        assert.strictEqual(headers["x-scope-orgid"], "a b")
      }
      assert.lengthOf(receiver.spans, 0)
    }).pipe(Effect.scoped)
  )

  it.effect("401 without a header, and with a wrong one, which is not shown", () =>
    Effect.gen(function* () {
      const without = yield* answered(status(401))
      assert.include(without, { status: "failed", found: "HTTP 401" })
      assert.include(without.todo, "no header is configured: set OTEL_EXPORTER_OTLP_HEADERS")
      const wrong = yield* answered(status(403), { OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20hunter2" })
      assert.include(wrong.todo, "the value of authorization is not right there")
      assert.notInclude(JSON.stringify(wrong), "hunter2")
    })
  )

  it.effect("404 where the path is wrong, and the right one beside it", () =>
    Effect.gen(function* () {
      const plain = yield* answered(status(404, "404 page not found", { "content-type": "text/plain" }))
      assert.include(plain, { status: "failed", found: 'HTTP 404, "404 page not found"' })
      assert.include(plain.todo, "/v1/traces")
      const receiver = yield* Receiver.scoped()
      receiver.answer(Receiver.byRequest(({ path }) => (path === "/v1/traces" ? Receiver.ok : Receiver.status(404))))
      const { finding } = yield* ask({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.endpoint}/` })
      assert.include(finding, {
        status: "failed",
        todo: `it takes this: set OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=${receiver.url}`
      })
    }).pipe(Effect.scoped)
  )

  it.effect("405, 407, 413, 429, 500, 502, 503, 504: each says what to do", () =>
    Effect.gen(function* () {
      const words: Readonly<Record<number, string>> = {
        405: "takes no POST",
        407: "proxy",
        413: "client_max_body_size",
        429: "quota",
        500: "log",
        502: "does not reach what is behind it",
        503: "does not reach what is behind it",
        504: "does not reach what is behind it"
      }
      for (const [code, word] of Object.entries(words)) {
        const finding = yield* answered(status(Number(code)))
        assert.include(finding, { status: "failed", found: `HTTP ${code}` })
        assert.include(finding.todo, word, code)
      }
    })
  )

  it.effect("415: says which encoding is taken, and whether it is the compression", () =>
    Effect.gen(function* () {
      const receiver = yield* Receiver.scoped()
      receiver.answer(Receiver.byRequest(({ encoding }) => (encoding === "json" ? Receiver.ok : Receiver.status(415))))
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint }
      const { finding } = yield* ask(env)
      assert.include(finding, { status: "failed", todo: "it takes this: set OTEL_EXPORTER_OTLP_PROTOCOL=http/json" })
      receiver.answer(
        Receiver.byRequest(({ headers }) =>
          headers["content-encoding"] === undefined ? Receiver.ok : Receiver.status(415)
        )
      )
      const gzip = yield* ask({ ...env, OTEL_EXPORTER_OTLP_COMPRESSION: "gzip" })
      assert.include(gzip.finding.todo, "OTEL_EXPORTER_OTLP_COMPRESSION=none")
      const neither = yield* answered(status(415))
      assert.include(neither.todo, "not a collector")
    }).pipe(Effect.scoped)
  )

  it.effect("HTML from a proxy, a login, a page: whatever the status", () =>
    Effect.gen(function* () {
      const page = "<!doctype html><html><head><title>Welcome to nginx!</title></head></html>"
      for (const code of [200, 404, 502]) {
        const finding = yield* answered(status(code, page, { "content-type": "text/html; charset=utf-8" }))
        assert.include(finding, {
          status: "failed",
          found: `HTTP ${code} with a page of HTML, "Welcome to nginx!": a proxy or a web server answers, not a collector`
        })
      }
      const unlabelled = yield* answered(status(200, page))
      assert.strictEqual(unlabelled.status, "failed")
    })
  )

  it.effect("a redirect is not followed: where it leads, without its secrets", () =>
    Effect.gen(function* () {
      const https = yield* answered(
        status(308, "", { location: "https://user:hunter2@vendor.example/v1/traces?key=hunter2" })
      )
      assert.include(https, {
        status: "failed",
        todo: "set OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=https://vendor.example/v1/traces"
      })
      assert.notInclude(JSON.stringify(https), "hunter2")
      assert.include((yield* answered(status(302, "", { location: "/login?next=x" }))).todo, "log in")
    })
  )

  it.effect("400: http to a port of https, and one that refuses only what is empty", () =>
    Effect.gen(function* () {
      const text = "Client sent an HTTP request to an HTTPS server."
      const secure = yield* answered(status(400, text, { "content-type": "text/plain" }))
      assert.include(secure, { status: "failed", todo: "write https:// instead of http://" })
      assert.strictEqual((yield* answered(status(400))).status, "warning")
    })
  )

  it.effect("a gRPC server", () =>
    Effect.gen(function* () {
      const server = yield* Effect.acquireRelease(
        Effect.callback<http2.Http2Server>((resume) => {
          const made = http2.createServer()
          made.on("sessionError", () => {})
          made.on("session", (session) => session.on("error", () => {}))
          made.listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
        }),
        (made) => Effect.sync(() => made.close())
      )
      const { port } = server.address() as AddressInfo
      const { finding } = yield* ask({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` })
      assert.include(finding, {
        status: "failed",
        found: "the server speaks gRPC (HTTP/2), and the exporter OTLP over HTTP",
        todo: "use the collector's port of OTLP over HTTP, usually 4318 instead of 4317"
      })
    }).pipe(Effect.scoped)
  )

  it.effect("a server that speaks TLS", () =>
    Effect.gen(function* () {
      const receiver = yield* Receiver.scoped({ tls: certificates.server })
      const { finding } = yield* ask({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint.replace("https:", "http:") })
      assert.include(finding, {
        status: "failed",
        found: "the server speaks TLS",
        todo: "write https:// instead of http://"
      })
    }).pipe(Effect.scoped)
  )

  it.effect("one that hangs, resets, or speaks no HTTP", () =>
    Effect.gen(function* () {
      const receiver = yield* Receiver.scoped()
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint }
      receiver.answer(Receiver.hang)
      const hanging = yield* ask(env, 200)
      assert.include(hanging.finding, { status: "failed", found: "connected, but there was no answer within 200 ms" })
      for (const answer of [Receiver.reset, Receiver.notHttp]) {
        receiver.answer(answer)
        const { finding } = yield* ask(env, 500)
        assert.include(finding.found, "no answer of HTTP")
      }
    }).pipe(Effect.scoped)
  )

  it.effect("a partial success with words is a warning", () =>
    Effect.gen(function* () {
      const receiver = yield* Receiver.scoped()
      receiver.answer(Receiver.partial(0, "deprecated"))
      const { finding } = yield* ask({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint })
      assert.strictEqual(finding.status, "warning")
      assert.include(finding.found, '"deprecated"')
    }).pipe(Effect.scoped)
  )
})

describe("clock", () => {
  const at = Date.UTC(2026, 0, 1, 12, 0, 0)
  const answer = (date: string | undefined): Probe.Answer => ({
    _tag: "Answer",
    status: 200,
    headers: date === undefined ? {} : { date },
    body: Buffer.alloc(0),
    millis: 10,
    at
  })

  it("agrees, is ahead, is behind, is not told", () => {
    assert.strictEqual(Check.clock(answer(new Date(at).toUTCString())).status, "ok")
    assert.include(Check.clock(answer(new Date(at - 120_000).toUTCString())), {
      status: "warning",
      found: "this machine is 120 s ahead of the server"
    })
    assert.include(Check.clock(answer(new Date(at + 3_600_000).toUTCString())).found, "s behind the server")
    assert.strictEqual(Check.clock(answer(undefined)).status, "skipped")
    assert.strictEqual(Check.clock(answer("yesterday")).status, "skipped")
  })
})
