/**
 * The front door: one layer turns tracing on.
 *
 * `TelemetryLive` reads the environment (`OTEL_ENABLED=true` turns it on) and installs the tracer, the export pipeline, the
 * propagators, and trace ids in the logs. `layer(options)` is the same with settings in code, which go before the environment,
 * and with any OpenTelemetry processor, exporter or sampler beside or in the place of ours.
 *
 * **Details**
 *
 * - When the layer's scope closes, and on `SIGTERM` and `SIGINT`, what has ended is sent, for `shutdownTimeout` at most. What
 *   could not be sent is counted, and said in one line.
 * - Where tracing is off there is no exporter, no timer and no socket, and Effect makes no spans.
 * - Bad settings fail the layer with a `TelemetryConfigError` that names them all.
 *
 * **Example** (Tracing a program)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Telemetry from "effect-telemetry/Telemetry"
 *
 * const program = Effect.log("hello").pipe(Effect.withSpan("greet"))
 * const TelemetryLive = Telemetry.layer({ enabled: true, serviceName: "greeter", exporter: "console" })
 * Effect.runPromise(program.pipe(Effect.provide(TelemetryLive)))
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
import { trace as otelTrace } from "@opentelemetry/api"
import type { SpanExporter, SpanProcessor } from "@opentelemetry/sdk-trace-base"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Result from "effect/Result"
import * as References from "effect/References"
import * as EffectTracer from "effect/Tracer"
import type { Log } from "./export/Diagnostics.ts"
import * as Metrics from "./export/Metrics.ts"
import type { FlushResult, Pipeline, Status } from "./export/Pipeline.ts"
import type { TailRule } from "./export/Tail.ts"
import * as Output from "./internal/telemetry/output.ts"
import * as Resource from "./internal/telemetry/resource.ts"
import { installSignalFlush } from "./internal/telemetry/signals.ts"
import * as Propagators from "./propagation/Propagators.ts"
import * as Trust from "./propagation/Trust.ts"
import * as TelemetryConfig from "./TelemetryConfig.ts"
import type { RedactionOptions } from "./tracer/Redaction.ts"
import * as Disabled from "./tracer/Disabled.ts"
import * as Sampler from "./tracer/Sampler.ts"
import { CurrentSemconvStability } from "./tracer/SemconvStability.ts"
import type { SpanReceiver } from "./tracer/SpanReceiver.ts"
import * as TraceLogger from "./tracer/TraceLogger.ts"
import * as Tracer from "./tracer/Tracer.ts"
import { registerTracerProvider } from "./tracer/TracerProvider.ts"

export { event } from "./tracer/event.ts"
export { fn, withSpan } from "./tracer/withSpan.ts"
export type { FlushResult, Status } from "./export/Pipeline.ts"

/** Settings in code; each goes before its variable in the environment. */
export interface Options extends Omit<TelemetryConfig.TelemetryOptions, "exporter"> {
  /** Where spans go: one of ours by name, or any OpenTelemetry exporter. `OTEL_TRACES_EXPORTER`; default `otlp`. */
  readonly exporter?: "otlp" | "console" | "none" | SpanExporter | undefined
  /** OpenTelemetry span processors that see every recorded span, beside the exporter. They are shut down with the layer. */
  readonly spanProcessors?: ReadonlyArray<SpanProcessor> | undefined
  /** Receivers of the tracer that see every recorded span, beside the exporter. */
  readonly receivers?: ReadonlyArray<SpanReceiver> | undefined
  /** Rules of one's own for keeping local traces that head sampling dropped. */
  readonly keepRules?: ReadonlyArray<TailRule> | undefined
  /** What is redacted beside the defaults; `false` redacts nothing. */
  readonly redaction?: RedactionOptions | false | undefined
  /** Whether the active context of `@opentelemetry/api` follows the current span. Default true. */
  readonly interoperation?: boolean | undefined
  /**
   * Which callers' ids, sampling and baggage are taken over, and to which hosts baggage is sent. Default: every caller, no host.
   * A server that strangers can reach names its callers.
   */
  readonly trust?: Trust.Options | undefined
  /**
   * What becomes of the loggers: `keep` gives trace ids to those that are installed where the layer is built, `json` and
   * `pretty` replace them, `off` leaves them alone. Default `keep`.
   */
  readonly logs?: "keep" | "json" | "pretty" | "off" | undefined
  /** How long the last flush may take when the scope closes or a signal arrives. Default 5 s. */
  readonly shutdownTimeout?: Duration.Input | undefined
  /** Whether `SIGTERM` and `SIGINT` flush. Default true. */
  readonly flushOnSignals?: boolean | undefined
}

