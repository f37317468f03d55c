/**
 * The dashboards of `deploy/grafana/dashboards`, by the name of their file. What they repeat of the span catalogue they read
 * from it.
 */
import { cache } from "./cache.ts"
import { database } from "./database.ts"
import { businessEvents } from "./events.ts"
import { finder } from "./finder.ts"
import type { JsonObject, Slug } from "./grafana/json.ts"
import { requests } from "./requests.ts"
import { services } from "./services.ts"
import { telemetry } from "./telemetry.ts"
import { trace } from "./trace.ts"

/** Every dashboard. */
export const dashboards: Readonly<Record<Slug, JsonObject>> = {
  cache,
  database,
  events: businessEvents,
  finder,
  requests,
  services,
  telemetry,
  trace
}
