/**
 * The settings: what is not accepted, whether tracing is on, and how much of it is kept.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import type { TelemetryConfig, TelemetryConfigError, TelemetryConfigProblem } from "../../TelemetryConfig.ts"
import { failed, type Finding, ok, skipped, warning } from "../Finding.ts"
import { count } from "../output.ts"

/** Why a value is none, where its message says more than what is accepted. */
const detailOf = ({ accepted, message }: TelemetryConfigProblem): string => {
  const at = message.indexOf(accepted)
  return at === -1 ? "" : message.slice(at + accepted.length)
}

/** Everything that is not accepted, each with what is. */
export const refused = (error: TelemetryConfigError): ReadonlyArray<Finding> =>
  error.problems.map((problem) =>
    failed(
      "settings",
      `${problem.variable} is ${problem.value}, which is not accepted${detailOf(problem)}`,
      `set it to ${problem.accepted}`
    )
  )

/** Warnings that a check of its own looks at with more detail. */
const isOfAnother = (text: string): boolean => /which is appended once more|cannot hold spans/.test(text)

/** What was set, and by which variables. */
export const settings = (config: TelemetryConfig): ReadonlyArray<Finding> => {
  const set = Object.values(config.sources).filter(({ from }) => from !== "default")
  const names = [...new Set(set.map(({ name }) => name))]
  return [
    ok(
      "settings",
      names.length === 0
        ? "no variable is set, all settings are defaults"
        : `${count(names.length, "variable")} set (${names.join(", ")}), the rest are defaults`
    ),
    ...config.warnings
      .filter((text) => !isOfAnother(text))
      .map((text) => warning("settings", text, "correct the variable, or remove it"))
  ]
}

/** Whether spans are made at all, and leave the process. */
export const enabled = (config: TelemetryConfig): Finding => {
  if (!config.enabled) {
    const { name } = config.sources.enabled
    const isSwitch = name === "OTEL_SDK_DISABLED"
    return failed(
      "enabled",
      `tracing is off: ${config.disabledReason?.replace("; OTEL_ENABLED=true turns it on", "")}`,
      isSwitch ? "remove OTEL_SDK_DISABLED" : "set OTEL_ENABLED=true, or enabled: true in code, which is not seen here"
    )
  }
  if (config.exporter === "none") {
    return failed("enabled", "OTEL_TRACES_EXPORTER is none: spans go nowhere", "set OTEL_TRACES_EXPORTER=otlp")
  }
  if (config.exporter === "console") {
    return failed(
      "enabled",
      "OTEL_TRACES_EXPORTER is console: spans are printed, and sent nowhere",
      "set OTEL_TRACES_EXPORTER=otlp"
    )
  }
  return ok("enabled", `tracing is on, by ${config.sources.enabled.name ?? "default"}`)
}

const percent = (rate: number): string => `${Number((rate * 100).toPrecision(4))} %`

/** What is kept although head sampling said no. */
const kept = (config: TelemetryConfig): string => {
  const slow = config.keepSlowerThan
  const parts = [
    ...(config.keepErrors ? ["with an error"] : []),
    ...(slow === undefined ? [] : [`slower than ${Duration.toMillis(slow)} ms`])
  ]
  return parts.length === 0 ? "" : `; besides those, local traces ${parts.join(" or ")} are kept`
}

/** How many new traces are kept. */
export const sampling = (config: TelemetryConfig): Finding => {
  const { sampler } = config
  if (!config.enabled) return skipped("sampling", "tracing is off")
  if (sampler._tag === "Custom") return ok("sampling", "a sampler of the application's own decides")
  const by = config.sources.sampler.name ?? "OTEL_TRACE_SAMPLER_RATE"
  if (sampler.rate === 0) {
    return failed(
      "sampling",
      `no new trace is kept${kept(config)}`,
      `raise ${by === "OTEL_TRACE_SAMPLER_RATE" ? "OTEL_TRACE_SAMPLER_RATE to 1" : `${by}, or set OTEL_TRACE_SAMPLER_RATE=1`}`
    )
  }
  const parents = sampler.parentBased ? ", and a caller's decision is followed" : ""
  if (sampler.rate < 1) {
    return warning(
      "sampling",
      `${percent(sampler.rate)} of new traces are kept, by ${by}${parents}${kept(config)}`,
      "to see every trace while you look, set OTEL_TRACE_SAMPLER_RATE=1"
    )
  }
  return ok("sampling", `every new trace is kept${parents}`)
}
