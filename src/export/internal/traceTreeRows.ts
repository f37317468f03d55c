/**
 * What is drawn of one trace, row by row, before anything is measured.
 *
 * @internal
 */
import type { AttributeValue, EventData, LinkData, SpanData } from "../../tracer/SpanData.ts"
import type { RenderOptions, Trace, TraceNode } from "../TraceTree.ts"
import {
  attributesOf,
  contextKeys,
  errorText,
  exceptionText,
  type Fact,
  factsOf,
  formatValue,
  isInterrupted
} from "./spanFacts.ts"
import { cells, clean, formatNanos, oneLine, type Paint } from "./terminal.ts"

/** @internal */
export type Tint = (text: string) => string

/** @internal */
export interface Row {
  /** Before the tree: the mark of a failed span. */
  readonly gutter: string
  readonly guide: string
  /** The guide of the lines below that belong to this row. */
  readonly under: string
  readonly label: string
  readonly tint: Tint
  /** Empty where the row has no place in time. */
  readonly time: string
  /** Nanoseconds after the start of the trace. */
  readonly from: number
  readonly to: number
  readonly bar: Tint
  readonly facts: ReadonlyArray<Fact>
  /** Whether it is a point in time rather than a stretch of it. */
  readonly moment: boolean
  /** A line of prose instead of columns. */
  readonly prose: boolean
}

/** @internal */
export interface Glyphs {
  readonly branch: string
  readonly last: string
  readonly through: string
  readonly deep: string
  readonly failed: string
  readonly handled: string
  readonly interrupted: string
  readonly retry: string
  readonly event: string
  readonly link: string
  readonly ellipsis: string
  readonly full: string
  readonly left: string
  readonly right: string
  readonly moment: string
}

/** @internal */
export const unicode: Glyphs = {
  branch: "├─ ",
  last: "└─ ",
  through: "│  ",
  deep: "⋯ ",
  failed: "✗",
  handled: "!",
  interrupted: "⊘",
  retry: "↻",
  event: "•",
  link: "→",
  ellipsis: "…",
  full: "━",
  left: "╸",
  right: "╺",
  moment: "◆"
}

/** @internal */
export const asciiGlyphs: Glyphs = {
  branch: "|- ",
  last: "`- ",
  through: "|  ",
  deep: ">> ",
  failed: "x",
  handled: "!",
  interrupted: "/",
  retry: "~",
  event: "*",
  link: "->",
  ellipsis: "...",
  full: "=",
  left: "=",
  right: "=",
  moment: "^"
}

const nanosBetween = (fromSeconds: number, fromNanos: number, seconds: number, nanos: number): number =>
  (seconds - fromSeconds) * 1e9 + (nanos - fromNanos)

/** Every node, parents before children, without recursion: a trace may be as deep as it has spans. */
function* walk(roots: ReadonlyArray<TraceNode>): Generator<TraceNode> {
  const stack = roots.toReversed()
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    yield node
    for (let i = node.children.length - 1; i >= 0; i--) stack.push(node.children[i]!)
  }
}

/** @internal */
export const plural = (count: number, one: string): string => `${count} ${one}${count === 1 ? "" : "s"}`

const isRetry = (event: EventData): boolean => event.name === "retry"

const kindTint = (span: SpanData, paint: Paint): Tint => {
  if (span.statusCode === 2) return paint.red
  switch (span.kindCode) {
    case 1:
      return paint.cyan
    case 2:
      return paint.blue
    case 3:
    case 4:
      return paint.magenta
    default:
      return paint.green
  }
}

/** A name or value as it is shown; nothing of any length is scanned whole. @internal */
export const cleanValue = (value: string, ascii: boolean): string =>
  clean(value.length > 20_000 ? value.slice(0, 20_000) : value, ascii)

/** What the header says, and the time line. @internal */
export interface Summary {
  readonly startSeconds: number
  readonly startNanos: number
  readonly total: number
  readonly errors: number
  readonly retries: number
  readonly context: Map<string, AttributeValue>
}

/** @internal */
export const summarise = (trace: Trace): Summary => {
  let startSeconds = Infinity
  let startNanos = 0
  for (const { span } of trace.roots) {
    if (span.startSeconds < startSeconds || (span.startSeconds === startSeconds && span.startNanos < startNanos)) {
      startSeconds = span.startSeconds
      startNanos = span.startNanos
    }
  }
  let total = 0
  let errors = 0
  let retries = 0
  const context = new Map<string, AttributeValue>()
  for (const { span } of walk(trace.roots)) {
    total = Math.max(total, nanosBetween(startSeconds, startNanos, span.endSeconds, span.endNanos))
    if (span.statusCode === 2) errors++
    retries += span.events.filter(isRetry).length
    for (let i = 0; i < span.attributeKeys.length; i++) {
      const key = span.attributeKeys[i]!
      if (contextKeys.includes(key) && !context.has(key)) context.set(key, span.attributeValues[i]!)
    }
  }
  return { startSeconds, startNanos, total, errors, retries, context }
}

