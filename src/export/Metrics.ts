/**
 * What the pipeline counts, as Effect `Metric`s: under the names of OpenTelemetry's conventions for the metrics of SDKs where
 * there is one, under `effect_telemetry.` where there is none. `docs/metrics.md` lists them.
 *
 * Nothing is pushed. Each series is read where it lies when somebody takes a snapshot (`Metric.snapshot`, an exporter of
 * metrics), so that no span pays for them and no timer is set. Only the duration of an export is recorded, when it is over.
 *
 * **Details**
 *
 * - They are registered in the `MetricRegistry` of the context in which the pipeline is made, and carry its
 *   `CurrentMetricAttributes`.
 * - When the pipeline has ended its series stay, with the last values: what was lost at the end is part of the last export.
 *   The next pipeline of the same kind takes their place.
 * - Effect has no counter that goes up and down: where the conventions ask for one it is a gauge, whose value every exporter
 *   sends as it is.
 *
 * **Gotchas**
 *
 * `otel.sdk.span.started` counts the spans of this tracer. Those of `otel.span.sampling_result` `DROP` are spans that nobody can
 * keep; where traces are held for a decision at their end, what head sampling said no to is recorded: `RECORD_ONLY`.
 *
 * **Example** (What was exported so far)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Metric from "effect/Metric"
 * import { Telemetry } from "effect-telemetry"
 *
 * const program = Effect.gen(function* () {
 *   yield* Effect.void.pipe(Effect.withSpan("work"))
 *   const all = yield* Metric.snapshot
 *   const started = all.find(({ id }) => id === "otel.sdk.span.started")
 *   if (started?.type !== "Counter" || started.state.count !== 1) throw new Error("unexpected")
 * })
 * const TelemetryLive = Telemetry.layer({ enabled: true, endpoint: "http://localhost:4318", shutdownTimeout: "100 millis" })
 * Effect.runPromise(program.pipe(Effect.provide(TelemetryLive)))
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import type { Diagnostics, DropReason } from "./Diagnostics.ts"

/** What is where now. */
export interface Whereabouts {
  /** Spans that wait for a tail decision. */
  readonly held: number
  /** Spans that wait to be sent for the first time, in memory or in the spool. */
  readonly waiting: number
  /** Spans that were handed to the exporter, and have been neither taken nor given up. */
  readonly inFlight: number
  /** Of those in flight, how many have outlived their deadline. */
  readonly parked: number
  /** Bytes of memory that what waits and what is in flight takes. */
  readonly bytes: number
  /** Spans in the spool, of this process and those that it took over. */
  readonly spooled: number
  /** Bytes that this process' spool files take. */
  readonly spooledBytes: number
}

/** A pipeline, as its metrics see it. */
export interface Observed {
  readonly diagnostics: Diagnostics
  readonly whereabouts: () => Whereabouts
  /** `otel.component.type` of its exporter. */
  readonly exporterType: string
  /** Where it sends to, where that is known. */
  readonly server: { readonly address: string; readonly port: number } | undefined
  /** Spans that may wait in memory, and bytes. `Infinity`: no limit. */
  readonly maxSpans: number
  /** Bytes that may wait in memory. */
  readonly maxBytes: number
  /** Every `sampling.reason` that may be; `undefined` where nothing is held for a decision. */
  readonly keepReasons: ReadonlyArray<string> | undefined
  /** Bytes that the spool may take; `undefined` where there is none. */
  readonly spoolMaxBytes: number | undefined
}

/** A metric by name, with its unit and what it says. */
interface Family {
  readonly type: "counter" | "gauge" | "histogram"
  readonly unit: string
  readonly description: string
}

const counter = (unit: string, description: string): Family => ({ type: "counter", unit, description })
const gauge = (unit: string, description: string): Family => ({ type: "gauge", unit, description })

