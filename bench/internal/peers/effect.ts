/** The request as an Effect application writes it, and the tracing layers that it runs under. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type * as Telemetry from "../../../src/Telemetry.ts"
import { load } from "../library.ts"
import { client, clientAttributes, operations, type Peer, serverAttributes, serverName } from "../workload.ts"
import { batchProcessor, type OtlpProtocol } from "./otel-exporter.ts"

/** How a span is written. */
export interface Spelling {
  readonly call: (operation: string, request: number) => Effect.Effect<number>
  /** The handler in its server span. */
  readonly server: (request: number) => Effect.Effect<number>
}

const work = (request: number): Effect.Effect<number> => Effect.promise(() => client(request))

/** The body of a handler: five calls, one after the other. */
export const handler = (spelling: Pick<Spelling, "call">, request: number): Effect.Effect<number> =>
  Effect.gen(function* () {
    let sum = 0
    for (let i = 0; i < operations.length; i++) sum += yield* spelling.call(operations[i]!, request)
    return sum
  })

const noStack = { captureStackTrace: false } as const

/** Our combinators, as operations and events use them: applied directly, attributes when they are needed, no stack. */
export const ours = async (): Promise<Spelling> => {
  const { withSpan } = await load<typeof Telemetry>("Telemetry")
  const spelling: Spelling = {
    call: (operation, request) =>
      withSpan(
        operation,
        { kind: "client", attributes: () => clientAttributes(operation, request) },
        noStack
      )(work(request)),
    server: (request) =>
      withSpan(serverName, { kind: "server", attributes: serverAttributes }, noStack)(handler(spelling, request))
  }
  return spelling
}

const insert = Effect.fn(operations[1], { kind: "client" })(function* (request: number) {
  yield* Effect.annotateCurrentSpan(clientAttributes(operations[1], request))
  return yield* work(request)
})

/** As users write it: `Effect.withSpan` and `Effect.fn`, with the stack that they capture by default. */
export const plain: Spelling = {
  call: (operation, request) =>
    operation === operations[1]
      ? insert(request)
      : work(request).pipe(
          Effect.withSpan(operation, { kind: "client", attributes: clientAttributes(operation, request) })
        ),
  server: Effect.fn(serverName, { kind: "server", attributes: serverAttributes() })((request: number) =>
    handler(plain, request)
  )
}

/** `Effect.withSpan` at its cheapest: without the stack. */
export const withoutStack: Spelling = {
  call: (operation, request) =>
    work(request).pipe(
      Effect.withSpan(operation, { kind: "client", attributes: clientAttributes(operation, request) }, noStack)
    ),
  server: (request) =>
    handler(withoutStack, request).pipe(
      Effect.withSpan(serverName, { kind: "server", attributes: serverAttributes() }, noStack)
    )
}

/** No span in the code. */
export const bare: Spelling = { call: (_, request) => work(request), server: (request) => handler(bare, request) }

/** A tracing layer, built, and how to wait for what it sends. */
export interface Tracing {
  readonly layer: Layer.Layer<never, unknown>
  readonly flush: (context: Context.Context<any>) => Promise<void>
}

const nothing = () => Promise.resolve()

/** Effect as it comes: its own tracer, nothing exported. */
export const effectAlone: Tracing = { layer: Layer.succeed(Tracer.Tracer, Tracer.nativeTracer), flush: nothing }

/** Our layer, with settings in code. */
export const telemetry = async (options: Telemetry.Options): Promise<Tracing> => {
  const { flush, layer } = await load<typeof Telemetry>("Telemetry")
  return {
    layer: layer({ enabled: true, serviceName: "bench", ...options }),
    flush: async (context) => {
      const result = await Effect.runPromiseWith(context)(flush("1 minute"))
      if (!result.complete || result.dropped > 0) console.error("not everything was sent", result)
    }
  }
}

/** `@effect/opentelemetry` as documented. */
export const stock = async (endpoint: string, protocol: OtlpProtocol, maxQueueSize?: number): Promise<Tracing> => {
  const NodeSdk = await import("@effect/opentelemetry/NodeSdk")
  const spanProcessor = batchProcessor(endpoint, protocol, maxQueueSize)
  return {
    layer: NodeSdk.layer(() => ({ resource: { serviceName: "bench" }, spanProcessor })),
    flush: () => spanProcessor.forceFlush()
  }
}

/** Effect's native OTLP exporter as documented. */
export const native = async (endpoint: string, protocol: OtlpProtocol): Promise<Tracing> => {
  const [{ FetchHttpClient }, { OtlpExporter, OtlpSerialization, OtlpTracer }] = await Promise.all([
    import("effect/http"),
    import("effect/observability")
  ])
  return {
    layer: OtlpTracer.layer({ url: endpoint, resource: { serviceName: "bench" } }).pipe(
      Layer.provide(protocol === "http/json" ? OtlpSerialization.layerJson : OtlpSerialization.layerProtobuf),
      Layer.provide(FetchHttpClient.layer)
    ),
    flush: (context) =>
      Effect.runPromiseWith(context)(Effect.flatMap(OtlpExporter.Flusher, ({ flush }) => flush)) as Promise<void>
  }
}

/**
 * One of each kind of effect that applications are made of. The loop that runs them is compiled for the kinds that it has met: one
 * that never met more than the four or five of a benchmark is quicker than that of any application, whoever traces it.
 */
const everyKind = Effect.gen(function* () {
  yield* Effect.sync(() => 1).pipe(Effect.map(String), Effect.tap(Effect.void), Effect.flatMap(Effect.succeed))
  yield* Effect.fail("no").pipe(Effect.catch(Effect.succeed), Effect.andThen(Effect.yieldNow))
  yield* Effect.exit(Effect.die("never"))
  yield* Effect.acquireRelease(Effect.void, () => Effect.void).pipe(Effect.scoped, Effect.uninterruptible)
  yield* Effect.forkChild(Effect.callback<void>((resume) => resume(Effect.void))).pipe(Effect.flatMap(Fiber.join))
  yield* Effect.all([Effect.void, Effect.promise(() => Promise.resolve())], { concurrency: 2 })
  yield* Effect.withFiber(() => Effect.void).pipe(
    Effect.onExit(() => Effect.void),
    Effect.ignore
  )
  yield* Effect.suspend(() => Effect.void).pipe(Effect.provideService(Tracer.MinimumTraceLevel, "All"))
  yield* Effect.forEach([1, 2], () => Effect.void, { discard: true })
  yield* Effect.timeoutOption(Effect.void, 1_000).pipe(Effect.repeat({ times: 1 }))
})

/** The application, running: never closed, as the layer of a server that runs. */
export const start = async (spelling: Spelling, tracing: Tracing): Promise<Peer> => {
  for (let i = 0; i < 500; i++) await Effect.runPromise(everyKind)
  const context = await Effect.runPromise(Layer.buildWithScope(tracing.layer, Scope.makeUnsafe()))
  const run = Effect.runPromiseWith(context)
  return {
    // A handler is called by the fiber of its request, as routers do.
    request: (request) => run(Effect.suspend(() => spelling.server(request))),
    flush: () => tracing.flush(context as Context.Context<any>)
  }
}
