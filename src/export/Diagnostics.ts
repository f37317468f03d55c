/**
 * What the pipeline says of itself: counters that account for every span, and lines that are few and clear.
 *
 * Every span that came in is, at any moment, in exactly one place: held for a tail decision or dropped by it, queued
 * in memory, in flight, in the spool, exported, or dropped for a reason that is named. `snapshot` tells them all.
 *
 * Lines go to a callback, as a level, a sentence and plain fields. The same kind of line comes at most once a minute,
 * with how often it was kept back. Without a callback nothing is said and counters count all the same. A callback that
 * throws is ignored.
 *
 * **Example** (Counting what is dropped)
 *
 * ```ts
 * import { Diagnostics } from "effect-telemetry/export/Diagnostics"
 * import * as Timing from "effect-telemetry/export/Timing"
 *
 * const lines: Array<string> = []
 * const diagnostics = new Diagnostics(Timing.make(), (_level, message) => lines.push(message))
 * diagnostics.drop("queue_full", 3)
 * if (diagnostics.dropped.get("queue_full") !== 3) throw new Error("unexpected")
 * ```
 */
import type { Timing } from "./Timing.ts"

/**
 * How grave a line is: `info` for what went well, `warn` for what may lose spans or has lost some, `error` for what is wrong
 * with the pipeline itself or with how it is set up.
 */
export type Level = "info" | "warn" | "error"

/** Plain values only: a logger of any kind can print them. */
export type Fields = Readonly<Record<string, string | number | boolean>>

/** Takes the pipeline's lines. */
export type Log = (level: Level, message: string, fields: Fields) => void

/**
 * Why a span was lost.
 *
 * - `queue_full`: memory's limit, the oldest gave way
 * - `refused`: the collector refused the batch for good; `rejected`: it took the batch without this span
 * - `too_large`: refused as too large, alone
 * - `failed`: a user's exporter failed, threw or never answered
 * - `unencodable`: it could not be encoded
 * - `shutdown`: still waiting when the time to shut down was over
 * - `after_shutdown`: it ended when the pipeline had been shut down
 * - `spool_full`: the spool's limit, the oldest gave way
 * - `spool_corrupt`: damaged in the spool; `spool_lost`: removed from it by another hand
 */
export type DropReason = (typeof dropReasons)[number]

/** Every reason to lose a span. */
export const dropReasons = [
  "queue_full",
  "refused",
  "rejected",
  "too_large",
  "failed",
  "unencodable",
  "shutdown",
  "after_shutdown",
  "spool_full",
  "spool_corrupt",
  "spool_lost"
] as const

/** Counters of spans since the pipeline was made, and what is where now. */
export interface Status {
  /** Recording spans that started. */
  readonly started: number
  /** Recording spans that ended. */
  readonly ended: number
  /** Of those that ended, how many head sampling had chosen. */
  readonly sampled: number
  /** Kept although head sampling had said no, by `sampling.reason`. */
  readonly keptByRule: Readonly<Record<string, number>>
  /** Recorded for a tail decision that then said no. */
  readonly notKept: number
  /** Local traces decided before their root had ended, because memory for undecided ones was full. */
  readonly decidedEarly: number
  /** Spans that ended after their local trace had been decided. */
  readonly late: number
  /** Now waiting for a tail decision. */
  readonly held: number
  /** Now waiting in memory to be sent (where there is a spool, they are in it too). */
  readonly queued: number
  /** Bytes of memory that `queued` takes. */
  readonly queuedBytes: number
  /** Now being sent. */
  readonly inFlight: number
  /** Of those queued, how many have outlived their deadline and are tried again only now and then. */
  readonly parked: number
  /** Now in the spool, of this process and those that it took over. */
  readonly spooled: number
  /** Bytes that this process' spool files take. */
  readonly spooledBytes: number
  /** Taken over from the spool of a process that is gone. */
  readonly recovered: number
  /** Taken by the collector. */
  readonly exported: number
  /** Lost, by reason; reasons that never happened are absent. */
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>
  /** The sum of `dropped`. */
  readonly droppedTotal: number
  /** The last thing that went wrong, and when: milliseconds since the Unix epoch. */
  readonly lastError: { readonly message: string; readonly at: number } | undefined
  /** Whether the last request was answered; `undefined` before the first. */
  readonly reachable: boolean | undefined
}

const everyMillis = 60_000

/**
 * The counters of one pipeline, and its way to say something. The stages write to it; `snapshot` is how its users read it.
 */
