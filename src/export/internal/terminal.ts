/**
 * Text for a terminal: escaped so that no span can steer the terminal, measured in cells, cut, padded and coloured.
 *
 * @internal
 */

/** @internal */
export interface Paint {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly red: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
  readonly blue: (text: string) => string
  readonly magenta: (text: string) => string
  readonly cyan: (text: string) => string
}

const sgr =
  (open: number, close: number) =>
  (text: string): string =>
    text === "" ? text : `\u001b[${open}m${text}\u001b[${close}m`

const same = (text: string): string => text

/** @internal */
export const colored: Paint = {
  bold: sgr(1, 22),
  dim: sgr(2, 22),
  red: sgr(31, 39),
  green: sgr(32, 39),
  yellow: sgr(33, 39),
  blue: sgr(34, 39),
  magenta: sgr(35, 39),
  cyan: sgr(36, 39)
}

/** @internal */
export const plain: Paint = {
  bold: same,
  dim: same,
  red: same,
  green: same,
  yellow: same,
  blue: same,
  magenta: same,
  cyan: same
}

// What a terminal obeys or hides instead of showing: C0 and C1 controls, soft hyphen, zero-width and direction marks,
// line separators, byte order mark, interlinear marks and noncharacters, tags, and halves of surrogate pairs.
// ZERO WIDTH JOINER and NON-JOINER stay: names in several scripts need them and they steer nothing.
const unsafe = new RegExp(
  "[\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff" +
    "\\ufff0-\\uffff\\u{e0000}-\\u{e0fff}\\ud800-\\udfff]",
  "gu"
)
const notAscii = new RegExp("[^\\u0020-\\u007e]", "gu")

const escapes: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }

const escape = (character: string): string =>
  escapes[character] ?? `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`

/**
 * The text with everything that a terminal would obey written out instead (`\u{1b}`, `\n`).
 *
 * @internal
 */
export const clean = (text: string, ascii: boolean): string => text.replace(ascii ? notAscii : unsafe, escape)

/**
 * A message of several lines as one line.
 *
 * @internal
 */
export const oneLine = (text: string): string => text.replace(/\s+/g, " ").trim()

const printableAscii = /^[\u0020-\u007e]*$/
// One cell and one code unit each: Latin, box drawing and the signs of a tree. Most text is nothing else.
const simple =
  /^[\u0020-\u007e\u00a1-\u00ac\u00ae-\u02ff\u2022\u2026\u2190-\u21ff\u2298\u22ef\u2500-\u259f\u25c6\u2717]*$/
// Two cells: Hangul, CJK with its punctuation, full-width forms, emoji, ideographic planes.
const wide = new RegExp(
  "[\\u1100-\\u115f\\u231a\\u231b\\u23e9-\\u23ec\\u23f0\\u23f3\\u2614\\u2615\\u26a1\\u2705\\u270a\\u270b\\u2728\\u274c" +
    "\\u2753-\\u2755\\u2757\\u2795-\\u2797\\u2b50\\u2b55\\u2e80-\\u303e\\u3041-\\ua4cf\\ua960-\\ua97c\\uac00-\\ud7a3" +
    "\\uf900-\\ufaff\\ufe0f\\ufe30-\\ufe6f\\uff01-\\uff60\\uffe0-\\uffe6\\u{1f1e6}-\\u{1f1ff}\\u{1f300}-\\u{1f64f}" +
    "\\u{1f680}-\\u{1f6ff}\\u{1f7e0}-\\u{1f7eb}\\u{1f900}-\\u{1faff}\\u{20000}-\\u{3fffd}]",
  "u"
)
const invisible = /^[\p{M}\u200c\u200d]*$/u

let segmenter: Intl.Segmenter | undefined
const graphemes = (text: string): Intl.Segments => (segmenter ??= new Intl.Segmenter()).segment(text)

const graphemeCells = (grapheme: string): number => (wide.test(grapheme) ? 2 : invisible.test(grapheme) ? 0 : 1)

