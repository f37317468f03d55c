/**
 * A process that ends spans through `Telemetry.layer`, as its environment says, until it is told how to end itself.
 *
 * Arguments: how to work (`work` or `drain`), the file that it logs to, spans a second. On standard input: `go`, then `end` (closes
 * its scope), `exit` (`process.exit` between two spans) or `crash` (an uncaught error). Nothing is said to be killed.
 *
 * Its log has a line `T` for each tick, before which all ids of the tick are written, and only then do its spans end. So the
 * log holds every span that ended, and the spool, which writes at the end of a tick, may lack those of the last tick in it.
 * A line `S` is what `Telemetry.status` says of losses, `L` a line of the pipeline's own log.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import { openSync, writeSync } from "node:fs"
import { createInterface } from "node:readline"
import * as Telemetry from "effect-telemetry/Telemetry"

const [how = "work", file = "", rate = "0"] = process.argv.slice(2)
const log = openSync(file, "a")
const tickMillis = 10
/** A process that was held up catches up, but not with one flood. */
const mostOfATick = 200
/** One span of so many fails. */
const failsEach = 50
/** Of the spans of one request, the root among them. */
const spansOfARequest = 5

const logger = Logger.make(({ logLevel, message }) => {
  writeSync(log, `L ${logLevel} ${[message].flat().map(String).join(" ").replaceAll("\n", " ")}\n`)
})

const layer = Telemetry.layer({ flushOnSignals: false, shutdownTimeout: "5 seconds" }).pipe(
  Layer.provide(Logger.layer([logger]))
)
const scope = Effect.runSync(Scope.make())
const context = await Effect.runPromise(Layer.buildWithScope(layer, scope))
const telemetry = Context.get(context, Telemetry.Telemetry)
const run = Effect.runSyncWith(context)

let said = ""
const sayStatus = (): void => {
  const { dropped, exported, recovered, spooled } = run(telemetry.status)
  const text = JSON.stringify(dropped)
  if (text === said) return
  said = text
  writeSync(log, `S ${JSON.stringify({ dropped, exported, recovered, spooled })}\n`)
}

const close = async (): Promise<void> => {
  await Effect.runPromise(Scope.close(scope, Exit.void))
  sayStatus()
}

const now = (): bigint => BigInt(Date.now()) * 1_000_000n
const failure = Exit.fail(new Error("on purpose"))

let made = 0
let ticks = 0
const start = (name: string, parent: Tracer.Span | undefined): Tracer.Span =>
  run(Effect.makeSpan(name, parent === undefined ? { root: true, kind: "server" } : { parent }))

const tick = (since: number): void => {
  const due = Math.min(mostOfATick, Math.floor((Number(rate) * (performance.now() - since)) / 1000) - made)
  if (due < spansOfARequest) return
  const spans: Array<Tracer.Span> = []
  let root: Tracer.Span | undefined
  for (let i = 0; i < due; i++) {
    if (i % spansOfARequest === 0) root = undefined
    const span = start(root === undefined ? "POST /soak" : "soak.step", root)
    span.attribute("soak.number", made++)
    root ??= span
    spans.push(span)
  }
  writeSync(log, `${spans.map((span) => span.spanId).join("\n")}\nT ${ticks++}\n`)
  for (let i = spans.length - 1; i >= 0; i--) spans[i]!.end(now(), (made - i) % failsEach === 0 ? failure : Exit.void)
  sayStatus()
}

if (how === "drain") {
  let left = 1
  for (const end = Date.now() + 60_000; left > 0 && Date.now() < end;) {
    const { complete } = await Effect.runPromise(telemetry.flush("10 seconds"))
    left = complete ? run(telemetry.status).spooled : 1
  }
  await close()
  writeSync(log, `D ${left}\n`)
  process.exit(0)
}

let timer: NodeJS.Timeout | undefined
for await (const line of createInterface({ input: process.stdin })) {
  switch (line) {
    case "ready?":
      process.stdout.write("ready\n")
      break
    case "go": {
      const since = performance.now()
      timer = setInterval(tick, tickMillis, since)
      break
    }
    case "end":
      clearInterval(timer)
      await close()
      process.exit(0)
      break
    case "exit":
      process.exit(0)
      break
    case "crash":
      setImmediate(() => {
        throw new Error("a bug of the application")
      })
  }
}
