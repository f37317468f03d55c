import { dashboard } from "./grafana/dashboard.ts"
import type { JsonObject } from "./grafana/json.ts"
import { found, gauges, logs, stat, traceView } from "./grafana/panels.ts"
import { total } from "./grafana/queries.ts"
import { text } from "./grafana/variables.ts"
import { columns, spans } from "./queries.ts"

const one = 'trace:id = "$trace"'
const correlated = 'span.trace.correlation_id = "$correlation"'

/** One trace with all that belongs to it. Reached by links; it has nothing to show without an id. */
export const trace: JsonObject = dashboard({
  slug: "trace",
  title: "One trace",
  description:
    "One trace: its spans, what failed in it, what it did how often, its logs, and what else has its correlation id.",
  listed: false,
  refresh: "",
  variables: [
    text({
      name: "trace",
      label: "Trace id",
      description: "32 hexadecimal digits: from a link, a log line (`trace_id`), or an answer's `traceparent`.",
      value: ""
    }),
    text({
      name: "correlation",
      label: "Correlation id",
      description:
        "`trace.correlation_id` of this trace's spans: for what belongs together across requests, at the bottom.",
      value: ""
    })
  ],
  sections: [
    {
      panels: [
        stat({
          title: "Spans",
          description:
            "In this trace, in the time that is chosen: where it says none, choose a time that has the trace in it.",
          targets: [total(`${spans(one)} | count_over_time()`)],
          unit: "short",
          none: "none",
          width: 4
        }),
        stat({
          title: "Failed",
          description: "Spans of this trace that failed.",
          targets: [total(`${spans(one, "status = error")} | count_over_time()`)],
          unit: "short",
          limits: { warn: 1, bad: 1.5 },
          none: "0",
          width: 4
        }),
        stat({
          title: "Retries",
          description: "Repetitions of operations in this trace; their waits are part of its time.",
          targets: [total(`${spans(one, "span.external.retry_count > 0")} | sum_over_time(span.external.retry_count)`)],
          unit: "short",
          limits: { warn: 1, bad: 5 },
          none: "0",
          width: 4
        }),
        stat({
          title: "Statements",
          description: "Statements of SQL in this trace. Dozens are usually one query for each element of a list.",
          targets: [total(`${spans(one, 'name =~ "db[.].+"')} | count_over_time()`)],
          unit: "short",
          limits: { warn: 30, bad: 100 },
          none: "0",
          width: 4
        }),
        stat({
          title: "Time in statements",
          description: "Summed up: statements that ran beside each other count each.",
          targets: [total(`${spans(one, 'name =~ "db[.].+"')} | sum_over_time(duration)`)],
          unit: "s",
          none: "none",
          width: 4
        }),
        stat({
          title: "Time in service calls",
          description: "Summed up, with retries: calls that ran beside each other count each.",
          targets: [total(`${spans(one, "kind = client && span.external.service != nil")} | sum_over_time(duration)`)],
          unit: "s",
          none: "none",
          width: 4
        }),
        traceView({
          title: "The trace",
          description:
            "Click a span for its attributes, events (`retry`, `exception`) and links; the log symbol beside it leads to the logs of that span.",
          id: "$trace"
        })
      ]
    },
    {
      title: "What it did",
      panels: [
        gauges({
          title: "Time by span",
          description: "Seconds by the spans' names, summed up; a span's time has that of the spans under it in it.",
          targets: [total(`${spans(one)} | sum_over_time(duration) by (name)`)],
          unit: "s"
        }),
        gauges({
          title: "Statements, how often",
          description: "The same statement many times is a query in a loop.",
          targets: [
            total(`${spans(one, "span.db.query.summary != nil")} | count_over_time() by (span.db.query.summary)`)
          ],
          unit: "short",
          limits: { warn: 5, bad: 20 }
        }),
        found({
          title: "What failed",
          description:
            "Every span of this trace that failed. The deepest is usually the cause, the ones above it follow.",
          query: `${spans(one, "status = error")} | select(name, span.error.type, statusMessage, span.trace.correlation_id)`,
          as: "spans",
          columns: [
            columns.service,
            { field: "name", name: "Span", width: 220 },
            columns.reason,
            columns.message,
            columns.correlation,
            columns.duration
          ]
        })
      ]
    },
    {
      title: "Logs",
      panels: [
        logs({
          title: "Logs of this trace",
          description:
            "Every line that was logged inside of it, of all services, in order. A line's `trace_id` and `span_id` lead back to the span.",
          query: '{service_name=~".+"} | trace_id = "$trace"'
        })
      ]
    },
    {
      title: "What else has this correlation id",
      panels: [
        found({
          title: "Traces with the correlation id",
          description:
            'Requests, jobs and messages that belong together. Put the id into "Correlation id" at the top; "What failed" shows it, and so does every span.',
          query: `${spans(correlated)} | select(span.user.id, span.error.type)`,
          as: "traces"
        }),
        logs({
          title: "Logs with the correlation id",
          description: "Of all those traces, and of code that ran in none.",
          query: '{service_name=~".+"} | trace_correlation_id = "$correlation"'
        })
      ]
    }
  ]
})
