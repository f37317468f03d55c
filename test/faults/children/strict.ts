/** Ends spans towards an endpoint that does not work, flushes and shuts down; says so if it is still there. */
import * as Pipeline from "../../../src/export/Pipeline.ts"
import { makeEnded } from "../../export/support.ts"

const pipeline = Pipeline.make({
  endpoint: process.argv[2]!,
  resource: { attributes: {} },
  scope: { name: "child" },
  timeoutMillis: 300,
  retryMinMillis: 20,
  log: () => {
    throw new Error("a logger that fails")
  }
})
for (let i = 0; i < 10_000; i++) pipeline.receiver.ended(makeEnded({ name: `span ${i}` }))
const flushed = await pipeline.flush(500)
const ended = await pipeline.shutdown(500)
pipeline.receiver.ended(makeEnded({ name: "late" }))
const { dropped, ended: seen, exported } = pipeline.status()
process.stdout.write(`alive ${JSON.stringify({ flushed, ended, seen, exported, dropped })}\n`)
