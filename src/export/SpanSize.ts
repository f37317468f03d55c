/**
 * How much memory a span takes, for the limits in bytes of stages that hold spans as objects.
 *
 * @internal
 */
import type { SpanData } from "../tracer/SpanData.ts"

/** An estimate: cheap to make, and right where it matters, in long texts. Sealed or not. */
export const sizeOf = (span: SpanData): number => {
  const values = span.attributeValues
  let size = 500 + values.length * 40 + span.events.length * 200 + span.linkData.length * 200
  for (let i = 0; i < values.length; i++) {
    const value = values[i]
    if (typeof value === "string") size += value.length
    else if (Array.isArray(value)) size += value.length * 16
  }
  for (const event of span.events) {
    for (const value of event.attributeValues) if (typeof value === "string") size += value.length
  }
  return size
}
