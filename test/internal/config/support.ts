/** What the tests of the configuration share. */
import { expect } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import { inspect } from "node:util"
import * as TelemetryConfig from "../../../src/TelemetryConfig.ts"

export type Environment = Record<string, string>
export type Options = TelemetryConfig.TelemetryOptions

export const exitOf = (env: Environment, options?: Options) =>
  Effect.runSyncExit(
    TelemetryConfig.load(options).pipe(
      Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))
    )
  )

/** The configuration, with tracing on. */
export const load = (env: Environment = {}, options?: Options): TelemetryConfig.TelemetryConfig => {
  const exit = exitOf({ OTEL_ENABLED: "true", ...env }, options)
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  return exit.value
}

export const errorOf = (env: Environment, options?: Options): TelemetryConfig.TelemetryConfigError => {
  const exit = exitOf({ OTEL_ENABLED: "true", ...env }, options)
  if (Exit.isSuccess(exit)) throw new Error(`accepted: ${inspect({ env, options })}`)
  const error = Cause.squash(exit.cause)
  expect(error).toBeInstanceOf(TelemetryConfig.TelemetryConfigError)
  return error as TelemetryConfig.TelemetryConfigError
}

export const messageOf = (env: Environment, options?: Options): string => errorOf(env, options).message

export const urlOf = (config: TelemetryConfig.TelemetryConfig): string => Redacted.value(config.endpoint.url)

export const headersOf = (config: TelemetryConfig.TelemetryConfig): Record<string, string> =>
  Object.fromEntries(Object.entries(config.headers).map(([name, value]) => [name, Redacted.value(value)]))

export const millisOf = (duration: Duration.Duration | undefined): number | undefined =>
  duration === undefined ? undefined : Duration.toMillis(duration)

/** A problem with the code's own types, as JavaScript can make it. */
export const untyped = (options: Record<string, unknown>): Options => options as Options
