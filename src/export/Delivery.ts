/**
 * The send stage: batches that wait (`BatchQueue`) are sent a few at a time, and stay until they have been taken, refused
 * for good, or must give way to newer ones.
 *
 * Nothing is lost because it has to wait. After a failure that may pass, the batch keeps its place, and one batch at a
 * time is tried as a probe, with exponential backoff and jitter or when the server said. A batch that fails while
 * others pass is to blame itself: it waits by its own schedule and is cut in two, so that one bad span does not harm
 * the rest. A batch that has been tried for longer than its deadline is parked: tried once a minute at most.
 *
 * A batch that is refused for good is dropped, as the specification demands. Where it is larger than a batch of the
 * specification (512 spans) and what it holds may be the reason, it is first cut down to that: a bad span costs no more than
 * if batches were no larger. A collector that refuses everything is not asked about every part again. The same is done where
 * there is no answer in time: over a slow line a large batch might never arrive.
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#failures-1
 * @internal
 */
import { Batch, halvesOf, type Outcome, type Part, type Sink, type Source } from "./Batch.ts"
import { BatchQueue } from "./BatchQueue.ts"
import { type Diagnostics, type DropReason, messageOf } from "./Diagnostics.ts"
import { Endpoint } from "./Endpoint.ts"
import type { Timing } from "./Timing.ts"

/** How batches are held and sent. */
export interface DeliveryOptions<P> {
  readonly sink: Sink<P>
  readonly diagnostics: Diagnostics
  readonly timing: Timing
  /** Requests at a time, at most. */
  readonly concurrency: number
  /** For one request, from its start to the end of the answer. */
  readonly timeoutMillis: number
  /** For how long a batch is tried before it is parked. */
  readonly deadlineMillis: number
  /** Spans that may wait in memory. */
  readonly maxSpans: number
  /** Bytes that may wait in memory. */
  readonly maxBytes: number
  /** The first wait, and the longest one, after a failure that may pass. */
  readonly retryMinMillis: number
  readonly retryMaxMillis: number
  /** Where spans wait, for the lines that say so. */
  readonly waitsIn: string
  /** A request of several spans was too large, of so many bytes. */
  readonly tooLarge?: ((bytes: number) => void) | undefined
}

const parkedMillis = 60_000
/** Spans up to which a batch is not cut in two for a refusal, or for silence: a batch as the specification has it. */
const specifiedSize = 512
/** Refusals in a row, from which on a collector is held to refuse whatever it is sent. */
const refusesAll = 8

interface Waiter {
  /** Everything up to here has to be settled. */
  readonly mark: number
  /** Whether it gives up as soon as the collector turns out to be away. */
  readonly onlyWhileReachable: boolean
  readonly resolve: (complete: boolean) => void
}

export class Delivery<P> {
  private readonly options: DeliveryOptions<P>
  private readonly sink: Sink<P>
  private readonly diagnostics: Diagnostics
  private readonly timing: Timing
  private readonly queue: BatchQueue<P>
  private readonly sending = new Set<Batch<P>>()
  private sequence = 0
  private sendingSpans = 0
  private sendingBytes = 0
  private readonly waiters = new Set<Waiter>()
  private stopped = false
  private refusals = 0
  private readonly endpoint: Endpoint
  private cancelTimer: (() => void) | undefined
  private timerAt = Infinity

  constructor(options: DeliveryOptions<P>) {
    this.options = options
    this.sink = options.sink
    this.diagnostics = options.diagnostics
    this.timing = options.timing
    this.queue = new BatchQueue({ ...options, sendingBytes: () => this.sendingBytes })
    this.endpoint = new Endpoint({ ...options, target: options.sink.target, waiting: () => this.waitingSpans })
  }

  /** Spans in memory that wait. */
  get queuedSpans(): number {
    return this.queue.spans
  }

  /** Bytes in memory, of what waits and what is being sent. */
  get queuedBytes(): number {
    return this.queue.bytes + this.sendingBytes
  }

  get inFlightSpans(): number {
    return this.sendingSpans
  }

  get parkedSpans(): number {
    return this.queue.count((batch) => batch.parked)
  }

  /** Spans that were tried and wait to be tried again, in memory or not. */
  get retryingSpans(): number {
    return this.queue.count((batch) => batch.firstTriedAt !== undefined)
  }

  /** Spans that wait or are being sent, in memory or not. */
  get waitingSpans(): number {
    return this.sendingSpans + this.queue.count(() => true)
  }

  get isEmpty(): boolean {
    return this.queue.length === 0 && this.sending.size === 0
  }

  /** Takes a batch. With a source, memory is used only while there is room. */
  add(part: Part<P>, source?: Source<P> | undefined): void {
    this.queue.add(new Batch(this.sequence++, part, source))
    this.settleWaiters()
    this.pump()
  }

