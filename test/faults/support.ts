/** A pipeline to a receiver that misbehaves, and child processes. */
import { spawn, type ChildProcess } from "node:child_process"
import { fileURLToPath } from "node:url"
import { afterEach } from "vitest"
import * as Pipeline from "../../src/export/Pipeline.ts"
import { OtlpReceiver, type OtlpReceiverOptions } from "../support/OtlpReceiver.ts"
import { recordLog, testResource, testScope } from "../export/support.ts"

const closing: Array<() => unknown> = []

/** Closes what a test opened, last first. To be called once at the top of a file. */
export const closeAfterEach = (): void => {
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close()
  })
}

export const receive = async (options?: OtlpReceiverOptions): Promise<OtlpReceiver> => {
  const receiver = await OtlpReceiver.make(options)
  closing.push(() => receiver.close())
  return receiver
}

/** A pipeline with small waits, and what it said. */
export const pipelineTo = (
  receiver: { readonly url: string },
  options: Partial<Pipeline.PipelineOptions> = {}
): Pipeline.Pipeline & { readonly said: ReturnType<typeof recordLog> } => {
  const said = recordLog()
  const pipeline = Pipeline.make({
    endpoint: receiver.url,
    resource: { attributes: testResource },
    scope: testScope,
    scheduleDelayMillis: 20,
    timeoutMillis: 2_000,
    retryMinMillis: 50,
    retryMaxMillis: 400,
    log: said.log,
    ...options
  })
  closing.push(() => pipeline.shutdown(0))
  return { ...pipeline, said }
}

/** All that a pipeline answers for: where every span that ended is now. */
export const accountedFor = (status: Pipeline.Status): number =>
  status.exported + status.droppedTotal + status.queued + status.inFlight + status.held + status.notKept

/** Waits until something holds. */
export const until = async (holds: () => boolean, what: string, timeoutMillis = 15_000): Promise<void> => {
  const end = performance.now() + timeoutMillis
  while (!holds()) {
    if (performance.now() > end) throw new Error(`waited ${timeoutMillis} ms for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export interface Child {
  readonly process: ChildProcess
  readonly output: () => string
  /** Resolves to what it printed, once it has printed a text. */
  readonly says: (text: string, timeoutMillis?: number) => Promise<string>
  readonly exit: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
}

/** Runs a file of `children/` with arguments, as a program of a user runs. */
export const runChild = (
  file: string,
  args: ReadonlyArray<string> = [],
  options: { readonly nodeArguments?: ReadonlyArray<string>; readonly env?: NodeJS.ProcessEnv } = {}
): Child => {
  const child = spawn(
    process.execPath,
    [
      "--conditions=source",
      "--no-warnings",
      ...(options.nodeArguments ?? []),
      fileURLToPath(new URL(`children/${file}`, import.meta.url)),
      ...args
    ],
    { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...options.env } }
  )
  let output = ""
  child.stdout.on("data", (chunk) => (output += chunk))
  child.stderr.on("data", (chunk) => (output += chunk))
  const exit = new Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>((resolve) =>
    child.on("close", (code, signal) => resolve({ code, signal }))
  )
  closing.push(() => {
    child.kill("SIGKILL")
    return exit
  })
  return {
    process: child,
    output: () => output,
    exit,
    says: async (text, timeoutMillis) => {
      await until(() => output.includes(text), `"${text}" from ${file}, which said:\n${output}`, timeoutMillis)
      return output
    }
  }
}
