/**
 * Whether a query of LogQL can be read, and whether it asks for what log lines carry.
 */
import { parser } from "@grafana/lezer-logql"
import { attributes as correlation } from "../../src/propagation/CorrelationAttributes.ts"
import { SPAN_ID, TRACE_ID } from "../../src/tracer/TraceLogger.ts"
import { problemsIn } from "./grammar.ts"

/** Loki's own, and what the loggers get, with underscores for dots as Loki stores it. */
const labels = new Set(
  ["service_name", "level", "detected_level", TRACE_ID, SPAN_ID, ...Object.keys(correlation)].map((name) =>
    name.replaceAll(".", "_")
  )
)

/** Why a query is wrong; empty where nothing is. */
export const problemsOf = (query: string): ReadonlyArray<string> =>
  problemsIn(parser, query, (node, text) =>
    node.name === "Identifier" && node.node.parent?.name === "Matcher" && !labels.has(text)
      ? `no label: ${text}`
      : undefined
  )
