/**
 * Reads OTLP trace requests with the official protobuf definitions (and their JSON mapping), so that what a test sees
 * is what a backend would see, whatever wrote it.
 */
import { createRequire } from "node:module"

// The generated code of the official .proto files, in the last official package that carries it.
const root = createRequire(import.meta.url)("otlp-proto-definitions/build/src/generated/root.js")
const TraceService = root.opentelemetry.proto.collector.trace.v1
const RequestType = TraceService.ExportTraceServiceRequest
const ResponseType = TraceService.ExportTraceServiceResponse

/** An attribute as it was sent: integers as bigint, doubles as number, so that a test can tell them apart. */
export type ReceivedValue =
  | string
  | bigint
  | number
  | boolean
  | Uint8Array
  | undefined
  | ReadonlyArray<unknown>
  | { readonly [key: string]: unknown }

export type ReceivedAttributes = { readonly [key: string]: ReceivedValue }

export interface ReceivedEvent {
  readonly name: string
  readonly time: bigint
  readonly attributes: ReceivedAttributes
  readonly droppedAttributesCount: number
}

export interface ReceivedLink {
  readonly traceId: string
  readonly spanId: string
  readonly traceState: string
  readonly attributes: ReceivedAttributes
  readonly droppedAttributesCount: number
  readonly flags: number
}

/** A span as a backend reads it, with the resource and the scope that it came under. */
export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly traceState: string
  readonly name: string
  readonly kind: number
  /** Nanoseconds since the Unix epoch. */
  readonly start: bigint
  readonly end: bigint
  readonly attributes: ReceivedAttributes
  /** Keys in the order in which they were sent, doubles included. */
  readonly attributeKeys: ReadonlyArray<string>
  readonly droppedAttributesCount: number
  readonly events: ReadonlyArray<ReceivedEvent>
  readonly droppedEventsCount: number
  readonly links: ReadonlyArray<ReceivedLink>
  readonly droppedLinksCount: number
  readonly statusCode: number
  readonly statusMessage: string
  readonly flags: number
  readonly resource: ReceivedAttributes
  readonly scopeName: string
  readonly scopeVersion: string
}

export interface ReceivedTraces {
  readonly resourceCount: number
  readonly scopeCount: number
  readonly spans: ReadonlyArray<ReceivedSpan>
}

const hex = (value: unknown): string =>
  value === undefined || value === null
    ? ""
    : typeof value === "string"
      ? value
      : Buffer.from(value as Uint8Array).toString("hex")

const big = (value: unknown): bigint => (value === undefined || value === null ? 0n : BigInt(String(value)))

const number = (value: unknown): number =>
  value === undefined || value === null ? 0 : value === "NaN" ? Number.NaN : Number(value)

const has = (value: any, field: string): boolean =>
  value !== null && value !== undefined && value[field] !== undefined && value[field] !== null

export const anyValue = (value: any): ReceivedValue => {
  if (has(value, "stringValue")) return String(value.stringValue)
  if (has(value, "boolValue")) return Boolean(value.boolValue)
  if (has(value, "intValue")) return big(value.intValue)
  if (has(value, "doubleValue")) return number(value.doubleValue)
  if (has(value, "arrayValue")) return (value.arrayValue.values ?? []).map(anyValue)
  if (has(value, "kvlistValue")) return attributesOf(value.kvlistValue.values) as ReceivedValue
  if (has(value, "bytesValue")) {
    return typeof value.bytesValue === "string"
      ? new Uint8Array(Buffer.from(value.bytesValue, "base64"))
      : new Uint8Array(value.bytesValue)
  }
  return undefined
}

const attributesOf = (list: any): ReceivedAttributes => {
  const attributes: Record<string, ReceivedValue> = {}
  for (const entry of list ?? []) {
    // A key such as "__proto__" is data like any other.
    Object.defineProperty(attributes, entry.key ?? "", {
      value: anyValue(entry.value),
      enumerable: true,
      configurable: true,
      writable: true
    })
  }
  return attributes
}

