/**
 * Lays the rows of one trace out as lines: once the widest is known, in columns.
 *
 * @internal
 */
import type { RenderOptions, Trace } from "../TraceTree.ts"
import { contextKeys, type Fact, formatValue } from "./spanFacts.ts"
import { cells, colored, cut, cutMiddle, formatNanos, padEnd, padStart, type Paint, plain, wrap } from "./terminal.ts"
import {
  asciiGlyphs,
  cleanValue,
  plural,
  type Row,
  rowsOf,
  type Style,
  summarise,
  type Summary,
  type Tint,
  unicode
} from "./traceTreeRows.ts"

const minWidth = 40
const maxWidth = 240
const gutterWidth = 2
const minTimeWidth = 9
/** Below this the facts stand under the span instead of beside it. */
const minFactWidth = 22
const minBarWidth = 12
const maxBarWidth = 40
const maxFactLines = 3
const maxValueWidth = 60
const maxErrorLines = 4

/** @internal */
export const renderTrace = (trace: Trace, options: RenderOptions = {}): string => {
  const ascii = options.ascii === true
  const width = Math.trunc(Math.min(Math.max(options.width ?? 110, minWidth), maxWidth))
  const style: Style = {
    ascii,
    paint: options.color === true ? colored : plain,
    glyphs: ascii ? asciiGlyphs : unicode,
    width,
    maxLabel: Math.floor(width * 0.42)
  }
  const summary = summarise(trace)
  const lines = header(trace, summary, style, options)
  const body = layOut(rowsOf(trace, summary, style, options), summary.total, style, options.attributes === "all")
  return [...lines, ""]
    .concat(body)
    .map((line) => `${line}\n`)
    .join("")
}

/** Parts side by side, in as many lines as they need. */
const flow = (
  parts: ReadonlyArray<{ readonly plain: string; readonly painted: string }>,
  width: number
): Array<string> => {
  const lines: Array<string> = []
  let line = ""
  let used = 0
  for (const part of parts) {
    const size = cells(part.plain)
    if (used > 0 && used + 2 + size > width) {
      lines.push(line)
      line = ""
      used = 0
    }
    line += (used > 0 ? "  " : "") + part.painted
    used += (used > 0 ? 2 : 0) + size
  }
  if (used > 0) lines.push(line)
  return lines
}

const header = (trace: Trace, summary: Summary, style: Style, options: RenderOptions): Array<string> => {
  const { glyphs, paint, width } = style
  const text = (value: string): string => cleanValue(value, style.ascii)
  const part = (value: string, tint: Tint) => {
    const short = cut(value, width - gutterWidth, glyphs.ellipsis)
    return { plain: short, painted: tint(short) }
  }
  const same: Tint = (value) => value
  const top = [
    part(`trace ${text(trace.traceId)}`, paint.bold),
    part(plural(trace.spanCount, "span"), same),
    part(formatNanos(summary.total, style.ascii), same)
  ]
  if (summary.errors > 0) top.push(part(plural(summary.errors, "error"), paint.red))
  if (summary.retries > 0) {
    top.push(part(`${summary.retries} ${summary.retries === 1 ? "retry" : "retries"}`, paint.yellow))
  }
  const missing = options.missingParents === undefined ? trace.missingParents.length : 0
  if (missing > 0) top.push(part(`incomplete: ${plural(missing, "parent")} not received`, paint.yellow))
  if (options.note !== undefined) top.push(part(text(options.note), paint.yellow))
  const context = contextKeys.flatMap((key) => {
    const value = summary.context.get(key)
    if (value === undefined) return []
    const short = cut(text(formatValue(value)), width - gutterWidth - key.length - 1, glyphs.ellipsis)
    return [{ plain: `${key}=${short}`, painted: paint.dim(`${key}=`) + short }]
  })
  return [...flow(top, width), ...flow(context, width - gutterWidth).map((line) => "  " + line)]
}

interface Columns {
  readonly label: number
  readonly time: number
  readonly bar: number
  /** 0: the facts stand under their row. */
  readonly facts: number
}

const spread = (rows: ReadonlyArray<Row>, style: Style): Columns => {
  let widestLabel = minBarWidth
  let widestFacts = 0
  let time = minTimeWidth
  for (const row of rows) {
    if (row.prose) continue
    time = Math.max(time, cells(row.time))
    if (widestLabel < style.maxLabel) widestLabel = Math.max(widestLabel, cells(row.guide) + cells(row.label))
    if (widestFacts < style.width) {
      const wanted = row.facts.map((fact) => cells(fact.key) + (fact.key === "" ? 2 : 3) + cells(fact.text))
      widestFacts = Math.max(
        widestFacts,
        wanted.reduce((sum, cell) => sum + cell, -2)
      )
    }
  }
  const label = Math.min(widestLabel, style.maxLabel)
  const rest = style.width - gutterWidth - label - 1 - time - 2
  if (rest - minBarWidth - 2 < minFactWidth)
    return { label, time, bar: Math.max(0, Math.min(rest, maxBarWidth)), facts: 0 }
  const bar = Math.min(Math.max(minBarWidth, Math.floor(rest * 0.4), rest - 2 - widestFacts), maxBarWidth)
  return { label, time, bar, facts: rest - bar - 2 }
}

