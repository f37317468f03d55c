/** The numbers of SECURITY.md are those of the code, and the names in it are there. */
import { assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { maxHeaderSize } from "node:http"
import { fileURLToPath } from "node:url"

const root = new URL("../../", import.meta.url)
const read = (path: string): string => readFileSync(fileURLToPath(new URL(path, root)), "utf8")
const page = read("SECURITY.md")

const units: Readonly<Record<string, number>> = { "": 1, bytes: 1, KiB: 1024, MiB: 1024 * 1024, s: 1000 }

/** `64 MiB` as a number; times are in milliseconds, as in the code. */
const numberOf = (text: string): number => {
  const [number = "", unit = ""] = text.split(" ")
  return Number(number.replaceAll(",", "")) * (units[unit] ?? Number.NaN)
}

/** What a constant of a source is: a product of numbers. */
const constantOf = (file: string, name: string): number => {
  const text = read(file).replace(/\/\*[\s\S]*?\*\//g, "")
  const found = new RegExp(`\\b${name}\\b\\s*[:=]\\s*([\\d_]+(?:\\s*\\*\\s*[\\d_]+)*)\\s*(?:,|\\n|})`).exec(text)
  if (found === null) return Number.NaN
  return found[1]!.split("*").reduce((product, factor) => product * Number(factor.trim().replaceAll("_", "")), 1)
}

const rows = [...page.matchAll(/^\|([^|]+)\|([^|]+)\|\s*`(src\/[^#`]+)#(\w+)`\s*\|$/gm)].map((match) => ({
  what: match[1]!.trim(),
  atMost: match[2]!.trim(),
  file: match[3]!,
  name: match[4]!
}))

describe("SECURITY.md", () => {
  it("has a table of bounds", () => {
    assert.isAtLeast(rows.length, 30)
  })

  for (const { atMost, file, name, what } of rows) {
    it(`${what}: ${atMost}`, () => {
      assert.strictEqual(numberOf(atMost), constantOf(file, name), `${file}#${name}`)
    })
  }

  it("says what Node.js refuses", () => {
    assert.include(page, `more than ${maxHeaderSize / 1024} KiB of headers`)
  })

  it("names files that are there", () => {
    for (const [, path] of page.matchAll(/`((?:src|test)\/[\w./-]+)(?:#\w+)?`/g)) {
      assert.isTrue(existsSync(new URL(path!, root)), path)
    }
  })
})
