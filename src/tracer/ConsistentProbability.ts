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
    const explicit = traceState === undefined ? undefined : field(traceState.get("ot"), "rv")
    const valid = explicit !== undefined && /^[0-9a-f]{14}$/.test(explicit)
    const randomness = valid ? explicit : traceId
    const offset = valid ? 0 : traceId.length - digits
    for (let i = 0; i < digits; i++) {
      const difference = randomness.charCodeAt(offset + i) - this.threshold.charCodeAt(i)
      if (difference !== 0) return difference > 0
    }
    return true
  }

  /** The `tracestate` of a trace that was kept: what it was, with the threshold. */
  mark(traceState: Otel.TraceState | undefined): Otel.TraceState {
    if (traceState === undefined) return this.#mark
    const others = (traceState.get("ot") ?? "").split(";").filter((part) => part !== "" && !part.startsWith("th:"))
    return traceState.set("ot", [this.#field, ...others].join(";"))
  }
}
