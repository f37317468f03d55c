/**
 * How the place that batches go to fares: whether it may be asked now, and what is said of it. A dead collector costs
 * one line, then one a minute with counts, and one when it is back.
 *
 * @internal
 */
import type { Outcome } from "./Batch.ts"
import type { Diagnostics, Fields } from "./Diagnostics.ts"
import type { Timing } from "./Timing.ts"

export interface EndpointOptions {
  /** Its name, for people. */
  readonly target: string
  /** Where spans wait meanwhile. */
  readonly waitsIn: string
  readonly diagnostics: Diagnostics
  readonly timing: Timing
  /** The first wait, and the longest one, after a failure that may pass. */
  readonly retryMinMillis: number
  readonly retryMaxMillis: number
  /** How many spans wait. */
  readonly waiting: () => number
}

/** While somebody waits for a flush, a collector that may be back is asked at least this often. */
const hurriedMillis = 1_000
const reportMillis = 60_000
/** Outages that are told in that time: one that comes and goes all the time is not told each time. */
const reportedOutages = 3

export class Endpoint {
  /** Failures in a row. */
  failures = 0
  /** When it last spoke and meant a batch, also to refuse it. Before that, -1. */
  lastAnswerAt = -1
  private readonly options: EndpointOptions
  private waitUntil = 0
  private waitIsOrdered = false
  private awaySince: number | undefined
  private awayReportedAt = 0
  /** When outages were told, of the last minute. */
  private reports: ReadonlyArray<number> = []
  /** Whether the outage that is now has been told. */
  private isReported = false
  private lostBefore = 0

  constructor(options: EndpointOptions) {
    this.options = options
  }

  /** Whether one request at a time has to find out if it takes any. */
  get isInDoubt(): boolean {
    return this.failures > 0 || this.lastAnswerAt < 0
  }

  /** For how long it must not be asked. */
  waitMillis(now: number): number {
    return Math.max(0, this.waitUntil - now)
  }

  /** Whether it said itself how long to wait, and that is not over. */
  isOrderedToWait(now: number): boolean {
    return this.waitIsOrdered && this.waitUntil > now
  }

  /** Cuts a wait short, unless the server asked for it. */
  hurry(now: number): void {
    if (!this.waitIsOrdered) this.waitUntil = Math.min(this.waitUntil, now)
  }

  answered(): void {
    const { diagnostics, target, timing } = this.options
    const now = timing.now()
    this.lastAnswerAt = now
    this.failures = 0
    this.waitUntil = 0
    this.waitIsOrdered = false
    diagnostics.reachable = true
    if (this.awaySince === undefined) return
    if (this.isReported) {
      diagnostics.say("info", `OpenTelemetry export: ${target} takes spans again`, this.fields(now))
    }
    this.isReported = false
    this.awaySince = undefined
  }

  /** It takes nothing now. */
  failed(outcome: Extract<Outcome, { readonly _tag: "Retry" }>, isHurried: boolean): void {
    const { diagnostics, target, timing, waitsIn } = this.options
    const now = timing.now()
    this.failures++
    const { afterMillis } = outcome
    const backoff = this.backoffMillis(this.failures)
    this.waitIsOrdered = afterMillis !== undefined && afterMillis > 0
    // One that asks for hardly any wait is not asked over and over again.
    const wait = afterMillis === undefined ? backoff : Math.max(afterMillis, Math.min(backoff, hurriedMillis))
    this.waitUntil = now + (isHurried && !this.waitIsOrdered ? Math.min(wait, hurriedMillis) : wait)
    diagnostics.reachable = false
    if (this.awaySince === undefined) {
      this.awaySince = now
      this.lostBefore = diagnostics.droppedTotal
    }
    if (!this.isReported) {
      const recent = this.reports.filter((at) => now - at < reportMillis)
      if (recent.length >= reportedOutages) return
      this.reports = [...recent, now]
      this.awayReportedAt = now
      this.isReported = true
      diagnostics.say(
        "warn",
        `OpenTelemetry export: ${target} takes no spans: ${outcome.message}. They wait in ${waitsIn} until it does`,
        { waiting: this.options.waiting() }
      )
    } else if (now - this.awayReportedAt >= reportMillis) {
      this.awayReportedAt = now
      diagnostics.say(
        "warn",
        `OpenTelemetry export: ${target} still takes no spans: ${outcome.message}`,
        this.fields(now)
      )
    }
  }

  /** Exponential, with jitter: between half of it and all of it. */
  backoffMillis(failures: number): number {
    const { retryMaxMillis, retryMinMillis, timing } = this.options
    const longest = Math.min(retryMaxMillis, retryMinMillis * 2 ** Math.min(failures - 1, 20))
    return longest * (0.5 + timing.random() / 2)
  }

  private fields(now: number): Fields {
    return {
      awaySeconds: Math.round((now - (this.awaySince ?? now)) / 1000),
      waiting: this.options.waiting(),
      droppedMeanwhile: this.options.diagnostics.droppedTotal - this.lostBefore
    }
  }
}