  /** Takes a batch that lies only in its source. */
  addStored(count: number, bytes: number, source: Source<P>): void {
    this.queue.add(new Batch<P>(this.sequence++, { payload: undefined as P, count, bytes }, source))
    this.pump()
  }

  /**
   * Forgets batches whose source gives way, by its origin: they are counted as lost. Tells how many spans they had.
   * Those being sent stay.
   */
  forget(origin: unknown, reason: DropReason): number {
    const count = this.queue.forget(origin, reason)
    this.settleWaiters()
    return count
  }

  /**
   * Waits until everything that is here now has been settled, for `timeoutMillis` at most, and resolves to whether it
   * has. A wait that the server asked for is kept; any other is cut short. With `onlyWhileReachable` it also ends as
   * soon as the collector turns out to be away.
   */
  flush(timeoutMillis: number, onlyWhileReachable = false): Promise<boolean> {
    if (this.isEmpty) return Promise.resolve(true)
    const now = this.timing.now()
    if (onlyWhileReachable && this.endpoint.isOrderedToWait(now)) return Promise.resolve(false)
    return new Promise((resolve) => {
      const waiter: Waiter = {
        mark: this.sequence - 1,
        onlyWhileReachable,
        resolve: (complete) => {
          if (!this.waiters.delete(waiter)) return
          cancel()
          resolve(complete)
        }
      }
      const cancel = this.timing.after(timeoutMillis, () => waiter.resolve(this.settledUpTo(waiter.mark)), true)
      this.waiters.add(waiter)
      this.endpoint.hurry(now)
      this.queue.hurry(now)
      this.pump()
    })
  }

  /** Ends everything. Returns how many spans were left in memory alone: they are counted as lost. */
  stop(): number {
    if (this.stopped) return 0
    this.stopped = true
    this.cancelTimer?.()
    let lost = 0
    let tried = 0
    for (const batch of [...this.queue, ...this.sending]) {
      if (batch.source?.isKept === true) continue
      lost += batch.count
      if (batch.firstTriedAt !== undefined) tried += batch.count
    }
    this.diagnostics.drop("shutdown", lost, tried)
    this.queue.clear()
    this.sink.close()
    for (const waiter of this.waiters) waiter.resolve(false)
    return lost
  }

  /** Sends what may be sent now, or sees to it that it is when it may. */
  private pump(): void {
    if (this.stopped) return
    for (;;) {
      // Until the collector has answered, and while it is away, one request at a time finds out.
      const limit = this.endpoint.isInDoubt ? 1 : this.options.concurrency
      if (this.sending.size >= limit || this.queue.length === 0) return
      const now = this.timing.now()
      const wait = this.endpoint.waitMillis(now)
      if (wait > 0) return this.wake(wait)
      // As a probe that keeps failing, the one that was tried least: it need not be the collector that is to blame.
      const batch = this.queue.take(now, this.endpoint.failures >= 3)
      if (typeof batch === "number") return this.wake(batch)
      void this.send(batch).catch((error: unknown) => this.diagnostics.internal("send", error))
    }
  }

  private wake(millis: number): void {
    const at = this.timing.now() + millis
    if (this.timerAt <= at && this.cancelTimer !== undefined) return
    this.cancelTimer?.()
    this.timerAt = at
    this.cancelTimer = this.timing.after(millis, () => {
      this.cancelTimer = undefined
      this.timerAt = Infinity
      this.pump()
    })
  }

  private async send(batch: Batch<P>): Promise<void> {
    this.sending.add(batch)
    this.sendingSpans += batch.count
    this.sendingBytes += batch.bytes
    if (batch.firstTriedAt === undefined) {
      batch.firstTriedAt = this.timing.now()
      this.diagnostics.tried += batch.count
    }
    let outcome: Outcome | undefined
    let payload = batch.payload
    if (payload === undefined) {
      payload = await batch.source?.load()
      batch.payload = payload
    }
    if (payload !== undefined) {
      try {
        outcome = await this.sink.send(payload, this.options.timeoutMillis)
      } catch (error) {
        outcome = { _tag: "Retry", afterMillis: undefined, message: messageOf(error), unreachable: false }
      }
    }
    this.sending.delete(batch)
    this.sendingSpans -= batch.count
    this.sendingBytes -= batch.bytes
    if (this.stopped) {
      if (outcome?._tag === "Delivered") batch.source?.settled()
      return
    }
    if (outcome === undefined) {
      this.lost(batch, "spool_lost")
      batch.source?.settled()
    } else this.settle(batch, outcome)
    this.settleWaiters()
    this.pump()
  }

