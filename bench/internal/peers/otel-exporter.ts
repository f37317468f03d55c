/**
 * OpenTelemetry's batch processor over its OTLP/HTTP exporter, for the peers that use the SDK.
 *
 * The queue is larger than the default 2,048, which would drop what is made faster than it is sent: a span that is dropped
 * costs less than one that is sent, and every peer has to send all.
 */
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http"
import { OTLPExporterBase } from "@opentelemetry/otlp-exporter-base"
import { convertLegacyHttpOptions, createOtlpHttpExportDelegate } from "@opentelemetry/otlp-exporter-base/node-http"
import { ProtobufTraceSerializer, TraceExporterMetricsHelper } from "@opentelemetry/otlp-transformer"
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter } from "@opentelemetry/sdk-trace-base"

export type OtlpProtocol = "http/protobuf" | "http/json"

/** The default of 30 is less than a flush of a long queue needs, and the process ends with an unhandled rejection. */
const concurrencyLimit = 10_000

/** What `@opentelemetry/exporter-trace-otlp-proto` is: the same transport with the protobuf serializer. */
class ProtobufExporter extends OTLPExporterBase<Array<ReadableSpan>> implements SpanExporter {
  constructor(url: string) {
    super(
      createOtlpHttpExportDelegate(
        convertLegacyHttpOptions({ url, concurrencyLimit }, "TRACES", "v1/traces", {
          "Content-Type": "application/x-protobuf"
        }),
        ProtobufTraceSerializer,
        "otlp_http_span_exporter",
        TraceExporterMetricsHelper,
        undefined
      )
    )
  }
}

export const exporter = (endpoint: string, protocol: OtlpProtocol): SpanExporter =>
  protocol === "http/json" ? new OTLPTraceExporter({ url: endpoint, concurrencyLimit }) : new ProtobufExporter(endpoint)

export const batchProcessor = (
  endpoint: string,
  protocol: OtlpProtocol,
  maxQueueSize = 1_000_000
): BatchSpanProcessor => new BatchSpanProcessor(exporter(endpoint, protocol), { maxQueueSize })
