/**
 * What the layers of services read from the environment, and how they say what is wrong with it.
 *
 * An empty variable counts as one that is not set, as OpenTelemetry has it for its own: whoever writes `GORSE_URL=` gets the
 * default, or hears that the variable is not set where there is none.
 *
 * @see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#parsing-empty-value
 * @internal
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

/** A variable, `undefined` where it is not set or empty. */
export const text = (name: string): Effect.Effect<string | undefined, Config.ConfigError> =>
  Effect.map(Config.option(Config.String(name)), (found) => Option.getOrUndefined(found) || undefined)

/** The same for a secret, or for what may have one in it. */
export const secret = (name: string): Effect.Effect<Redacted.Redacted | undefined, Config.ConfigError> =>
  Effect.map(Config.option(Config.Redacted(name)), (found) =>
    Option.isSome(found) && Redacted.value(found.value) !== "" ? found.value : undefined
  )

/** What is wrong with a setting as a sentence that begins with its name. */
export const sentence = (setting: string, problem: string): string =>
  /^(is|has) /.test(problem) ? `${setting} ${problem}` : `${setting}: ${problem}`

/** What is wrong with a variable that has to be set. */
export const notSet = (accepted: string): string => `is not set; expected ${accepted}`

const booleans: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  "1": true,
  false: false,
  no: false,
  off: false,
  "0": false
}

/** Reads yes or no; a text where it is neither: what is wrong, and what is accepted. */
export const boolean = (value: string): boolean | string => {
  const key = value.trim().toLowerCase()
  return Object.hasOwn(booleans, key)
    ? booleans[key]!
    : `${JSON.stringify(value)} is neither; expected true, false, yes, no, on, off, 1 or 0`
}

/** Reads a whole number within limits; a text where it is none: what is wrong, and what is accepted. */
export const integer = (value: string, least: number, most: number, what: string): number | string => {
  const number = Number(value)
  return /^\s*[+-]?\d{1,15}\s*$/.test(value) && number >= least && number <= most
    ? number
    : `${JSON.stringify(value)} is not accepted; expected ${what}`
}
