/**
 * `npm start`: the reference backend, its demo, and then the backend for whoever wants to play with it.
 *
 * To read on: `Backend.ts` is the whole as one layer, `Parts.ts` what it runs on, `Server.ts` its routes, which `Api/` has one
 * by one; `Posts.ts`, `Feed.ts`, `Search.ts`, `Timelines.ts`, `Recommendations.ts` and `Audio.ts` are what it does, `Data/`
 * the statements, `Jobs.ts` its background jobs. `Command/` is this command: what it says, and the demo.
 */
import { Effect, Layer, Logger, Queue } from "effect"
import { HttpServer } from "effect/http"
import * as Telemetry from "effect-telemetry/Telemetry"
import { backend } from "./Backend.ts"
import { demoFaults } from "./Command/Demo.ts"
import { runDemo } from "./Command/DemoRun.ts"
import * as Parts from "./Parts.ts"
import { run } from "./Command/Run.ts"
import { help, readSettings, type Settings } from "./Command/Settings.ts"
import * as Terminal from "./Command/Terminal.ts"
import * as Signals from "./Signals.ts"
import { makeReceiver, type Trace } from "./Command/Traces.ts"

/** What starts in which order, and how long it takes. */
const progress = Layer.succeed(Parts.Progress, {
  starting: (part, what) => Terminal.say(`  ${part.padEnd(10)} ${Terminal.dim(`starting: ${what}`)}`),
  ready: (part, detail) => Terminal.say(`  ${part.padEnd(10)} ${Terminal.green("ready")}: ${detail}`)
})

/** Traces are printed here, and sent to where the environment says, if it does; with logs and metrics, if it asks for them. */
const telemetry = (settings: Settings, traces: Queue.Queue<Trace>) => {
  const options = {
    enabled: true,
    serviceName: process.env["OTEL_SERVICE_NAME"] ?? "social-audio",
    resourceAttributes: Signals.instance(process.env),
    exporter: settings.exports ? "otlp" : "none"
  } as const
  return Signals.logs.pipe(
    Layer.provideMerge(
      Telemetry.layer({
        ...options,
        receivers: [makeReceiver(traces, Terminal.traceOutput)],
        shutdownTimeout: "3 seconds"
      })
    ),
    Layer.provideMerge(Signals.metrics(options)),
    Layer.provideMerge(Logger.layer([Terminal.logger, Logger.tracerLogger]))
  )
}

const start = (settings: Settings) =>
  Effect.gen(function* () {
    const traces = yield* Queue.unbounded<Trace>()
    Terminal.say(`\n${Terminal.bold("effect-telemetry")}: the reference backend of a social audio product\n`)

    return yield* Effect.gen(function* () {
      const { address } = yield* HttpServer.HttpServer
      const base = HttpServer.formatAddress(address)
      Terminal.say(`  ${"http".padEnd(10)} ${Terminal.green("ready")}: ${base}`)

      const { config } = yield* Telemetry.Telemetry
      Terminal.hold()
      const outcome = yield* runDemo({
        base,
        traces,
        traced: config.enabled,
        faults: settings.faults
      })
      Terminal.say(summary(outcome, settings.faults))
      Terminal.release()
      if (settings.once) return outcome.problems.every(({ onPurpose }) => onPurpose) ? 0 : 1
      Terminal.say(invitation(base))
      return yield* Effect.never
    }).pipe(
      Effect.provide(
        backend({ ...settings, faults: settings.faults ?? demoFaults }).pipe(
          Layer.provideMerge(telemetry(settings, traces)),
          Layer.provide(progress)
        )
      )
    )
  })

const summary = (outcome: Effect.Success<ReturnType<typeof runDemo>>, faults: string | undefined): string => {
  const { problems, requests, traces } = outcome
  const done = `${requests} requests, ${traces} traces`
  if (problems.length === 0) return `${done}, ${Terminal.green("all as expected")}`
  const list = (onPurpose: boolean, head: string): string => {
    const own = problems.filter((problem) => problem.onPurpose === onPurpose)
    return own.length === 0 ? "" : `, ${head}:\n${own.map(({ what }) => `  ${what}`).join("\n")}`
  }
  return (
    done +
    list(false, Terminal.red("not all as expected")) +
    list(true, Terminal.yellow(`what FAULTS=${faults} does, on purpose`))
  )
}

const invitation = (base: string): string => `
Serving on ${Terminal.bold(base)}. The trace of each of your requests is printed here. Try:

  curl ${base}/api/v1/users/u_mara
  curl -H 'x-user-id: u_wren' '${base}/api/v1/feed?type=timeline'
  curl -H 'x-user-id: u_wren' -d '{"type":"like"}' ${base}/api/v1/posts/p_01/engagement
  curl ${base}

Ctrl-C ends it. npm start -- --help tells of faults on purpose, of real servers, and of sending traces elsewhere.
`

run(
  Effect.gen(function* () {
    const settings = yield* readSettings(process.argv.slice(2), process.env)
    if (!settings.help) return yield* start(settings)
    process.stdout.write(help)
    return 0
  })
)
