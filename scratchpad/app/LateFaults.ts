/**
 * Faults on purpose that begin once the backend has started: `stream.follow=fail:2` is meant for the next two follows of a
 * user, not for what Stream is told at the start.
 */
import { Effect, Layer } from "effect"
import * as Faults from "effect-telemetry/operation/Faults"

/** The faults of a list, as `FAULTS` says it, and what makes them begin. `slow`, `hang` and `limited` hold from the start. */
export const lateFaults = (text: string) => {
  let begun = false
  const late = (rule: Faults.FaultRule): Faults.FaultRule => {
    const { fault, target } = rule
    let left = fault._tag === "Fail" ? fault.times : Infinity
    if (fault._tag !== "Fail" && fault._tag !== "Down") return rule
    // The rate is read at each call: all of them fail, or none does.
    return {
      target,
      fault: {
        _tag: "Flaky",
        get rate() {
          return begun && left-- > 0 ? 1 : 0
        }
      }
    }
  }
  return {
    layer: Layer.effect(
      Faults.CurrentFaults,
      Effect.map(Faults.parse(text), (rules) => rules.map(late))
    ),
    begin: Effect.sync(() => {
      begun = true
    })
  }
}
