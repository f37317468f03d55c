/**
 * What tracing costs, measured against named peers: each peer in a process of its own, in turns (A B C A B C …), ratios
 * paired by round. `README.md` in this folder says what each figure means.
 *
 *     npm run bench                                  a table
 *     npm run bench -- --json                        one JSON document on stdout, and nothing else there
 *     npm run bench -- --only cpu.sampled.raw-otel   some rows; a name also stands for all rows that begin with it
 *     npm run bench -- --rounds 9
 *     npm run bench -- --profile DIRECTORY           a CPU profile of every process that is measured
 *     npm run bench -- --quick                       whether the harness works; the figures mean nothing
 */
import { mkdtempSync, rmSync } from "node:fs"
import { availableParallelism, loadavg, tmpdir, totalmem } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { build } from "./internal/build.ts"
import type { Bench, Case, Figures, Session } from "./internal/cases.ts"
import { cases } from "./internal/cases.ts"
import { ddTraceEnvironment } from "./internal/peers/dd-trace.ts"
import { Sink } from "./internal/processes.ts"
import { resultOf, table } from "./internal/report.ts"
import { type Row, rows } from "./internal/rows.ts"

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    only: { type: "string" },
    rounds: { type: "string", default: "5" },
    profile: { type: "string" },
    quick: { type: "boolean", default: false }
  }
})

const rounds = values.quick ? 1 : Number(values.rounds)
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error(`--rounds is ${values.rounds}, but must be a whole number, 1 or more`)
  process.exit(2)
}

const chosen = ((): ReadonlyArray<Row> => {
  if (values.only === undefined) return rows
  const names = values.only.split(",")
  const matches = (row: Row, name: string): boolean => row.name === name || row.name.startsWith(`${name}.`)
  const unknown = names.filter((name) => !rows.some((row) => matches(row, name)))
  if (unknown.length > 0) {
    console.error(`no row is called ${unknown.join(", ")}; there are ${rows.map((row) => row.name).join(", ")}`)
    process.exit(2)
  }
  return rows.filter((row) => names.some((name) => matches(row, name)))
})()

/** What a figure depends on beside the code. A load above the number of cores is noise. */
const loadBefore = loadavg()[0]!
const machine = (): string =>
  [
    `${availableParallelism()} cores`,
    `${Math.round(totalmem() / 2 ** 30)} GiB of memory`,
    `Node.js ${process.version} on ${process.platform} ${process.arch}`,
    `${rounds} rounds`,
    `load ${loadBefore.toFixed(1)} before and ${loadavg()[0]!.toFixed(1)} after`
  ].join(", ")

/** Rounds of a group: those of a million spans are long, and a size does not depend on the moment. */
const roundsOf: Readonly<Record<Case["group"], number>> = {
  cpu: rounds,
  http: rounds,
  volume: Math.min(rounds, 3),
  startup: rounds,
  size: 1
}

const needed = new Set(chosen.flatMap((row) => [row.ours, row.peer]))
const selected = Object.values<Case>(cases).filter((one) => needed.has(one))

/** Variables that would configure the peers are left out. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(?:OTEL_|DD_|NODE_OPTIONS$)/.test(name))
)

const measured = new Map<string, Array<Array<Figures>>>()
const failed = new Set<string>()
let progress = (_: string): void => {}
if (process.stderr.isTTY) progress = (line) => process.stderr.write(`\r\u001b[K${line}`)
const warn = (message: string): void => {
  progress("")
  console.error(message)
}

const built = await build()
const scratch = mkdtempSync(join(tmpdir(), "effect-telemetry-bench-"))
process.on("exit", () => {
  built.remove()
  rmSync(scratch, { recursive: true, force: true })
})
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130))

const environmentOfAll = { ...environment, ...ddTraceEnvironment, BENCH_LIBRARY: built.url }
const sink = await Sink.start({ env: environmentOfAll, execArgv: [] })
const bench: Bench = {
  surroundings: {
    env: { ...environmentOfAll, BENCH_SINK: sink.origin },
    execArgv: values.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${resolve(values.profile)}`]
  },
  sink,
  library: built.directory,
  scratch,
  scale: values.quick ? 0.01 : 1,
  warn
}

const attempt = async <A>(one: Case, run: () => Promise<A>): Promise<A | undefined> => {
  try {
    return await run()
  } catch (error) {
    failed.add(one.name)
    measured.delete(one.name)
    warn(error instanceof Error ? error.message : String(error))
    return undefined
  }
}

for (const group of ["size", "startup", "cpu", "http", "volume"] as const) {
  const sessions = new Map<Case, Session>()
  for (const one of selected) {
    if (one.group !== group) continue
    progress(`${group}: ${one.name} starts`)
    const session = await attempt(one, () => one.start(bench))
    if (session !== undefined) sessions.set(one, session)
  }
  const turns = Math.max(...[...sessions.values()].map((session) => session.turns))
  for (let round = 0; round < roundsOf[group]; round++) {
    for (let turn = 0; turn < turns; turn++) {
      for (const [one, session] of sessions) {
        if (failed.has(one.name) || turn >= session.turns) continue
        progress(`${group}, round ${round + 1} of ${roundsOf[group]}: ${one.name}`)
        const figures = await attempt(one, session.measure)
        if (figures === undefined) continue
        const all = measured.get(one.name) ?? []
        measured.set(one.name, all)
        ;(all[round] ??= []).push(figures)
      }
    }
  }
  await Promise.all([...sessions.values()].map((session) => session.stop()))
}
progress("")
await sink.stop()

const results = chosen.map((row) => resultOf(row, measured))
if (!values.json) console.log(`${machine()}\n`)
console.log(values.json ? JSON.stringify({ rows: results }, undefined, 2) : table(chosen, results))
process.exitCode = failed.size === 0 ? 0 : 1
