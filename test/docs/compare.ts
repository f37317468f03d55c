/** Compares what a page shows with what was printed, apart from what differs by machine and moment. */

/** What differs by machine and moment, made the same on both sides. */
export const level = (line: string): string =>
  line
    .replace(/\b[0-9a-f]{32}\b/g, "<trace>")
    .replace(/\b[0-9a-f]{16}\b/g, "<span>")
    .replace(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "<uuid>")
    .replace(/\b([pc])_[0-9a-z]{12}\b/g, "$1_<id>")
    .replace(/^(?:timestamp=\S+|\[\d\d:\d\d:\d\d\.\d{3}\])/, "[<time>]")
    .replace(/"timestamp":"[^"]+"/, '"timestamp":"<time>"')
    .replace(/\(#\d+\)/, "(#<fiber>)")
    .replace(/"fiberId":"#\d+"/, '"fiberId":"#<fiber>"')
    .replace(/\b\d+(\.\d+)? (ns|µs|ms|s)\b/g, "<n> ms")
    .replace(/^(ok {7}name: localhost is ).*/, "$1<addresses>")
    .replace(/(accepts, at )[^ ]+,/, "$1<address>,")
    .replace("; in a container localhost is the container itself: use the name of the collector's service", "")
    .replace(/nobody knows this name \(ENOTFOUND\)|the name cannot be looked up now \(EAI_AGAIN\)/, "<unknown>")
    .replace(/(connect ECONNREFUSED )\S+?:(\d+)/, "$1<address>:$2")
    .replace(/(Listening on http:\/\/)(\[::\]|0\.0\.0\.0)/, "$1<any>")
    .replace(/(ready: http:\/\/127\.0\.0\.1:)\d+/, "$1<port>")
    .replace(/Node\.js \d+\.\d+\.\d+/, "Node.js <version>")
    .replace(/(effect|api) \d+\.\d+\.\d+/g, "$1 <version>")
    // The bars of a trace are as long as its spans took, and what stands beside them is wrapped where they end.
    .replace(/ *[━╸╺◆][━╸╺◆ ]*/g, "  ")
    // A port may have another number of digits, and columns another width.
    .replace(/ {2,}/g, "  ")
    .trimEnd()

const isEllipsis = (line: string): boolean => line === "…" || line === "[…]"

/** A row of a trace that goes on below: where it does depends on how wide the column of durations is. */
const goesOn = /^[│ ]{24,}(?=[^│ ])/

const unwrapped = (lines: ReadonlyArray<string>): ReadonlyArray<string> => {
  const whole: Array<string> = []
  for (const line of lines) {
    if (goesOn.test(line) && whole.length > 0) whole.push(`${whole.pop()}  ${line.replace(goesOn, "")}`)
    else whole.push(line)
  }
  return whole
}

/** Where both differ; empty where they do not. A line with an ellipsis stands for any lines. */
export const difference = (shownLines: ReadonlyArray<string>, printedLines: ReadonlyArray<string>): string => {
  const shown = unwrapped(shownLines)
  const printed = unwrapped(printedLines)
  let at = 0
  let isLoose = false
  for (const line of shown) {
    if (isEllipsis(line)) {
      isLoose = true
      continue
    }
    const levelled = level(line)
    const found = isLoose ? printed.findIndex((other, index) => index >= at && level(other) === levelled) : at
    if (found === -1 || level(printed[found] ?? "\0") !== levelled) {
      return `shown, but not printed: ${line}${isLoose ? "" : `\nprinted in its place: ${printed[at] ?? "(the end)"}`}`
    }
    at = found + 1
    isLoose = false
  }
  return isLoose || at === printed.length ? "" : `printed, but not shown: ${printed[at]}`
}

/** The lines of an output, without empty ones at its ends. */
export const linesOf = (output: string): ReadonlyArray<string> => output.replace(/^\n+|\n+$/g, "").split("\n")
