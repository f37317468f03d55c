/**
 * Nothing that the script starts outlives it. Every process and every temporary folder is told to the watchdog first.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { spawn } from "node:child_process"
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import type { Scope } from "effect/Scope"
import { beganAt, type Guarded, type Message } from "./watchdog.ts"

export class Guard extends Context.Service<
  Guard,
  {
    readonly add: (process: Omit<Guarded, "began">) => void
    readonly remove: (pid: number) => void
    /** A new folder, removed with the scope; `prefix` is the beginning of its path. */
    readonly folder: (prefix: string, mode: number) => Effect.Effect<string, never, Scope>
  }
>()("services/Guard") {
  static readonly layer = Layer.effect(
    Guard,
    Effect.gen(function* () {
      const watchdog = yield* Effect.acquireRelease(
        Effect.sync(() => {
          const child = spawn(process.execPath, [join(import.meta.dirname, "watchdog.ts")], {
            detached: true,
            stdio: ["pipe", "ignore", "ignore"]
          })
          // A watchdog that is gone cannot be told: the script still ends its servers itself.
          child.stdin.on("error", () => {})
          child.on("error", () => {})
          return child
        }),
        (child) =>
          Effect.callback<void>((resume) => {
            if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
              return resume(Effect.void)
            child.once("exit", () => resume(Effect.void))
            child.stdin.end()
          })
      )
      const tell = (message: Message) => void watchdog.stdin.write(`${JSON.stringify(message)}\n`)

      return {
        add: (entry) => tell({ add: { ...entry, began: beganAt(entry.pid) } }),
        remove: (pid) => tell({ remove: pid }),
        folder: (prefix, mode) =>
          Effect.acquireRelease(
            Effect.sync(() => {
              const folder = mkdtempSync(prefix)
              tell({ folder })
              chmodSync(folder, mode)
              return folder
            }),
            (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
          )
      }
    })
  )
}
