/**
 * What a span is once it has ended: the one shape that every stage behind the tracer reads.
 *
 * The tracer's span holds its attributes as two parallel arrays and its times as two integers, because that is what
 * costs least to fill and what an encoder reads in one pass. OpenTelemetry processors and exporters of the user see
 * the same span as a `ReadableSpan` instead (`effect-telemetry/tracer/ReadableSpan`).
 *
 * **Example** (A span's name and attributes on the console)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import type { SpanData } from "effect-telemetry/tracer/SpanData"
 * import * as Tracer from "effect-telemetry/tracer/Tracer"
 *
 * const print = ({ attributeKeys, attributeValues, name }: SpanData) =>
 *   console.log(name, ...attributeKeys.map((key, i) => `${key}=${attributeValues[i]}`))
 * const TracerLive = Tracer.layer({ receiver: { takesUnsampled: false, ended: (span) => print(span.seal()) } })
 *
 * const program = Effect.void.pipe(Effect.withSpan("work", { attributes: { "post.id": "post-1" } }))
 * Effect.runPromise(program.pipe(Effect.provide(TracerLive))) // work post.id=post-1
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otel/trace/api/#span
 */

/** A value that every OTLP receiver accepts: a primitive, or an array of one kind of primitive (with gaps). */
export type AttributeValue =
  | string
  | number
  | boolean
  | ReadonlyArray<string | null | undefined>
  | ReadonlyArray<number | null | undefined>
  | ReadonlyArray<boolean | null | undefined>

/** An event of a span: a name and a time, with attributes as parallel arrays. */
export interface EventData {
  readonly name: string
  /** Whole seconds since the Unix epoch. */
  readonly seconds: number
  /** Nanoseconds within the second, 0 to 999,999,999. */
  readonly nanos: number
  readonly attributeKeys: ReadonlyArray<string>
  readonly attributeValues: ReadonlyArray<AttributeValue>
  readonly droppedAttributesCount: number
}

/** A link from a span to another span, of the same trace or of another one. */
export interface LinkData {
  /** 32 lower-case hexadecimal digits. */
  readonly traceId: string
  /** 16 lower-case hexadecimal digits. */
  readonly spanId: string
  /** W3C trace flags, one byte. */
  readonly traceFlags: number
  /** The `tracestate` header's value, where there is one. */
  readonly traceState: string | undefined
  /** Whether the linked span is of another process. */
  readonly isRemote: boolean
  readonly attributeKeys: ReadonlyArray<string>
  readonly attributeValues: ReadonlyArray<AttributeValue>
  readonly droppedAttributesCount: number
}

/** An ended span, converted, limited and redacted: ready for an encoder. */
export interface SpanData {
  readonly name: string
  /** 32 lower-case hexadecimal digits. */
  readonly traceId: string
  /** 16 lower-case hexadecimal digits. */
  readonly spanId: string
  /** 16 lower-case hexadecimal digits; `undefined` for the root of a trace. */
  readonly parentSpanId: string | undefined
  /** Whether the parent is of another process: such a span is the root of its local trace. */
  readonly parentIsRemote: boolean
  /** W3C trace flags, one byte: bit 0 sampled, bit 1 random. */
  readonly traceFlags: number
  /** The `tracestate` header's value, where there is one. */
  readonly traceState: string | undefined
  /** OpenTelemetry's `SpanKind`: 0 internal, 1 server, 2 client, 3 producer, 4 consumer. OTLP adds one. */
  readonly kindCode: 0 | 1 | 2 | 3 | 4
  /** Whole seconds since the Unix epoch. */
  readonly startSeconds: number
  /** Nanoseconds within the second, 0 to 999,999,999. */
  readonly startNanos: number
  /** Whole seconds since the Unix epoch. */
  readonly endSeconds: number
  /** Nanoseconds within the second, 0 to 999,999,999. */
  readonly endNanos: number
  /** OpenTelemetry's `SpanStatusCode`: 0 unset, 1 ok, 2 error. */
  readonly statusCode: 0 | 1 | 2
  /** Only with status error. */
  readonly statusMessage: string | undefined
  readonly attributeKeys: ReadonlyArray<string>
  readonly attributeValues: ReadonlyArray<AttributeValue>
  readonly events: ReadonlyArray<EventData>
  readonly linkData: ReadonlyArray<LinkData>
  /** How many were set beyond the limits and are gone; likewise for events and links. */
  readonly droppedAttributesCount: number
  readonly droppedEventsCount: number
  readonly droppedLinksCount: number
}
