/**
 * An OTLP/HTTP receiver for tests that takes all three signals and says yes to everything. It keeps each request's path (with
 * whatever stands before `/v1/…`) and its body, decoded with the official protobuf definitions. For traces alone there is
 * `OtlpReceiver`, which can misbehave.
 */
import { createServer } from "node:http"
import { createRequire } from "node:module"
import type { AddressInfo } from "node:net"
import { gunzipSync } from "node:zlib"

const { collector } = createRequire(import.meta.url)("otlp-proto-definitions/build/src/generated/root.js").opentelemetry
  .proto

export type Signal = "traces" | "logs" | "metrics"

/** One request. */
export interface Received {
  readonly path: string
  readonly signal: Signal
  /** As OTLP's JSON has it; bytes are hexadecimal. */
  readonly body: any
}

const types = {
  traces: collector.trace.v1.ExportTraceServiceRequest,
  logs: collector.logs.v1.ExportLogsServiceRequest,
  metrics: collector.metrics.v1.ExportMetricsServiceRequest
}

const hexadecimal = (_: string, value: unknown): unknown =>
  typeof value === "object" && value !== null && "type" in value && value.type === "Buffer" && "data" in value
    ? Buffer.from(value.data as ReadonlyArray<number>).toString("hex")
    : value

/** The attributes of a record, by name. */
export const attributesOf = (record: { readonly attributes?: ReadonlyArray<any> }): Readonly<Record<string, unknown>> =>
  Object.fromEntries(record.attributes?.map(({ key, value }) => [key, Object.values(value ?? {})[0]]) ?? [])

/** Listens on loopback, on a free port or on one that is given. */
export const make = async (options: { readonly port?: number } = {}) => {
  const received: Array<Received> = []
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const raw = Buffer.concat(chunks)
      const signal = /\/v1\/(traces|logs|metrics)$/.exec(request.url ?? "")?.[1] as Signal | undefined
      if (signal === undefined) return response.writeHead(404).end()
      const message = types[signal].decode(request.headers["content-encoding"] === "gzip" ? gunzipSync(raw) : raw)
      const body = JSON.parse(
        JSON.stringify(types[signal].toObject(message, { longs: String, bytes: Buffer })),
        hexadecimal
      )
      received.push({ path: request.url!, signal, body })
      response.writeHead(200, { "content-type": "application/x-protobuf" }).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve))
  const of = (signal: Signal) => received.filter((one) => one.signal === signal).map(({ body }) => body)
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    /** Every span, with the attributes of its resource. */
    spans: (): ReadonlyArray<any> =>
      of("traces").flatMap(({ resourceSpans }) =>
        resourceSpans.flatMap(({ resource, scopeSpans }: any) =>
          scopeSpans.flatMap(({ spans }: any) =>
            spans.map((span: any) => ({ ...span, resource: attributesOf(resource) }))
          )
        )
      ),
    /** Every log record, with the attributes of its resource. */
    logs: (): ReadonlyArray<any> =>
      of("logs").flatMap(({ resourceLogs }) =>
        resourceLogs.flatMap(({ resource, scopeLogs }: any) =>
          scopeLogs.flatMap(({ logRecords }: any) =>
            logRecords.map((record: any) => ({ ...record, resource: attributesOf(resource) }))
          )
        )
      ),
    /** Every metric, as often as it came, with the attributes of its resource. */
    metrics: (): ReadonlyArray<any> =>
      of("metrics").flatMap(({ resourceMetrics }) =>
        resourceMetrics.flatMap(({ resource, scopeMetrics }: any) =>
          scopeMetrics.flatMap(({ metrics }: any) =>
            metrics.map((metric: any) => ({ ...metric, resource: attributesOf(resource) }))
          )
        )
      ),
    close: () => {
      server.closeAllConnections()
      return new Promise<void>((resolve) => server.close(() => resolve()))
    }
  }
}
