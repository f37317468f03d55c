/**
 * `effect-telemetry doctor`: whether traces arrive and, if not, why and what to do, in the order in which a person would look.
 *
 * @internal
 */
import * as Redacted from "effect/Redacted"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { version } from "../internal/version.ts"
import type { TelemetryConfig } from "../TelemetryConfig.ts"
import * as AnswerCheck from "./checks/answer.ts"
import * as CodeCheck from "./checks/code.ts"
import * as EndpointCheck from "./checks/endpoint.ts"
import * as NetworkCheck from "./checks/network.ts"
import * as NodeCheck from "./checks/node.ts"
import * as PackagesCheck from "./checks/packages.ts"
import * as SettingsCheck from "./checks/settings.ts"
import * as SpoolCheck from "./checks/spool.ts"
import { applicationIn } from "./checks/tree.ts"
import { type CheckName, failed, type Finding, line, ok, paint, skipped, type Status } from "./Finding.ts"
import * as Lookup from "./lookup.ts"
import * as Output from "./output.ts"
import * as Probe from "./probe.ts"
import { backends, flushMillis, given } from "./send.ts"
import * as Settings from "./settings.ts"
import { sendTrace } from "./testTrace.ts"

/** Told as soon as it is found: some checks take seconds. */
type Report = (...findings: ReadonlyArray<Finding>) => Effect.Effect<void>

interface Options {
  readonly queries: ReadonlyArray<Lookup.Query>
  readonly waitMillis: number
  readonly directory: string
  readonly report: Report
}

/** A name, a connection, TLS, an answer: each is asked only where the one before said yes. Says whether all did. */
const reach = (config: TelemetryConfig, report: Report): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const url = new URL(Redacted.value(config.endpoint.url))
    const around: NetworkCheck.Surroundings = {
      host: Probe.hostOf(url),
      port: Probe.portOf(url),
      isInContainer: NetworkCheck.isInContainer(process.env),
      proxyVariable: EndpointCheck.proxyVariable(url, process.env)
    }
    const millis = Math.min(5_000, Duration.toMillis(config.timeout))
    const left: Array<CheckName> = ["name", "connection", "tls", "answer", "clock"]
    const say = (finding: Finding): Effect.Effect<boolean> => {
      left.splice(left.indexOf(finding.check), 1)
      if (finding.status !== "failed") return Effect.as(report(finding), true)
      return Effect.as(
        report(finding, ...left.map((check) => skipped(check, `not asked: ${finding.check} failed`))),
        false
      )
    }

    const resolved = yield* Effect.promise(() => Probe.resolveName(around.host))
    if (!(yield* say(NetworkCheck.name(resolved, around)))) return false
    const connected = yield* Effect.promise(() => Probe.connect(around.host, around.port, millis))
    if (!(yield* say(NetworkCheck.connection(connected, around)))) return false
    if (url.protocol === "https:") {
      const tls = NetworkCheck.tlsOptions(config)
      const shaken = yield* Effect.promise(() => Probe.handshake(around.host, around.port, tls, millis))
      const finding = NetworkCheck.tls(shaken, {
        ...around,
        now: Date.now(),
        hasClientCertificate: config.clientCertificate !== undefined,
        acceptsAll: process.env["NODE_TLS_REJECT_UNAUTHORIZED"] === "0"
      })
      if (!(yield* say(finding))) return false
    } else yield* say(skipped("tls", "the endpoint is http"))
    const asked = yield* Effect.promise(() =>
      AnswerCheck.ask(config, Math.min(10_000, Duration.toMillis(config.timeout)))
    )
    const isTaken = asked.finding.status !== "failed"
    // A refusal has a date too.
    left.splice(left.indexOf("answer"), 1)
    yield* report(
      asked.finding,
      asked.answer === undefined ? skipped("clock", "no answer") : AnswerCheck.clock(asked.answer)
    )
    return isTaken
  })

const trace = (config: TelemetryConfig, { queries, report, waitMillis }: Options): Effect.Effect<void> =>
  Effect.gen(function* () {
    const sent = yield* sendTrace(config, "effect-telemetry doctor", flushMillis(config.timeout))
    if (sent.delivered < sent.spans) {
      return yield* report(
        failed("trace", `a test trace was not delivered: ${sent.error}`, "look at the collector's log"),
        ...queries.map(({ backend }) => skipped(backend, "not asked: trace failed"))
      )
    }
    yield* report(ok("trace", `test trace ${sent.traceId} was taken, ${sent.spans} spans`))
    for (const query of queries) yield* report(yield* Lookup.find(query, config, sent, waitMillis))
  })

/** What is looked at where nothing is sent. */
const unsent = (queries: ReadonlyArray<Lookup.Query>, why: string): ReadonlyArray<Finding> =>
  (["endpoint", "proxy", "name", "connection", "tls", "answer", "clock", "trace"] as ReadonlyArray<CheckName>)
    .concat(queries.map(({ backend }) => backend))
    .map((check) => skipped(check, why))

