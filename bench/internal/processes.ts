/** Starts the programs of this folder, each in a process of its own, and talks to them. */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"

/** What every process of a run is given. */
export interface Surroundings {
  readonly env: NodeJS.ProcessEnv
  readonly execArgv: ReadonlyArray<string>
}

/** A program that runs, and its messages, in order. */
export class Running {
  readonly process: ChildProcess
  readonly #name: string
  readonly #messages: Array<unknown> = []
  #waiting: { readonly give: (message: unknown) => void; readonly fail: (error: Error) => void } | undefined
  #output = ""
  #ended = false

  constructor(program: string, args: ReadonlyArray<string>, { env, execArgv }: Surroundings) {
    this.#name = [program, ...args].join(" ")
    this.process = fork(fileURLToPath(new URL(`${program}.ts`, import.meta.url)), args, {
      env,
      execArgv: [...execArgv],
      stdio: ["ignore", "pipe", "pipe", "ipc"]
    })
    // What a peer logs is of interest only where it fails.
    const keep = (text: Buffer): void => {
      this.#output = (this.#output + text.toString()).slice(-4_000)
    }
    this.process.stdout!.on("data", keep)
    this.process.stderr!.on("data", (text: Buffer) => {
      keep(text)
      process.stderr.write(text)
    })
    this.process.on("message", (message) => {
      if (this.#waiting === undefined) return void this.#messages.push(message)
      this.#waiting.give(message)
      this.#waiting = undefined
    })
    this.process.on("exit", (code, signal) => {
      this.#ended = true
      this.#waiting?.fail(this.#failure(code, signal))
    })
  }

  next<Message>(): Promise<Message> {
    if (this.#messages.length > 0) return Promise.resolve(this.#messages.shift() as Message)
    if (this.#ended) return Promise.reject(this.#failure(this.process.exitCode, this.process.signalCode))
    return new Promise((resolve, reject) => {
      this.#waiting = { give: resolve as (message: unknown) => void, fail: reject }
    })
  }

  async ask<Message>(question: string): Promise<Message> {
    this.process.send(question)
    return this.next()
  }

  /** Lets it go, and waits until it has. */
  async stop(): Promise<void> {
    if (this.#ended) return
    const exited = new Promise((resolve) => this.process.once("exit", resolve))
    this.process.disconnect()
    const timer = setTimeout(() => this.process.kill("SIGKILL"), 10_000)
    await exited
    clearTimeout(timer)
  }

  #failure(code: number | null, signal: string | null): Error {
    return new Error(`${this.#name} ended with ${code ?? signal} before it had answered\n${this.#output}`)
  }
}

/** Runs a program that answers once. */
export const run = async <Message>(
  program: string,
  args: ReadonlyArray<string>,
  surroundings: Surroundings
): Promise<Message> => {
  const running = new Running(program, args, surroundings)
  try {
    return await running.next<Message>()
  } finally {
    await running.stop()
  }
}

/** The collector that everything is sent to. */
export class Sink {
  readonly origin: string
  readonly #running: Running

  private constructor(running: Running, port: number) {
    this.#running = running
    this.origin = `http://127.0.0.1:${port}`
  }

  static async start(surroundings: Surroundings): Promise<Sink> {
    const running = new Running("sink", [], { ...surroundings, execArgv: [] })
    const { port } = await running.next<{ readonly port: number }>()
    return new Sink(running, port)
  }

  get endpoint(): string {
    return `${this.origin}/v1/traces`
  }

  async reset(mode: "healthy" | "slow" | "hanging" = "healthy"): Promise<void> {
    await (await fetch(`${this.origin}/sink?mode=${mode}`, { method: "POST" })).text()
  }

  async spans(): Promise<number> {
    return ((await (await fetch(`${this.origin}/sink`)).json()) as { readonly spans: number }).spans
  }

  stop(): Promise<void> {
    return this.#running.stop()
  }
}
