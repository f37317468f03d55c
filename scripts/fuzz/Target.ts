/** What is fuzzed: how an input is made of choices, and what has to hold for every input. */
import type { Choices } from "./Choices.ts"

export interface Target<A = any, R = any> {
  readonly name: string
  /** What has to hold, in one line. */
  readonly claim: string
  readonly make: (choices: Choices) => A
  /** Throws, or rejects, where it does not hold. */
  readonly check: (input: A, resource: R) => void | Promise<void>
  /** What all inputs are tried on, where that is more than a function: a server. */
  readonly open?: (() => Promise<{ readonly resource: R; readonly close: () => Promise<void> }>) | undefined
  /** How an input is shown, where not by itself. */
  readonly show?: ((input: A) => unknown) | undefined
}

/** A target; for the types. */
export const target = <A, R = void>(definition: Target<A, R>): Target<A, R> => definition
