/**
 * How the text of a variable becomes a value. Every parser gives `undefined` for text that it does not accept; what is
 * then said about it is the setting's business (`kinds.ts`).
 *
 * @internal
 */
import * as ByteSize from "effect/ByteSize"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/** What a switch may be, in any case. Wider than the specification's `true`, and an error rather than `false` otherwise. */
export const booleanWords = ["true", "false", "1", "0", "yes", "no", "on", "off"] as const

export const parseBoolean = (text: string): boolean | undefined => {
  const index = (booleanWords as ReadonlyArray<string>).indexOf(text.toLowerCase())
  return index < 0 ? undefined : index % 2 === 0
}

/** Decimal digits only: no sign, no exponent, no radix prefix, no fraction. */
export const parseInteger = (text: string, minimum: number, maximum: number): number | undefined => {
  if (!/^\d+$/.test(text)) return undefined
  const value = Number(text)
  return value >= minimum && value <= maximum ? value : undefined
}

/** A decimal number from 0 to 1. */
export const parseRatio = (text: string): number | undefined => {
  if (!/^(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i.test(text)) return undefined
  const value = Number(text)
  return value <= 1 ? value : undefined
}

const millisOfUnit: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  // The Greek letter, which keyboards write, beside the micro sign above.
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000
}

const durationPattern = /^(?:\d+(?:\.\d+)?\s*(?:ns|us|µs|μs|ms|s|m|h)\s*)+$/
const durationPart = /(\d+(?:\.\d+)?)\s*(ns|us|µs|μs|ms|s|m|h)/g

/** Numbers with units, added up: `500ms`, `1.5s`, `1m30s`. A number without a unit is refused, since nobody can tell which. */
export const parseDuration = (text: string): Duration.Duration | undefined => {
  if (!durationPattern.test(text)) return undefined
  let millis = 0
  for (const [, digits, unit] of text.matchAll(durationPart)) millis += Number(digits) * millisOfUnit[unit!]!
  return Number.isFinite(millis) ? Duration.millis(millis) : undefined
}

const canonicalUnit = new Map(
  ["B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"].map((unit) => [unit.toLowerCase(), unit])
)

/** Bytes: a bare number, or one with a decimal (`kB`, `MB`, …) or binary (`KiB`, `MiB`, …) unit in any case. */
export const parseSize = (text: string): number | undefined => {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text)
  if (match === null) return undefined
  const unit = match[2] === "" ? "B" : canonicalUnit.get(match[2]!.toLowerCase())
  if (unit === undefined) return undefined
  const size = Option.getOrUndefined(ByteSize.fromString(`${match[1]} ${unit}`))
  return size === undefined || size < 1n || size > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : Number(size)
}

/** Undoes percent-encoding; `undefined` where an escape is cut short or does not make UTF-8. */
export const percentDecode = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** The entries of a list, without the blank ones that a trailing comma leaves, and where each stood. */
const entriesOf = (text: string): ReadonlyArray<{ readonly entry: string; readonly position: number }> =>
  text
    .split(",")
    .map((entry, index) => ({ entry: entry.trim(), position: index + 1 }))
    .filter(({ entry }) => entry !== "")

/** What is wrong with one entry of a list. `entry` is as it was written, so it is not for showing where it may be secret. */
export interface BadEntry {
  readonly _tag: "BadEntry"
  readonly entry: string
  readonly position: number
  readonly why: string
}

const bad = (entry: string, position: number, why: string): BadEntry => ({ _tag: "BadEntry", entry, position, why })

const notDecodable = "is not percent-encoded UTF-8"

/** `a,b,c`, each percent-decoded. */
export const parseList = (text: string): ReadonlyArray<string> | BadEntry => {
  const items: Array<string> = []
  for (const { entry, position } of entriesOf(text)) {
    const item = percentDecode(entry)
    if (item === undefined) return bad(entry, position, notDecodable)
    items.push(item)
  }
  return items
}

/** A pair of a list, and where it stood. */
export interface Pair {
  readonly key: string
  readonly value: string
  readonly position: number
}

/**
 * `k=v,k=v`, keys and values percent-decoded: the form of W3C Baggage without its properties. The first `=` divides a
 * pair, so that base64 may stand unencoded in a value.
 */
export const parsePairs = (text: string): ReadonlyArray<Pair> | BadEntry => {
  const pairs: Array<Pair> = []
  for (const { entry, position } of entriesOf(text)) {
    const separator = entry.indexOf("=")
    if (separator < 0) return bad(entry, position, 'has no "="')
    const key = percentDecode(entry.slice(0, separator).trim())
    const value = percentDecode(entry.slice(separator + 1).trim())
    if (key === undefined || value === undefined) return bad(entry, position, notDecodable)
    if (key.trim() === "") return bad(entry, position, 'has no name before "="')
    pairs.push({ key, value, position })
  }
  return pairs
}

/** Whether a list was refused. */
export const isBadEntry = (result: ReadonlyArray<unknown> | BadEntry): result is BadEntry => "_tag" in result
