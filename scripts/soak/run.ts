/**
 * The soak itself: lanes of processes that end spans one after the other, a gate that has outages, a Collector that is stopped and
 * started, and at the end a process that sends what others left behind.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { collectorProgram } from "../services/collector.ts"
import { Guard } from "../services/Guard.ts"
import { answers, freePort } from "../services/ports.ts"
import { launch } from "../services/processes.ts"
import { type Account, account, type Life, readReceived } from "./account.ts"
import type { Arguments } from "./arguments.ts"
import { Gate, type Mode } from "./Gate.ts"
import { randomFrom } from "./random.ts"
import { type Ending, Worker } from "./Worker.ts"

/** Lanes whose processes share a spool, and may be killed. */
const spoolLanes = 3
/** `OTEL_BSP_MAX_QUEUE_SIZE` of the lane that has no spool: less than an outage brings, so that spans are lost and counted. */
const memoryQueue = 1_000
/** `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`: what may be in flight when a process ends. */
export const batchSize = 512

type Outage = Exclude<Mode, "open"> | "restart"
const outages: ReadonlyArray<Outage> = ["refuse", "swallow", "restart", "closed", "hang", "reset"]

export interface Report {
  readonly accounts: ReadonlyArray<Account>
  readonly seconds: number
  readonly endings: Readonly<Record<Ending, number>>
  readonly outages: Readonly<Partial<Record<Outage, number>>>
  /** Requests whose answer the sender never saw. */
  readonly uncertain: number
  readonly requests: number
  /** Spans at the Collector that no process had ended. */
  readonly strange: number
  /** Spans that may have arrived again: a batch for each process with a spool that ended, and each request without an answer. */
  readonly mostAgain: number
  /** What was still in the spool when all was over. */
  readonly left: string | undefined
}

const sleep = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

/** A Collector that can be stopped and started; each start writes a file of its own. */
const makeCollector = (folder: string, gate: Gate) =>
  Effect.gen(function* () {
    const program = process.env["TEST_COLLECTOR_BINARY"] || (yield* collectorProgram)
    const files: Array<string> = []
    let scope: Scope.Closeable | undefined
    const start = Effect.gen(function* () {
      const port = yield* freePort
      const file = join(folder, `received-${files.length}.jsonl`)
      files.push(file)
      scope = yield* Scope.make()
      yield* launch("OpenTelemetry Collector", program, ["--config", join(import.meta.dirname, "collector.yaml")], {
        cwd: folder,
        log: join(folder, "collector.log"),
        env: { OTLP_HTTP_PORT: String(port), COLLECTOR_FILE: file },
        ready: answers(`http://127.0.0.1:${port}/v1/traces`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: "{}"
        })
      }).pipe(Effect.provideService(Scope.Scope, scope))
      gate.target = port
    })
    const stop = Effect.suspend(() => (scope === undefined ? Effect.void : Scope.close(scope, Exit.void)))
    yield* Effect.addFinalizer(() => stop)
    return { start, stop, files }
  })

