/**
 * What the tracer itself puts on spans: names and meanings, for the catalogue.
 *
 * @internal
 */

/** Attributes of any span. */
export const attributes = {
  "error.type": {
    type: "string",
    brief: "where it failed: the failure's tag, or that of its reason; the class of a defect"
  },
  "effect.fiber.interrupted": { type: "boolean", brief: "where it was interrupted" },
  "sampling.reason": {
    type: "string",
    brief: "why it was kept although head sampling said no: `error`, `slow`, `rule:…`"
  }
} as const
