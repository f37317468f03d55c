import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as B3 from "../../src/propagation/B3.ts"

const traceId = "80f198ee56343ba864fe8b2a57d3eff7"
const short = "a3ce929d0e0e4736"
const spanId = "e457b5a2e4d86bd1"

describe("the single header", () => {
  // The first four are the examples of the B3 specification.
  it.each([
    [`${traceId}-${spanId}-1-05e3ac9a4f6e3b90`, traceId, 1, false],
    [`${traceId}-${spanId}`, traceId, 1, false],
    [`${traceId}-${spanId}-0`, traceId, 0, false],
    [`${traceId}-${spanId}-d`, traceId, 1, true],
    [`${short}-${spanId}-1`, `0000000000000000${short}`, 1, false],
    [` ${traceId.toUpperCase()}-${spanId}-1\t`, traceId, 1, false]
  ] as const)("%s", (header, traceId, traceFlags, debug) => {
    assert.deepStrictEqual(B3.parse(header), { traceId, spanId, traceFlags, traceState: undefined, debug })
  })

  it.each([
    "",
    "0",
    "1",
    "d",
    traceId,
    `${traceId}-`,
    `${traceId.slice(1)}-${spanId}-1`,
    `${"0".repeat(32)}-${spanId}-1`,
    `${traceId}-${"0".repeat(16)}-1`,
    `${traceId}-${spanId}-2`,
    `${traceId}-${spanId}-__proto__`,
    `${traceId}-${spanId}-1-05e3ac9a4f6e3b90-more`,
    "x".repeat(1_000_000)
  ])("names no parent: %s", (header) => {
    assert.isUndefined(B3.parse(header))
  })
})

describe("several headers", () => {
  it.each([
    [{ sampled: "1" }, 1, false],
    [{ sampled: "0" }, 0, false],
    [{ sampled: "true" }, 1, false],
    [{ sampled: "false" }, 0, false],
    [{}, 1, false],
    [{ sampled: "0", flags: "1" }, 1, true],
    [{ sampled: "0", flags: "0" }, 0, false]
  ] as const)("%j", (more, traceFlags, debug) => {
    assert.deepStrictEqual(B3.parseMulti({ traceId, spanId, ...more }), {
      traceId,
      spanId,
      traceFlags,
      traceState: undefined,
      debug
    })
  })

  it("pads 64 bits and refuses what is no id", () => {
    assert.strictEqual(B3.parseMulti({ traceId: short, spanId })?.traceId, `0000000000000000${short}`)
    assert.isUndefined(B3.parseMulti({ traceId: "x", spanId }))
  })
})

describe("writing", () => {
  it.each([
    [1, false, "1", { "x-b3-sampled": "1" }],
    [2, false, "0", { "x-b3-sampled": "0" }],
    [1, true, "d", { "x-b3-flags": "1" }]
  ] as const)("flags %i, debug %s", (traceFlags, debug, state, field) => {
    const context = { traceId, spanId, traceFlags, debug }
    assert.strictEqual(B3.format(context), `${traceId}-${spanId}-${state}`)
    assert.deepStrictEqual(B3.formatMulti(context), { "x-b3-traceid": traceId, "x-b3-spanid": spanId, ...field })
  })

  it("the debug flag of a remote parent is sent on", () => {
    assert.isTrue(B3.fromSpan(B3.toExternalSpan(B3.parse(`${traceId}-${spanId}-d`)!))?.debug)
    assert.isFalse(B3.fromSpan(B3.toExternalSpan(B3.parse(`${traceId}-${spanId}-1`)!))?.debug)
    assert.isUndefined(B3.fromSpan(undefined))
  })
})

describe("properties", () => {
  const hex = (length: number) => Schema.String.check(Schema.isPattern(new RegExp(`^[1-9a-f]{${length}}$`)))
  it.prop(
    "what is written is read back",
    { traceId: hex(32), spanId: hex(16), sampled: Schema.Boolean },
    ({ traceId, spanId, sampled }) => {
      const context = { traceId, spanId, traceFlags: sampled ? 1 : 0, traceState: undefined, debug: false }
      assert.deepStrictEqual(B3.parse(B3.format(context)), context)
    }
  )

  it.prop(
    "arbitrary bytes never throw",
    { bytes: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))) },
    ({ bytes }) => {
      const text = String.fromCharCode(...bytes)
      assert.isUndefined(B3.parse(text))
      assert.isUndefined(B3.parseMulti({ traceId: text, spanId: text, sampled: text, flags: text }))
    }
  )
})
