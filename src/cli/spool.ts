/**
 * `effect-telemetry spool`: what waits on disk; sending it now; removing it.
 *
 * @internal
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Path from "node:path"
import { messageOf } from "../export/Diagnostics.ts"
import * as SpoolDirectory from "../export/SpoolDirectory.ts"
import * as OutputModule from "../internal/telemetry/output.ts"
import * as Resource from "../internal/telemetry/resource.ts"
import type { TelemetryConfigError } from "../TelemetryConfig.ts"
import * as Output from "./output.ts"
import * as Settings from "./settings.ts"

const flags = {
  directory: Flag.String("directory").pipe(
    Flag.withDescription("The spool's directory; default OTEL_SPOOL_DIRECTORY"),
    Flag.optional
  ),
  json: Flag.Boolean("json").pipe(Flag.withDescription("Print it for a machine"), Flag.withDefault(false)),
  dotenv: Settings.dotenv
}

/** Asked of the environment alone: listing what is there must not need settings that are right, nor make the directory. */
const directoryOf = (options: {
  readonly directory: Option.Option<string>
  readonly dotenv: Option.Option<string>
}): Effect.Effect<string, Error> =>
  Effect.gen(function* () {
    yield* Settings.loadDotenv(options.dotenv)
    const directory = Option.getOrElse(options.directory, () => process.env["OTEL_SPOOL_DIRECTORY"]?.trim() ?? "")
    if (directory === "") {
      return yield* Effect.fail(new Error("no spool is configured: set OTEL_SPOOL_DIRECTORY, or give --directory"))
    }
    return Path.resolve(directory)
  })

const onDisk = <A>(directory: string, run: () => Promise<A>): Effect.Effect<A, Error> =>
  Effect.tryPromise({
    try: run,
    catch: (error) => new Error(`the spool ${directory} cannot be read: ${messageOf(error)}`)
  })

const time = (millis: number | undefined): string =>
  millis === undefined ? "" : `, from ${new Date(millis).toISOString()}`

const part = (files: SpoolDirectory.SpoolPart): string =>
  `${Output.count(files.spans, "span")} in ${Output.count(files.files, "file")}, ${Output.size(files.bytes)}`

const list = Command.make("list", flags, (options) =>
  Effect.gen(function* () {
    const directory = yield* directoryOf(options)
    const contents = yield* onDisk(directory, () => SpoolDirectory.list(directory))
    if (options.json) return yield* Output.json({ directory, ...contents })
    yield* Console.log(`${directory}: ${part(contents)}${time(contents.oldest)}`)
    for (const owner of contents.owners) {
      yield* Console.log(
        `  ${Path.basename(owner.folder)}  ${owner.isAlive ? "of a process that runs" : "left behind"}: ${part(owner)}${time(owner.oldest)}`
      )
    }
    if (contents.refused.files > 0) yield* Console.log(`  refused by the collector: ${part(contents.refused)}`)
    if (contents.damaged.files > 0) {
      yield* Console.log(
        `  damaged: ${Output.count(contents.damaged.files, "file")}, ${Output.size(contents.damaged.bytes)}`
      )
    }
  })
).pipe(Command.withDescription("Lists what waits, by the process that it is of."))

