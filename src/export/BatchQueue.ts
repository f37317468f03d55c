/**
 * The hold stage: batches that wait, in order, within the limits of memory.
 *
 * When memory is full the oldest batches give way, counted as `queue_full`; those that lie elsewhere too (in the spool)
 * only leave memory.
 *
 * @internal
 */
import type { Batch, Sink } from "./Batch.ts"
import type { Diagnostics, DropReason } from "./Diagnostics.ts"

export interface BatchQueueOptions<P> {
  readonly sink: Pick<Sink<P>, "release">
  readonly diagnostics: Diagnostics
  /** Spans that may wait in memory. */
  readonly maxSpans: number
  /** Bytes that may wait in memory, with what is being sent. */
  readonly maxBytes: number
  /** Bytes that are being sent. */
  readonly sendingBytes: () => number
  /** Where spans wait, for the line that says that it is full. */
  readonly waitsIn: string
}

/** How far a probe looks for the batch that was tried least. */
const probed = 64

export class BatchQueue<P> {
  /** Spans in memory. */
  spans = 0
  /** Bytes in memory. */
  bytes = 0
  private readonly options: BatchQueueOptions<P>
  /** In order of sequence. */
  private batches: Array<Batch<P>> = []

  constructor(options: BatchQueueOptions<P>) {
    this.options = options
  }

  get length(): number {
    return this.batches.length
  }

  /** The position of the oldest batch in the order of sending; `Infinity` where there is none. */
  get first(): number {
    return this.batches[0]?.sequence ?? Infinity
  }

  [Symbol.iterator](): Iterator<Batch<P>> {
    return this.batches[Symbol.iterator]()
  }

  /** Spans of the batches that pass, in memory or not. */
  count(passes: (batch: Batch<P>) => boolean): number {
    let count = 0
    for (const batch of this.batches) if (passes(batch)) count += batch.count
    return count
  }

  /** Puts a batch at the end. With a source, memory is used only while there is room. */
  add(batch: Batch<P>): void {
    const { maxBytes, sendingBytes, sink } = this.options
    if (batch.source?.isLoadable === true && this.bytes + sendingBytes() + batch.bytes > maxBytes) {
      batch.forgetPayload(sink)
    }
    this.batches.push(batch)
    this.account(batch, 1)
    this.makeRoom()
  }

  /** Puts batches of one sequence where they belong: before other parts of the same. */
  putBack(...batches: ReadonlyArray<Batch<P>>): void {
    const sequence = batches[0]!.sequence
    let at = this.batches.findIndex((other) => other.sequence >= sequence)
    if (at < 0) at = this.batches.length
    this.batches.splice(at, 0, ...batches)
    for (const batch of batches) this.account(batch, 1)
    this.makeRoom()
  }

  /**
   * Takes out the first batch whose time has come; with `leastTried`, of those the one that was tried least. Where there is
   * none, how long to wait for the next.
   */
  take(now: number, leastTried: boolean): Batch<P> | number {
    const at = leastTried ? this.leastTried(now) : this.batches.findIndex((batch) => batch.notBefore <= now)
    if (at < 0) {
      let soonest = Infinity
      for (const batch of this.batches) soonest = Math.min(soonest, batch.notBefore)
      return soonest - now
    }
    const batch = this.batches.splice(at, 1)[0]!
    this.account(batch, -1)
    return batch
  }

  private leastTried(now: number): number {
    let chosen = -1
    const end = Math.min(this.batches.length, probed)
    for (let i = 0; i < end; i++) {
      const batch = this.batches[i]!
      if (batch.notBefore > now) continue
      if (chosen < 0 || batch.attempts < this.batches[chosen]!.attempts) chosen = i
    }
    return chosen
  }

  /** Lets every batch that is not parked be tried now. */
  hurry(now: number): void {
    for (const batch of this.batches) if (!batch.parked) batch.notBefore = Math.min(batch.notBefore, now)
  }

  /** Drops the batches of an origin, counted as lost. Tells how many spans they had. */
  forget(origin: unknown, reason: DropReason): number {
    const forgotten = this.remove((batch) => batch.source !== undefined && batch.source.origin === origin)
    return this.drop(reason, forgotten)
  }

  /** Forgets all, without counting. */
  clear(): void {
    this.batches = []
    this.spans = 0
    this.bytes = 0
  }

  private makeRoom(): void {
    if (!this.isFull) return
    const dropped = this.remove((batch) => {
      // Alone it may stay, however large: it could never be sent otherwise.
      if (!this.isFull || batch.payload === undefined || this.spans === batch.count) return false
      if (batch.source?.isLoadable !== true) return true
      this.account(batch, -1)
      batch.forgetPayload(this.options.sink)
      return false
    })
    if (dropped.length === 0) return
    for (const batch of dropped) batch.source?.settled()
    this.drop("queue_full", dropped)
    const { diagnostics, waitsIn } = this.options
    diagnostics.sayRarely(
      "queue_full",
      "warn",
      `OpenTelemetry export: ${waitsIn} is full, the oldest spans are dropped`,
      () => ({ dropped: diagnostics.dropped.get("queue_full") ?? 0, queued: this.spans })
    )
  }

  private get isFull(): boolean {
    const { maxBytes, maxSpans, sendingBytes } = this.options
    return this.spans > maxSpans || this.bytes + sendingBytes() > maxBytes
  }

  private remove(goes: (batch: Batch<P>) => boolean): ReadonlyArray<Batch<P>> {
    const gone: Array<Batch<P>> = []
    const kept: Array<Batch<P>> = []
    for (const batch of this.batches) {
      if (!goes(batch)) kept.push(batch)
      else {
        this.account(batch, -1)
        gone.push(batch)
      }
    }
    this.batches = kept
    return gone
  }

  private drop(reason: DropReason, batches: ReadonlyArray<Batch<P>>): number {
    let count = 0
    let tried = 0
    for (const batch of batches) {
      count += batch.count
      if (batch.firstTriedAt !== undefined) tried += batch.count
      batch.forgetPayload(this.options.sink)
    }
    this.options.diagnostics.drop(reason, count, tried)
    return count
  }

  private account(batch: Batch<P>, sign: 1 | -1): void {
    if (batch.payload === undefined) return
    this.spans += sign * batch.count
    this.bytes += sign * batch.bytes
  }
}
