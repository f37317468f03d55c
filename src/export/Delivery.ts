/**
 * The last two stages, hold and send: batches wait in order, are sent a few at a time, and stay until they have been
 * taken, refused for good, or must give way to newer ones.
 *
 * Nothing is lost because it has to wait. After a failure that may pass, the batch keeps its place, and one batch at a
 * time is tried as a probe, with exponential backoff and jitter or when the server said. A batch that fails while
 * others pass is to blame itself: it waits by its own schedule and is cut in two, so that one bad span does not harm
 * the rest. A batch that has been tried for longer than its deadline is parked: tried once a minute at most.
 *
 * When memory is full the oldest batches give way, counted as `queue_full`; those that are in the spool too only leave
 * memory.
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#failures-1
 * @internal
 */
import { Batch, type Outcome, type Part, type Sink, type Source } from "./Batch.ts"
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
  /** In order of sequence. */
  private queue: Array<Batch<P>> = []
  private readonly sending = new Set<Batch<P>>()
  private sequence = 0
  private spans = 0
  private bytes = 0
  private sendingSpans = 0
  private sendingBytes = 0
  private readonly waiters = new Set<Waiter>()
  private stopped = false
  private readonly endpoint: Endpoint
  private cancelTimer: (() => void) | undefined
  private timerAt = Infinity

  constructor(options: DeliveryOptions<P>) {
    this.options = options
    this.sink = options.sink
    this.diagnostics = options.diagnostics
    this.timing = options.timing
    this.endpoint = new Endpoint({ ...options, target: options.sink.target, waiting: () => this.waitingSpans })
  }

  /** Spans in memory that wait. */
  get queuedSpans(): number {
    return this.spans
  }

  /** Bytes in memory, of what waits and what is being sent. */
  get queuedBytes(): number {
    return this.bytes + this.sendingBytes
  }

  get inFlightSpans(): number {
    return this.sendingSpans
  }

  get parkedSpans(): number {
    let count = 0
    for (const batch of this.queue) if (batch.parked) count += batch.count
    return count
  }

  /** Spans that were tried and wait to be tried again, in memory or not. */
  get retryingSpans(): number {
    let count = 0
    for (const batch of this.queue) if (batch.firstTriedAt !== undefined) count += batch.count
    return count
  }

  /** Spans that wait or are being sent, in memory or not. */
  get waitingSpans(): number {
    let count = this.sendingSpans
    for (const batch of this.queue) count += batch.count
    return count
  }

  get isEmpty(): boolean {
    return this.queue.length === 0 && this.sending.size === 0
  }

  /** Takes a batch. With a source, memory is used only while there is room. */
  add(part: Part<P>, source?: Source<P> | undefined): void {
    const batch = new Batch(this.sequence++, part, source)
    if (source?.isLoadable === true && this.queuedBytes + part.bytes > this.options.maxBytes) batch.payload = undefined
    this.queue.push(batch)
    this.account(batch, 1)
    this.makeRoom()
    this.pump()
  }

  /** Takes a batch that lies only in its source. */
  addStored(count: number, bytes: number, source: Source<P>): void {
    const batch = new Batch<P>(this.sequence++, { payload: undefined as P, count, bytes }, source)
    this.queue.push(batch)
    this.pump()
  }

  /**
   * Forgets batches whose source gives way, by its origin: they are counted as lost. Tells how many spans they had.
   * Those being sent stay.
   */
  forget(origin: unknown, reason: DropReason): number {
    let count = 0
    let tried = 0
    this.queue = this.queue.filter((batch) => {
      if (batch.source === undefined || batch.source.origin !== origin) return true
      this.account(batch, -1)
      count += batch.count
      if (batch.firstTriedAt !== undefined) tried += batch.count
      return false
    })
    this.diagnostics.drop(reason, count, tried)
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
      for (const batch of this.queue) if (!batch.parked) batch.notBefore = Math.min(batch.notBefore, now)
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
    this.queue = []
    this.spans = 0
    this.bytes = 0
    this.sink.close()
    for (const waiter of this.waiters) waiter.resolve(false)
    return lost
  }

  private account(batch: Batch<P>, sign: 1 | -1): void {
    if (batch.payload === undefined) return
    this.spans += sign * batch.count
    this.bytes += sign * batch.bytes
  }

  private makeRoom(): void {
    const { maxBytes, maxSpans } = this.options
    if (this.spans <= maxSpans && this.queuedBytes <= maxBytes) return
    let dropped = 0
    let tried = 0
    const kept: Array<Batch<P>> = []
    for (const batch of this.queue) {
      const full = this.spans > maxSpans || this.queuedBytes > maxBytes
      const isAlone = this.spans === batch.count
      if (!full || batch.payload === undefined || isAlone) {
        // Alone it may stay, however large: it could never be sent otherwise.
        kept.push(batch)
        continue
      }
      this.account(batch, -1)
      if (batch.source?.isLoadable === true) {
        batch.payload = undefined
        kept.push(batch)
      } else {
        dropped += batch.count
        if (batch.firstTriedAt !== undefined) tried += batch.count
        batch.source?.settled()
      }
    }
    this.queue = kept
    if (dropped > 0) {
      this.diagnostics.drop("queue_full", dropped, tried)
      this.diagnostics.sayRarely(
        "queue_full",
        "warn",
        `OpenTelemetry export: ${this.options.waitsIn} is full, the oldest spans are dropped`,
        () => ({ dropped: this.diagnostics.dropped.get("queue_full") ?? 0, queued: this.spans })
      )
    }
    this.settleWaiters()
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
      const at = this.choose(now)
      if (at < 0) {
        let soonest = Infinity
        for (const batch of this.queue) soonest = Math.min(soonest, batch.notBefore)
        return this.wake(soonest - now)
      }
      const [batch] = this.queue.splice(at, 1)
      void this.send(batch!).catch((error: unknown) => this.diagnostics.internal("send", error))
    }
  }

  /** The first one whose time has come; as a probe that keeps failing, the one that was tried least. */
  private choose(now: number): number {
    if (this.endpoint.failures < 3) return this.queue.findIndex((batch) => batch.notBefore <= now)
    let chosen = -1
    const end = Math.min(this.queue.length, 64)
    for (let i = 0; i < end; i++) {
      const batch = this.queue[i]!
      if (batch.notBefore > now) continue
      if (chosen < 0 || batch.attempts < this.queue[chosen]!.attempts) chosen = i
    }
    return chosen
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
    this.account(batch, -1)
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
        this.delivered(batch, outcome.rejected, outcome.message)
        return batch.source?.settled()
      case "Refused":
        this.endpoint.answered()
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
        `partial:${message}`,
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

  /** Puts both halves where the whole was. Its source is settled when both are. */
  private halve(batch: Batch<P>): void {
    const parts = this.sink.split(batch.payload as P)
    const sources = batch.source === undefined ? undefined : halvesOf(batch.source, this.sink)
    const halves = parts.map((part, i) => {
      const half = new Batch(batch.sequence, part, sources?.[i])
      half.firstTriedAt = batch.firstTriedAt
      half.attempts = batch.attempts
      half.notBefore = batch.notBefore
      half.lastFailedAt = batch.lastFailedAt
      half.isSuspect = batch.isSuspect
      return half
    })
    this.putBack(...halves)
  }

  private putBack(...batches: ReadonlyArray<Batch<P>>): void {
    const sequence = batches[0]!.sequence
    let at = this.queue.findIndex((other) => other.sequence > sequence)
    if (at < 0) at = this.queue.length
    this.queue.splice(at, 0, ...batches)
    for (const batch of batches) this.account(batch, 1)
    this.makeRoom()
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
      return batch.count > 1 ? this.halve(batch) : this.putBack(batch)
    }
    this.putBack(batch)
    this.endpoint.failed(outcome, this.waiters.size > 0)
    for (const waiter of this.waiters) if (waiter.onlyWhileReachable) waiter.resolve(this.settledUpTo(waiter.mark))
  }

  private settledUpTo(mark: number): boolean {
    for (const batch of this.sending) if (batch.sequence <= mark) return false
    return this.queue.length === 0 || this.queue[0]!.sequence > mark
  }

  private settleWaiters(): void {
    for (const waiter of this.waiters) if (this.settledUpTo(waiter.mark)) waiter.resolve(true)
  }
}

/** The sources of a batch's halves: read back with the whole, and settled, for the whole, with the second of them. */
const halvesOf = <P>(whole: Source<P>, sink: Sink<P>): ReadonlyArray<Source<P>> => {
  let left = 2
  return [0, 1].map((half) => ({
    origin: whole.origin,
    get isLoadable() {
      return whole.isLoadable
    },
    get isKept() {
      return whole.isKept
    },
    load: async () => {
      const payload = await whole.load()
      return payload === undefined ? undefined : sink.split(payload)[half]!.payload
    },
    quarantine: (part) => whole.quarantine(part),
    settled: () => {
      if (--left === 0) whole.settled()
    }
  }))
}
