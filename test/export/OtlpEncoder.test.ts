import { describe, expect, it } from "@effect/vitest"
import { JsonTraceSerializer, ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer"
import * as Schema from "effect/Schema"
import { fromReadableSpan } from "../../src/export/ForeignSpan.ts"
import { encodeSpans, type Encoding } from "../../src/export/OtlpEncoder.ts"
import { json } from "../../src/export/OtlpJson.ts"
import { protobuf } from "../../src/export/OtlpProtobuf.ts"
import type { AttributeValue, SpanData } from "../../src/tracer/SpanData.ts"
import { decodeJson, decodeProtobuf } from "../support/OtlpDecode.ts"
import { AnySpan, comparable, makeSpan, readable, spanOf, testResource, testScope } from "./support.ts"

const encodings = [
  ["protobuf", protobuf, decodeProtobuf],
  ["json", json, decodeJson]
] as const

const encode = (encoding: Encoding, spans: ReadonlyArray<SpanData>): Uint8Array =>
  encodeSpans(encoding, { resource: { attributes: testResource }, scope: testScope, spans })

const AnySpans = Schema.Array(AnySpan)
const Few = Schema.Literals([0, 1, 2, 3])

describe("OtlpEncoder", () => {
  it.prop(
    "protobuf means what the official serializer writes",
    [AnySpans],
    ([any]) => {
      const spans = any.map(spanOf)
      const ours = decodeProtobuf(encode(protobuf, spans))
      const official = decodeProtobuf(ProtobufTraceSerializer.serializeRequest(spans.map(readable))!)
      expect(ours.spans.map(comparable)).toEqual(official.spans.map(comparable))
      expect([ours.resourceCount, ours.scopeCount]).toEqual([1, 1])
    },
    { arbitrary: { runs: 300 } }
  )

  it.prop(
    "json means what the official protobuf serializer writes",
    [AnySpans],
    ([any]) => {
      // The official JSON serializer writes integers beyond 64 bits as integers; its protobuf one does not.
      const spans = any.map(spanOf)
      const ours = decodeJson(encode(json, spans))
      const official = decodeProtobuf(ProtobufTraceSerializer.serializeRequest(spans.map(readable))!)
      const wellFormed = (value: unknown): unknown => JSON.parse(stringify(value))
      expect(wellFormed(ours.spans.map(comparable))).toEqual(wellFormed(official.spans.map(comparable)))
    },
    { arbitrary: { runs: 300 } }
  )

  it.prop("a foreign span is encoded like ours", [AnySpans], ([any]) => {
    const spans = any.map(spanOf)
    for (const [, encoding] of encodings) {
      const foreign = spans.map((span) => fromReadableSpan(readable(span)))
      // A record puts keys that look like array indexes first; both sides have gone through one here.
      const again = foreign.map((span) => fromReadableSpan(readable(span)))
      expect(encode(encoding, again)).toEqual(encode(encoding, foreign))
    }
  })

  it.prop(
    "protobuf means the same where spans repeat what earlier ones of their name had",
    [Schema.Array(Schema.Tuple([AnySpan, AnySpan, Few, Few, Few])).pipe(Schema.check(Schema.isMinLength(2)))],
    ([given]) => {
      const [first] = given
      const base = spanOf(first![0])
      const spans = given.flatMap(([any, other, name, cut, changed]) => {
        const span = spanOf(any)
        const more = spanOf(other)
        // Keys of the first span, values now of it and now others; some of its attributes are missing, some are new.
        const keys = [...base.attributeKeys.slice(0, base.attributeKeys.length - cut), ...more.attributeKeys]
        const attributeKeys = [...new Set(keys)]
        const attributeValues = attributeKeys.map((key, i) => {
          const at = base.attributeKeys.indexOf(key)
          if (at >= 0 && (i + changed) % 4 !== 0) return base.attributeValues[at]!
          const own = more.attributeValues[i % Math.max(1, more.attributeValues.length)]
          return own ?? `changed ${changed}`
        })
        const names = [base.name, base.name, "another", span.name]
        const mixed = { ...span, name: names[name]!, attributeKeys, attributeValues }
        return [mixed, { ...mixed, spanId: span.spanId }, { ...base, traceId: span.traceId }]
      })
      const ours = decodeProtobuf(encode(protobuf, spans))
      const official = decodeProtobuf(ProtobufTraceSerializer.serializeRequest(spans.map(readable))!)
      expect(ours.spans.map(comparable)).toEqual(official.spans.map(comparable))
    },
    { arbitrary: { runs: 300 } }
  )

  it("a span says what it says also after others of its name, whatever changed", () => {
    const writer = protobuf.writer()
    const values: ReadonlyArray<AttributeValue> = [
      "a",
      "b",
      "",
      "é",
      "x".repeat(48),
      "x".repeat(49),
      "y".repeat(200),
      0,
      1,
      200,
      -1,
      0.5,
      NaN,
      2 ** 40,
      true,
      false,
      ["a"],
      [1, null]
    ]
    const resource = protobuf.resource({ attributes: testResource })
    const scope = protobuf.scope(testScope)
    for (let batch = 0; batch < 2; batch++) {
      const spans: Array<SpanData> = []
      for (const first of values) {
        for (const [i, key] of ["k".repeat(49), "", "ü", ""].entries()) {
          spans.push(makeSpan({ name: "keys", attributeKeys: ["one", key], attributeValues: [i, first] }))
        }
        for (const second of values) {
          for (const name of ["", "GET /users/:id", "n".repeat(60)]) {
            const attributeValues = [first, "same", second, second, 7]
            const keys = (...attributeKeys: ReadonlyArray<string>) =>
              spans.push(makeSpan({ name, attributeKeys, attributeValues }))
            keys("one", "", "k".repeat(49), "two", "three")
            keys("one", "k".repeat(49), "", "two", "three")
            keys("one", "", "ü", "two", "k".repeat(49))
          }
        }
      }
      for (const [i, span] of spans.entries()) {
        // One that cannot be written leaves nothing behind that others would repeat.
        if (i % 50 === 0) expect(writer.write({ ...span, events: undefined as never })).toBe(false)
        writer.write(span)
      }
      const bytes = Buffer.concat(protobuf.request(resource, [{ scope, count: spans.length, spans: writer.take() }]))
      const official = decodeProtobuf(ProtobufTraceSerializer.serializeRequest(spans.map(readable))!)
      expect(decodeProtobuf(bytes).spans.map(comparable)).toEqual(official.spans.map(comparable))
    }
  })

  it("writes spans of more names than it remembers", () => {
    const spans = Array.from({ length: 1_500 }, (_, i) =>
      makeSpan({ name: `name ${i % 600}`, attributeKeys: ["n", "text"], attributeValues: [i, String(i % 7)] })
    )
    const read = decodeProtobuf(encode(protobuf, spans)).spans
    expect(read.map(({ attributes, name }) => [name, attributes["n"], attributes["text"]])).toEqual(
      spans.map(({ attributeValues, name }) => [name, BigInt(attributeValues[0] as number), attributeValues[1]])
    )
  })

  it("json agrees with the official JSON serializer, field by field", () => {
    const span = makeSpan({
      name: "GET /users/:id",
      kindCode: 1,
      parentSpanId: "00000000000000aa",
      parentIsRemote: true,
      traceState: "a=1",
      statusCode: 2,
      statusMessage: "boom",
      attributeKeys: ["text", "int", "double", "flag", "list"],
      attributeValues: ["a", 3, 0.5, true, ["x", "y"]],
      events: [
        {
          name: "retry",
          seconds: 1,
          nanos: 5,
          attributeKeys: ["retry.attempt"],
          attributeValues: [1],
          droppedAttributesCount: 0
        }
      ]
    })
    const official = decodeJson(JsonTraceSerializer.serializeRequest([readable(span)])!)
    expect(decodeJson(encode(json, [span])).spans.map(comparable)).toEqual(official.spans.map(comparable))
  })

  describe.each(encodings)("%s", (_name, encoding, decode) => {
    const attributesOf = (values: Record<string, unknown>) =>
      decode(
        encode(encoding, [
          makeSpan({ attributeKeys: Object.keys(values), attributeValues: Object.values(values) as never })
        ])
      ).spans[0]!.attributes

    it("writes what is no number as doubles that every receiver reads", () => {
      const read = attributesOf({ nan: NaN, more: Infinity, less: -Infinity, zero: -0 })
      expect(read).toEqual({ nan: NaN, more: Infinity, less: -Infinity, zero: 0n })
    })

    it("has an encoding for every value, and never throws", () => {
      const cycle: Record<string, unknown> = { name: "cycle" }
      cycle["self"] = cycle
      const read = attributesOf({
        big: 12n,
        huge: 2n ** 70n,
        bytes: new Uint8Array([1, 2, 255]),
        object: { a: 1, b: ["x", null] },
        nothing: null,
        undefined: undefined,
        symbol: Symbol("s"),
        cycle,
        long: "é".repeat(100_000)
      })
      expect(read).toMatchObject({
        big: 12n,
        huge: String(2n ** 70n),
        bytes: new Uint8Array([1, 2, 255]),
        object: { a: 1n, b: ["x", undefined] },
        symbol: "Symbol(s)",
        long: "é".repeat(100_000)
      })
      expect(Object.keys(read)).toContain("nothing")
    })

    it("replaces lone surrogates", () => {
      expect(attributesOf({ text: "a\ud800b", ["k\udc00"]: 1 })).toEqual({ text: "a\ufffdb", "k\ufffd": 1n })
    })

    it("brings identifiers to their length", () => {
      const [span] = decode(
        encode(encoding, [makeSpan({ traceId: "abc", spanId: "0123456789abcdef0123", parentSpanId: "ZZ" })])
      ).spans
      expect([span!.traceId, span!.spanId]).toEqual(["abc".padStart(32, "0"), "456789abcdef0123"])
      expect(span!.parentSpanId).toHaveLength(16)
    })

    it("leaves nothing behind of a span that cannot be encoded", () => {
      const writer = encoding.writer()
      writer.write(makeSpan({ name: "first" }))
      const length = writer.length
      expect(writer.write(makeSpan({ events: undefined as never }))).toBe(false)
      expect(writer.length).toBe(length)
      expect(writer.write(makeSpan({ name: "third" }))).toBe(true)
      const bytes = Buffer.concat(
        encoding.request(encoding.resource({ attributes: {} }), [
          { scope: encoding.scope(testScope), count: 2, spans: writer.take() }
        ])
      )
      expect(decode(bytes).spans.map((span) => span.name)).toEqual(["first", "third"])
      expect(writer.length).toBe(0)
    })

    it("splits between spans and names them", () => {
      const writer = encoding.writer()
      for (const name of ["a,\n", "b", "c".repeat(300)]) {
        writer.write(makeSpan({ name, attributeKeys: ["text"], attributeValues: ['"},\n{"'.repeat(50)] }))
      }
      const [left, right] = encoding.split(writer.take(), 1)
      expect([encoding.nameOf(left), encoding.nameOf(right)]).toEqual(["a,\n", "b"])
      const [middle, last] = encoding.split(right, 1)
      expect([encoding.nameOf(middle), encoding.nameOf(last)]).toEqual(["b", "c".repeat(300)])
      expect(encoding.split(last, 5)[1]).toHaveLength(0)
    })

    it("groups scopes under one resource", () => {
      const one = encoding.writer()
      one.write(makeSpan({ name: "one" }))
      const two = encoding.writer()
      two.write(makeSpan({ name: "two" }))
      const read = decode(
        Buffer.concat(
          encoding.request(encoding.resource({ attributes: { "service.name": "s" }, schemaUrl: "https://schema" }), [
            { scope: encoding.scope({ name: "a", schemaUrl: "https://s" }), count: 1, spans: one.take() },
            { scope: encoding.scope({ name: "b", attributes: { x: 1 } }), count: 1, spans: two.take() }
          ])
        )
      )
      expect(read.resourceCount).toBe(1)
      expect(read.spans.map((span) => [span.name, span.scopeName, span.resource["service.name"]])).toEqual([
        ["one", "a", "s"],
        ["two", "b", "s"]
      ])
    })
  })
})

/** JSON that keeps bigints, NaN and bytes apart from what they would become. */
const stringify = (value: unknown): string =>
  JSON.stringify(value, (_key, value) =>
    typeof value === "bigint"
      ? `${value}n`
      : typeof value === "number" && !Number.isFinite(value)
        ? String(value)
        : value === undefined
          ? "undefined"
          : value
  )
