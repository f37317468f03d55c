/**
 * What of a span is worth a place beside its name: the attributes that say something that the name does not, its
 * failure, its retries.
 *
 * @internal
 */
import type { AttributeValue, EventData, SpanData } from "../../tracer/SpanData.ts"
import { oneLine } from "./terminal.ts"

/** @internal */
export interface Fact {
  /** Shown dimmed before the value; empty where the value speaks for itself. */
  readonly key: string
  readonly text: string
  readonly tone: "plain" | "good" | "warn" | "bad" | "dim"
}

/** What belongs to the request as a whole: shown once, in the header. @internal */
export const contextKeys: ReadonlyArray<string> = ["user.id", "organization.id", "request.id", "trace.correlation_id"]

// Said already by the name, the bar, the error line or a shorter attribute, or of no help while developing.
const hidden = new Set([
  "error.type",
  "http.request.method",
  "http.method",
  "http.status_code",
  "http.user_agent",
  "url.scheme",
  "user_agent.original",
  "client.address",
  "client.port",
  "db.system.name",
  "db.system",
  "db.namespace",
  "db.operation.name",
  "db.statement",
  "db.sql.table",
  "db.rows_affected",
  "external.service",
  "external.operation",
  "external.error.retryable",
  "rpc.system.name",
  "rpc.method",
  "aws.s3.bucket",
  "aws.s3.key",
  "effect.fiberId",
  "effect.logLevel",
  "effect.fiber.interrupted",
  "status.interrupted",
  "span.label"
])
const hiddenPrefixes = ["network.", "code.", "thread.", "otel.", "telemetry.", "server."]

// First in this order, whatever the order on the span; all others follow as the span has them.
const first = [
  "http.response.status_code",
  "db.query.summary",
  "db.response.returned_rows",
  "db.response.status_code",
  "cache.hit",
  "http.route",
  "url.path",
  "url.full",
  "result.item_count",
  "external.retry_count",
  "external.circuit_breaker_triggered"
]

const isHidden = (key: string, value: AttributeValue, span: SpanData, all: ReadonlyMap<string, AttributeValue>) => {
  if (hidden.has(key) || hiddenPrefixes.some((prefix) => key.startsWith(prefix))) {
    // The one thing that tells where a client call without a URL went.
    return !(key === "server.address" && span.kindCode === 2 && all.has("http.request.method") && !all.has("url.full"))
  }
  switch (key) {
    case "http.route":
      return span.name.includes(String(value))
    case "url.path":
      return span.name.endsWith(String(value))
    case "db.query.text":
    case "db.collection.name":
      return all.has("db.query.summary")
    case "external.retry_count":
      return span.events.some((event) => event.name === "retry")
    default:
      // `stream.operation`, `cache.operation`: the second half of the name.
      return key.endsWith(".operation") && span.name.endsWith(`.${String(value)}`)
  }
}

/** @internal */
export const attributesOf = (of: {
  readonly attributeKeys: ReadonlyArray<string>
  readonly attributeValues: ReadonlyArray<AttributeValue>
}): Map<string, AttributeValue> => {
  const out = new Map<string, AttributeValue>()
  for (let i = 0; i < of.attributeKeys.length; i++) {
    const key = of.attributeKeys[i]
    const value = of.attributeValues[i]
    if (key !== undefined && value !== undefined) out.set(key, value)
  }
  return out
}

const maxItems = 8

/** @internal */
export const formatValue = (value: unknown): string => {
  if (typeof value === "string") return value === "" ? '""' : value
  if (Array.isArray(value)) {
    const items = value.slice(0, maxItems).map((item) => (item === null || item === undefined ? "-" : String(item)))
    if (value.length > maxItems) items.push(`+${value.length - maxItems}`)
    return `[${items.join(", ")}]`
  }
  try {
    return String(value)
  } catch {
    return "?"
  }
}

const statusTone = (code: number): Fact["tone"] => (code >= 500 ? "bad" : code >= 400 ? "warn" : "good")

const toFact = (key: string, value: AttributeValue): Fact => {
  switch (key) {
    case "http.response.status_code":
      return { key: "", text: formatValue(value), tone: statusTone(Number(value)) }
    case "db.query.summary":
    case "url.full":
    case "url.path":
      return { key: "", text: formatValue(value), tone: "plain" }
    case "db.response.returned_rows":
      return { key: "", text: `${formatValue(value)} ${value === 1 ? "row" : "rows"}`, tone: "plain" }
    default:
      return { key, text: formatValue(value), tone: "plain" }
  }
}

/**
 * The facts of a span in the order in which they are shown.
 *
 * @internal
 */
export const factsOf = (
  span: SpanData,
  context: ReadonlyMap<string, AttributeValue>,
  select: "selected" | "all" | ((key: string) => boolean)
): Array<Fact> => {
  const all = attributesOf(span)
  const out: Array<Fact> = []
  const show = (key: string, value: AttributeValue): void => {
    if (context.get(key) === value) return
    if (select === "selected" ? !isHidden(key, value, span, all) : select === "all" || select(key)) {
      out.push(toFact(key, value))
    }
  }
  for (const key of first) {
    const value = all.get(key)
    if (value !== undefined) show(key, value)
  }
  for (const [key, value] of all) {
    if (!first.includes(key)) show(key, value)
  }
  return out
}

/** @internal */
export const isInterrupted = (span: SpanData): boolean => {
  for (let i = 0; i < span.attributeKeys.length; i++) {
    const key = span.attributeKeys[i]
    if (key === "effect.fiber.interrupted" || key === "status.interrupted") return span.attributeValues[i] === true
  }
  return false
}

const text = (value: AttributeValue | undefined): string | undefined =>
  value === undefined ? undefined : formatValue(value)

const describe = (type: string | undefined, thrown: string | undefined, message: string): string => {
  const name = type ?? thrown
  const also = thrown !== undefined && name !== undefined && thrown !== name ? ` (${thrown})` : ""
  if (message === "" || message === name) return `${name ?? "error"}${also}`
  return name === undefined || message.startsWith(`${name}:`) ? `${message}${also}` : `${name}: ${message}${also}`
}

/** An exception event in one line. @internal */
export const exceptionText = (event: EventData): string => {
  const attributes = attributesOf(event)
  return describe(
    undefined,
    text(attributes.get("exception.type")),
    oneLine(text(attributes.get("exception.message")) ?? "")
  )
}

/**
 * Why the span failed, in one line; `undefined` where it did not, or where nothing more is known than its HTTP status.
 *
 * @internal
 */
export const errorText = (span: SpanData): string | undefined => {
  if (span.statusCode !== 2) return undefined
  const attributes = attributesOf(span)
  const type = text(attributes.get("error.type"))
  const exception = span.events.findLast((event) => event.name === "exception")
  const thrown = exception === undefined ? new Map<string, AttributeValue>() : attributesOf(exception)
  const message = oneLine(text(thrown.get("exception.message")) ?? span.statusMessage ?? "")
  const status = text(attributes.get("http.response.status_code"))
  if (exception === undefined && message === "" && type !== undefined && type === status) return undefined
  return describe(type, text(thrown.get("exception.type")), message)
}
