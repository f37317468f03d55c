import { dashboard } from "./grafana/dashboard.ts"
import type { JsonObject } from "./grafana/json.ts"
import { curves, findTraces, found, heatmap, quantiles, stat } from "./grafana/panels.ts"
import { curve, share, total } from "./grafana/queries.ts"
import { seen } from "./grafana/variables.ts"
import { chosen, columns, ofService, prefixes, sampled, service, slower, spans } from "./queries.ts"

const all = [ofService, "kind = server", "span.http.request.method != nil"]
const ofRoute = [...all, chosen("span.http.route", "route")]

/** Requests that are served: how many, how many fail, how long they take, and why. */
export const requests: JsonObject = dashboard({
  slug: "requests",
  title: "Requests",
  description: "Requests that are served: rate, errors and latency by route, and what they spend their time on.",
  variables: [
    service,
    seen({
      name: "route",
      label: "Route",
      attribute: "http.route",
      description: "Of which routes (`span.http.route`). Requests that matched none are in the numbers at the top only."
    }),
    slower("1s")
  ],
  sections: [
    {
      panels: [
        stat({
          title: "Requests a second",
          description: `Over the time that is chosen, whatever the route. ${sampled}`,
          targets: [total(`${spans(...all)} | rate()`)],
          unit: "reqps"
        }),
        stat({
          title: "Failed",
          description: `The share that was answered with a 5xx. 4xx are the caller's, and no errors. What to do: find the route in "Failed requests by route", and one of its traces below. ${sampled}`,
          targets: share(`${spans(...all, "status = error")} | rate()`, `${spans(...all)} | rate()`),
          unit: "percentunit",
          limits: { warn: 0.01, bad: 0.05 },
          none: "none"
        }),
        stat({
          title: "p95 latency",
          description:
            "95 of 100 are quicker: the 95th percentile of all requests. What to do: look which route it is, and what its requests wait for.",
          targets: [total(`${spans(...all)} | quantile_over_time(duration, 0.95)`)],
          unit: "s",
          limits: { warn: 0.5, bad: 2 }
        }),
        stat({
          title: "Kept for a reason",
          description:
            "The share of these requests that head sampling had dropped, and that were kept because they failed, were slow, or by a rule (`sampling.reason`). Above 0 the numbers on this page are no longer those of all requests: rates are too low, errors and latency too high.",
          targets: share(`${spans(...all, "span.sampling.reason != nil")} | rate()`, `${spans(...all)} | rate()`),
          unit: "percentunit",
          none: "none"
        })
      ]
    },
    {
      title: "By route",
      panels: [
        curves({
          title: "Requests by route",
          description: `Requests a second. A route that falls to nothing is as telling as one that grows. ${sampled}`,
          targets: [curve(`${spans(...ofRoute)} | rate() by (span.http.route)`)],
          unit: "reqps",
          links: [findTraces("span.http.route")]
        }),
        curves({
          title: "Failed requests by route",
          description:
            "Answers with a 5xx, a second. What to do: click a bar, and find the traces of that route that failed; their `error.type` says why.",
          targets: [curve(`${spans(...ofRoute, "status = error")} | rate() by (span.http.route)`)],
          unit: "reqps",
          as: "bars",
          links: [findTraces("span.http.route", "status = error")]
        }),
        curves({
          title: "Latency by route",
          description: "The 95th percentile of each route.",
          targets: [curve(`${spans(...ofRoute)} | quantile_over_time(duration, 0.95) by (span.http.route)`)],
          unit: "s",
          grouped: true,
          links: [findTraces("span.http.route")]
        }),
        curves({
          title: "Latency",
          description:
            "How long the half, 95 and 99 of 100 requests take at most. Each dot is a trace: click it to open it. Where p50 stays and p99 grows, few requests wait for something; where all grow, everything does.",
          targets: [curve(`${spans(...ofRoute)} | quantile_over_time(duration, 0.5, 0.95, 0.99)`)],
          unit: "s",
          renamed: quantiles
        }),
        heatmap({
          title: "Distribution of latency",
          description:
            "How many requests took how long. Two bands are two kinds of request, such as with and without the cache.",
          targets: [curve(`${spans(...ofRoute)} | histogram_over_time(duration)`)],
          unit: "s"
        }),
        curves({
          title: "Answers by status",
          description:
            "All requests, also those that matched no route. Many 404 without a route are somebody who scans; 401 and 429 have their own reasons.",
          targets: [curve(`${spans(...all)} | rate() by (span.http.response.status_code)`)],
          unit: "reqps",
          as: "bars"
        })
      ]
    },
    {
      title: "What they wait for",
      panels: [
        curves({
          title: "Time in calls under these requests",
          description:
            "Seconds that statements and service calls under these requests took, summed up a minute, by their name. The first in this list is where to begin. Calls that run beside each other count each.",
          targets: [
            curve(
              `${spans(...ofRoute)} >> ${spans(`name =~ "(${prefixes.join("|")})[.].+"`)} | sum_over_time(duration) by (name)`,
              "1m"
            )
          ],
          unit: "s",
          as: "bars",
          width: 24,
          links: [findTraces("name")]
        })
      ]
    },
    {
      title: "Traces",
      panels: [
        found({
          title: "Failed requests",
          description:
            "Some of the requests of these routes that were answered with a 5xx. The trace's name opens it with its logs.",
          query: `${spans(...ofRoute, "status = error")} | select(span.http.route, span.http.response.status_code, span.error.type, span.user.id, span.trace.correlation_id)`,
          as: "spans",
          columns: [
            columns.service,
            { field: "http.route", name: "Route" },
            columns.status,
            columns.reason,
            columns.user,
            columns.correlation,
            columns.duration
          ]
        }),
        found({
          title: "Slow requests",
          description:
            'Some of the requests of these routes that took longer than "Slower than" at the top: not the slowest ones, those that Tempo found first.',
          query: `${spans(...ofRoute, "duration > $slower")} | select(span.http.route, span.http.response.status_code, span.user.id, span.trace.correlation_id)`,
          as: "spans",
          columns: [
            columns.service,
            { field: "http.route", name: "Route" },
            columns.status,
            columns.user,
            columns.correlation,
            columns.duration
          ]
        })
      ]
    }
  ]
})
