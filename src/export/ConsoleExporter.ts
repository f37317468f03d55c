/**
 * Prints each trace as a tree once it is complete: `OTEL_TRACES_EXPORTER=console`.
 *
 * It gathers the spans of a local trace (what this process makes under one local root) and draws them with `TraceTree`
 * when the root and everything under it has ended, so that what stands in the terminal reads from top to bottom, request
 * by request, instead of span by span in the order of their ends.
 *
 * **Details**
 *
 * - Spans still open when their root ends are waited for, `grace` long (default 1 second). A root that does not end
 *   (a background loop) has its spans drawn every `patience` (default 30 seconds). Spans that end after their trace was
 *   drawn are drawn on their own, and say so.
 * - Memory: at most `maxSpans` spans are held (default 10,000); beyond it the oldest trace is drawn as it is. Of one
 *   trace the first 2,000 spans are held and 500 are drawn; the others are counted.
 * - Each trace is one call of the output's `write`, made outside the code that ended the span.
 * - It never throws. Once the output is gone (`EPIPE`, a closed terminal) nothing is held or drawn any more. An output
 *   that does not keep up (more than 1 MiB waiting in it) loses traces, which `status` counts.
 *
 * **Gotchas**
 *
 * Output is for people. It follows the terminal's width, `NO_COLOR` and `FORCE_COLOR`, and its form may change; for
 * machines use OTLP.
 *
 * **Example** (A trace in the terminal)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as ConsoleExporter from "effect-telemetry/export/ConsoleExporter"
 * import * as Tracer from "effect-telemetry/tracer/Tracer"
 *
 * const exporter = ConsoleExporter.make()
 *
 * const program = Effect.sleep("2 millis").pipe(Effect.withSpan("db.select"), Effect.withSpan("GET /users/:id"))
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Tracer.layer({ receiver: exporter }))))
 * exporter.close()
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otel/trace/sdk_exporters/stdout/
 */
import type { SpanData } from "../tracer/SpanData.ts"
import type { EndedSpan, LocalTrace, SpanReceiver } from "../tracer/SpanReceiver.ts"
import { render, type RenderOptions, type Terminal, terminalOptions } from "./TraceTree.ts"

/** Where traces are written: `process.stdout`, `process.stderr` or anything with a `write`. */
export interface ConsoleOutput extends Terminal {
  /** The callback, which streams call once the text is out or has failed, is given where the output has an `on`. */
  readonly write: (text: string, callback?: () => void) => unknown
  /** Bytes that wait in the output: where they are too many, nothing is added. */
  readonly writableLength?: number | undefined
  readonly on?: ((event: "error", listener: (error: Error) => void) => unknown) | undefined
  readonly removeListener?: ((event: "error", listener: (error: Error) => void) => unknown) | undefined
}

/** Options of {@link make}. */
export interface ConsoleExporterOptions {
  /** Default `process.stdout`. */
  readonly output?: ConsoleOutput | undefined
  /** How long to wait for open spans once their local root has ended, in milliseconds. Default 1,000. */
  readonly grace?: number | undefined
  /** How long to wait for a local root to end, in milliseconds from its first ended span. Default 30,000. */
  readonly patience?: number | undefined
  /** How many spans are held at most. Default 10,000. */
  readonly maxSpans?: number | undefined
  /** How traces are drawn; what is left out follows the output and the environment (`terminalOptions`). */
  readonly render?: RenderOptions | undefined
}

/** What a console exporter has done and holds. */
export interface ConsoleExporterStatus {
  /** Times a trace, or a part of one, was written. */
  readonly printed: number
  /** Spans that wait for their trace to be complete. */
  readonly held: number
  /** Spans that were not drawn: too many in one trace, an output that did not keep up, or one that is gone. */
  readonly lost: number
  /** Whether the exporter was closed, or its output is gone. */
  readonly closed: boolean
}

/** A receiver that prints. */
export interface ConsoleExporter extends SpanReceiver {
  /** Prints what is complete now, instead of a moment later. */
  readonly flush: () => void
  /** Prints everything that is held, complete or not, and takes nothing more. */
  readonly close: () => void
  readonly status: () => ConsoleExporterStatus
}

interface Held {
  readonly trace: LocalTrace
  readonly spans: Array<SpanData>
  more: number
  /** When it is drawn, complete or not (milliseconds, monotonic). */
  deadline: number
  rootSeen: boolean
}

const maxSpansOfTrace = 2000
const maxDrawnOfTrace = 500
const maxWaitingBytes = 1024 * 1024

