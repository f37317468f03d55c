/**
 * Every span that this library makes: its name, its kind, its attributes with their types. Read from the operations and events
 * that define them; nothing is written here a second time.
 *
 * Users write queries, dashboards and alerts against these names, so a change of one is a breaking change.
 *
 * **Example** (All names of spans)
 *
 * ```ts
 * import * as Catalogue from "effect-telemetry/catalogue/Catalogue"
 *
 * console.log(Catalogue.spans.map((span) => span.name).join("\n"))
 * ```
 */
import type * as Tracer from "effect/Tracer"
import * as BusinessEvents from "../events/BusinessEvents.ts"
import * as HttpSpans from "../http/HttpSpans.ts"
import type { AttributeTable, AttributeType } from "../operation/Attributes.ts"
import type { AnyTable } from "../operation/Operation.ts"
import * as OperationAttributes from "../operation/OperationAttributes.ts"
import { attributes as correlation } from "../propagation/CorrelationAttributes.ts"
import * as Cache from "../services/Cache/Cache.ts"
import * as DatabaseAttributes from "../services/Database/DatabaseAttributes.ts"
import * as Gorse from "../services/Gorse/Gorse.ts"
import * as Search from "../services/Search/Search.ts"
import * as Storage from "../services/Storage/Storage.ts"
import * as StreamIO from "../services/StreamIO/StreamIO.ts"
import { attributes as everySpan } from "../tracer/SpanAttributes.ts"

/** An attribute of a span. */
export interface CatalogueAttribute {
  /** The name, as queries use it. */
  readonly key: string
  readonly type: AttributeType
  /** What it says, in a few words. */
  readonly brief: string
  /** The values that it may have, where they are few and known. */
  readonly values: ReadonlyArray<string> | undefined
}

/** The parts of the catalogue. */
export type Group = "http" | "database" | "service" | "event"

/** A span. */
export interface CatalogueSpan {
  /** The name; parts in braces stand for what varies. */
  readonly name: string
  readonly group: Group
  /** The service as `external.service` names it, for the spans of operations. */
  readonly service: string | undefined
  readonly kind: Tracer.SpanKind
  readonly brief: string
  readonly attributes: ReadonlyArray<CatalogueAttribute>
}

const attributesOf = (
  ...tables: ReadonlyArray<AttributeTable<never> | undefined>
): ReadonlyArray<CatalogueAttribute> => {
  const found = new Map<string, CatalogueAttribute>()
  for (const table of tables) {
    for (const [key, { brief, type, values }] of Object.entries(table ?? {})) {
      if (!found.has(key)) found.set(key, { key, type, brief, values })
    }
  }
  return [...found.values()]
}

/** Methods that are one operation with another kind of argument (one key, several keys) are one span. */
const operationsOf = (table: AnyTable): ReadonlyArray<CatalogueSpan> => {
  const methods = Object.values(table.operations)
  return [...new Set(methods.map(({ name }) => name))].map((name) => {
    const entries = methods.filter((entry) => entry.name === name)
    return {
      name: `${table.prefix}.${name}`,
      group: "service",
      service: table.service,
      kind: "client",
      brief: entries[0]!.brief,
      attributes: attributesOf(
        ...entries.flatMap((entry) => [entry.input, entry.result]),
        entries.some((entry) => entry.mode === "stream") ? { "result.item_count": itemCount } : undefined,
        table.attributes as AttributeTable<never> | undefined,
        { [`${table.prefix}.operation`]: { type: "string", brief: "as `external.operation`" } },
        OperationAttributes.common
      )
    }
  })
}

const itemCount = { type: "int", brief: "how many elements passed" } as const

/** The services whose operations the catalogue holds. */
export const services: ReadonlyArray<AnyTable> = [
  StreamIO.operations,
  Gorse.operations,
  Search.operations,
  Storage.operations,
  Cache.operations
] as unknown as ReadonlyArray<AnyTable>

const database = (name: string): CatalogueSpan => ({
  name,
  group: "database",
  service: undefined,
  kind: "client",
  brief: `a ${name === "db.query" ? "statement of another kind, or of several" : `\`${name.slice(3).replace("_", " ").toUpperCase()}\``}`,
  attributes: attributesOf(DatabaseAttributes.statement as never, DatabaseAttributes.outcome as never)
})

/** Every span that this library makes, group by group. */
export const spans: ReadonlyArray<CatalogueSpan> = [
  {
    name: "{METHOD} {http.route}",
    group: "http",
    service: undefined,
    kind: "server",
    brief: "a request that is served; `{METHOD}` where no route matched",
    attributes: attributesOf(HttpSpans.server)
  },
  {
    name: "{METHOD}",
    group: "http",
    service: undefined,
    kind: "client",
    brief: "an attempt of a request that is sent; `{METHOD} {url.template}` where the caller names the template",
    attributes: attributesOf(HttpSpans.client)
  },
  ...DatabaseAttributes.spanNames.map(database),
  ...services.flatMap(operationsOf),
  ...Object.values(BusinessEvents)
    .map(({ definition }): CatalogueSpan => ({
      name: definition.name,
      group: "event",
      service: undefined,
      kind: "internal",
      brief: definition.brief,
      attributes: attributesOf(definition.attributes as AttributeTable<never>)
    }))
    // A namespace has no order of its own.
    .sort((a, b) => (a.name < b.name ? -1 : 1))
]

/** What every span may carry. */
export const common: ReadonlyArray<CatalogueAttribute> = attributesOf(correlation, everySpan)

/** What `recordServiceError` and `recordServiceSuccess` put on a span. */
export const recorded: ReadonlyArray<CatalogueAttribute> = attributesOf(OperationAttributes.recorded)

/** What a span event `retry` carries. */
export const retryEvent: ReadonlyArray<CatalogueAttribute> = attributesOf(OperationAttributes.retryEvent)

/** The older names that `OTEL_SEMCONV_STABILITY_OPT_IN` asks for. */
export const older: ReadonlyArray<CatalogueAttribute> = attributesOf(
  HttpSpans.older,
  DatabaseAttributes.olderStatement as never,
  DatabaseAttributes.olderOutcome as never
)
