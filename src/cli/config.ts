/**
 * `effect-telemetry config`: every setting as it is in effect, and who said so.
 *
 * @internal
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as TelemetryConfig from "../TelemetryConfig.ts"
import * as Output from "./output.ts"
import * as Settings from "./settings.ts"

const refused = (error: TelemetryConfig.TelemetryConfigError, json: boolean): Effect.Effect<void> =>
  Effect.andThen(
    json
      ? Output.json({ ok: false, problems: error.problems })
      : Effect.forEach(error.problems, (problem) => Console.error(problem.message), { discard: true }),
    Output.exitWith(1)
  )

const show = (config: TelemetryConfig.TelemetryConfig, json: boolean): Effect.Effect<void> =>
  json
    ? Output.json({
        ok: true,
        summary: TelemetryConfig.describe(config),
        settings: Settings.toJson(config),
        warnings: config.warnings
      })
    : Effect.gen(function* () {
        yield* Console.log(`${TelemetryConfig.describe(config)}\n`)
        for (const line of Output.columns([["setting", "value", "source"], ...Settings.rows(config)])) {
          yield* Console.log(line)
        }
        for (const warning of config.warnings) yield* Console.log(`warning: ${warning}`)
      })

export const config = Command.make(
  "config",
  {
    json: Flag.Boolean("json").pipe(Flag.withDescription("Print it for a machine"), Flag.withDefault(false)),
    dotenv: Settings.dotenv
  },
  ({ dotenv, json }) =>
    Effect.andThen(
      Settings.loadDotenv(dotenv),
      Effect.matchEffect(Settings.load, {
        onFailure: (error) => refused(error, json),
        onSuccess: (loaded) => show(loaded, json)
      })
    )
).pipe(
  Command.withDescription(
    "Shows every setting as it is in effect and the source that won. Secrets are masked; options in code are not seen."
  )
)
