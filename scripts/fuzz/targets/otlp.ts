/** The encoders, held against the official definitions. */
import assert from "node:assert/strict"
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer"
import { encodeSpans, type Encoding } from "../../../src/export/OtlpEncoder.ts"
import { json } from "../../../src/export/OtlpJson.ts"
import { protobuf } from "../../../src/export/OtlpProtobuf.ts"
import type { SpanData } from "../../../src/tracer/SpanData.ts"
import { comparable, readable, testResource, testScope } from "../../../test/export/support.ts"
import { decodeJson, decodeProtobuf, type ReceivedSpan } from "../../../test/support/OtlpDecode.ts"
import type { Choices } from "../Choices.ts"
import { target } from "../Target.ts"
import { valueOf as anyValue } from "./values.ts"
import { spanOf } from "./spans.ts"

const encode = (encoding: Encoding, spans: ReadonlyArray<SpanData>): Uint8Array =>
  encodeSpans(encoding, { resource: { attributes: testResource }, scope: testScope, spans })

const decoders = [
  [protobuf, decodeProtobuf],
  [json, decodeJson]
] as const

/** A span as it should never be: attributes that were not converted. */
const oddOf = (choices: Choices): SpanData => {
  const span = spanOf(choices)
  return { ...span, attributeKeys: ["odd"], attributeValues: [anyValue(choices) as never] }
}

const compared = (spans: ReadonlyArray<ReceivedSpan>): unknown => spans.map(comparable)

export const otlp = target({
  name: "otlp",
  claim: "what is written reads, by the official definitions, as what the official serializer writes",
  make: (choices) => ({
    spans: choices.list(6, spanOf),
    odd: choices.list(2, oddOf),
    at: choices.below(8)
  }),
  check: ({ at, odd, spans }) => {
    const official = decodeProtobuf(ProtobufTraceSerializer.serializeRequest(spans.map(readable))!)
    for (const [encoding, decode] of decoders) {
      const bytes = encode(encoding, spans)
      assert.deepEqual(compared(decode(bytes).spans), compared(official.spans), encoding.protocol)
      // Cut anywhere, the parts hold the spans in their order.
      const writer = encoding.writer()
      for (const span of spans) assert.ok(writer.write(span))
      const [left, right] = encoding.split(writer.take(), at)
      const parts = [left, right].map(
        (part, i) =>
          decode(
            Buffer.concat(
              encoding.request(encoding.resource({ attributes: {} }), [
                { scope: encoding.scope(testScope), count: i === 0 ? Math.min(at, spans.length) : 1, spans: part }
              ])
            )
          ).spans
      )
      assert.deepEqual(
        parts.map((part) => part.length),
        [Math.min(at, spans.length), Math.max(0, spans.length - at)]
      )
      assert.deepEqual(
        parts.flat().map((span) => [span.spanId, span.name]),
        official.spans.map((span) => [span.spanId, span.name])
      )
      if (spans.length > 0) assert.equal(encoding.nameOf(Buffer.concat([left, right])), official.spans[0]!.name)
      const oddBytes = encode(encoding, odd)
      assert.ok(decode(oddBytes).spans.length <= odd.length)
    }
  }
})
