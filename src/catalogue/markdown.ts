/**
 * The catalogue as a page: `docs/spans.md`.
 *
 * @internal
 */
import * as OperationAttributes from "../operation/OperationAttributes.ts"
import {
  type CatalogueAttribute,
  type CatalogueSpan,
  common,
  type Group,
  older,
  recorded,
  retryEvent,
  spans
} from "./Catalogue.ts"

const escape = (text: string): string => text.replaceAll("|", "\\|")

const attributeTable = (attributes: ReadonlyArray<CatalogueAttribute>): string =>
  [
    "| attribute | type | meaning |",
    "|---|---|---|",
    ...attributes.map(
      ({ brief, key, type, values }) =>
        `| \`${key}\` | ${type} | ${escape(brief)}${values === undefined ? "" : ` (${values.map((value) => `\`${value}\``).join(", ")})`} |`
    )
  ].join("\n")

const titles: Readonly<Record<Group, string>> = {
  http: "HTTP",
  database: "Database",
  service: "Services",
  event: "Business events"
}

const section = (span: CatalogueSpan): string =>
  `### \`${span.name}\`\n\n${span.brief[0]!.toUpperCase()}${span.brief.slice(1)}. Kind ${span.kind}.\n\n${attributeTable(span.attributes)}`

const group = (name: Group): string => {
  const own = spans.filter((span) => span.group === name)
  // Statements of every kind carry the same attributes: one table for all of them.
  if (name === "database") {
    return `## ${titles[name]}\n\n${own.map((span) => `\`${span.name}\``).join(", ")}, otherwise \`db.{operation in lower case}\`. Kind client.\n\n${attributeTable(own[0]!.attributes)}`
  }
  return `## ${titles[name]}\n\n${own.map(section).join("\n\n")}`
}

/** The operations of a service, for its own page. */
export const operations = (service: string): string =>
  [
    "| operation | span | attributes of its own |",
    "|---|---|---|",
    ...spans
      .filter((span) => span.service === service)
      .map(({ attributes, brief, name }) => {
        const own = attributes.filter(({ key }) => !everyOperation.has(key) && !key.endsWith(".operation"))
        return `| ${escape(brief)} | \`${name}\` | ${own.map(({ key }) => `\`${key}\``).join(", ")} |`
      })
  ].join("\n")

const everyOperation = new Set(Object.keys(OperationAttributes.common))

/** The whole page. */
export const page = (): string =>
  `# The spans

<!-- Generated from the code by \`npm run docs\`; a test holds both together. -->

What a trace looks like, name by name: ${spans.length} spans. Write queries, dashboards and alerts against these names; a change here is a breaking change.

They are this library's own spans only. What an application makes itself is not here: its \`Effect.withSpan\`, the events and operations that it defines, the spans of other instrumentation.

## On every span

${attributeTable(common)}

A failure is an event \`exception\` with \`exception.type\`, \`exception.message\` and \`exception.stacktrace\` (causes included).

${(["http", "database", "service", "event"] as const).map(group).join("\n\n")}

## Outside of operations

What \`recordServiceError\` and \`recordServiceSuccess\` put on the span in which they run, whatever its name.

${attributeTable(recorded)}

## The event \`retry\`

On the span of an operation, one for each repetition.

${attributeTable(retryEvent)}

## Older names

Beside those above, where \`OTEL_SEMCONV_STABILITY_OPT_IN\` says \`http/dup\` or \`database/dup\`.

${attributeTable(older)}
`
