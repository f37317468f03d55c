/**
 * Ends spans into a spool, and then ends as it is told: `exit`, `crash`, `hang` (to be killed), `shutdown`, `drain`.
 *
 * Arguments: endpoint, spool directory, prefix of names, how to end, how many spans (for `hang`: a second, endlessly).
 */
import * as Pipeline from "../../../src/export/Pipeline.ts"
import { makeEnded } from "../../export/support.ts"

const [endpoint, directory, prefix, ending, count = "0"] = process.argv.slice(2) as [string, string, string, string]
const pipeline = Pipeline.make({
  endpoint,
  resource: { attributes: { "service.name": prefix } },
  scope: { name: "child" },
  spool: { directory },
  maxExportBatchSize: 512,
  scheduleDelayMillis: 50,
  retryMinMillis: 20,
  retryMaxMillis: 100
})
const end = (name: string) => pipeline.receiver.ended(makeEnded({ name }))

let n = 0
if (ending === "hang") {
  // What is said has ended in an earlier tick, and so is on disk, or in the write that is under way.
  setInterval(() => {
    process.stdout.write(`${n}\n`)
    for (let i = 0; i < 20; i++) end(`${prefix}-${n++}`)
  }, 1)
} else {
  for (; n < Number(count); n++) end(`${prefix}-${n}`)
  switch (ending) {
    case "exit":
      process.exit(3)
      break
    case "crash":
      setTimeout(() => {
        end(`${prefix}-last`)
        throw new Error("a bug of the application")
      }, 10)
      break
    case "shutdown":
      process.stdout.write(`done ${JSON.stringify(await pipeline.shutdown(2_000))}\n`)
      break
    case "drain":
      process.stdout.write(`done ${JSON.stringify(await pipeline.flush(20_000))}\n`)
      await pipeline.shutdown(1_000)
      break
    case "stay":
      setInterval(() => {}, 1_000)
      process.stdout.write("ready\n")
  }
}
