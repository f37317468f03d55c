import * as Catalogue from "../../src/catalogue/Catalogue.ts"
import { dashboard } from "./grafana/dashboard.ts"
import type { JsonObject } from "./grafana/json.ts"
import { curves, findTraces, found, gauges, stat } from "./grafana/panels.ts"
import { curve, share, total } from "./grafana/queries.ts"
import { columns, ofService, sampled, service, spans } from "./queries.ts"

/** The names of events as one regular expression; a part that varies stands for anything. */
const everyName = Catalogue.spans
  .filter((span) => span.group === "event")
  .map((span) => span.name.replaceAll(".", "[.]").replaceAll(/\{\w+\}/g, ".+"))
  .join("|")

const events = [ofService, `name =~ "${everyName}"`]
const named = (name: string, ...conditions: ReadonlyArray<string>): string =>
  spans(ofService, `name = "${name}"`, ...conditions)

const fallback = (title: string, name: string, attribute: string, description: string) =>
  curves({
    title,
    description,
    targets: [curve(`${named(name, `span.${attribute} != nil`)} | rate() by (span.${attribute})`)],
    unit: "ops",
    as: "shares",
    width: 8,
    renamed: [
      { series: "false", name: "first source", color: "green" },
      { series: "true", name: "fallback", color: "orange" }
    ]
  })

