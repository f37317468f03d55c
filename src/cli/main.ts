#!/usr/bin/env node
/**
 * The `effect-telemetry` command: `doctor`, `config`, `send`, `spool`. What runs before anything else is loaded, so that a
 * package that is missing, or a Node.js that is too old to load the others, is a sentence and not a stack.
 *
 * @internal
 */
import { readFileSync } from "node:fs"
import * as NodeCheck from "./checks/node.ts"
import { line } from "./Finding.ts"

const missing = (error: unknown): string | undefined => {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown }
  return code === "ERR_MODULE_NOT_FOUND" ? /package '([^']+)'/.exec(String(message))?.[1] : undefined
}

/** The doctor without what it cannot load: this is its one finding, and it is the one that matters. */
const diagnose = (json: boolean): string => {
  const node = process.versions.node
  const finding = NodeCheck.node(node)
  if (!json) return line(finding, false)
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    readonly version: string
  }
  return JSON.stringify({ ok: false, version, node, settings: [], checks: [finding] }, undefined, 2)
}

const explain = (error: unknown): void => {
  process.exitCode = 1
  const [command, ...flags] = process.argv.slice(2)
  const needed = missing(error)
  if (needed !== undefined) {
    process.stderr.write(
      `effect-telemetry: this command needs the package "${needed}", which is not installed: npm install ${needed}\n`
    )
  } else if (NodeCheck.node(process.versions.node).status === "ok") {
    const { message } = error as { readonly message?: unknown }
    process.stderr.write(`effect-telemetry: the command cannot be loaded: ${String(message)}\n`)
  } else if (command === "doctor") {
    process.stdout.write(`${diagnose(flags.includes("--json"))}\n`)
  } else {
    process.stderr.write(
      `effect-telemetry: Node.js ${NodeCheck.oldest} or later is needed, and this is ${process.versions.node}\n`
    )
  }
}

// A reader that went away (`| head`) ends the output, not the work: the exit code stays the true one.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error
  })
}

try {
  const { main } = await import("./program.ts")
  main()
} catch (error) {
  explain(error)
}
