/**
 * From the import to a ready layer. Nothing of what is imported may be loaded before.
 *
 *     startup.ts PEER
 */
import { load } from "./library.ts"

export interface Started {
  readonly milliseconds: number
}

const ready = async (live: Promise<Pick<typeof import("../../src/Telemetry.ts"), "TelemetryLive">>): Promise<void> => {
  const [{ TelemetryLive }, Effect, Layer, Scope] = await Promise.all([
    live,
    import("effect/Effect"),
    import("effect/Layer"),
    import("effect/Scope")
  ])
  await Effect.runPromise(Layer.buildWithScope(TelemetryLive, Scope.makeUnsafe()))
}

const peers: Readonly<Record<string, () => Promise<void>>> = {
  ours: () => ready(load<typeof import("../../src/Telemetry.ts")>("Telemetry")),
  /** Every namespace of the library, with what its HTTP, SQL and services need of Effect. */
  "ours-root": () => ready(load<typeof import("../../src/index.ts")>("index")),
  /** What every program with a layer pays anyway. */
  effect: async () => {
    const [Effect, Layer, Scope] = await Promise.all([
      import("effect/Effect"),
      import("effect/Layer"),
      import("effect/Scope")
    ])
    await Effect.runPromise(Layer.buildWithScope(Layer.empty, Scope.makeUnsafe()))
  },
  stock: async () => {
    const [Effect, Layer, Scope, NodeSdk, { BatchSpanProcessor }, { OTLPTraceExporter }] = await Promise.all([
      import("effect/Effect"),
      import("effect/Layer"),
      import("effect/Scope"),
      import("@effect/opentelemetry/NodeSdk"),
      import("@opentelemetry/sdk-trace-base"),
      import("@opentelemetry/exporter-trace-otlp-http")
    ])
    const layer = NodeSdk.layer(() => ({
      resource: { serviceName: "bench" },
      spanProcessor: new BatchSpanProcessor(new OTLPTraceExporter())
    }))
    await Effect.runPromise(Layer.buildWithScope(layer, Scope.makeUnsafe()))
  }
}

const start = performance.now()
await peers[process.argv[2]!]!()
const started: Started = { milliseconds: performance.now() - start }
process.send!(started, () => process.exit())
