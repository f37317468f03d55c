/**
 * What an agent and a gateway cost, measured with the real Collector: processor time a span, and memory at most.
 *
 *   npm run services -- run collector -- node --conditions=source deploy/production/measure-collectors.ts
 *
 * Requests of five spans, with the attributes of ours, go through one agent and one gateway, as fast as they are taken; the gateway
 * keeps a tenth. Linux only: it reads /proc.
 */
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"
import * as Telemetry from "effect-telemetry/Telemetry"
import { collector, freePort } from "../../test/services-real/collectors.ts"

const binary = process.env["TEST_COLLECTOR_BINARY"]
const traces = 60_000

/** Seconds of processor time, and MiB at most. */
const costOf = (pid: number) => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ")
  const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]
  return { seconds: (Number(fields[11]) + Number(fields[12])) / 100, mib: Math.round(Number(peak) / 1024) }
}

const statement = Effect.void.pipe(
  Effect.withSpan("db.select", {
    kind: "client",
    attributes: {
      "db.system.name": "postgresql",
      "db.namespace": "app",
      "db.operation.name": "SELECT",
      "db.collection.name": "posts",
      "db.query.summary": "SELECT posts",
      "db.query.text": 'SELECT * FROM "posts" WHERE "author_id" = $1 ORDER BY "created_at" DESC LIMIT $2',
      "server.address": "postgres",
      "server.port": 5432
    }
  })
)
const request = Effect.all([statement, statement, statement], { discard: true }).pipe(
  Effect.withSpan("feed.get", { attributes: { "feed.type": "timeline", "feed.limit": 10, "feed.offset": 0 } }),
  Effect.withSpan("GET /api/v1/feed", {
    kind: "server",
    attributes: {
      "http.request.method": "GET",
      "http.route": "/api/v1/feed",
      "url.path": "/api/v1/feed",
      "url.scheme": "http",
      "http.response.status_code": 200,
      "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    }
  })
)

const backend = Effect.acquireRelease(
  Effect.promise(async () => {
    const server = createServer((incoming, response) => {
      incoming.resume().on("end", () => response.writeHead(200, { "content-type": "application/x-protobuf" }).end())
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
  }),
  ({ server }) => Effect.sync(() => server.close())
)

const program = Effect.gen(function* () {
  if (binary === undefined) return yield* Effect.die("TEST_COLLECTOR_BINARY is not set: see the top of this file")
  const [{ endpoint }, gatewayPort, agentPort] = [yield* backend, yield* freePort, yield* freePort]
  const gateway = yield* collector(binary, ["production/collector-gateway.yaml"], {
    OTLP_GRPC_ENDPOINT: `127.0.0.1:${gatewayPort}`,
    BACKEND_ENDPOINT: endpoint,
    KEEP_PERCENT: "10",
    // None is decided before its time because there is no room.
    NUM_TRACES: String(2 * traces)
  })
  const agent = yield* collector(binary, ["production/collector-agent.yaml"], {
    OTLP_HTTP_ENDPOINT: `127.0.0.1:${agentPort}`,
    GATEWAYS: `[127.0.0.1:${gatewayPort}]`
  })
  const begun = [agent, gateway].map(({ pid }) => costOf(pid))
  const started = performance.now()
  // Each thousand waits until it is taken: what is measured is the Collector, not what its senders' memory holds.
  const thousand = Effect.andThen(
    Effect.forEach(Array.from({ length: 1000 }), () => request, { discard: true }),
    Telemetry.flush("30 seconds")
  )
  const { exported: spans } = yield* Effect.forEach(Array.from({ length: traces / 1000 }), () => thousand).pipe(
    Effect.andThen(Telemetry.status),
    Effect.provide(
      Telemetry.layer({
        enabled: true,
        serviceName: "measured",
        endpoint: `http://127.0.0.1:${agentPort}`,
        flushOnSignals: false,
        logs: "off"
      })
    )
  )
  const took = (performance.now() - started) / 1000
  // Decisions wait for ten seconds; then what is kept is sent on.
  yield* Effect.sleep("15 seconds")
  process.stdout.write(`${spans} of ${traces * 5} spans taken in ${took.toFixed(1)} s\n`)
  for (const [at, name] of ["agent", "gateway"].entries()) {
    const { mib, seconds } = costOf([agent, gateway][at]!.pid)
    const idle = begun[at]!
    const each = ((seconds - idle.seconds) / spans) * 1e6
    process.stdout.write(
      `${name}: ${each.toFixed(1)} µs of processor time a span, ${mib} MiB at most (${idle.mib} idle)\n`
    )
  }
})

await Effect.runPromise(Effect.scoped(program))
