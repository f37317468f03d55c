/** Programs of `scratchpad/` as child processes: as `npm start` runs them, on the Node.js of the repository. */
import { spawn, type ChildProcess } from "node:child_process"
import { fileURLToPath } from "node:url"
import { afterEach } from "vitest"

const root = fileURLToPath(new URL("../..", import.meta.url))
const node = `${root}node_modules/.bin/node`

/** How a program ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A program that runs. */
export interface Command {
  readonly process: ChildProcess
  readonly stdout: () => string
  readonly stderr: () => string
  readonly ended: Promise<Ended>
  /** Waits until its standard output has a text. */
  readonly says: (text: string | RegExp) => Promise<void>
}

const running = new Set<ChildProcess>()

/** Ends what a test has left running. To be called once at the top of a file. */
export const endAfterEach = (): void => {
  afterEach(() => {
    for (const child of running) child.kill("SIGKILL")
  })
}

/** Starts a program with nothing of the surrounding environment that could change what it does. */
export const start = (
  program: string,
  args: ReadonlyArray<string> = [],
  environment: Readonly<Record<string, string>> = {}
): Command => {
  const child = spawn(node, ["--conditions=source", program, ...args], {
    cwd: root,
    env: {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      TMPDIR: process.env["TMPDIR"],
      LANG: "C.UTF-8",
      PORT: "0",
      ...environment
    },
    stdio: ["ignore", "pipe", "pipe"]
  })
  running.add(child)
  let stdout = ""
  let stderr = ""
  const listeners = new Set<() => void>()
  const tell = () => {
    for (const listener of listeners) listener()
  }
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text
    tell()
  })
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text
  })
  let over = false
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code, signal) => {
      over = true
      running.delete(child)
      tell()
      resolve({ code, signal })
    })
  })
  return {
    process: child,
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    says: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = typeof text === "string" ? stdout.includes(text) : text.test(stdout)
          if (!found && !over) return
          listeners.delete(look)
          if (found) resolve()
          else reject(new Error(`it ended without saying ${String(text)}; it said:\n${stdout}\n${stderr}`))
        }
        listeners.add(look)
        look()
      })
  }
}
