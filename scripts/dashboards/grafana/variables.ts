/**
 * The variables of a dashboard: what is chosen or typed at its top.
 */
import { type JsonObject, prometheus, tempo } from "./json.ts"

const selected = (text: string, value: string): JsonObject => ({ selected: true, text, value })

/** The values of an attribute that Tempo has seen; all of them unless some are chosen. `all`: the regular expression for it. */
export const seen = (options: {
  readonly name: string
  readonly label: string
  readonly attribute: string
  readonly description: string
}): JsonObject => ({
  type: "query",
  name: options.name,
  label: options.label,
  description: options.description,
  datasource: tempo,
  query: { type: 1, label: options.attribute, refId: "TempoDatasourceVariableQueryEditor-VariableQuery" },
  refresh: 2,
  regex: "",
  sort: 1,
  multi: true,
  includeAll: true,
  allValue: ".*",
  current: { selected: true, text: ["All"], value: ["$__all"] },
  options: [],
  hide: 0,
  skipUrlSync: false
})

/** Values that are known beforehand. */
export const known = (options: {
  readonly name: string
  readonly label: string
  readonly description: string
  readonly values: ReadonlyArray<string>
  readonly all: string
}): JsonObject => ({
  type: "custom",
  name: options.name,
  label: options.label,
  description: options.description,
  query: options.values.join(","),
  multi: true,
  includeAll: true,
  allValue: options.all,
  current: { selected: true, text: ["All"], value: ["$__all"] },
  options: [
    { selected: true, text: "All", value: "$__all" },
    ...options.values.map((value) => ({ selected: false, text: value, value }))
  ],
  hide: 0,
  skipUrlSync: false
})

/** One of a few; the first unless another is chosen. */
export const choice = (options: {
  readonly name: string
  readonly label: string
  readonly description: string
  readonly values: ReadonlyArray<readonly [text: string, value: string]>
}): JsonObject => ({
  type: "custom",
  name: options.name,
  label: options.label,
  description: options.description,
  query: options.values.map(([text, value]) => `${text} : ${value}`).join(","),
  multi: false,
  includeAll: false,
  current: selected(options.values[0]![0], options.values[0]![1]),
  options: options.values.map(([text, value], at) => ({ selected: at === 0, text, value })),
  hide: 0,
  skipUrlSync: false
})

/** What is typed in. */
export const text = (options: {
  readonly name: string
  readonly label: string
  readonly description: string
  readonly value: string
}): JsonObject => ({
  type: "textbox",
  name: options.name,
  label: options.label,
  description: options.description,
  query: options.value,
  current: selected(options.value, options.value),
  options: [selected(options.value, options.value)],
  hide: 0,
  skipUrlSync: false
})

/** The values of a label that Prometheus has. */
export const label = (options: {
  readonly name: string
  readonly label: string
  readonly description: string
  readonly query: string
}): JsonObject => ({
  type: "query",
  name: options.name,
  label: options.label,
  description: options.description,
  datasource: prometheus,
  query: { qryType: 1, query: options.query, refId: "PrometheusVariableQueryEditor-VariableQuery" },
  refresh: 2,
  regex: "",
  sort: 1,
  multi: true,
  includeAll: true,
  allValue: ".*",
  current: { selected: true, text: ["All"], value: ["$__all"] },
  options: [],
  hide: 0,
  skipUrlSync: false
})