/** What the telemetry of this process is, and what it can be asked. */
export class Telemetry extends Context.Service<
  Telemetry,
  {
    /** The configuration in effect. */
    readonly config: TelemetryConfig.TelemetryConfig
    /** Sends what has ended and waits for the answers, also of what is in flight, for `timeout` at most (default 5 s). */
    readonly flush: (timeout?: Duration.Input) => Effect.Effect<FlushResult>
    /** Counters of spans, and what is where now. */
    readonly status: Effect.Effect<Status>
  }
>()("effect-telemetry/Telemetry") {}

/** See `Telemetry.flush` of the service: sends what has ended, and waits, within a limit of its own. */
export const flush = (timeout?: Duration.Input): Effect.Effect<FlushResult, never, Telemetry> =>
  Effect.flatMap(Telemetry, (telemetry) => telemetry.flush(timeout))

/** Counters of spans since the layer was built, and what is where now. Never fails. */
export const status: Effect.Effect<Status, never, Telemetry> = Effect.flatMap(
  Telemetry,
  (telemetry) => telemetry.status
)

/** How long a flush takes at most, where nothing else is said: 5 seconds. */
export const defaultFlushTimeout: Duration.Duration = Duration.seconds(5)

/**
 * Tracing with settings in code, which go before the environment. Fails with a `TelemetryConfigError` that names every setting that
 * is not accepted, and with a `TrustError` where `trust` names a network or a host that cannot be read.
 */
export const layer = (
  options: Options = {}
): Layer.Layer<Telemetry, TelemetryConfig.TelemetryConfigError | Trust.TrustError> =>
  options.trust === undefined ? configured(options) : Layer.merge(configured(options), Trust.layer(options.trust))

const configured = (options: Options): Layer.Layer<Telemetry, TelemetryConfig.TelemetryConfigError> =>
  Layer.unwrap(
    Effect.map(TelemetryConfig.load(configOptions(options)), (config) => {
      const logs = logsLayer(options.logs ?? "keep")
      return config.enabled ? enabled(config, options).pipe(Layer.provideMerge(logs)) : disabled(config)
    })
  )

/** Tracing as the environment says. Fails with a `TelemetryConfigError` that names every variable that is not accepted. */
export const TelemetryLive: Layer.Layer<Telemetry, TelemetryConfig.TelemetryConfigError> = Layer.suspend(() =>
  configured({})
)

const configOptions = (options: Options): TelemetryConfig.TelemetryOptions => {
  const { exporter, ...others } = options
  return typeof exporter === "object" ? { ...others, exporter: "none" } : { ...others, exporter }
}

const logsLayer = (logs: "keep" | "json" | "pretty" | "off"): Layer.Layer<never> => {
  switch (logs) {
    case "keep":
      return TraceLogger.layer
    case "json":
      return TraceLogger.layerJson
    case "pretty":
      return TraceLogger.layerPretty
    case "off":
      return Layer.empty
  }
}

/** What holds whether spans are made or not: ids and trace context still cross the border. */
const border = (config: TelemetryConfig.TelemetryConfig): Layer.Layer<never> =>
  Layer.mergeAll(
    Layer.succeed(Propagators.CurrentPropagators, Result.getOrThrow(Propagators.fromNames(config.propagators))),
    Layer.succeed(CurrentSemconvStability, {
      httpDup: config.semconvStabilityOptIn.includes("http/dup"),
      databaseDup: config.semconvStabilityOptIn.includes("database/dup")
    })
  )

const announce = (config: TelemetryConfig.TelemetryConfig, exporter?: string): Effect.Effect<void> =>
  Effect.andThen(
    Effect.logInfo(TelemetryConfig.describe(config, exporter)),
    Effect.forEach(config.warnings, (warning) => Effect.logWarning(warning), { discard: true })
  )

