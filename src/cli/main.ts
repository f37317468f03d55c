#!/usr/bin/env node
/**
 * The `effect-telemetry` command: `doctor`, `config`, `send`, `spool`. What runs before anything else is loaded, so that a
 * package that is missing, or a Node.js that is too old to load the others, is a sentence and not a stack.
 *
 * @internal
 */
const reasonOf = (error: unknown): string => {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown }
  const missing = code === "ERR_MODULE_NOT_FOUND" ? /package '([^']+)'/.exec(String(message))?.[1] : undefined
  if (missing !== undefined) {
    return `effect-telemetry: this command needs the package "${missing}", which is not installed: npm install ${missing}`
  }
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
  if (major < 22 || (major === 22 && minor < 19)) {
    return `effect-telemetry: Node.js 22.19 or later is needed, and this is ${process.versions.node}`
  }
  return `effect-telemetry: the command cannot be loaded: ${String(message)}`
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
  process.stderr.write(`${reasonOf(error)}\n`)
  process.exitCode = 1
}