  private settle(batch: Batch<P>, outcome: Outcome): void {
    switch (outcome._tag) {
      case "Delivered":
        this.endpoint.answered()
        this.refusals = 0
        this.delivered(batch, outcome.rejected, outcome.message)
        return batch.source?.settled()
      case "Refused":
        this.endpoint.answered()
        this.refusals++
        if (outcome.mayTakeParts && batch.count > specifiedSize && this.refusals < refusesAll) return this.halve(batch)
        this.lost(batch, "refused")
        this.diagnostics.failed(outcome.message)
        this.diagnostics.sayRarely(
          "refused",
          "error",
          `OpenTelemetry export: ${this.sink.target} refused spans for good: ${outcome.message}`,
          () => ({ refused: batch.count, refusedInAll: this.diagnostics.dropped.get("refused") ?? 0 })
        )
        batch.source?.quarantine({ payload: batch.payload as P, count: batch.count, bytes: batch.bytes })
        return batch.source?.settled()
      case "Failed":
        this.diagnostics.reachable = false
        this.lost(batch, "failed")
        this.diagnostics.failed(outcome.message)
        this.diagnostics.sayRarely(
          "failed",
          "error",
          `OpenTelemetry export: ${this.sink.target} failed, the batch is dropped: ${outcome.message}`,
          () => ({ failed: batch.count, failedInAll: this.diagnostics.dropped.get("failed") ?? 0 })
        )
        return batch.source?.settled()
      case "TooLarge":
        this.endpoint.answered()
        if (batch.count > 1) {
          this.options.tooLarge?.(batch.bytes)
          return this.halve(batch)
        }
        return this.tooLarge(batch, outcome.message)
      case "Retry":
        return this.failed(batch, outcome)
    }
  }

  private delivered(batch: Batch<P>, rejected: number, message: string): void {
    const lost = Math.min(batch.count, rejected)
    this.diagnostics.exported += batch.count - lost
    this.conclude(batch, lost > 0 ? "rejected" : undefined)
    if (lost > 0) {
      this.diagnostics.drop("rejected", lost, lost)
      this.diagnostics.failed(`${lost} spans rejected: ${message}`)
    }
    if (lost > 0 || message !== "") {
      this.diagnostics.sayOnce(
        // The same message of another trace: ids and numbers apart.
        `partial:${message.replace(/\d[\da-f]*|[\da-f]{8,}/gi, "#")}`,
        "warn",
        lost > 0
          ? `OpenTelemetry export: ${this.sink.target} rejected spans of a batch that it took: "${message}"`
          : `OpenTelemetry export: ${this.sink.target} warns: "${message}"`,
        () => ({ rejected: lost, rejectedInAll: this.diagnostics.dropped.get("rejected") ?? 0 })
      )
    }
  }

  private lost(batch: Batch<P>, reason: DropReason): void {
    this.diagnostics.drop(reason, batch.count, batch.count)
    this.conclude(batch, reason)
  }

  private conclude(batch: Batch<P>, reason: DropReason | undefined): void {
    const now = this.timing.now()
    this.diagnostics.concluded?.((now - (batch.firstTriedAt ?? now)) / 1_000, reason)
  }

  private tooLarge(batch: Batch<P>, message: string): void {
    const name = batch.payload === undefined ? "" : this.sink.nameOf(batch.payload)
    this.lost(batch, "too_large")
    this.diagnostics.failed(message)
    this.diagnostics.sayRarely(
      "too_large",
      "error",
      `OpenTelemetry export: the span "${name}" alone is too large for ${this.sink.target} (${message}), it is dropped`,
      () => ({ span: name, bytes: batch.bytes })
    )
    batch.source?.quarantine({ payload: batch.payload as P, count: batch.count, bytes: batch.bytes })
    batch.source?.settled()
  }

  /** Puts both halves where the whole was. */
  private halve(batch: Batch<P>): void {
    this.queue.putBack(...halvesOf(batch, this.sink))
  }

  private failed(batch: Batch<P>, outcome: Extract<Outcome, { _tag: "Retry" }>): void {
    const now = this.timing.now()
    if (batch.attempts > 0 && this.endpoint.lastAnswerAt > batch.lastFailedAt) batch.isSuspect = true
    batch.attempts++
    batch.lastFailedAt = now
    this.diagnostics.failed(outcome.message)
    if (now - (batch.firstTriedAt ?? now) >= this.options.deadlineMillis) batch.parked = true
    if (batch.isSuspect && !outcome.unreachable && outcome.afterMillis === undefined) {
      batch.notBefore = now + (batch.parked ? parkedMillis : this.endpoint.backoffMillis(batch.attempts))
      return batch.count > 1 ? this.halve(batch) : this.queue.putBack(batch)
    }
    if (outcome.mayTakeParts === true && batch.count > specifiedSize) this.halve(batch)
    else this.queue.putBack(batch)
    this.endpoint.failed(outcome, this.waiters.size > 0)
    for (const waiter of this.waiters) if (waiter.onlyWhileReachable) waiter.resolve(this.settledUpTo(waiter.mark))
  }

  private settledUpTo(mark: number): boolean {
    for (const batch of this.sending) if (batch.sequence <= mark) return false
    return this.queue.first > mark
  }

  private settleWaiters(): void {
    for (const waiter of this.waiters) if (this.settledUpTo(waiter.mark)) waiter.resolve(true)
  }
}
