/**
 * Whether a query of PromQL can be read, and whether it asks for metrics and labels that the library writes.
 */
import { readFileSync } from "node:fs"
import { parser } from "@prometheus-io/lezer-promql"
import { families } from "../../src/export/Metrics.ts"
import { root } from "./documents.ts"
import { problemsIn } from "./grammar.ts"

const units: Readonly<Record<string, string>> = { By: "_bytes", s: "_seconds" }

/**
 * The names that a metric has in Prometheus: dots are underscores, the unit stands behind (those in braces do not), then
 * `_total` for what only grows and `_ratio` for a gauge without a unit.
 *
 * @see https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
 */
export const namesOf = (
  metric: string,
  type: "counter" | "gauge" | "histogram",
  unit: string
): ReadonlyArray<string> => {
  const name =
    metric.replaceAll(/[^A-Za-z0-9]/g, "_") + (unit === "1" && type === "gauge" ? "_ratio" : (units[unit] ?? ""))
  if (type === "counter") return [`${name}_total`]
  return type === "gauge" ? [name] : [`${name}_bucket`, `${name}_sum`, `${name}_count`]
}

const names = new Set(Object.entries(families).flatMap(([name, { type, unit }]) => namesOf(name, type, unit)))

/** Prometheus' own, and the attributes that `docs/metrics.md` names. */
const labels = new Set([
  "job",
  "instance",
  "le",
  ...[...readFileSync(`${root}docs/metrics.md`, "utf8").matchAll(/`([a-z_]+(?:\.[a-z_]+)+)`/g)].map(([, name]) =>
    name!.replaceAll(".", "_")
  )
])

/** Why a query is wrong; empty where nothing is. */
export const problemsOf = (query: string): ReadonlyArray<string> =>
  problemsIn(parser, query, (node, text) => {
    if (node.name === "Identifier" && node.node.parent?.name === "VectorSelector" && !names.has(text))
      return `no metric: ${text}`
    return node.name === "LabelName" && !labels.has(text) ? `no label: ${text}` : undefined
  })