const tracesOf = (request: any): ReceivedTraces => {
  const spans: Array<ReceivedSpan> = []
  let scopeCount = 0
  const resourceSpans: Array<any> = request.resourceSpans ?? []
  for (const resource of resourceSpans) {
    const resourceAttributes = attributesOf(resource.resource?.attributes)
    for (const scope of resource.scopeSpans ?? []) {
      scopeCount++
      for (const span of scope.spans ?? []) {
        spans.push({
          traceId: hex(span.traceId),
          spanId: hex(span.spanId),
          parentSpanId: hex(span.parentSpanId),
          traceState: span.traceState ?? "",
          name: span.name ?? "",
          kind: number(span.kind),
          start: big(span.startTimeUnixNano),
          end: big(span.endTimeUnixNano),
          attributes: attributesOf(span.attributes),
          attributeKeys: (span.attributes ?? []).map((entry: any) => entry.key ?? ""),
          droppedAttributesCount: number(span.droppedAttributesCount),
          events: (span.events ?? []).map((event: any) => ({
            name: event.name ?? "",
            time: big(event.timeUnixNano),
            attributes: attributesOf(event.attributes),
            droppedAttributesCount: number(event.droppedAttributesCount)
          })),
          droppedEventsCount: number(span.droppedEventsCount),
          links: (span.links ?? []).map((link: any) => ({
            traceId: hex(link.traceId),
            spanId: hex(link.spanId),
            traceState: link.traceState ?? "",
            attributes: attributesOf(link.attributes),
            droppedAttributesCount: number(link.droppedAttributesCount),
            flags: number(link.flags)
          })),
          droppedLinksCount: number(span.droppedLinksCount),
          statusCode: number(span.status?.code),
          statusMessage: span.status?.message ?? "",
          flags: number(span.flags),
          resource: resourceAttributes,
          scopeName: scope.scope?.name ?? "",
          scopeVersion: scope.scope?.version ?? ""
        })
      }
    }
  }
  return { resourceCount: resourceSpans.length, scopeCount, spans }
}

/** Decodes an `ExportTraceServiceRequest`; throws where it is not one. */
export const decodeProtobuf = (bytes: Uint8Array): ReceivedTraces =>
  tracesOf(RequestType.toObject(RequestType.decode(bytes), { longs: String, enums: Number, bytes: Uint8Array }))

/** Decodes the JSON form of an `ExportTraceServiceRequest`; throws where it is not JSON. */
export const decodeJson = (bytes: Uint8Array): ReceivedTraces => {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  const request = JSON.parse(text)
  if (typeof request !== "object" || request === null || !Array.isArray(request.resourceSpans)) {
    throw new Error("not an ExportTraceServiceRequest in JSON")
  }
  return tracesOf(request)
}

/** Encodes an `ExportTraceServiceResponse` as the official definitions do. */
export const encodeResponse = (
  partial: { readonly rejectedSpans: number; readonly errorMessage: string } | undefined,
  encoding: "protobuf" | "json"
): Uint8Array => {
  const message = partial === undefined ? {} : { partialSuccess: partial }
  return encoding === "json"
    ? Buffer.from(
        JSON.stringify(
          partial === undefined
            ? {}
            : { partialSuccess: { rejectedSpans: String(partial.rejectedSpans), errorMessage: partial.errorMessage } }
        )
      )
    : ResponseType.encode(ResponseType.fromObject(message)).finish()
}

/** Encodes a `google.rpc.Status`, the body that a refusal carries: code 1, message 2. */
export const encodeStatus = (code: number, message: string, encoding: "protobuf" | "json"): Uint8Array => {
  if (encoding === "json") return Buffer.from(JSON.stringify({ code, message }))
  const text = Buffer.from(message)
  const length: Array<number> = []
  let rest = text.length
  do {
    length.push(rest > 127 ? (rest & 127) | 128 : rest)
    rest >>>= 7
  } while (rest > 0)
  return Buffer.concat([Buffer.from([0x08, code & 127, 0x12, ...length]), text])
}
