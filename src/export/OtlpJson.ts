/**
 * The JSON encoding of OTLP: the Protobuf JSON mapping, with identifiers in hexadecimal, as the OTLP specification
 * asks.
 *
 * It is the readable form, and the slower one (about four times the bytes of protobuf): for receivers that take nothing else.
 *
 * **Example** (Reading a request as JSON)
 *
 * ```ts
 * import { encodeSpans } from "effect-telemetry/export/OtlpEncoder"
 * import { json } from "effect-telemetry/export/OtlpJson"
 *
 * const bytes = encodeSpans(json, { resource: { attributes: {} }, scope: { name: "shop" }, spans: [] })
 * const request = JSON.parse(Buffer.from(bytes).toString("utf8"))
 * if (request.resourceSpans[0].scopeSpans[0].scope.name !== "shop") throw new Error("unexpected")
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
import type { EventData, LinkData, SpanData } from "../tracer/SpanData.ts"
import { GrowingBuffer } from "./GrowingBuffer.ts"
import {
  flagsOf,
  isInt64,
  isInt64Big,
  keysOf,
  maxDepth,
  normalizeId,
  type EncodedSection,
  type Encoding,
  type InstrumentationScope,
  type Resource,
  type SpanWriter
} from "./OtlpEncoder.ts"

/** Behind every span. A line break cannot occur within one, so spans can be told apart without parsing. */
const separator = ",\n"

// JSON.stringify escapes lone surrogates, which the Protobuf JSON mapping does not know.
const quote = (text: string): string => JSON.stringify(text.isWellFormed() ? text : text.toWellFormed())

const time = (seconds: number, nanos: number): string =>
  seconds > 0 ? `"${Math.trunc(seconds)}${String(nanos).padStart(9, "0")}"` : `"${Math.max(0, nanos)}"`

const idPattern = { 16: /^[0-9a-f]{16}$/, 32: /^[0-9a-f]{32}$/ }
const identifier = (value: string, digits: 16 | 32): string =>
  `"${idPattern[digits].test(value) ? value : normalizeId(value, digits)}"`

const anyValue = (value: unknown, depth: number): string => {
  switch (typeof value) {
    case "string":
      return `{"stringValue":${quote(value)}}`
    case "boolean":
      return `{"boolValue":${value}}`
    case "number":
      return isInt64(value)
        ? `{"intValue":"${Number.isSafeInteger(value) ? String(value === 0 ? 0 : value) : BigInt(value)}"}`
        : `{"doubleValue":${Number.isFinite(value) ? value : `"${value}"`}}`
    case "bigint":
      return isInt64Big(value) ? `{"intValue":"${value}"}` : `{"stringValue":"${value}"}`
    case "object":
      if (value === null) return "{}"
      break
    case "undefined":
      return "{}"
    default:
      return `{"stringValue":${quote(String(value))}}`
  }
  if (depth >= maxDepth) return `{"stringValue":"[nested too deeply]"}`
  if (value instanceof Uint8Array) return `{"bytesValue":"${Buffer.from(value).toString("base64")}"}`
  if (Array.isArray(value)) {
    return `{"arrayValue":{"values":[${value.map((element) => anyValue(element, depth + 1)).join(",")}]}}`
  }
  const keys = keysOf(value)
  return `{"kvlistValue":{"values":[${keys
    .map((key) => keyValue(key, (value as Readonly<Record<string, unknown>>)[key], depth + 1))
    .join(",")}]}}`
}

const keyValue = (key: string, value: unknown, depth: number): string =>
  `${beginningWith(key)}${anyValue(value, depth)}}`

/** Keys are few, and come again with every span. */
const beginnings = new Map<string, string>()
const rememberedKeys = 1024
const rememberedLength = 128

const beginningWith = (key: string): string => {
  const known = beginnings.get(key)
  if (known !== undefined) return known
  const beginning = `{"key":${quote(key)},"value":`
  if (beginnings.size < rememberedKeys && key.length <= rememberedLength) beginnings.set(key, beginning)
  return beginning
}

const attributes = (keys: ReadonlyArray<string>, values: ReadonlyArray<unknown>): string => {
  let text = '"attributes":['
  for (let i = 0; i < keys.length; i++) text += (i === 0 ? "" : ",") + keyValue(keys[i]!, values[i], 0)
  return text + "]"
}

const attributesOf = (record: Readonly<Record<string, unknown>>): string => {
  const keys = keysOf(record)
  return attributes(
    keys,
    keys.map((key) => record[key])
  )
}

