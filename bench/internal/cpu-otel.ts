/** The request of `cpu-tracer.ts` with OpenTelemetry's SDK by hand. */
import { context, SpanKind, trace } from "@opentelemetry/api"
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks"
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer"
import { BasicTracerProvider, type ReadableSpan, type SpanProcessor } from "@opentelemetry/sdk-trace-base"

import { answer, later } from "./cpu-effect.ts"

const batch = 512

export class Encoder implements SpanProcessor {
  private spans: Array<ReadableSpan> = []
  onStart(): void {}
  onEnd(span: ReadableSpan): void {
    this.spans.push(span)
    if (this.spans.length === batch) {
      ProtobufTraceSerializer.serializeRequest(this.spans)
      this.spans = []
    }
  }
  forceFlush(): Promise<void> {
    return Promise.resolve()
  }
  shutdown(): Promise<void> {
    return Promise.resolve()
  }
}

const operations = ["db.select", "db.insert", "cache.get", "gorse.get_recommend", "es.search"]

export const raw = () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new Encoder()] }))
  const tracer = trace.getTracer("bench")
  const call = (name: string, request: number) =>
    tracer.startActiveSpan(
      name,
      {
        kind: SpanKind.CLIENT,
        attributes: {
          "external.service": "postgresql",
          "external.operation": name,
          "db.collection.name": "posts",
          "db.response.returned_rows": request & 63
        }
      },
      (span) => {
        span.end()
        return request
      }
    )
  const request = (n: number) =>
    tracer.startActiveSpan(
      "GET /api/v1/feed",
      {
        kind: SpanKind.SERVER,
        attributes: {
          "http.request.method": "GET",
          "http.route": "/api/v1/feed",
          "url.path": "/api/v1/feed",
          "http.response.status_code": 200
        }
      },
      (span) => {
        let sum = 0
        for (let i = 0; i < operations.length; i++) sum += call(operations[i]!, n)
        span.end()
        return sum
      }
    )
  const callLater = (name: string, request: number) =>
    tracer.startActiveSpan(
      name,
      {
        kind: SpanKind.CLIENT,
        attributes: {
          "external.service": "postgresql",
          "external.operation": name,
          "db.collection.name": "posts",
          "db.response.returned_rows": request & 63
        }
      },
      async (span) => {
        try {
          return await answer(request)
        } finally {
          span.end()
        }
      }
    )
  const requestLater = (n: number) =>
    tracer.startActiveSpan(
      "GET /api/v1/feed",
      {
        kind: SpanKind.SERVER,
        attributes: {
          "http.request.method": "GET",
          "http.route": "/api/v1/feed",
          "url.path": "/api/v1/feed",
          "http.response.status_code": 200
        }
      },
      async (span) => {
        try {
          let sum = 0
          for (let i = 0; i < operations.length; i++) sum += await callLater(operations[i]!, n)
          return sum
        } finally {
          span.end()
        }
      }
    )
  return Promise.resolve(async (requests: number) => {
    if (later) for (let i = 0; i < requests; i++) await requestLater(i)
    else for (let i = 0; i < requests; i++) request(i)
  })
}