/** Every metric there is. */
export const families = {
  "otel.sdk.span.started": counter("{span}", "The number of spans that started"),
  "otel.sdk.span.live": gauge("{span}", "The number of recording spans that have started and not ended"),
  "otel.sdk.processor.span.queue.size": gauge("{span}", "The number of spans that wait to be sent for the first time"),
  "otel.sdk.processor.span.queue.capacity": gauge("{span}", "The number of spans that may wait in memory"),
  "otel.sdk.processor.span.processed": counter(
    "{span}",
    "The number of spans that were handed to the exporter, or lost before (error.type)"
  ),
  "otel.sdk.exporter.span.inflight": gauge(
    "{span}",
    "The number of spans that were handed to the exporter and have been neither taken nor given up"
  ),
  "otel.sdk.exporter.span.exported": counter("{span}", "The number of spans that were taken, or given up (error.type)"),
  "otel.sdk.exporter.operation.duration": {
    type: "histogram",
    unit: "s",
    description: "The time from the first try to send a batch to its end"
  },
  "effect_telemetry.tail.held": gauge("{span}", "The number of spans that wait for a tail decision"),
  "effect_telemetry.tail.kept": counter("{span}", "The number of spans kept although head sampling had said no"),
  "effect_telemetry.tail.not_kept": counter("{span}", "The number of spans that were held for a decision and not kept"),
  "effect_telemetry.tail.decided_early": counter(
    "{trace}",
    "The number of local traces decided before their root had ended, because memory for them was full"
  ),
  "effect_telemetry.tail.late": counter("{span}", "The number of spans that ended after their local trace was decided"),
  "effect_telemetry.queue.usage": gauge("By", "The memory that spans take which wait or are in flight"),
  "effect_telemetry.queue.limit": gauge("By", "The memory that spans may take which wait or are in flight"),
  "effect_telemetry.exporter.parked": gauge(
    "{span}",
    "The number of spans in flight that have outlived their deadline and are tried now and then"
  ),
  "effect_telemetry.exporter.unreachable": gauge("1", "1 while the last request was not answered, otherwise 0"),
  "effect_telemetry.spool.spans": gauge("{span}", "The number of spans in the spool"),
  "effect_telemetry.spool.usage": gauge("By", "The disk space that the spool's files of this process take"),
  "effect_telemetry.spool.limit": gauge("By", "The disk space that the spool may take"),
  "effect_telemetry.spool.recovered": counter("{span}", "The number of spans taken over from processes that are gone")
} as const satisfies Readonly<Record<string, Family>>

/** The name of a metric: `otel.sdk.span.started`, `effect_telemetry.spool.spans`. */
export type Name = keyof typeof families

/** The bounds of a duration, in seconds: those of HTTP requests in the conventions, and beyond, for outages. */
const boundaries = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 300, 3600]

type Attributes = Readonly<Record<string, string>>

/** One series: what is read, and how. */
interface Series {
  readonly name: Name
  readonly attributes: Attributes
  readonly read: () => number
}

/** What is recorded, and what is not. */
type Recorded = "RECORD_AND_SAMPLE" | "RECORD_ONLY"
type SamplingResult = Recorded | "DROP"

/** The pipelines that register in the same place. What the tracer makes is told for all of them together. */
class Neighbours {
  /** Component names that are in use. */
  readonly names = new Set<string>()
  readonly live = new Set<Observed>()
  private readonly startedBefore = { RECORD_AND_SAMPLE: 0, RECORD_ONLY: 0, DROP: 0 }
  private readonly endedBefore = { RECORD_AND_SAMPLE: 0, RECORD_ONLY: 0 }

  /** The lowest number that is free: few names, also where pipelines come and go. */
  nameOf(type: string): string {
    for (let i = 0; ; i++) {
      const name = `${type}/${i}`
      if (this.names.has(name)) continue
      this.names.add(name)
      return name
    }
  }

  started(result: SamplingResult): number {
    let count = this.startedBefore[result]
    for (const observed of this.live) count += startedOf(observed, result)
    return count
  }

  ended(result: Recorded): number {
    let count = this.endedBefore[result]
    for (const observed of this.live) count += endedOf(observed, result)
    return count
  }

  /** Nobody sees the end of what is open still: it counts as ended. */
  retire(observed: Observed): void {
    this.live.delete(observed)
    this.startedBefore.DROP += startedOf(observed, "DROP")
    for (const result of recorded) {
      this.startedBefore[result] += startedOf(observed, result)
      this.endedBefore[result] += startedOf(observed, result)
    }
  }
}

const recorded = ["RECORD_AND_SAMPLE", "RECORD_ONLY"] as const

