/**
 * `effect-telemetry send`: one test trace, its id, and where to look.
 *
 * @internal
 */
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Lookup from "./lookup.ts"
import * as Output from "./output.ts"
import * as Settings from "./settings.ts"
import { sendTrace } from "./testTrace.ts"

const address = (backend: Lookup.Backend, description: string) =>
  Flag.String(backend).pipe(Flag.withDescription(description), Flag.optional)

/** Where traces can be looked up. */
export const backends = {
  tempo: address("tempo", "Tempo's address for queries, such as http://localhost:3200"),
  jaeger: address("jaeger", "Jaeger's address for queries, such as http://localhost:16686")
}

/** Those that were given. An address that is none is not shown: it may hold a key. */
export const given = (flags: {
  readonly tempo: Option.Option<string>
  readonly jaeger: Option.Option<string>
}): Effect.Effect<ReadonlyArray<Lookup.Query>, Output.UsageError> =>
  Effect.forEach(
    (["tempo", "jaeger"] as const).flatMap((backend) =>
      Option.toArray(flags[backend]).map((text) => ({ backend, query: Lookup.parseQuery(backend, text) }))
    ),
    ({ backend, query }) =>
      typeof query === "string"
        ? Effect.fail(new Output.UsageError({ message: `--${backend} is no address: ${query}` }))
        : Effect.succeed(query)
  )

/** How long a test trace may take: its timeout, but not for ever. */
export const flushMillis = (timeout: Duration.Duration): number => Math.min(10_000, Duration.toMillis(timeout)) + 250

export const send = Command.make(
  "send",
  {
    name: Flag.String("name").pipe(
      Flag.withDescription("The name of the root span"),
      Flag.withDefault("effect-telemetry send")
    ),
    ...backends,
    json: Flag.Boolean("json").pipe(Flag.withDescription("Print it for a machine"), Flag.withDefault(false)),
    dotenv: Settings.dotenv
  },
  (flags) =>
    Effect.gen(function* () {
      const queries = yield* given(flags)
      yield* Settings.loadDotenv(flags.dotenv)
      const config = yield* Settings.loadAsIfOn
      const sent = yield* sendTrace(config, flags.name, flushMillis(config.timeout))
      const look = queries.map((query) => Lookup.placeOf(query, sent.traceId))
      const isDelivered = sent.delivered === sent.spans
      if (flags.json) {
        yield* Output.json({
          ok: isDelivered,
          endpoint: config.endpoint.display,
          service: config.serviceName,
          ...sent,
          look
        })
      } else if (isDelivered) {
        yield* Console.log(`sent trace ${sent.traceId} (${sent.spans} spans) to ${config.endpoint.display}`)
        yield* Console.log(`look for it by its id, or for service ${config.serviceName}, span ${flags.name}`)
        for (const place of look) yield* Console.log(place)
      } else {
        yield* Console.error(`trace ${sent.traceId} was not delivered to ${config.endpoint.display}: ${sent.error}`)
        yield* Console.error(`effect-telemetry doctor says why and what to do`)
      }
      if (!isDelivered) yield* Output.exitWith(1)
    })
).pipe(
  Command.withDescription(
    "Sends a test trace of two spans, whether or not tracing is on, and prints its id and where to look."
  )
)
