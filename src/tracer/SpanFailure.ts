/**
 * What a failed span says: `error.type`, a description, and an `exception` event for each failure of its cause.
 *
 * `error.type` is the failure's tag, or that of its `reason`: the few values that dashboards group by. A defect's is its
 * constructor's name. The stack trace is Effect's own rendering: with the names of the spans that the failure passed and with
 * every nested cause.
 *
 * **Example** (The type that a failure would be counted under)
 *
 * ```ts
 * import * as Cause from "effect/Cause"
 * import * as SpanFailure from "effect-telemetry/tracer/SpanFailure"
 *
 * console.log(SpanFailure.errorType(Cause.fail({ _tag: "CacheError", reason: { _tag: "Timeout" } }))) // Timeout
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/semconv/attributes-registry/error/
 */
import * as Cause from "effect/Cause"
import * as AttributeValue from "./AttributeValue.ts"
import type { TelemetrySpan } from "./Span.ts"

/** What the conventions name a failure that has no better name. */
export const OTHER = "_OTHER"

/** Failures of one cause that are described, at most: a cause may hold thousands. */
const describedFailures = 16

/** The failure that names the span's: a defect before a typed failure, as everywhere in Effect. `undefined`: only interruptions. */
const primary = (cause: Cause.Cause<unknown>): Cause.Fail<unknown> | Cause.Die | undefined => {
  let first: Cause.Fail<unknown> | undefined
  for (const reason of cause.reasons) {
    if (reason._tag === "Die") return reason
    if (reason._tag === "Fail") first ??= reason
  }
  return first
}

/** Whether a cause holds nothing but interruptions. An empty cause holds nothing. */
export const isInterruption = (cause: Cause.Cause<unknown>): boolean => Cause.hasInterruptsOnly(cause)

const tagOf = (value: unknown): string | undefined => {
  if (typeof value !== "object" || value === null) return undefined
  const tag = (value as { readonly _tag?: unknown })._tag
  return typeof tag === "string" && tag !== "" ? tag : undefined
}

const constructorName = (value: unknown): string | undefined => {
  if (value === null || value === undefined) return undefined
  const name = ((value as object).constructor as { readonly name?: unknown } | undefined)?.name
  return typeof name === "string" && name !== "" && name !== "Object" ? name : undefined
}

const typeOfFailure = (error: unknown): string => {
  if (typeof error !== "object" || error === null) return OTHER
  const tag = tagOf((error as { readonly reason?: unknown }).reason) ?? tagOf(error)
  if (tag !== undefined) return tag
  const name = (error as { readonly name?: unknown }).name
  if (error instanceof Error && typeof name === "string" && name !== "" && name !== "Error") return name
  return constructorName(error) ?? OTHER
}

/** The `error.type` of a cause; `undefined` where nothing failed. Never throws. */
export const errorType = (cause: Cause.Cause<unknown>): string | undefined => {
  const reason = primary(cause)
  if (reason === undefined) return undefined
  try {
    return reason._tag === "Die" ? (constructorName(reason.defect) ?? OTHER) : typeOfFailure(reason.error)
  } catch {
    return OTHER
  }
}

/** One failure, described. */
export interface ExceptionData {
  readonly type: string
  readonly message: string
  readonly stacktrace: string
}

/** What is said of a failure that throws where it is read. */
export const UNREADABLE = "An error that cannot be read"

/** Causes behind one another that are described. */
const describedCauses = 16

/**
 * A failure as Effect's rendering may see it. That writes an object without a message out as JSON, whole: the body of a response
 * that somebody failed with would take seconds, and show what is in it. So such an object is given a message that is bounded
 * and redacted, here and in the causes behind it.
 */
const bounded = (error: unknown, depth: number): unknown => {
  if (typeof error !== "object" || error === null) return error
  const { cause, message } = error as { readonly cause?: unknown; readonly message?: unknown }
  const inner = cause === undefined || depth >= describedCauses ? undefined : bounded(cause, depth + 1)
  if (typeof message === "string") {
    if (inner === cause) return error
    return Object.defineProperty(Object.create(error), "cause", { value: inner })
  }
  const shown = new Error(textOf(error), { cause: inner })
  shown.stack = `Error: ${shown.message}`
  return shown
}

const textOf = (error: object): string => {
  const { toString } = error
  if (
    typeof toString === "function" &&
    toString !== Object.prototype.toString &&
    toString !== Array.prototype.toString
  ) {
    try {
      return String(toString.call(error))
    } catch {
      // Then as JSON.
    }
  }
  return AttributeValue.toJson(error, AttributeValue.defaultRules)
}

const reasonShown = (reason: Cause.Fail<unknown> | Cause.Die): Cause.Cause<unknown> => {
  const original = reason._tag === "Die" ? reason.defect : reason.error
  const shown = bounded(original, 0)
  if (shown === original) return Cause.fromReasons([reason])
  return Cause.annotate(reason._tag === "Die" ? Cause.die(shown) : Cause.fail(shown), Cause.reasonAnnotations(reason))
}

const described = (reason: Cause.Fail<unknown> | Cause.Die): ExceptionData => {
  try {
    const error = Cause.prettyErrors(reasonShown(reason), { includeCauseInStack: true })[0]
    if (error !== undefined) {
      const original = reason._tag === "Die" ? reason.defect : reason.error
      // An error that has no name of its own is better known by its tag or its class.
      const type = error.name === "Error" ? (tagOf(original) ?? constructorName(original) ?? error.name) : error.name
      return { type, message: error.message, stacktrace: error.stack ?? "" }
    }
  } catch {
    // A getter of the error throws, or its properties cannot be listed.
  }
  return { type: OTHER, message: UNREADABLE, stacktrace: "" }
}

/** The failures of a cause, the one that names the span first, and how many were left out. Never throws. */
export const exceptions = (
  cause: Cause.Cause<unknown>
): { readonly described: ReadonlyArray<ExceptionData>; readonly left: number } => {
  const reasons: Array<Cause.Fail<unknown> | Cause.Die> = []
  for (const reason of cause.reasons) if (reason._tag !== "Interrupt") reasons.push(reason)
  return {
    described: reasons.slice(0, describedFailures).map(described),
    left: Math.max(0, reasons.length - describedFailures)
  }
}

/** The description for the span's status. Never throws. */
export const message = (cause: Cause.Cause<unknown>): string | undefined => {
  const reason = primary(cause)
  if (reason === undefined) return undefined
  try {
    const error = reason._tag === "Die" ? reason.defect : reason.error
    const own = typeof error === "object" && error !== null ? (error as { readonly message?: unknown }).message : error
    return typeof own === "string" ? own : described(reason).message
  } catch {
    return described(reason).message
  }
}

/** Says on a span that is about to end what its failure was. The events wait until it is sealed. */
export const record = (span: TelemetrySpan, cause: Cause.Cause<unknown>): void => {
  if (isInterruption(cause)) {
    span.putFirst("effect.fiber.interrupted", true)
    return
  }
  const type = errorType(cause)
  if (type === undefined) return
  if (!span.attributeKeys.includes("error.type")) span.putFirst("error.type", type)
  if (span.expected || span.statusCode !== 0) return
  span.statusCode = 2
  span.statusMessage = message(cause)
}
