/**
 * How much one span may hold. What goes beyond is dropped and counted on the span, never an error.
 *
 * The defaults are the specification's, but for the length of values: there the specification has no limit, and one value of
 * a megabyte would cost a whole batch. A text is cut between two characters, never inside of one.
 *
 * **Example** (Longer values for one application)
 *
 * ```ts
 * import * as Limits from "effect-telemetry/tracer/Limits"
 *
 * const limits = Limits.make({ valueLength: 20_000 })
 * console.log(limits.attributeCount) // 128
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-limits
 */

/** Every limit, in pieces or in characters (UTF-16 code units). */
export interface Limits {
  /** `OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT`. Default 128. */
  readonly attributeCount: number
  /** `OTEL_SPAN_EVENT_COUNT_LIMIT`. Default 128. The oldest events give way. */
  readonly eventCount: number
  /** `OTEL_SPAN_LINK_COUNT_LIMIT`. Default 128. */
  readonly linkCount: number
  /** `OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT`. Default 128. */
  readonly attributeCountPerEvent: number
  /** `OTEL_LINK_ATTRIBUTE_COUNT_LIMIT`. Default 128. */
  readonly attributeCountPerLink: number
  /** `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT`. Default 8192 characters, for each text of an array too. */
  readonly valueLength: number
  /** Elements of an array. Default 1024. What goes beyond is cut without being counted: OTLP has no place for it. */
  readonly arrayLength: number
}

/** The limits where nobody says otherwise. */
export const defaults: Limits = {
  attributeCount: 128,
  eventCount: 128,
  linkCount: 128,
  attributeCountPerEvent: 128,
  attributeCountPerLink: 128,
  valueLength: 8192,
  arrayLength: 1024
}

type Partially<A> = { readonly [K in keyof A]?: A[K] | undefined }

/** The defaults with some changed. A limit that is no number of at least zero is the default; `Infinity` is no limit. */
export const make = (options?: Partially<Limits> | undefined): Limits => {
  if (options === undefined) return defaults
  const limit = (key: keyof Limits): number => {
    const value = options[key]
    return typeof value === "number" && value >= 0 ? value : defaults[key]
  }
  return {
    attributeCount: limit("attributeCount"),
    eventCount: limit("eventCount"),
    linkCount: limit("linkCount"),
    attributeCountPerEvent: limit("attributeCountPerEvent"),
    attributeCountPerLink: limit("attributeCountPerLink"),
    valueLength: limit("valueLength"),
    arrayLength: limit("arrayLength")
  }
}

/** Keys and names longer than this are cut. */
export const MaximumKeyLength = 256

/** Cuts a text to a number of UTF-16 code units, or to one less where that would split a character. */
export const cut = (text: string, length: number): string => {
  if (text.length <= length) return text
  if (length <= 0) return ""
  const last = text.charCodeAt(length - 1)
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? length - 1 : length)
}
