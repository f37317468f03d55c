/**
 * Draws traces as trees of text: what a terminal shows of a request.
 *
 * Pure: spans in, text out. It takes the ended spans of one or of several traces in any order, complete or not, and
 * draws each trace with its names, durations, a bar on the trace's time line, the attributes that say more than the
 * name, retries, failures with their reason, and links.
 *
 * ```text
 * trace 4bf92f3577b34da6a3ce929d0e0e4736  7 spans  100 ms  3 errors  1 retry
 *   user.id=u_42  request.id=req-7  trace.correlation_id=corr-9
 *
 * ✗ POST /posts            100 ms  ━━━━━━━━━━━━━━━━━━━━━━━━━━  503
 * ✗ └─ feed.create_post   98.0 ms  ━━━━━━━━━━━━━━━━━━━━━━━━━━  post.id=p_9
 *      ├─ db.insert       3.00 ms  ╺╸                          INSERT posts  1 row
 *      ├─ s3.put_object   40.0 ms    ╺━━━━━━━━━━               s3.bucket=audio
 *      │     ↻ retry 1   +20.0 ms       ◆                      in 10.0 ms  Unavailable: read ECONNRESET
 *      ├─ cache.get          0 ms               ╸              cache.hit=false
 * ✗    └─ es.index        39.0 ms                 ╺━━━━━━━━━━  es.index=posts
 *            ✗ Unavailable: connect ECONNREFUSED 127.0.0.1:9200 (SearchError)
 * ```
 *
 * **Details**
 *
 * - Attributes: by default all but those that the name, the bar or the error line says already (`db.system.name`,
 *   `http.request.method`, `server.address`, …). What belongs to the whole request (`user.id`, `organization.id`,
 *   `request.id`, `trace.correlation_id`) stands once, in the header, and on a span only where it differs.
 * - A failure is told where it happened; spans that only pass it on are marked, without telling it again.
 * - A span whose parent is not among the spans hangs under a line `parent … not received`, and the header says that the
 *   trace is incomplete. Parents in a circle are cut open. Work is linear in the spans, whatever their shape.
 *
 * **Gotchas**
 *
 * Names and values come from outside the program, so every control character in them is written out (`\u{1b}`): a
 * span cannot steer the terminal.
 *
 * **Example** (Drawing spans)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as TraceTree from "effect-telemetry/export/TraceTree"
 * import * as TestTelemetry from "effect-telemetry/testing/TestTelemetry"
 *
 * const program = Effect.gen(function* () {
 *   yield* Effect.void.pipe(Effect.withSpan("db.select"), Effect.withSpan("GET /users/:id", { kind: "server" }))
 *   const spans = yield* TestTelemetry.spans
 *   process.stdout.write(TraceTree.render(spans.map((span) => span.data), TraceTree.terminalOptions(process.stdout)))
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(TestTelemetry.layer())))
 * ```
 */
import type { SpanData } from "../tracer/SpanData.ts"
import { renderTrace } from "./internal/traceTreeText.ts"

/** A span in its place. */
export interface TraceNode {
  readonly span: SpanData
  /** By start; spans that started at the same time stay in the order given. */
  readonly children: ReadonlyArray<TraceNode>
  /**
   * What became of the parent: there is `none`, it is `present`, it is of another process (`remote`), it was not among
   * the spans (`missing`), or the span is its own ancestor (`circular`).
   */
  readonly parent: "none" | "present" | "remote" | "missing" | "circular"
}

/** The spans of one trace. */
export interface Trace {
  readonly traceId: string
  /** What has no parent here, by start: one span where the trace is complete. */
  readonly roots: ReadonlyArray<TraceNode>
  readonly spanCount: number
  /** Ids of parents of this process that were not among the spans: the trace is incomplete. */
  readonly missingParents: ReadonlyArray<string>
}

interface MutableNode {
  readonly span: SpanData
  readonly children: Array<MutableNode>
  parent: TraceNode["parent"]
  up: MutableNode | undefined
}

const byStart = (a: MutableNode, b: MutableNode): number =>
  a.span.startSeconds - b.span.startSeconds || a.span.startNanos - b.span.startNanos

const isSameSpan = (a: SpanData, b: SpanData): boolean =>
  a === b ||
  (a.name === b.name &&
    a.kindCode === b.kindCode &&
    a.startSeconds === b.startSeconds &&
    a.startNanos === b.startNanos &&
    a.endSeconds === b.endSeconds &&
    a.endNanos === b.endNanos)

/** Cuts one edge of every circle of parents, so that each span can be reached from a root. */
const openCircles = (nodes: ReadonlyArray<MutableNode>): void => {
  const seenBy = new Map<MutableNode, MutableNode>()
  for (const start of nodes) {
    let node: MutableNode | undefined = start
    while (node !== undefined && !seenBy.has(node)) {
      seenBy.set(node, start)
      node = node.up
    }
    if (node !== undefined && seenBy.get(node) === start) {
      node.up = undefined
      node.parent = "circular"
    }
  }
}

