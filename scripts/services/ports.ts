/**
 * Free ports on loopback, and whether somebody answers on one.
 */
import * as Effect from "effect/Effect"
import { createServer, connect } from "node:net"

/** Two servers that start side by side must not be sent to the same port. */
const handedOut = new Set<number>()

export const freePort: Effect.Effect<number> = Effect.suspend(() =>
  Effect.callback<number>((resume) => {
    const probe = createServer()
    probe.once("error", (error) => resume(Effect.die(error)))
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      probe.close(() => resume(handedOut.has(port) ? freePort : Effect.sync(() => (handedOut.add(port), port))))
    })
  })
)

/** Whether a request is answered with success. */
export const answers = (url: string, request: RequestInit = {}): Effect.Effect<boolean, unknown> =>
  Effect.tryPromise(async (signal) => {
    const response = await fetch(url, { ...request, signal: AbortSignal.any([signal, AbortSignal.timeout(5_000)]) })
    await response.arrayBuffer()
    return response.ok
  })

/** Whether a line sent to a port comes back as `expected`. */
export const replies = (port: number, line: string, expected: string): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    const socket = connect(port, "127.0.0.1")
    const finish = (ready: boolean) => {
      socket.destroy()
      resume(Effect.succeed(ready))
    }
    socket.setTimeout(1_000, () => finish(false))
    socket.once("error", () => finish(false))
    socket.once("connect", () => socket.write(`${line}\r\n`))
    socket.once("data", (data) => finish(data.toString("utf8").startsWith(expected)))
    socket.once("close", () => resume(Effect.succeed(false)))
    return Effect.sync(() => socket.destroy())
  })
