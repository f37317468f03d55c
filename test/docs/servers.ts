/** What stands in the place of a collector, by the name that a page gives it. */
import * as http2 from "node:http2"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { serve, unusedPort } from "../cli/support.ts"
import * as Receiver from "../support/OtlpReceiver.ts"

type Port = Effect.Effect<number, never, Scope.Scope>

const answering = (answer: Receiver.Answer): Port =>
  Effect.map(Receiver.scoped(), (receiver) => {
    receiver.answer(answer)
    return receiver.port
  })

export const servers: Readonly<Record<string, Port>> = {
  takes: answering(
    Receiver.byRequest(({ path }) =>
      path === "/v1/traces"
        ? Receiver.ok
        : ({ response }) => {
            response.writeHead(404).end()
          }
    )
  ),
  none: unusedPort,
  hangs: answering(Receiver.hang),
  unauthorized: Effect.map(
    serve((request, response) => {
      request.resume()
      response.writeHead(401).end()
    }),
    ({ port }) => port
  ),
  html: Effect.map(
    serve((request, response) => {
      request.resume()
      response.writeHead(200, { "content-type": "text/html" }).end("<html><title>Sign in</title></html>")
    }),
    ({ port }) => port
  ),
  jaeger: answering(Receiver.ok),
  grpc: Effect.map(
    Effect.acquireRelease(
      Effect.callback<http2.Http2Server>((resume) => {
        const server = http2.createServer()
        server.on("sessionError", () => {})
        server.on("session", (session) => session.on("error", () => {}))
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.sync(() => server.close())
    ),
    (server) => (server.address() as AddressInfo).port
  )
}
