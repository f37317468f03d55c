/**
 * A process of its own that outlives the script for a moment: when the script goes away without a word (SIGKILL, a crash, a closed
 * terminal), its end of the pipe closes, and what it had started is ended here and its folders are removed.
 *
 * The lines on its standard input are JSON: `{"add": Guarded}`, `{"remove": pid}`, `{"folder": path}`.
 */
import { readFileSync, rmSync } from "node:fs"
import { createInterface } from "node:readline"

export interface Guarded {
  readonly pid: number
  /** What asks the process to end. */
  readonly signal: NodeJS.Signals
  /** Whether the process leads a group that ends with it. */
  readonly group: boolean
  /** When the process began, so that a later one that got the same id is left alone. */
  readonly began: string
}

export type Message = { readonly add: Guarded } | { readonly remove: number } | { readonly folder: string }

/** When a process began, in the system's own count; empty where the system does not tell or the process is gone. */
export const beganAt = (pid: number): string => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    // The name, in brackets, may hold blanks: the fields are counted from behind it.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? ""
  } catch {
    return ""
  }
}

/** Sends a signal; false when there is nobody to receive it. */
export const send = (pid: number, signal: NodeJS.Signals | 0): boolean => {
  try {
    process.kill(pid, signal)
    return true
  } catch {
    return false
  }
}

const graceMillis = 5_000

const watch = async () => {
  const guarded = new Map<number, Guarded>()
  const folders: Array<string> = []

  for await (const line of createInterface({ input: process.stdin })) {
    const message = JSON.parse(line) as Message
    if ("add" in message) guarded.set(message.add.pid, message.add)
    else if ("remove" in message) guarded.delete(message.remove)
    else folders.push(message.folder)
  }

  const alive = (entry: Guarded) => send(entry.pid, 0) && beganAt(entry.pid) === entry.began
  const left = () => [...guarded.values()].filter(alive)
  for (const entry of left()) send(entry.pid, entry.signal)
  for (const until = Date.now() + graceMillis; left().length > 0 && Date.now() < until;) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  for (const entry of left()) send(entry.group ? -entry.pid : entry.pid, "SIGKILL")
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

if (import.meta.main) {
  // The terminal's signals are for the script; this process ends when the script has.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {})
  await watch()
}
