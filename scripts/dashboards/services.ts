import * as Catalogue from "../../src/catalogue/Catalogue.ts"
import { dashboard, type Section } from "./grafana/dashboard.ts"
import type { JsonObject } from "./grafana/json.ts"
import { curves, findTraces, found, type Panel, stat } from "./grafana/panels.ts"
import { curve, share, total } from "./grafana/queries.ts"
import { known } from "./grafana/variables.ts"
import { chosen, columns, ofService, sampled, service, spans } from "./queries.ts"

const calls = [ofService, chosen("span.external.service", "external"), chosen("name", "operation")]

/** What an operation says of how much it did, by the end of its attributes' names, and the unit that the end means. */
const amounts: Readonly<Record<string, string>> = {
  _bytes: "bytes",
  _count: "short",
  _queried: "short",
  _seconds: "s",
  _size: "short"
}

const unitOf = (key: string): string | undefined => Object.entries(amounts).find(([end]) => key.endsWith(end))?.[1]

/** The panels of one service, from what the catalogue says of its operations. */
const section = (name: string, prefix: string): Section => {
  const operations = Catalogue.spans.filter((span) => span.service === name)
  const attributes = new Map(
    operations.flatMap((span) => span.attributes.map((attribute) => [attribute.key, attribute]))
  )
  const own = [ofService, `span.external.service = "${name}"`]
  const sizes = [...attributes.values()].flatMap(({ brief, key, type }): ReadonlyArray<Panel> => {
    const unit = unitOf(key)
    if (unit === undefined || (type !== "int" && type !== "double") || key.startsWith("external.")) return []
    return [
      curves({
        title: `${key}, on average`,
        description: `By operation: ${brief}. A jump is a caller that asks for more, or data that grew.`,
        targets: [curve(`${spans(...own, `span.${key} != nil`)} | avg_over_time(span.${key}) by (name)`)],
        unit,
        width: 8
      })
    ]
  })
  const partial = attributes.has("result.partial")
    ? [
        curves({
          title: "Incomplete answers",
          description:
            "Calls a minute that succeeded with something missing (`result.partial`): shards that failed or timed out, some items of a bulk refused.",
          targets: [curve(`${spans(...own, "span.result.partial = true")} | count_over_time() by (name)`, "1m")],
          unit: "short",
          as: "bars",
          width: 8,
          links: [findTraces("name")]
        })
      ]
    : []
  return {
    title: `${name}: ${operations.length} operations, ${prefix}.*`,
    collapsed: true,
    panels: [
      curves({
        title: "Calls by operation",
        description: `Calls a second. ${sampled}`,
        targets: [curve(`${spans(...own)} | rate() by (name)`)],
        unit: "ops",
        width: 8,
        links: [findTraces("name")]
      }),
      curves({
        title: "Latency by operation",
        description: "The 95th percentile, with all retries and the waits between them: what the caller waited.",
        targets: [curve(`${spans(...own)} | quantile_over_time(duration, 0.95) by (name)`)],
        unit: "s",
        grouped: true,
        width: 8,
        links: [findTraces("name")]
      }),
      curves({
        title: "Failures by reason",
        description: "Calls a second that failed for good, by `error.type`.",
        targets: [curve(`${spans(...own, "status = error")} | rate() by (span.error.type)`)],
        unit: "ops",
        as: "bars",
        width: 8,
        links: [findTraces("span.error.type", "status = error")]
      }),
      ...sizes,
      ...partial
    ]
  }
}

