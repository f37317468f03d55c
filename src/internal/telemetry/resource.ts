/**
 * What every span says of its process.
 *
 * @see https://opentelemetry.io/docs/specs/semconv/resource/
 *
 * @internal
 */
import { randomUUID } from "node:crypto"
import { hostname } from "node:os"
import type { TelemetryConfig } from "../../TelemetryConfig.ts"
import type { ResourceLike } from "../../tracer/SpanCore.ts"
import { version } from "../version.ts"

/** The configured attributes, before which none of ours goes. */
export const make = (config: TelemetryConfig): ResourceLike => ({
  attributes: {
    "telemetry.sdk.name": "effect-telemetry",
    "telemetry.sdk.language": "nodejs",
    "telemetry.sdk.version": version,
    "service.instance.id": randomUUID(),
    "host.name": hostname(),
    "process.pid": process.pid,
    "process.runtime.name": "nodejs",
    "process.runtime.version": process.versions.node,
    ...config.resourceAttributes
  }
})
