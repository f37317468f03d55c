import * as http from "node:http"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Lookup from "../../src/cli/lookup.ts"
import * as Receiver from "../support/OtlpReceiver.ts"
import { config, examine, run, serve } from "./support.ts"

const trace = { traceId: "0af7651916cd43dd8448eb211c80319c", spans: 2 }

/** Jaeger's query service, as far as `/api/traces/{id}` goes. */
const jaegerBody = (spans: number) =>
  JSON.stringify({
    data: [
      {
        traceID: trace.traceId,
        spans: Array.from({ length: spans }, (_, at) => ({ spanID: String(at) })),
        processes: {}
      }
    ],
    total: 0,
    errors: null
  })
const jaegerNone = JSON.stringify({ data: null, total: 0, errors: [{ code: 404, msg: "trace not found" }] })
const tempoBody = (spans: number) =>
  JSON.stringify({ batches: [{ resource: {}, scopeSpans: [{ spans: Array.from({ length: spans }, () => ({})) }] }] })

const json = (response: http.ServerResponse, status: number, body: string): void =>
  void response.writeHead(status, { "content-type": "application/json" }).end(body)

const find = (
  backend: Lookup.Backend,
  listener: http.RequestListener,
  env: Record<string, string> = {},
  wait = 0,
  user = ""
) =>
  Effect.gen(function* () {
    const { url } = yield* serve(listener)
    const query = Lookup.parseQuery(backend, url.replace("http://", `http://${user}`))
    if (typeof query === "string") throw new Error(query)
    return yield* Lookup.find(query, config(env), trace, wait)
  }).pipe(Effect.scoped)

describe("an address of queries", () => {
  it("is read, with its credentials apart", () => {
    const query = Lookup.parseQuery("jaeger", "https://me:hunter%402@jaeger.example/base/?x=1")
    assert.deepStrictEqual(query, {
      backend: "jaeger",
      base: "https://jaeger.example/base",
      headers: { authorization: `Basic ${Buffer.from("me:hunter@2").toString("base64")}` }
    })
    assert.strictEqual(Lookup.placeOf(query as Lookup.Query, "abc"), "https://jaeger.example/base/trace/abc")
    assert.include(Lookup.parseQuery("tempo", "localhost:3200") as Lookup.Query, { base: "http://localhost:3200" })
    assert.strictEqual(Lookup.parseQuery("tempo", "ftp://x"), "not an http: or https: URL")
    assert.strictEqual(Lookup.parseQuery("tempo", "http://"), "not a URL")
  })
})

describe("looking a trace up", () => {
  it.live("Jaeger has it after a while", () =>
    Effect.gen(function* () {
      let asked = 0
      const paths: Array<string | undefined> = []
      const finding = yield* find(
        "jaeger",
        (request, response) => {
          paths.push(request.url)
          asked++
          if (asked === 1) json(response, 404, jaegerNone)
          else json(response, 200, jaegerBody(asked - 1))
        },
        {},
        10_000
      )
      assert.strictEqual(finding.status, "ok")
      assert.include(finding.found, `trace ${trace.traceId} is there, with 2 spans`)
      assert.deepStrictEqual([...new Set(paths)], [`/api/traces/${trace.traceId}`])
    })
  )

  it.live("Tempo has it, under the tenant of the export and with the credentials of the address", () =>
    Effect.gen(function* () {
      let headers: http.IncomingHttpHeaders = {}
      const finding = yield* find(
        "tempo",
        (request, response) => {
          headers = request.headers
          json(response, 200, tempoBody(2))
        },
        { OTEL_EXPORTER_OTLP_HEADERS: "X-Scope-OrgID=team,authorization=Bearer%20hunter2" },
        0,
        "me:key@"
      )
      assert.strictEqual(finding.status, "ok")
      assert.strictEqual(headers["x-scope-orgid"], "team")
      assert.strictEqual(headers.authorization, `Basic ${Buffer.from("me:key").toString("base64")}`)
    })
  )

  it.live("not there, only in part, a page of HTML, refused, no JSON, nobody", () =>
    Effect.gen(function* () {
      const none = yield* find("jaeger", (_, response) => json(response, 404, jaegerNone))
      assert.strictEqual(none.status, "failed")
      assert.include(none.found, `the collector took trace ${trace.traceId}, but`)
      assert.include(none.found, "HTTP 404")
      assert.include((yield* find("tempo", (_, response) => json(response, 200, tempoBody(1)))).found, "1 of 2 spans")
      const page = yield* find("jaeger", (_, response) => response.end("<!doctype html><html></html>"))
      assert.include(page.found, "a page of HTML")
      assert.include(page.todo, "--jaeger http://localhost:16686")
      assert.include((yield* find("tempo", (_, response) => json(response, 401, ""))).todo, "user and key")
      assert.include((yield* find("tempo", (_, response) => json(response, 200, "no"))).found, "not JSON")
      assert.include((yield* find("tempo", (_, response) => json(response, 400, ""))).found, "HTTP 400")
      const query = Lookup.parseQuery("tempo", "http://127.0.0.1:9") as Lookup.Query
      assert.include((yield* Lookup.find(query, config(), trace, 0)).found, "cannot be asked: connect ECONNREFUSED")
    })
  )
})

describe("doctor with a backend", () => {
  /** A backend that has what the collector took. */
  const backend = (receiver: Receiver.OtlpReceiver, body: (spans: number) => string) =>
    serve((request, response) => {
      const id = request.url!.split("/").at(-1)
      const { length } = receiver.spans.filter((span) => span.traceId === id)
      if (length === 0) json(response, 404, jaegerNone)
      else json(response, 200, body(length))
    })

  it.effect("finds the test trace in both", () =>
    Effect.gen(function* () {
      const receiver = yield* Receiver.scoped()
      const jaeger = yield* backend(receiver, jaegerBody)
      const tempo = yield* backend(receiver, tempoBody)
      const report = yield* examine({ OTEL_ENABLED: "true", OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint }, [
        "--jaeger",
        jaeger.url,
        "--tempo",
        tempo.url
      ])
      assert.strictEqual(report.code, 0)
      assert.deepStrictEqual(
        [...report.of("tempo"), ...report.of("jaeger")].map(({ status }) => status),
        ["ok", "ok"]
      )
    }).pipe(Effect.scoped)
  )

  it.effect("fails where the collector took it and the backend does not have it", () =>
    Effect.gen(function* () {
      const receiver = yield* Receiver.scoped()
      const { url } = yield* serve((_, response) => json(response, 404, jaegerNone))
      const env = { OTEL_ENABLED: "true", OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint }
      const report = yield* examine(env, ["--jaeger", url, "--wait", "0"])
      assert.strictEqual(report.code, 1)
      assert.include(report.of("jaeger")[0]!, { status: "failed" })
    }).pipe(Effect.scoped)
  )

  it.effect("an address that is none is a mistake of usage, and is not shown", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* run(["doctor", "--tempo", "ftp://me:hunter2@x"])
      assert.strictEqual(code, 2)
      assert.strictEqual(stderr, "effect-telemetry: --tempo is no address: not an http: or https: URL\n")
    })
  )
})
