/**
 * A trace of two spans through the very tracer and pipeline that an application has, but sampled in any case, and past the
 * spool, in which spans of others wait.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as EffectTracer from "effect/Tracer"
import * as OutputModule from "../internal/telemetry/output.ts"
import * as Resource from "../internal/telemetry/resource.ts"
import type { TelemetryConfig } from "../TelemetryConfig.ts"
import * as Sampler from "../tracer/Sampler.ts"
import * as Tracer from "../tracer/Tracer.ts"

/** What became of a test trace. */
export interface Sent {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  readonly spans: number
  readonly delivered: number
  /** Why not, where not all were delivered. */
  readonly error: string | undefined
}

/** How many spans a test trace has. */
export const spanCount = 2

export const sendTrace = (config: TelemetryConfig, name: string, timeoutMillis: number): Effect.Effect<Sent> =>
  Effect.gen(function* () {
    const resource = Resource.make(config)
    const lines: Array<string> = []
    const output = OutputModule.make(
      { ...config, exporter: "otlp", spoolDirectory: undefined },
      {
        resource,
        log: (level, message) => {
          if (level !== "info") lines.push(message)
        },
        exporter: undefined,
        spanProcessors: [],
        receivers: [],
        keepRules: []
      }
    )
    const scope = yield* Scope.make()
    const tracer = yield* Tracer.scoped({
      receiver: output.receivers,
      sampler: Sampler.alwaysOn,
      resource,
      interoperation: false
    }).pipe(Scope.provide(scope))
    const traceId = yield* Effect.currentSpan.pipe(
      Effect.tap(() => Effect.withSpan(Effect.void, `${name} child`)),
      Effect.map((span) => span.traceId),
      Effect.orDie,
      Effect.withSpan(name, { root: true }),
      Effect.withTracerEnabled(true),
      Effect.provideService(EffectTracer.Tracer, tracer)
    )
    const flushed = yield* Effect.promise(() => output.flush(timeoutMillis))
    const { lastError } = output.status()
    yield* Effect.promise(() => output.shutdown(0))
    yield* Scope.close(scope, Exit.void)
    const delivered = flushed.exported
    return {
      traceId,
      spans: spanCount,
      delivered,
      error: delivered === spanCount ? undefined : (lastError?.message ?? lines[0] ?? "no answer in time")
    }
  })
