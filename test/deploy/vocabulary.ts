/**
 * The names that queries may ask for, and the values that these can have: from the span catalogue.
 */
import * as Catalogue from "../../src/catalogue/Catalogue.ts"
import * as Resource from "../../src/internal/telemetry/resource.ts"

/** What an attribute holds, as TraceQL sees it. */
export interface Attribute {
  readonly type: "string" | "number" | "boolean"
  /** The values that it can have, where they are known. */
  readonly values: ReadonlySet<string> | undefined
}

const typeOf = (type: Catalogue.CatalogueAttribute["type"]): Attribute["type"] =>
  type === "int" || type === "double" ? "number" : type === "boolean" ? "boolean" : "string"

/** Why operations and statements fail. */
const reasons = Catalogue.spans.flatMap((span) =>
  span.attributes.flatMap(({ key, values }) => (key === "error.type" ? (values ?? []) : []))
)

/** A key with all that the catalogue says of it in one place and another. */
const gathered = (attributes: ReadonlyArray<Catalogue.CatalogueAttribute>): ReadonlyMap<string, Attribute> => {
  const found = new Map<string, Attribute>()
  for (const [key, entries] of Map.groupBy(attributes, (attribute) => attribute.key)) {
    const types = new Set(entries.map(({ type }) => typeOf(type)))
    if (types.size !== 1) throw new Error(`${key} has several types: ${[...types].join(", ")}`)
    // Reasons are few, and what fails without one is not asked for by name.
    const values = key === "error.type" ? reasons : entries.flatMap((entry) => entry.values ?? [])
    const known = key === "error.type" || entries.every((entry) => entry.values !== undefined)
    found.set(key, { type: [...types][0]!, values: known ? new Set(values) : undefined })
  }
  return found
}

const exception = ["exception.type", "exception.message", "exception.stacktrace"].map(
  (key): Catalogue.CatalogueAttribute => ({ key, type: "string", brief: "", values: undefined })
)

/** What the resource says without being told to, and what the settings put there. */
const resource = {
  ...Resource.make({ resourceAttributes: {} } as never).attributes,
  "service.name": "",
  "service.namespace": "",
  "service.version": "",
  "deployment.environment.name": ""
}

const scopes: Readonly<Record<string, ReadonlyMap<string, Attribute>>> = {
  span: gathered([...Catalogue.spans.flatMap((span) => span.attributes), ...Catalogue.common, ...Catalogue.recorded]),
  event: gathered([...Catalogue.retryEvent, ...exception]),
  resource: new Map(
    Object.entries(resource).map(([key, value]) => [
      key,
      { type: typeof value === "number" ? "number" : "string", values: undefined }
    ])
  )
}

/** An attribute by its scope and name. */
export const attribute = (scope: string, name: string): Attribute | undefined => scopes[scope]?.get(name)

/** Values that are known, some of them by a pattern. */
export interface Values {
  readonly has: (value: string) => boolean
  /** Whether a regular expression, anchored as Tempo does, finds any of them. */
  readonly matches: (source: string) => boolean
}

const listed = (values: ReadonlyArray<string>, also: RegExp | undefined = undefined): Values => ({
  has: (value) => values.includes(value) || also?.test(value) === true,
  matches: (source) => values.some((value) => new RegExp(`^(?:${source})$`).test(value))
})

/** What may stand for the part in braces of a span's name: the values of the attribute that says the same. */
const parts: Readonly<Record<string, ReadonlyArray<string>>> = {
  "{action}": [...(attribute("span", "action.type")?.values ?? [])],
  "{event}": [...(attribute("span", "engagement.event_type")?.values ?? [])],
  "{service}": ["weather"],
  "{operation}": ["forecast"],
  "{METHOD}": ["GET", "POST", "PUT", "PATCH", "DELETE"],
  "{http.route}": ["/api/v1/users/:id", "/api/v1/posts", "/api/v1/feeds/:type"]
}

const written = (name: string): ReadonlyArray<string> => {
  const part = /\{[\w.]+\}/.exec(name)?.[0]
  if (part === undefined) return [name]
  const values = parts[part]
  if (values === undefined || values.length === 0) throw new Error(`nothing is known of ${part} in ${name}`)
  return values.flatMap((value) => written(name.replace(part, value)))
}

/** Names of requests and of statements are without end; those of everything else are listed. */
const freeNames = /^(?:[A-Z]+(?: \/\S*)?|db\.[a-z_]+|external\.\w+\.\w+)$/

const names = listed(
  Catalogue.spans.flatMap((span) => written(span.name)),
  freeNames
)

const operations = Catalogue.spans.flatMap(({ name, service }) =>
  service === undefined ? [] : [name.slice(name.indexOf(".") + 1)]
)

const others: Readonly<Record<string, Values>> = {
  name: names,
  "span:name": names,
  "trace:rootName": names,
  "event:name": listed(["retry", "exception"]),
  "instrumentation:name": listed(["effect-telemetry"]),
  "span.external.service": listed(
    Catalogue.services.map(({ service }) => service),
    /^weather$/
  ),
  "span.external.operation": listed(operations, /^forecast$/),
  "span.sampling.reason": listed(["error", "slow", "rule:checkout"], /^rule:\w+$/),
  "span.http.request.method": listed(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "_OTHER"])
}

/** The values of an attribute or intrinsic, as a query writes it; `undefined` where it can have any. */
export const valuesOf = (field: string): Values | undefined => {
  const other = others[field]
  if (other !== undefined) return other
  const at = field.indexOf(".")
  const values = at < 0 ? undefined : attribute(field.slice(0, at), field.slice(at + 1))?.values
  return values === undefined ? undefined : listed([...values])
}

/** The alternatives of a regular expression, as far as they are not inside of something. */
export const alternatives = (source: string): ReadonlyArray<string> => {
  const found = [""]
  let depth = 0
  let inClass = false
  for (let at = 0; at < source.length; at++) {
    const char = source[at]!
    if (char === "\\") {
      found[found.length - 1] += char + (source[++at] ?? "")
      continue
    }
    if (inClass) inClass = char !== "]"
    else if (char === "[") inClass = true
    else if (char === "(") depth++
    else if (char === ")") depth--
    if (char === "|" && depth === 0 && !inClass) found.push("")
    else found[found.length - 1] += char
  }
  return found
}
