/**
 * One child process: started, told to go, and ended in one of the ways in which processes end.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"
import type { Life } from "./account.ts"

export type Ending = Life["ending"]

export interface WorkerOptions {
  readonly how: "work" | "drain"
  readonly log: string
  readonly rate: number
  /** The `OTEL_` variables that it has, and no others. */
  readonly environment: Readonly<Record<string, string>>
  /** Told of the process, so that it does not outlive the soak. */
  readonly started: (pid: number) => void
  readonly ended: (pid: number) => void
}

const program = join(import.meta.dirname, "child.ts")
/** For a process that closes its scope: its own limit is 5 s. */
const patienceMillis = 20_000

export class Worker {
  readonly log: string
  /** Resolves to how it ended: its code, or the signal. */
  readonly exit: Promise<number | NodeJS.Signals>
  private readonly child: ChildProcess
  private output = ""
  private readonly heard = new Set<() => void>()

  constructor(options: WorkerOptions) {
    this.log = options.log
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("OTEL_"))
    this.child = spawn(
      process.execPath,
      ["--conditions=source", "--no-warnings", program, options.how, options.log, String(options.rate)],
      {
        env: { ...Object.fromEntries(inherited), ...options.environment },
        stdio: ["pipe", "pipe", "pipe"],
        detached: true
      }
    )
    const hear = (text: string): void => {
      this.output = (this.output + text).slice(-10_000)
      for (const listener of this.heard) listener()
    }
    this.child.stdout!.setEncoding("utf8").on("data", hear)
    this.child.stderr!.setEncoding("utf8").on("data", hear)
    this.child.stdin!.on("error", () => {})
    const { pid } = this.child
    if (pid !== undefined) options.started(pid)
    this.exit = new Promise((resolve, reject) => {
      this.child.once("error", reject)
      this.child.once("exit", (code, signal) => {
        if (pid !== undefined) options.ended(pid)
        for (const listener of this.heard) listener()
        resolve(signal ?? code ?? 0)
      })
    })
    this.exit.catch(() => {})
  }

  /** Resolves when it could go. */
  async ready(): Promise<void> {
    this.child.stdin!.write("ready?\n")
    await new Promise<void>((resolve, reject) => {
      const listen = (): void => {
        if (this.output.includes("ready")) resolve()
        else if (this.child.exitCode !== null || this.child.signalCode !== null)
          reject(new Error(`a process ended before it began:\n${this.output}`))
        else return
        this.heard.delete(listen)
      }
      this.heard.add(listen)
      listen()
    })
  }

  go(): void {
    this.child.stdin!.write("go\n")
  }

  /** Ends it. One that does not end when it is told is killed, and that is an error. */
  async end(ending: Exclude<Ending, "drain">): Promise<Life> {
    if (ending === "killed") this.child.kill("SIGKILL")
    else this.child.stdin!.write(`${ending}\n`)
    const how = await this.outcome(patienceMillis)
    const expected = { killed: "SIGKILL", end: 0, exit: 0, crash: 1 }[ending]
    if (how !== expected) throw new Error(`a process that was to ${ending} ended with ${how}:\n${this.output}`)
    return { log: this.log, ending }
  }

  /** Waits until it has ended by itself. */
  async outcome(limitMillis: number): Promise<number | NodeJS.Signals> {
    const timer = setTimeout(() => this.child.kill("SIGKILL"), limitMillis)
    try {
      return await this.exit
    } finally {
      clearTimeout(timer)
    }
  }
}
