/**
 * A program with telemetry, as a process of its own. The first argument says what it does:
 *
 * - `idle`: builds the layer and says which resources keep the process alive
 * - `signal [N]`: ends a span, says so, and waits for a signal, with nobody else listening for one; flushes for N ms at most
 * - `main`: the same under `NodeRuntime.runMain`
 * - `burst N`: ends N spans in one tick and lets the layer close
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Telemetry from "../../src/Telemetry.ts"

const [what, count = "0"] = process.argv.slice(2)
const span = (name: string) => Effect.void.pipe(Effect.withSpan(name))
const say = (line: string) => Effect.sync(() => process.stdout.write(`${line}\n`))

switch (what) {
  case "idle":
    await Effect.runPromise(
      Effect.gen(function* () {
        yield* span("never sent")
        yield* say(
          `resources ${JSON.stringify(process.getActiveResourcesInfo().filter((name) => !/Pipe|TTY|FS/.test(name)))}`
        )
        yield* say(`listeners ${process.listenerCount("SIGTERM")}`)
      }).pipe(Effect.provide(Telemetry.layer()))
    )
    break
  case "signal":
    Effect.runFork(
      Effect.gen(function* () {
        yield* span("before the signal")
        yield* say("ready")
        yield* Effect.never
      }).pipe(
        Effect.provide(Telemetry.layer({ enabled: true, shutdownTimeout: count === "0" ? undefined : Number(count) }))
      )
    )
    setInterval(() => {}, 1_000)
    break
  case "main":
    NodeRuntime.runMain(
      Effect.gen(function* () {
        yield* span("before the signal")
        yield* say("ready")
        yield* Effect.never
      }).pipe(Effect.provide(Telemetry.layer({ enabled: true })))
    )
    break
  case "burst":
    await Effect.runPromise(
      Effect.gen(function* () {
        for (let i = 0; i < Number(count); i++) yield* span("burst")
      }).pipe(Effect.provide(Telemetry.layer({ enabled: true, shutdownTimeout: "10 seconds" })))
    )
    yield_()
}

function yield_() {
  process.stdout.write("done\n")
}