const send = Command.make(
  "send",
  {
    ...flags,
    refused: Flag.Boolean("refused").pipe(
      Flag.withDescription("Send once more what a collector has refused"),
      Flag.withDefault(false)
    ),
    timeout: Flag.Finite("timeout").pipe(
      Flag.withDescription("Seconds that sending may take"),
      Flag.filter(
        (seconds) => seconds > 0,
        () => "must be more than 0"
      ),
      Flag.withDefault(60)
    )
  },
  (options) =>
    Effect.gen(function* () {
      const directory = yield* directoryOf(options)
      const before = yield* onDisk(directory, () => SpoolDirectory.list(directory))
      const requeued = options.refused
        ? yield* onDisk(directory, () => SpoolDirectory.requeue(directory))
        : { spans: 0, files: 0 }
      const waiting =
        before.owners.filter((owner) => !owner.isAlive).reduce((sum, owner) => sum + owner.spans, 0) + requeued.spans
      const running = before.owners.filter((owner) => owner.isAlive).reduce((sum, owner) => sum + owner.spans, 0)
      const result = waiting === 0 ? nothing : yield* deliver(directory, options.timeout * 1000)
      const left = Math.max(0, waiting - result.exported - result.dropped)
      if (options.json)
        yield* Output.json({
          directory,
          ok: left === 0 && result.dropped === 0,
          sent: result.exported,
          refused: result.dropped,
          left,
          running,
          error: result.error
        })
      else {
        yield* Console.log(
          waiting === 0
            ? `nothing waits that is nobody's${running > 0 ? `; ${Output.count(running, "span")} are of processes that run and send them` : ""}`
            : `sent ${Output.count(result.exported, "span")}, refused ${result.dropped}, left ${left}`
        )
        if (result.error !== undefined) yield* Console.error(result.error)
      }
      if (left > 0 || result.dropped > 0) yield* Output.exitWith(1)
    })
).pipe(
  Command.withDescription("Sends what processes that are gone have left behind, and removes it once it was taken.")
)

const nothing: { exported: number; dropped: number; error: string | undefined } = {
  exported: 0,
  dropped: 0,
  error: undefined
}

/** A pipeline with this spool takes over what the dead have left; a flush sends it. */
const deliver = (directory: string, timeoutMillis: number): Effect.Effect<typeof nothing, TelemetryConfigError> =>
  Effect.gen(function* () {
    const config = yield* Settings.loadAsIfOn
    const output = OutputModule.make(
      { ...config, exporter: "otlp", spoolDirectory: directory },
      {
        resource: Resource.make(config),
        log: () => {},
        exporter: undefined,
        spanProcessors: [],
        receivers: [],
        keepRules: []
      }
    )
    const { complete, dropped, exported } = yield* Effect.promise(() => output.flush(timeoutMillis))
    const { lastError } = output.status()
    yield* Effect.promise(() => output.shutdown(1_000))
    const error =
      complete && dropped === 0 ? undefined : `${config.endpoint.display}: ${lastError?.message ?? "no answer in time"}`
    return { exported, dropped, error }
  })

const clear = Command.make(
  "clear",
  {
    ...flags,
    quarantine: Flag.Boolean("quarantine").pipe(
      Flag.withDescription("Also what was refused, and damaged parts"),
      Flag.withDefault(false)
    ),
    yes: Flag.Boolean("yes").pipe(Flag.withDescription("Really remove it"), Flag.withDefault(false))
  },
  (options) =>
    Effect.gen(function* () {
      const directory = yield* directoryOf(options)
      if (!options.yes) {
        const contents = yield* onDisk(directory, () => SpoolDirectory.list(directory))
        const parts = [
          ...contents.owners.filter((owner) => !owner.isAlive),
          ...(options.quarantine ? [contents.refused, contents.damaged] : [])
        ]
        const total = (key: "files" | "bytes" | "spans") => parts.reduce((sum, item) => sum + item[key], 0)
        const would = { files: total("files"), bytes: total("bytes"), spans: total("spans") }
        if (options.json) yield* Output.json({ directory, removed: false, ...would })
        else {
          yield* Console.log(
            `would remove ${part({ ...would, oldest: undefined, newest: undefined })}; they are lost then. Again with --yes to do it`
          )
        }
        return yield* Output.exitWith(would.files === 0 ? 0 : 1)
      }
      const { bytes, files, spans } = yield* onDisk(directory, () =>
        SpoolDirectory.clear(directory, { quarantine: options.quarantine })
      )
      if (options.json) yield* Output.json({ directory, removed: true, files, bytes, spans })
      else yield* Console.log(`removed ${part({ files, bytes, spans, oldest: undefined, newest: undefined })}`)
    })
).pipe(
  Command.withDescription("Removes what processes that are gone have left behind. Those that run are not touched.")
)

export const spool = Command.make("spool").pipe(
  Command.withDescription("What waits on disk for the collector."),
  Command.withSubcommands([list, send, clear])
)
