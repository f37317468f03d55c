/** Runs one target in a thread of its own, so that a case that does not end can be ended. */
import { parentPort, workerData } from "node:worker_threads"
import { run } from "./run.ts"
import type { Target } from "./Target.ts"

/** What the thread is given. */
export interface WorkerData {
  readonly target: string
  /** The module that knows it: it exports `targetNamed`. */
  readonly module: string
  readonly seed: number
  readonly millis: number
  readonly from: number | undefined
  readonly cases: number | undefined
  /** The number of the case at hand, and how many signs of life there were. */
  readonly progress: Int32Array
}

const { cases, from, millis, module, progress, seed, target } = workerData as WorkerData
const known = (await import(module)) as { readonly targetNamed: (name: string) => Target | undefined }

const result = await run(known.targetNamed(target)!, {
  seed,
  from,
  cases,
  until: performance.now() + millis,
  begins: (index) => {
    Atomics.store(progress, 0, index)
    Atomics.add(progress, 1, 1)
  }
})
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
parentPort!.postMessage(result)
