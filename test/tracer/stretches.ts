/**
 * Run by a test, in a process whose storages work as those of Node.js 22: in many fibers, nested and waiting, the active span of
 * OpenTelemetry is the current one. Prints how many times it looked.
 */
import * as Otel from "@opentelemetry/api"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Tracer from "../../src/tracer/Tracer.ts"
import { withSpan } from "../../src/tracer/withSpan.ts"

let looks = 0
const check = Effect.gen(function* () {
  const active = Otel.trace.getActiveSpan()?.spanContext().spanId
  const { spanId } = yield* Effect.currentSpan
  if (active !== spanId) throw new Error(`active is ${active}, current is ${spanId}`)
  looks++
})

const step = (n: number): Effect.Effect<unknown, unknown> => {
  switch (n % 5) {
    case 0:
      return check.pipe(withSpan("at once"))
    case 1:
      return Effect.promise(() => Promise.resolve()).pipe(Effect.andThen(check), withSpan("later"))
    case 2:
      return Effect.forkChild(check).pipe(Effect.flatMap(Fiber.join), Effect.withSpan("in a fiber of its own"))
    case 3:
      return Effect.andThen(step(n + 1), check).pipe(withSpan("nested"))
    default:
      return Effect.andThen(Effect.yieldNow, check)
  }
}

const fiber = (i: number) =>
  Effect.forEach(
    Array.from({ length: 20 }, (_, n) => i + n),
    (n) => Effect.andThen(step(n), check)
  ).pipe(withSpan(`fiber ${i}`))

await Effect.runPromise(
  Effect.forEach([0, 1, 2, 3, 4, 5, 6, 7], fiber, { concurrency: "unbounded" }).pipe(
    withSpan("all"),
    Effect.provide(Tracer.layer({ receiver: { takesUnsampled: false, ended: () => {} } }))
  )
)
process.stdout.write(`${looks} looks\n`)
