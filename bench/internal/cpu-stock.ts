/** The request of `cpu-tracer.ts` with `@effect/opentelemetry`'s tracer over the SDK, without stack capture. */
import * as OtelTracer from "@effect/opentelemetry/OtelTracer"
import { context } from "@opentelemetry/api"
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks"
import { BasicTracerProvider } from "@opentelemetry/sdk-trace-base"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { makeRequest } from "./cpu-effect.ts"
import { Encoder } from "./cpu-otel.ts"

export const stock = () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  const provider = new BasicTracerProvider({ spanProcessors: [new Encoder()] })
  const layer = OtelTracer.layer.pipe(Layer.provide(Layer.succeed(OtelTracer.OtelTracerProvider, provider)))
  const request = makeRequest(Effect.withSpan)
  return Promise.resolve((requests: number) =>
    Effect.gen(function* () {
      for (let i = 0; i < requests; i++) yield* request(i)
    }).pipe(Effect.provide(layer), Effect.runPromise)
  )
}
