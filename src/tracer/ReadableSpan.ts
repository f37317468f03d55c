/**
 * The face that a span of ours shows to OpenTelemetry: the API's `Span` and the SDK's `ReadableSpan`, to the letter.
 *
 * It is made when somebody of OpenTelemetry asks (a processor, an exporter, `trace.getActiveSpan()`), holds nothing of its own
 * and writes into the span. What is read from it before the span ends is what was set so far; a span that has ended is sealed
 * first, so that no reader sees a secret.
 *
 * **Gotchas**
 *
 * - `addEvent(name, attributes)` and `addEvent(name, time)` are told apart as the API says.
 * - `recordException` makes an event named `exception`, whatever the exception's message.
 * - `setStatus`: unset changes nothing, an error replaces an error, `OK` is final.
 * - A number as time is milliseconds since the epoch, or of `performance.now()` where it is smaller than that.
 *
 * **Example** (Writing to the current span as a library of OpenTelemetry does)
 *
 * ```ts
 * import { trace } from "@opentelemetry/api"
 *
 * trace.getActiveSpan()?.addEvent("cache.miss", { "cache.key": "feed:42" })
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otel/trace/api/#span
 */
import * as Otel from "@opentelemetry/api"
import type { ReadableSpan, TimedEvent } from "@opentelemetry/sdk-trace-base"
import * as Cause from "effect/Cause"
import type { LinkData } from "./SpanData.ts"
import { cut, MaximumKeyLength } from "./Limits.ts"
import type { TelemetrySpan } from "./Span.ts"
import type { UnsampledSpan } from "./UnsampledSpan.ts"
import * as SpanContext from "./SpanContext.ts"
import * as SpanFailure from "./SpanFailure.ts"
import * as SpanSeal from "./SpanSeal.ts"
import { elapsedNanos } from "./TraceClock.ts"

/** A moment as seconds and nanoseconds. */
export interface Moment {
  /** Whole seconds since the Unix epoch. */
  readonly seconds: number
  /** Nanoseconds within the second, 0 to 999,999,999. */
  readonly nanos: number
}

/** A time as the API takes it. `undefined`: it is none. */
export const momentOf = (input: Otel.TimeInput | undefined): Moment | undefined => {
  if (Array.isArray(input)) {
    const [seconds, nanos] = input
    return Number.isFinite(seconds) && Number.isFinite(nanos) && seconds >= 0 ? { seconds, nanos } : undefined
  }
  const millis =
    input instanceof Date
      ? input.getTime()
      : typeof input === "number"
        ? input >= 0 && input <= performance.now()
          ? input + performance.timeOrigin
          : input
        : NaN
  if (!Number.isFinite(millis) || millis < 0) return undefined
  const seconds = Math.floor(millis / 1e3)
  return { seconds, nanos: Math.round((millis - seconds * 1e3) * 1e6) }
}

const isTime = (input: unknown): input is Otel.TimeInput =>
  typeof input === "number" ||
  input instanceof Date ||
  (Array.isArray(input) && input.length === 2 && typeof input[0] === "number" && typeof input[1] === "number")

/** A plain object of parallel arrays, `__proto__` an attribute like any other. */
const toAttributes = (keys: ReadonlyArray<string>, values: ReadonlyArray<unknown>): Otel.Attributes => {
  const attributes: Record<string, unknown> = {}
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!
    if (key === "__proto__") {
      Object.defineProperty(attributes, key, {
        value: values[i],
        enumerable: true,
        configurable: true,
        writable: true
      })
    } else attributes[key] = values[i]
  }
  return attributes as Otel.Attributes
}

const toLink = (link: LinkData): Otel.Link => ({
  context: {
    traceId: link.traceId,
    spanId: link.spanId,
    traceFlags: link.traceFlags,
    isRemote: link.isRemote,
    ...(link.traceState === undefined ? undefined : { traceState: Otel.createTraceState(link.traceState) })
  },
  attributes: toAttributes(link.attributeKeys, link.attributeValues),
  droppedAttributesCount: link.droppedAttributesCount
})

/** What the SDK's interface is beside ours. */
type SdkSpan = Otel.Span & ReadableSpan

/**
 * A span of ours as OpenTelemetry's processors, exporters and instrumentations see it. It never throws; after the span's end what
 * would write does nothing.
 */
