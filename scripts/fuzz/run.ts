/** Runs cases of a target until one fails or the time is over. */
import { inspect } from "node:util"
import { Choices, hash } from "./Choices.ts"
import { shrink } from "./shrink.ts"
import type { Target } from "./Target.ts"

/** What a run needs to know. */
export interface RunOptions {
  readonly seed: number
  /** Until when, by `performance.now()`. */
  readonly until: number
  /** The first case, and how many at most. */
  readonly from?: number | undefined
  readonly cases?: number | undefined
  /** Told before each case and each try to make one simpler: a sign of life. */
  readonly begins?: ((index: number) => void) | undefined
}

/** An input for which the claim does not hold. */
export interface Finding {
  readonly index: number
  readonly error: string
  readonly tape: ReadonlyArray<number>
  readonly input: string
  /** Choices before shrinking, and how often it was tried. */
  readonly choices: number
  readonly tries: number
}

export interface Result {
  readonly cases: number
  readonly finding: Finding | undefined
}

/** The choices of a case: they follow from seed, target and number. */
export const choicesOf = (target: Target, seed: number, index: number): Choices =>
  Choices.random(hash(target.name, seed, index))

/** The input of choices as text: all of it, with what does not print written out. */
export const shown = (target: Target, choices: Choices): string => {
  try {
    const input: unknown = target.make(choices)
    return inspect(target.show === undefined ? input : target.show(input), {
      depth: null,
      maxArrayLength: 200,
      maxStringLength: 4000,
      breakLength: 120,
      getters: false
    })
  } catch (error) {
    return `it cannot be shown: ${String(error)}`
  }
}

type Check = (
  tape: ReadonlyArray<number>
) => Promise<{ readonly error: unknown; readonly tape: ReadonlyArray<number> } | undefined>

const checker =
  (target: Target, resource: unknown): Check =>
  async (tape) => {
    const choices = Choices.replay(tape)
    return tried(target, resource, choices)
  }

const tried = async (target: Target, resource: unknown, choices: Choices) => {
  try {
    await target.check(target.make(choices), resource)
    return undefined
  } catch (error) {
    return { error, tape: choices.tape }
  }
}

const textOf = (error: unknown): string => {
  const text = error instanceof Error ? (error.stack ?? error.message) : inspect(error)
  return text.split("\n").slice(0, 24).join("\n")
}

/** Runs a target. */
export const run = (target: Target, options: RunOptions): Promise<Result> =>
  opened(target, async (resource) => {
    const from = options.from ?? 0
    const end = from + (options.cases ?? Infinity)
    let index = from
    for (; index < end && performance.now() < options.until; index++) {
      options.begins?.(index)
      const failed = await tried(target, resource, choicesOf(target, options.seed, index))
      if (failed === undefined) continue
      const begins = () => options.begins?.(index)
      const finding = await simplest(target, resource, { index, begins }, failed.tape, failed.error)
      return { cases: index - from + 1, finding }
    }
    return { cases: index - from, finding: undefined }
  })

/** Runs one tape, as it was printed. */
export const replay = (target: Target, tape: ReadonlyArray<number>): Promise<Result> =>
  opened(target, async (resource) => {
    const failed = await checker(target, resource)(tape)
    if (failed === undefined) return { cases: 1, finding: undefined }
    const input = shown(target, Choices.replay(tape))
    const finding = { index: 0, error: textOf(failed.error), tape, input, choices: tape.length, tries: 0 }
    return { cases: 1, finding }
  })

const opened = async <A>(target: Target, use: (resource: unknown) => Promise<A>): Promise<A> => {
  const open = await target.open?.()
  try {
    return await use(open?.resource)
  } finally {
    await open?.close()
  }
}

const simplest = async (
  target: Target,
  resource: unknown,
  { begins, index }: { readonly index: number; readonly begins: () => void },
  tape: ReadonlyArray<number>,
  first: unknown
): Promise<Finding> => {
  const check = checker(target, resource)
  let error = first
  const shrunk = await shrink(tape, async (candidate) => {
    begins()
    const failed = await check(candidate)
    if (failed === undefined) return undefined
    error = failed.error
    return failed.tape
  })
  // The error of the tape that is printed, and not of the last one that was tried.
  error = (await check(shrunk.tape))?.error ?? error
  return {
    index,
    error: textOf(error),
    tape: shrunk.tape,
    input: shown(target, Choices.replay(shrunk.tape)),
    choices: tape.length,
    tries: shrunk.tries
  }
}
