/**
 * Many spans: what is lost of them, and what they take of memory.
 *
 *     volume.ts million PEER SPANS   as many spans as fast as they can be made, then a flush
 *     volume.ts burst PEER SPANS     spans that end in one turn of the event loop, then a flush
 *     volume.ts hold PEER SPANS      the same as the first, towards a collector that is not there
 *     volume.ts drain PEER SPANS     sends what an earlier process left in the spool
 */
import { setTimeout } from "node:timers/promises"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type * as Telemetry from "../../src/Telemetry.ts"
import { load } from "./library.ts"
import * as effect from "./peers/effect.ts"
import { clientAttributes, operations, serve, spansPerRequest, turn } from "./workload.ts"

export interface Volume {
  readonly spans: number
  /** Bytes of memory at most, beyond what the same process took at most while it served untraced. */
  readonly memory: number
  readonly seconds: number
}

const endpoint = `${process.env["BENCH_SINK"]!}/v1/traces`
const [kind, name, count] = process.argv.slice(2) as [string, string, string]

const library = await load<typeof Telemetry>("Telemetry")

const peers: Readonly<Record<string, () => Promise<effect.Tracing>>> = {
  ours: () => effect.telemetry({ tracesEndpoint: endpoint }),
  "ours-spool": () => effect.telemetry({ tracesEndpoint: endpoint, spoolDirectory: process.env["BENCH_SCRATCH"]! }),
  // With the queue that it has by default: 2,048 spans.
  stock: () => effect.stock(endpoint, "http/protobuf", 2_048)
}

const launch = performance.now()
const tracing = await peers[name]!()
const context = await Effect.runPromise(Layer.buildWithScope(tracing.layer as Layer.Layer<any>, Scope.makeUnsafe()))
const spelling = name === "stock" ? effect.plain : await effect.ours()
const run = Effect.runPromiseWith(context)
const status = (): Promise<Telemetry.Status> => run(library.status)

const until = async (condition: (status: Telemetry.Status) => boolean): Promise<void> => {
  while (!condition(await status())) await setTimeout(5)
}

let peak = 0
const memoryNow = (): void => {
  peak = Math.max(peak, process.memoryUsage.rss())
}

const programs: Readonly<Record<string, () => Promise<number>>> = {
  million: async () => {
    const requests = Math.ceil(Number(count) / spansPerRequest)
    const peer = { request: (request: number) => run(spelling.server(request)), flush: () => tracing.flush(context) }
    await serve(peer, requests)
    await peer.flush()
    return requests * spansPerRequest
  },
  burst: async () => {
    const spans = Number(count)
    const one = (i: number) => {
      const operation = operations[i % operations.length]!
      const attributes = clientAttributes(operation, i)
      const traceOptions = { captureStackTrace: false }
      return name === "stock"
        ? Effect.withSpan(Effect.void, operation, { kind: "client", attributes, ...traceOptions })
        : library.withSpan(operation, { kind: "client", attributes }, traceOptions)(Effect.void)
    }
    const runSync = Effect.runSyncWith(context)
    for (let i = 0; i < spans; i++) runSync(one(i))
    await turn()
    await tracing.flush(context)
    return spans
  },
  hold: async () => {
    const requests = Math.ceil(Number(count) / spansPerRequest)
    await serve({ request: (request) => run(spelling.server(request)), flush: () => Promise.resolve() }, requests)
    if (name === "ours-spool") await until(({ spooled }) => spooled >= requests * spansPerRequest)
    return requests * spansPerRequest
  },
  drain: async () => {
    await until(({ exported }) => exported >= Number(count))
    return Number(count)
  }
}

const sampling = setInterval(memoryNow, 10).unref()
if (kind === "million" || kind === "hold") {
  // What the same process takes when it serves untraced: a heap grows with the garbage that requests make.
  const untraced = Effect.runPromiseWith(await Effect.runPromise(Effect.scoped(Layer.build(effect.effectAlone.layer))))
  const request = (n: number) => untraced(effect.bare.server(n))
  await serve({ request, flush: () => Promise.resolve() }, 100_000)
}
const before = peak
// The spool of an earlier process is sent from the moment that the layer is there.
const start = kind === "drain" ? launch : performance.now()
const spans = await programs[kind]!()
const seconds = (performance.now() - start) / 1_000
memoryNow()
clearInterval(sampling)
const volume: Volume = { spans, memory: peak - before, seconds }
process.on("disconnect", () => process.exit())
process.send!(volume, () => process.exit())
