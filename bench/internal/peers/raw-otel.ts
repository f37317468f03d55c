/** OpenTelemetry's SDK by hand: `startActiveSpan` around each async function, the batch processor, the OTLP exporter. */
import { context, SpanKind, trace } from "@opentelemetry/api"
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks"
import { resourceFromAttributes } from "@opentelemetry/resources"
import { BasicTracerProvider } from "@opentelemetry/sdk-trace-base"
import { client, clientAttributes, operations, type Peer, serverAttributes, serverName } from "../workload.ts"
import { batchProcessor, type OtlpProtocol } from "./otel-exporter.ts"

export const rawOtel = (endpoint: string, protocol: OtlpProtocol): Peer => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  const processor = batchProcessor(endpoint, protocol)
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({
      resource: resourceFromAttributes({ "service.name": "bench" }),
      spanProcessors: [processor]
    })
  )
  const tracer = trace.getTracer("bench")
  const call = (operation: string, request: number) =>
    tracer.startActiveSpan(
      operation,
      { kind: SpanKind.CLIENT, attributes: clientAttributes(operation, request) },
      async (span) => {
        try {
          return await client(request)
        } finally {
          span.end()
        }
      }
    )
  return {
    request: (request) =>
      tracer.startActiveSpan(serverName, { kind: SpanKind.SERVER, attributes: serverAttributes() }, async (span) => {
        try {
          let sum = 0
          for (let i = 0; i < operations.length; i++) sum += await call(operations[i]!, request)
          return sum
        } finally {
          span.end()
        }
      }),
    flush: () => processor.forceFlush()
  }
}