/** Calls towards the outside: which service is slow, fails, is retried or refused. */
export const services: JsonObject = dashboard({
  slug: "services",
  title: "Service calls",
  description:
    "Calls towards other services: latency, errors by reason, retries and open circuits, by service and operation.",
  variables: [
    service,
    known({
      name: "external",
      label: "Towards",
      description: "Calls towards which services (`span.external.service`); All has those of your own too.",
      values: Catalogue.services.map((table) => table.service),
      all: ".*"
    }),
    known({
      name: "operation",
      label: "Operation",
      description: "Which operations (the span's name); All has those of your own too.",
      values: Catalogue.spans.filter((span) => span.service !== undefined).map((span) => span.name),
      all: ".*"
    })
  ],
  sections: [
    {
      panels: [
        stat({
          title: "Calls a second",
          description: `Operations, not their attempts: a call that is retried counts once. ${sampled}`,
          targets: [total(`${spans(...calls)} | rate()`)],
          unit: "ops",
          width: 5
        }),
        stat({
          title: "Failed",
          description:
            "The share of calls that failed for good, retries included. What to do: see below for which service, and why.",
          targets: share(`${spans(...calls, "status = error")} | rate()`, `${spans(...calls)} | rate()`),
          unit: "percentunit",
          limits: { warn: 0.01, bad: 0.05 },
          none: "none",
          width: 5
        }),
        stat({
          title: "p95 latency",
          description: "95 of 100 are quicker: the 95th percentile of all calls, with their retries.",
          targets: [total(`${spans(...calls)} | quantile_over_time(duration, 0.95)`)],
          unit: "s",
          limits: { warn: 0.5, bad: 2 },
          width: 5
        }),
        stat({
          title: "Retried",
          description:
            "The share of calls that needed more than one try. It is the early sign: calls that succeed at the second try are slow already, and load the other side twice.",
          targets: share(`${spans(...calls, "span.external.retry_count > 0")} | rate()`, `${spans(...calls)} | rate()`),
          unit: "percentunit",
          limits: { warn: 0.02, bad: 0.1 },
          none: "none",
          width: 5
        }),
        stat({
          title: "Refused by an open circuit",
          description:
            "Calls that were not made, since too many before them had failed. The service is away, or was: the reasons of the failures before say which.",
          targets: [total(`${spans(...calls, "span.external.circuit_breaker_triggered = true")} | count_over_time()`)],
          unit: "short",
          limits: { warn: 1, bad: 10 },
          none: "0",
          width: 4
        })
      ]
    },
    {
      title: "By service",
      panels: [
        curves({
          title: "Calls by service",
          description: `Calls a second. ${sampled}`,
          targets: [curve(`${spans(...calls)} | rate() by (span.external.service)`)],
          unit: "ops",
          links: [findTraces("span.external.service")]
        }),
        curves({
          title: "Latency by service",
          description: "The 95th percentile of calls, with their retries.",
          targets: [curve(`${spans(...calls)} | quantile_over_time(duration, 0.95) by (span.external.service)`)],
          unit: "s",
          grouped: true,
          links: [findTraces("span.external.service")]
        }),
        curves({
          title: "Failures by reason",
          description:
            "Calls a second that failed for good. RateLimited: too many calls, or a quota. Timeout, Unavailable: the other side. Unauthorized: credentials. InvalidRequest, Decode, Conflict: a change on one of the two sides. CircuitOpen: follows from others.",
          targets: [curve(`${spans(...calls, "status = error")} | rate() by (span.error.type)`)],
          unit: "ops",
          as: "bars",
          links: [findTraces("span.error.type", "status = error")]
        }),
        curves({
          title: "Failures by operation",
          description:
            "Calls a second that failed for good. One operation alone points at its arguments; all of a service at the service.",
          targets: [curve(`${spans(...calls, "status = error")} | rate() by (name)`)],
          unit: "ops",
          as: "bars",
          links: [findTraces("name", "status = error")]
        }),
        curves({
          title: "Retries",
          description:
            "Repetitions a minute. They grow before failures do. What to do: open a trace; its events `retry` say why each was needed and how long was waited.",
          targets: [
            curve(
              `${spans(...calls, "span.external.retry_count > 0")} | sum_over_time(span.external.retry_count) by (span.external.service)`,
              "1m"
            )
          ],
          unit: "short",
          as: "bars",
          links: [findTraces("span.external.service")]
        }),
        curves({
          title: "Open circuits",
          description:
            "Calls a minute that an open circuit refused. While it is open the other side is left alone, and one call now and then tries whether it is back.",
          targets: [
            curve(
              `${spans(...calls, "span.external.circuit_breaker_triggered = true")} | count_over_time() by (span.external.service)`,
              "1m"
            )
          ],
          unit: "short",
          as: "bars",
          links: [findTraces("span.external.service", "status = error")]
        }),
        found({
          title: "Calls that failed",
          description:
            "Some of them, with the reason. The trace's name opens the whole request with its logs; `retryable` says whether another try might have helped.",
          query: `${spans(...calls, "status = error")} | select(span.external.service, span.external.operation, span.error.type, statusMessage, span.external.error.retryable, span.external.retry_count)`,
          as: "spans",
          columns: [
            columns.service,
            { field: "external.service", name: "Service", width: 130 },
            { field: "external.operation", name: "Operation", width: 170 },
            columns.reason,
            columns.message,
            { field: "external.error.retryable", name: "Retryable", width: 100 },
            { field: "external.retry_count", name: "Retries", width: 90 },
            columns.duration
          ]
        })
      ]
    },
    ...Catalogue.services.map((table) => section(table.service, table.prefix))
  ]
})
