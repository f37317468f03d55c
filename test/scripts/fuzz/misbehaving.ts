/** Targets that a thread has to survive. */
import type { Choices } from "../../../scripts/fuzz/Choices.ts"
import { type Target, target } from "../../../scripts/fuzz/Target.ts"

/** From here on they misbehave. */
export const limit = 50

const make = (choices: Choices): number => choices.below(100)

export const endless = target({
  name: "endless",
  claim: "it ends",
  make,
  check: (number) => {
    // oxlint-disable-next-line no-unmodified-loop-condition -- it must not end
    while (number >= limit);
  }
})

export const exiting = target({
  name: "exiting",
  claim: "it goes on",
  make,
  check: (number) => {
    if (number >= limit) process.exit(3)
  }
})

export const rejecting = target({
  name: "rejecting",
  claim: "nothing is left alone",
  make,
  check: async (number) => {
    if (number >= limit) void Promise.reject(new Error("nobody waits for this"))
    await new Promise((resolve) => setImmediate(resolve))
  }
})

export const targetNamed = (name: string): Target | undefined =>
  [endless, exiting, rejecting].find((target) => target.name === name)
