import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as dates from "../../../../src/services/Search/internal/dates.ts"

const at = (text: string) => Date.parse(text)
const now = at("2024-03-31T10:20:30.400Z")

describe("dates of the embedded search", () => {
  it.prop(
    "reads what JavaScript writes",
    {
      millis: Schema.Int.check(Schema.isBetween({ minimum: at("0001-01-01"), maximum: at("9999-12-31") })),
      up: Schema.Boolean
    },
    ({ millis, up }) => {
      const date = new Date(millis)
      assert.strictEqual(dates.parse(date.toISOString(), up, now), millis)
      assert.strictEqual(dates.parse(date, up, now), millis)
      assert.strictEqual(dates.parse(millis, up, now), millis)
      assert.isTrue(dates.looksLikeDate(date.toISOString()))
    }
  )

  it.prop("never throws, and gives a time or nothing", { text: Schema.String, up: Schema.Boolean }, ({ text, up }) => {
    for (const given of [text, `now${text}`, `2024-01-01${text}`, `2024-01-01||${text}`]) {
      const found = dates.parse(given, up, now)
      assert.isTrue(found === undefined || !Number.isNaN(found))
    }
  })

  it.each([
    ["2024-02-29", "2024-02-29T00:00:00.000Z", "2024-02-29T23:59:59.999Z"],
    ["2024-02", "2024-02-01T00:00:00.000Z", "2024-02-01T23:59:59.999Z"],
    ["2024", "2024-01-01T00:00:00.000Z", "2024-01-01T23:59:59.999Z"],
    ["2024-02-29T12", "2024-02-29T12:00:00.000Z", "2024-02-29T12:59:59.999Z"],
    ["2024-02-29T12:30", "2024-02-29T12:30:00.000Z", "2024-02-29T12:30:59.999Z"],
    ["2024-02-29T12:30:15.5", "2024-02-29T12:30:15.500Z", "2024-02-29T12:30:15.500Z"],
    ["2024-02-29T12:30:15.123456789Z", "2024-02-29T12:30:15.123Z", "2024-02-29T12:30:15.123Z"],
    ["2024-02-29T12:30:00+02:00", "2024-02-29T10:30:00.000Z", "2024-02-29T10:30:00.999Z"],
    ["2024-02-29T12:30:00-0530", "2024-02-29T18:00:00.000Z", "2024-02-29T18:00:00.999Z"],
    ["now", "2024-03-31T10:20:30.400Z", "2024-03-31T10:20:30.400Z"],
    ["now-1M", "2024-02-29T10:20:30.400Z", "2024-02-29T10:20:30.400Z"],
    ["now+1y", "2025-03-31T10:20:30.400Z", "2025-03-31T10:20:30.400Z"],
    ["now/d", "2024-03-31T00:00:00.000Z", "2024-03-31T23:59:59.999Z"],
    ["now-7d/M", "2024-03-01T00:00:00.000Z", "2024-03-31T23:59:59.999Z"],
    ["now/w", "2024-03-25T00:00:00.000Z", "2024-03-31T23:59:59.999Z"],
    ["now/H", "2024-03-31T10:00:00.000Z", "2024-03-31T10:59:59.999Z"],
    ["2024-01-31||+1M", "2024-02-29T00:00:00.000Z", "2024-02-29T00:00:00.000Z"]
  ])("%s", (text, down, up) => {
    assert.strictEqual(dates.parse(text, false, now), at(down))
    assert.strictEqual(dates.parse(text, true, now), at(up))
  })

  it("what is none", () => {
    const none = [
      "",
      "2024-13",
      "2024-02-30",
      "2023-02-29",
      "24-01-01",
      "2024-1-1",
      "2024-01-01 12:00",
      "2024-01-01T25:00",
      "yesterday",
      "now-",
      "now-1x",
      "x||+1d"
    ]
    for (const text of none) assert.strictEqual(dates.parse(text, false, now), undefined, text)
    for (const value of [null, undefined, {}, true, NaN, Infinity, new Date(NaN)]) {
      assert.strictEqual(dates.parse(value, false, now), undefined)
    }
    assert.isFalse(dates.looksLikeDate("2024"))
    assert.isTrue(dates.looksLikeDate("2024-01"))
  })
})
