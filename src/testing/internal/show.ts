/**
 * Values of a test in one line.
 *
 * @internal
 */
import { clean, oneLine } from "../../export/internal/terminal.ts"

const short = (text: string): string => (text.length > 300 ? `${text.slice(0, 299)}…` : text)

/** @internal */
export const showValue = (value: unknown): string => {
  if (value === undefined) return "(none)"
  if (typeof value === "string") return `"${clean(short(value), false)}"`
  if (Array.isArray(value)) return `[${value.map(showValue).join(", ")}]`
  return clean(short(String(value)), false)
}

/** As a value, a regular expression, or the source of a predicate. @internal */
export const showExpected = (expected: unknown): string => {
  if (typeof expected === "function") return clean(oneLine(String(expected)), false).slice(0, 60)
  return showValue(expected)
}
