/**
 * The fields of an index in this process: what types they have, and what is indexed of a document.
 *
 * @internal
 */
import { InvalidRequest } from "../../../operation/Reason.ts"
import type { Fields, FieldType } from "../SearchQuery.ts"
import type { Source } from "../SearchTypes.ts"
import * as dates from "./dates.ts"

/** A value as it is compared: a date in milliseconds. */
export type Indexed = string | number | boolean

/** What a completion is made of. */
export interface Completion {
  readonly input: string
  readonly weight: number
}

/** What is indexed of a document: values by the paths of their fields. */
export interface IndexedDocument {
  readonly values: ReadonlyMap<string, ReadonlyArray<Indexed>>
  readonly completions: ReadonlyMap<string, ReadonlyArray<Completion>>
}

const types: ReadonlySet<string> = new Set<FieldType>([
  "text",
  "keyword",
  "long",
  "integer",
  "double",
  "float",
  "boolean",
  "date",
  "completion"
])

/** The longest text that has an exact value beside it. */
const MAX_EXACT = 256

export const refused = (code: string, message: string): InvalidRequest =>
  new InvalidRequest({ message: `${code}: ${message}`, code, status: 400 })

/** The fields of one index. */
export class Mapping {
  private readonly fields = new Map<string, FieldType>()
  private readonly dynamic: boolean

  constructor(fields: Fields = {}, dynamic = true) {
    this.dynamic = dynamic
    for (const [path, definition] of Object.entries(fields)) {
      const type = typeof definition === "string" ? definition : definition["type"]
      if (typeof type !== "string" || !types.has(type)) {
        throw refused(
          "mapper_parsing_exception",
          `the embedded engine has no type [${String(type)}] for the field [${path}]; it has ${[...types].join(", ")}`
        )
      }
      this.fields.set(path, type as FieldType)
    }
  }

  copy(): Mapping {
    return new Mapping(Object.fromEntries(this.fields), this.dynamic)
  }

  /** The type of a field, also of the exact value of a text. */
  typeOf(path: string): FieldType | undefined {
    const type = this.fields.get(path)
    if (type !== undefined || !path.endsWith(".keyword")) return type
    return this.fields.get(path.slice(0, -".keyword".length)) === "text" ? "keyword" : undefined
  }

  /** The fields whose paths fit one of these patterns. */
  matching(patterns: ReadonlyArray<string>): ReadonlyArray<string> {
    return [...this.fields.keys()].filter((path) => patterns.some((pattern) => wildcard(pattern).test(path)))
  }

  /** What is indexed of a document. Throws the reason where it does not fit; then no field has come with it. */
  index(source: Source): IndexedDocument {
    const leaves = new Map<string, Array<unknown>>()
    this.collect("", source, leaves)
    const added = new Map<string, FieldType>()
    for (const [path, found] of leaves) {
      if (this.fields.has(path)) continue
      if (!this.dynamic) {
        throw refused("strict_dynamic_mapping_exception", `the field [${path}] is not among those of the index`)
      }
      this.checkPlace(path, added)
      added.set(path, dynamicType(found[0]))
    }
    const values = new Map<string, Array<Indexed>>()
    const completions = new Map<string, ReadonlyArray<Completion>>()
    for (const [path, found] of leaves) {
      const type = this.fields.get(path) ?? added.get(path)!
      if (type === "completion")
        completions.set(
          path,
          found.flatMap((value) => completion(path, value))
        )
      else
        values.set(
          path,
          found.map((value) => indexedValue(path, type, value))
        )
      if (type === "text") {
        values.set(
          `${path}.keyword`,
          values.get(path)!.filter((text) => (text as string).length <= MAX_EXACT)
        )
      }
    }
    for (const [path, type] of added) this.fields.set(path, type)
    return { values, completions }
  }

  /** A path cannot be a value and an object with fields. */
  private checkPlace(path: string, added: ReadonlyMap<string, FieldType>): void {
    for (const other of [...this.fields.keys(), ...added.keys()]) {
      if (other.startsWith(`${path}.`) || path.startsWith(`${other}.`)) {
        throw refused("document_parsing_exception", `the field [${path}] cannot be there beside the field [${other}]`)
      }
    }
  }

  private collect(path: string, value: unknown, leaves: Map<string, Array<unknown>>): void {
    if (value === null || value === undefined) return
    if (Array.isArray(value)) {
      for (const element of value) this.collect(path, element, leaves)
    } else if (typeof value === "object" && this.fields.get(path) !== "completion") {
      for (const [key, inner] of Object.entries(value))
        this.collect(path === "" ? key : `${path}.${key}`, inner, leaves)
    } else {
      const found = leaves.get(path)
      if (found === undefined) leaves.set(path, [value])
      else found.push(value)
    }
  }
}

const dynamicType = (value: unknown): FieldType => {
  if (typeof value === "boolean") return "boolean"
  if (typeof value === "number") return Number.isInteger(value) ? "long" : "float"
  return dates.looksLikeDate(String(value)) ? "date" : "text"
}

const failedToParse = (path: string, type: FieldType): InvalidRequest =>
  refused("document_parsing_exception", `failed to parse field [${path}] of type [${type}]`)

const indexedValue = (path: string, type: FieldType, value: unknown): Indexed => {
  const indexed = typeof value === "object" ? undefined : coerce(type, value, false, 0)
  if (indexed === undefined) throw failedToParse(path, type)
  return indexed
}

/** A value as a field of a type has it; `undefined` where it cannot have it. */
export const coerce = (type: FieldType, value: unknown, up: boolean, now: number): Indexed | undefined => {
  switch (type) {
    case "long":
    case "integer": {
      const number = numeric(value)
      const limit = type === "integer" ? 2 ** 31 : 2 ** 63
      return number === undefined || number >= limit || number < -limit ? undefined : Math.trunc(number)
    }
    case "double":
    case "float":
      return numeric(value)
    case "boolean":
      if (value === true || value === "true") return true
      return value === false || value === "false" || value === "" ? false : undefined
    case "date":
      return dates.parse(value, up, now)
    default:
      return value instanceof Date ? value.toISOString() : String(value)
  }
}

const numeric = (value: unknown): number | undefined => {
  if (typeof value === "boolean" || value === "" || value instanceof Date) return undefined
  const number = Number(value)
  return Number.isFinite(number) ? number : undefined
}

const completion = (path: string, value: unknown): ReadonlyArray<Completion> => {
  const given =
    typeof value === "object" && value !== null ? (value as { input?: unknown; weight?: unknown }) : { input: value }
  const inputs = Array.isArray(given.input) ? given.input : [given.input]
  const weight = given.weight === undefined ? 1 : Number(given.weight)
  if (!Number.isInteger(weight) || weight < 0 || !inputs.every((input) => typeof input === "string" && input !== "")) {
    throw failedToParse(path, "completion")
  }
  return inputs.map((input: string) => ({ input, weight }))
}

const patterns = new Map<string, RegExp>()

/** A pattern in which `*` stands for anything. */
export const wildcard = (pattern: string): RegExp => {
  let found = patterns.get(pattern)
  if (found === undefined) {
    found = new RegExp(
      `^${pattern
        .split("*")
        .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"))
        .join(".*")}$`,
      "s"
    )
    if (patterns.size > 1000) patterns.clear()
    patterns.set(pattern, found)
  }
  return found
}