export class ReadableTelemetrySpan implements SdkSpan {
  readonly telemetrySpan: TelemetrySpan
  #context: Otel.SpanContext | undefined = undefined

  constructor(span: TelemetrySpan) {
    this.telemetrySpan = span
  }

  spanContext(): Otel.SpanContext {
    return (this.#context ??= SpanContext.toOtel(this.telemetrySpan))
  }

  setAttribute(key: string, value: Otel.AttributeValue): this {
    const span = this.telemetrySpan
    // As in the SDK: no key, no value, no attribute.
    if (!span.ended && typeof key === "string" && key !== "" && value !== null && value !== undefined) {
      span.put(key, value)
    }
    return this
  }

  setAttributes(attributes: Otel.Attributes): this {
    for (const [key, value] of Object.entries(copyOf(attributes))) this.setAttribute(key, value as Otel.AttributeValue)
    return this
  }

  addEvent(name: string, attributesOrTime?: Otel.Attributes | Otel.TimeInput, time?: Otel.TimeInput): this {
    const span = this.telemetrySpan
    if (span.ended) return this
    const second = isTime(attributesOrTime)
    const moment = this.moment(second && time === undefined ? attributesOrTime : time)
    const attributes =
      second || attributesOrTime === null ? undefined : (attributesOrTime as Otel.Attributes | undefined)
    // The API's caller may go on using its object.
    span.pushEvent(name, moment.seconds, moment.nanos, attributes === undefined ? undefined : copyOf(attributes))
    return this
  }

  addLink(link: Otel.Link): this {
    return this.addLinks([link])
  }

  addLinks(links: ReadonlyArray<Otel.Link>): this {
    this.telemetrySpan.addLinks(links.map(fromLink))
    return this
  }

  setStatus(status: Otel.SpanStatus): this {
    const span = this.telemetrySpan
    if (span.ended || status.code === Otel.SpanStatusCode.UNSET || span.statusCode === Otel.SpanStatusCode.OK)
      return this
    span.statusCode = status.code
    span.statusMessage =
      status.code === Otel.SpanStatusCode.ERROR && typeof status.message === "string" ? status.message : undefined
    return this
  }

  updateName(name: string): this {
    if (!this.telemetrySpan.ended) this.telemetrySpan.name = name
    return this
  }

  end(endTime?: Otel.TimeInput): void {
    const span = this.telemetrySpan
    if (span.ended) return
    const moment = this.moment(endTime)
    span.finishAt(moment.seconds, moment.nanos, undefined)
  }

  isRecording(): boolean {
    return !this.telemetrySpan.ended
  }

  recordException(exception: Otel.Exception, time?: Otel.TimeInput): void {
    const span = this.telemetrySpan
    if (span.ended) return
    const attributes = exceptionAttributes(exception)
    if (attributes === undefined) return
    const moment = this.moment(time)
    span.pushEvent("exception", moment.seconds, moment.nanos, attributes)
  }

  private moment(input: Otel.TimeInput | undefined): Moment {
    const given = momentOf(input)
    if (given !== undefined) return given
    const { clock } = this.telemetrySpan.localTrace
    clock.read()
    return { seconds: clock.seconds, nanos: clock.nanos }
  }

  // -- ReadableSpan ---------------------------------------------------------------------------------------------------

  /** Sealed, once the span has ended. */
  private get readable(): TelemetrySpan {
    const span = this.telemetrySpan
    if (span.ended) span.seal()
    else span.resolveAttributes()
    return span
  }

  get name(): string {
    return this.readable.name
  }

  get kind(): Otel.SpanKind {
    return this.telemetrySpan.kindCode
  }

  get parentSpanContext(): Otel.SpanContext {
    const { parentSpan } = this.telemetrySpan
    // The interface has it optional but not undefined, which is what an absent one reads as.
    return (parentSpan === undefined ? undefined : SpanContext.toOtel(parentSpan)) as Otel.SpanContext
  }

  get startTime(): Otel.HrTime {
    return [this.telemetrySpan.startSeconds, this.telemetrySpan.startNanos]
  }

  get endTime(): Otel.HrTime {
    return [this.telemetrySpan.endSeconds, this.telemetrySpan.endNanos]
  }

  get duration(): Otel.HrTime {
    const span = this.telemetrySpan
    if (!span.ended) return [-1, -1]
    const nanos = elapsedNanos(span.startSeconds, span.startNanos, span.endSeconds, span.endNanos)
    const seconds = Math.floor(nanos / 1e9)
    return [seconds, nanos - seconds * 1e9]
  }

  get ended(): boolean {
    return this.telemetrySpan.ended
  }

  get status(): Otel.SpanStatus {
    const { statusCode, statusMessage } = this.readable
    return statusMessage === undefined ? { code: statusCode } : { code: statusCode, message: statusMessage }
  }

  get attributes(): Otel.Attributes {
    const span = this.readable
    return toAttributes(span.attributeKeys, span.attributeValues)
  }

  get events(): Array<TimedEvent> {
    const span = this.readable
    if (!span.sealed) {
      return (span.rawEvents ?? []).map((event) => ({
        name: event.name,
        time: [event.seconds, event.nanos],
        attributes: { ...event.attributes } as Otel.Attributes
      }))
    }
    return span.events.map((event) => ({
      name: event.name,
      time: [event.seconds, event.nanos],
      attributes: toAttributes(event.attributeKeys, event.attributeValues),
      droppedAttributesCount: event.droppedAttributesCount
    }))
  }

  get links(): Array<Otel.Link> {
    const span = this.readable
    return span.sealed
      ? span.linkData.map(toLink)
      : span.links.map((link) => ({
          context: SpanContext.toOtel(link.span),
          attributes: { ...link.attributes } as Otel.Attributes
        }))
  }

  get resource(): ReadableSpan["resource"] {
    return this.telemetrySpan.core.resource as ReadableSpan["resource"]
  }

  get instrumentationScope(): ReadableSpan["instrumentationScope"] {
    return this.telemetrySpan.core.scope
  }

  get droppedAttributesCount(): number {
    return this.readable.droppedAttributesCount
  }

  get droppedEventsCount(): number {
    return this.readable.droppedEventsCount
  }

  get droppedLinksCount(): number {
    return this.readable.droppedLinksCount
  }
}

/** A link of OpenTelemetry as Effect has it. */
export const fromLink = (link: Otel.Link): { span: SpanContext.AmbientSpan; attributes: Record<string, unknown> } => ({
  span: new SpanContext.AmbientSpan(Otel.trace.wrapSpanContext(link.context), link.context),
  attributes: { ...link.attributes }
})

/** A copy of a record, without the properties that cannot be read. */
const copyOf = (record: Otel.Attributes): Record<string, unknown> => {
  try {
    return { ...record }
  } catch {
    return Object.fromEntries(SpanSeal.readable(record))
  }
}

const exceptionAttributes = (exception: Otel.Exception): Record<string, unknown> | undefined => {
  try {
    return describedException(exception)
  } catch {
    return { "exception.type": SpanFailure.OTHER, "exception.message": SpanFailure.UNREADABLE }
  }
}

const describedException = (exception: Otel.Exception): Record<string, unknown> | undefined => {
  if (typeof exception === "string") return { "exception.message": exception }
  if (typeof exception !== "object" || exception === null) return undefined
  if (exception instanceof Error) {
    const described = SpanFailure.exceptions(Cause.fail(exception)).described[0]!
    return {
      "exception.type": described.type,
      "exception.message": described.message,
      "exception.stacktrace": described.stacktrace
    }
  }
  const { code, message, name, stack } = exception
  const type = name ?? (code === undefined ? undefined : String(code))
  if (type === undefined && message === undefined) return undefined
  return {
    "exception.type": type === undefined ? undefined : cut(type, MaximumKeyLength),
    "exception.message": message,
    "exception.stacktrace": stack
  }
}

/** The face of a span that does not record: its ids, and whose it is. */
export class NonRecordingTelemetrySpan implements Otel.Span {
  readonly telemetrySpan: UnsampledSpan
  #context: Otel.SpanContext | undefined = undefined

  constructor(span: UnsampledSpan) {
    this.telemetrySpan = span
  }

  spanContext(): Otel.SpanContext {
    return (this.#context ??= SpanContext.toOtel(this.telemetrySpan))
  }

  setAttribute(): this {
    return this
  }
  setAttributes(): this {
    return this
  }
  addEvent(): this {
    return this
  }
  addLink(): this {
    return this
  }
  addLinks(): this {
    return this
  }
  setStatus(): this {
    return this
  }
  updateName(): this {
    return this
  }
  end(): void {}
  isRecording(): boolean {
    return false
  }
  recordException(): void {}
}