const makeTrace = (traceId: string, spans: ReadonlyArray<SpanData>): Trace => {
  const byId = new Map<string, MutableNode>()
  const nodes: Array<MutableNode> = []
  for (const span of spans) {
    const known = byId.get(span.spanId)
    // A batch that was sent twice.
    if (known !== undefined && isSameSpan(known.span, span)) continue
    const node: MutableNode = { span, children: [], parent: "none", up: undefined }
    nodes.push(node)
    if (known === undefined) byId.set(span.spanId, node)
  }
  const missing = new Set<string>()
  for (const node of nodes) {
    const id = node.span.parentSpanId
    if (id === undefined || id === "") continue
    node.up = byId.get(id)
    if (node.up !== undefined) {
      node.parent = "present"
    } else if (node.span.parentIsRemote) {
      node.parent = "remote"
    } else {
      node.parent = "missing"
      missing.add(id)
    }
  }
  openCircles(nodes)
  nodes.sort(byStart)
  const roots: Array<MutableNode> = []
  for (const node of nodes) (node.up?.children ?? roots).push(node)
  return { traceId, roots, spanCount: nodes.length, missingParents: [...missing] }
}

/** Builds the trees of the spans, one for each trace id, in the order in which the trace ids first appear. */
export const fromSpans = (spans: Iterable<SpanData>): Array<Trace> => {
  const byTrace = new Map<string, Array<SpanData>>()
  for (const span of spans) {
    const list = byTrace.get(span.traceId)
    if (list === undefined) byTrace.set(span.traceId, [span])
    else list.push(span)
  }
  return Array.from(byTrace, ([traceId, list]) => makeTrace(traceId, list))
}

/** How a trace is drawn. */
export interface RenderOptions {
  /** Whether to use colours (ANSI escape sequences). Default `false`. */
  readonly color?: boolean | undefined
  /** Whether to write nothing but ASCII; other characters of names and values are written out. Default `false`. */
  readonly ascii?: boolean | undefined
  /** Columns of a line, 40 to 240. Default {@link defaultWidth}. No line is longer. */
  readonly width?: number | undefined
  /**
   * Which attributes: those that say more than the name (`selected`, the default), `all`, or those whose key the
   * function takes.
   */
  readonly attributes?: "selected" | "all" | ((key: string) => boolean) | undefined
  /** How many spans of one trace are drawn; the others are counted. Default: all. */
  readonly maxSpans?: number | undefined
  /** How many events of one span are drawn, besides its failure; the others are counted. Default 10. */
  readonly maxEvents?: number | undefined
  /** A remark for the header: why the trace is shown as it is. */
  readonly note?: string | undefined
  /**
   * What is said of parents that are not among the spans, where the caller knows better than `not received`; the
   * header then does not call the trace incomplete.
   */
  readonly missingParents?: string | undefined
}

/** Columns where the terminal does not tell: 110. */
export const defaultWidth = 110

/**
 * Draws the traces of the spans, each ended by a line break, with an empty line between two. No spans, no text.
 *
 * Takes spans of this library's tracer; spans of the OpenTelemetry SDK go through `fromReadableSpan` of
 * `export/ForeignSpan`.
 */
export const render = (spans: Iterable<SpanData>, options?: RenderOptions): string =>
  fromSpans(spans)
    .map((trace) => renderTrace(trace, options))
    .join("\n")

/** What {@link terminalOptions} asks of an output: `process.stdout` is one. */
export interface Terminal {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
}

const charset = (environment: Readonly<Record<string, string | undefined>>): string | undefined =>
  environment["LC_ALL"] || environment["LC_CTYPE"] || environment["LANG"] || undefined

/**
 * What suits an output: colours only on a terminal, its width, and ASCII where the locale is not UTF-8.
 *
 * **Details**
 *
 * `FORCE_COLOR` (anything but `0` and `false`) wins over `NO_COLOR` (anything but empty), as in Node.js, and both win
 * over what the output is. `TERM=dumb` is no colours and ASCII. A locale (`LC_ALL`, `LC_CTYPE`, `LANG`) that is set and
 * not UTF-8 is ASCII.
 *
 * @see https://no-color.org
 */
export const terminalOptions = (
  output: Terminal,
  environment: Readonly<Record<string, string | undefined>> = process.env
): Pick<RenderOptions, "color" | "ascii" | "width"> => {
  const force = environment["FORCE_COLOR"]
  const dumb = environment["TERM"] === "dumb"
  const locale = charset(environment)
  return {
    color:
      force !== undefined
        ? force !== "0" && force !== "false"
        : !environment["NO_COLOR"] && output.isTTY === true && !dumb,
    ascii: dumb || (locale !== undefined && !/utf-?8/i.test(locale)),
    width: output.isTTY === true && output.columns !== undefined && output.columns > 0 ? output.columns : defaultWidth
  }
}
