/**
 * The configuration, as the command sees it: that of the environment in which it runs, and of a file of variables where one
 * is given. Options in code are not seen.
 *
 * @internal
 */
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as TelemetryConfig from "../TelemetryConfig.ts"

/** The flag of every command. */
export const dotenv = Flag.String("dotenv").pipe(
  Flag.withDescription("A file of variables (.env); variables of the environment go before it"),
  Flag.optional
)

/** A file that cannot be read is said, and ends the command. */
export const loadDotenv = (file: Option.Option<string>): Effect.Effect<void, Error> =>
  Option.match(file, {
    onNone: () => Effect.void,
    onSome: (path) =>
      Effect.try({
        try: () => process.loadEnvFile(path),
        catch: (cause) =>
          new Error(`--dotenv ${path} cannot be read: ${(cause as NodeJS.ErrnoException).code ?? String(cause)}`)
      })
  })

/** As the application would read it. */
export const load: Effect.Effect<TelemetryConfig.TelemetryConfig, TelemetryConfig.TelemetryConfigError> =
  TelemetryConfig.load()

/** The same as if tracing was on: what an export would be like is worth knowing also where it is off. */
export const loadAsIfOn: Effect.Effect<TelemetryConfig.TelemetryConfig, TelemetryConfig.TelemetryConfigError> =
  TelemetryConfig.load({ enabled: true, sdkDisabled: false })

/** Who said so: a variable, a file, or nobody. */
export const showSource = ({ from, name }: TelemetryConfig.Source): string => {
  if (from !== "default") return name ?? from
  return name === undefined ? "default" : `default, from ${name}`
}

/** A row of a table: setting, value, source. */
export const rows = (config: TelemetryConfig.TelemetryConfig): ReadonlyArray<ReadonlyArray<string>> =>
  TelemetryConfig.effective(config).map(({ setting, source, value }) => [setting, value, showSource(source)])

/** For machines. */
export const toJson = (config: TelemetryConfig.TelemetryConfig): ReadonlyArray<unknown> =>
  TelemetryConfig.effective(config).map(({ setting, source, value }) => ({
    setting,
    value,
    from: source.from,
    ...(source.name === undefined ? {} : { name: source.name })
  }))

/** Always worth seeing, whoever said so. */
const always: ReadonlySet<string> = new Set(["enabled", "serviceName", "exporter", "endpoint", "sampler"])

/** Those that somebody has set, and those that a person asks about first. */
export const notable = (config: TelemetryConfig.TelemetryConfig): ReadonlyArray<ReadonlyArray<string>> =>
  TelemetryConfig.effective(config)
    .filter(({ setting, source }) => always.has(setting) || source.from !== "default")
    .map(({ setting, source, value }) => [setting, value, showSource(source)])
