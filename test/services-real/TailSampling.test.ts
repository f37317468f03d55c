import { assert, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Telemetry from "../../src/Telemetry.ts"
import * as Propagators from "../../src/propagation/Propagators.ts"
import * as OtlpReceiver from "../support/OtlpReceiver.ts"
import { collector, freePort } from "./collectors.ts"
import { realServer } from "./support.ts"

class Broken extends Data.TaggedError("Broken")<{ readonly message: string }> {}

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
          yield* collector(TEST_COLLECTOR_BINARY, ["production/collector-gateway.yaml"], {
            OTLP_GRPC_ENDPOINT: `127.0.0.1:${port}`,
            BACKEND_ENDPOINT: backend.endpoint,
            DECISION_WAIT: "2s",
            SLOWER_THAN_MS: "300",
            KEEP_PERCENT: "20"
          })
        }
        const agent = yield* freePort
        yield* collector(TEST_COLLECTOR_BINARY, ["production/collector-agent.yaml"], {
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
