/** A program for `Run.test.ts`: what it does stands in its first argument. */
import { Effect } from "effect"
import { run } from "../../../scratchpad/app/Command/Run.ts"

const say = (text: string) => Effect.sync(() => process.stdout.write(`${text}\n`))

const programs: Readonly<Record<string, Effect.Effect<number, unknown>>> = {
  succeed: Effect.as(say("done"), 3),
  fail: Effect.fail(new Error("PORT is wrong")),
  die: Effect.die(new TypeError("a bug")),
  // Ends in good order: what was acquired is released, which takes a moment.
  wait: Effect.never.pipe(Effect.onInterrupt(() => Effect.andThen(Effect.sleep(50), say("released")))),
  // Does not end by itself.
  cling: Effect.never.pipe(Effect.onInterrupt(() => Effect.never)),
  talk: Effect.forever(Effect.andThen(say("still here"), Effect.sleep(5)))
}

run(Effect.andThen(say("started"), programs[process.argv[2] ?? ""] ?? Effect.die("which?")))
// Something has to keep the process, as a server does.
setInterval(() => {}, 1000)
