/**
 * Queries, as the panels hold them.
 */
import { expressions, type JsonObject, loki, prometheus, tempo } from "./json.ts"

/**
 * A query of TraceQL whose answer is curves, with some of the traces that they stand for. `step`: the time that a point stands
 * for; Tempo chooses where there is none.
 */
export const curve = (query: string, step?: string): JsonObject => ({
  refId: "A",
  datasource: tempo,
  queryType: "traceql",
  query,
  metricsQueryType: "range",
  tableType: "traces",
  filters: [],
  exemplars: 20,
  ...(step === undefined ? {} : { step })
})

/** A query of TraceQL whose answer is one number over the whole time. */
export const total = (query: string, refId = "A"): JsonObject => ({
  refId,
  datasource: tempo,
  queryType: "traceql",
  query,
  metricsQueryType: "instant",
  tableType: "traces",
  filters: []
})

/** A query of TraceQL whose answer is spans or traces. */
export const search = (query: string, tableType: "spans" | "traces", limit = 20): JsonObject => ({
  refId: "A",
  datasource: tempo,
  queryType: "traceql",
  query,
  tableType,
  limit,
  spss: 3,
  filters: []
})

/**
 * One number divided by another, group by group where they are grouped. Tempo stamps each with the time of its own answer, so
 * the stamps have to go before Grafana divides (`reduce`). Curves cannot be divided so: they come with exemplars, which
 * Grafana's expressions refuse.
 */
export const share = (part: string, whole: string): ReadonlyArray<JsonObject> => [
  { ...total(part, "A"), hide: true },
  { ...total(whole, "B"), hide: true },
  { refId: "C", datasource: expressions, type: "reduce", expression: "A", reducer: "last", hide: true },
  { refId: "D", datasource: expressions, type: "reduce", expression: "B", reducer: "last", hide: true },
  { refId: "E", datasource: expressions, type: "math", expression: "$C / $D" }
]

/** A query of PromQL. */
export const promql = (expr: string, legendFormat: string, options: { refId?: string; instant?: boolean } = {}) => ({
  refId: options.refId ?? "A",
  datasource: prometheus,
  editorMode: "code",
  expr,
  legendFormat,
  range: options.instant !== true,
  instant: options.instant === true
})

/** A query of LogQL. */
export const logql = (expr: string): JsonObject => ({
  refId: "A",
  datasource: loki,
  editorMode: "code",
  expr,
  queryType: "range"
})

/**
 * Series of Tempo that are grouped by an attribute and something else (a quantile, an expression) are named by all of it:
 * `{name="cache.get", p=0.95}`. What is in quotes is the attribute's value.
 */
export const namedByGroup: ReadonlyArray<JsonObject> = [
  { id: "renameByRegex", options: { regex: '^.*?"([^"]+)".*$', renamePattern: "$1" } }
]