const startedOf = ({ diagnostics }: Observed, result: SamplingResult): number =>
  result === "DROP"
    ? diagnostics.startedUnrecorded
    : result === "RECORD_ONLY"
      ? diagnostics.startedUnsampled
      : diagnostics.started - diagnostics.startedUnsampled

const endedOf = ({ diagnostics }: Observed, result: Recorded): number =>
  result === "RECORD_ONLY" ? diagnostics.ended - diagnostics.sampled : diagnostics.sampled

const neighbours = new WeakMap<Metric.MetricRegistry, Neighbours>()

const neighboursIn = (registry: Metric.MetricRegistry): Neighbours => {
  let found = neighbours.get(registry)
  if (found === undefined) {
    found = new Neighbours()
    neighbours.set(registry, found)
  }
  return found
}

/** Registers the metrics of a pipeline. With the scope they stop following it, and keep their last values. */
export const register = (observed: Observed): Effect.Effect<void, never, Scope.Scope> =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.asVoid(
      Effect.acquireRelease(
        Effect.sync(() => start(observed, context)),
        (stop) => Effect.sync(stop)
      )
    )
  )

const start = (observed: Observed, context: Context.Context<never>): (() => void) => {
  const { diagnostics } = observed
  const others = neighboursIn(Context.get(context, Metric.MetricRegistry))
  others.live.add(observed)
  const processor = others.nameOf("batching_span_processor")
  const exporter = others.nameOf(observed.exporterType)
  const atProcessor = { "otel.component.name": processor, "otel.component.type": "batching_span_processor" }
  const atExporter = {
    "otel.component.name": exporter,
    "otel.component.type": observed.exporterType,
    ...(observed.server === undefined
      ? {}
      : { "server.address": observed.server.address, "server.port": String(observed.server.port) })
  }
  const own = [
    ...processorSeries(observed, atProcessor),
    ...exporterSeries(observed, atExporter),
    ...tailSeries(observed, atProcessor),
    ...spoolSeries(observed, atProcessor)
  ]
  // Spans that end after the pipeline has are counted on.
  const late: Series = {
    name: "otel.sdk.processor.span.processed",
    attributes: withReason(atProcessor, "after_shutdown"),
    read: countIn(diagnostics.dropped, "after_shutdown")
  }
  for (const series of [...own, late, ...spanSeries(others)]) follow(series, context)
  diagnostics.concluded = (seconds, reason) =>
    Metric.histogram("otel.sdk.exporter.operation.duration", {
      description: families["otel.sdk.exporter.operation.duration"].description,
      attributes: { ...withReason(atExporter, reason), unit: "s" },
      boundaries
    }).updateUnsafe(seconds, context)
  return () => {
    diagnostics.concluded = undefined
    for (const series of own) follow({ ...series, read: always(series.read()) }, context)
    others.retire(observed)
    others.names.delete(processor)
    others.names.delete(exporter)
  }
}

/** Holds on to nothing but the value. */
const always = (value: number) => (): number => value

/** Holds on to nothing but the counts. */
const countIn = (counts: ReadonlyMap<DropReason, number>, reason: DropReason) => (): number => counts.get(reason) ?? 0

const follow = ({ attributes, name, read }: Series, context: Context.Context<never>): void => {
  const { description, type, unit } = families[name]
  const options = { description, attributes: { ...attributes, unit } }
  if (type === "counter") {
    const get = () => ({ count: read(), incremental: true })
    Metric.registerUnsafe(Metric.counter(name, { ...options, incremental: true }), context, { get, ...never })
  } else {
    const get = () => ({ value: read() })
    Metric.registerUnsafe(Metric.gauge(name, options), context, { get, ...never })
  }
}

/** Nobody else writes these series. */
const never = { update: () => {}, modify: () => {} }

const withReason = (attributes: Attributes, reason: DropReason | undefined): Attributes =>
  reason === undefined ? attributes : { ...attributes, "error.type": errorTypes[reason] ?? reason }

/** The conventions have a word for it. */
const errorTypes: Readonly<Partial<Record<DropReason, string>>> = { after_shutdown: "already_shutdown" }

