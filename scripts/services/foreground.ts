/**
 * The command that is run with the servers: it has the terminal, and its exit code is the script's.
 */
import * as Effect from "effect/Effect"
import { constants } from "node:os"
import { spawn } from "node:child_process"
import { Guard } from "./Guard.ts"
import { CommandFailed, stop } from "./processes.ts"

/** The shell's convention for a process that a signal ended. */
export const exitCode = (code: number | null, signal: NodeJS.Signals | null): number =>
  code ?? 128 + (signal === null ? 0 : constants.signals[signal])

/** Runs a command; `interruptedBy` tells which signal the script got, for the command gets the same. */
export const runInForeground = (
  command: ReadonlyArray<string>,
  environment: Readonly<Record<string, string>>,
  interruptedBy: () => NodeJS.Signals
): Effect.Effect<number, CommandFailed, Guard> =>
  Effect.gen(function* () {
    const guard = yield* Guard
    return yield* Effect.callback<number, CommandFailed>((resume) => {
      const [file = "", ...args] = command
      const child = spawn(file, args, { stdio: "inherit", env: { ...process.env, ...environment } })
      if (child.pid !== undefined) guard.add({ pid: child.pid, signal: "SIGTERM", group: false })
      child.once("error", (error) => {
        resume(Effect.fail(new CommandFailed({ command: command.join(" "), how: error.message, lines: [] })))
      })
      child.once("exit", (code, signal) => {
        if (child.pid !== undefined) guard.remove(child.pid)
        resume(Effect.succeed(exitCode(code, signal)))
      })
      return Effect.suspend(() => {
        const signal = interruptedBy()
        // A terminal's Ctrl-C has reached the command already; a second one would tell it to drop everything.
        const reachedIt = signal === "SIGINT" && process.stdin.isTTY
        return stop(child, reachedIt ? 0 : signal, 10_000)
      })
    })
  })
