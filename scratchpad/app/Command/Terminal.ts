/**
 * What is written to the terminal, in an order that can be read: while the demo prints, everything else waits.
 */
import { Cause, Logger, References } from "effect"
import type { ConsoleOutput } from "effect-telemetry/export/ConsoleExporter"
import { terminalOptions } from "effect-telemetry/export/TraceTree"

const stdout = process.stdout

/** How traces are drawn here. */
export const drawing = terminalOptions(stdout)

const style = (open: number, close: number) => (text: string) =>
  drawing.color === true ? `\u001b[${open}m${text}\u001b[${close}m` : text

export const bold = style(1, 22)
export const dim = style(2, 22)
export const red = style(31, 39)
export const green = style(32, 39)
export const yellow = style(33, 39)

/** A line of text, or several. */
export const say = (text = ""): void => {
  stdout.write(`${text}\n`)
}

let waiting: Array<string> | undefined

/** Writes what must not come between the lines of the demo. */
const aside = (text: string): void => {
  if (waiting === undefined) stdout.write(text)
  else waiting.push(text)
}

/** What is not said by `say` waits from now on. */
export const hold = (): void => {
  waiting ??= []
}

/** What has waited is written, and nothing waits any more. */
export const release = (): void => {
  const texts = waiting ?? []
  waiting = undefined
  for (const text of texts) stdout.write(text)
}

/** Where traces of requests that are not the demo's are printed. */
export const traceOutput: ConsoleOutput = {
  write: (text) => aside(`\n${text}`),
  get isTTY() {
    return stdout.isTTY
  },
  get columns() {
    return stdout.columns
  },
  get writableLength() {
    return stdout.writableLength
  }
}

const paintLevel = { Warn: yellow, Error: red, Fatal: red } as Readonly<Record<string, (text: string) => string>>

/** Log lines for people: level, message, annotations. */
export const logger = Logger.make<unknown, void>(({ cause, fiber, logLevel, message }) => {
  const parts = (Array.isArray(message) ? message : [message]).map((part) =>
    typeof part === "string" ? part : part instanceof Error ? part.message : JSON.stringify(part)
  )
  const annotations = Object.entries(fiber.getRef(References.CurrentLogAnnotations)).map(
    ([key, value]) => ` ${dim(`${key}=`)}${String(value)}`
  )
  const why = cause.reasons.length === 0 ? "" : ` ${dim(Cause.pretty(cause).split("\n")[0] ?? "")}`
  const level = (paintLevel[logLevel] ?? dim)(logLevel.toLowerCase().padEnd(5))
  aside(`  ${level} ${parts.join(" ")}${annotations.join("")}${why}\n`)
})