const spanSeries = (others: Neighbours): ReadonlyArray<Series> => [
  ...([...recorded, "DROP"] as const).map((result) => ({
    name: "otel.sdk.span.started" as const,
    attributes: { "otel.span.sampling_result": result },
    read: () => others.started(result)
  })),
  // What is not recorded has no end to be seen.
  ...recorded.map((result) => ({
    name: "otel.sdk.span.live" as const,
    attributes: { "otel.span.sampling_result": result },
    read: () => others.started(result) - others.ended(result)
  }))
]

/** Why a span is lost before it is handed to the exporter, and after. */
const processorReasons = ["queue_full", "unencodable", "shutdown", "spool_full", "spool_corrupt"] as const
const exporterReasons = [
  "refused",
  "rejected",
  "too_large",
  "failed",
  "queue_full",
  "shutdown",
  "spool_full",
  "spool_lost"
] as const

const processorSeries = (observed: Observed, attributes: Attributes): ReadonlyArray<Series> => {
  const { diagnostics, maxBytes, maxSpans, whereabouts } = observed
  const processed = "otel.sdk.processor.span.processed"
  return [
    { name: "otel.sdk.processor.span.queue.size", attributes, read: () => whereabouts().waiting },
    ...limit("otel.sdk.processor.span.queue.capacity", attributes, maxSpans),
    { name: "effect_telemetry.queue.usage", attributes, read: () => whereabouts().bytes },
    ...limit("effect_telemetry.queue.limit", attributes, maxBytes),
    { name: processed, attributes, read: () => diagnostics.tried },
    ...processorReasons.map((reason): Series => {
      const read = () => (diagnostics.dropped.get(reason) ?? 0) - (diagnostics.droppedTried.get(reason) ?? 0)
      return { name: processed, attributes: withReason(attributes, reason), read }
    })
  ]
}

const limit = (name: Name, attributes: Attributes, value: number): ReadonlyArray<Series> =>
  Number.isFinite(value) ? [{ name, attributes, read: always(value) }] : []

const exporterSeries = (observed: Observed, attributes: Attributes): ReadonlyArray<Series> => {
  const { diagnostics, whereabouts } = observed
  const exported = "otel.sdk.exporter.span.exported"
  return [
    { name: "otel.sdk.exporter.span.inflight", attributes, read: () => whereabouts().inFlight },
    { name: exported, attributes, read: () => diagnostics.exported },
    ...exporterReasons.map((reason): Series => {
      const read = countIn(diagnostics.droppedTried, reason)
      return { name: exported, attributes: withReason(attributes, reason), read }
    }),
    { name: "effect_telemetry.exporter.parked", attributes, read: () => whereabouts().parked },
    {
      name: "effect_telemetry.exporter.unreachable",
      attributes,
      read: () => (diagnostics.reachable === false ? 1 : 0)
    }
  ]
}

const tailSeries = (observed: Observed, attributes: Attributes): ReadonlyArray<Series> => {
  const { diagnostics, keepReasons, whereabouts } = observed
  if (keepReasons === undefined) return []
  return [
    { name: "effect_telemetry.tail.held", attributes, read: () => whereabouts().held },
    { name: "effect_telemetry.tail.not_kept", attributes, read: () => diagnostics.notKept },
    { name: "effect_telemetry.tail.decided_early", attributes, read: () => diagnostics.decidedEarly },
    { name: "effect_telemetry.tail.late", attributes, read: () => diagnostics.late },
    ...keepReasons.map((reason): Series => {
      const read = () => diagnostics.keptByRule.get(reason) ?? 0
      return { name: "effect_telemetry.tail.kept", attributes: { ...attributes, "sampling.reason": reason }, read }
    })
  ]
}

const spoolSeries = (observed: Observed, attributes: Attributes): ReadonlyArray<Series> => {
  const { diagnostics, spoolMaxBytes, whereabouts } = observed
  if (spoolMaxBytes === undefined) return []
  return [
    { name: "effect_telemetry.spool.spans", attributes, read: () => whereabouts().spooled },
    { name: "effect_telemetry.spool.usage", attributes, read: () => whereabouts().spooledBytes },
    ...limit("effect_telemetry.spool.limit", attributes, spoolMaxBytes),
    { name: "effect_telemetry.spool.recovered", attributes, read: () => diagnostics.recovered }
  ]
}
