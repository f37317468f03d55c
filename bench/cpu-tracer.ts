/**
 * CPU per span of the tracer alone, in one process, up to the encoded bytes of OTLP: a request of one server span and five client
 * spans with four attributes each, its effects made anew for every request.
 *
 *     node --conditions=source bench/cpu-tracer.ts              every peer in turns, each in a process of its own
 *     node --conditions=source bench/cpu-tracer.ts --peer ours  one peer, in this process
 *     node --conditions=source bench/cpu-tracer.ts --rounds 3 --peers ours,raw-otel
 *     BENCH_WORK=promise node …                                 each client's answer comes later
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const { values } = parseArgs({
  options: {
    peer: { type: "string" },
    peers: { type: "string" },
    rounds: { type: "string", default: "5" },
    requests: { type: "string", default: "20000" },
    warmup: { type: "string", default: "5" }
  }
})

const spansPerRequest = 6

/** Runs a number of requests. */
type Run = (requests: number) => Promise<void>

const peers: Record<string, () => Promise<Run>> = {
  ours: async () => (await import("./internal/cpu-effect.ts")).ours({ interoperation: true, combinator: "ours" }),
  "ours-nointerop": async () =>
    (await import("./internal/cpu-effect.ts")).ours({ interoperation: false, combinator: "ours" }),
  "ours-plain": async () =>
    (await import("./internal/cpu-effect.ts")).ours({ interoperation: true, combinator: "effect" }),
  "ours-plain-nointerop": async () =>
    (await import("./internal/cpu-effect.ts")).ours({ interoperation: false, combinator: "effect" }),
  "ours-tenth": async () =>
    (await import("./internal/cpu-effect.ts")).ours({ interoperation: true, combinator: "ours", ratio: 0.1 }),
  "ours-tenth-nointerop": async () =>
    (await import("./internal/cpu-effect.ts")).ours({ interoperation: false, combinator: "ours", ratio: 0.1 }),
  "ours-tail-tenth": async () =>
    (await import("./internal/cpu-effect.ts")).ours({
      interoperation: true,
      combinator: "ours",
      ratio: 0.1,
      tail: true
    }),
  "ours-off": async () => (await import("./internal/cpu-effect.ts")).disabled("ours"),
  bare: async () => (await import("./internal/cpu-effect.ts")).disabled("none"),
  "effect-native": async () => (await import("./internal/cpu-effect.ts")).native(),
  stock: async () => (await import("./internal/cpu-stock.ts")).stock(),
  "raw-otel": async () => (await import("./internal/cpu-otel.ts")).raw()
}

const measure = async (name: string): Promise<number> => {
  const run = await peers[name]!()
  const requests = Number(values.requests)
  for (let i = 0; i < Number(values.warmup); i++) await run(Math.ceil(requests / 4))
  globalThis.gc?.()
  const before = process.cpuUsage()
  await run(requests)
  const used = process.cpuUsage(before)
  return (used.user + used.system) / (requests * spansPerRequest)
}

const median = (numbers: ReadonlyArray<number>): number => {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

if (values.peer !== undefined) {
  console.log(JSON.stringify({ peer: values.peer, microseconds: await measure(values.peer) }))
  process.exit(0)
}

const names = values.peers?.split(",") ?? Object.keys(peers)
const results = new Map<string, Array<number>>(names.map((name) => [name, []]))
for (let round = 0; round < Number(values.rounds); round++) {
  for (const name of names) {
    const child = spawnSync(
      process.execPath,
      [
        "--expose-gc",
        "--conditions=source",
        fileURLToPath(import.meta.url),
        "--peer",
        name,
        "--requests",
        values.requests,
        "--warmup",
        values.warmup
      ],
      { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }
    )
    const line = child.stdout.trim().split("\n").at(-1) ?? ""
    if (child.status !== 0) throw new Error(`${name} ended with ${child.status}`)
    results.get(name)!.push((JSON.parse(line) as { microseconds: number }).microseconds)
  }
}
const reference = results.get("raw-otel")
for (const [name, numbers] of results) {
  const ratios = reference?.map((other, round) => numbers[round]! / other)
  const ratio =
    ratios === undefined
      ? ""
      : `  ÷ raw-otel ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`
  console.log(`${name.padEnd(22)} ${median(numbers).toFixed(2).padStart(6)} µs a span${ratio}`)
}
