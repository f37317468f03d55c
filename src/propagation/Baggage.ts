/**
 * W3C Baggage: named values that travel with a request through every service that it reaches.
 *
 * Baggage is data of the application, not of the trace: it is visible to whoever receives it and it is changed by
 * whoever passes it on. `CurrentBaggage` holds that of the fiber; HTTP servers fill it from callers that are trusted, and
 * HTTP clients send it to hosts that are named as trusted (`propagation/Trust`).
 *
 * **Example** (Giving a value to everything below)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Baggage from "effect-telemetry/propagation/Baggage"
 *
 * const program = Effect.gen(function* () {
 *   const baggage = yield* Baggage.CurrentBaggage
 *   return Baggage.format(baggage)
 * }).pipe(Baggage.withEntries({ tenant: "Émile & Co" }))
 *
 * console.log(await Effect.runPromise(program)) // tenant=%C3%89mile%20&%20Co
 * ```
 *
 * @see https://www.w3.org/TR/baggage/
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { trimWhitespace } from "./TraceState.ts"

/** The most members that are read and sent. The specification asks for 64 at least (section 3.3.2). */
export const MAX_MEMBERS = 180

/** The most bytes that are read and sent, all members and commas together (section 3.3.2). */
export const MAX_BYTES = 8192

/** A property of a value, to which the specification gives no meaning. */
export interface Property {
  readonly key: string
  readonly value: string | undefined
}

/** A value, decoded, with its properties in their order. */
export interface Entry {
  readonly value: string
  readonly properties: ReadonlyArray<Property>
}

/** Named values. Names are case-sensitive and unique. */
export type Baggage = ReadonlyMap<string, Entry>

/** The baggage without values. */
export const empty: Baggage = new Map()

/** The baggage of the fiber at hand. Empty by default. */
export const CurrentBaggage: Context.Reference<Baggage> = Context.Reference(
  "effect-telemetry/propagation/Baggage/CurrentBaggage",
  { defaultValue: () => empty }
)

/** A name that can't be sent: names are tokens (RFC 7230, section 3.2.6). */
export class BaggageKeyError extends Data.TaggedError("BaggageKeyError")<{
  /** The name, cut at 64 characters. */
  readonly key: string
}> {
  override get message(): string {
    return `Baggage key ${JSON.stringify(this.key)} is not accepted: use letters, digits and !#$%&'*+-.^_\`|~`
  }
}

const tokenPattern = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/
const octetsPattern = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/

/** Whether the text may name a value. */
export const isKey = (key: string): boolean => tokenPattern.test(key)

/** The value of a name. */
export const get = (self: Baggage, key: string): string | undefined => self.get(key)?.value

/** Sets a value, with its properties. Fails where the name can't be sent. */
export const set = (
  self: Baggage,
  key: string,
  value: string,
  properties: ReadonlyArray<Property> = []
): Result.Result<Baggage, BaggageKeyError> => {
  const wrong = isKey(key) ? properties.find((property) => !isKey(property.key))?.key : key
  if (wrong !== undefined) return Result.fail(new BaggageKeyError({ key: wrong.slice(0, 64) }))
  return Result.succeed(new Map(self).set(key, { value, properties }))
}

/** Takes a value away. */
export const remove = (self: Baggage, key: string): Baggage => {
  if (!self.has(key)) return self
  const baggage = new Map(self)
  baggage.delete(key)
  return baggage
}

/** Adds values to the baggage of an effect. Fails, without running it, where a name can't be sent. */
export const withEntries =
  (entries: Readonly<Record<string, string>>) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | BaggageKeyError, R> =>
    Effect.flatMap(CurrentBaggage, (current): Effect.Effect<A, E | BaggageKeyError, R> => {
      let baggage = current
      for (const [key, value] of Object.entries(entries)) {
        const next = set(baggage, key, value)
        if (Result.isFailure(next)) return Effect.fail(next.failure)
        baggage = next.success
      }
      return Effect.provideService(self, CurrentBaggage, baggage)
    })

/**
 * Reads the value of a `baggage` header, or of several of them together. Never fails.
 *
 * **Details**
 *
 * A member against the grammar is left out, the others stay. Of two members with one name the last stays. After 180
 * members or 8,192 bytes no more are read, and none is read in part. A percent-encoding that is no UTF-8 becomes U+FFFD
 * (section 3.3.1.3).
 */
export const parse = (value: string | ReadonlyArray<string>): Baggage => {
  const baggage = new Map<string, Entry>()
  let members = 0
  let bytes = 0
  for (const header of typeof value === "string" ? [value] : value) {
    let start = 0
    while (start <= header.length) {
      const comma = header.indexOf(",", start)
      const end = comma < 0 ? header.length : comma
      bytes += end - start + 1
      // The last member of a header of exactly the limit has no comma behind it.
      if (bytes > MAX_BYTES + 1) return baggage
      const text = trimWhitespace(header.slice(start, end))
      start = end + 1
      if (text === "") continue
      if (++members > MAX_MEMBERS) return baggage
      const member = parseMember(text)
      if (member === undefined) continue
      baggage.delete(member[0])
      baggage.set(member[0], member[1])
    }
  }
  return baggage
}

const parseMember = (text: string): readonly [string, Entry] | undefined => {
  const [head, ...tail] = text.split(";")
  const pair = parsePair(head!)
  if (pair === undefined || pair.value === undefined) return undefined
  const properties: Array<Property> = []
  for (const part of tail) {
    const property = parsePair(part)
    if (property === undefined) return undefined
    properties.push(property)
  }
  return [pair.key, { value: pair.value, properties }]
}

const parsePair = (text: string): Property | undefined => {
  const separator = text.indexOf("=")
  const key = trimWhitespace(separator < 0 ? text : text.slice(0, separator))
  if (!isKey(key)) return undefined
  if (separator < 0) return { key, value: undefined }
  const value = trimWhitespace(text.slice(separator + 1))
  return octetsPattern.test(value) ? { key, value: decode(value) } : undefined
}

/**
 * Writes the value of a `baggage` header; `undefined` where nothing is to be sent.
 *
 * **Details**
 *
 * Everything outside of `baggage-octet`, and the percent sign, is percent-encoded as UTF-8. Members go out in their
 * order; one that would take the header over 8,192 bytes is left out whole, and so is every one after the 180th.
 */
export const format = (self: Baggage): string | undefined => {
  let header = ""
  let members = 0
  for (const [key, entry] of self) {
    if (members >= MAX_MEMBERS) break
    if (!isKey(key)) continue
    let text = `${key}=${encode(entry.value)}`
    for (const property of entry.properties) {
      if (!isKey(property.key)) continue
      text += property.value === undefined ? `;${property.key}` : `;${property.key}=${encode(property.value)}`
    }
    const length = header.length + text.length + (members === 0 ? 0 : 1)
    // All of it is ASCII by now, so characters are bytes.
    if (length > MAX_BYTES) continue
    header = members === 0 ? text : `${header},${text}`
    members++
  }
  return members === 0 ? undefined : header
}

const toEncode = /[^\x21\x23\x24\x26-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+/g

const encode = (value: string): string => value.toWellFormed().replace(toEncode, encodeURIComponent)

const percentRun = /(?:%[0-9a-fA-F]{2})+/g
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true })

const decode = (value: string): string =>
  value.includes("%")
    ? value.replace(percentRun, (run) => {
        const bytes = new Uint8Array(run.length / 3)
        for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(run.slice(i * 3 + 1, i * 3 + 3), 16)
        return utf8.decode(bytes)
      })
    : value
