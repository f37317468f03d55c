/**
 * What carries a trace over a border: HTTP headers, the headers of a queue message, a row of a job table, the environment
 * of a child process. Names are found whatever their case, and written over, never beside, what is there.
 *
 * **Example** (A queue message)
 *
 * ```ts
 * import * as Carrier from "effect-telemetry/propagation/Carrier"
 *
 * const headers = { TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" }
 * console.log(Carrier.values(headers, "traceparent").length) // 1
 * console.log(Carrier.replace(headers, ["traceparent"], {})) // {}
 * ```
 */

/**
 * Anything with names and values: a record (values may be strings, lists of strings, or bytes, as message brokers have
 * them), a `Map`, the `Headers` of the web, or pairs.
 */
export type Carrier = Readonly<Record<string, unknown>> | Iterable<readonly [string, unknown]>

const utf8 = new TextDecoder()

/**
 * The brand of Effect's headers (`Headers.TypeId`), whose module every start would pay for.
 *
 * @internal
 */
export const headersBrand: symbol = Symbol.for("~effect/http/Headers")

/** All values that stand under a name, in their order. Never throws: what can't be read is not there. */
export const values = (carrier: Carrier, name: string): ReadonlyArray<string> => {
  try {
    return read(carrier, name)
  } catch {
    // A getter of the carrier threw. A carrier comes from a stranger, who gets no say in whether we go on.
    return []
  }
}

const read = (carrier: Carrier, name: string): ReadonlyArray<string> => {
  if (carrier === null || typeof carrier !== "object") return []
  const found: Array<string> = []
  if (Symbol.iterator in carrier) {
    for (const pair of carrier as Iterable<unknown>) {
      if (Array.isArray(pair) && typeof pair[0] === "string" && sameName(pair[0], name)) add(found, pair[1])
    }
    return found
  }
  if (Object.hasOwn(carrier, name)) {
    add(found, carrier[name])
    return found
  }
  // Effect's headers are in lower case already, and an HTTP server asks for a few names that are mostly absent.
  if (headersBrand in carrier) return found
  for (const key of Object.keys(carrier)) {
    if (sameName(key, name)) add(found, carrier[key])
  }
  return found
}

const sameName = (key: string, name: string): boolean => key.length === name.length && key.toLowerCase() === name

const add = (found: Array<string>, value: unknown): void => {
  if (typeof value === "string") found.push(value)
  else if (value instanceof Uint8Array) found.push(utf8.decode(value))
  else if (Array.isArray(value)) for (const item of value) add(found, item)
}

/**
 * Makes a copy of a record in which the names given are taken away, whatever their case, and the new fields put in: a
 * `tracestate` of an older hop must not stay beside a new `traceparent`.
 */
export const replace = <A>(
  record: Readonly<Record<string, A>>,
  names: ReadonlyArray<string>,
  fields: Readonly<Record<string, string>>
): Record<string, A | string> => {
  const result: Record<string, A | string> = {}
  for (const key of Object.keys(record)) {
    const name = key.toLowerCase()
    if (names.includes(name) || Object.hasOwn(fields, name)) continue
    // `__proto__` as a key of a stranger's record is a name like any other.
    Object.defineProperty(result, key, { value: record[key], enumerable: true, writable: true, configurable: true })
  }
  return Object.assign(result, fields)
}

/**
 * The name of an environment variable that carries a field: upper case, with underscores.
 *
 * @see https://opentelemetry.io/docs/specs/otel/context/env-carriers/
 */
export const environmentName = (name: string): string => name.toUpperCase().replace(/[^A-Z0-9]/g, "_")

/** Turns fields into environment variables for a child process: `TRACEPARENT`, `TRACESTATE`, `BAGGAGE`. */
export const toEnvironment = (fields: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [environmentName(name), value]))

/** The fields of every format that this library knows, and of a request's ids. */
export const knownFields: ReadonlyArray<string> = [
  "traceparent",
  "tracestate",
  "baggage",
  "b3",
  "x-b3-traceid",
  "x-b3-spanid",
  "x-b3-parentspanid",
  "x-b3-sampled",
  "x-b3-flags",
  "x-request-id",
  "x-correlation-id"
]

/** Reads fields from environment variables: the counterpart of {@link toEnvironment}. By default all that are known. */
export const fromEnvironment = (
  environment: Readonly<Record<string, string | undefined>>,
  names: ReadonlyArray<string> = knownFields
): Record<string, string> => {
  const fields: Record<string, string> = {}
  for (const name of names) {
    const found = values(environment, environmentName(name).toLowerCase())
    if (found.length > 0) fields[name] = found[0]!
  }
  return fields
}
