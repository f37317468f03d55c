/**
 * What the backend says beside its traces: log lines and metrics over OTLP, by Effect's own exporters, where the environment
 * asks for them (`OTEL_LOGS_EXPORTER=otlp`, `OTEL_METRICS_EXPORTER=otlp`). They go where the traces go, with the same
 * resource, so that a line and a curve are found by the service and the process that a span names.
 *
 * A line carries the ids of its trace and span, and the request's annotations (`trace.correlation_id`, `user.id`). With lines
 * exported there is one for each request.
 */
import { Config, Effect, Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { OtlpLogger, OtlpMetrics, OtlpSerialization } from "effect/observability"
import * as Telemetry from "effect-telemetry/Telemetry"
import { randomUUID } from "node:crypto"
import { AccessLog } from "./AccessLog.ts"

/** Names this process for all three signals, unless the environment has a name for it. */
export const instance = (
  environment: Readonly<Record<string, string | undefined>>
): Readonly<Record<string, string>> =>
  /(?:^|,)\s*service\.instance\.id\s*=/.test(environment["OTEL_RESOURCE_ATTRIBUTES"] ?? "")
    ? {}
    : { "service.instance.id": randomUUID() }

const exporters = (name: string) =>
  Config.String(name).pipe(
    Config.withDefault(""),
    Config.map((list) => list.split(",").some((exporter) => exporter.trim().toLowerCase() === "otlp"))
  )

/** The exporters that the environment asks for. */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const { config } = yield* Telemetry.Telemetry
    const resource = { serviceName: config.serviceName, attributes: config.resourceAttributes }
    return Layer.mergeAll(
      OtlpLogger.layerFromConfig({ resource }),
      OtlpMetrics.layerFromConfig({ resource }),
      Layer.succeed(AccessLog, yield* exporters("OTEL_LOGS_EXPORTER"))
    ).pipe(Layer.provide(OtlpSerialization.layerProtobuf), Layer.provide(FetchHttpClient.layer))
  })
)
