/**
 * What a test needs to assert on traces: a layer that installs this library's tracer with a collector in memory, and
 * assertions that say which spans are expected and, where they are not there, draw both trees side by side.
 *
 * Each layer has a collector of its own and nothing is global: tests may run at the same time, and no OpenTelemetry API
 * needs to be registered or reset. Times come from the fiber's clock, so that under `TestClock` durations are exact.
 *
 * In a test, provide the layer and ask for what should have happened:
 *
 * ```ts vitest
 * import { it } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as TestTelemetry from "effect-telemetry/testing/TestTelemetry"
 *
 * const createPost = (post: { readonly id: string }) =>
 *   Effect.void.pipe(
 *     Effect.withSpan("db.insert"),
 *     Effect.andThen(Effect.void.pipe(Effect.withSpan("cache.delete"))),
 *     Effect.withSpan("feed.create_post", { attributes: { "post.id": post.id } })
 *   )
 *
 * it.effect("creates a post", () =>
 *   Effect.gen(function* () {
 *     yield* createPost({ id: "p1" })
 *     yield* TestTelemetry.expectTrace({
 *       name: "feed.create_post",
 *       attributes: { "post.id": "p1" },
 *       children: ["db.insert", { name: "cache.delete", status: "unset" }]
 *     })
 *   }).pipe(Effect.provide(TestTelemetry.layer()))
 * )
 * ```
 *
 * A failure reads:
 *
 * ```text
 * AssertionError: the trace is not as expected: 2 differences
 *
 *   EXPECTED            ACTUAL
 *   feed.create_post    feed.create_post
 *   │  post.id: "p1"  ≠ │  post.id: "p2"
 *   ├─ db.insert        └─ db.insert
 *   └─ cache.delete   -
 *
 *   1. feed.create_post: post.id: expected "p1", was "p2"
 *   2. feed.create_post > cache.delete: expected, but there is no such span
 * ```
 *
 * **Details**
 *
 * - An assertion that does not hold is a **defect** (a `TraceAssertionError`), as with `assert`: it fails the test, it
 *   stays out of the error type of the effect under test, and no `Effect.catch` of the program swallows it.
 * - Spans may end a moment after the effect that one waits for (background fibers, a server's span after its
 *   response). `expectTrace` and `expectSpan` therefore look again after yielding, at most 1,000 times: bounded by
 *   a count, not by time, so a test that fails fails at once. `eventually` does the same for any check.
 * - Spans are seen as an exporter would see them: after limits and redaction.
 * - The context of `@opentelemetry/api` is global, so it does not follow the current span unless `interoperation: true`
 *   asks for it: for tests of libraries that speak OpenTelemetry by themselves.
 *
 * **Gotchas**
 *
 * - A block `layer(TestTelemetry.layer())("…", (it) => …)` of `@effect/vitest` builds the layer once for all its tests.
 *   Begin each of them with `yield* TestTelemetry.clear`, or provide a layer in each test, which takes precedence.
 * - Services that start spans in fibers of their own (an HTTP server) take the tracer that is there when they are built:
 *   provide this layer below them (`Layer.provideMerge(TestTelemetry.layer())`).
 *
 * **Example** (Asserting on a trace)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as TestTelemetry from "effect-telemetry/testing/TestTelemetry"
 *
 * const createPost = (id: string) =>
 *   Effect.void.pipe(
 *     Effect.withSpan("db.insert", { kind: "client", attributes: { "db.response.returned_rows": 1 } }),
 *     Effect.withSpan("feed.create_post", { attributes: { "post.id": id } })
 *   )
 *
 * const test = Effect.gen(function* () {
 *   yield* createPost("p1")
 *   yield* TestTelemetry.expectTrace({
 *     name: "feed.create_post",
 *     status: "unset",
 *     attributes: { "post.id": /^p\d+$/, "error.type": undefined },
 *     children: [
 *       { name: "db.insert", kind: "client", attributes: { "db.response.returned_rows": (rows: number) => rows > 0 } }
 *     ]
 *   })
 * })
 *
 * await Effect.runPromise(test.pipe(Effect.provide(TestTelemetry.layer())))
 * ```
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { clean } from "../export/internal/terminal.ts"
import * as TraceTree from "../export/TraceTree.ts"
import type { EndedSpan, SpanReceiver } from "../tracer/SpanReceiver.ts"
import * as Tracer from "../tracer/Tracer.ts"
import { compare, type Comparison, type Expected, type ExpectedSpan, type Pair } from "./ExpectedTrace.ts"
import { differencesOf, drawComparison } from "./internal/drawComparison.ts"
import { showExpected } from "./internal/show.ts"
import { fromSpanData, type TestNode, type TestSpan, trees } from "./TestSpan.ts"

export type { Expected, ExpectedAttributes, ExpectedEvent, ExpectedLink, ExpectedSpan } from "./ExpectedTrace.ts"
export type { TestEvent, TestLink, TestNode, TestSpan } from "./TestSpan.ts"

/** The spans of one test, as a receiver of a tracer. */
export interface Collector extends SpanReceiver {
  /** Ended spans, in the order of their ends. */
  readonly spans: () => ReadonlyArray<TestSpan>
  /** A tree for each span that has no parent here, in the order of their starts. */
  readonly traces: () => ReadonlyArray<TestNode>
  /** Names of spans that have started and not ended. */
  readonly open: () => ReadonlyArray<string>
  /** Forgets the ended spans. */
  readonly clear: () => void
  /** How many spans have ended since the collector was made. */
  readonly count: () => number
}