/** An exporter given in code, by its class. Receivers and processors beside none are where spans go, too. */
const nameOfExporter = (config: TelemetryConfig.TelemetryConfig, options: Options): string | undefined => {
  const { exporter, receivers = [], spanProcessors = [] } = options
  if (typeof exporter !== "object") {
    return config.exporter === "none" && receivers.length + spanProcessors.length > 0 ? "in-code" : undefined
  }
  const name: unknown = exporter.constructor?.name
  return typeof name === "string" && name !== "" && name !== "Object" ? name : "custom"
}

const disabled = (config: TelemetryConfig.TelemetryConfig): Layer.Layer<Telemetry> =>
  Layer.mergeAll(
    border(config),
    Disabled.layer,
    Layer.effect(
      Telemetry,
      Effect.as(
        announce(config),
        Telemetry.of({
          config,
          flush: () => Effect.succeed({ complete: true, exported: 0, dropped: 0, waiting: 0 }),
          status: Effect.succeed(Output.idleStatus)
        })
      )
    )
  )

const enabled = (config: TelemetryConfig.TelemetryConfig, options: Options): Layer.Layer<Telemetry> =>
  Layer.mergeAll(border(config), Layer.effectContext(start(config, options)))

const start = (
  config: TelemetryConfig.TelemetryConfig,
  options: Options
): Effect.Effect<Context.Context<Telemetry>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const log = yield* diagnosticsLog
    yield* announce(config, nameOfExporter(config, options))
    const resource = Resource.make(config)
    const output = Output.make(config, {
      resource,
      log,
      exporter: typeof options.exporter === "object" ? options.exporter : undefined,
      spanProcessors: options.spanProcessors ?? [],
      receivers: options.receivers ?? [],
      keepRules: options.keepRules ?? []
    })
    // Before the output's own end: what is lost there is part of the last values.
    if (output.observed !== undefined) yield* Metrics.register(output.observed)
    const limit = Duration.fromInputUnsafe(options.shutdownTimeout ?? defaultFlushTimeout)
    yield* Effect.addFinalizer(() => Effect.promise(() => output.shutdown(Duration.toMillis(limit))))
    if (options.flushOnSignals !== false) {
      yield* installSignalFlush(
        () => output.flush(Duration.toMillis(limit)),
        () => output.shutdown(0)
      )
    }
    const tracer = yield* Tracer.scoped({
      receiver: output.receivers,
      sampler: samplerOf(config.sampler),
      limits: {
        attributeCount: config.attributeCountLimit,
        eventCount: config.eventCountLimit,
        linkCount: config.linkCountLimit,
        attributeCountPerEvent: config.attributePerEventCountLimit,
        attributeCountPerLink: config.attributePerLinkCountLimit,
        valueLength: config.attributeValueLengthLimit
      },
      redaction: options.redaction,
      resource,
      interoperation: options.interoperation
    })
    if (options.interoperation !== false) yield* registerTracerProvider(tracer, otelTrace)
    return Context.make(
      Telemetry,
      Telemetry.of({
        config,
        flush: (timeout) =>
          Effect.promise(() =>
            output.flush(Duration.toMillis(Duration.fromInputUnsafe(timeout ?? defaultFlushTimeout)))
          ),
        status: Effect.sync(output.status)
      })
    ).pipe(
      Context.add(EffectTracer.Tracer, tracer),
      Context.add(References.TracerEnabled, true)
    ) as Context.Context<Telemetry>
  })

const samplerOf = (description: TelemetryConfig.SamplerDescription): Sampler.Sampler => {
  if (description._tag === "Custom") return description.sampler
  const root =
    description._tag === "AlwaysOn"
      ? Sampler.alwaysOn
      : description._tag === "AlwaysOff"
        ? Sampler.alwaysOff
        : Sampler.consistentRatio(description.rate)
  return description.parentBased ? Sampler.parentBased(root) : root
}

/** The pipeline's lines go to the application's own loggers, as plain fields, and never become spans or events of any. */
const diagnosticsLog: Effect.Effect<Log> = Effect.map(Effect.context<never>(), (context): Log => {
  const run = Effect.runForkWith(Context.omit(EffectTracer.ParentSpan)(context) as Context.Context<never>)
  const levels = { info: Effect.logInfo, warn: Effect.logWarning, error: Effect.logError } as const
  return (level, message, fields) => {
    run(levels[level](message).pipe(Effect.annotateLogs(fields), Effect.withTracerEnabled(false)))
  }
})

/** @internal */
export type { Pipeline }
