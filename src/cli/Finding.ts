/**
 * What a check of the doctor has found: one line for a person, one object for a machine.
 *
 * **Example** (A finding as a line)
 *
 * ```ts
 * import * as Finding from "effect-telemetry/cli/Finding"
 *
 * const finding = Finding.failed("answer", "HTTP 401", "set OTEL_EXPORTER_OTLP_HEADERS")
 * console.log(Finding.line(finding, false)) // failed   answer: HTTP 401 → set OTEL_EXPORTER_OTLP_HEADERS
 * ```
 */

/** The checks, in the order in which a person would look. */
export const checks = [
  "settings",
  "enabled",
  "sampling",
  "endpoint",
  "proxy",
  "name",
  "connection",
  "tls",
  "answer",
  "clock",
  "trace",
  "tempo",
  "jaeger",
  "packages",
  "peers",
  "code",
  "node",
  "spool"
] as const

/** The name of a check: what stands before the colon of its line. */
export type CheckName = (typeof checks)[number]

/**
 * `failed`: no trace arrives, or none that can be relied on. `warning`: traces arrive, and something is worth knowing.
 * `skipped`: could not be looked at, because of what failed before or since it is not used.
 */
export type Status = "ok" | "warning" | "failed" | "skipped"

/** What one check came to, as `effect-telemetry doctor --json` prints it. */
export interface Finding {
  readonly check: CheckName
  readonly status: Status
  /** What was found. Holds no secret. */
  readonly found: string
  /** What to do about it; absent where there is nothing to do. */
  readonly todo?: string | undefined
}

/** A check that passed, with what it saw. */
export const ok = (check: CheckName, found: string): Finding => ({ check, status: "ok", found })
/** A check that was not made, with the reason why not. */
export const skipped = (check: CheckName, found: string): Finding => ({ check, status: "skipped", found })
/** Traces arrive, and `found` is worth knowing; `todo` says what to do about it. */
export const warning = (check: CheckName, found: string, todo: string): Finding => ({
  check,
  status: "warning",
  found,
  todo
})
/** No trace arrives, or none that can be relied on, because of `found`; `todo` says what to do about it. */
export const failed = (check: CheckName, found: string, todo: string): Finding => ({
  check,
  status: "failed",
  found,
  todo
})

const colors: Readonly<Record<Status, string>> = { ok: "32", warning: "33", failed: "31", skipped: "2" }

/** A text in the colour of a status, where there are colours. */
export const paint = (status: Status, text: string, color: boolean): string =>
  color ? `\u001b[${colors[status]}m${text}\u001b[0m` : text

/** A finding on one line. */
export const line = ({ check, found, status, todo }: Finding, color: boolean): string =>
  `${paint(status, status.padEnd(8), color)} ${check}: ${found}${todo === undefined ? "" : ` → ${todo}`}`