/** Makes a collector without a tracer: a receiver for one that the test builds itself. */
export const makeCollector = (options?: { readonly takesUnsampled?: boolean | undefined }): Collector => {
  const started = new Map<string, { readonly order: number; readonly span: EndedSpan }>()
  let ended: Array<{ readonly order: number; readonly span: TestSpan }> = []
  let order = 0
  let count = 0
  return {
    takesUnsampled: options?.takesUnsampled ?? false,
    started: (span) => {
      started.set(span.spanId, { order: order++, span })
    },
    ended: (span) => {
      const data = span.seal()
      // What ended last may have started first, and under TestClock at the same time.
      ended.push({ order: started.get(data.spanId)?.order ?? order++, span: fromSpanData(data) })
      started.delete(data.spanId)
      count++
    },
    spans: () => ended.map(({ span }) => span),
    traces: () => trees(ended.toSorted((a, b) => a.order - b.order).map(({ span }) => span.data)),
    open: () => Array.from(started.values(), ({ span }) => span.name),
    clear: () => {
      ended = []
    },
    count: () => count
  }
}

/** The collector of the present test. */
export class TestTelemetry extends Context.Service<TestTelemetry, Collector>()(
  "effect-telemetry/testing/TestTelemetry"
) {}

/**
 * Options of {@link layer}: those of the tracer, besides the receiver, which is the collector. `interoperation` (keeping
 * the context of `@opentelemetry/api` in step) is `false` here unless asked for, because that context is global.
 */
export interface Options extends Omit<Tracer.TracerOptions, "receiver"> {
  /** Whether spans that head sampling dropped are collected too, as where tail decisions are on. Default `false`. */
  readonly takesUnsampled?: boolean | undefined
}

/** Installs this library's tracer with a new collector. Every call makes a layer of its own. */
export const layer = (options: Options = {}): Layer.Layer<TestTelemetry> =>
  Layer.unwrap(
    Effect.sync(() => {
      const collector = makeCollector(options)
      return Layer.merge(
        Layer.succeed(TestTelemetry, collector),
        Tracer.layer({ ...options, interoperation: options.interoperation ?? false, receiver: collector })
      )
    })
  )

