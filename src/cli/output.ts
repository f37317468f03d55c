/**
 * What commands share in saying things.
 *
 * @internal
 */
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { TerminalCapabilities } from "effect/cli/TerminalCapabilities"

/** Whether the output may have colours: on a terminal, without `NO_COLOR`. */
export const color: Effect.Effect<boolean> = Effect.map(TerminalCapabilities, ({ canColor }) => canColor)

export const json = (value: unknown): Effect.Effect<void> => Console.log(JSON.stringify(value, undefined, 2))

/** The command was used wrongly, in a way that its flags cannot say. */
export class UsageError extends Data.TaggedError("UsageError")<{ readonly message: string }> {}

/** What a shell expects of a command that was used wrongly. */
export const usageExitCode = 2

/** The command did its work, and the answer is no. */
export const exitWith = (code: number): Effect.Effect<void> =>
  Effect.sync(() => {
    process.exitCode = code
  })

/** Rows in columns that are as wide as they need to be; the last one is not padded. */
export const columns = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const widths: Array<number> = []
  for (const row of rows) row.forEach((cell, at) => (widths[at] = Math.max(widths[at] ?? 0, cell.length)))
  return rows.map((row) => row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at]!))).join("  "))
}

/** A number with its word: `1 span`, `3 spans`. */
export const count = (number: number, word: string): string =>
  `${number.toLocaleString("en-US")} ${word}${number === 1 ? "" : "s"}`

/** Bytes for people, in the units of `OTEL_SPOOL_MAX_BYTES`. */
export const size = (bytes: number): string => {
  if (bytes < 1000) return `${bytes} B`
  const units = ["kB", "MB", "GB", "TB"]
  let value = bytes / 1000
  let unit = 0
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${value.toFixed(1).replace(/\.0$/, "")} ${units[unit]}`
}
