/**
 * What a fiber's context says about the spans that start in it.
 *
 * A child that starts in the very context that its parent span provided need not look anything up: nobody can have changed
 * it. So most spans find the settings of their parent.
 *
 * @internal
 */
import * as Clock from "effect/Clock"
import type * as Fiber from "effect/Fiber"
import * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import * as TraceAttributes from "./TraceAttributes.ts"

export interface SpanSettings {
  readonly clock: Clock.Clock
  readonly timing: boolean
  /** `Effect.annotateSpans`; `undefined` where there are none. */
  readonly annotations: Readonly<Record<string, unknown>> | undefined
  /** `Effect.linkSpans`. */
  readonly links: ReadonlyArray<Tracer.SpanLink>
  readonly minimumLevel: LogLevel.LogLevel
  /** Whether a span of no level of its own is within `MinimumTraceLevel`. */
  readonly levelAllowed: boolean
  readonly holder: TraceAttributes.TraceAttributes | undefined
}

const isEmpty = (record: Readonly<Record<string, unknown>>): boolean => {
  for (const _ in record) return false
  return true
}

export const isLevelAllowed = (minimum: LogLevel.LogLevel, level: LogLevel.LogLevel): boolean =>
  minimum === "All" || !LogLevel.isGreaterThan(minimum, level)

export const resolve = (fiber: Fiber.Fiber<unknown, unknown>): SpanSettings => {
  const annotations = fiber.getRef(References.TracerSpanAnnotations)
  const minimumLevel = fiber.getRef(Tracer.MinimumTraceLevel)
  return {
    clock: fiber.getRef(Clock.Clock),
    timing: fiber.getRef(References.TracerTimingEnabled),
    annotations: isEmpty(annotations) ? undefined : annotations,
    links: fiber.getRef(References.TracerSpanLinks),
    minimumLevel,
    levelAllowed: isLevelAllowed(minimumLevel, fiber.getRef(Tracer.CurrentTraceLevel)),
    holder: TraceAttributes.ofFiber(fiber)
  }
}
