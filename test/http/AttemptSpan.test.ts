import { assert, describe, it } from "@effect/vitest"
import { context } from "@opentelemetry/api"
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks"
import { isTracingSuppressed } from "@opentelemetry/core"
import * as Effect from "effect/Effect"
import * as Tracer from "effect/Tracer"
import * as AttemptSpan from "../../src/http/AttemptSpan.ts"
import { ResendCount } from "../../src/operation/ResendCount.ts"
import { fromStatus, Unavailable } from "../../src/operation/Reason.ts"
import * as Correlation from "../../src/propagation/Correlation.ts"
import * as Trust from "../../src/propagation/Trust.ts"
import * as TestTelemetry from "../../src/testing/TestTelemetry.ts"

const url = new URL("http://user:secret@search.test:9200/posts/_doc/1?routing=a&api_key=hush")

describe("AttemptSpan", () => {
  it.effect("is a client span with the attributes of HTTP, and gives the headers that carry it", () =>
    Effect.gen(function* () {
      const headers = yield* AttemptSpan.attempt("PUT", (attempt) =>
        Effect.sync(() => {
          const sent = attempt.sentTo(url)
          attempt.answered(201)
          return sent
        })
      ).pipe(Effect.provideService(ResendCount, 2), Effect.withSpan("es.index"))
      const trace = yield* TestTelemetry.expectTrace({
        name: "es.index",
        children: [
          {
            name: "PUT",
            kind: "client",
            status: "unset",
            attributes: {
              "http.request.method": "PUT",
              "url.full": /^http:\/\/.*search\.test:9200\/posts\/_doc\/1\?routing=a&api_key=REDACTED$/,
              "server.address": "search.test",
              "server.port": 9200,
              "http.response.status_code": 201,
              "http.request.resend_count": 2,
              "error.type": undefined
            }
          }
        ]
      })
      const child = trace.children[0]!
      assert.notInclude(String(child.attributes["url.full"]), "secret")
      assert.match(headers["traceparent"]!, new RegExp(`^00-${child.traceId}-${child.spanId}-0[13]$`))
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )

  it.effect("a bad status is an error of the span, whatever the client makes of it", () =>
    Effect.gen(function* () {
      for (const send of [Effect.void, Effect.fail(fromStatus(404, { message: "no such index" }))]) {
        yield* TestTelemetry.clear
        yield* AttemptSpan.attempt("GET", (attempt) => {
          attempt.sentTo(url)
          attempt.answered(404)
          return send
        }).pipe(Effect.ignore)
        yield* TestTelemetry.expectTrace({
          name: "GET",
          status: "error",
          attributes: { "error.type": "404", "http.response.status_code": 404 }
        })
      }
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )

  it.effect("a status that is expected is recorded, and no error", () =>
    Effect.gen(function* () {
      yield* AttemptSpan.attempt("GET", (attempt) => Effect.sync(() => attempt.answered(404, true)))
      yield* TestTelemetry.expectTrace({
        name: "GET",
        status: "unset",
        attributes: { "error.type": "404", "http.response.status_code": 404 }
      })
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )

  it.effect("without an answer it ends as the effect does", () =>
    Effect.gen(function* () {
      const reason = new Unavailable({ message: "the connection failed (ECONNRESET)" })
      yield* AttemptSpan.attempt("GET", () => Effect.fail(reason)).pipe(Effect.ignore)
      yield* TestTelemetry.expectTrace({
        name: "GET",
        status: "error",
        attributes: { "error.type": "Unavailable", "http.response.status_code": undefined, "url.full": undefined }
      })
      yield* TestTelemetry.clear
      yield* Effect.exit(AttemptSpan.attempt("GET", () => Effect.interrupt))
      yield* TestTelemetry.expectTrace({
        name: "GET",
        status: "unset",
        attributes: { "effect.fiber.interrupted": true }
      })
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )

  it.effect("ids go to every host, baggage to trusted ones", () =>
    Effect.gen(function* () {
      const headersTo = (host: string) =>
        AttemptSpan.attempt("GET", (attempt) => Effect.sync(() => attempt.sentTo(new URL(`http://${host}/`)))).pipe(
          Correlation.provide({ correlationId: "c-1", userId: "u-1" })
        )
      const stranger = yield* headersTo("stranger.test")
      assert.strictEqual(stranger["x-correlation-id"], "c-1")
      assert.strictEqual(stranger["baggage"], undefined)
      assert.include((yield* headersTo("es.internal"))["baggage"]!, "user.id=u-1")
    }).pipe(Effect.provide([TestTelemetry.layer(), Trust.layer({ hosts: ["*.internal"] })]))
  )

  it.effect("with tracing off the caller's trace goes on; with propagation disabled nothing does", () =>
    Effect.gen(function* () {
      const parent = Tracer.externalSpan({ traceId: "1".repeat(32), spanId: "2".repeat(16), sampled: true })
      const send = AttemptSpan.attempt("GET", (attempt) => Effect.sync(() => attempt.sentTo(url)))
      const off = yield* Effect.withParentSpan(send, parent)
      assert.strictEqual(off["traceparent"], `00-${"1".repeat(32)}-${"2".repeat(16)}-01`)
      const disabled = yield* Effect.provideService(send, Tracer.DisablePropagation, true)
      assert.deepStrictEqual(disabled, {})
    })
  )

  it("keeps the instrumentations of others silent, across promises", async () => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager())
    try {
      const inside = await AttemptSpan.quietly(async () => {
        await Promise.resolve()
        return isTracingSuppressed(context.active())
      })
      assert.strictEqual(inside, true)
      assert.strictEqual(isTracingSuppressed(context.active()), false)
    } finally {
      context.disable()
    }
  })
})
