/**
 * What Grafana's JSON consists of, and the names by which its parts know each other.
 */

/** A value. */
export type Json = string | number | boolean | null | ReadonlyArray<Json> | { readonly [key: string]: Json }
/** An object. */
export type JsonObject = { readonly [key: string]: Json }

/** The data sources, by the `uid` under which `deploy/grafana/provisioning` makes them. */
export const tempo: JsonObject = { type: "tempo", uid: "tempo" }
export const loki: JsonObject = { type: "loki", uid: "loki" }
export const prometheus: JsonObject = { type: "prometheus", uid: "prometheus" }
/** Grafana's own arithmetic. */
export const expressions: JsonObject = { type: "__expr__", uid: "__expr__" }

/** The dashboards, by the end of their `uid` and the name of their file. */
export type Slug = "cache" | "database" | "events" | "finder" | "requests" | "services" | "telemetry" | "trace"

/** A dashboard's `uid`: bookmarks and links hold on to it. */
export const uidOf = (slug: Slug): string => `effect-telemetry-${slug}`