export const soak = (told: Arguments, say: (text: string) => void) =>
  Effect.gen(function* () {
    const guard = yield* Guard
    const folder = yield* guard.folder(join(process.env["TMPDIR"] ?? "/tmp", "effect-telemetry-soak-"), 0o700)
    const gate = new Gate()
    yield* Effect.acquireRelease(
      Effect.promise(() => gate.listen()),
      () => Effect.promise(() => gate.close())
    )
    const collector = yield* makeCollector(folder, gate)
    yield* collector.start
    const random = randomFrom(told.seed)
    const millis = told.minutes * 60_000
    /** A short soak has shorter lives and outages. */
    const scale = Math.min(1, millis / 60_000)
    const between = (least: number, most: number): number => scale * (least + random() * (most - least))
    let began = performance.now()
    const isOver = (): boolean => performance.now() - began >= millis
    const rest = (wanted: number): number => Math.max(0, Math.min(wanted, millis - (performance.now() - began)))

    const environment = (lane: string): Record<string, string> => ({
      OTEL_ENABLED: "true",
      OTEL_SERVICE_NAME: `soak-${lane}`,
      OTEL_EXPORTER_OTLP_ENDPOINT: gate.url,
      OTEL_EXPORTER_OTLP_TIMEOUT: "2000",
      OTEL_BSP_SCHEDULE_DELAY: "200",
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: String(batchSize)
    })
    let workers = 0
    const logs = join(folder, "logs")
    mkdirSync(logs)
    const hire = (how: "work" | "drain", variables: Record<string, string>): Worker =>
      new Worker({
        how,
        log: join(logs, `${workers++}.log`),
        rate: told.rate / (spoolLanes + 1),
        environment: variables,
        started: (pid) => guard.add({ pid, signal: "SIGTERM", group: true }),
        ended: (pid) => guard.remove(pid)
      })

    const endings: Record<Ending, number> = { killed: 0, end: 0, exit: 0, crash: 0, drain: 0 }
    const anyEnding = (): Exclude<Ending, "drain"> => {
      // However short the soak, one is killed.
      const at = endings.killed === 0 ? 0 : random()
      return at < 0.6 ? "killed" : at < 0.75 ? "end" : at < 0.9 ? "exit" : "crash"
    }
    /** One process after the other; the next one is there before the last one goes. */
    const runLane = async (
      first: Worker,
      variables: Record<string, string>,
      ending: () => Exclude<Ending, "drain">
    ): Promise<ReadonlyArray<Life>> => {
      const lives: Array<Promise<Life>> = []
      let worker = first
      for (;;) {
        worker.go()
        await sleep(rest(between(4_000, 12_000)))
        const last = isOver()
        const next = last ? undefined : hire("work", variables)
        await next?.ready()
        const how = ending()
        endings[how]++
        const ended = worker.end(how)
        // It is awaited at the end of the lane: what fails meanwhile is told there.
        ended.catch(() => {})
        lives.push(ended)
        if (next === undefined) return Promise.all(lives)
        // The next one works already while this one ends.
        worker = next
      }
    }

    const counts: Partial<Record<Outage, number>> = {}
    const runOutages = Effect.gen(function* () {
      for (let i = 0; ; i++) {
        yield* Effect.promise(() => sleep(rest(between(3_000, 7_000))))
        if (isOver()) return
        const outage = outages[i % outages.length]!
        counts[outage] = (counts[outage] ?? 0) + 1
        if (outage === "restart") {
          yield* collector.stop
          yield* collector.start
          continue
        }
        yield* Effect.promise(async () => {
          await gate.set(outage)
          await sleep(rest(between(1_500, 5_000)))
          await gate.set("open")
        })
      }
    })

    const shared = { ...environment("spool"), OTEL_SPOOL_DIRECTORY: join(folder, "spool") }
    const memory = { ...environment("memory"), OTEL_BSP_MAX_QUEUE_SIZE: String(memoryQueue) }
    say(`${told.rate} spans/s in ${spoolLanes + 1} processes for ${told.minutes} min, seed ${told.seed}`)
    const first = Array.from({ length: spoolLanes + 1 }, (_, i) => hire("work", i < spoolLanes ? shared : memory))
    const attempt = <A>(run: () => Promise<A>) =>
      Effect.tryPromise({ try: run, catch: (error) => (error instanceof Error ? error : new Error(String(error))) })
    yield* attempt(() => Promise.all(first.map((worker) => worker.ready())))
    began = performance.now()
    const [lanes] = yield* Effect.all(
      [
        attempt(() =>
          Promise.all(
            first.map((worker, i) =>
              i < spoolLanes ? runLane(worker, shared, anyEnding) : runLane(worker, memory, () => "end" as const)
            )
          )
        ),
        runOutages
      ],
      { concurrency: "unbounded" }
    )
    say("all have ended; one more process sends what they left behind")
    yield* Effect.promise(() => gate.set("open"))
    const drain = hire("drain", shared)
    const drained = yield* Effect.promise(() => drain.outcome(120_000))
    endings.drain++
    yield* collector.stop

    const received = yield* Effect.promise(() => readReceived(collector.files))
    const spooled = lanes.slice(0, spoolLanes).flat()
    const accounts = [
      account("spool", [...spooled, { log: drain.log, ending: "drain" }], received),
      account("memory", lanes[spoolLanes]!, received)
    ]
    return {
      accounts,
      seconds: millis / 1000,
      endings,
      outages: counts,
      uncertain: gate.uncertain,
      requests: gate.requests,
      strange: received.distinct() - accounts.reduce((sum, { received }) => sum + received, 0),
      mostAgain: batchSize * (spooled.length + 1 + gate.uncertain),
      left: drained === 0 ? undefined : `the last process ended with ${drained}`
    } satisfies Report
  })
