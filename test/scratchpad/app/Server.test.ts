import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as SqlError from "effect/sql/SqlError"
import { createServer } from "node:http"
import * as Failures from "../../../scratchpad/app/Api/Failures.ts"
import { listening } from "../../../scratchpad/app/Server.ts"
import * as TracedHttpServer from "../../../src/http/HttpServer.ts"
import { RateLimited, Unauthorized } from "../../../src/operation/Reason.ts"
import { ServiceError } from "../../../src/operation/ServiceError.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"
import { ask, expectTrace } from "../support.ts"

class GeoError extends ServiceError("GeoError", "geo") {}

/** What a route that goes wrong in this way answers, behind the middleware of the application. */
const answerOf = (failure: Effect.Effect<never, unknown>) => {
  const served = HttpRouter.serve(
    Layer.merge(HttpRouter.add("GET", "/it", failure as Effect.Effect<never>), Failures.middleware),
    { disableListenLog: true, disableLogger: true }
  ).pipe(Layer.provide(TracedHttpServer.layer))
  return Layer.provideMerge(served, NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
}

const unreachable = new SqlError.SqlError({
  reason: new SqlError.ConnectionError({
    cause: new Error("connect ECONNREFUSED"),
    message: "s3cret",
    operation: "connect"
  })
})

describe("failures become responses", () => {
  it.live.each([
    ["a database that is away", Effect.fail(unreachable), 503, "1", "ConnectionError"],
    [
      "a service that asks to wait",
      Effect.fail(new GeoError({ operation: "locate", reason: new RateLimited({ message: "s3cret" }) })),
      503,
      "1",
      "RateLimited"
    ],
    [
      "a service that refuses us",
      Effect.fail(new GeoError({ operation: "locate", reason: new Unauthorized({ message: "s3cret" }) })),
      502,
      null,
      "Unauthorized"
    ],
    ["a defect", Effect.die(new TypeError("s3cret")), 500, null, "TypeError"],
    ["a failure of no kind", Effect.fail("s3cret"), 500, null, /./]
  ] as const)("%s", ([, failure, status, retryAfter, type]) =>
    Effect.gen(function* () {
      const answer = yield* ask("/it")
      assert.strictEqual(answer.status, status)
      assert.strictEqual(answer.headers.get("retry-after"), retryAfter)
      assert.notInclude(answer.text, "s3cret", "what went wrong stands in the trace, not in the answer")
      yield* expectTrace({
        name: "GET /it",
        status: "error",
        attributes: { "http.response.status_code": status, "error.type": type }
      })
    }).pipe(Effect.provide(answerOf(failure)), Effect.provide(TestTelemetry.layer()))
  )
})

describe("listening", () => {
  it.live("answers 503 until the routes are served", () =>
    Effect.gen(function* () {
      const context = yield* Layer.build(listening({ host: "127.0.0.1", port: 0 }))
      const { address } = Context.get(context, HttpServer.HttpServer)
      const response = yield* Effect.promise(() => fetch(HttpServer.formatAddress(address)))
      assert.strictEqual(response.status, 503)
      assert.strictEqual(response.headers.get("retry-after"), "1")
    }).pipe(Effect.scoped)
  )

  it.live("says why it cannot", () =>
    Effect.gen(function* () {
      const context = yield* Layer.build(listening({ host: "127.0.0.1", port: 0 }))
      const { address } = Context.get(context, HttpServer.HttpServer)
      const port = "port" in address ? address.port : 0
      const error = yield* Effect.flip(Layer.build(listening({ host: "127.0.0.1", port })))
      assert.include(error.message, `port ${port} is taken by another program`)
      const nowhere = yield* Effect.flip(Layer.build(listening({ host: "192.0.2.1", port: 0 })))
      assert.include(nowhere.message, "HOST=192.0.2.1 is no address of this machine")
    }).pipe(Effect.scoped)
  )
})