/** Makes a receiver that prints traces. */
export const make = (options: ConsoleExporterOptions = {}): ConsoleExporter => {
  const output: ConsoleOutput = options.output ?? process.stdout
  const grace = options.grace ?? 1000
  const patience = options.patience ?? 30_000
  const maxSpans = options.maxSpans ?? 10_000

  const heldTraces = new Map<LocalTrace, Held>()
  const drawnBefore = new WeakSet<LocalTrace>()
  let held = 0
  let printed = 0
  let lost = 0
  let closed = false
  let soon: NodeJS.Immediate | undefined
  let timer: NodeJS.Timeout | undefined
  let timerAt = Infinity

  const onError = (): void => gone()
  let writing = 0
  const finished = (): void => {
    // The `error` event comes after the callback.
    setImmediate(() => {
      if (--writing === 0) output.removeListener?.("error", onError)
    })
  }

  const gone = (): void => {
    closed = true
    for (const entry of heldTraces.values()) lost += entry.spans.length + entry.more
    heldTraces.clear()
    held = 0
    if (timer !== undefined) clearTimeout(timer)
    if (soon !== undefined) clearImmediate(soon)
  }

  const write = (text: string, spans: number): void => {
    if ((output.writableLength ?? 0) > maxWaitingBytes) {
      lost += spans
      return
    }
    try {
      if (output.on === undefined) {
        output.write(text)
      } else {
        // An error of our own write must not become an uncaught `error` event. Those of the application's are its own.
        if (writing++ === 0) output.on("error", onError)
        output.write(text, finished)
      }
      printed++
    } catch {
      lost += spans
      gone()
    }
  }

  const noteOf = (entry: Held): Pick<RenderOptions, "note" | "missingParents"> => {
    const parts: Array<string> = []
    const again = drawnBefore.has(entry.trace)
    if (again) parts.push("continued")
    else if (!entry.trace.rootEnded) parts.push("its root has not ended yet")
    else if (entry.trace.openSpans > 0) parts.push(`${entry.trace.openSpans} still open`)
    if (entry.more > 0) parts.push(`${entry.more} more not held`)
    const open = entry.trace.openSpans > 0 || !entry.trace.rootEnded
    return {
      note: parts.length > 0 ? parts.join(", ") : undefined,
      missingParents: again ? "drawn before or still open" : open ? "still open" : undefined
    }
  }

  const draw = (entry: Held): void => {
    heldTraces.delete(entry.trace)
    held -= entry.spans.length
    lost += entry.more
    let text: string
    try {
      text = render(entry.spans, {
        maxSpans: maxDrawnOfTrace,
        ...terminalOptions(output),
        ...noteOf(entry),
        ...options.render
      })
    } catch {
      lost += entry.spans.length
      return
    }
    drawnBefore.add(entry.trace)
    write(`${text}\n`, entry.spans.length)
  }

  const isComplete = (entry: Held): boolean => entry.trace.rootEnded && entry.trace.openSpans <= 0

  const schedule = (at: number): void => {
    if (at >= timerAt) return
    if (timer !== undefined) clearTimeout(timer)
    timerAt = at
    timer = setTimeout(sweep, Math.max(0, at - performance.now()))
    // Waiting for a span is no reason to keep the process.
    timer.unref()
  }

  const flush = (): void => {
    if (soon !== undefined) clearImmediate(soon)
    soon = undefined
    for (const entry of heldTraces.values()) if (isComplete(entry)) draw(entry)
  }

  const sweep = (): void => {
    timer = undefined
    timerAt = Infinity
    const now = performance.now()
    for (const entry of heldTraces.values()) {
      if (isComplete(entry) || entry.deadline <= now) draw(entry)
      else schedule(entry.deadline)
    }
  }

  const evict = (): void => {
    for (const entry of heldTraces.values()) {
      if (held <= maxSpans) return
      draw(entry)
    }
  }

  const hold = (span: EndedSpan): void => {
    const trace = span.localTrace
    let entry = heldTraces.get(trace)
    if (entry === undefined) {
      entry = { trace, spans: [], more: 0, deadline: performance.now() + patience, rootSeen: false }
      heldTraces.set(trace, entry)
      schedule(entry.deadline)
    }
    if (entry.spans.length < maxSpansOfTrace || span.isLocalRoot) {
      entry.spans.push(span.seal())
      held++
    } else {
      entry.more++
    }
    if (!entry.rootSeen && (span.isLocalRoot || trace.rootEnded)) {
      entry.rootSeen = true
      entry.deadline = Math.min(entry.deadline, performance.now() + grace)
      schedule(entry.deadline)
    }
    // Outside the code that ended the span, and after the tracer has counted it out.
    if (entry.rootSeen && soon === undefined) soon = setImmediate(flush)
    if (held > maxSpans) evict()
  }

  return {
    takesUnsampled: false,
    ended: (span) => {
      if (closed || !span.sampled) return
      try {
        hold(span)
      } catch {
        lost++
      }
    },
    flush,
    close: () => {
      if (closed) return
      for (const entry of heldTraces.values()) draw(entry)
      gone()
    },
    status: () => ({ printed, held, lost, closed })
  }
}
