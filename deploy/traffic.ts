/**
 * Something to look at: what the demo does, over and over, at a steady rate. `docker compose --profile traffic up -d` runs it beside
 * the stack.
 *
 * Variables: BACKEND_URL (default http://localhost:3000), PER_SECOND (default 2), REQUESTS (default: for ever).
 */
import { setTimeout } from "node:timers/promises"
import { type Known, steps } from "../scratchpad/app/Command/Demo.ts"

const { BACKEND_URL = "http://localhost:3000", PER_SECOND = "2", REQUESTS = "Infinity" } = process.env

const ask = async (
  { audio, json, learn, method, path, user }: (typeof steps)[number],
  known: Known
): Promise<Known> => {
  const body = json === undefined ? audio?.() : JSON.stringify(json)
  const response = await fetch(`${BACKEND_URL}${typeof path === "string" ? path : path(known)}`, {
    method,
    headers: {
      ...(user === undefined ? undefined : { "x-user-id": user }),
      ...(body === undefined ? undefined : { "content-type": json === undefined ? "audio/wav" : "application/json" })
    },
    ...(body === undefined ? undefined : { body: body as string | Uint8Array<ArrayBuffer> }),
    signal: AbortSignal.timeout(30_000)
  })
  const text = await response.text()
  return response.ok && learn !== undefined ? learn(JSON.parse(text)) : known
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(0))

let known: Known = {}
let away = false
for (let count = 0; count < Number(REQUESTS); count++) {
  // A recording takes most of the time of its request to make: every tenth round is enough.
  const step = steps[count % steps.length]!
  if (step.audio === undefined || Math.floor(count / steps.length) % 10 === 0) {
    try {
      known = await ask(step, known)
      if (away) process.stdout.write("traffic: the backend is back\n")
      away = false
    } catch (error) {
      // It may be starting, or stopped on purpose: said once.
      if (!away) process.stderr.write(`traffic: ${BACKEND_URL} does not answer: ${String(error)}\n`)
      away = true
    }
  }
  await setTimeout(1000 / Number(PER_SECOND))
}
