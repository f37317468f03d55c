/** The production Collectors with TLS laid over them, from the application to the backend: who has no certificate gets nowhere. */
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Telemetry from "../../src/Telemetry.ts"
import { ca, server as certificate } from "../support/certificates.ts"
import { collector, freePort, until, validate } from "./collectors.ts"
import { realServer } from "./support.ts"

const pem = (name: string) => fileURLToPath(new URL(`../support/tls/${name}`, import.meta.url))
const tls = (name: string) => ({ CA_FILE: pem("ca.pem"), CERT_FILE: pem(`${name}.pem`), KEY_FILE: pem(`${name}.key`) })

/** Something that takes traces over TLS from whoever has a certificate, and remembers who it was. */
const backend = Effect.acquireRelease(
  Effect.promise(async () => {
    const requests: Array<{
      readonly path: string
      readonly authorization: string | undefined
      readonly bytes: number
    }> = []
    const server = createServer(
      { ...certificate, ca, requestCert: true, rejectUnauthorized: true },
      (request, response) => {
        let bytes = 0
        request.on("data", (chunk: Buffer) => (bytes += chunk.byteLength))
        request.on("end", () => {
          requests.push({ path: request.url!, authorization: request.headers.authorization, bytes })
          response.writeHead(200, { "content-type": "application/x-protobuf" }).end()
        })
      }
    )
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    return { server, requests, endpoint: `https://127.0.0.1:${(server.address() as AddressInfo).port}` }
  }),
  ({ server }) =>
    Effect.promise(() => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    })
)

realServer("TEST_COLLECTOR_BINARY")("the production Collectors with TLS", ({ TEST_COLLECTOR_BINARY }) => {
  it.live(
    "know each other by their certificates, all the way",
    () =>
      Effect.gen(function* () {
        const [{ endpoint, requests }, gateway, agent] = [yield* backend, yield* freePort, yield* freePort]
        yield* collector(TEST_COLLECTOR_BINARY, ["production/collector-gateway.yaml", "production/gateway-tls.yaml"], {
          ...tls("server"),
          OTLP_GRPC_ENDPOINT: `127.0.0.1:${gateway}`,
          BACKEND_ENDPOINT: endpoint,
          BACKEND_CA_FILE: pem("ca.pem"),
          BACKEND_AUTHORIZATION: "Bearer of-the-backend",
          DECISION_WAIT: "1s",
          KEEP_PERCENT: "100"
        })
        yield* collector(TEST_COLLECTOR_BINARY, ["production/collector-agent.yaml", "production/agent-tls.yaml"], {
          ...tls("server"),
          OTLP_HTTP_ENDPOINT: `127.0.0.1:${agent}`,
          GATEWAYS: `[127.0.0.1:${gateway}]`,
          GATEWAY_SERVER_NAME: "localhost"
        })
        const send = (options: Telemetry.Options) =>
          Effect.void.pipe(
            Effect.withSpan("sent"),
            Effect.andThen(Telemetry.flush("3 seconds")),
            Effect.provide(
              Telemetry.layer({
                enabled: true,
                serviceName: "tls",
                endpoint: `https://127.0.0.1:${agent}`,
                flushOnSignals: false,
                logs: "off",
                shutdownTimeout: "100 millis",
                ...options
              })
            )
          )
        const certified = {
          certificate: pem("ca.pem"),
          clientCertificate: pem("client.pem"),
          clientKey: pem("client.key")
        }
        const stranger = yield* send({ certificate: pem("ca.pem") })
        assert.strictEqual(stranger.exported, 0, "no certificate")
        const known = yield* send(certified)
        assert.deepInclude(known, { complete: true, exported: 1 })

        yield* until("the trace at the backend", () => requests.length > 0)
        assert.deepStrictEqual(requests[0]!.path, "/v1/traces")
        assert.strictEqual(requests[0]!.authorization, "Bearer of-the-backend")
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )

  it("take the gateways' names from DNS, where that is laid over", () => {
    const environment = { GATEWAYS_HOSTNAME: "gateways.internal", GATEWAYS: "[a:1]", QUEUE_DIRECTORY: "/tmp/unused" }
    const agent = ["production/collector-agent.yaml", "production/agent-dns.yaml"]
    assert.strictEqual(validate(TEST_COLLECTOR_BINARY, agent, environment), "")
    const all = [...agent, "production/agent-tls.yaml"]
    assert.strictEqual(validate(TEST_COLLECTOR_BINARY, all, { ...environment, ...tls("server") }), "")
    // That something is validated at all:
    assert.notStrictEqual(validate(TEST_COLLECTOR_BINARY, agent, { ...environment, GATEWAYS_HOSTNAME: "" }), "")
  })
})
