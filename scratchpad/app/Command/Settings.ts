/** The command line and the environment of `npm start`. */
import { Data, Effect } from "effect"
import { parseArgs } from "node:util"

export interface Settings {
  readonly once: boolean
  readonly help: boolean
  readonly host: string
  readonly port: number
  /** The value of `FAULTS`; `undefined` where it is not set. */
  readonly faults: string | undefined
  /** Whether the environment says where traces go, beside this terminal. */
  readonly exports: boolean
}

/** An argument or a variable that is not accepted. */
export class SettingsError extends Data.TaggedError("SettingsError")<{ readonly message: string }> {}

/** Reads the settings. */
export const readSettings = (
  args: ReadonlyArray<string>,
  environment: Readonly<Record<string, string | undefined>>
): Effect.Effect<Settings, SettingsError> =>
  Effect.gen(function* () {
    const { help, once } = yield* Effect.try({
      try: () =>
        parseArgs({ args: [...args], options: { once: { type: "boolean" }, help: { type: "boolean", short: "h" } } })
          .values,
      catch: (error) =>
        new SettingsError({ message: `${(error as Error).message}\nnpm start -- --help shows what there is` })
    })
    const value = (name: string) => environment[name]?.trim() || undefined
    const port = value("PORT") ?? "3000"
    if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
      return yield* new SettingsError({
        message: `PORT is ${JSON.stringify(port)}; expected a number from 0 to 65535, 0 for any that is free`
      })
    }
    return {
      once: once === true,
      help: help === true,
      host: value("HOST") ?? "127.0.0.1",
      port: Number(port),
      faults: environment["FAULTS"],
      exports: ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"].some(
        (name) => value(name) !== undefined
      )
    }
  })

export const help = `npm start -- [--once] [--help]

Starts the reference backend of effect-telemetry, a social audio product, sends it one request for each pattern of tracing,
prints each request's trace, and goes on serving. Nothing has to be installed or running: every part that the environment
does not name runs in this process.

  --once   end after the demo: with 0 if everything came out as expected, but for what FAULTS does, with 1 otherwise
  --help   this text

Where it listens
  PORT                          default 3000; 0 takes any that is free
  HOST                          default 127.0.0.1

Where traces go, beside this terminal
  OTEL_EXPORTER_OTLP_ENDPOINT   such as http://localhost:4318; all other OTEL_ variables hold too
  OTEL_LOGS_EXPORTER            otlp sends log lines there too, OTEL_METRICS_EXPORTER=otlp metrics
  NO_COLOR, FORCE_COLOR         plain text, or colours where there is no terminal

Real servers in the place of the parts in this process
  DATABASE_URL                  postgresql://user:password@host/database; a database of its own
  REDIS_URL                     redis://host:6379
  S3_BUCKET                     a bucket that is there; S3_ENDPOINT, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
  ELASTICSEARCH_URL             http://host:9200; ELASTICSEARCH_API_KEY, or _USERNAME and _PASSWORD
  OPENSEARCH_URL                the same for OpenSearch
  STREAM_API_KEY                with STREAM_API_SECRET: an application at getstream.io
  GORSE_URL                     http://host:8088; GORSE_API_KEY

Faults on purpose
  FAULTS                        a list such as stream.follow=fail:2,es=down,cache.get=slow:300ms

  A service (cache, es, gorse, s3, stream) or an operation of it (cache.get), and what befalls it: down, fail:N (the first N
  calls), flaky:0.3 (so much of them), slow:300ms, hang, limited:2s (rate limited). Without FAULTS the demo has some of its
  own; FAULTS= is none. To see retries, fallbacks and an open circuit:

    FAULTS=stream.follow=fail:2 npm start
    FAULTS=es=down npm start
    FAULTS=cache.get=slow:300ms npm start
`
