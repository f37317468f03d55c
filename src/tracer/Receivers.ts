/**
 * Several receivers as one, none of which can harm the application or another.
 *
 * @internal
 */
import type { TelemetrySpan } from "./Span.ts"
import type { EndedSpan, SpanReceiver } from "./SpanReceiver.ts"

/** A receiver that sees more of a span's life: what the SDK's processors see. */
export interface ProcessorReceiver extends SpanReceiver {
  /** A span is about to end and can still be written to. */
  readonly ending?: ((span: EndedSpan) => void) | undefined
  /** Whether it wants spans that the sampler records but does not sample (`RECORD`). Default: as `takesUnsampled`. */
  readonly takesRecordOnly?: boolean | undefined
}

/** What the tracer calls. */
export interface Combined {
  readonly takesUnsampled: boolean
  readonly started: ((span: TelemetrySpan) => void) | undefined
  readonly unrecorded: (() => void) | undefined
  readonly ending: ((span: TelemetrySpan) => void) | undefined
  readonly ended: (span: TelemetrySpan) => void
}

type Hook = (span: EndedSpan) => void

/** A hook for the spans that its receiver takes. It throws nothing: telemetry must not. */
const guard = (receiver: ProcessorReceiver, hook: Hook): ((span: TelemetrySpan) => void) => {
  const least = receiver.takesUnsampled ? 0 : receiver.takesRecordOnly === true ? 1 : 2
  return (span) => {
    if (span.decision < least) return
    try {
      hook(span)
    } catch {
      // A receiver that throws is broken; the application is not.
    }
  }
}

const all = (hooks: ReadonlyArray<(span: TelemetrySpan) => void>): ((span: TelemetrySpan) => void) | undefined => {
  if (hooks.length < 2) return hooks[0]
  return (span) => {
    for (const hook of hooks) hook(span)
  }
}

/** Those who count what nobody keeps. What they do throws nothing either. */
const counters = (receivers: ReadonlyArray<ProcessorReceiver>): (() => void) | undefined => {
  const hooks = receivers.flatMap((receiver) =>
    receiver.unrecorded === undefined ? [] : [receiver.unrecorded.bind(receiver)]
  )
  if (hooks.length === 0) return undefined
  return () => {
    for (const hook of hooks) {
      try {
        hook()
      } catch {
        // As above.
      }
    }
  }
}

export const combine = (input: ProcessorReceiver | ReadonlyArray<ProcessorReceiver>): Combined => {
  const receivers = Array.isArray(input) ? (input as ReadonlyArray<ProcessorReceiver>) : [input as ProcessorReceiver]
  const hooks = (pick: (receiver: ProcessorReceiver) => Hook | undefined) =>
    all(
      receivers.flatMap((receiver) => {
        const hook = pick(receiver)
        return hook === undefined ? [] : [guard(receiver, hook.bind(receiver))]
      })
    )
  return {
    takesUnsampled: receivers.some((receiver) => receiver.takesUnsampled),
    started: hooks((receiver) => receiver.started),
    unrecorded: counters(receivers),
    ending: hooks((receiver) => receiver.ending),
    ended: hooks((receiver) => receiver.ended) ?? (() => {})
  }
}
