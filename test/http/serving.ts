/** What tests of HTTP in share: a server of its own for each test, and our tracer beside it. */
import { NodeHttpServer } from "@effect/platform-node"
import { it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Server from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import { createServer } from "node:http"
import * as HttpServer from "../../src/http/HttpServer.ts"
import * as TestTelemetry from "../../src/testing/TestTelemetry.ts"

export const text = (body: string) => HttpServerResponse.text(body)

/** Starts a server and gives its port. */
export const start = <E>(
  routes: Layer.Layer<never, E, HttpRouter.HttpRouter>,
  options?: Parameters<typeof HttpRouter.serve>[1]
) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(
      HttpRouter.serve(routes, { disableListenLog: true, disableLogger: true, ...options } as never).pipe(
        Layer.provideMerge(HttpServer.layer),
        Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
      ) as unknown as Layer.Layer<Server.HttpServer>
    )
    const address = Context.get(context, Server.HttpServer).address
    return "port" in address ? address.port : 0
  })

/** A route. */
export const get = (
  path: "*" | `/${string}`,
  handler: Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, any>
) => HttpRouter.add("GET", path as "/", handler) as unknown as Layer.Layer<never, never, HttpRouter.HttpRouter>

/** A test with a tracer of its own, in real time. */
export const test = <A, E>(name: string, body: () => Effect.Effect<A, E, any>, options?: TestTelemetry.Options) =>
  it.live(name, () => Effect.scoped(body()).pipe(Effect.provide(TestTelemetry.layer(options))) as Effect.Effect<A, E>)
