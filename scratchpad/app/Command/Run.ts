/**
 * Runs the program as people expect of one in a terminal.
 *
 * - Ctrl-C, `SIGTERM` and a closed terminal (`SIGHUP`) end it in good order: requests are answered, spans are sent. It then
 *   ends by that very signal, so that a shell and npm know why.
 * - A second Ctrl-C ends it at once.
 * - When nobody reads its output any more (`| head`), it ends quietly.
 * - What is wrong with its settings is one line, not a stack trace.
 */
import { Cause, Effect, Exit, Predicate } from "effect"

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const

/** npm passes Ctrl-C on although the terminal has sent it already: the same key press, twice. */
const echoMillis = 300
/** How long the end may take before it is not waited for. */
const limitMillis = 10_000

/** Runs an effect whose value is the exit code. */
export const run = <E>(program: Effect.Effect<number, E>): void => {
  let ending: { readonly signal: NodeJS.Signals | undefined; readonly at: number } | undefined

  const end = (signal: NodeJS.Signals | undefined): void => {
    if (ending !== undefined) return
    ending = { signal, at: performance.now() }
    setTimeout(() => leave(signal), limitMillis).unref()
    fiber.interruptUnsafe(fiber.id)
  }

  const leave = (signal: NodeJS.Signals | undefined): void => {
    if (signal === undefined) process.exit(0)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  }

  for (const signal of signals) {
    process.on(signal, () => {
      if (ending === undefined) end(signal)
      else if (performance.now() - ending.at > echoMillis) leave(signal)
    })
  }
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => end(undefined))

  const fiber = Effect.runFork(program)
  fiber.addObserver((exit) => {
    if (ending !== undefined) return leave(ending.signal)
    if (Exit.isFailure(exit)) process.stderr.write(`\n${explain(exit.cause)}\n`)
    process.exit(Exit.isSuccess(exit) ? exit.value : 1)
  })
}

/** A failure that has a message is told by it; anything else is a defect, whose whole story matters. */
const explain = (cause: Cause.Cause<unknown>): string => {
  const [reason] = cause.reasons
  if (reason !== undefined && Cause.isFailReason(reason) && Predicate.isError(reason.error)) {
    return `npm start: ${reason.error.message}`
  }
  return Cause.pretty(cause)
}
