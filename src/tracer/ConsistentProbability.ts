/**
 * A share of the traces, chosen so that services agree and counts can be scaled back up: OpenTelemetry's consistent probability
 * sampling.
 *
 * Every trace has 56 bits of randomness: the last 14 hexadecimal digits of its id, or `rv` in the `ot` member of `tracestate`
 * where that says otherwise. A share keeps what is not below a threshold, so a service that keeps 10 % keeps a subset of what one
 * that keeps 50 % keeps. A kept trace carries the threshold as `ot=th:…`: the inverse of the share that it stands for, with which
 * a backend scales counts back up. A trace that was kept for another reason (an error, a rule) carries none.
 *
 * **Example** (What a tenth of the traces carries)
 *
 * ```ts
 * import { ConsistentProbability } from "effect-telemetry/tracer/ConsistentProbability"
 *
 * const tenth = new ConsistentProbability(0.1)
 * console.log(tenth.mark(undefined).serialize()) // ot=th:e666
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
 */
import * as Otel from "@opentelemetry/api"

const digits = 14
/** Digits of the threshold after its leading `f`s: precise to a 65,536th of the share. */
const precision = 4

/** The threshold of a share as 14 hexadecimal digits. */
const thresholdOf = (ratio: number): string => {
  const exact = BigInt(Math.round((1 - ratio) * 2 ** 53)) << 3n
  const text = exact.toString(16).padStart(digits, "0")
  const leading = /^f*/.exec(text)![0].length
  const unit = 1n << BigInt(4 * Math.max(0, digits - leading - precision))
  const rounded = ((exact + unit / 2n) / unit) * unit
  return (rounded >= 1n << 56n ? (1n << 56n) - unit : rounded).toString(16).padStart(digits, "0")
}

const field = (ot: string | undefined, key: string): string | undefined =>
  ot
    ?.split(";")
    .find((part) => part.startsWith(`${key}:`))
    ?.slice(key.length + 1)

/** Whether randomness, an explicit one before that of the trace id, is not below a threshold of 14 digits. */
const reaches = (threshold: string, traceId: string, ot: string | undefined): boolean => {
  const explicit = field(ot, "rv")
  const valid = explicit !== undefined && /^[0-9a-f]{14}$/.test(explicit)
  const randomness = valid ? explicit : traceId
  const offset = valid ? 0 : traceId.length - digits
  for (let i = 0; i < digits; i++) {
    const difference = randomness.charCodeAt(offset + i) - threshold.charCodeAt(i)
    if (difference !== 0) return difference > 0
  }
  return true
}

/** The `tracestate` of a trace of which nobody knows what share it stands for: what it was, without a threshold. */
export const withoutThreshold = (traceState: Otel.TraceState): Otel.TraceState => {
  const ot = traceState.get("ot")
  if (field(ot, "th") === undefined) return traceState
  const others = ot!.split(";").filter((part) => part !== "" && !part.startsWith("th:"))
  return others.length === 0 ? traceState.unset("ot") : traceState.set("ot", others.join(";"))
}

/** The `tracestate` of a trace that was kept because its caller had kept it: without a threshold that contradicts that. */
export const withPossibleThreshold = (traceId: string, traceState: Otel.TraceState): Otel.TraceState => {
  const ot = traceState.get("ot")
  const threshold = field(ot, "th")
  if (threshold === undefined) return traceState
  const isPossible = /^[0-9a-f]{1,14}$/.test(threshold) && reaches(threshold.padEnd(digits, "0"), traceId, ot)
  return isPossible ? traceState : withoutThreshold(traceState)
}

/** A share of the traces. */
export class ConsistentProbability {
  readonly ratio: number
  /** 14 hexadecimal digits; what is below is not kept. */
  readonly threshold: string
  readonly #mark: Otel.TraceState
  readonly #field: string

  /** `ratio` is from 0 to 1; beyond the ends counts as the end. */
  constructor(ratio: number) {
    this.ratio = Number.isNaN(ratio) ? 0 : Math.min(1, Math.max(0, ratio))
    this.threshold = thresholdOf(this.ratio)
    this.#field = `th:${this.threshold.replace(/0+$/, "") || "0"}`
    this.#mark = Otel.createTraceState(`ot=${this.#field}`)
  }

  /** Whether a trace is kept. */
  keeps(traceId: string, traceState: Otel.TraceState | undefined): boolean {
    if (this.ratio === 0) return false
    return reaches(this.threshold, traceId, traceState?.get("ot"))
  }

  /** The `tracestate` of a trace that was kept: what it was, with the threshold. */
  mark(traceState: Otel.TraceState | undefined): Otel.TraceState {
    if (traceState === undefined) return this.#mark
    const others = (traceState.get("ot") ?? "").split(";").filter((part) => part !== "" && !part.startsWith("th:"))
    return traceState.set("ot", [this.#field, ...others].join(";"))
  }
}
