/**
 * Any JavaScript value to a value that every OTLP receiver takes. Total: it never throws, calls no code that it could avoid
 * calling, and takes bounded time and memory. What each kind becomes is stable, so queries may rely on it:
 *
 * | value | becomes |
 * |---|---|
 * | text | itself without secrets, lone surrogates as U+FFFD, cut at the limit |
 * | finite number, boolean | itself |
 * | `NaN`, `Infinity`, `-Infinity` | the text of that name: JSON has no such numbers, and collectors refuse the whole batch |
 * | bigint | its decimal digits |
 * | `null` | `"null"` |
 * | `undefined`, `Option.none` | nothing: the attribute is left out |
 * | `Option.some` | what its value becomes |
 * | symbol, function | `Symbol(name)`, `[Function: name]` |
 * | `Date`, `DateTime` | ISO 8601 in UTC; `Invalid Date` |
 * | `Duration` | milliseconds; `"Infinity"` |
 * | `Error` | `name: message` |
 * | `Redacted` | `[REDACTED]` |
 * | `URL`, `RegExp` | their text |
 * | object whose `toJSON` gives a primitive | what that becomes |
 * | array, `Set`, iterable of one kind of primitive | an array of it; `null` and `undefined` are gaps |
 * | other array, `Set` | an array of texts, each element as it would be alone |
 * | numeric typed array | an array of numbers (big ones: of texts) |
 * | `Buffer`, `Uint8Array`, `ArrayBuffer`, `DataView` | base 64 |
 * | `Map`, `URLSearchParams`, `Headers`, other objects | JSON; properties under secret keys `[REDACTED]`, cycles `[Circular]`, getters that throw `[Throws]`, deeper than 8 levels `[...]` |
 *
 * **Example** (Some of them)
 *
 * ```ts
 * import * as AttributeValue from "effect-telemetry/tracer/AttributeValue"
 *
 * console.log(AttributeValue.convert(12n), AttributeValue.convert({ token: "abc", at: new Date(0) }))
 * // 12 {"token":"[REDACTED]","at":"1970-01-01T00:00:00.000Z"}
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otel/common/#attribute
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { cut, defaults as defaultLimits, type Limits } from "./Limits.ts"
import { defaults as defaultRedactor, REDACTED, type Redactor } from "./Redaction.ts"
import type { AttributeValue } from "./SpanData.ts"

/** What conversion depends on. */
export interface Rules {
  readonly limits: Limits
  readonly redactor: Redactor
}

/** The rules where nobody says otherwise. */
export const defaultRules: Rules = { limits: defaultLimits, redactor: defaultRedactor }

const maximumDepth = 8
/** A text is searched for secrets before it is cut, but not further than this beyond the cut. */
const searchedBeyondCut = 2048
/** How many properties and elements one value's JSON may have. */
const maximumNodes = 2000

/** Up to this length a loop is quicker than the searches that it saves. */
const quickLength = 64

/** The characters without one of which a text holds nothing to redact: `:`, `=`, `@`, `%`, `<`, a space, the `J` of `eyJ`. */
const marks = new Uint8Array(128)
for (const mark of ":=@%< J") marks[mark.charCodeAt(0)] = 1

/** Whether a text holds one of them; or a surrogate, which may be alone. */
const hasMark = (value: string): boolean => {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    if (code < 128 ? marks[code] === 1 : code >= 0xd800 && code <= 0xdfff) return true
  }
  return false
}

/** Whether a text is seen at once to leave the process as it is. */
export const isClean = (value: string, rules: Rules): boolean =>
  value.length <= quickLength && value.length <= rules.limits.valueLength && rules.redactor.needsMark && !hasMark(value)

/** A text as it may leave the process. */
export const text = (value: string, rules: Rules): string => {
  if (isClean(value, rules)) return value
  const limit = rules.limits.valueLength
  // What stands for a secret may be longer than it was.
  if (value.length <= limit) return cut(rules.redactor.text(value.toWellFormed()), limit)
  const head = value.length > limit + searchedBeyondCut ? value.slice(0, limit + searchedBeyondCut) : value
  return cut(rules.redactor.text(head.toWellFormed()), limit)
}

