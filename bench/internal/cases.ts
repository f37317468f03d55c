/** What is measured, case by case. Cases of a group take turns, round by round. */
import { rmSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import type { Measured } from "./cpu.ts"
import type { Usage } from "./http-server.ts"
import type { Loaded } from "./load.ts"
import { Running, run, Sink, type Surroundings } from "./processes.ts"
import { size, type Size } from "./size.ts"
import type { Started } from "./startup.ts"
import type { Volume } from "./volume.ts"
import { route, spansPerRequest } from "./workload.ts"

/** What a case needs of the run that it is part of. */
export interface Bench {
  readonly surroundings: Surroundings
  readonly sink: Sink
  /** The directory of the library that was built. */
  readonly library: string
  /** A directory for the spools. */
  readonly scratch: string
  /** 1, or a small part of it where only the harness itself is tried. */
  readonly scale: number
  readonly warn: (message: string) => void
}

export type Figures = Readonly<Record<string, number>>

export interface Case {
  readonly name: string
  readonly group: "cpu" | "http" | "volume" | "startup" | "size"
  /** Starts the peer in a process of its own, to be measured once a round. */
  readonly start: (bench: Bench) => Promise<Session>
}

export interface Session {
  /** How often it is measured in a round, in turns with the others. */
  readonly turns: number
  readonly measure: () => Promise<Figures>
  readonly stop: () => Promise<void>
}

/** What cannot be measured twice in one process: a new one for every round. */
const once =
  (measure: (bench: Bench) => Promise<Figures>): Case["start"] =>
  (bench) =>
    Promise.resolve({ turns: 1, measure: () => measure(bench), stop: () => Promise.resolve() })

type Process = Omit<Session, "turns">

/** Several processes of a peer, of which each turn measures the next. */
const several =
  (count: number, turns: number, startOne: (bench: Bench, index: number) => Promise<Process>): Case["start"] =>
  async (bench) => {
    const processes: Array<Process> = []
    const stop = async () => void (await Promise.all(processes.map((process) => process.stop())))
    try {
      for (let i = 0; i < count; i++) processes.push(await startOne(bench, i))
    } catch (error) {
      await stop()
      throw error
    }
    let measured = 0
    return { turns, stop, measure: () => processes[measured++ % count]!.measure() }
  }

// ---------------------------------------------------------------------------------------------------------------------
// CPU
// ---------------------------------------------------------------------------------------------------------------------

interface Shape {
  /** Requests of a round. */
  readonly requests: number
  /** Requests that go before the first round: a server runs for longer than its code takes to be compiled. */
  readonly warmup: number
  /** The share of the spans that has to arrive. */
  readonly share: number
  /** See `serve`. */
  readonly pause: number
  /** Of the peer, each measured in every round. */
  readonly processes: number
}

/** Which functions V8 inlines differs from process to process, by a tenth of a span's cost: several are measured. */
const everything: Shape = { requests: 20_000, warmup: 15_000, share: 1, pause: 2, processes: 3 }
/** For those that are far from what they are compared with. */
const farApart: Shape = { ...everything, processes: 1 }
const tenth: Shape = { requests: 30_000, warmup: 30_000, share: 0.1, pause: 0, processes: 3 }
const floor: Shape = { requests: 60_000, warmup: 60_000, share: 0, pause: 0, processes: 3 }
/** A span costs next to nothing: long enough that cold caches are not what is measured. */
const off: Shape = { requests: 300_000, warmup: 100_000, share: 0, pause: 0, processes: 3 }

const cpu = (peer: string, shape: Shape): Case => ({
  name: `cpu ${peer}`,
  group: "cpu",
  start: several(shape.processes, shape.processes, (bench, index) => cpuProcess(bench, peer, shape, index))
})

const cpuProcess = async (bench: Bench, peer: string, shape: Shape, index: number): Promise<Process> => {
  const requests = scaled(bench, shape.requests)
  const process = new Running("cpu", [peer, ...[scaled(bench, shape.warmup), requests, shape.pause].map(String)], {
    ...surroundings(bench),
    env: { ...bench.surroundings.env, BENCH_SCRATCH: join(bench.scratch, `${peer}-${index}`) }
  })
  await ready(process)
  return {
    stop: () => process.stop(),
    measure: async () => {
      await process.ask("warm up")
      await bench.sink.reset()
      const { micros } = await process.ask<Measured>("measure")
      // A span that is not sent is cheap: who loses spans has not done the same work.
      const spans = await bench.sink.spans()
      const expected = requests * spansPerRequest
      if (shape.share === 1 ? spans !== expected : spans > expected * (shape.share + 0.1)) {
        bench.warn(`${peer}: ${spans} of ${expected} spans arrived`)
      }
      return { micros: micros / spansPerRequest }
    }
  }
}

/** The first message of a program that stays. */
const ready = async <Message>(process: Running): Promise<Message> => {
  try {
    return await process.next<Message>()
  } catch (error) {
    await process.stop()
    throw error
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// HTTP
// ---------------------------------------------------------------------------------------------------------------------

const connections = 16
/** Short ones, often: what disturbs the slowest hundredth lasts for seconds. */
const httpTurns = 4
const httpProcesses = 2

type Collector = "healthy" | "dead" | "hanging" | "slow"

/** What is done to a collector must not be felt by the peers that have a healthy one: it is one of its own. */
const collectorOf = async (bench: Bench, collector: Collector): Promise<Pick<Sink, "origin" | "stop">> => {
  if (collector === "healthy") return { origin: bench.sink.origin, stop: () => Promise.resolve() }
  if (collector === "dead") return { origin: await deadOrigin(), stop: () => Promise.resolve() }
  const sink = await Sink.start({ ...bench.surroundings, execArgv: [] })
  await sink.reset(collector)
  return sink
}

const http = (peer: string, collector: Collector = "healthy"): Case => ({
  name: `http ${peer} ${collector}`,
  group: "http",
  start: several(httpProcesses, httpTurns, async (bench) => {
    const sink = await collectorOf(bench, collector)
    const env = { ...bench.surroundings.env, BENCH_SINK: sink.origin }
    const server = new Running("http-server", [peer], { ...surroundings(bench), env })
    const { port } = await ready<{ readonly port: number }>(server)
    const round = async (warmup: number): Promise<Figures> => {
      const load = new Running("load", [port, route, connections, warmup, scaled(bench, 1_000)].map(String), {
        env,
        execArgv: []
      })
      try {
        await load.next()
        const before = await server.ask<Usage>("usage")
        const loaded = await load.next<Loaded>()
        const after = await server.ask<Usage>("usage")
        return {
          rate: loaded.requestsPerSecond,
          p99: loaded.p99,
          cpu: (after.cpu - before.cpu) / loaded.requests
        }
      } finally {
        await load.stop()
      }
    }
    await round(scaled(bench, 1_500))
    return {
      measure: () => round(scaled(bench, 300)),
      stop: async () => {
        await server.stop()
        await sink.stop()
      }
    }
  })
})

/** Where nobody listens. */
const deadOrigin = (): Promise<string> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { readonly port: number }
      server.close(() => resolve(`http://127.0.0.1:${port}`))
    })
  })

