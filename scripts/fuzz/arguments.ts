/** What `npm run fuzz -- …` is told. */
import { parseArgs } from "node:util"

export interface FuzzArguments {
  /** For all targets together. */
  readonly seconds: number
  readonly seed: number
  /** Names; none are all. */
  readonly targets: ReadonlyArray<string>
  /** One case alone. */
  readonly only: number | undefined
  /** One tape alone. */
  readonly tape: ReadonlyArray<number> | undefined
  readonly list: boolean
}

export const usage = `npm run fuzz -- [--seconds N] [--seed N] [--target name]… [--case N | --tape N.N.N] [--list]

  --seconds  how long, for all targets together (default 60)
  --seed     where the random inputs come from (default 1); the same seed makes the same inputs
  --target   only this one; may be given several times
  --case     only the case of this number
  --tape     only the input of this tape, as a finding prints it
  --list     says what the targets are`

const wholeNumber = (name: string, text: string): number => {
  if (!/^\d{1,10}$/.test(text)) throw new Error(`--${name} is ${JSON.stringify(text)}: accepted is a whole number`)
  return Number(text)
}

/** Reads the arguments; throws an error that says what is accepted. */
export const parse = (args: ReadonlyArray<string>, known: ReadonlyArray<string>): FuzzArguments => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: "string", default: "60" },
      seed: { type: "string", default: "1" },
      target: { type: "string", multiple: true, default: [] },
      case: { type: "string" },
      tape: { type: "string" },
      list: { type: "boolean", default: false }
    }
  })
  for (const name of values.target) {
    if (!known.includes(name)) throw new Error(`--target is ${JSON.stringify(name)}: accepted are ${known.join(", ")}`)
  }
  const alone = values.case ?? values.tape
  if (alone !== undefined && values.target.length !== 1) throw new Error("--case and --tape need one --target")
  return {
    seconds: wholeNumber("seconds", values.seconds),
    seed: wholeNumber("seed", values.seed),
    targets: values.target,
    only: values.case === undefined ? undefined : wholeNumber("case", values.case),
    tape: values.tape === undefined ? undefined : tapeOf(values.tape),
    list: values.list
  }
}

/** A tape as text. */
export const textOfTape = (tape: ReadonlyArray<number>): string => tape.join(".")

const tapeOf = (text: string): ReadonlyArray<number> =>
  text === "" ? [] : text.split(".").map((number) => wholeNumber("tape", number))
