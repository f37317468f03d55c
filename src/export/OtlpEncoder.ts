/**
 * Spans to the bytes of an OTLP trace request, in one pass and without a tree of objects in between.
 *
 * A batch is written span by span while it fills (`SpanWriter`), so that what waits is bytes, whose size is known and
 * which the garbage collector need not walk. A request is then those bytes behind a short head: the resource, and for
 * each instrumentation scope the scope and its spans. An `Encoding` is one of the two forms of OTLP/HTTP:
 * `OtlpProtobuf.protobuf` (the default) and `OtlpJson.json`.
 *
 * **Gotchas**
 *
 * - A value that is no OTLP value does not make a request invalid: it is written as the closest thing that every
 *   receiver takes. Lone surrogates become U+FFFD, identifiers of a wrong length are padded or cut.
 * - `NaN` and the infinities are doubles. In JSON they are the strings that the Protobuf JSON mapping names.
 *
 * **Example** (A request without spans)
 *
 * ```ts
 * import { encodeSpans } from "effect-telemetry/export/OtlpEncoder"
 * import { protobuf } from "effect-telemetry/export/OtlpProtobuf"
 *
 * const bytes = encodeSpans(protobuf, {
 *   resource: { attributes: { "service.name": "shop" } },
 *   scope: { name: "shop" },
 *   spans: []
 * })
 * if (bytes.length === 0) throw new Error("a request holds its resource even without spans")
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#otlphttp
 */
import type { SpanData } from "../tracer/SpanData.ts"

/** What all spans of a process have in common. */
export interface Resource {
  /** Of any kind of value, as those of spans. */
  readonly attributes: Readonly<Record<string, unknown>>
  /** Which version of the semantic conventions they follow. */
  readonly schemaUrl?: string | undefined
}

/** The library that made a span. */
export interface InstrumentationScope {
  readonly name: string
  readonly version?: string | undefined
  readonly schemaUrl?: string | undefined
  readonly attributes?: Readonly<Record<string, unknown>> | undefined
}

/** Spans of one scope, written one behind the other by a `SpanWriter` of the same encoding. */
export interface EncodedSection {
  /** The scope, as `Encoding.scope` wrote it. */
  readonly scope: Uint8Array
  /** How many spans. */
  readonly count: number
  /** Their bytes. */
  readonly spans: Uint8Array
}

/** Writes spans into a buffer that grows and is used again. */
export interface SpanWriter {
  /**
   * Appends a span. Never throws: returns false, with nothing written, where the span cannot be encoded at all (it is
   * no `SpanData`, or larger than a buffer can be).
   */
  readonly write: (span: SpanData) => boolean
  /** Bytes written since the last `take`. */
  readonly length: number
  /** The bytes from an offset to the end, valid until the next write. */
  readonly viewFrom: (offset: number) => Uint8Array
  /** A copy of the bytes from an offset to the end. */
  readonly copyFrom: (offset: number) => Uint8Array
  /** Forgets the bytes from an offset to the end. */
  readonly truncate: (offset: number) => void
  /** Appends spans that a writer of the same encoding wrote. */
  readonly append: (spans: Uint8Array) => void
  /** All bytes; the writer is empty afterwards. */
  readonly take: () => Uint8Array
  /** What `take` gave is needed no more, by nobody: its memory may be written to again. */
  readonly giveBack: (bytes: Uint8Array) => void
}

/** What a collector says in the body of its answer. */
export interface ResponseMessage {
  /** Spans that it did not take: `partial_success.rejected_spans`. */
  readonly rejectedSpans: number
  /** Its reason, or a warning where it took all: cut at 300 characters. */
  readonly message: string
}

/** One of the two encodings of OTLP/HTTP. */
export interface Encoding {
  /** As `OTEL_EXPORTER_OTLP_PROTOCOL` names it. */
  readonly protocol: "http/protobuf" | "http/json"
  /** The `Content-Type` of a request. */
  readonly contentType: string
  /** A writer with a buffer of its own. */
  readonly writer: () => SpanWriter
  readonly resource: (resource: Resource) => Uint8Array
  readonly scope: (scope: InstrumentationScope) => Uint8Array
  /** The request's body, in pieces that are to be sent one behind the other. */
  readonly request: (resource: Uint8Array, sections: ReadonlyArray<EncodedSection>) => Array<Uint8Array>
  /** Cuts the bytes of `count` spans after the first `first` ones. */
  readonly split: (spans: Uint8Array, first: number) => readonly [Uint8Array, Uint8Array]
  /** The name of the first span. */
  readonly nameOf: (spans: Uint8Array) => string
}

/** Encodes whole spans at once: a request of one resource and one scope. */
export const encodeSpans = (
  encoding: Encoding,
  request: {
    readonly resource: Resource
    readonly scope: InstrumentationScope
    readonly spans: ReadonlyArray<SpanData>
  }
): Uint8Array => {
  const writer = encoding.writer()
  let count = 0
  for (const span of request.spans) if (writer.write(span)) count++
  return Buffer.concat(
    encoding.request(encoding.resource(request.resource), [
      { scope: encoding.scope(request.scope), count, spans: writer.take() }
    ])
  )
}

/** How deep arrays and objects may nest in an attribute before the rest is replaced by a word. */
export const maxDepth = 16

/** Whether a number is written as an integer: whole, and within 64 bits. */
export const isInt64 = (value: number): boolean =>
  Number.isInteger(value) && value >= -0x8000_0000_0000_0000 && value < 0x8000_0000_0000_0000

/** Whether a bigint fits in 64 bits. */
export const isInt64Big = (value: bigint): boolean => BigInt.asIntN(64, value) === value

/** Own enumerable keys, in order; none where even asking throws. */
export const keysOf = (value: object): ReadonlyArray<string> => {
  try {
    return Object.keys(value)
  } catch {
    return []
  }
}

/** The flags of a span or a link: W3C trace flags, and whether the (parent) context is known to be remote. */
export const flagsOf = (traceFlags: number, isRemote: boolean): number =>
  (traceFlags & 0xff) | (isRemote ? 0x300 : 0x100)

/** Brings an identifier to its length: cut on the left, or padded there with zeros; 0 for what is no digit. */
export const normalizeId = (id: string, digits: 16 | 32): string =>
  id
    .toLowerCase()
    .replace(/[^0-9a-f]/g, "0")
    .slice(-digits)
    .padStart(digits, "0")
