/**
 * TraceQL on spans in memory, as far as the dashboards need it: which spans the part before the first `|` finds. For tests that
 * ask whether a query finds what the library writes; queries have been checked before.
 */
import { parser } from "@grafana/lezer-traceql"
import type { SyntaxNode } from "@lezer/common"
import type { ReceivedSpan } from "../support/OtlpReceiver.ts"

type Value = string | number | boolean | undefined | ReadonlyArray<unknown>

const kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"]
const statuses = ["unset", "ok", "error"]
const nanoseconds: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12 }

const childrenOf = (node: SyntaxNode): ReadonlyArray<SyntaxNode> => {
  const found: Array<SyntaxNode> = []
  for (let child = node.firstChild; child !== null; child = child.nextSibling) found.push(child)
  return found
}

const plain = (value: unknown): Value => (typeof value === "bigint" ? Number(value) : (value as Value))

/** Spans of whole traces, to be asked. */
export class Spans {
  readonly all: ReadonlyArray<ReceivedSpan>
  private readonly byId: ReadonlyMap<string, ReceivedSpan>
  private readonly durations = new Map<string, number>()

  constructor(all: ReadonlyArray<ReceivedSpan>) {
    this.all = all
    this.byId = new Map(all.map((span) => [span.spanId, span]))
    for (const [trace, spans] of Map.groupBy(all, (span) => span.traceId))
      this.durations.set(trace, Math.max(...spans.map((span) => Number(span.end - span.start))))
  }

  /** What a query finds. */
  find(query: string): ReadonlySet<ReceivedSpan> {
    return this.spanset(parser.parse(query).topNode.firstChild!, query)
  }

  /** The value of an attribute or an intrinsic, as a query names it. */
  value(span: ReceivedSpan, field: string): Value {
    const at = field.indexOf(".")
    const name = field.slice(at + 1)
    switch (at < 0 ? "" : field.slice(0, at)) {
      case "span":
        return plain(span.attributes[name])
      case "resource":
        return plain(span.resource[name])
      case "event":
        return span.events.map((event) => plain(event.attributes[name])).filter((value) => value !== undefined)
    }
    switch (field) {
      case "name":
        return span.name
      case "kind":
        return kinds[span.kind]
      case "status":
        return statuses[span.statusCode]
      case "statusMessage":
        return span.statusMessage
      case "duration":
        return Number(span.end - span.start)
      case "trace:id":
        return span.traceId
      case "trace:duration":
        return this.durations.get(span.traceId)
      case "event:name":
        return span.events.map((event) => event.name)
    }
    throw new Error(`${field} is not known here`)
  }

  private spanset(node: SyntaxNode, query: string): ReadonlySet<ReceivedSpan> {
    const children = childrenOf(node)
    if (node.name === "SpansetFilter") {
      const [expression] = children
      return new Set(this.all.filter((span) => expression === undefined || this.of(expression, query, span) === true))
    }
    const [left, operator, right] = children
    if (operator === undefined || operator.name === "Pipe") return this.spanset(left!, query)
    const [before, after] = [this.spanset(left!, query), this.spanset(right!, query)]
    if (operator.name !== "Desc") throw new Error(`${operator.name} is not known here`)
    return new Set([...after].filter((span) => this.ancestors(span).some((ancestor) => before.has(ancestor))))
  }

  private ancestors(span: ReceivedSpan): ReadonlyArray<ReceivedSpan> {
    const parent = this.byId.get(span.parentSpanId)
    return parent === undefined ? [] : [parent, ...this.ancestors(parent)]
  }

  private of(node: SyntaxNode, query: string, span: ReceivedSpan): Value {
    const text = query.slice(node.from, node.to)
    const [left, operator, right] = childrenOf(node)
    if (node.name === "Static") return constant(left?.name, text)
    if (node.name === "IntrinsicField" || node.name === "AttributeField") return this.value(span, text)
    if (right === undefined) return this.of(left!, query, span)
    const sign = query.slice(operator!.from, operator!.to)
    if (sign === "&&") return this.of(left!, query, span) === true && this.of(right, query, span) === true
    if (sign === "||") return this.of(left!, query, span) === true || this.of(right, query, span) === true
    const [found, wanted] = [this.of(left!, query, span), this.of(right, query, span)]
    if (wanted === undefined)
      return (found === undefined || (Array.isArray(found) && found.length === 0)) === (sign === "=")
    return (Array.isArray(found) ? found : [found]).some((one) => compare(one as Value, sign, wanted))
  }
}

const constant = (kind: string | undefined, text: string): Value => {
  if (kind === "String") return text.slice(1, -1)
  if (kind === "Integer" || kind === "Float") return Number(text)
  if (kind === "Duration") {
    const [, amount, unit] = /^([\d.]+)(.+)$/.exec(text)!
    return Number(amount) * nanoseconds[unit!]!
  }
  return text === "nil" ? undefined : text === "true" ? true : text === "false" ? false : text
}

/** What is not there, and what is of another type, is neither equal nor different. */
const compare = (found: Value, sign: string, wanted: NonNullable<Value>): boolean => {
  if (found === undefined || typeof found !== typeof wanted) return false
  switch (sign) {
    case "=":
      return found === wanted
    case "!=":
      return found !== wanted
    case "<":
      return found < wanted
    case "<=":
      return found <= wanted
    case ">":
      return found > wanted
    case ">=":
      return found >= wanted
    case "=~":
      return new RegExp(`^(?:${String(wanted)})$`).test(String(found))
    case "!~":
      return !new RegExp(`^(?:${String(wanted)})$`).test(String(found))
  }
  throw new Error(`${sign} is not known here`)
}