/** The row's place on the time line, to half a cell. */
const drawBar = (row: Row, total: number, width: number, style: Style): { before: number; drawn: string } => {
  if (width < 4 || row.time === "") return { before: 0, drawn: "" }
  const { glyphs } = style
  const halves = width * 2
  const place = (nanos: number): number => (total > 0 ? (Math.max(0, Math.min(nanos, total)) / total) * halves : 0)
  const from = Math.min(Math.floor(place(row.from)), halves - 1)
  const before = Math.floor(from / 2)
  if (row.moment) return { before, drawn: glyphs.moment }
  const to = total > 0 ? Math.max(Math.ceil(place(row.to)), from + 1) : halves
  let drawn = ""
  for (let cell = before; cell * 2 < to; cell++) {
    const left = cell * 2 >= from
    const right = cell * 2 + 1 < to
    drawn += left && right ? glyphs.full : left ? glyphs.left : glyphs.right
  }
  return { before, drawn }
}

const tones = (paint: Paint): Record<Fact["tone"], Tint> => ({
  plain: (text) => text,
  good: paint.green,
  warn: paint.yellow,
  bad: paint.red,
  dim: paint.dim
})

const layOut = (rows: ReadonlyArray<Row>, total: number, style: Style, everything: boolean): Array<string> => {
  const { glyphs, paint, width } = style
  const columns = spread(rows, style)
  // For the sign that there is more.
  const reserve = 1 + glyphs.ellipsis.length
  const tint = tones(paint)

  const factLines = (facts: ReadonlyArray<Fact>, room: number): Array<string> => {
    const parts = facts.map((fact) => {
      const key = fact.key === "" ? "" : `${cut(fact.key, Math.floor(room * 0.7), glyphs.ellipsis)}=`
      const left = room - cells(key)
      const shorten = fact.text.startsWith("http") ? cutMiddle : cut
      const value = shorten(fact.text, everything ? left : Math.min(left, maxValueWidth), glyphs.ellipsis)
      return { plain: key + value, painted: paint.dim(key) + tint[fact.tone](value) }
    })
    const lines = flow(parts, room)
    if (everything || lines.length <= maxFactLines) return lines
    const shown = lines.slice(0, maxFactLines)
    shown[maxFactLines - 1] += paint.dim(` ${glyphs.ellipsis}`)
    return shown
  }

  const out: Array<string> = []
  const proseLines = (row: Row): void => {
    const room = width - gutterWidth - cells(row.guide)
    const lines = wrap(row.label, room - 2, maxErrorLines, glyphs.ellipsis)
    // Under the text, not under its sign.
    lines.forEach((line, index) => out.push(`  ${paint.dim(row.guide)}${row.tint(index > 0 ? `  ${line}` : line)}`))
  }

  for (const row of rows) {
    if (row.prose) {
      proseLines(row)
      continue
    }
    const label = cut(row.label, Math.max(columns.label - cells(row.guide), 1), glyphs.ellipsis)
    const gutter = row.gutter === "" ? "  " : `${row.gutter} `
    const gap = " ".repeat(Math.max(0, columns.label - cells(row.guide) - cells(label)) + 1)
    const { before, drawn } = drawBar(row, total, columns.bar, style)
    const time = padStart(row.time, columns.time)
    let line = `${gutter}${paint.dim(row.guide)}${row.tint(label)}${gap}${row.moment ? paint.dim(time) : time}`
    if (drawn !== "") line += `  ${" ".repeat(before)}${row.bar(drawn)}`
    const beside = columns.facts > 0 ? factLines(row.facts, columns.facts - reserve) : []
    if (beside.length > 0) line += `${" ".repeat(Math.max(0, columns.bar - before - drawn.length))}  ${beside[0]!}`
    out.push(line)
    const blank = " ".repeat(1 + columns.time + 2 + columns.bar + 2)
    for (const more of beside.slice(1)) {
      out.push(`  ${paint.dim(padEnd(cut(row.under, columns.label, ""), columns.label))}${blank}${more}`)
    }
    if (columns.facts === 0) {
      const room = width - gutterWidth - cells(row.under) - reserve
      for (const more of factLines(row.facts, Math.max(room, 10))) out.push(`  ${paint.dim(row.under)}${more}`)
    }
  }
  return out
}
