import { dashboard } from "./grafana/dashboard.ts"
import type { JsonObject } from "./grafana/json.ts"
import { curves, findTraces, found, gauges, stat } from "./grafana/panels.ts"
import { curve, share, total } from "./grafana/queries.ts"
import { known } from "./grafana/variables.ts"
import * as Catalogue from "../../src/catalogue/Catalogue.ts"
import { chosen, columns, ofService, oneOf, sampled, service, spans } from "./queries.ts"

const own = Catalogue.spans.filter((span) => span.service === "cache")
const named = (attribute: string): ReadonlyArray<string> =>
  own.filter((span) => span.attributes.some(({ key }) => key === attribute)).map((span) => span.name)

/** Operations that answer whether something was there and what it was: of the others a miss is no loss. */
const reads = named("cache.hit").filter((name) =>
  ["cache.get", "cache.mget", "cache.hget", "cache.hgetall"].includes(name)
)

const calls = [ofService, 'span.external.service = "cache"', chosen("name", "operation")]
const lookups = [ofService, oneOf("name", reads)]

/** The cache: whether it helps, how large its values are, whether it is well. */
export const cache: JsonObject = dashboard({
  slug: "cache",
  title: "Cache",
  description: "The cache: hit ratio, sizes, latency and failures, by operation.",
  variables: [
    service,
    known({
      name: "operation",
      label: "Operation",
      description: "Which operations (the span's name).",
      values: own.map((span) => span.name),
      all: "cache[.].+"
    })
  ],
  sections: [
    {
      panels: [
        stat({
          title: "Hit ratio",
          description: `The share of reads (${reads.map((name) => `\`${name}\``).join(", ")}) that found what they looked for; a \`cache.mget\` counts as a hit where every key was there. What to do where it falls: look whether keys expire too early, were evicted, or have got another name in a release.`,
          targets: share(
            `${spans(...lookups, "span.cache.hit = true")} | rate()`,
            `${spans(...lookups, "span.cache.hit != nil")} | rate()`
          ),
          unit: "percentunit",
          limits: { warn: 0.8, bad: 0.5 },
          max: 1
        }),
        stat({
          title: "Operations a second",
          description: sampled,
          targets: [total(`${spans(...calls)} | rate()`)],
          unit: "ops"
        }),
        stat({
          title: "p99 latency",
          description:
            "99 of 100 are quicker. A cache that takes as long as the database helps nobody: large values, KEYS-like scans, or a server that swaps.",
          targets: [total(`${spans(...calls)} | quantile_over_time(duration, 0.99)`)],
          unit: "s",
          limits: { warn: 0.02, bad: 0.1 }
        }),
        stat({
          title: "Failed",
          description:
            "The share of operations that failed. Where the application falls back to the database, this is load that it will feel.",
          targets: share(`${spans(...calls, "status = error")} | rate()`, `${spans(...calls)} | rate()`),
          unit: "percentunit",
          limits: { warn: 0.005, bad: 0.02 },
          none: "none"
        })
      ]
    },
    {
      title: "Hits",
      panels: [
        curves({
          title: "Hits and misses",
          description: `Reads, as shares of all of them. ${sampled}`,
          targets: [curve(`${spans(...lookups, "span.cache.hit != nil")} | rate() by (span.cache.hit)`)],
          unit: "ops",
          as: "shares",
          renamed: [
            { series: "true", name: "hit", color: "green" },
            { series: "false", name: "miss", color: "orange" }
          ]
        }),
        gauges({
          title: "Hit ratio by operation",
          description: `Of every operation that says whether the key was there (${named("cache.hit").length} of them): the one with the lowest is where to look at keys and times to live.`,
          targets: share(
            `${spans(...calls, "span.cache.hit = true")} | rate() by (name)`,
            `${spans(...calls, "span.cache.hit != nil")} | rate() by (name)`
          ),
          unit: "percentunit",
          limits: { warn: 0.8, bad: 0.5 },
          max: 1
        })
      ]
    },
    {
      title: "Operations",
      panels: [
        curves({
          title: "Operations",
          description: `A second. ${sampled}`,
          targets: [curve(`${spans(...calls)} | rate() by (name)`)],
          unit: "ops",
          width: 8,
          links: [findTraces("name")]
        }),
        curves({
          title: "Latency",
          description: "The 95th percentile by operation. `cache.keys` walks the whole key space: it should be rare.",
          targets: [curve(`${spans(...calls)} | quantile_over_time(duration, 0.95) by (name)`)],
          unit: "s",
          grouped: true,
          width: 8,
          links: [findTraces("name")]
        }),
        curves({
          title: "Failures by reason",
          description: "A second.",
          targets: [curve(`${spans(...calls, "status = error")} | rate() by (span.error.type)`)],
          unit: "ops",
          as: "bars",
          width: 8,
          links: [findTraces("span.error.type", "status = error")]
        })
      ]
    },
    {
      title: "Sizes",
      panels: [
        curves({
          title: "Size of values, on average",
          description: `Of ${named("cache.size_bytes")
            .map((name) => `\`${name}\``)
            .join(", ")}.`,
          targets: [
            curve(`${spans(...calls, "span.cache.size_bytes != nil")} | avg_over_time(span.cache.size_bytes) by (name)`)
          ],
          unit: "bytes",
          width: 8
        }),
        curves({
          title: "Largest value",
          description: "One large value holds up every other: Redis answers one after the other.",
          targets: [
            curve(`${spans(...calls, "span.cache.size_bytes != nil")} | max_over_time(span.cache.size_bytes) by (name)`)
          ],
          unit: "bytes",
          width: 8,
          links: [findTraces("name")]
        }),
        curves({
          title: "Traffic",
          description: "Bytes of values that were read and written, a minute.",
          targets: [
            curve(
              `${spans(...calls, "span.cache.size_bytes != nil")} | sum_over_time(span.cache.size_bytes) by (name)`,
              "1m"
            )
          ],
          unit: "bytes",
          as: "bars",
          width: 8
        }),
        curves({
          title: "Time to live, on average",
          description: "What is set, and what is left when it is asked for.",
          targets: [
            curve(
              `${spans(...calls, "span.cache.ttl_seconds != nil")} | avg_over_time(span.cache.ttl_seconds) by (name)`
            )
          ],
          unit: "s",
          width: 8
        }),
        curves({
          title: "Keys in a call, on average",
          description: "Of operations on several keys. Many thousand in one are a pause for everybody else.",
          targets: [
            curve(`${spans(...calls, "span.cache.key_count != nil")} | avg_over_time(span.cache.key_count) by (name)`)
          ],
          unit: "short",
          width: 8
        }),
        found({
          title: "Misses",
          description: "Some keys that were not there.",
          query: `${spans(...lookups, "span.cache.hit = false")} | select(span.cache.key)`,
          as: "spans",
          width: 8,
          columns: [columns.service, { field: "cache.key", name: "Key" }, columns.duration]
        })
      ]
    }
  ]
})