/** Ended spans, in the order of their ends. */
export const spans: Effect.Effect<ReadonlyArray<TestSpan>, never, TestTelemetry> = Effect.map(
  Effect.service(TestTelemetry),
  (collector) => collector.spans()
)

/** The trees of the ended spans, in the order of their starts: one for each span that has no parent among them. */
export const traces: Effect.Effect<ReadonlyArray<TestNode>, never, TestTelemetry> = Effect.map(
  Effect.service(TestTelemetry),
  (collector) => collector.traces()
)

/** The one tree that there is. None or several: the test fails, and says what there is. */
export const trace: Effect.Effect<TestNode, never, TestTelemetry> = Effect.flatMap(
  Effect.service(TestTelemetry),
  (collector) => {
    const all = collector.traces()
    if (all.length === 1) return Effect.succeed(all[0]!)
    const what = all.length === 0 ? "there is none" : `there are ${all.length}: ${namesOf(all)}`
    return fail("", `expected one trace, ${what}${stillOpen(collector)}`)
  }
)

/** Forgets all ended spans: the beginning of a test that shares its layer with others. */
export const clear: Effect.Effect<void, never, TestTelemetry> = Effect.map(Effect.service(TestTelemetry), (collector) =>
  collector.clear()
)

/** All traces drawn as text (`TraceTree`), to look at while writing a test. */
export const render: Effect.Effect<string, never, TestTelemetry> = Effect.map(
  Effect.service(TestTelemetry),
  (collector) => TraceTree.render(collector.spans().map(({ data }) => data))
)

/**
 * An assertion on traces that does not hold. Its name is `AssertionError`, by which test runners know assertions; it has
 * no `actual` and `expected`, since its message draws them.
 */
export class TraceAssertionError extends Error {
  static {
    Object.defineProperty(this.prototype, "name", { value: "AssertionError", configurable: true, writable: true })
  }
}

/** How long an assertion waits for spans that have not ended yet. */
export interface WaitOptions {
  /** How often to yield to other fibers before giving up. Default {@link defaultYields}; 0: look once. */
  readonly yields?: number | undefined
}

/** 1,000: enough for everything that needs no time to pass; a few milliseconds where it is in vain. */
export const defaultYields = 1000

/**
 * Expects a trace: a tree whose root and children are as given. What is left out is not checked; see `ExpectedSpan`.
 *
 * Of several traces one has to match. Returns its root. Where none does, the test fails with the nearest one drawn
 * beside what was expected.
 */
export const expectTrace = (
  expected: ExpectedSpan,
  options?: WaitOptions
): Effect.Effect<TestNode, never, TestTelemetry> => {
  const site = here(expectTrace)
  return waitFor(options, (collector) => {
    const found = nearest(expected, collector.traces())
    if (found?.cost === 0) return found.actual
    return () => {
      if (found === undefined) {
        const missing: Comparison = { _tag: "Missing", expected, elsewhere: false, cost: 1 }
        return fail(site, `a trace was expected, but no span has ended\n\n${draw(missing, collector)}`)
      }
      const count = differencesOf(found).length
      const among = collector.traces().length
      const which = among > 1 ? `the nearest of ${among} traces` : "the trace"
      return fail(
        site,
        `${which} is not as expected: ${count} ${count === 1 ? "difference" : "differences"}\n\n${draw(found, collector)}`
      )
    }
  })
}

/**
 * Expects a span of this name, anywhere in any trace, and of what else is given; see `ExpectedSpan`. Returns the first
 * that matches.
 */
