/**
 * A span of ours: one light object which Effect sees as its `Span`, the pipeline behind the tracer as `EndedSpan`, and
 * OpenTelemetry, where somebody asks, through a face made for it (`ReadableSpan`).
 *
 * It is written for what most spans are: a name, a few attributes, no event, no failure. Attributes are two parallel arrays
 * of what the application gave, raw; times are integers; the object that Effect calls the span's status and everything of
 * OpenTelemetry's is made when it is read. Conversion, limits and redaction wait for `seal`, which only kept spans meet.
 *
 * **Gotchas**
 *
 * - A value is read when the span is sealed: an object that changes after it was set as attribute is seen as it is then.
 * - `attribute(key, undefined)` sets nothing.
 * - After `seal`, `status.exit` of a success no longer holds the value: a span that waits to be sent must not keep alive what
 *   the application has long forgotten.
 *
 * **Example** (An expected failure)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Span from "effect-telemetry/tracer/Span"
 *
 * const program = Effect.gen(function* () {
 *   Span.markExpected(yield* Effect.currentSpan)
 *   return yield* Effect.fail("no such user")
 * }).pipe(Effect.withSpan("user.get"))
 *
 * Effect.runFork(program)
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otel/trace/api/#span
 */
import type * as Otel from "@opentelemetry/api"
import type * as Context from "effect/Context"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Tracer from "effect/Tracer"
import type { LocalTrace } from "./LocalTrace.ts"
import type { EndedSpan } from "./SpanReceiver.ts"
import type { AttributeValue, EventData, LinkData, SpanData } from "./SpanData.ts"
import type { RawEvent, SpanCore, SpanFrame } from "./SpanCore.ts"
import { type KindCode, kinds } from "./SpanKind.ts"
import type { SpanSettings } from "./SpanSettings.ts"
import * as SpanContext from "./SpanContext.ts"
import * as SpanFailure from "./SpanFailure.ts"
import * as SpanSeal from "./SpanSeal.ts"
import * as SpanStatus from "./SpanStatus.ts"
import * as TraceClock from "./TraceClock.ts"
import type { Snapshot, TraceAttributes } from "./TraceAttributes.ts"

/** Set before a span ends in failure: the failure is recorded, but is no error of the span. */
export const markExpected = (span: Tracer.Span): void => {
  if (span instanceof TelemetrySpan) span.expected = true
}

/** Shared by spans without attributes. Never changed. */
const noKeys: Array<string> = []
const noValues: Array<AttributeValue> = []
const noEvents: ReadonlyArray<EventData> = []
const noLinks: ReadonlyArray<LinkData> = []

/** A span that records. Its fields are set by the constructor: initializers of fields cost more. */
export class TelemetrySpan implements Tracer.Span, EndedSpan {
  declare readonly _tag: "Span"
  declare readonly core: SpanCore
  declare name: string
  declare readonly parentSpan: Tracer.AnySpan | undefined
  declare readonly annotations: Context.Context<never>
  declare readonly kindCode: KindCode
  declare readonly traceId: string
  declare readonly spanId: string
  declare readonly traceFlags: number
  declare readonly traceStateObject: Otel.TraceState | undefined
  declare readonly sampled: boolean
  /** The sampler's: 2 sampled, 1 recorded only, 0 not to be recorded (and yet it is, for a decision at the trace's end). */
  declare readonly decision: 0 | 1 | 2
  declare readonly localTrace: LocalTrace
  /** Never changed in place: spans that were given none share one array. */
  declare links: ReadonlyArray<Tracer.SpanLink>
  declare startSeconds: number
  declare startNanos: number
  declare endSeconds: number
  declare endNanos: number
  /** Whether times are taken at all (`Effect.withTracerTiming`). */
  declare timed: boolean
  declare ended: boolean
  declare sealed: boolean
  /** See `markExpected`. */
  declare expected: boolean
  declare statusCode: 0 | 1 | 2
  declare statusMessage: string | undefined
  /** Raw until sealed. */
  declare attributeKeys: Array<string>
  /** Raw until sealed. */
  declare attributeValues: Array<AttributeValue>
  /** Attributes that are made only if the span is kept. */
  declare lazyAttributes: (() => Readonly<Record<string, unknown>>) | undefined
  declare rawEvents: Array<RawEvent> | undefined
  declare events: ReadonlyArray<EventData>
  declare linkData: ReadonlyArray<LinkData>
  declare droppedAttributesCount: number
  declare droppedEventsCount: number
  declare droppedLinksCount: number
  /** The request's attributes, until the span ends; then what they were. */
  declare holder: TraceAttributes | undefined
  declare inherited: Snapshot | undefined
  declare exit: Exit.Exit<unknown, unknown> | undefined
  /** What a child needs to know of its fiber, valid where the fiber's context is `provided`. */
  declare settings: SpanSettings | undefined
  declare provided: Context.Context<never> | undefined
  /** The step of its fiber that ends it. */
  declare lastStep: unknown
  declare face: Otel.Span | undefined
  declare otelContext: Otel.Context | undefined
  /** Where the fiber goes on while the span is active. */
  declare frame: SpanFrame | undefined

