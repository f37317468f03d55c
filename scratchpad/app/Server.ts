/**
 * The HTTP server: every route, behind the middleware that traces requests.
 *
 * `HttpServer.layer` of the library is all that tracing needs here: it stands between the router and Node's server.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Data, Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import * as TracedHttpServer from "effect-telemetry/http/HttpServer"
import { createServer } from "node:http"
import * as AccessLog from "./AccessLog.ts"
import * as Audio from "./Api/Audio.ts"
import * as Failures from "./Api/Failures.ts"
import * as Feed from "./Api/Feed.ts"
import * as Identity from "./Api/Identity.ts"
import * as Posts from "./Api/Posts.ts"
import * as Recommendations from "./Api/Recommendations.ts"
import * as Search from "./Api/Search.ts"
import * as Start from "./Api/Start.ts"
import * as Users from "./Api/Users.ts"

/** Every route. */
export const routes = Layer.mergeAll(
  Start.routes,
  Users.routes,
  Feed.routes,
  Posts.routes,
  Audio.routes,
  Search.routes,
  Recommendations.routes,
  Identity.middleware,
  Failures.middleware
)

/** Serves the routes through the traced server below. */
export const served = Layer.unwrap(
  Effect.map(AccessLog.AccessLog, (accessLog) =>
    HttpRouter.serve(routes, {
      disableListenLog: true,
      disableLogger: true,
      ...(accessLog ? { middleware: AccessLog.middleware } : {})
    }).pipe(Layer.provide(TracedHttpServer.layer), Layer.provide(AccessLog.layerProbesUntraced))
  )
)

/** The port cannot be listened on, and what to do about it. */
export class PortError extends Data.TaggedError("PortError")<{ readonly message: string }> {}

/**
 * Listens on a port, at once, so that a port that is taken is known before anything else is started. Until the routes are
 * served, it answers 503.
 */
export const listening = (options: { readonly host: string; readonly port: number }) => {
  const server = createServer()
  server.on("request", (_, response) => {
    if (server.listenerCount("request") === 1) response.writeHead(503, { "retry-after": "1" }).end("starting\n")
  })
  return Layer.effectContext(
    Layer.build(NodeHttpServer.layer(() => server, { ...options, gracefulShutdownTimeout: "3 seconds" })).pipe(
      Effect.mapError(({ cause }) => portError(options, cause)),
      // Whoever still holds a connection when the server closes does not hold up the end.
      Effect.tap(() => Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections())))
    )
  )
}

const portError = ({ host, port }: { readonly host: string; readonly port: number }, cause: unknown): PortError => {
  const code = (cause as { readonly code?: unknown } | undefined)?.code
  const another = `choose another: PORT=${port < 65_535 ? port + 1 : 3000} npm start (PORT=0 takes any that is free)`
  switch (code) {
    case "EADDRINUSE":
      return new PortError({ message: `port ${port} is taken by another program; ${another}` })
    case "EACCES":
      return new PortError({ message: `port ${port} is not for this user to listen on; ${another}` })
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new PortError({ message: `HOST=${host} is no address of this machine; expected one such as 127.0.0.1` })
    default:
      return new PortError({ message: `cannot listen on ${host}, port ${port}: ${String(code ?? cause)}` })
  }
}