export const expectSpan = (
  name: Expected<string>,
  expected?: Omit<ExpectedSpan, "name">,
  options?: WaitOptions
): Effect.Effect<TestNode, never, TestTelemetry> => {
  const site = here(expectSpan)
  return waitFor(options, (collector) => {
    const all = collector.traces().flatMap(flatten)
    const named = all.filter((node) => compare({ name }, node).cost === 0)
    const found = nearest({ name, ...expected }, named)
    if (found?.cost === 0) return found.actual
    return () => {
      const shown = showExpected(name)
      if (found === undefined) {
        const there = all.length === 0 ? "no span has ended" : `there are: ${namesOf(all)}`
        return fail(site, `no span named ${shown}: ${there}${stillOpen(collector)}`)
      }
      const which = named.length > 1 ? `the nearest of ${named.length} spans named ${shown}` : `the span ${shown}`
      return fail(site, `${which} is not as expected\n\n${draw(found, collector)}`)
    }
  })
}

/**
 * Runs a check again and again, other fibers between, until it holds; its last outcome counts. For what the other
 * assertions do not say, about spans that end after the effect that the test waits for.
 */
export const eventually = <A, E, R>(check: Effect.Effect<A, E, R>, options?: WaitOptions): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    for (let left = options?.yields ?? defaultYields; left > 0; left--) {
      const exit = yield* Effect.exit(check)
      if (Exit.isSuccess(exit)) return exit.value
      yield* Effect.yieldNow
    }
    return yield* check
  })

/** Looks whenever a span has ended in between; what is returned as a function is the failure. */
const waitFor = (
  options: WaitOptions | undefined,
  look: (collector: Collector) => TestNode | (() => Effect.Effect<never>)
): Effect.Effect<TestNode, never, TestTelemetry> =>
  Effect.gen(function* () {
    const collector = yield* TestTelemetry
    let seen = collector.count()
    let found = look(collector)
    for (let left = options?.yields ?? defaultYields; left > 0 && typeof found === "function"; left--) {
      yield* Effect.yieldNow
      if (collector.count() === seen) continue
      seen = collector.count()
      found = look(collector)
    }
    return typeof found === "function" ? yield* found() : found
  })

const nearest = (expected: ExpectedSpan, nodes: ReadonlyArray<TestNode>) => {
  let best: Pair | undefined
  for (const node of nodes) {
    const comparison = compare(expected, node)
    if (comparison.cost === 0) return comparison
    if (best === undefined || comparison.cost < best.cost) best = comparison
  }
  return best
}

const flatten = (root: TestNode): Array<TestNode> => {
  const out: Array<TestNode> = []
  const stack = [root]
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    out.push(node)
    stack.push(...node.children.toReversed())
  }
  return out
}

const maxNames = 20

const namesOf = (nodes: ReadonlyArray<TestNode>): string => {
  const counts = new Map<string, number>()
  for (const { name } of nodes) counts.set(name, (counts.get(name) ?? 0) + 1)
  const names = Array.from(counts, ([name, count]) => clean(name, false) + (count > 1 ? ` (${count})` : ""))
  return names.slice(0, maxNames).join(", ") + (names.length > maxNames ? `, … (${names.length} names)` : "")
}

const stillOpen = (collector: Collector): string => {
  const open = collector.open()
  return open.length === 0 ? "" : `\n\nStarted, but not ended: ${open.slice(0, maxNames).map(cleanName).join(", ")}`
}

const cleanName = (name: string): string => clean(name, false)

const draw = (comparison: Comparison, collector: Collector): string => drawComparison(comparison) + stillOpen(collector)

/** Where the test called: the frames that a failure shows, since the failure itself is made in a fiber. */
const here = (above: Function): string => {
  const holder: { stack?: string } = {}
  Error.captureStackTrace(holder, above)
  const frames = (holder.stack ?? "").split("\n").slice(1)
  const own = frames.filter((frame) => !frame.includes("/node_modules/"))
  return (own.length > 0 ? own : frames).join("\n")
}

const fail = (site: string, message: string): Effect.Effect<never> => {
  const error = new TraceAssertionError(message)
  if (site !== "") error.stack = `${error.name}: ${message}\n${site}`
  return Effect.die(error)
}