// ---------------------------------------------------------------------------------------------------------------------
// Many spans
// ---------------------------------------------------------------------------------------------------------------------

const megabyte = 1_000_000

const volume = (kind: "million" | "burst", peer: string, spans: number): Case => ({
  name: `${kind} ${peer}`,
  group: "volume",
  start: once(async (bench) => {
    await bench.sink.reset()
    const made = await run<Volume>("volume", [kind, peer, String(scaled(bench, spans))], surroundings(bench))
    const lost = made.spans - (await bench.sink.spans())
    return { lost, memory: made.memory / megabyte }
  })
})

/** Ten minutes of 2,000 spans a second. */
const outageSpans = 1_200_000

const outage: Case = {
  name: "outage",
  group: "volume",
  start: once(async (bench) => {
    const env = { ...bench.surroundings.env, BENCH_SINK: await deadOrigin() }
    const args = ["hold", "ours", String(scaled(bench, outageSpans))]
    const made = await run<Volume>("volume", args, { ...surroundings(bench), env })
    return { memory: made.memory / megabyte }
  })
}

const spooledSpans = 200_000

const hold = (peer: "ours" | "ours-spool"): Case => ({
  name: `hold ${peer}`,
  group: "volume",
  start: once(async (bench) => {
    const directory = join(bench.scratch, `hold-${peer}`)
    rmSync(directory, { recursive: true, force: true })
    const env = { ...bench.surroundings.env, BENCH_SCRATCH: directory }
    const dead = { ...env, BENCH_SINK: await deadOrigin() }
    const spans = String(scaled(bench, spooledSpans))
    const written = await run<Volume>("volume", ["hold", peer, spans], { ...surroundings(bench), env: dead })
    const rate = written.spans / written.seconds
    if (peer === "ours") return { rate }
    await bench.sink.reset()
    const drained = await run<Volume>("volume", ["drain", peer, String(written.spans)], { ...surroundings(bench), env })
    rmSync(directory, { recursive: true, force: true })
    const arrived = await bench.sink.spans()
    if (arrived !== written.spans) bench.warn(`spool: ${arrived} of ${written.spans} spans arrived`)
    return { rate, drain: drained.spans / drained.seconds }
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// Start and size
// ---------------------------------------------------------------------------------------------------------------------

const startup = (peer: string): Case => ({
  name: `startup ${peer}`,
  group: "startup",
  start: once(async (bench) => {
    const { milliseconds } = await run<Started>("startup", [peer], {
      execArgv: bench.surroundings.execArgv,
      env: { ...bench.surroundings.env, OTEL_ENABLED: "true", OTEL_EXPORTER_OTLP_ENDPOINT: bench.sink.origin }
    })
    return { milliseconds }
  })
})

const bundle = (program: "ours" | "stock" | "untraced"): Case => ({
  name: `size ${program}`,
  group: "size",
  start: once(async (bench) => {
    const { gzip, minified }: Size = await size(program, bench.library)
    return { minified: minified / 1_000, gzip: gzip / 1_000 }
  })
})

const scaled = (bench: Bench, number: number): number => Math.max(8, Math.round(number * bench.scale))

const surroundings = (bench: Bench): Surroundings => ({
  ...bench.surroundings,
  execArgv: ["--expose-gc", ...bench.surroundings.execArgv]
})

/** In the order in which they take turns. A peer stands next to what it is compared with. */
export const cases = {
  ours: cpu("ours", everything),
  rawOtel: cpu("raw-otel", everything),
  noInterop: cpu("ours-nointerop", farApart),
  ddTrace: cpu("dd-trace", everything),
  plain: cpu("ours-plain", everything),
  plainNoStack: cpu("ours-plain-nostack", farApart),
  stock: cpu("stock", farApart),
  native: cpu("native", farApart),
  oursJson: cpu("ours-json", farApart),
  rawOtelJson: cpu("raw-otel-json", farApart),
  spool: cpu("ours-spool", everything),
  tenth: cpu("ours-tenth", tenth),
  floor: cpu("floor", floor),
  tail: cpu("ours-tail", tenth),
  off: cpu("ours-off", off),
  bare: cpu("bare", off),
  httpBare: http("bare"),
  httpUntraced: http("untraced"),
  httpOff: http("ours-off"),
  httpTenth: http("ours-tenth"),
  httpSampled: http("ours"),
  httpDead: http("ours", "dead"),
  httpSlow: http("ours", "slow"),
  httpHanging: http("ours-hasty", "hanging"),
  httpStock: http("stock"),
  million: volume("million", "ours", 1_000_000),
  millionStock: volume("million", "stock", 1_000_000),
  burst: volume("burst", "ours", 10_000),
  burstStock: volume("burst", "stock", 10_000),
  outage,
  holdMemory: hold("ours"),
  holdSpool: hold("ours-spool"),
  startup: startup("ours"),
  startupRoot: startup("ours-root"),
  startupEffect: startup("effect"),
  startupStock: startup("stock"),
  size: bundle("ours"),
  sizeStock: bundle("stock"),
  sizeUntraced: bundle("untraced")
} as const satisfies Record<string, Case>