/** The value's encoding as the table above says. `undefined`: the attribute is left out. */
export const convert = (value: unknown, rules: Rules = defaultRules): AttributeValue | undefined => {
  switch (typeof value) {
    case "string":
      return text(value, rules)
    case "number":
      return Number.isFinite(value) ? value : String(value)
    case "boolean":
      return value
    case "undefined":
      return undefined
    case "object":
      if (value === null) return "null"
      try {
        return convertObject(value, rules)
      } catch {
        return "[Unreadable]"
      }
    default:
      return text(printed(value), rules)
  }
}

/** Kinds that have a text of their own however they are nested; an object's is its kind. Never throws. */
export const printed = (value: unknown): string => {
  switch (typeof value) {
    case "object":
      return value === null ? "null" : "[Object]"
    case "bigint":
    case "symbol":
      return String(value)
    case "function":
      try {
        return `[Function: ${typeof value.name === "string" && value.name !== "" ? value.name : "anonymous"}]`
      } catch {
        return "[Function: anonymous]"
      }
    default:
      return String(value)
  }
}

const boxed = new Set(["[object String]", "[object Number]", "[object Boolean]", "[object BigInt]", "[object Symbol]"])

/** Texts and numbers of the objects that stand for one value. `null`: it is some other object. */
const convertSingle = (value: object): string | number | null => {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString()
  if (value instanceof Error) return `${value.name}: ${value.message}`
  if (Redacted.isRedacted(value)) return REDACTED
  if (Duration.isDuration(value)) {
    const millis = Duration.toMillis(value)
    return Number.isFinite(millis) ? millis : String(millis)
  }
  if (value instanceof URL) return value.href
  if (value instanceof RegExp) return String(value)
  if (boxed.has(Object.prototype.toString.call(value))) return String(value.valueOf())
  if (value instanceof Promise) return "[Promise]"
  if (value instanceof WeakMap || value instanceof WeakSet || value instanceof WeakRef) return "[Weak]"
  return null
}

const bytesOf = (value: object): Uint8Array | undefined =>
  value instanceof Uint8Array || value instanceof Uint8ClampedArray
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : value instanceof ArrayBuffer || value instanceof SharedArrayBuffer
      ? new Uint8Array(value)
      : value instanceof DataView
        ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
        : undefined

const base64 = (bytes: Uint8Array, limit: number): string =>
  cut(
    Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, Math.ceil(limit) + 3)).toString("base64"),
    limit
  )

const convertObject = (value: object, rules: Rules): AttributeValue | undefined => {
  if (Array.isArray(value)) return convertArray(value, rules)
  const single = convertSingle(value)
  if (single !== null) return typeof single === "string" ? text(single, rules) : single
  if (Option.isOption(value)) return Option.isNone(value) ? undefined : convert(value.value, rules)
  const bytes = bytesOf(value)
  if (bytes !== undefined) return base64(bytes, Math.min(rules.limits.valueLength, 1 << 24))
  if (ArrayBuffer.isView(value)) return convertArray(numbersOf(value, rules.limits.arrayLength), rules)
  if (value instanceof Set) return convertArray(firstOf(value, rules.limits.arrayLength), rules)
  const own = ownJson(value)
  return typeof own === "object" ? jsonText(value, rules) : convert(own, rules)
}

const numbersOf = (view: ArrayBufferView, limit: number): Array<unknown> =>
  Array.prototype.slice.call(view, 0, Math.min(limit, (view as Uint16Array).length))

const firstOf = (values: Iterable<unknown>, limit: number): Array<unknown> => {
  const out: Array<unknown> = []
  for (const value of values) {
    if (out.length >= limit) break
    out.push(value)
  }
  return out
}

const convertArray = (all: ReadonlyArray<unknown>, rules: Rules): AttributeValue => {
  const length = Math.min(all.length, rules.limits.arrayLength)
  let kind = ""
  let uniform = true
  for (let i = 0; i < length; i++) {
    const element = all[i]
    if (element === null || element === undefined) continue
    const type = typeof element
    if (type !== "string" && type !== "boolean" && !(type === "number" && Number.isFinite(element))) uniform = false
    else if (kind === "") kind = type
    else if (kind !== type) uniform = false
    if (!uniform) break
  }
  const out: Array<unknown> = []
  for (let i = 0; i < length; i++) {
    const element = all[i]
    if (element === null || element === undefined) out.push(element)
    else if (uniform) out.push(typeof element === "string" ? text(element, rules) : element)
    else out.push(elementText(element, rules))
  }
  return out as AttributeValue
}