  constructor(
    core: SpanCore,
    name: string,
    parent: Tracer.AnySpan | undefined,
    annotations: Context.Context<never>,
    kindCode: KindCode,
    traceId: string,
    spanId: string,
    traceFlags: number,
    traceState: Otel.TraceState | undefined,
    localTrace: LocalTrace,
    links: ReadonlyArray<Tracer.SpanLink>,
    holder: TraceAttributes | undefined,
    decision: 0 | 1 | 2
  ) {
    this.core = core
    this.name = name
    this.parentSpan = parent
    this.annotations = annotations
    this.kindCode = kindCode
    this.traceId = traceId
    this.spanId = spanId
    this.traceFlags = traceFlags
    this.traceStateObject = traceState
    this.sampled = decision === 2
    this.decision = decision
    this.localTrace = localTrace
    this.links = links
    this.holder = holder
    this.startSeconds = 0
    this.startNanos = 0
    this.endSeconds = 0
    this.endNanos = 0
    this.timed = true
    this.ended = false
    this.sealed = false
    this.expected = false
    this.statusCode = 0
    this.statusMessage = undefined
    this.attributeKeys = noKeys
    this.attributeValues = noValues
    this.lazyAttributes = undefined
    this.rawEvents = undefined
    this.events = noEvents
    this.linkData = noLinks
    this.droppedAttributesCount = 0
    this.droppedEventsCount = 0
    this.droppedLinksCount = 0
    this.inherited = undefined
    this.exit = undefined
    this.settings = undefined
    this.provided = undefined
    this.lastStep = undefined
    this.face = undefined
    this.otelContext = undefined
    this.frame = undefined
  }

  get kind(): Tracer.SpanKind {
    return kinds[this.kindCode]!
  }

  get parent(): Option.Option<Tracer.AnySpan> {
    return Option.fromUndefinedOr(this.parentSpan)
  }

  get parentSpanId(): string | undefined {
    return this.parentSpan?.spanId
  }

  get parentIsRemote(): boolean {
    return this.parentSpan !== undefined && SpanContext.isRemote(this.parentSpan)
  }

  get traceState(): string | undefined {
    return this.traceStateObject?.serialize()
  }

  get isLocalRoot(): boolean {
    return this.localTrace.root === this
  }

  get isRecording(): boolean {
    return !this.ended
  }

  get durationNanos(): number {
    return TraceClock.elapsedNanos(this.startSeconds, this.startNanos, this.endSeconds, this.endNanos)
  }

  get status(): Tracer.SpanStatus {
    return this.ended ? SpanStatus.ended(this) : SpanStatus.started(this)
  }

  /** A copy: raw until the span is sealed. */
  get attributes(): ReadonlyMap<string, unknown> {
    this.resolveAttributes()
    const map = new Map<string, unknown>()
    for (let i = 0; i < this.attributeKeys.length; i++) map.set(this.attributeKeys[i]!, this.attributeValues[i])
    return map
  }

  /** The span as OpenTelemetry's API and SDK see it. */
  get span(): Otel.Span {
    return (this.face ??= this.core.face(this))
  }

  get instrumentationScope(): SpanCore["scope"] {
    return this.core.scope
  }

  attribute(key: string, value: unknown): void {
    if (this.ended || value === undefined) return
    this.put(key, value)
  }

  /** Sets an attribute, within the limit. */
  put(key: string, value: unknown): void {
    const keys = this.attributeKeys
    const index = keys.indexOf(key)
    if (index >= 0) {
      this.attributeValues[index] = value as AttributeValue
    } else if (keys.length >= this.core.rules.limits.attributeCount) {
      this.droppedAttributesCount++
    } else if (keys === noKeys) {
      this.attributeKeys = [key]
      this.attributeValues = [value as AttributeValue]
    } else {
      keys.push(key)
      this.attributeValues.push(value as AttributeValue)
    }
  }

  /** Sets an attribute that must not be the one that the limit drops: another one gives way. */
  putFirst(key: string, value: unknown): void {
    const keys = this.attributeKeys
    if (keys.length >= this.core.rules.limits.attributeCount && keys.length > 0 && !keys.includes(key)) {
      keys.pop()
      this.attributeValues.pop()
      this.droppedAttributesCount++
    }
    this.put(key, value)
  }

  /** Sets all attributes of a record. A getter that throws sets nothing. */
  putAll(record: Readonly<Record<string, unknown>>): void {
    try {
      if (this.attributeKeys === noKeys && isPlain(record)) this.takeAll(record)
      else {
        for (const key in record) {
          const value = record[key]
          if (value !== undefined) this.put(key, value)
        }
      }
    } catch {
      SpanSeal.putEach(this, record)
    }
  }

