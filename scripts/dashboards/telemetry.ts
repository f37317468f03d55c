import { dashboard } from "./grafana/dashboard.ts"
import type { JsonObject } from "./grafana/json.ts"
import { curves, stat } from "./grafana/panels.ts"
import { curve, promql } from "./grafana/queries.ts"
import { label } from "./grafana/variables.ts"

const of = '{job=~"$job", instance=~"$instance"}'
const failed = '{job=~"$job", instance=~"$instance", error_type!=""}'
const fine = '{job=~"$job", instance=~"$instance", error_type=""}'

const processed = "otel_sdk_processor_span_processed_total"
const exported = "otel_sdk_exporter_span_exported_total"

/** Whether the telemetry itself is well: what of the spans is kept, waits, arrives, is lost. */
export const telemetry: JsonObject = dashboard({
  slug: "telemetry",
  title: "Telemetry itself",
  description:
    "The pipeline of spans, from its own metrics (docs/metrics.md): started, kept, waiting, exported, lost. Nothing here is sampled.",
  variables: [
    label({
      name: "job",
      label: "Service",
      description: "Of which services: Prometheus' `job` is `service.name`.",
      query: "label_values(otel_sdk_span_started_total, job)"
    }),
    label({
      name: "instance",
      label: "Instance",
      description: "Of which processes: Prometheus' `instance` is `service.instance.id`.",
      query: 'label_values(otel_sdk_span_started_total{job=~"$job"}, instance)'
    })
  ],
  sections: [
    {
      panels: [
        stat({
          title: "Spans lost",
          description:
            "In the time that is chosen, whatever the reason. Above 0 traces have holes. What to do: the reasons are below; `effect-telemetry doctor` on the machine says the rest.",
          targets: [
            promql(
              `sum(increase(${processed}${failed}[$__range])) + sum(increase(${exported}${failed}[$__range]))`,
              "lost",
              { instant: true }
            )
          ],
          unit: "short",
          limits: { warn: 1, bad: 100 },
          width: 5
        }),
        stat({
          title: "Cannot reach the collector",
          description:
            "Processes whose last request to the collector was not answered. They hold on to their spans and try again: nothing is lost until room runs out.",
          targets: [promql(`sum(effect_telemetry_exporter_unreachable_ratio${of})`, "unreachable", { instant: true })],
          unit: "short",
          limits: { warn: 1, bad: 2 },
          width: 5
        }),
        stat({
          title: "Fullest memory",
          description:
            "The share of its memory for spans that the fullest process uses. At 100 % it begins to lose spans, unless it has a spool. What to do: look whether the collector keeps up, or send it to more of them.",
          targets: [
            promql(`max(effect_telemetry_queue_usage_bytes${of} / effect_telemetry_queue_limit_bytes${of})`, "memory", {
              instant: true
            })
          ],
          unit: "percentunit",
          limits: { warn: 0.5, bad: 0.9 },
          width: 5
        }),
        stat({
          title: "Fullest spool",
          description:
            "The same of the disk space, where `OTEL_SPOOL_DIRECTORY` is set. At 100 % spans are lost: more room (`OTEL_SPOOL_MAX_BYTES`), or a collector that is back sooner.",
          targets: [
            promql(`max(effect_telemetry_spool_usage_bytes${of} / effect_telemetry_spool_limit_bytes${of})`, "spool", {
              instant: true
            })
          ],
          unit: "percentunit",
          limits: { warn: 0.5, bad: 0.9 },
          none: "no spool",
          width: 5
        }),
        stat({
          title: "Kept of those held",
          description:
            "Of the spans that head sampling dropped and that were held until their trace's end: the share that was kept because of an error, slowness or a rule.",
          targets: [
            promql(
              `sum(increase(effect_telemetry_tail_kept_total${of}[$__range])) / (sum(increase(effect_telemetry_tail_kept_total${of}[$__range])) + sum(increase(effect_telemetry_tail_not_kept_total${of}[$__range])))`,
              "kept",
              { instant: true }
            )
          ],
          unit: "percentunit",
          none: "none held",
          width: 4
        })
      ]
    },
    {
      title: "Where spans are",
      panels: [
        curves({
          title: "Started",
          description:
            "Spans a second: sampled ones (`RECORD_AND_SAMPLE`), those that are recorded only in case their trace fails or is slow (`RECORD_ONLY`), and those that nobody can keep (`DROP`).",
          targets: [
            promql(
              `sum by (otel_span_sampling_result) (rate(otel_sdk_span_started_total${of}[$__rate_interval]))`,
              "{{otel_span_sampling_result}}"
            )
          ],
          unit: "ops"
        }),
        curves({
          title: "Kept, dropped",
          description:
            "Spans a second that were held for the decision at their trace's end: kept, by reason, and not kept. Those decided early were decided because memory for them was full.",
          targets: [
            promql(
              `sum by (sampling_reason) (rate(effect_telemetry_tail_kept_total${of}[$__rate_interval]))`,
              "kept: {{sampling_reason}}"
            ),
            promql(`sum(rate(effect_telemetry_tail_not_kept_total${of}[$__rate_interval]))`, "not kept", {
              refId: "B"
            }),
            promql(`sum(rate(effect_telemetry_tail_late_total${of}[$__rate_interval]))`, "after the decision", {
              refId: "C"
            }),
            promql(
              `sum(rate(effect_telemetry_tail_decided_early_total${of}[$__rate_interval]))`,
              "traces decided early",
              {
                refId: "D"
              }
            )
          ],
          unit: "ops"
        }),
        curves({
          title: "Exported",
          description:
            "Spans a second that the collector took, and spans a second that were handed to the exporter. Where the two part, something waits.",
          targets: [
            promql(`sum(rate(${exported}${fine}[$__rate_interval]))`, "taken by the collector"),
            promql(`sum(rate(${processed}${fine}[$__rate_interval]))`, "handed to the exporter", { refId: "B" })
          ],
          unit: "ops"
        }),
        curves({
          title: "Lost, by reason",
          description:
            "Spans a second. queue_full: the collector does not keep up, or is away for longer than memory lasts: more memory, a spool. refused, rejected: it does not want them, see its log. too_large: one span alone is above its limit. shutdown: the process ended before they were sent: a longer `shutdownTimeout`, a spool.",
          targets: [
            promql(
              `sum by (error_type) (rate(${processed}${failed}[$__rate_interval]))`,
              "before the exporter: {{error_type}}"
            ),
            promql(
              `sum by (error_type) (rate(${exported}${failed}[$__rate_interval]))`,
              "by the exporter: {{error_type}}",
              {
                refId: "B"
              }
            )
          ],
          unit: "ops",
          as: "bars"
        }),
        curves({
          title: "Arrived in Tempo",
          description:
            "Spans a second that Tempo has, of all services: compare with what the collector took. What is missing on the way was dropped by the Collector (tail sampling, its queue) or by Tempo (limits).",
          targets: [curve("{ } | rate() by (resource.service.name)")],
          unit: "ops"
        }),
        curves({
          title: "Waiting, in flight, open",
          description:
            "Spans that wait to be sent, that were handed to the exporter and are not answered for, that are held for a decision, and that have not ended. Parked ones are tried once a minute: their deadline is over.",
          targets: [
            promql(`sum(otel_sdk_processor_span_queue_size${of})`, "wait"),
            promql(`sum(otel_sdk_exporter_span_inflight${of})`, "in flight", { refId: "B" }),
            promql(`sum(effect_telemetry_exporter_parked${of})`, "parked", { refId: "C" }),
            promql(`sum(effect_telemetry_tail_held${of})`, "held", { refId: "D" }),
            promql(`sum(otel_sdk_span_live${of})`, "have not ended", { refId: "E" }),
            promql(`sum(effect_telemetry_spool_spans${of})`, "in the spool", { refId: "F" })
          ],
          unit: "short"
        })
      ]
    },
    {
      title: "The exporter",
      panels: [
        curves({
          title: "How long an export takes",
          description:
            "From the first try of a batch to its end. Minutes are an outage that was sat out. No request waits for it.",
          targets: [
            promql(
              `histogram_quantile(0.5, sum by (le) (rate(otel_sdk_exporter_operation_duration_seconds_bucket${of}[$__rate_interval])))`,
              "p50"
            ),
            promql(
              `histogram_quantile(0.95, sum by (le) (rate(otel_sdk_exporter_operation_duration_seconds_bucket${of}[$__rate_interval])))`,
              "p95",
              { refId: "B" }
            )
          ],
          unit: "s",
          width: 8
        }),
        curves({
          title: "Room, by process",
          description: "The share of memory and of the spool that is used.",
          targets: [
            promql(
              `effect_telemetry_queue_usage_bytes${of} / effect_telemetry_queue_limit_bytes${of}`,
              "memory: {{job}} {{instance}}"
            ),
            promql(
              `effect_telemetry_spool_usage_bytes${of} / effect_telemetry_spool_limit_bytes${of}`,
              "spool: {{job}} {{instance}}",
              { refId: "B" }
            )
          ],
          unit: "percentunit",
          max: 1,
          width: 8
        }),
        curves({
          title: "Who cannot reach the collector",
          description: "1 while a process' last request was not answered. One alone: its network. All: the collector.",
          targets: [
            promql(
              `effect_telemetry_exporter_unreachable_ratio${of}`,
              "{{job}} {{instance}} to {{server_address}}:{{server_port}}"
            )
          ],
          unit: "short",
          max: 1,
          width: 8
        })
      ]
    }
  ]
})
