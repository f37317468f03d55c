import { spanNames } from "../../src/services/Database/DatabaseAttributes.ts"
import { dashboard } from "./grafana/dashboard.ts"
import type { JsonObject } from "./grafana/json.ts"
import { curves, findTraces, found, stat } from "./grafana/panels.ts"
import { curve, share, total } from "./grafana/queries.ts"
import { known, seen, text } from "./grafana/variables.ts"
import { chosen, columns, ofService, sampled, service, slower, spans } from "./queries.ts"

const statements = [ofService, chosen("name", "operation")]
const ofTable = [...statements, chosen("span.db.collection.name", "table")]
const requests = [ofService, "kind = server", "span.http.request.method != nil"]

/** Statements: which are slow, fail, or are too many. */
export const database: JsonObject = dashboard({
  slug: "database",
  title: "Database",
  description: "Statements of SQL, by operation and table: rate, latency, failures, rows, and where the time goes.",
  variables: [
    service,
    known({
      name: "operation",
      label: "Operation",
      description: "Which statements (the span's name); All has those that have no name here too.",
      values: spanNames,
      all: "db[.].+"
    }),
    seen({
      name: "table",
      label: "Table",
      attribute: "db.collection.name",
      description:
        "Of which tables (`span.db.collection.name`): for the panels by table. A statement of several tables, or of none, has no table."
    }),
    slower("200ms"),
    text({
      name: "statements",
      label: "More statements than",
      description: "In one trace: for the list of traces with many.",
      value: "30"
    })
  ],
  sections: [
    {
      panels: [
        stat({
          title: "Statements a second",
          description: sampled,
          targets: [total(`${spans(...statements)} | rate()`)],
          unit: "ops"
        }),
        stat({
          title: "Failed",
          description: "The share of statements that failed. Reasons are below.",
          targets: share(`${spans(...statements, "status = error")} | rate()`, `${spans(...statements)} | rate()`),
          unit: "percentunit",
          limits: { warn: 0.005, bad: 0.02 },
          none: "none"
        }),
        stat({
          title: "p95 latency",
          description:
            "95 of 100 are quicker: the 95th percentile of all statements, as the application waited for them: the network is in it.",
          targets: [total(`${spans(...statements)} | quantile_over_time(duration, 0.95)`)],
          unit: "s",
          limits: { warn: 0.1, bad: 0.5 }
        }),
        stat({
          title: "Statements a request",
          description:
            "How many statements there are for each request that is served (jobs and queues have theirs in it too). A rise without a release of new pages is a query in a loop: see the list of traces with many statements.",
          targets: share(`${spans(...statements)} | rate()`, `${spans(...requests)} | rate()`),
          unit: "short",
          none: "no data"
        })
      ]
    },
    {
      title: "By operation",
      panels: [
        curves({
          title: "Statements by operation",
          description: `A second. ${sampled}`,
          targets: [curve(`${spans(...statements)} | rate() by (name)`)],
          unit: "ops",
          links: [findTraces("name")]
        }),
        curves({
          title: "Latency by operation",
          description:
            "The 95th percentile. Where `db.commit` alone grows it is the disk under the database; where all grow, the database has too much to do.",
          targets: [curve(`${spans(...statements)} | quantile_over_time(duration, 0.95) by (name)`)],
          unit: "s",
          grouped: true,
          links: [findTraces("name")]
        }),
        curves({
          title: "Time by statement",
          description:
            "Seconds that statements took, summed up a minute, of the ten with most (`db.query.summary`). The first in the list is the one that is worth an index, a cache, or a look at how often it runs.",
          targets: [
            curve(`${spans(...statements)} | sum_over_time(duration) by (span.db.query.summary) | topk(10)`, "1m")
          ],
          unit: "s",
          as: "bars",
          links: [findTraces("span.db.query.summary")]
        }),
        curves({
          title: "Failures by reason",
          description:
            "A second. SerializationFailure and Deadlock: transactions that meet, to be repeated whole. LockTimeout: somebody holds a lock. Unavailable: connections or the server. Conflict: a constraint. Cancelled: the caller went, or a timeout.",
          targets: [curve(`${spans(...statements, "status = error")} | rate() by (span.error.type)`)],
          unit: "ops",
          as: "bars",
          links: [findTraces("span.error.type", "status = error")]
        })
      ]
    },
    {
      title: "By table",
      panels: [
        curves({
          title: "Statements by table",
          description: `A second. ${sampled}`,
          targets: [curve(`${spans(...ofTable)} | rate() by (span.db.collection.name)`)],
          unit: "ops",
          width: 8,
          links: [findTraces("span.db.collection.name")]
        }),
        curves({
          title: "Latency by table",
          description:
            "The 95th percentile. One table alone that gets slower has lost an index, or has grown past one.",
          targets: [curve(`${spans(...ofTable)} | quantile_over_time(duration, 0.95) by (span.db.collection.name)`)],
          unit: "s",
          grouped: true,
          width: 8,
          links: [findTraces("span.db.collection.name")]
        }),
        curves({
          title: "Most rows by table",
          description:
            "The most rows that one statement returned. A line that grows for days is a query without a LIMIT.",
          targets: [
            curve(
              `${spans(...ofTable, "span.db.response.returned_rows != nil")} | max_over_time(span.db.response.returned_rows) by (span.db.collection.name)`
            )
          ],
          unit: "short",
          width: 8,
          links: [findTraces("span.db.collection.name")]
        })
      ]
    },
    {
      title: "Traces",
      panels: [
        found({
          title: "Slow statements",
          description:
            'Some of those that took longer than "Slower than" at the top, with their text (placeholders, never values).',
          query: `${spans(...statements, "duration > $slower")} | select(span.db.query.text, span.db.collection.name, span.db.response.returned_rows)`,
          as: "spans",
          columns: [
            columns.service,
            { field: "db.query.text", name: "Statement" },
            { field: "db.collection.name", name: "Table", width: 140 },
            { field: "db.response.returned_rows", name: "Rows", width: 80 },
            columns.duration
          ]
        }),
        found({
          title: "Statements that failed",
          description: "Some of them, with the reason and the SQLSTATE.",
          query: `${spans(...statements, "status = error")} | select(span.error.type, span.db.response.status_code, statusMessage, span.db.query.summary)`,
          as: "spans",
          width: 12,
          columns: [
            columns.service,
            columns.reason,
            { field: "db.response.status_code", name: "SQLSTATE", width: 100 },
            columns.message,
            { field: "db.query.summary", name: "Statement" },
            columns.duration
          ]
        }),
        found({
          title: "Traces with many statements",
          description:
            'Traces with more statements than "More statements than" at the top: usually one query for each element of a list, where one query for all of them would do.',
          query: `${spans(...statements)} | count() > $statements`,
          as: "traces",
          width: 12
        })
      ]
    }
  ]
})
