/**
 * Commands that run to their end, and servers that run until their scope closes.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process"
import { accessSync, closeSync, constants, openSync, readFileSync, statSync } from "node:fs"
import { delimiter, join } from "node:path"
import { setPriority } from "node:os"
import type { Scope } from "effect/Scope"
import { Guard } from "./Guard.ts"
import { say } from "./report.ts"
import { send } from "./watchdog.ts"

/** How many of its last lines a failure quotes. */
const quotedLines = 25

export const lastLines = (output: string): ReadonlyArray<string> =>
  output
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "")
    .slice(-quotedLines)

const quote = (lines: ReadonlyArray<string>) => lines.map((line) => `\n    ${line.slice(0, 500)}`).join("")

/** How a process ended, in words. */
const ending = (code: number | null, signal: NodeJS.Signals | null) =>
  signal === null ? `exit code ${code}` : `signal ${signal}`

/** A command that did not do its work. */
export class CommandFailed extends Data.TaggedError("CommandFailed")<{
  readonly command: string
  readonly how: string
  readonly lines: ReadonlyArray<string>
}> {
  override get message(): string {
    return `${this.command}: ${this.how}${quote(this.lines)}`
  }
}

/** A server that did not come up. */
export class ServerFailed extends Data.TaggedError("ServerFailed")<{
  readonly server: string
  readonly how: string
  readonly lines: ReadonlyArray<string>
}> {
  get quoted(): string {
    return `${this.how}${quote(this.lines)}`
  }
  /** Whether another process took the port between the choice of it and the server's start. */
  get addressInUse(): boolean {
    return this.lines.some((line) => /address already in use|EADDRINUSE|BindException|could not bind/i.test(line))
  }
  override get message(): string {
    return `${this.server} did not start: ${this.quoted}`
  }
}

export interface CommandOptions {
  readonly cwd?: string | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
  /** Give way to whatever else the machine does: for builds. */
  readonly background?: boolean | undefined
}

const spawnOptions = (options: CommandOptions): SpawnOptions => ({
  // A group of its own: a terminal's Ctrl-C reaches the script alone, which then ends things in order.
  detached: true,
  ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  ...(options.user === undefined ? {} : options.user),
  env: { ...process.env, ...options.env }
})

const ended = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null || child.pid === undefined

const awaitEnd = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (ended(child)) return resume(Effect.void)
    const done = () => resume(Effect.void)
    child.once("exit", done)
    return Effect.sync(() => child.off("exit", done))
  })

/** Asks a process to end, waits, and ends it and its group when it does not. */
export const stop = (child: ChildProcess, signal: NodeJS.Signals | 0, graceMillis: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (ended(child) || child.pid === undefined) return Effect.void
    const pid = child.pid
    send(pid, signal)
    return awaitEnd(child).pipe(
      Effect.timeoutOrElse({
        duration: graceMillis,
        orElse: () =>
          Effect.suspend(() => {
            if (!send(-pid, "SIGKILL")) send(pid, "SIGKILL")
            return awaitEnd(child)
          })
      })
    )
  })

/** Runs a command to its end; what it printed on standard output. */
export const run = (
  file: string,
  args: ReadonlyArray<string>,
  options: CommandOptions = {}
): Effect.Effect<string, CommandFailed, Guard> =>
  Effect.gen(function* () {
    const guard = yield* Guard
    const command = [file, ...args].join(" ")
    return yield* Effect.callback<string, CommandFailed>((resume) => {
      const child = spawn(file, args, { ...spawnOptions(options), stdio: ["ignore", "pipe", "pipe"] })
      const { pid } = child
      if (pid !== undefined) {
        guard.add({ pid, signal: "SIGTERM", group: true })
        if (options.background === true) setPriority(pid, 10)
      }
      let stdout = ""
      let everything = ""
      child.stdout?.setEncoding("utf8").on("data", (text: string) => {
        stdout += text
        everything += text
      })
      child.stderr?.setEncoding("utf8").on("data", (text: string) => (everything += text))
      child.once("error", (error) => {
        resume(Effect.fail(new CommandFailed({ command, how: error.message, lines: [] })))
      })
      child.once("close", (code, signal) => {
        if (pid !== undefined) guard.remove(pid)
        resume(
          code === 0
            ? Effect.succeed(stdout)
            : Effect.fail(new CommandFailed({ command, how: ending(code, signal), lines: lastLines(everything) }))
        )
      })
      return Effect.suspend(() => {
        if (pid !== undefined) send(-pid, "SIGTERM")
        return stop(child, "SIGTERM", 5_000)
      })
    })
  })

export interface LaunchOptions extends CommandOptions {
  /** Where its output goes. */
  readonly log: string
  /** Whether it answers; asked until it does. */
  readonly ready: Effect.Effect<boolean, unknown, Guard>
  /** What asks it to end. Default SIGTERM. */
  readonly signal?: NodeJS.Signals | undefined
  /** How long it may take until it answers. Default 120 seconds: a test machine may be busy. */
  readonly limitMillis?: number | undefined
}

/** Starts a server and waits until it answers; it is stopped with the scope. */
export const launch = (
  server: string,
  file: string,
  args: ReadonlyArray<string>,
  options: LaunchOptions
): Effect.Effect<{ readonly pid: number }, ServerFailed, Guard | Scope> =>
  Effect.gen(function* () {
    const guard = yield* Guard
    const signal = options.signal ?? "SIGTERM"
    const limitMillis = options.limitMillis ?? 120_000
    const failed = (how: string) =>
      new ServerFailed({ server, how, lines: lastLines(readFileSync(options.log, "utf8").slice(-100_000)) })

    let spawnError: Error | undefined
    let stopping = false
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const log = openSync(options.log, "a")
        const child = spawn(file, args, { ...spawnOptions(options), stdio: ["ignore", log, log] })
        closeSync(log)
        child.once("error", (error) => (spawnError = error))
        if (child.pid !== undefined) guard.add({ pid: child.pid, signal, group: true })
        return child
      }),
      (child) =>
        Effect.gen(function* () {
          stopping = true
          yield* stop(child, signal, 10_000)
          if (child.pid !== undefined) guard.remove(child.pid)
        })
    )

    const died = Effect.gen(function* () {
      yield* awaitEnd(child)
      // A program that could not be run at all says so a moment later.
      if (child.pid === undefined) yield* Effect.sleep(1)
      return yield* failed(spawnError?.message ?? ending(child.exitCode, child.signalCode))
    })
    const answers = options.ready.pipe(
      Effect.filterOrFail((ready) => ready),
      Effect.retry(Schedule.spaced("40 millis")),
      Effect.timeoutOrElse({
        duration: limitMillis,
        orElse: () => Effect.fail(failed(`no answer within ${limitMillis / 1000} s`))
      }),
      Effect.mapError((error) => (error instanceof ServerFailed ? error : failed(String(error))))
    )
    yield* Effect.raceFirst(answers, died)
    child.once("exit", (code, signal) => {
      if (!stopping) say("fail", server, `ended while it was needed: ${failed(ending(code, signal)).quoted}`)
    })
    return { pid: child.pid ?? 0 }
  })

/** The path of a program, if there is one of that name in PATH. */
export const which = (program: string): string | undefined => {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    if (folder === "") continue
    const path = join(folder, program)
    try {
      accessSync(path, constants.X_OK)
      if (statSync(path).isFile()) return path
    } catch {
      // Not here: the next folder.
    }
  }
  return undefined
}
