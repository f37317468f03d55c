/**
 * Trace and span ids, cut from a pool of random bytes that is filled a few kilobytes at a time.
 *
 * Asking the system for eight bytes costs more than a whole span should. One conversion makes the hexadecimal digits of a
 * pool, and an id is a piece of those. All bits are random, so traces that start here may carry the
 * W3C random flag.
 *
 * **Example** (Ids of one's own, as tests want them)
 *
 * ```ts
 * import * as Ids from "effect-telemetry/tracer/Ids"
 *
 * const ids = Ids.fromOpenTelemetry({
 *   generateTraceId: () => "0af7651916cd43dd8448eb211c80319c",
 *   generateSpanId: () => "b7ad6b7169203331"
 * })
 * console.log(ids.traceId(), ids.spanId())
 * ```
 *
 * @see https://www.w3.org/TR/trace-context-2/#random-trace-id-flag
 */
import { randomBytes } from "./RandomBytes.ts"

/** Makes ids: 32 and 16 lower-case hexadecimal digits, never all zero. */
export interface Ids {
  /** 32 digits. Never throws. */
  readonly traceId: () => string
  /** 16 digits. Never throws. */
  readonly spanId: () => string
  /** Whether at least the right-most seven bytes of a trace id are random: then traces carry the random flag. */
  readonly random: boolean
}

/** Bytes made digits at once. An id keeps alive the digits of its whole pool: twice this many bytes. */
const poolBytes = 4096
const poolDigits = poolBytes * 2

let digits = ""
let position = poolDigits

const fill = (): void => {
  digits = randomBytes(poolBytes).toString("hex")
  position = 0
}

const ZERO = 48
const zeroTraceId = "0".repeat(32)
const zeroSpanId = "0".repeat(16)

const traceId = (): string => {
  if (position + 32 > poolDigits) fill()
  const id = digits.substring(position, position + 32)
  position += 32
  // Compared only where it may be true: a comparison with a piece of a longer text is slow.
  return id.charCodeAt(0) === ZERO && id === zeroTraceId ? traceId() : id
}

const spanId = (): string => {
  if (position + 16 > poolDigits) fill()
  const id = digits.substring(position, position + 16)
  position += 16
  return id.charCodeAt(0) === ZERO && id === zeroSpanId ? spanId() : id
}

/** The default: from the pool. */
export const pooled: Ids = { traceId, spanId, random: true }

/** An `IdGenerator` of the OpenTelemetry SDK: AWS X-Ray's, or one that counts. */
export interface IdGenerator {
  generateTraceId(): string
  generateSpanId(): string
}

const traceIdPattern = /^[0-9a-f]{32}$/
const spanIdPattern = /^[0-9a-f]{16}$/

const isTraceId = (id: string): boolean => traceIdPattern.test(id) && id !== zeroTraceId
const isSpanId = (id: string): boolean => spanIdPattern.test(id) && id !== zeroSpanId

/** Whether both are what the specification calls valid. */
export const areValid = (traceId: string, spanId: string): boolean => isTraceId(traceId) && isSpanId(spanId)

/**
 * Uses an OpenTelemetry id generator. Nothing is known of its randomness, so the random flag is not set. Where it throws or
 * makes no valid id, the pool's takes its place.
 */
export const fromOpenTelemetry = (generator: IdGenerator): Ids => ({
  traceId: () => generated(() => generator.generateTraceId(), isTraceId) ?? traceId(),
  spanId: () => generated(() => generator.generateSpanId(), isSpanId) ?? spanId(),
  random: false
})

const generated = (generate: () => string, isValid: (id: string) => boolean): string | undefined => {
  try {
    const id = generate()
    return typeof id === "string" && isValid(id) ? id : undefined
  } catch {
    return undefined
  }
}
