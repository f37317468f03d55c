/**
 * What all spans of one tracer and one instrumentation scope share.
 *
 * @internal
 */
import type * as Otel from "@opentelemetry/api"
import type { Rules } from "./AttributeValue.ts"
import type { Ids } from "./Ids.ts"
import type { TelemetrySpan } from "./Span.ts"
import type { UnsampledSpan } from "./UnsampledSpan.ts"

/** The library whose spans these are. */
export interface InstrumentationScope {
  readonly name: string
  readonly version?: string
  readonly schemaUrl?: string
}

/** The process whose spans these are, as `@opentelemetry/resources` has it. */
export interface ResourceLike {
  readonly attributes: Readonly<Record<string, unknown>>
}

export interface SpanCore {
  readonly ids: Ids
  readonly rules: Rules
  readonly resource: ResourceLike
  readonly scope: InstrumentationScope
  /** Spans of one family belong to one tracer, whatever their scope: they share local traces. */
  readonly family: object
  readonly started: ((span: TelemetrySpan) => void) | undefined
  readonly unrecorded: (() => void) | undefined
  readonly ending: ((span: TelemetrySpan) => void) | undefined
  readonly ended: (span: TelemetrySpan) => void
  readonly face: (span: TelemetrySpan) => Otel.Span
  readonly nonRecording: (span: UnsampledSpan) => Otel.Span
}

/** What is current while a span is active, kept to return to. */
export interface SpanFrame {
  readonly emitDestroy: () => unknown
}

/** An event as it was given. */
export interface RawEvent {
  readonly name: string
  readonly seconds: number
  readonly nanos: number
  readonly attributes: Readonly<Record<string, unknown>> | undefined
}