export class Diagnostics {
  started = 0
  /** Of those that started, how many head sampling had not chosen. */
  startedUnsampled = 0
  /** Spans that started and are not recorded, since nobody can keep them. */
  startedUnrecorded = 0
  ended = 0
  sampled = 0
  notKept = 0
  decidedEarly = 0
  late = 0
  recovered = 0
  /** Spans that were tried to be sent for the first time. */
  tried = 0
  exported = 0
  reachable: boolean | undefined
  lastError: { readonly message: string; readonly at: number } | undefined
  readonly keptByRule = new Map<string, number>()
  readonly dropped = new Map<DropReason, number>()
  /** Of those dropped, how many had been tried to be sent. */
  readonly droppedTried = new Map<DropReason, number>()
  /** Told when a batch has come to its end: after how long since it was first tried, and why where it failed. */
  concluded: ((seconds: number, reason: DropReason | undefined) => void) | undefined
  private readonly timing: Timing
  private readonly log: Log | undefined
  private readonly once = new Set<string>()
  private readonly said = new Map<string, { at: number; keptBack: number }>()

  constructor(timing: Timing, log?: Log | undefined) {
    this.timing = timing
    this.log = log
  }

  /** Counts what is lost; `tried` says how many of them had been tried to be sent. */
  drop(reason: DropReason, count: number, tried = 0): void {
    if (count > 0) this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + count)
    if (tried > 0) this.droppedTried.set(reason, (this.droppedTried.get(reason) ?? 0) + tried)
  }

  /** Counts spans that were kept although head sampling had said no. */
  kept(reason: string, count: number): void {
    this.keptByRule.set(reason, (this.keptByRule.get(reason) ?? 0) + count)
  }

  /** The sum of `dropped`. */
  get droppedTotal(): number {
    let total = 0
    for (const count of this.dropped.values()) total += count
    return total
  }

  /** Remembers what went wrong last. Says nothing. */
  failed(message: string): void {
    this.lastError = { message, at: this.timing.date() }
  }

  /** Says a line, whenever it comes. */
  say(level: Level, message: string, fields: Fields = {}): void {
    try {
      this.log?.(level, message, fields)
    } catch {
      // A logger that fails must not fail the pipeline, and there is nobody left to tell.
    }
  }

  /**
   * Says a line of a kind that was not said in the last minute, otherwise only counts it. Fields are made only where
   * the line is said.
   */
  sayRarely(kind: string, level: Level, message: string, fields: () => Fields = () => ({})): void {
    const now = this.timing.now()
    const said = this.said.get(kind)
    if (said !== undefined && now - said.at < everyMillis) {
      said.keptBack++
      return
    }
    this.said.set(kind, { at: now, keptBack: 0 })
    const keptBack = said?.keptBack ?? 0
    this.say(level, message, keptBack === 0 ? fields() : { ...fields(), similarLinesLeftOut: keptBack })
  }

  /** Says a line of a kind that was never said, as rarely as `sayRarely` where there are very many kinds. */
  sayOnce(kind: string, level: Level, message: string, fields: () => Fields = () => ({})): void {
    if (this.once.has(kind)) return
    if (this.once.size >= 100) return this.sayRarely("once", level, message, fields)
    this.once.add(kind)
    this.say(level, message, fields())
  }

  /** An error inside the pipeline itself, which must never reach the application. */
  internal(where: string, error: unknown): void {
    const message = `${where}: ${messageOf(error)}`
    this.failed(message)
    this.sayRarely(`internal:${where}`, "error", `OpenTelemetry export: unexpected error in ${message}`)
  }

  /** The counters; what is where now is added by the stages that know. */
  snapshot(
    now: Pick<Status, "held" | "queued" | "queuedBytes" | "inFlight" | "parked" | "spooled" | "spooledBytes">
  ): Status {
    return {
      started: this.started,
      ended: this.ended,
      sampled: this.sampled,
      keptByRule: Object.fromEntries(this.keptByRule),
      notKept: this.notKept,
      decidedEarly: this.decidedEarly,
      late: this.late,
      recovered: this.recovered,
      exported: this.exported,
      dropped: Object.fromEntries(this.dropped),
      droppedTotal: this.droppedTotal,
      lastError: this.lastError,
      reachable: this.reachable,
      ...now
    }
  }
}

/** The message of whatever was thrown, on one line, at most 300 characters; with the code of a system error. */
export const messageOf = (error: unknown): string => {
  try {
    if (error instanceof AggregateError && error.errors.length > 0) {
      // Node.js tries every address of a name; the first failure is as good as any.
      return messageOf(error.errors[0])
    }
    return oneLine(error instanceof Error ? error.message || error.name : String(error))
  } catch {
    return "unknown error"
  }
}

/** Text of others on one line, without control characters, at most 300 characters. */
export const oneLine = (text: string): string => {
  // oxlint-disable-next-line no-control-regex -- what comes from outside must not steer a terminal
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ").trim()
  return line.length > 300 ? `${line.slice(0, 297)}...` : line
}
