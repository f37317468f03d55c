/**
 * When the operation at hand has to be over, the reading of its body included.
 *
 * @internal
 */
import * as Context from "effect/Context"

/** Set around `getObject`, read where its body is opened. */
export const BodyDeadline: Context.Reference<{ readonly deadlineMillis: number; readonly endsAt: number }> =
  Context.Reference("effect-telemetry/services/Storage/BodyDeadline", {
    defaultValue: () => ({ deadlineMillis: Infinity, endsAt: Infinity })
  })
