/**
 * A cache with a business event: cache-aside, inside of a span that says what it means. The second call is a hit.
 *
 *   npm run pattern -- cache-with-business-event
 */
import { Effect, Layer, Option, Schema } from "effect"
import * as Cache from "effect-telemetry/Cache"
import * as CacheEmbedded from "effect-telemetry/CacheEmbedded"
import * as BusinessEvents from "effect-telemetry/events/BusinessEvents"
import { recordServiceSuccess } from "effect-telemetry/operation/record"
import * as Telemetry from "effect-telemetry/Telemetry"

const Feed = Schema.Array(Schema.Struct({ id: Schema.String, title: Schema.String }))
const feeds = Cache.json(Feed)

const fromDatabase = Effect.succeed([
  { id: "p_01", title: "Night Bus Home" },
  { id: "p_04", title: "Gravel Road" }
]).pipe(Effect.delay("15 millis"), Effect.withSpan("db.select", { kind: "client" }))

const getFeed = Effect.gen(function* () {
  const cached = yield* feeds.get({ key: "feed:global" })
  if (Option.isSome(cached)) {
    yield* recordServiceSuccess({ fromCache: true })
    return cached.value
  }
  const feed = yield* fromDatabase
  yield* feeds.set({ key: "feed:global", value: feed, ttl: "30 seconds" })
  return feed
}).pipe(BusinessEvents.getFeed({ type: "global", limit: 20 }, (feed: typeof Feed.Type) => ({ itemCount: feed.length })))

const live = Layer.provideMerge(
  CacheEmbedded.layer(),
  Telemetry.layer({ enabled: true, serviceName: "patterns", exporter: "console" })
)

Effect.runPromise(Effect.andThen(getFeed, getFeed).pipe(Effect.provide(live)))
