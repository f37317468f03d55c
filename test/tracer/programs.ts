/** Random programs, written on a tape of numbers: one tape is one program for every combinator that is tried on it. */
import * as OtelTracer from "@effect/opentelemetry/OtelTracer"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import * as Tracer from "effect/Tracer"

/** What a program is made with. */
export interface Combinators {
  readonly withSpan: typeof Effect.withSpan
  readonly fn: typeof Effect.fn
}

class Tagged {
  readonly _tag = "Tagged"
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
}

class WithReason {
  readonly _tag = "WithReason"
  readonly reason = { _tag: "RateLimited" }
}

const external = Tracer.externalSpan({
  traceId: "a".repeat(32),
  spanId: "b".repeat(16),
  annotations: Context.make(OtelTracer.OtelTraceFlags, 3 as 1) as Context.Context<never>
})
const externalUnsampled = Tracer.externalSpan({ traceId: "c".repeat(32), spanId: "d".repeat(16), sampled: false })

/** What the current span is, as the program sees it. */
const observe = (seen: Array<unknown>): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const span = fiber.cache.span
    seen.push(
      span?._tag !== "Span"
        ? [span?.spanId]
        : [span.name, span.spanId === "noop", Option.getOrUndefined(span.parent)?.spanId, span.kind, span.links.length]
    )
    seen.push(frames(fiber.cache.stackFrame))
    return Effect.void
  })

interface Frame {
  readonly name: string
  readonly parent?: Frame | undefined
}

const frames = (frame: Frame | undefined): string =>
  frame === undefined ? "" : `${frame.name}<${frames(frame.parent)}`

export interface Built {
  readonly program: Effect.Effect<unknown, unknown>
  /** What was observed while it ran. */
  readonly seen: Array<unknown>
}

/** Reads a program from a tape. */
export const build = (tape: ReadonlyArray<number>, { fn, withSpan }: Combinators): Built => {
  const seen: Array<unknown> = []
  let position = 0
  let spans = 0
  const next = (choices: number): number => Math.abs(Math.trunc(tape[position++] ?? 0)) % choices

  const options = (): Record<string, unknown> => {
    const chosen: Record<string, unknown> = { captureStackTrace: false }
    const bits = next(256)
    if ((bits & 1) !== 0) chosen["attributes"] = { n: bits, "a.text": `t${bits}`, none: undefined }
    if ((bits & 2) !== 0) chosen["kind"] = (["internal", "server", "client", "producer", "consumer"] as const)[bits % 5]
    if ((bits & 12) === 12) chosen["links"] = [{ span: external, attributes: { l: bits } }]
    if ((bits & 48) === 48) chosen["root"] = true
    if ((bits & 192) === 192) chosen["parent"] = (bits & 1) !== 0 ? external : externalUnsampled
    const rare = next(16)
    if (rare === 0) chosen["sampled"] = false
    if (rare === 1) chosen["level"] = "Debug"
    if (rare === 2) chosen["annotations"] = Context.make(Tracer.DisablePropagation, true)
    if (rare === 3) chosen["sampled"] = true
    return chosen
  }

  const leaf = (): Effect.Effect<unknown, unknown> => {
    switch (next(10)) {
      case 0:
        return Effect.fail(new Tagged("typed"))
      case 1:
        return Effect.fail("text")
      case 2:
        return Effect.die(new TypeError("defect"))
      case 3:
        return Effect.interrupt
      case 4:
        return Effect.fail(new WithReason())
      case 5:
        return Effect.annotateCurrentSpan("annotated", position)
      case 6:
        return Effect.andThen(TestClock.adjust(7), Effect.yieldNow)
      case 7:
        return Effect.sync(() => {
          throw new RangeError("thrown")
        })
      case 8:
        return Effect.failCause(Cause.combine(Cause.fail(new Tagged("one")), Cause.fail(new Error("two"))))
      default:
        return Effect.succeed(position)
    }
  }

  const tree = (depth: number): Effect.Effect<unknown, unknown> => {
    if (depth === 0 || position >= tape.length) return Effect.andThen(observe(seen), leaf())
    switch (next(16)) {
      case 0:
      case 1:
      case 2: {
        const name = `span${spans++}`
        const chosen = options()
        return withSpan(tree(depth - 1), name, chosen)
      }
      case 3: {
        const name = `last${spans++}`
        const { captureStackTrace: _, ...chosen } = options()
        return tree(depth - 1).pipe(withSpan(name, chosen, { captureStackTrace: false }))
      }
      case 4: {
        const name = `fn${spans++}`
        const { captureStackTrace: _, ...chosen } = options()
        const inner = tree(depth - 1)
        return fn(
          name,
          chosen
        )(function* (argument: number) {
          seen.push(argument)
          return yield* inner
        })(depth)
      }
      case 5: {
        const inner = tree(depth - 1)
        return fn(function* () {
          return yield* inner
        })()
      }
      case 6:
        return Effect.withTracerEnabled(tree(depth - 1), false)
      case 7:
        return Effect.withTracerEnabled(tree(depth - 1), true)
      case 8:
        return Effect.andThen(tree(depth - 1), tree(depth - 1))
      case 9:
        return Effect.catch(tree(depth - 1), () => observe(seen))
      case 10:
        return Effect.exit(tree(depth - 1))
      case 11:
        return Effect.annotateSpans(tree(depth - 1), "common", depth)
      case 12:
        return Effect.linkSpans(tree(depth - 1), external, { common: true })
      case 13:
        return Effect.provideService(tree(depth - 1), Tracer.MinimumTraceLevel, next(2) === 0 ? "Info" : "Warn")
      case 14: {
        const inner = tree(depth - 1)
        return Effect.flatMap(Effect.forkChild(inner), (fiber) =>
          Effect.andThen(Effect.yieldNow, next(2) === 0 ? Fiber.join(fiber) : Effect.asVoid(Fiber.interrupt(fiber)))
        )
      }
      default:
        return Effect.ensuring(tree(depth - 1), observe(seen))
    }
  }
  return { program: tree(6), seen }
}
