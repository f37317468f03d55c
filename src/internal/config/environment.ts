/**
 * What the environment says: every variable, read through the current `ConfigProvider`.
 *
 * The key of Effect's provider is named here and not imported: `effect/ConfigProvider` brings file systems and streams along,
 * some twenty modules that every start would pay for. Who gives a provider has loaded it; where nobody does, Effect's own default
 * is the process's environment too.
 *
 * @internal
 */
import type * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { EnvironmentEntry } from "./reader.ts"
import * as Settings from "./settings.ts"

type Provider = Pick<ConfigProvider.ConfigProvider, "load">

const processEnvironment: Provider = {
  load: ([name]) =>
    Effect.sync(() => {
      const value = process.env[String(name)]
      return value === undefined ? undefined : { _tag: "Value", value }
    })
}

/** Effect's `ConfigProvider`. */
export const CurrentProvider: Context.Reference<Provider> = Context.Reference<Provider>("effect/ConfigProvider", {
  defaultValue: () => processEnvironment
})

/** The variables that are set, by name. */
export const read: Effect.Effect<ReadonlyMap<string, EnvironmentEntry>> = Effect.gen(function* () {
  const provider = yield* CurrentProvider
  const entries = new Map<string, EnvironmentEntry>()
  for (const variable of new Set(Settings.all.flatMap((setting) => setting.variables))) {
    const entry = yield* provider.load([variable]).pipe(
      Effect.map((node): EnvironmentEntry | undefined => {
        const text = node?.value?.trim()
        return text === undefined || text === "" ? undefined : { text }
      }),
      Effect.catch((error) => Effect.succeed<EnvironmentEntry>({ unreadable: error.message }))
    )
    if (entry !== undefined) entries.set(variable, entry)
  }
  return entries
})