  /** The same for a span that has none yet: the arrays are made in their final size. */
  private takeAll(record: Readonly<Record<string, unknown>>): void {
    const keys = Object.keys(record)
    const { length } = keys
    // A copy, because it has the length that is needed; all of it is written over.
    const values = keys.slice() as Array<AttributeValue>
    let complete = length <= this.core.rules.limits.attributeCount
    for (let i = 0; i < length; i++) {
      const value = record[keys[i]!]
      if (value === undefined) complete = false
      values[i] = value as AttributeValue
    }
    if (complete) {
      this.attributeKeys = keys
      this.attributeValues = values
    } else {
      for (let i = 0; i < length; i++) if (values[i] !== undefined) this.put(keys[i]!, values[i])
    }
  }

  /** Makes the attributes that were given as a function, if they were not made yet. What is set already stays. */
  resolveAttributes(): void {
    const lazy = this.lazyAttributes
    if (lazy === undefined) return
    this.lazyAttributes = undefined
    SpanSeal.putMissing(this, lazy)
  }

  event(name: string, startTime: bigint, attributes?: Record<string, unknown>): void {
    if (this.ended) return
    const { clock } = this.localTrace
    TraceClock.take(clock, startTime)
    this.pushEvent(name, clock.seconds, clock.nanos, attributes)
  }

  /** Records an event. Beyond the limit the oldest gives way. */
  pushEvent(
    name: string,
    seconds: number,
    nanos: number,
    attributes: Readonly<Record<string, unknown>> | undefined
  ): void {
    const limit = this.core.rules.limits.eventCount
    const events = (this.rawEvents ??= [])
    if (events.length >= limit) {
      this.droppedEventsCount++
      if (limit === 0) return
      events.shift()
    }
    events.push({ name, seconds, nanos, attributes })
  }

  addLinks(links: ReadonlyArray<Tracer.SpanLink>): void {
    if (this.ended || links.length === 0) return
    const room = Math.max(0, this.core.rules.limits.linkCount - this.links.length)
    if (room > 0) this.links = [...this.links, ...links.slice(0, room)]
    this.droppedLinksCount += Math.max(0, links.length - room)
  }

  /** Drops the links that it was given beyond the limit. */
  limitLinks(): void {
    const { linkCount } = this.core.rules.limits
    this.droppedLinksCount += Math.max(0, this.links.length - linkCount)
    this.links = this.links.slice(0, linkCount)
  }

  /** Starts: takes the time. */
  begin(timed: boolean): void {
    this.timed = timed
    if (timed) {
      const { clock } = this.localTrace
      clock.read()
      this.startSeconds = clock.seconds
      this.startNanos = clock.nanos
    }
    this.enter()
  }

  /** Starts, at a time that somebody else read. */
  beginAt(seconds: number, nanos: number): void {
    this.startSeconds = seconds
    this.startNanos = nanos
    this.enter()
  }

  private enter(): void {
    const trace = this.localTrace
    trace.openSpans++
    trace.root ??= this
    if (this.core.started !== undefined) this.core.started(this)
  }

  /** Ends with what the effect came to, now. */
  finish(exit: Exit.Exit<unknown, unknown>): void {
    if (this.ended) return
    if (this.timed) {
      const { clock } = this.localTrace
      clock.read()
      this.finishAt(clock.seconds, clock.nanos, exit)
    } else {
      this.finishAt(0, 0, exit)
    }
  }

  end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    if (this.ended) return
    const { clock } = this.localTrace
    if (!clock.live || (endTime === 0n && !this.timed)) TraceClock.set(clock, endTime)
    else TraceClock.take(clock, endTime)
    this.finishAt(clock.seconds, clock.nanos, exit)
  }

  /** Ends at a time. Where that is before the start, the span has no duration. `exit` is absent where OpenTelemetry ends it. */
  finishAt(seconds: number, nanos: number, exit: Exit.Exit<unknown, unknown> | undefined): void {
    if (this.ended) return
    const early = seconds < this.startSeconds || (seconds === this.startSeconds && nanos < this.startNanos)
    this.endSeconds = early ? this.startSeconds : seconds
    this.endNanos = early ? this.startNanos : nanos
    if (exit !== undefined) {
      this.exit = exit
      if (exit._tag === "Failure") SpanFailure.record(this, exit.cause)
    }
    if (this.core.ending !== undefined) this.core.ending(this)
    this.ended = true
    if (this.holder !== undefined) {
      this.inherited = this.holder.snapshot
      this.holder = undefined
    }
    this.settings = undefined
    this.provided = undefined
    this.lastStep = undefined
    this.leave()
    const trace = this.localTrace
    trace.openSpans--
    if (trace.root === this) trace.rootEnded = true
    this.core.ended(this)
  }

  /** Lets go of the frame. */
  leave(): void {
    if (this.frame === undefined) return
    this.frame.emitDestroy()
    this.frame = undefined
  }

  seal(more?: Readonly<Record<string, unknown>>): SpanData {
    if (!this.sealed) SpanSeal.seal(this, more)
    return this
  }
}

/** Whether an object's own properties are all that enumerating it would find. */
const isPlain = (record: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(record)
  return prototype === Object.prototype || prototype === null
}

Object.defineProperties(TelemetrySpan.prototype, {
  _tag: { value: "Span" },
  [SpanContext.OtelSpanTypeId]: { value: SpanContext.OtelSpanTypeId }
})