const surroundings = (config: TelemetryConfig | undefined, { directory, report }: Options): Effect.Effect<void> =>
  Effect.gen(function* () {
    const application = applicationIn(directory)
    if (application === undefined) {
      const why = "no package.json here or above: run it in the application's directory"
      yield* report(skipped("packages", why), skipped("peers", why), skipped("code", why))
    } else {
      const isOwn = application.manifest.name === "effect-telemetry"
      yield* report(...PackagesCheck.packages(application.folder))
      if (isOwn) {
        const why = "this is effect-telemetry itself, and no application"
        yield* report(skipped("peers", why), skipped("code", why))
      } else {
        const seen = CodeCheck.scan(application.folder)
        yield* report(...PackagesCheck.peers(application.folder, seen.entryPoints))
        yield* report(...CodeCheck.code(seen, config?.spoolDirectory !== undefined))
      }
    }
    yield* report(NodeCheck.node(process.versions.node))
    yield* report(
      ...(config === undefined
        ? [skipped("spool", "the settings are not accepted")]
        : yield* Effect.promise(() => SpoolCheck.spool(config)))
    )
  })

const examine = (options: Options, onSettings: (config: TelemetryConfig) => Effect.Effect<void>): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { queries, report } = options
    const loaded = yield* Effect.result(Settings.load)
    const asIfOn = yield* Effect.result(Settings.loadAsIfOn)
    if (loaded._tag === "Failure") {
      yield* report(...SettingsCheck.refused(loaded.failure))
      const why = "not looked at: the settings are not accepted"
      yield* report(skipped("enabled", why), skipped("sampling", why), ...unsent(queries, why))
      return yield* surroundings(undefined, options)
    }
    const config = loaded.success
    const [first, ...others] = SettingsCheck.settings(config)
    yield* report(first!)
    yield* onSettings(config)
    yield* report(...others, SettingsCheck.enabled(config), SettingsCheck.sampling(config))
    if (asIfOn._tag === "Failure") {
      // Off, and wrong as soon as it is on.
      yield* report(...SettingsCheck.refused(asIfOn.failure))
      yield* report(...unsent(queries, "not looked at: the settings are not accepted"))
      return yield* surroundings(undefined, options)
    }
    const used = asIfOn.success
    if (used.exporter !== "otlp") {
      yield* report(...unsent(queries, `OTEL_TRACES_EXPORTER is ${used.exporter}`))
      return yield* surroundings(used, options)
    }
    yield* report(...EndpointCheck.endpoint(used), EndpointCheck.proxy(used, process.env))
    if (yield* reach(used, report)) yield* trace(used, options)
    else {
      const why = "not sent: the collector takes nothing"
      yield* report(skipped("trace", why), ...queries.map(({ backend }) => skipped(backend, why)))
    }
    yield* surroundings(used, options)
  })

const verdict = (findings: ReadonlyArray<Finding>, color: boolean): string => {
  const of = (status: Status) => findings.filter((finding) => finding.status === status)
  const bad = [...new Set(of("failed").map(({ check }) => check))]
  const warnings = of("warning").length
  const also = warnings === 0 ? "" : `, with ${Output.count(warnings, "warning")}`
  return bad.length === 0
    ? `${paint("ok", "ok".padEnd(8), color)} traces arrive${also}`
    : `${paint("failed", "failed".padEnd(8), color)} traces do not arrive: look at ${bad.join(", ")}${also}`
}

export const doctor = Command.make(
  "doctor",
  {
    ...backends,
    wait: Flag.Finite("wait").pipe(
      Flag.withDescription("Seconds that a trace may take to be found"),
      Flag.filter(
        (seconds) => seconds >= 0,
        () => "a number, 0 or more"
      ),
      Flag.withDefault(15)
    ),
    json: Flag.Boolean("json").pipe(Flag.withDescription("Print it for a machine"), Flag.withDefault(false)),
    dotenv: Settings.dotenv
  },
  (flags) =>
    Effect.gen(function* () {
      const queries = yield* given(flags)
      yield* Settings.loadDotenv(flags.dotenv)
      const color = yield* Output.color
      const findings: Array<Finding> = []
      let settings: ReadonlyArray<unknown> = []
      yield* examine(
        {
          queries,
          waitMillis: flags.wait * 1000,
          directory: process.cwd(),
          report: (...found) => {
            findings.push(...found)
            if (flags.json) return Effect.void
            return Effect.forEach(found, (finding) => Console.log(line(finding, color)), { discard: true })
          }
        },
        (config) => {
          settings = Settings.toJson(config)
          if (flags.json) return Effect.void
          const rows = Output.columns(Settings.notable(config))
          return Effect.forEach(rows, (row) => Console.log(`           ${row}`), { discard: true })
        }
      )
      const isGood = findings.every(({ status }) => status !== "failed")
      if (flags.json)
        yield* Output.json({ ok: isGood, version, node: process.versions.node, settings, checks: findings })
      else yield* Console.log(`\n${verdict(findings, color)}`)
      if (!isGood) yield* Output.exitWith(1)
    })
).pipe(
  Command.withDescription(
    "Says whether traces arrive and, if not, why and what to do. Exits with 0 only where a trace would arrive. Run it in the application's directory, with its environment; options in code are not seen."
  )
)
