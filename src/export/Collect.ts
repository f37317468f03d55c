/**
 * The collect stage: where spans come in. It runs on the application's own path, so it puts a span into a slot and
 * returns; sealing and encoding happen when the application has let go of the thread.
 *
 * A batch goes on when it is full, and what is not full after `scheduleDelayMillis`. A burst does not fill memory with
 * raw spans: from `slotCount` spans in one tick on they are encoded at once, which is also when they are still in the
 * processor's cache.
 *
 * @internal
 */
import type { EndedSpan, SpanReceiver } from "../tracer/SpanReceiver.ts"
import type { SpanBatcher } from "./Batch.ts"
import type { Diagnostics } from "./Diagnostics.ts"
import * as TailModule from "./Tail.ts"
import type { Timing } from "./Timing.ts"

export interface CollectOptions {
  readonly batcher: SpanBatcher
  readonly diagnostics: Diagnostics
  readonly timing: Timing
  readonly tail?: TailModule.TailOptions | undefined
  /** Encode when so many have come in. */
  readonly maxSpans: number
  /** Hand on what is not full after this time. */
  readonly scheduleDelayMillis: number
  /** Encode in every tick, rather than when a batch could be full: with a spool. */
  readonly everyTick: boolean
}

/** Raw spans that may wait within a tick: the fewer, the less the garbage collector has to move. */
const slotCount = 256

export class Collect implements SpanReceiver {
  readonly takesUnsampled: boolean
  private readonly options: CollectOptions
  private readonly batcher: SpanBatcher
  private readonly diagnostics: Diagnostics
  private readonly tail: TailModule.Tail | undefined
  private readonly threshold: number
  private readonly slots: Array<EndedSpan | undefined> = Array.from({ length: slotCount }, () => undefined)
  private readonly reasons: Array<string | undefined> = Array.from({ length: slotCount }, () => undefined)
  private count = 0
  private drainScheduled = false
  private draining = false
  private cancelTimer: (() => void) | undefined
  private closed = false

  constructor(options: CollectOptions) {
    this.options = options
    this.batcher = options.batcher
    this.diagnostics = options.diagnostics
    this.threshold = options.everyTick ? 1 : Math.min(options.maxSpans, slotCount)
    this.takesUnsampled = TailModule.isActive(options.tail)
    this.tail = this.takesUnsampled
      ? new TailModule.Tail(options.tail!, options.diagnostics, options.timing, (span, reason) =>
          this.accept(span, reason)
        )
      : undefined
  }

  readonly started = (span: EndedSpan): void => {
    this.diagnostics.started++
    if (!span.sampled) this.diagnostics.startedUnsampled++
  }

  readonly unrecorded = (): void => {
    this.diagnostics.startedUnrecorded++
  }

  readonly ended = (span: EndedSpan): void => {
    try {
      this.diagnostics.ended++
      if (this.closed) return this.diagnostics.drop("after_shutdown", 1)
      if (span.sampled) {
        this.diagnostics.sampled++
        this.accept(span, undefined)
      } else this.tail?.offer(span)
    } catch (error) {
      this.diagnostics.internal("collect", error)
    }
  }

  /** Spans that wait in slots and in the batch that fills. */
  get waitingSpans(): number {
    return this.count + this.batcher.count
  }

  get heldSpans(): number {
    return this.tail?.heldSpans ?? 0
  }

  /** Encodes what has come in and hands on the batch that fills. */
  flush(): void {
    this.drain()
    this.finish()
  }

  /** Takes no more, and decides what is undecided. */
  close(): void {
    if (this.closed) return
    try {
      this.tail?.decideAll()
    } catch (error) {
      this.diagnostics.internal("decide", error)
    }
    this.closed = true
    this.flush()
  }

  private accept(span: EndedSpan, reason: string | undefined): void {
    const count = this.count++
    this.slots[count] = span
    this.reasons[count] = reason
    if (count + 1 >= slotCount && !this.draining) return this.drain()
    if (this.drainScheduled) return
    if (count + 1 >= this.threshold) {
      this.drainScheduled = true
      this.options.timing.soon(() => {
        this.drainScheduled = false
        this.drain()
      })
    }
    this.cancelTimer ??= this.options.timing.after(this.options.scheduleDelayMillis, () => {
      this.cancelTimer = undefined
      this.flush()
    })
  }

  private drain(): void {
    const { reasons, slots } = this
    if (this.count === 0 || this.draining) return
    this.draining = true
    // An attribute's getter may make a span of its own while it is sealed: it goes behind.
    for (let i = 0; i < this.count; i++) {
      const span = slots[i]!
      const reason = reasons[i]
      slots[i] = undefined
      try {
        const data = reason === undefined ? span.seal() : span.seal({ "sampling.reason": reason })
        if (!this.batcher.add(data)) this.unencodable(span)
      } catch (error) {
        this.unencodable(span)
        this.diagnostics.internal("encode", error)
      }
    }
    this.count = 0
    this.draining = false
    slots.length = slotCount
    try {
      this.batcher.tick()
    } catch (error) {
      this.diagnostics.internal("hold", error)
    }
  }

  private unencodable(span: EndedSpan): void {
    this.diagnostics.drop("unencodable", 1)
    this.diagnostics.sayRarely(
      "unencodable",
      "error",
      "OpenTelemetry export: a span could not be encoded, it is dropped",
      () => ({ span: String(span.name) })
    )
  }

  private finish(): void {
    this.cancelTimer?.()
    this.cancelTimer = undefined
    try {
      this.batcher.finish()
    } catch (error) {
      this.diagnostics.internal("hold", error)
    }
  }
}
