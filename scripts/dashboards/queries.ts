/**
 * What the dashboards have in common: parts of queries, variables, columns, and what has to be said of numbers that are made
 * of traces.
 */
import * as Catalogue from "../../src/catalogue/Catalogue.ts"
import type { JsonObject } from "./grafana/json.ts"
import type { Column } from "./grafana/panels.ts"
import { seen, text } from "./grafana/variables.ts"

/**
 * A condition that a variable chooses the values of. Grafana writes them as a regular expression; in backquotes, since it
 * escapes more than a string in quotes may hold.
 */
export const chosen = (attribute: string, variable: string): string => `${attribute} =~ \`\${${variable}:regex}\``

/** Spans of the services that are chosen. */
export const ofService: string = chosen("resource.service.name", "service")

/** A condition that holds for a few values. */
export const oneOf = (attribute: string, values: ReadonlyArray<string>): string =>
  `${attribute} =~ "${values.map((value) => value.replaceAll(".", "[.]")).join("|")}"`

/** Spans that meet every condition. */
export const spans = (...conditions: ReadonlyArray<string>): string => `{ ${conditions.join(" && ")} }`

/** The variable for it. */
export const service: JsonObject = seen({
  name: "service",
  label: "Service",
  attribute: "service.name",
  description: "Of which service (`resource.service.name`)"
})

/** From how long on something is slow. */
export const slower = (value: string): JsonObject =>
  text({
    name: "slower",
    label: "Slower than",
    description: "A duration of TraceQL: `500ms`, `2s`",
    value
  })

/** The prefixes of the names that operations and statements have. */
export const prefixes: ReadonlyArray<string> = ["db", ...Catalogue.services.map(({ prefix }) => prefix)]

/** What has to be known to read numbers that are made of traces. */
export const sampled =
  "Made of the spans that were kept: where traces are sampled there were more, and errors and slow ones, which are kept all the same, weigh too much (docs/sampling.md)."

/** Columns of spans that were found. */
export const columns = {
  service: { field: "traceService", name: "Entered by", width: 140 },
  duration: { field: "duration", name: "Took", unit: "ns", width: 100 },
  reason: { field: "error.type", name: "Why", width: 140 },
  message: { field: "statusMessage", name: "Message" },
  user: { field: "user.id", name: "User", width: 140 },
  correlation: { field: "trace.correlation_id", name: "Correlation id", width: 290 },
  status: { field: "http.response.status_code", name: "Status", width: 80 }
} as const satisfies Readonly<Record<string, Column>>
