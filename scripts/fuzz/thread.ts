/** A target's thread, watched. */
import { Worker } from "node:worker_threads"
import { choicesOf, type Result, shown } from "./run.ts"
import type { Target } from "./Target.ts"
import type { WorkerData } from "./worker.ts"

export interface ThreadOptions {
  readonly seed: number
  readonly millis: number
  readonly from?: number | undefined
  readonly cases?: number | undefined
  /** How long one case may take, in milliseconds. */
  readonly hangMillis: number
  /** The module that exports `targetNamed`; by default the one of all targets. */
  readonly module?: URL | undefined
}

/** Runs a target in a thread. A case that takes too long is a finding too, and so is one that ends the thread. */
export const runInThread = (target: Target, options: ThreadOptions): Promise<Result> =>
  new Promise((resolve) => {
    const progress = new Int32Array(new SharedArrayBuffer(8))
    const data: WorkerData = {
      target: target.name,
      module: (options.module ?? new URL("targets.ts", import.meta.url)).href,
      seed: options.seed,
      millis: options.millis,
      from: options.from,
      cases: options.cases,
      progress
    }
    const worker = new Worker(new URL("worker.ts", import.meta.url), { workerData: data })
    let signs = -1
    let since = performance.now()
    const watch = setInterval(() => {
      const now = Atomics.load(progress, 1)
      if (now !== signs) {
        signs = now
        since = performance.now()
      } else if (now > 0 && performance.now() - since > options.hangMillis) {
        end(broken(`it did not end within ${options.hangMillis} ms`))
      }
    }, 250)
    const broken = (error: string): Result => {
      const index = Atomics.load(progress, 0)
      const choices = choicesOf(target, options.seed, index)
      const input = shown(target, choices)
      return {
        cases: index - (options.from ?? 0) + 1,
        finding: { index, error, input, tape: choices.tape, choices: choices.tape.length, tries: 0 }
      }
    }
    const end = (result: Result): void => {
      clearInterval(watch)
      resolve(result)
      void worker.terminate()
    }
    worker.on("message", (result: Result) => end(result))
    worker.on("error", (error) => end(broken(`it ended the thread: ${error.stack ?? String(error)}`)))
    worker.on("exit", (code) => end(broken(`it ended the thread with exit code ${code}`)))
  })
