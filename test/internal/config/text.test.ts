import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import * as Text from "../../../src/internal/config/text.ts"

const natural = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))

/** Any case for each letter. */
const mixCase = (text: string, seed: number): string =>
  [...text].map((letter, index) => ((seed >> index) & 1 ? letter.toUpperCase() : letter.toLowerCase())).join("")

/** Percent-encodes everything, as RFC 3986 allows, letters included. */
const encodeAll = (text: string): string =>
  [...new TextEncoder().encode(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("")

/** Text without lone surrogates, which no encoding can carry. */
const unicode = Schema.String.check(Schema.makeFilter((text: string) => text.isWellFormed()))

describe("parseBoolean", () => {
  it.prop("takes its eight words in any case", [natural(7), natural(255)], ([index, seed]) => {
    const word = Text.booleanWords[index]!
    expect(Text.parseBoolean(mixCase(word, seed))).toBe(["true", "1", "yes", "on"].includes(word))
  })

  it.prop("takes nothing else", [Schema.String], ([text]) => {
    const isWord = (Text.booleanWords as ReadonlyArray<string>).includes(text.toLowerCase())
    expect(Text.parseBoolean(text) !== undefined).toBe(isWord)
  })
})

describe("parseInteger", () => {
  it.prop("reads back what is within bounds", [natural(2 ** 31 - 1)], ([value]) => {
    expect(Text.parseInteger(String(value), 0, 2 ** 31 - 1)).toBe(value)
  })

  it("refuses everything but decimal digits, and what is out of bounds", () => {
    for (const text of ["-1", "+1", "1.0", "1e3", "0x10", "1_000", "1 000", "ten", "NaN", "Infinity", "", "٣"]) {
      expect(Text.parseInteger(text, 0, 100), text).toBeUndefined()
    }
    expect(Text.parseInteger("0", 1, 100)).toBeUndefined()
    expect(Text.parseInteger("101", 1, 100)).toBeUndefined()
    expect(Text.parseInteger("100", 1, 100)).toBe(100)
  })
})

describe("parseRatio", () => {
  it.prop("reads back every share as JavaScript writes it", [natural(1_000_000_000)], ([billionths]) => {
    const share = billionths / 1_000_000_000
    expect(Text.parseRatio(String(share))).toBe(share)
  })

  it("takes the usual spellings and refuses the rest", () => {
    for (const [text, value] of [
      ["0", 0],
      ["1", 1],
      ["1.0", 1],
      [".5", 0.5],
      ["1.", 1],
      ["1e-3", 0.001]
    ] as const) {
      expect(Text.parseRatio(text), text).toBe(value)
    }
    for (const text of ["1.0001", "2", "-0.1", "0,5", "10%", "1/2", "0x1", "NaN", "half", "e5", "."]) {
      expect(Text.parseRatio(text), text).toBeUndefined()
    }
  })
})

describe("parseDuration", () => {
  const units = { us: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const
  const unitNames = Object.keys(units) as ReadonlyArray<keyof typeof units>

  it.prop("is the number times its unit", [natural(100_000), natural(unitNames.length - 1)], ([number, index]) => {
    const unit = unitNames[index]!
    const parsed = Text.parseDuration(`${number}${unit}`)
    expect(Duration.toMillis(parsed!)).toBeCloseTo(number * units[unit], 6)
  })

  it.prop("adds parts up", [natural(99), natural(59), natural(999)], ([minutes, seconds, millis]) => {
    const parsed = Text.parseDuration(`${minutes}m${seconds}s${millis}ms`)
    expect(Duration.toMillis(parsed!)).toBe(minutes * 60_000 + seconds * 1000 + millis)
  })

  it.prop("never throws, and never gives what is negative or without end", [Schema.String], ([text]) => {
    const parsed = Text.parseDuration(text)
    expect(parsed === undefined || (Duration.isFinite(parsed) && !Duration.isNegative(parsed))).toBe(true)
  })

  it("takes fractions, every unit and blanks; wants a unit", () => {
    for (const [text, millis] of [
      ["500ms", 500],
      ["2s", 2000],
      ["1.5s", 1500],
      ["1m", 60_000],
      ["1h", 3_600_000],
      ["1h 30m", 5_400_000],
      ["500 ms", 500],
      ["100us", 0.1],
      ["100µs", 0.1],
      ["0s", 0]
    ] as const) {
      expect(Duration.toMillis(Text.parseDuration(text)!), text).toBe(millis)
    }
    for (const text of ["500", "-1s", "s", "1x", "1.s", "1,5s", "PT1S", "1s!", `${"9".repeat(400)}s`]) {
      expect(Text.parseDuration(text), text).toBeUndefined()
    }
  })
})

describe("parseSize", () => {
  const factors = { "": 1, B: 1, kB: 1e3, MB: 1e6, GB: 1e9, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const
  const units = Object.keys(factors) as ReadonlyArray<keyof typeof factors>

  it.prop(
    "is the number times its unit, in any case",
    [natural(99_999), natural(units.length - 1), natural(255)],
    ([number, index, seed]) => {
      const unit = units[index]!
      const expected = number * factors[unit]
      expect(Text.parseSize(`${number}${mixCase(unit, seed)}`)).toBe(expected === 0 ? undefined : expected)
    }
  )

  it("takes fractions that make whole bytes, and refuses the rest", () => {
    expect(Text.parseSize("1.5GB")).toBe(1_500_000_000)
    expect(Text.parseSize("0.5 KiB")).toBe(512)
    for (const text of [
      "0",
      "0.3B",
      "1.5",
      "-1",
      "MB",
      "1XB",
      "1e6",
      "lots",
      "",
      "99999999999999999999",
      "9999999TB"
    ]) {
      expect(Text.parseSize(text), text).toBeUndefined()
    }
  })
})

describe("percentDecode", () => {
  it.prop("undoes encoding, whatever was encoded", [unicode], ([text]) => {
    expect(Text.percentDecode(encodeURIComponent(text))).toBe(text)
    expect(Text.percentDecode(encodeAll(text))).toBe(text)
  })

  it.prop("never throws", [Schema.String], ([text]) => {
    expect(["string", "undefined"]).toContain(typeof Text.percentDecode(text))
  })

  it("refuses cut escapes and bytes that are no UTF-8", () => {
    for (const text of ["%", "100%", "%4", "%zz", "%ff", "%c3%28"]) expect(Text.percentDecode(text)).toBeUndefined()
  })

  it("leaves a plus sign alone", () => {
    expect(Text.percentDecode("a+b")).toBe("a+b")
  })
})

describe("parseList", () => {
  it.prop("reads back what was encoded and joined", [Schema.Array(unicode)], ([items]) => {
    const given = items.filter((item) => item !== "")
    expect(Text.parseList(given.map(encodeURIComponent).join(" , "))).toEqual(given)
  })
})

describe("parsePairs", () => {
  it.prop("reads back what was encoded and joined", [Schema.Array(Schema.Tuple([unicode, unicode]))], ([items]) => {
    const given = items.filter(([key]) => key.trim() !== "")
    const text = given.map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`).join(",")
    expect(Text.parsePairs(text)).toEqual(given.map(([key, value], index) => ({ key, value, position: index + 1 })))
  })

  it.prop("gives pairs or says what is wrong, and never throws", [Schema.String], ([text]) => {
    const result = Text.parsePairs(text)
    expect(Text.isBadEntry(result) ? result.why.length > 0 : result.every(({ key }) => key.trim() !== "")).toBe(true)
  })

  it("divides at the first =, keeps semicolons, forgives a trailing comma", () => {
    expect(Text.parsePairs("authorization=Basic YTpi==, cookie = a=b; c ,")).toEqual([
      { key: "authorization", value: "Basic YTpi==", position: 1 },
      { key: "cookie", value: "a=b; c", position: 2 }
    ])
  })

  it("says which entry is wrong and why", () => {
    const why = (text: string) => {
      const result = Text.parsePairs(text)
      return Text.isBadEntry(result) ? `${result.position} ${result.why}` : "fine"
    }
    expect(why("a=1,b")).toBe('2 has no "="')
    expect(why("a=1,,=2")).toBe('3 has no name before "="')
    expect(why("a=%zz")).toBe("1 is not percent-encoded UTF-8")
  })
})
