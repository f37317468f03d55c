/**
 * CPU of one peer. Warms up; then, each time it is asked, serves requests, sends their spans to the collector, and tells the
 * CPU time that this process used meanwhile, all its threads and all that it sent included.
 *
 *     cpu.ts PEER WARMUP REQUESTS PAUSE
 */
import * as effect from "./peers/effect.ts"
import { type Peer, serve } from "./workload.ts"

export interface Measured {
  /** Microseconds of CPU time a request. */
  readonly micros: number
}

const origin = process.env["BENCH_SINK"]!
const endpoint = `${origin}/v1/traces`

/** Our layer as users have it, at 100%. */
const ours = (options: Parameters<typeof effect.telemetry>[0] = {}) =>
  effect.telemetry({ tracesEndpoint: endpoint, ...options })

const peers: Readonly<Record<string, () => Promise<Peer>>> = {
  ours: async () => effect.start(await effect.ours(), await ours()),
  "ours-json": async () => effect.start(await effect.ours(), await ours({ protocol: "http/json" })),
  "ours-nointerop": async () => effect.start(await effect.ours(), await ours({ interoperation: false })),
  "ours-plain": async () => effect.start(effect.plain, await ours()),
  "ours-plain-nostack": async () => effect.start(effect.withoutStack, await ours()),
  "ours-tenth": async () => effect.start(await effect.ours(), await ours({ samplerRate: 0.1, keepErrors: false })),
  "ours-tail": async () => effect.start(await effect.ours(), await ours({ samplerRate: 0.1 })),
  "ours-spool": async () =>
    effect.start(await effect.ours(), await ours({ spoolDirectory: process.env["BENCH_SCRATCH"]! })),
  "ours-off": async () => effect.start(await effect.ours(), await ours({ enabled: false })),
  bare: async () => effect.start(effect.bare, effect.effectAlone),
  floor: async () => effect.start(effect.withoutStack, effect.effectAlone),
  stock: async () => effect.start(effect.plain, await effect.stock(endpoint, "http/protobuf")),
  "stock-nostack": async () => effect.start(effect.withoutStack, await effect.stock(endpoint, "http/protobuf")),
  native: async () => effect.start(effect.withoutStack, await effect.native(endpoint, "http/protobuf")),
  "raw-otel": async () => (await import("./peers/raw-otel.ts")).rawOtel(endpoint, "http/protobuf"),
  "raw-otel-json": async () => (await import("./peers/raw-otel.ts")).rawOtel(endpoint, "http/json"),
  "dd-trace": async () => (await import("./peers/dd-trace.ts")).ddTrace(origin)
}

const [name, ...numbers] = process.argv.slice(2) as [string, ...Array<string>]
const [warmup, requests, pause] = numbers.map(Number) as [number, number, number]
const peer = await peers[name]!()
await serve(peer, warmup, pause)
await peer.flush()

const measure = async (): Promise<Measured> => {
  // While others had their turn, caches went cold, and V8 let go of code. No garbage collection is forced: more of it would
  // have to be compiled again, and what is measured is the compiler.
  await serve(peer, Math.ceil(requests / 4), pause)
  await peer.flush()
  process.send!("begin")
  await new Promise((resolve) => process.once("message", resolve))
  const before = process.cpuUsage()
  await serve(peer, requests, pause)
  await peer.flush()
  const used = process.cpuUsage(before)
  return { micros: (used.user + used.system) / requests }
}

process.on("disconnect", () => process.exit())
process.send!("ready")
while (true) {
  await new Promise((resolve) => process.once("message", resolve))
  process.send!(await measure())
}
