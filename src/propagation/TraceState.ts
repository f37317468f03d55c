/**
 * The `tracestate` of W3C Trace Context, level 2: an immutable list of what tracing systems say to themselves.
 *
 * A list is carried on as it came. What is not valid is not repaired: one bad member makes the whole list invalid, as
 * the specification's own conformance suite demands. It implements the `TraceState` of `@opentelemetry/api`, so that an
 * OpenTelemetry sampler can read and change it.
 *
 * **Example** (Adding a member)
 *
 * ```ts
 * import * as TraceState from "effect-telemetry/propagation/TraceState"
 *
 * const state = TraceState.parse("congo=t61rcWkgMzE") ?? TraceState.empty
 * console.log(state.set("rojo", "00f067aa0ba902b7").serialize()) // rojo=00f067aa0ba902b7,congo=t61rcWkgMzE
 * ```
 *
 * @see https://www.w3.org/TR/trace-context-2/#tracestate-header
 */
import type * as Otel from "@opentelemetry/api"

/** The most members of a list (level 2, section 3.3.1). */
export const MAX_MEMBERS = 32

/** The most characters that are sent on: what the specification asks for at least (section 3.3.1.5). */
export const MAX_LENGTH = 512

/** A member longer than this goes first when a list is too long (section 3.3.1.5). */
const LONG_MEMBER = 128

/** No valid list is longer: 32 members of two times 256 characters, and as much white space again. */
const MAX_INPUT = 32_768

const keyPattern = /^[a-z0-9][a-z0-9_\-*/@]{0,255}$/
const valuePattern = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/

type Member = readonly [key: string, value: string]

/** A valid list of members, left-most the most recent. */
export class TraceState implements Otel.TraceState {
  /** @internal */
  readonly members: ReadonlyArray<Member>

  /** @internal */
  constructor(members: ReadonlyArray<Member>) {
    this.members = members
  }

  /** The value of a key. */
  get(key: string): string | undefined {
    for (const member of this.members) {
      if (member[0] === key) return member[1]
    }
    return undefined
  }

  /**
   * Puts a member in front and takes an older one of that key away. Where key or value are not valid, nothing changes;
   * where the list gets too long, members go from its end.
   */
  set(key: string, value: string): TraceState {
    if (!keyPattern.test(key) || !valuePattern.test(value)) return this
    const members = [[key, value] as const, ...this.members.filter((member) => member[0] !== key)]
    return new TraceState(limit(members.slice(0, MAX_MEMBERS)))
  }

  /** Takes a member away. */
  unset(key: string): TraceState {
    return this.get(key) === undefined ? this : new TraceState(this.members.filter((member) => member[0] !== key))
  }

  /** The value of the header; empty for an empty list, which is not to be sent. */
  serialize(): string {
    return this.members.map((member) => `${member[0]}=${member[1]}`).join(",")
  }
}

/** The list without members. */
export const empty: TraceState = new TraceState([])

/**
 * Reads a list. `undefined` where it is empty, or invalid: a key or value against the grammar, more than 32 members.
 *
 * **Details**
 *
 * Several values are combined in their order (RFC 9110, section 5.3). Empty members are skipped. Of two members with one
 * key the first stays, which is the more recent one. A list of more than 512 characters loses whole members: those over
 * 128 characters first, then from its end.
 */
export const parse = (value: string | ReadonlyArray<string>): TraceState | undefined => {
  const header = typeof value === "string" ? value : value.join(",")
  if (header.length > MAX_INPUT) return undefined
  const members: Array<Member> = []
  const seen = new Set<string>()
  let count = 0
  for (const part of header.split(",")) {
    const text = trimWhitespace(part)
    if (text === "") continue
    const separator = text.indexOf("=")
    const key = text.slice(0, separator)
    const content = text.slice(separator + 1)
    if (separator < 0 || !keyPattern.test(key) || !valuePattern.test(content)) return undefined
    if (++count > MAX_MEMBERS) return undefined
    if (seen.has(key)) continue
    seen.add(key)
    members.push([key, content])
  }
  const kept = limit(members)
  return kept.length === 0 ? undefined : new TraceState(kept)
}

const lengthOf = (member: Member): number => member[0].length + member[1].length + 1

const limit = (members: ReadonlyArray<Member>): ReadonlyArray<Member> => {
  let length = members.reduce((sum, member) => sum + lengthOf(member) + 1, -1)
  if (length <= MAX_LENGTH) return members
  const kept = [...members]
  const dropLast = (of: (member: Member) => boolean): void => {
    for (let i = kept.length - 1; i >= 0 && length > MAX_LENGTH; i--) {
      if (!of(kept[i]!)) continue
      length -= lengthOf(kept[i]!) + 1
      kept.splice(i, 1)
    }
  }
  dropLast((member) => lengthOf(member) > LONG_MEMBER)
  dropLast(() => true)
  return kept
}

/**
 * Takes spaces and tabs away at both ends (RFC 9110, `OWS`), and nothing else: `String.trim` would also take characters
 * that make a header invalid.
 *
 * @internal
 */
export const trimWhitespace = (text: string): string => {
  let start = 0
  let end = text.length
  while (start < end && isWhitespace(text.charCodeAt(start))) start++
  while (end > start && isWhitespace(text.charCodeAt(end - 1))) end--
  return start === 0 && end === text.length ? text : text.slice(start, end)
}

const isWhitespace = (code: number): boolean => code === 0x20 || code === 0x09