/**
 * How many cells of a terminal the text takes.
 *
 * @internal
 */
export const cells = (text: string): number => {
  if (simple.test(text)) return text.length
  let count = 0
  for (const { segment } of graphemes(text)) count += graphemeCells(segment)
  return count
}

/**
 * The text in at most so many cells, with an ellipsis where something was left out.
 *
 * @internal
 */
export const cut = (text: string, limit: number, ellipsis: string): string => {
  if (limit <= 0) return ""
  // A cell is hardly ever made of more than a few code units, and a value may have megabytes.
  const short = text.length > limit * 8 ? text.slice(0, limit * 8) : text
  if (short === text && cells(text) <= limit) return text
  const room = limit - ellipsis.length
  if (room <= 0) return ellipsis.slice(0, limit)
  if (simple.test(short)) return short.slice(0, room) + ellipsis
  let out = ""
  let used = 0
  for (const { segment } of graphemes(short)) {
    const more = graphemeCells(segment)
    if (used + more > room) break
    used += more
    out += segment
  }
  return out + ellipsis
}

/**
 * As {@link cut}, but leaves out the middle: of a URL both the host and the last segment say something.
 *
 * @internal
 */
export const cutMiddle = (text: string, limit: number, ellipsis: string): string => {
  // Only of plain text is a half a number of characters.
  if (!printableAscii.test(text) || limit < 16) return cut(text, limit, ellipsis)
  if (text.length <= limit) return text
  const head = Math.ceil((limit - ellipsis.length) / 2)
  return text.slice(0, head) + ellipsis + text.slice(text.length - (limit - ellipsis.length - head))
}

/** @internal */
export const padEnd = (text: string, width: number): string => {
  const missing = width - cells(text)
  return missing > 0 ? text + " ".repeat(missing) : text
}

/** @internal */
export const padStart = (text: string, width: number): string => {
  const missing = width - cells(text)
  return missing > 0 ? " ".repeat(missing) + text : text
}

/**
 * The text in lines of at most so many cells, broken at spaces where there are any; what does not fit into the given
 * number of lines is cut.
 *
 * @internal
 */
export const wrap = (text: string, width: number, maxLines: number, ellipsis: string): Array<string> => {
  const lines: Array<string> = []
  let rest = text.length > width * maxLines * 8 ? text.slice(0, width * maxLines * 8) : text
  while (lines.length < maxLines - 1 && cells(rest) > width) {
    const head = cut(rest, width + 1, "")
    const space = head.lastIndexOf(" ")
    const taken = space > width / 2 ? space : cut(rest, width, "").length
    if (taken === 0) break
    lines.push(rest.slice(0, taken))
    rest = rest.slice(taken).trimStart()
  }
  lines.push(cut(rest, width, ellipsis))
  return lines
}

/**
 * A duration in nanoseconds in three digits or so: `812 µs`, `48.2 ms`, `3.42 s`, `2m 05s`, `4 days`.
 *
 * @internal
 */
export const formatNanos = (nanos: number, ascii: boolean): string => {
  if (!Number.isFinite(nanos) || nanos <= 0) return "0 ms"
  const three = (value: number): string =>
    value >= 99.95 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2)
  if (nanos < 999.5) return `${nanos.toFixed(0)} ns`
  if (nanos < 999_500) return `${three(nanos / 1e3)} ${ascii ? "us" : "µs"}`
  if (nanos < 999_500_000) return `${three(nanos / 1e6)} ms`
  if (nanos < 59_995_000_000) return `${three(nanos / 1e9)} s`
  const seconds = Math.round(nanos / 1e9)
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${String(seconds % 60).padStart(2, "0")}s`
  const minutes = Math.round(seconds / 60)
  const hours = Math.floor(minutes / 60)
  if (hours < 100) return `${hours}h ${String(minutes % 60).padStart(2, "0")}m`
  return `${Math.round(hours / 24)} days`
}
