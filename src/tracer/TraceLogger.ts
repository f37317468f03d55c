/**
 * Log lines that name their trace: every logger, Effect's own or the application's, gets `trace_id` and `span_id` of the span
 * in which the line was written, as annotations.
 *
 * **Details**
 *
 * The ids are those that are active: an annotation of the same name does not hide them. The line's time comes from the clock of
 * its trace, so that no line precedes the span in which it was written, even if the wall clock was set back meanwhile.
 *
 * **Example** (A logger of your own, with ids)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Logger from "effect/Logger"
 * import * as TraceLogger from "effect-telemetry/tracer/TraceLogger"
 *
 * const LoggerLive = Logger.layer([TraceLogger.withTraceIds(Logger.consoleJson)])
 * const program = Effect.log("uploaded").pipe(Effect.withSpan("audio.upload"), Effect.provide(LoggerLive))
 * Effect.runPromise(program)
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/
 */
import type * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Effect from "effect/Effect"
import type * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import { areValid } from "./Ids.ts"
import { TelemetrySpan } from "./Span.ts"

/** Where a line of a log has the trace's id, by the specification's trace context in log formats other than OTLP. */
export const TRACE_ID = "trace_id"
/** Where a line of a log has the span's id, by the same specification. */
export const SPAN_ID = "span_id"

/** The innermost span that takes part in tracing. */
const activeSpan = (fiber: Fiber.Fiber<unknown, unknown>): Tracer.AnySpan | undefined => {
  let span = fiber.cache.span
  while (span !== undefined && !areValid(span.traceId, span.spanId)) {
    span = span._tag === "Span" ? Option.getOrUndefined(span.parent) : undefined
  }
  return span
}

/** The fiber as a logger sees it: the same, with two annotations more. */
const annotated = (fiber: Fiber.Fiber<unknown, unknown>, span: Tracer.AnySpan): Fiber.Fiber<unknown, unknown> => {
  const annotations = {
    ...fiber.getRef(References.CurrentLogAnnotations),
    [TRACE_ID]: span.traceId,
    [SPAN_ID]: span.spanId
  }
  return Object.create(fiber, {
    getRef: {
      value: <A>(ref: Context.Reference<A>): A =>
        (ref as Context.Reference<unknown>) === References.CurrentLogAnnotations
          ? (annotations as A)
          : fiber.getRef(ref)
    }
  })
}

/**
 * Effect's logger that writes lines as events of their span, the second of its default loggers. Here and below, what is in
 * `effect/Logger` is taken from elsewhere: the module brings file systems and streams along, which every start would pay for.
 *
 * @internal
 */
export const tracerLogger: Logger.Logger<unknown, unknown> = [...References.CurrentLoggers.defaultValue()][1]!

const decorated = new WeakSet<Logger.Logger<unknown, unknown>>([tracerLogger])

/** A logger whose lines name the trace and the span in which they are written. */
export const withTraceIds = <Message, Output>(self: Logger.Logger<Message, Output>): Logger.Logger<Message, Output> => {
  if (decorated.has(self as Logger.Logger<unknown, unknown>)) return self
  const log: Logger.Logger<Message, Output>["log"] = (options) => {
    const span = activeSpan(options.fiber)
    if (span === undefined) return self.log(options)
    return self.log({
      ...options,
      date: span instanceof TelemetrySpan ? laterOf(options.date, span) : options.date,
      fiber: annotated(options.fiber, span)
    })
  }
  const logger: Logger.Logger<Message, Output> = Object.create(self, { log: { value: log, enumerable: true } })
  decorated.add(logger as Logger.Logger<unknown, unknown>)
  return logger
}

/** A line is never earlier than the start of its span. */
const laterOf = (date: Date, span: TelemetrySpan): Date => {
  const start = span.startSeconds * 1000 + span.startNanos / 1e6
  if (date.getTime() >= Math.floor(start)) return date
  const { clock } = span.localTrace
  clock.read()
  return new Date(clock.seconds * 1000 + clock.nanos / 1e6)
}

/** Gives the trace's ids to every logger that is installed where the layer is built. */
export const layer: Layer.Layer<never> = Layer.effect(
  References.CurrentLoggers,
  Effect.map(
    Effect.withFiber((fiber) => Effect.succeed(fiber.getRef(References.CurrentLoggers))),
    (loggers) => new Set([...loggers].map((logger) => withTraceIds(logger)))
  )
)

/** One of Effect's loggers in the place of all. They are loaded when the layer is built, which `runSync` cannot wait for. */
const only = (pick: (loggers: typeof Logger) => Logger.Logger<unknown, unknown>): Layer.Layer<never> =>
  Layer.effect(
    References.CurrentLoggers,
    Effect.map(
      Effect.promise(() => import("effect/Logger")),
      (loggers) => new Set([withTraceIds(pick(loggers)), tracerLogger])
    )
  )

/** One JSON object a line, with the trace's ids among the annotations. Loads `effect/Logger` first, so not for `runSync`. */
export const layerJson: Layer.Layer<never> = only((loggers) => loggers.consoleJson)

/** Lines for people, with the trace's ids. Loads `effect/Logger` first, so not for `runSync`. */
export const layerPretty: Layer.Layer<never> = only((loggers) => loggers.consolePretty())