/** How rows and lines look. @internal */
export interface Style {
  readonly ascii: boolean
  readonly paint: Paint
  readonly glyphs: Glyphs
  /** Columns of a line. */
  readonly width: number
  /** At most so many columns for guides and names. */
  readonly maxLabel: number
}

const longestEventName = 28

/** @internal */
export const rowsOf = (trace: Trace, summary: Summary, style: Style, options: RenderOptions): Array<Row> => {
  const { ascii, glyphs, paint } = style
  const maxEvents = options.maxEvents ?? 10
  const maxSpans = options.maxSpans ?? Infinity
  const select = options.attributes ?? "selected"
  const text = (value: string): string => cleanValue(value, ascii)

  const rows: Array<Row> = []
  // Deeper than this the guides would leave no room for a name: the depth is told as a number.
  const maxDepth = Math.max(3, Math.floor(style.maxLabel / 3) - 5)

  const prose = (guide: string, line: string, tint: Tint): void => {
    const at = { gutter: "", guide, under: guide, time: "", from: 0, to: 0, bar: paint.dim, facts: [], moment: false }
    rows.push({ ...at, label: line, tint, prose: true })
  }

  const moment = (guide: string, label: string, tint: Tint, event: EventData, facts: ReadonlyArray<Fact>): void => {
    const at = nanosBetween(summary.startSeconds, summary.startNanos, event.seconds, event.nanos)
    const time = `+${formatNanos(at, ascii)}`
    rows.push({
      gutter: "",
      guide,
      under: guide,
      label,
      tint,
      time,
      from: at,
      to: at,
      bar: tint,
      facts,
      moment: true,
      prose: false
    })
  }

  const retryRow = (guide: string, event: EventData): void => {
    const attributes = attributesOf(event)
    const value = (key: string): string => text(formatValue(attributes.get(key) ?? ""))
    const facts: Array<Fact> = []
    const delay = attributes.get("retry.delay_ms")
    if (delay !== undefined) {
      facts.push({ key: "", text: `in ${formatNanos(Number(delay) * 1e6, ascii)}`, tone: "plain" })
    }
    const type = attributes.has("error.type") ? value("error.type") : ""
    const message = attributes.has("error.message") ? oneLine(value("error.message")) : ""
    const why = type !== "" && message !== "" ? `${type}: ${message}` : type + message
    if (why !== "") facts.push({ key: "", text: why, tone: "warn" })
    const attempt = attributes.has("retry.attempt") ? ` ${value("retry.attempt")}` : ""
    moment(guide, `${glyphs.retry} retry${attempt}`, paint.yellow, event, facts)
  }

  const eventRow = (guide: string, event: EventData): void => {
    if (isRetry(event)) return retryRow(guide, event)
    if (event.name === "exception") {
      return prose(guide, `${glyphs.handled} ${text(exceptionText(event))} (handled)`, paint.yellow)
    }
    const facts: Array<Fact> = []
    for (const [key, value] of attributesOf(event)) {
      if (!key.startsWith("effect.")) facts.push({ key: text(key), text: text(formatValue(value)), tone: "dim" })
    }
    // A log line is an event whose name is the message: too long for the column of names.
    const name = text(oneLine(event.name))
    const isLong = cells(name) > longestEventName
    if (isLong) facts.unshift({ key: "", text: name, tone: "plain" })
    moment(guide, `${glyphs.event} ${isLong ? "event" : name}`, paint.dim, event, facts)
  }

  const linkRow = (guide: string, link: LinkData): void => {
    const attributes = Array.from(attributesOf(link), ([key, value]) => ` ${text(key)}=${text(formatValue(value))}`)
    const where = link.traceId === trace.traceId ? "" : `trace ${text(link.traceId)} `
    prose(guide, `${glyphs.link} link to ${where}span ${text(link.spanId)}${attributes.join("")}`, paint.magenta)
  }

  const spanRows = (node: TraceNode, guide: string, under: string): void => {
    const { span } = node
    const failed = span.statusCode === 2
    const interrupted = !failed && isInterrupted(span)
    const facts = factsOf(span, summary.context, select).map((fact) => ({
      ...fact,
      key: text(fact.key),
      text: text(fact.text)
    }))
    if (interrupted) facts.unshift({ key: "", text: "interrupted", tone: "warn" })
    if (node.parent === "remote") {
      facts.push({ key: "remote parent", text: text(span.parentSpanId ?? ""), tone: "dim" })
    }
    const from = nanosBetween(summary.startSeconds, summary.startNanos, span.startSeconds, span.startNanos)
    const length = Math.max(0, nanosBetween(span.startSeconds, span.startNanos, span.endSeconds, span.endNanos))
    const below = under + (node.children.length > 0 ? glyphs.through : "   ")
    rows.push({
      gutter: failed ? paint.red(glyphs.failed) : interrupted ? paint.yellow(glyphs.interrupted) : "",
      guide,
      under: below,
      label: text(oneLine(span.name)) || "(no name)",
      tint: failed ? paint.red : node.parent === "present" ? (name) => name : paint.bold,
      time: formatNanos(length, ascii),
      from,
      to: from + length,
      bar: kindTint(span, paint),
      facts,
      moment: false,
      prose: false
    })
    const lastException = failed ? span.events.findLast((event) => event.name === "exception") : undefined
    const events = span.events.filter((event) => event !== lastException)
    for (const event of events.slice(0, maxEvents)) eventRow(below, event)
    if (events.length > maxEvents) {
      prose(below, `${glyphs.ellipsis} ${plural(events.length - maxEvents, "more event")}`, paint.dim)
    }
    const why = errorText(span)
    if (why !== undefined && !node.children.some((child) => errorText(child.span) === why)) {
      prose(below, `${glyphs.failed} ${text(why)}`, paint.red)
    }
    for (const link of span.linkData.slice(0, maxEvents)) linkRow(below, link)
    if (span.linkData.length > maxEvents) {
      prose(below, `${glyphs.ellipsis} ${plural(span.linkData.length - maxEvents, "more link")}`, paint.dim)
    }
    const dropped = [
      span.droppedAttributesCount > 0 ? plural(span.droppedAttributesCount, "attribute") : "",
      span.droppedEventsCount > 0 ? plural(span.droppedEventsCount, "event") : "",
      span.droppedLinksCount > 0 ? plural(span.droppedLinksCount, "link") : ""
    ].filter((part) => part !== "")
    if (dropped.length > 0) prose(below, `${glyphs.ellipsis} dropped by limits: ${dropped.join(", ")}`, paint.dim)
  }

  let drawn = 0
  const subtree = (root: TraceNode, guide: string, under: string): void => {
    const stack: Array<{ node: TraceNode; guide: string; under: string; depth: number }> = [
      { node: root, guide, under, depth: guide === "" ? 0 : 1 }
    ]
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
      if (drawn >= maxSpans) return
      drawn++
      spanRows(top.node, top.guide, top.under)
      const { children } = top.node
      const depth = top.depth + 1
      for (let i = children.length - 1; i >= 0; i--) {
        const isLast = i === children.length - 1
        stack.push(
          depth > maxDepth
            ? {
                node: children[i]!,
                guide: `${top.under}${glyphs.deep}${depth} `,
                under: top.under,
                depth
              }
            : {
                node: children[i]!,
                guide: top.under + (isLast ? glyphs.last : glyphs.branch),
                under: top.under + (isLast ? "   " : glyphs.through),
                depth
              }
        )
      }
    }
  }

  const orphans = new Map<string, Array<TraceNode>>()
  for (const root of trace.roots) {
    if (root.parent === "missing") {
      const id = root.span.parentSpanId!
      const list = orphans.get(id)
      if (list === undefined) orphans.set(id, [root])
      else list.push(root)
    } else {
      if (root.parent === "circular" && drawn < maxSpans) prose("", "parents in a circle, opened here:", paint.yellow)
      subtree(root, "", "")
    }
  }
  for (const [id, nodes] of orphans) {
    if (drawn >= maxSpans) break
    prose("", `(parent ${text(id)} ${options.missingParents ?? "not received"})`, paint.yellow)
    nodes.forEach((node, index) => {
      const isLast = index === nodes.length - 1
      subtree(node, isLast ? glyphs.last : glyphs.branch, isLast ? "   " : glyphs.through)
    })
  }
  if (drawn < trace.spanCount) {
    prose("", `${glyphs.ellipsis} ${plural(trace.spanCount - drawn, "more span")}`, paint.dim)
  }

  return rows
}
