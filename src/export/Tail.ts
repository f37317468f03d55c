/**
 * The decide stage: which local traces are kept although head sampling said no.
 *
 * The spans of a local trace (what this process makes under one local root) are held as they are, neither converted nor
 * encoded, until its root ends. Then the whole local trace is kept, if it failed, was slow, or a rule in code says so,
 * or dropped. Each span that is kept says why, as `sampling.reason`: `error`, `slow`, or `rule:` and the rule's name.
 *
 * **Details**
 *
 * - It failed if any of its spans ended with status error, also where the root did not.
 * - The first decision stands: spans that end later follow it. Where the root has ended while children are open, and
 *   nothing says yet that the trace be kept, the decision waits for them, `graceMillis` at most.
 * - Memory is bounded by spans and by bytes. When it is full, the oldest local traces are decided at once by what is
 *   known of them: errors stay. `Status.decidedEarly` counts them.
 * - Shutting down decides all.
 *
 * **Gotchas**
 *
 * It sees this process only. A trace that failed in another service, and was fine here, is not kept here. See
 * `docs/sampling.md` for what to do about that.
 *
 * **Example** (Errors, slow traces, and one rule)
 *
 * ```ts
 * import type { TailOptions } from "effect-telemetry/export/Tail"
 *
 * export const options: TailOptions = {
 *   keepErrors: true,
 *   keepSlowerThanMillis: 500,
 *   rules: [{ name: "checkout", keep: (trace) => trace.root?.name === "POST /checkout" }]
 * }
 * ```
 */
import type { EndedSpan } from "../tracer/SpanReceiver.ts"
import type { Diagnostics } from "./Diagnostics.ts"
import { sizeOf } from "./SpanSize.ts"
import type { Timing } from "./Timing.ts"

/** What a rule may look at. Attributes are raw: neither limited nor redacted yet. */
export interface TailTrace {
  /** Its local root; `undefined` where it has to be decided before that has ended. */
  readonly root: EndedSpan | undefined
  /** The spans that have ended, in the order in which they did. */
  readonly spans: ReadonlyArray<EndedSpan>
  /** Whether any of them ended with status error. */
  readonly failed: boolean
}

/** A reason of your own to keep a local trace. */
export interface TailRule {
  /** Appears in `sampling.reason` as `rule:<name>`. */
  readonly name: string
  /** Called on the request's path, so it should be quick. One that throws says no. */
  readonly keep: (trace: TailTrace) => boolean
}

/** Which local traces to keep although head sampling said no, and how much memory undecided ones may take. */
export interface TailOptions {
  /** `OTEL_TRACE_KEEP_ERRORS`. Default true. */
  readonly keepErrors?: boolean | undefined
  /** `OTEL_TRACE_KEEP_SLOWER_THAN`: keep local traces whose root took at least this long. Default: never for that. */
  readonly keepSlowerThanMillis?: number | undefined
  /** Asked in order, after the two above. */
  readonly rules?: ReadonlyArray<TailRule> | undefined
  /** Spans held at most, default 20,000. */
  readonly maxSpans?: number | undefined
  /** Bytes held at most, by estimate, default 32 MiB. */
  readonly maxBytes?: number | undefined
  /** How long to wait for open children once the root has ended, in milliseconds, default 1,000. */
  readonly graceMillis?: number | undefined
}

/** Spans held at most, where nothing else is said. */
export const defaultTailMaxSpans = 20_000
/** Bytes held at most, by estimate, where nothing else is said: 32 MiB. */
export const defaultTailMaxBytes = 32 * 1024 * 1024
/** How long open children are waited for, in milliseconds, where nothing else is said. */
export const defaultTailGraceMillis = 1_000

/** Whether any reason to keep is given at all: without one, unsampled spans need not be recorded. */
export const isActive = (options: TailOptions | undefined): boolean =>
  options !== undefined &&
  (options.keepErrors !== false || options.keepSlowerThanMillis !== undefined || (options.rules?.length ?? 0) > 0)

/** Every `sampling.reason` that there may be; `undefined` where nothing is held for a decision. */
export const keepReasons = (options: TailOptions | undefined): ReadonlyArray<string> | undefined => {
  if (options === undefined || !isActive(options)) return undefined
  const rules = (options.rules ?? []).map((rule) => `rule:${rule.name}`)
  return [
    ...(options.keepErrors === false ? [] : ["error"]),
    ...(options.keepSlowerThanMillis === undefined ? [] : ["slow"]),
    ...new Set(rules)
  ]
}

/** What is known of a local trace: the spans held, then the decision. */
class Held {
  spans: Array<EndedSpan> = []
  bytes = 0
  failed = false
  root: EndedSpan | undefined
  /** `undefined` until decided; `false` for dropped; otherwise the reason to keep. */
  decision: string | false | undefined
  older: Held | undefined
  newer: Held | undefined
}

const decided = (decision: string | false): Held => {
  const held = new Held()
  held.decision = decision
  return held
}

/** Holds undecided local traces, and hands on the spans of those that are kept. A rule that throws says no. */
export class Tail {
  private readonly diagnostics: Diagnostics
  private readonly timing: Timing
  private readonly keep: (span: EndedSpan, reason: string) => void
  private readonly keepErrors: boolean
  private readonly slowNanos: number
  private readonly rules: ReadonlyArray<TailRule>
  private readonly maxSpans: number
  private readonly maxBytes: number
  private readonly graceMillis: number
  private readonly dropped = decided(false)
  private readonly keptFor = new Map<string, Held>()
  // Undecided local traces, oldest first.
  private oldest: Held | undefined
  private newest: Held | undefined
  private spans = 0
  private bytes = 0
  /** Local traces whose root has ended while children are open, with the moment at which the wait is over. */
  private waiting: Array<{ readonly held: Held; readonly until: number }> = []
  private cancelTimer: (() => void) | undefined