const event = (event: EventData): string =>
  `{"timeUnixNano":${time(event.seconds, event.nanos)},"name":${quote(event.name)},${attributes(
    event.attributeKeys,
    event.attributeValues
  )}${count("droppedAttributesCount", event.droppedAttributesCount)}}`

const link = (link: LinkData): string =>
  `{"traceId":${identifier(link.traceId, 32)},"spanId":${identifier(link.spanId, 16)}${
    link.traceState === undefined || link.traceState === "" ? "" : `,"traceState":${quote(link.traceState)}`
  },${attributes(link.attributeKeys, link.attributeValues)}${count(
    "droppedAttributesCount",
    link.droppedAttributesCount
  )},"flags":${flagsOf(link.traceFlags, link.isRemote)}}`

const count = (field: string, value: number): string => (value > 0 ? `,"${field}":${Math.trunc(value)}` : "")

const spanText = (span: SpanData): string => {
  let text = `{"traceId":${identifier(span.traceId, 32)},"spanId":${identifier(span.spanId, 16)}`
  if (span.traceState !== undefined && span.traceState !== "") text += `,"traceState":${quote(span.traceState)}`
  if (span.parentSpanId !== undefined) text += `,"parentSpanId":${identifier(span.parentSpanId, 16)}`
  text += `,"flags":${flagsOf(span.traceFlags, span.parentIsRemote)},"name":${quote(span.name)},"kind":${span.kindCode + 1}`
  text += `,"startTimeUnixNano":${time(span.startSeconds, span.startNanos)}`
  text += `,"endTimeUnixNano":${time(span.endSeconds, span.endNanos)},`
  text += attributes(span.attributeKeys, span.attributeValues)
  text += count("droppedAttributesCount", span.droppedAttributesCount)
  if (span.events.length > 0) text += `,"events":[${span.events.map(event).join(",")}]`
  text += count("droppedEventsCount", span.droppedEventsCount)
  if (span.linkData.length > 0) text += `,"links":[${span.linkData.map(link).join(",")}]`
  text += count("droppedLinksCount", span.droppedLinksCount)
  const message =
    span.statusMessage === undefined || span.statusMessage === "" ? "" : `"message":${quote(span.statusMessage)},`
  return `${text},"status":{${message}"code":${span.statusCode}}}${separator}`
}

class JsonWriter extends GrowingBuffer implements SpanWriter {
  write(span: SpanData): boolean {
    try {
      const text = spanText(span)
      this.reserve(text.length * 3)
      this.position += this.buffer.write(text, this.position, "utf8")
      return true
    } catch {
      return false
    }
  }
}

const closing = Buffer.from("]}")

const request = (resource: Uint8Array, sections: ReadonlyArray<EncodedSection>): Array<Uint8Array> => {
  const pieces: Array<Uint8Array> = [Buffer.from('{"resourceSpans":['), resource]
  sections.forEach((section, index) => {
    if (index > 0) pieces.push(Buffer.from(","))
    pieces.push(section.scope)
    // The last span's separator is left out.
    pieces.push(section.spans.subarray(0, Math.max(0, section.spans.length - separator.length)), closing)
  })
  pieces.push(closing, closing)
  return pieces
}

const schemaUrl = (url: string | undefined): string =>
  url === undefined || url === "" ? "" : `,"schemaUrl":${quote(url)}`

const scopeText = (scope: InstrumentationScope): string => {
  let text = `{"scope":{"name":${quote(scope.name)}`
  if (scope.version !== undefined && scope.version !== "") text += `,"version":${quote(scope.version)}`
  if (scope.attributes !== undefined) text += `,${attributesOf(scope.attributes)}`
  return `${text}}${schemaUrl(scope.schemaUrl)},"spans":[`
}

const resourceText = (resource: Resource): string =>
  `{"resource":{${attributesOf(resource.attributes)}}${schemaUrl(resource.schemaUrl)},"scopeSpans":[`

/** The JSON encoding of OTLP/HTTP, `http/json`. */
export const json: Encoding = {
  protocol: "http/json",
  contentType: "application/json",
  writer: () => new JsonWriter(),
  resource: (resource) => Buffer.from(resourceText(resource)),
  scope: (scope) => Buffer.from(scopeText(scope)),
  request,
  split: (spans, first) => {
    let at = 0
    for (let i = 0; i < first && at < spans.length; i++) at = spans.indexOf(0x0a, at) + 1
    return [spans.subarray(0, at), spans.subarray(at)]
  },
  nameOf: (spans) => {
    const line = Buffer.from(spans.subarray(0, spans.indexOf(0x0a) - 1)).toString("utf8")
    return String((JSON.parse(line) as { readonly name?: unknown }).name)
  }
}
