/** Conversion of attributes: total, bounded, and without the secrets that their keys or kinds tell of. */
import assert from "node:assert/strict"
import * as AttributeValue from "../../../src/tracer/AttributeValue.ts"
import * as Limits from "../../../src/tracer/Limits.ts"
import * as Redaction from "../../../src/tracer/Redaction.ts"
import { target } from "../Target.ts"
import { valueOf } from "./values.ts"

const secret = "zqk7vxHidden"

const isText = (value: unknown, longest: number): boolean =>
  typeof value === "string" && value.length <= longest && value.isWellFormed()

const isPlain = (value: unknown, longest: number): boolean =>
  isText(value, longest) || (typeof value === "number" && Number.isFinite(value)) || typeof value === "boolean"

export const attributes = target({
  name: "attributes",
  claim: "any value becomes one that every receiver takes, within the limits, and no secret of it is left",
  make: (choices) => ({
    value: valueOf(choices, secret),
    limits: { valueLength: choices.pick([8192, 20, 1, 0]), arrayLength: choices.pick([1024, 2, 0]) }
  }),
  check: ({ limits: { arrayLength, valueLength }, value }) => {
    const rules = { limits: Limits.make({ arrayLength, valueLength }), redactor: Redaction.defaults }
    const converted = AttributeValue.convert(value, rules)
    if (converted === undefined) return
    assert.ok(!JSON.stringify(converted).includes(secret), JSON.stringify(converted))
    if (!Array.isArray(converted)) {
      // Words of ours are longer than the shortest limits.
      assert.ok(isPlain(converted, Math.max(valueLength, 16)), JSON.stringify(converted))
    } else {
      assert.ok(converted.length <= arrayLength)
      const present = converted.filter((element) => element !== null && element !== undefined)
      assert.ok(present.every((element) => isPlain(element, Math.max(valueLength, 16))))
      assert.ok(new Set(present.map((element) => typeof element)).size <= 1)
    }
    JSON.parse(AttributeValue.toJson(value, rules))
  }
})
