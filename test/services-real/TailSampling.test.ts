import { spawn, spawnSync } from "node:child_process"
import { createServer, type AddressInfo } from "node:net"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Telemetry from "../../src/Telemetry.ts"
import * as Propagators from "../../src/propagation/Propagators.ts"
import * as OtlpReceiver from "../support/OtlpReceiver.ts"
import { realServer } from "./support.ts"

class Broken extends Data.TaggedError("Broken")<{ readonly message: string }> {}

const configuration = (name: string) => fileURLToPath(new URL(`../../deploy/production/${name}`, import.meta.url))

const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "tail-sampling-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** Runs a Collector until the scope closes; ready once its health check says so. */
const collector = (binary: string, config: string, environment: Record<string, string>) =>
  Effect.gen(function* () {
    const [health, directory] = [yield* freePort, yield* folder]
    const env = {
      ...process.env,
      HEALTH_ENDPOINT: `127.0.0.1:${health}`,
      QUEUE_DIRECTORY: join(directory, "queue"),
      ...environment
    }
    const checked = spawnSync(binary, ["validate", "--config", config], { env, encoding: "utf8" })
    assert.strictEqual(checked.status, 0, checked.stderr)
    let said = ""
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const running = spawn(binary, ["--config", config], { env, stdio: ["ignore", "pipe", "pipe"] })
        running.stderr.on("data", (data) => (said += String(data)))
        return running
      }),
      (running) =>
        Effect.callback<void>((resume) => {
          running.on("exit", () => resume(Effect.void))
          running.kill("SIGTERM")
        })
    )
    for (let i = 0; ; i++) {
      const healthy = yield* Effect.tryPromise(() => fetch(`http://127.0.0.1:${health}/`)).pipe(
        Effect.map((response) => response.ok),
        Effect.orElseSucceed(() => false)
      )
      if (healthy) return
      if (i > 200) return yield* Effect.die(new Error(`the Collector does not become ready:\n${said.slice(-2000)}`))
      yield* Effect.sleep("50 millis")
    }
  })

realServer("TEST_COLLECTOR_BINARY")("the production Collectors", ({ TEST_COLLECTOR_BINARY }) => {
  it.live(
    "keep errors and slow traces whole across two services, and a share of the others",
    () =>
      Effect.gen(function* () {
        const backend = yield* Effect.acquireRelease(
          Effect.promise(() => OtlpReceiver.OtlpReceiver.make()),
          (made) => Effect.promise(() => made.close())
        )
        const ports = [yield* freePort, yield* freePort] as const
        for (const port of ports) {
          yield* collector(TEST_COLLECTOR_BINARY, configuration("collector-gateway.yaml"), {
            OTLP_GRPC_ENDPOINT: `127.0.0.1:${port}`,
            BACKEND_ENDPOINT: backend.endpoint,
            DECISION_WAIT: "2s",
            SLOWER_THAN_MS: "300",
            KEEP_PERCENT: "20"
          })
        }
        const agent = yield* freePort
        yield* collector(TEST_COLLECTOR_BINARY, configuration("collector-agent.yaml"), {
          OTLP_HTTP_ENDPOINT: `127.0.0.1:${agent}`,
          GATEWAYS: `[${ports.map((port) => `127.0.0.1:${port}`).join(", ")}]`
        })
        const service = (serviceName: string) =>
          Telemetry.layer({
            enabled: true,
            serviceName,
            endpoint: `http://127.0.0.1:${agent}`,
            flushOnSignals: false,
            logs: "off"
          })

        /** The second service, in a trace that the first one began. */
        const second = (headers: Record<string, string>, fails: boolean) =>
          Effect.gen(function* () {
            const { span: parent } = yield* Propagators.extract(headers)
            yield* Effect.suspend(() => (fails ? Effect.fail(new Broken({ message: "no" })) : Effect.void)).pipe(
              Effect.withSpan("second", { kind: "server", ...(parent === undefined ? undefined : { parent }) }),
              Effect.ignore
            )
          })
        const [one, other] = [yield* Layer.build(service("first")), yield* Layer.build(service("second"))]
        const first = (kind: string, takes: number) =>
          Effect.gen(function* () {
            const headers = yield* Propagators.inject
            yield* second(headers, kind === "failing").pipe(Effect.provide(other))
            yield* Effect.sleep(takes)
          }).pipe(Effect.withSpan("first", { attributes: { kind } }), Effect.provide(one))
        yield* Effect.all(
          [
            ...Array.from({ length: 10 }, () => first("failing", 0)),
            ...Array.from({ length: 10 }, () => first("slow", 350)),
            ...Array.from({ length: 200 }, () => first("fine", 0))
          ],
          { discard: true }
        )
        for (const context of [one, other]) yield* Telemetry.flush().pipe(Effect.provide(context))

        const kinds = () => {
          const whole = Map.groupBy(backend.spans, (span) => span.traceId)
          const counts: Record<string, number> = { failing: 0, slow: 0, fine: 0, torn: 0 }
          for (const spans of whole.values()) {
            const kind = spans.find((span) => span.name === "first")?.attributes["kind"]
            if (spans.length === 2 && typeof kind === "string") counts[kind]!++
            else counts["torn"]!++
          }
          return counts as { failing: number; slow: number; fine: number; torn: number }
        }
        for (let i = 0; i < 200; i++) {
          const { failing, fine, slow } = kinds()
          if (failing === 10 && slow === 10 && fine > 0) break
          yield* Effect.sleep("100 millis")
        }
        yield* Effect.sleep("2 seconds")
        const { failing, fine, slow, torn } = kinds()
        assert.deepStrictEqual([failing, slow, torn], [10, 10, 0])
        // 200 traces at 20 %: between 10 and 80 in all but one of some millions of runs.
        assert.isAbove(fine, 10)
        assert.isBelow(fine, 80)
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )
})
