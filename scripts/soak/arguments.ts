/**
 * What the soak can be told.
 */
export interface Arguments {
  readonly minutes: number
  /** Spans a second, of all processes together. */
  readonly rate: number
  readonly seed: number
}

export const usage = `Usage: npm run soak -- [MINUTES] [--rate SPANS_PER_SECOND] [--seed NUMBER]

Ends spans in several processes (default: 2000 a second for 2 minutes), while outages come and go and processes are killed,
and accounts for every span by its id at a real OpenTelemetry Collector. Exits with 1 where a span is unaccounted for.
TEST_COLLECTOR_BINARY names a Collector to use; without it one is built (scripts/services.ts).`

/** The arguments, or what is wrong with them; `undefined` where help is asked for. */
export const parse = (args: ReadonlyArray<string>): Arguments | string | undefined => {
  const told: { minutes: number; rate: number; seed: number } = {
    minutes: 2,
    rate: 2_000,
    seed: 1 + (Date.now() % 100_000)
  }
  for (let i = 0; i < args.length; i++) {
    const argument = args[i]!
    if (argument === "--help" || argument === "-h") return undefined
    const name = /^--(rate|seed)$/.exec(argument)?.[1] as "rate" | "seed" | undefined
    const text = name === undefined ? argument : args[++i]
    const value = Number(text)
    const wrong = text === undefined || text.trim() === "" || !Number.isFinite(value) || value <= 0
    if (name === undefined && argument.startsWith("-")) return `${argument} is not known`
    if (wrong)
      return `${name === undefined ? "MINUTES" : argument} is ${text ?? "missing"}, but must be a number above 0`
    told[name ?? "minutes"] = value
  }
  return told
}
