/**
 * Ends spans by the thousand while outages come and go and processes are killed, and accounts for every one of them at a real
 * Collector: `npm run soak -- --help`.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Guard } from "./services/Guard.ts"
import { parse, usage } from "./soak/arguments.ts"
import { soak } from "./soak/run.ts"
import { print, wrongWith } from "./soak/report.ts"

const told = parse(process.argv.slice(2))
if (told === undefined) console.log(usage)
else if (typeof told === "string") {
  console.error(`soak: ${told}\n\n${usage}`)
  process.exitCode = 2
} else {
  const say = (text: string): void => console.log(`soak: ${text}`)
  const fiber = Effect.runFork(soak(told, say).pipe(Effect.scoped, Effect.provide(Guard.layer)))
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => fiber.interruptUnsafe(fiber.id))
  fiber.addObserver((exit) => {
    if (Exit.isFailure(exit)) {
      console.error(`soak: ${Cause.hasInterruptsOnly(exit.cause) ? "interrupted" : Cause.pretty(exit.cause)}`)
      process.exit(1)
    }
    print(exit.value, console.log)
    const wrong = wrongWith(exit.value)
    for (const line of wrong) console.error(`soak: ${line}`)
    if (wrong.length === 0) say("every span is accounted for")
    process.exit(wrong.length === 0 ? 0 : 1)
  })
}
