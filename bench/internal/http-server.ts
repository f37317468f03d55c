/**
 * The HTTP server of one peer: a route whose handler makes five client spans. Tells its port, and its CPU time and memory
 * when it is asked.
 *
 *     http-server.ts PEER
 */
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as Server from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type * as TracedHttpServer from "../../src/http/HttpServer.ts"
import { load } from "./library.ts"
import * as effect from "./peers/effect.ts"
import { route } from "./workload.ts"

export interface Usage {
  /** Microseconds of CPU time since the process began. */
  readonly cpu: number
  readonly rss: number
}

const endpoint = `${process.env["BENCH_SINK"]!}/v1/traces`

type Front = Layer.Layer<Server.HttpServer, never, Server.HttpServer>

/** Our server span; or Effect's own, as it comes; or none at all. */
const ourFront = async (): Promise<Front> => (await load<typeof TracedHttpServer>("http/HttpServer")).layer
const asItComes: Front = Layer.effectContext(Effect.context<Server.HttpServer>()) as Front
const noSpan: Front = Layer.merge(
  asItComes,
  Layer.succeed(HttpMiddleware.TracerDisabledWhen, () => true)
)

interface Application {
  readonly spelling: Pick<effect.Spelling, "call">
  readonly tracing: effect.Tracing
  readonly front: Front
}

const ours = async (options: Parameters<typeof effect.telemetry>[0] = {}): Promise<Application> => ({
  spelling: await effect.ours(),
  tracing: await effect.telemetry({ tracesEndpoint: endpoint, ...options }),
  front: await ourFront()
})

const peers: Readonly<Record<string, () => Promise<Application>>> = {
  bare: async () => ({ spelling: effect.bare, tracing: effect.effectAlone, front: noSpan }),
  untraced: async () => ({ spelling: await effect.ours(), tracing: effect.effectAlone, front: asItComes }),
  ours: () => ours(),
  // Gives a collector up that does not answer, within the time that is measured.
  "ours-hasty": () => ours({ timeout: "1 second" }),
  "ours-tenth": () => ours({ samplerRate: 0.1, keepErrors: false }),
  "ours-off": () => ours({ enabled: false }),
  stock: async () => ({
    spelling: effect.plain,
    tracing: await effect.stock(endpoint, "http/protobuf"),
    front: asItComes
  })
}

const { front, spelling, tracing } = await peers[process.argv[2]!]!()
const routes = HttpRouter.add("GET", route, (request) =>
  Effect.map(effect.handler(spelling, request.url.length), (sum) => HttpServerResponse.text(`sum ${sum}`))
)
const server = createServer()
const live = HttpRouter.serve(routes, { disableListenLog: true, disableLogger: true }).pipe(
  Layer.provide(front),
  Layer.provide(NodeHttpServer.layer(() => server, { host: "127.0.0.1", port: 0 })),
  Layer.provide(tracing.layer)
)
await Effect.runPromise(Layer.buildWithScope(live as Layer.Layer<never>, Scope.makeUnsafe()))
process.on("message", () => {
  const { system, user } = process.cpuUsage()
  const usage: Usage = { cpu: user + system, rss: process.memoryUsage.rss() }
  process.send!(usage)
})
process.on("disconnect", () => process.exit())
process.send!({ port: (server.address() as { readonly port: number }).port })
