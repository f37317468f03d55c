/**
 * A span that does not record: its ids, for what starts under it and for what it sends on, and nothing else.
 *
 * @internal
 */
import type * as Otel from "@opentelemetry/api"
import type * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Tracer from "effect/Tracer"
import type { SpanCore, SpanFrame } from "./SpanCore.ts"
import { type KindCode, kinds } from "./SpanKind.ts"
import { OtelSpanTypeId } from "./SpanContext.ts"

/** A span that does not record: nothing of what is set on it is kept. */
export class UnsampledSpan implements Tracer.Span {
  declare readonly _tag: "Span"
  declare readonly sampled: false
  declare readonly status: Tracer.SpanStatus
  declare readonly attributes: ReadonlyMap<string, unknown>
  declare readonly links: ReadonlyArray<Tracer.SpanLink>
  declare readonly isRecording: false
  declare readonly core: SpanCore
  declare readonly name: string
  declare readonly parentSpan: Tracer.AnySpan | undefined
  declare readonly annotations: Context.Context<never>
  declare readonly kindCode: KindCode
  declare readonly traceId: string
  declare readonly traceFlags: number
  declare readonly traceStateObject: Otel.TraceState | undefined
  declare ownId: string | undefined
  /** The step of its fiber that ends it. */
  declare lastStep: unknown
  declare face: Otel.Span | undefined
  declare otelContext: Otel.Context | undefined
  /**
   * The span that is made active for this one: nothing is kept below a span that does not record, so that the first of a
   * chain stands for all of it, and the active context is entered once for them all.
   */
  declare readonly shown: UnsampledSpan
  /** Where the fiber goes on while the span is active. */
  declare frame: SpanFrame | undefined

  constructor(
    core: SpanCore,
    name: string,
    parent: Tracer.AnySpan | undefined,
    annotations: Context.Context<never>,
    kindCode: KindCode,
    traceId: string,
    traceFlags: number,
    traceState: Otel.TraceState | undefined
  ) {
    this.core = core
    this.name = name
    this.parentSpan = parent
    this.annotations = annotations
    this.kindCode = kindCode
    this.traceId = traceId
    this.traceFlags = traceFlags
    this.traceStateObject = traceState
    this.ownId = undefined
    this.lastStep = undefined
    this.face = undefined
    this.otelContext = undefined
    this.frame = undefined
    this.shown =
      parent instanceof UnsampledSpan &&
      parent.traceId === traceId &&
      parent.traceFlags === traceFlags &&
      parent.traceStateObject === traceState
        ? parent.shown
        : this
    if (core.unrecorded !== undefined) core.unrecorded()
  }

  get spanId(): string {
    return (this.ownId ??= this.core.ids.spanId())
  }

  get kind(): Tracer.SpanKind {
    return kinds[this.kindCode]!
  }

  get parent(): Option.Option<Tracer.AnySpan> {
    return Option.fromUndefinedOr(this.parentSpan)
  }

  get traceState(): string | undefined {
    return this.traceStateObject?.serialize()
  }

  get span(): Otel.Span {
    return (this.face ??= this.core.nonRecording(this))
  }

  attribute(): void {}
  event(): void {}
  addLinks(): void {}
  end(): void {
    this.leave()
  }

  /** Lets go of the frame. */
  leave(): void {
    if (this.frame === undefined) return
    this.frame.emitDestroy()
    this.frame = undefined
  }
}

Object.defineProperties(UnsampledSpan.prototype, {
  _tag: { value: "Span" },
  [OtelSpanTypeId]: { value: OtelSpanTypeId },
  sampled: { value: false },
  isRecording: { value: false },
  // Ended, as the status of Effect's own disabled spans: who asks before setting attributes need not make them.
  status: { value: { _tag: "Ended", startTime: 0n, endTime: 0n, exit: Exit.void } },
  attributes: { value: new Map() },
  links: { value: [] }
})
