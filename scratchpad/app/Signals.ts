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
import * as TelemetryConfig from "effect-telemetry/TelemetryConfig"
import { randomUUID } from "node:crypto"
import { AccessLog } from "./AccessLog.ts"

/** Names this process for all three signals, unless the environment has a name for it. */
export const instance = (
  environment: Readonly<Record<string, string | undefined>>
): Readonly<Record<string, string>> =>
  /(?:^|,)\s*service\.instance\.id\s*=/.test(environment["OTEL_RESOURCE_ATTRIBUTES"] ?? "")
    ? {}
    : { "service.instance.id": randomUUID() }

const resourceOf = ({ resourceAttributes, serviceName }: TelemetryConfig.TelemetryConfig) => ({
  serviceName,
  attributes: resourceAttributes
})

const transport = Layer.merge(OtlpSerialization.layerProtobuf, FetchHttpClient.layer)

const asked = Config.String("OTEL_LOGS_EXPORTER").pipe(
  Config.withDefault(""),
  Config.map((list) => list.split(",").some((exporter) => exporter.trim().toLowerCase() === "otlp"))
)

/**
 * Sends the lines. It stands on the telemetry, whose loggers get their ids from it as annotations: this one has fields for them.
 */
export const logs = Layer.unwrap(
  Effect.gen(function* () {
    const { config } = yield* Telemetry.Telemetry
    return Layer.merge(
      OtlpLogger.layerFromConfig({ resource: resourceOf(config) }),
      Layer.succeed(AccessLog, yield* asked)
    ).pipe(Layer.provide(transport))
  })
)

/** Sends the metrics of telemetry with these options, which stands on it: what its end comes to is in the last export. */
export const metrics = (options: TelemetryConfig.TelemetryOptions) =>
  Layer.unwrap(
    Effect.map(TelemetryConfig.load(options), (config) =>
      OtlpMetrics.layerFromConfig({ resource: resourceOf(config) }).pipe(Layer.provide(transport))
    )
  )