/** What users do: feeds, posts, searches, engagement. */
export const businessEvents: JsonObject = dashboard({
  slug: "events",
  title: "Business events",
  description: "What users do, and whether it works: feeds by type and fallback, posts, searches, follows, engagement.",
  variables: [service],
  sections: [
    {
      panels: [
        stat({
          title: "Feeds",
          description: `Feeds that were put together in the time that is chosen. ${sampled}`,
          targets: [total(`${named("feed.get")} | count_over_time()`)],
          unit: "short",
          none: "0",
          width: 4
        }),
        stat({
          title: "Feeds from a fallback",
          description:
            "The share of feeds whose first source failed (`feed.fallback_used`): users see something, but not what they should. What to do: see which type below, then the service calls under it.",
          targets: share(
            `${named("feed.get", "span.feed.fallback_used = true")} | count_over_time()`,
            `${named("feed.get")} | count_over_time()`
          ),
          unit: "percentunit",
          limits: { warn: 0.01, bad: 0.1 },
          none: "none",
          width: 4
        }),
        stat({
          title: "Posts",
          description: `Posts that were created in the time that is chosen. ${sampled}`,
          targets: [total(`${named("feed.create_post", "status != error")} | count_over_time()`)],
          unit: "short",
          none: "0",
          width: 4
        }),
        stat({
          title: "Searches without a result",
          description: "The share of searches that found nothing. A jump is an index that is empty, or behind.",
          targets: share(
            `${named("search.query", "span.search.result_count = 0")} | count_over_time()`,
            `${named("search.query", "span.search.result_count != nil")} | count_over_time()`
          ),
          unit: "percentunit",
          limits: { warn: 0.3, bad: 0.6 },
          none: "none",
          width: 4
        }),
        stat({
          title: "Plays",
          description: `Plays that were counted in the time that is chosen. ${sampled}`,
          targets: [total(`${spans(ofService, 'span.engagement.event_type = "play"')} | count_over_time()`)],
          unit: "short",
          none: "0",
          width: 4
        }),
        stat({
          title: "Events that failed",
          description:
            "The share of all events on this page that failed: each is something that a user wanted and did not get.",
          targets: share(`${spans(...events, "status = error")} | rate()`, `${spans(...events)} | rate()`),
          unit: "percentunit",
          limits: { warn: 0.01, bad: 0.05 },
          none: "none",
          width: 4
        })
      ]
    },
    {
      title: "All events",
      panels: [
        curves({
          title: "Events",
          description: `By name, a minute. ${sampled}`,
          targets: [curve(`${spans(...events)} | count_over_time() by (name)`, "1m")],
          unit: "short",
          links: [findTraces("name")]
        }),
        curves({
          title: "Events that failed",
          description: "By name, a minute.",
          targets: [curve(`${spans(...events, "status = error")} | count_over_time() by (name)`, "1m")],
          unit: "short",
          as: "bars",
          links: [findTraces("name", "status = error")]
        }),
        curves({
          title: "How long they take",
          description: "The 95th percentile by name: what users wait for.",
          targets: [curve(`${spans(...events)} | quantile_over_time(duration, 0.95) by (name)`)],
          unit: "s",
          grouped: true,
          width: 24,
          links: [findTraces("name")]
        })
      ]
    },
    {
      title: "Feeds",
      panels: [
        curves({
          title: "Feeds by type",
          description: `A minute. ${sampled}`,
          targets: [curve(`${named("feed.get")} | count_over_time() by (span.feed.type)`, "1m")],
          unit: "short",
          width: 8,
          links: [findTraces("span.feed.type")]
        }),
        curves({
          title: "Latency by type",
          description: "The 95th percentile.",
          targets: [curve(`${named("feed.get")} | quantile_over_time(duration, 0.95) by (span.feed.type)`)],
          unit: "s",
          grouped: true,
          width: 8,
          links: [findTraces("span.feed.type")]
        }),
        fallback(
          "Feeds from their first source, and from a fallback",
          "feed.get",
          "feed.fallback_used",
          "As shares of all feeds that say so."
        ),
        gauges({
          title: "Fallback by type",
          description: "The share of each type of feed that came from a fallback: which source fails.",
          targets: share(
            `${named("feed.get", "span.feed.fallback_used = true")} | count_over_time() by (span.feed.type)`,
            `${named("feed.get")} | count_over_time() by (span.feed.type)`
          ),
          unit: "percentunit",
          limits: { warn: 0.01, bad: 0.1 },
          max: 1,
          width: 8
        }),
        curves({
          title: "Items of a feed, on average",
          description: "By type. Feeds that shrink lose their source by and by.",
          targets: [
            curve(
              `${named("feed.get", "span.feed.item_count != nil")} | avg_over_time(span.feed.item_count) by (span.feed.type)`
            )
          ],
          unit: "short",
          width: 8
        }),
        curves({
          title: "Empty feeds",
          description: "Feeds without an item, a minute, by type.",
          targets: [
            curve(`${named("feed.get", "span.feed.item_count = 0")} | count_over_time() by (span.feed.type)`, "1m")
          ],
          unit: "short",
          as: "bars",
          width: 8,
          links: [findTraces("span.feed.type")]
        })
      ]
    },
    {
      title: "Posts and recordings",
      panels: [
        curves({
          title: "Posts by format",
          description: `Posts a minute, by the format of their recording. ${sampled}`,
          targets: [curve(`${named("feed.create_post")} | count_over_time() by (span.audio.format)`, "1m")],
          unit: "short",
          as: "bars",
          width: 8,
          links: [findTraces("span.audio.format")]
        }),
        curves({
          title: "Uploads",
          description: "Bytes of recordings that were uploaded, a minute, by format.",
          targets: [
            curve(
              `${named("audio.upload", "span.file.size_bytes != nil")} | sum_over_time(span.file.size_bytes) by (span.audio.format)`,
              "1m"
            )
          ],
          unit: "bytes",
          as: "bars",
          width: 8
        }),
        curves({
          title: "Processing by status",
          description: "A minute. Many `pending` without `complete` is a worker that is away.",
          targets: [curve(`${named("audio.processing")} | count_over_time() by (span.processing.status)`, "1m")],
          unit: "short",
          as: "bars",
          width: 8,
          renamed: [{ series: "failed", color: "red" }],
          links: [findTraces("span.processing.status")]
        })
      ]
    },
    {
      title: "Searches",
      panels: [
        curves({
          title: "Searches by index",
          description: `A minute. ${sampled}`,
          targets: [curve(`${named("search.query")} | count_over_time() by (span.search.index)`, "1m")],
          unit: "short",
          width: 8,
          links: [findTraces("span.search.index")]
        }),
        fallback(
          "Searches by their first engine, and by a fallback",
          "search.query",
          "search.fallback_used",
          "As shares of all searches that say so."
        ),
        found({
          title: "Searches without a result",
          description: "Some of them, with what was looked for.",
          query: `${named("search.query", "span.search.result_count = 0")} | select(span.search.query, span.search.index)`,
          as: "spans",
          width: 8,
          columns: [
            columns.service,
            { field: "search.query", name: "For what" },
            { field: "search.index", name: "Index", width: 90 },
            columns.duration
          ]
        })
      ]
    },
    {
      title: "Who follows, likes, plays",
      panels: [
        curves({
          title: "Social actions",
          description: `A minute, by the event's name. ${sampled}`,
          targets: [curve(`${spans(ofService, 'name =~ "social[.].+"')} | count_over_time() by (name)`, "1m")],
          unit: "short",
          as: "bars",
          width: 8,
          links: [findTraces("name")]
        }),
        curves({
          title: "Engagement",
          description: `A minute, by what the listener did. ${sampled}`,
          targets: [
            curve(
              `${spans(ofService, "span.engagement.event_type != nil")} | count_over_time() by (span.engagement.event_type)`,
              "1m"
            )
          ],
          unit: "short",
          as: "bars",
          width: 8,
          links: [findTraces("span.engagement.event_type")]
        }),
        curves({
          title: "Owners that were told",
          description: "Of interactions with something of another's: whether its owner got a notification, as shares.",
          targets: [curve(`${spans(ofService, "span.notification.sent != nil")} | rate() by (span.notification.sent)`)],
          unit: "ops",
          as: "shares",
          width: 8,
          renamed: [
            { series: "true", name: "told", color: "green" },
            { series: "false", name: "not told", color: "orange" }
          ]
        })
      ]
    },
    {
      title: "Traces",
      panels: [
        found({
          title: "Events that failed",
          description:
            "Some of them, with the reason and the user. The trace's name opens the whole request with its logs.",
          query: `${spans(...events, "status = error")} | select(name, span.error.type, statusMessage, span.user.id, span.trace.correlation_id)`,
          as: "spans",
          columns: [
            columns.service,
            { field: "name", name: "Event", width: 190 },
            columns.reason,
            columns.message,
            columns.user,
            columns.correlation,
            columns.duration
          ]
        })
      ]
    }
  ]
})
