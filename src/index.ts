/**
 * effect-telemetry: the tracing layer for TypeScript backends written in Effect.
 *
 * One namespace a module, and `TelemetryLive` by name. Live and embedded layers of the services have entry points of their own
 * (`effect-telemetry/CacheLive`, `effect-telemetry/CacheEmbedded`), so that an application loads only the clients that it uses.
 *
 * **Gotchas**
 *
 * With every namespace comes what it needs of Effect: HTTP, SQL, schemas. A program that uses none of them starts twice as fast with
 * `effect-telemetry/Telemetry`, which loads a tracer and nothing else.
 *
 * **Example** (Ten lines to a trace)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Telemetry } from "effect-telemetry"
 *
 * const program = Effect.log("hello").pipe(Effect.withSpan("greet"))
 * const TelemetryLive = Telemetry.layer({ enabled: true, serviceName: "greeter", exporter: "console" })
 * Effect.runPromise(program.pipe(Effect.provide(TelemetryLive)))
 * ```
 */
export * as BusinessEvent from "./events/BusinessEvent.ts"
export * as BusinessEvents from "./events/BusinessEvents.ts"
export * as Catalogue from "./catalogue/Catalogue.ts"
export * as HttpClient from "./http/HttpClient.ts"
export * as HttpServer from "./http/HttpServer.ts"
export * as Attributes from "./operation/Attributes.ts"
export * as ExpectedFailures from "./operation/ExpectedFailures.ts"
export * as Faults from "./operation/Faults.ts"
export * as Operation from "./operation/Operation.ts"
export * as Reason from "./operation/Reason.ts"
export * as RetryPolicy from "./operation/RetryPolicy.ts"
export * as ServiceError from "./operation/ServiceError.ts"
export * as Baggage from "./propagation/Baggage.ts"
export * as Correlation from "./propagation/Correlation.ts"
export * as Propagators from "./propagation/Propagators.ts"
export * as Trust from "./propagation/Trust.ts"
export * as Cache from "./services/Cache/Cache.ts"
export * as Database from "./services/Database/Database.ts"
export * as Gorse from "./services/Gorse/Gorse.ts"
export * as Search from "./services/Search/Search.ts"
export * as Storage from "./services/Storage/Storage.ts"
export * as StreamIO from "./services/StreamIO/StreamIO.ts"
export * as Telemetry from "./Telemetry.ts"
export * as TelemetryConfig from "./TelemetryConfig.ts"
export * as TraceLogger from "./tracer/TraceLogger.ts"
export * as Tracer from "./tracer/Tracer.ts"
export { recordServiceError, recordServiceSuccess } from "./operation/record.ts"
export { setCorrelationId, setRequest, setUser } from "./propagation/Correlation.ts"
export { TelemetryLive } from "./Telemetry.ts"
