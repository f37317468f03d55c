/**
 * Attributes, written once: the name, the type, what it says, and how its value is read from an argument or a result.
 *
 * Operations and business events state their attributes as a table of these; the span gets the values, and the catalogue
 * (`docs/spans.md`) gets names, types and meanings from the same lines, so they cannot disagree. Values are read only for a
 * span that records.
 *
 * **Example** (A table of attributes)
 *
 * ```ts
 * import * as Attributes from "effect-telemetry/operation/Attributes"
 *
 * interface Lookup {
 *   readonly place: string
 *   readonly radius: number | undefined
 * }
 * const table: Attributes.AttributeTable<Lookup> = {
 *   "geo.place": Attributes.string("the place asked for", (lookup) => lookup.place, { maxLength: 200 }),
 *   "geo.radius_m": Attributes.int("the radius in metres", (lookup) => lookup.radius)
 * }
 * console.log(Attributes.read(Attributes.compile(table), { place: "Oslo", radius: undefined }))
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otel/common/#attribute
 */

/** The types that an attribute may have, as the semantic conventions write them. */
export type AttributeType = "string" | "int" | "double" | "boolean" | "string[]"

/** The value of an attribute; `undefined` and `null` mean that it is absent. */
export type AttributeInput = string | number | bigint | boolean | ReadonlyArray<string> | undefined | null

/** One attribute: its type, its meaning, and where its value comes from. */
export interface AttributeSpec<in A> {
  readonly type: AttributeType
  /** What it says, in a few words. */
  readonly brief: string
  /** Reads the value. Absent where the code of a call sets the attribute itself. */
  readonly from?: ((value: A) => AttributeInput) | undefined
  /** Longer strings are cut at so many characters. */
  readonly maxLength?: number | undefined
  /** The values that it may have, where they are few and known. */
  readonly values?: ReadonlyArray<string> | undefined
}

/** Attributes by name. */
export interface AttributeTable<in A> {
  readonly [key: string]: AttributeSpec<A>
}

interface Options {
  readonly maxLength?: number | undefined
  readonly values?: ReadonlyArray<string> | undefined
}

const spec =
  (type: AttributeType) =>
  <A>(brief: string, from?: (value: A) => AttributeInput, options?: Options): AttributeSpec<A> => ({
    type,
    brief,
    from,
    maxLength: options?.maxLength,
    values: options?.values
  })

type Make<V extends AttributeInput> = <A>(
  brief: string,
  from?: (value: A) => V | undefined | null,
  options?: Options
) => AttributeSpec<A>

/** A string. Takes what it says, how it is read from a value, and `maxLength` or the `values` that it may have. */
export const string: Make<string> = spec("string") as never

/** An integer: counts, sizes. A fraction is rounded. */
export const int: Make<number | bigint> = spec("int") as never

/** A number, as it is. */
export const double: Make<number> = spec("double") as never

/** A truth value, `true` or `false`. */
export const boolean: Make<boolean> = spec("boolean") as never

/** A list of strings. */
export const strings: Make<ReadonlyArray<string>> = spec("string[]") as never

/** A string that is the same on every span of its table. */
export const constant = (brief: string, value: string): AttributeSpec<unknown> => ({
  type: "string",
  brief,
  from: () => value,
  values: [value]
})

/** The attributes of a table that are read from a value, made ready for the hot path. */
export type Compiled<A> = ReadonlyArray<readonly [key: string, spec: AttributeSpec<A>]>

/** Makes a table ready to be read. */
export const compile = <A>(table: AttributeTable<A> | undefined): Compiled<A> =>
  table === undefined ? [] : Object.entries(table).filter(([, spec]) => spec.from !== undefined)

/**
 * Reads the attributes of a value and gives each that is present. A reader that throws loses its own attribute and nothing
 * else: telemetry never fails the application.
 */
export const each = <A>(compiled: Compiled<A>, value: A, set: (key: string, value: AttributeInput) => void): void => {
  for (let i = 0; i < compiled.length; i++) {
    const entry = compiled[i]!
    try {
      const spec = entry[1]
      let found = spec.from!(value)
      if (found === undefined || found === null) continue
      if (spec.maxLength !== undefined && typeof found === "string") found = cut(found, spec.maxLength)
      else if (spec.type === "int" && typeof found === "number") found = Math.round(found)
      set(entry[0], found)
    } catch {
      // the reader met a value that it did not expect
    }
  }
}

/** The attributes of a value as a record. */
export const read = <A>(compiled: Compiled<A>, value: A): Record<string, AttributeInput> => {
  const attributes: Record<string, AttributeInput> = {}
  each(compiled, value, (key, found) => {
    attributes[key] = found
  })
  return attributes
}

/** The first characters of a text, never half of a surrogate pair. */
export const cut = (text: string, maxLength: number): string => {
  if (text.length <= maxLength) return text
  const last = text.charCodeAt(maxLength - 1)
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? maxLength - 1 : maxLength)
}
