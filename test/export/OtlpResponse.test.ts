import { describe, expect, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { readRefusal, readSuccess } from "../../src/export/OtlpResponse.ts"
import { encodeResponse, encodeStatus } from "../support/OtlpDecode.ts"

const types = { protobuf: "application/x-protobuf", json: "application/json; charset=utf-8" } as const
const nothing = { rejectedSpans: 0, message: "" }

describe("OtlpResponse", () => {
  for (const encoding of ["protobuf", "json"] as const) {
    it.prop(
      `reads what the official definitions write, as ${encoding}`,
      [Schema.Literals([0, 1, 127, 128, 512, 4_294_967_296]), Schema.Literals(["", "no such tenant", "ungültig 🙈"])],
      ([rejectedSpans, errorMessage]) => {
        const partial = encodeResponse({ rejectedSpans, errorMessage }, encoding)
        expect(readSuccess(partial, types[encoding])).toEqual({ rejectedSpans, message: errorMessage })
        expect(readRefusal(encodeStatus(3, errorMessage, encoding), types[encoding])).toBe(errorMessage)
      }
    )

    it(`takes an empty ${encoding} answer as nothing to say`, () => {
      expect(readSuccess(encodeResponse(undefined, encoding), types[encoding])).toEqual(nothing)
      expect(readSuccess(new Uint8Array(), types[encoding])).toEqual(nothing)
      expect(readRefusal(new Uint8Array(), types[encoding])).toBe("")
    })
  }

  it.prop("never throws, whatever comes", [Schema.Array(Schema.Int), Schema.String], ([numbers, type]) => {
    const bytes = Uint8Array.from(numbers)
    for (const contentType of [type, types.protobuf, types.json, "text/html"]) {
      expect(readSuccess(bytes, contentType).rejectedSpans).toBeGreaterThanOrEqual(0)
      expect(typeof readRefusal(bytes, contentType)).toBe("string")
    }
  })

  it("takes only numbers for a count, and makes one line of a message", () => {
    const json = (value: unknown) => readSuccess(Buffer.from(JSON.stringify(value)), types.json)
    expect(json({ partialSuccess: { rejectedSpans: "many", errorMessage: 7 } })).toEqual(nothing)
    expect(json({ partialSuccess: { rejectedSpans: -3 } })).toEqual(nothing)
    expect(json({ partialSuccess: null })).toEqual(nothing)
    expect(json(null)).toEqual(nothing)
    expect(json({ partialSuccess: { errorMessage: `a\n\u001b[31mb${"x".repeat(1_000)}` } }).message).toMatch(
      /^a \[31mbx{285,}\.\.\.$/
    )
  })

  it("shows no page of a proxy", () => {
    expect(readRefusal(Buffer.from("<html><body>Bad gateway</body></html>"), "text/html")).toBe("")
    expect(readRefusal(Buffer.from("no upstream\n"), "text/plain")).toBe("no upstream")
  })
})