const elementText = (element: unknown, rules: Rules): string => {
  if (typeof element === "object" && element !== null) {
    try {
      const single = convertSingle(element)
      return single === null ? jsonText(element, rules) : text(String(single), rules)
    } catch {
      return "[Unreadable]"
    }
  }
  return text(printed(element), rules)
}

/** JSON within the limit. The texts in it were searched for secrets one by one. */
const jsonText = (value: object, rules: Rules): string => cut(toJson(value, rules), rules.limits.valueLength)

/** JSON of any value, with bounds on its depth and its nodes. Never throws. */
export const toJson = (value: unknown, rules: Rules): string => {
  return json(value, { rules, nodes: maximumNodes, length: 0, above: [] }) ?? "null"
}

interface JsonState {
  readonly rules: Rules
  nodes: number
  length: number
  readonly above: Array<object>
}

const quoted = (value: string, state: JsonState): string => {
  const out = JSON.stringify(text(value, state.rules))
  state.length += out.length
  return out
}

const json = (value: unknown, state: JsonState): string | undefined => {
  state.nodes--
  switch (typeof value) {
    case "string":
      return quoted(value, state)
    case "number":
      return Number.isFinite(value) ? String(value) : `"${String(value)}"`
    case "boolean":
      return String(value)
    case "undefined":
      return undefined
    case "object":
      if (value === null) return "null"
      try {
        return jsonObject(value, state)
      } catch {
        return '"[Unreadable]"'
      }
    default:
      return quoted(printed(value), state)
  }
}

const jsonObject = (value: object, state: JsonState): string | undefined => {
  const single = convertSingle(value)
  if (single !== null) return typeof single === "string" ? quoted(single, state) : String(single)
  if (Option.isOption(value)) return Option.isNone(value) ? undefined : json(value.value, state)
  const bytes = bytesOf(value)
  if (bytes !== undefined) return quoted(base64(bytes, Math.min(state.rules.limits.valueLength, 1 << 16)), state)
  if (state.above.includes(value)) return '"[Circular]"'
  if (state.above.length >= maximumDepth) return '"[...]"'
  state.above.push(value)
  try {
    if (Array.isArray(value) || value instanceof Set) return jsonArray(value, state)
    if (ArrayBuffer.isView(value)) return jsonArray(numbersOf(value, state.rules.limits.arrayLength), state)
    if (value instanceof Map || value instanceof URLSearchParams || value instanceof Headers) {
      return jsonEntries(value.entries(), state)
    }
    const replaced = ownJson(value)
    return replaced === value ? jsonProperties(value, state) : json(replaced, state)
  } finally {
    state.above.pop()
  }
}

/** What an object says it is in JSON. Effects and the like say so too. */
const ownJson = (value: object): unknown => {
  try {
    const toJSON = (value as { readonly toJSON?: unknown }).toJSON
    return typeof toJSON === "function" ? toJSON.call(value) : value
  } catch {
    return "[Throws]"
  }
}

const isFull = (state: JsonState): boolean => state.nodes <= 0 || state.length > state.rules.limits.valueLength

const jsonArray = (values: Iterable<unknown>, state: JsonState): string => {
  const parts: Array<string> = []
  for (const element of values) {
    if (isFull(state)) break
    parts.push(json(element, state) ?? "null")
  }
  return `[${parts.join(",")}]`
}

const jsonEntries = (entries: Iterable<[unknown, unknown]>, state: JsonState): string => {
  const parts: Array<string> = []
  for (const [key, value] of entries) {
    if (isFull(state)) break
    const name = typeof key === "string" ? key : typeof key === "object" ? (json(key, state) ?? "") : printed(key)
    pushProperty(parts, name, value, state)
  }
  return `{${parts.join(",")}}`
}

const jsonProperties = (value: object, state: JsonState): string => {
  const parts: Array<string> = []
  for (const key of Object.keys(value)) {
    if (isFull(state)) break
    let property: unknown
    try {
      property = (value as Record<string, unknown>)[key]
    } catch {
      property = "[Throws]"
    }
    pushProperty(parts, key, property, state)
  }
  return `{${parts.join(",")}}`
}

const pushProperty = (parts: Array<string>, key: string, value: unknown, state: JsonState): void => {
  if (value === undefined) return
  const encoded = state.rules.redactor.isSecretKey(key) ? `"${REDACTED}"` : json(value, state)
  if (encoded !== undefined) parts.push(`${quoted(key, state)}:${encoded}`)
}
