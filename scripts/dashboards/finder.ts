import { dashboard } from "./grafana/dashboard.ts"
import type { JsonObject } from "./grafana/json.ts"
import { curves, found, stat } from "./grafana/panels.ts"
import { curve, total } from "./grafana/queries.ts"
import { choice, text } from "./grafana/variables.ts"
import { columns, ofService, sampled, service, spans } from "./queries.ts"

const looked = [ofService, "$by =~ `$value`", "$outcome", "trace:duration >= $slower"]

/** Traces by user, correlation id, error and the like. */
export const finder: JsonObject = dashboard({
  slug: "finder",
  title: "Trace finder",
  description: "Traces by user, correlation id, request, error, route or name: look for one, open it with its logs.",
  refresh: "",
  variables: [
    service,
    choice({
      name: "by",
      label: "Look for",
      description: "By what to look. User, organization, correlation id and request id are on every span of a request.",
      values: [
        ["User", "span.user.id"],
        ["Correlation id", "span.trace.correlation_id"],
        ["Request id", "span.request.id"],
        ["Organization", "span.organization.id"],
        ["Error (error.type)", "span.error.type"],
        ["Error's message", "statusMessage"],
        ["Route", "span.http.route"],
        ["Span's name", "name"],
        ["Called service", "span.external.service"],
        ["Table", "span.db.collection.name"],
        ["Statement", "span.db.query.summary"],
        ["Type of feed", "span.feed.type"],
        ["Engagement", "span.engagement.event_type"],
        ["Audio format", "span.audio.format"],
        ["Processing", "span.processing.status"],
        ["Search index", "span.search.index"],
        ["Kept because", "span.sampling.reason"]
      ]
    }),
    text({
      name: "value",
      label: "that is",
      description: "The whole value, or a regular expression that matches the whole of it: `.*timeout.*`. `.+` is any.",
      value: ".+"
    }),
    choice({
      name: "outcome",
      label: "Which",
      description: "Whether the span with that value failed.",
      values: [
        ["all", "true"],
        ["failed", "status = error"],
        ["not failed", "status != error"]
      ]
    }),
    text({
      name: "slower",
      label: "Trace took at least",
      description: "A duration of TraceQL: `500ms`, `2s`. `0s` is any.",
      value: "0s"
    })
  ],
  sections: [
    {
      panels: [
        stat({
          title: "Spans that match",
          description: `In the time that is chosen. ${sampled}`,
          targets: [total(`${spans(...looked)} | count_over_time()`)],
          unit: "short",
          none: "0",
          width: 4
        }),
        curves({
          title: "When",
          description: "Spans that match, a minute. Choose a part of the time with the mouse to see its traces.",
          targets: [curve(`${spans(...looked)} | count_over_time() by (resource.service.name)`, "1m")],
          unit: "short",
          as: "bars",
          width: 20
        }),
        found({
          title: "Traces",
          description:
            "Those that Tempo found first, newest first, with up to three spans that match. The trace's name opens it with its logs, its id opens it in Explore. Nothing here? Look at the time at the top, at the value (it has to match from beginning to end), and whether such traces are kept (docs/sampling.md).",
          query: `${spans(...looked)} | select(span.user.id, span.trace.correlation_id, span.error.type, span.http.response.status_code)`,
          as: "traces",
          limit: 50,
          height: 12
        })
      ]
    },
    {
      title: "What went wrong lately",
      panels: [
        found({
          title: "Requests that failed",
          description: "Some requests of these services that were answered with a 5xx, whatever is looked for above.",
          query: `${spans(ofService, "kind = server && status = error")} | select(span.http.route, span.error.type, span.user.id, span.trace.correlation_id)`,
          as: "spans",
          columns: [
            columns.service,
            { field: "http.route", name: "Route" },
            columns.reason,
            columns.user,
            columns.correlation,
            columns.duration
          ]
        })
      ]
    }
  ]
})
