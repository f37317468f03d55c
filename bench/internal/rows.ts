/** The figures, by name: what is divided by what, and what it has to reach. */
import { type Case, cases } from "./cases.ts"

export interface Row {
  readonly name: string
  readonly unit: string
  /** Which figure of a case. */
  readonly figure: string
  readonly ours: Case
  readonly peer: Case | undefined
  readonly peerName: string | undefined
  /** What the goal is about: the ratio of ours to the peer, or ours alone. */
  readonly of: "ratio" | "ours"
  readonly better: "lower" | "higher"
  readonly goal: number | undefined
}

interface Options {
  readonly goal?: Row["goal"]
  readonly better?: Row["better"]
  readonly of?: Row["of"]
}

type Peer = readonly [peerName: string, peer: Case]

const row =
  (figure: string, unit: string) =>
  (name: string, ours: Case, peer: Peer | undefined, { better = "lower", goal, of = "ratio" }: Options = {}): Row => ({
    name,
    unit,
    figure,
    ours,
    peer: peer?.[1],
    peerName: peer?.[0],
    of: peer === undefined ? "ours" : of,
    better,
    goal
  })

const cpu = row("micros", "µs CPU a span")
const cpuRequest = row("cpu", "µs CPU a request")
const rate = row("rate", "requests/s")
const p99 = row("p99", "ms")
const lost = row("lost", "spans")
const memory = row("memory", "MB")
const speed = row("rate", "spans/s")
const drain = row("drain", "spans/s")
const time = row("milliseconds", "ms")
const minified = row("minified", "kB")
const gzip = row("gzip", "kB")

const rawOtel: Peer = ["raw OTel", cases.rawOtel]
const untraced: Peer = ["untraced", cases.httpUntraced]
const bareHandler: Peer = ["no span in the code", cases.httpBare]
const healthy: Peer = ["healthy collector", cases.httpSampled]

export const rows: ReadonlyArray<Row> = [
  cpu("cpu.sampled.raw-otel", cases.ours, rawOtel, { goal: 1 }),
  cpu("cpu.nointerop.raw-otel", cases.noInterop, rawOtel, { goal: 0.8 }),
  cpu("cpu.sampled.dd-trace", cases.ours, ["dd-trace", cases.ddTrace], { goal: 1 }),
  cpu("cpu.sampled.stock", cases.ours, ["stock NodeSdk", cases.stock], { goal: 0.3 }),
  cpu("cpu.withspan.raw-otel", cases.plain, rawOtel, { goal: 1.4 }),
  cpu("cpu.tenth.floor", cases.tenth, ["Effect, no exporter", cases.floor], { goal: 0.8 }),
  cpu("cpu.off.bare", cases.off, ["no span in the code", cases.bare], { goal: 1.05 }),
  cpu("cpu.sampled.native", cases.ours, ["Effect's native OTLP", cases.native]),
  cpu("cpu.sampled.raw-otel.json", cases.oursJson, ["raw OTel, JSON", cases.rawOtelJson]),
  cpu("cpu.withspan.nostack", cases.plainNoStack, rawOtel),
  cpu("spool.cpu", cases.spool, ["without a spool", cases.ours], { goal: 1.3 }),
  cpu("tail.cpu", cases.tail, ["10%, errors not kept", cases.tenth], { goal: 1.5 }),
  rate("http.sampled", cases.httpSampled, untraced, { better: "higher", goal: 0.7 }),
  rate("http.tenth", cases.httpTenth, untraced, { better: "higher", goal: 0.9 }),
  rate("http.off", cases.httpOff, untraced, { better: "higher", goal: 0.99 }),
  rate("http.stock", cases.httpStock, untraced, { better: "higher" }),
  p99("http.sampled.p99", cases.httpSampled, untraced),
  p99("http.tenth.p99", cases.httpTenth, untraced),
  p99("http.off.p99", cases.httpOff, untraced),
  cpuRequest("http.sampled.cpu", cases.httpSampled, untraced),
  cpuRequest("http.tenth.cpu", cases.httpTenth, untraced),
  cpuRequest("http.off.cpu", cases.httpOff, untraced),
  cpuRequest("http.off.cpu.bare", cases.httpOff, bareHandler),
  cpuRequest("http.untraced.cpu.bare", cases.httpUntraced, bareHandler),
  p99("http.collector.dead.p99", cases.httpDead, healthy, { goal: 1.05 }),
  p99("http.collector.hanging.p99", cases.httpHanging, healthy, { goal: 1.05 }),
  p99("http.collector.slow.p99", cases.httpSlow, healthy, { goal: 1.05 }),
  rate("http.collector.dead", cases.httpDead, healthy, { better: "higher" }),
  rate("http.collector.hanging", cases.httpHanging, healthy, { better: "higher" }),
  rate("http.collector.slow", cases.httpSlow, healthy, { better: "higher" }),
  lost("million.lost", cases.million, ["stock NodeSdk", cases.millionStock], { of: "ours", goal: 0 }),
  memory("million.rss", cases.million, ["stock NodeSdk", cases.millionStock], { of: "ours", goal: 100 }),
  lost("burst.lost", cases.burst, ["stock NodeSdk", cases.burstStock], { of: "ours", goal: 0 }),
  memory("outage.rss", cases.outage, undefined),
  speed("spool.write", cases.holdSpool, ["held in memory", cases.holdMemory], { better: "higher" }),
  drain("spool.drain", cases.holdSpool, undefined, { better: "higher" }),
  time("startup.ms", cases.startup, ["stock NodeSdk", cases.startupStock], { of: "ours", goal: 150 }),
  time("startup.root", cases.startupRoot, ["stock NodeSdk", cases.startupStock], { of: "ours" }),
  time("startup.effect", cases.startupEffect, undefined),
  minified("size.bundle", cases.size, ["stock NodeSdk", cases.sizeStock]),
  gzip("size.bundle.gzip", cases.size, ["stock NodeSdk", cases.sizeStock]),
  minified("size.effect", cases.sizeUntraced, undefined)
]
