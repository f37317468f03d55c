import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { steps } from "../../../../scratchpad/app/Command/Demo.ts"
import { runDemo } from "../../../../scratchpad/app/Command/DemoRun.ts"
import type { Trace } from "../../../../scratchpad/app/Command/Traces.ts"

/** The demo against a server that answers every request with a status. */
const against = (status: number, faults: string | undefined) =>
  Effect.gen(function* () {
    const server = yield* Effect.acquireRelease(
      Effect.callback<ReturnType<typeof createServer>>((resume) => {
        const server = createServer((request, response) => {
          request.resume()
          response.writeHead(status).end("{}")
        })
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.sync(() => {
          server.close()
          server.closeAllConnections()
        })
    )
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const traces = yield* Queue.unbounded<Trace>()
    return (yield* runDemo({ base, traces, traced: false, faults })).problems
  }).pipe(Effect.scoped)

describe("the demo", () => {
  it.live("what comes from FAULTS is told apart from what does not", () =>
    Effect.gen(function* () {
      const unavailable = yield* against(503, "s3=down")
      assert.lengthOf(unavailable, steps.length)
      assert.isTrue(unavailable.every(({ onPurpose }) => onPurpose))
      assert.isTrue(
        (yield* against(503, undefined)).every(({ onPurpose }) => !onPurpose),
        "nobody asked for it"
      )
      assert.isTrue(
        (yield* against(500, "s3=down")).every(({ onPurpose }) => !onPurpose),
        "no fault explains a 500"
      )
    })
  )
})