  constructor(
    options: TailOptions,
    diagnostics: Diagnostics,
    timing: Timing,
    keep: (span: EndedSpan, reason: string) => void
  ) {
    this.diagnostics = diagnostics
    this.timing = timing
    this.keep = keep
    this.keepErrors = options.keepErrors !== false
    this.slowNanos = options.keepSlowerThanMillis === undefined ? Infinity : options.keepSlowerThanMillis * 1e6
    this.rules = options.rules ?? []
    this.maxSpans = options.maxSpans ?? defaultTailMaxSpans
    this.maxBytes = options.maxBytes ?? defaultTailMaxBytes
    this.graceMillis = options.graceMillis ?? defaultTailGraceMillis
  }

  /** Spans that wait for a decision. */
  get heldSpans(): number {
    return this.spans
  }

  /** Takes a span that ended and that head sampling had not chosen. */
  offer(span: EndedSpan): void {
    const local = span.localTrace
    let held = local.held as Held | undefined
    if (held === undefined) {
      if (span.isLocalRoot && local.openSpans <= 0) {
        // Alone: nothing needs to be held.
        const reason = this.verdict([span], span, span.statusCode === 2)
        local.held = reason === false ? this.dropped : this.decidedFor(reason)
        if (reason === false) this.diagnostics.notKept++
        else this.keepOne(span, reason)
        return
      }
      held = new Held()
      local.held = held
      this.link(held)
    } else if (held.decision !== undefined) {
      this.diagnostics.late++
      if (held.decision === false) this.diagnostics.notKept++
      else this.keepOne(span, held.decision)
      return
    }
    const size = sizeOf(span)
    held.spans.push(span)
    held.bytes += size
    this.spans++
    this.bytes += size
    if (span.statusCode === 2) held.failed = true
    if (span.isLocalRoot) held.root = span
    if (held.root !== undefined) this.rootHasEnded(held, local.openSpans <= 0)
    if (this.spans > this.maxSpans || this.bytes > this.maxBytes) this.relieve()
  }

  /** Decides all that is undecided. */
  decideAll(): void {
    while (this.oldest !== undefined) this.decide(this.oldest, this.verdictOf(this.oldest))
    this.waiting = []
    this.cancelTimer?.()
    this.cancelTimer = undefined
  }

  private rootHasEnded(held: Held, isComplete: boolean): void {
    const verdict = this.verdictOf(held)
    if (verdict !== false || isComplete) return this.decide(held, verdict)
    if (held.spans.at(-1) !== held.root) return // it waits already
    this.waiting.push({ held, until: this.timing.now() + this.graceMillis })
    this.wake()
  }

  private wake(): void {
    if (this.cancelTimer !== undefined || this.waiting.length === 0) return
    this.cancelTimer = this.timing.after(this.waiting[0]!.until - this.timing.now(), () => {
      this.cancelTimer = undefined
      const now = this.timing.now()
      let over = 0
      while (over < this.waiting.length && this.waiting[over]!.until <= now) over++
      for (const { held } of this.waiting.splice(0, over)) {
        if (held.decision === undefined) this.decide(held, this.verdictOf(held))
      }
      this.wake()
    })
  }

  private relieve(): void {
    while (this.oldest !== undefined && (this.spans > this.maxSpans || this.bytes > this.maxBytes)) {
      this.diagnostics.decidedEarly++
      this.diagnostics.sayRarely(
        "decidedEarly",
        "warn",
        "OpenTelemetry export: memory for undecided traces is full, the oldest are decided before they have ended",
        () => ({ held: this.spans, decidedEarly: this.diagnostics.decidedEarly })
      )
      this.decide(this.oldest, this.verdictOf(this.oldest))
    }
  }

  private decide(held: Held, decision: string | false): void {
    const { spans } = held
    held.decision = decision
    held.spans = []
    held.root = undefined
    this.spans -= spans.length
    this.bytes -= held.bytes
    this.unlink(held)
    if (decision === false) this.diagnostics.notKept += spans.length
    else for (const span of spans) this.keepOne(span, decision)
  }

  private keepOne(span: EndedSpan, reason: string): void {
    this.diagnostics.kept(reason, 1)
    this.keep(span, reason)
  }

  private decidedFor(reason: string): Held {
    let held = this.keptFor.get(reason)
    if (held === undefined) {
      held = decided(reason)
      this.keptFor.set(reason, held)
    }
    return held
  }

  private verdictOf(held: Held): string | false {
    return this.verdict(held.spans, held.root, held.failed)
  }

  private verdict(spans: ReadonlyArray<EndedSpan>, root: EndedSpan | undefined, failed: boolean): string | false {
    if (failed && this.keepErrors) return "error"
    if (root !== undefined && root.durationNanos >= this.slowNanos) return "slow"
    for (const rule of this.rules) {
      try {
        if (rule.keep({ root, spans, failed })) return `rule:${rule.name}`
      } catch (error) {
        this.diagnostics.internal(`sampling rule "${rule.name}"`, error)
      }
    }
    return false
  }

  private link(held: Held): void {
    held.older = this.newest
    if (this.newest === undefined) this.oldest = held
    else this.newest.newer = held
    this.newest = held
  }

  private unlink(held: Held): void {
    if (held.older === undefined) this.oldest = held.newer
    else held.older.newer = held.newer
    if (held.newer === undefined) this.newest = held.older
    else held.newer.older = held.older
    held.older = undefined
    held.newer = undefined
  }
}
