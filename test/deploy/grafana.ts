/**
 * The dashboards, as Grafana reads them, and their queries with what is chosen at their top put in.
 */
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "./documents.ts"

/** A data source. */
export interface Source {
  readonly type: string
  readonly uid: string
}

/** A query of a panel. */
export interface Target {
  readonly refId: string
  readonly datasource: Source
  readonly query?: string
  readonly expr?: string
  readonly expression?: string
  readonly queryType?: string
  readonly metricsQueryType?: string
}

/** A link of a series or a cell. */
export interface Link {
  readonly title: string
  readonly url: string
}

/** A panel, or a row. */
export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly datasource?: Source
  readonly targets?: ReadonlyArray<Target>
  readonly panels?: ReadonlyArray<Panel>
  readonly transformations?: ReadonlyArray<{ readonly id: string }>
  readonly fieldConfig?: {
    readonly defaults: { readonly unit?: string; readonly links?: ReadonlyArray<Link> }
    readonly overrides: ReadonlyArray<{
      readonly properties: ReadonlyArray<{ readonly id: string; readonly value: unknown }>
    }>
  }
}

/** What is chosen or typed at the top. */
export interface Variable {
  readonly name: string
  readonly type: "query" | "custom" | "textbox"
  readonly description: string
  readonly allValue?: string
  readonly includeAll?: boolean
  readonly query: unknown
  readonly datasource?: Source
  readonly options: ReadonlyArray<{ readonly value: string }>
}

/** A dashboard. */
export interface Dashboard {
  readonly uid: string
  readonly title: string
  readonly description: string
  readonly schemaVersion: number
  readonly panels: ReadonlyArray<Panel>
  readonly templating: { readonly list: ReadonlyArray<Variable> }
}

const folder = join(root, "deploy/grafana/dashboards")
/** Their files. */
export const files = globSync("*.json", { cwd: folder }).sort()
/** All of them. */
export const dashboards = files.map((file) => JSON.parse(readFileSync(join(folder, file), "utf8")) as Dashboard)
/** By their `uid`. */
export const byUid = new Map(dashboards.map((dashboard) => [dashboard.uid, dashboard]))
/** By the end of it. */
export const named = (slug: string): Dashboard => byUid.get(`effect-telemetry-${slug}`)!

/** Panels and rows, also those within rows. */
export const panelsOf = ({ panels }: Dashboard): ReadonlyArray<Panel> =>
  panels.flatMap((panel) => [panel, ...(panel.panels ?? [])])
/** Panels that show something. */
export const drawn = (dashboard: Dashboard): ReadonlyArray<Panel> =>
  panelsOf(dashboard).filter(({ type }) => type !== "row")
/** Every query, with its panel. */
export const targetsOf = (dashboard: Dashboard): ReadonlyArray<readonly [Panel, Target]> =>
  drawn(dashboard).flatMap((panel) => (panel.targets ?? []).map((target) => [panel, target] as const))

// -----------------------------------------------------------------------------
// Variables, as Grafana puts them into queries
// -----------------------------------------------------------------------------

const escaped = (value: string): string => value.replaceAll(/[\\^$*+?.()|[\]{}/]/g, "\\$&")

/** What people choose of a variable: nothing, one, several of what it offers. */
export const choices = ({
  allValue,
  includeAll,
  options,
  query,
  type
}: Variable): ReadonlyArray<ReadonlyArray<string> | string> => {
  const offered = options.map(({ value }) => value).filter((value) => value !== "$__all")
  if (type === "textbox") return [String(query) === "" ? "4bf92f3577b34da6a3ce929d0e0e4736" : String(query)]
  if (includeAll !== true) return offered.map((value) => [value])
  const sample = type === "query" ? ["/api/v1/users/:id", "/files/*"] : offered
  return [allValue!, ...sample.map((value) => [value]), sample]
}

const formatted = (choice: ReadonlyArray<string> | string, format: string | undefined): string => {
  // What stands for all of them is put in as it is.
  if (typeof choice === "string") return choice
  if (format === "regex") return choice.length === 1 ? escaped(choice[0]!) : `(${choice.map(escaped).join("|")})`
  return choice.join("|")
}

/** A text with choices put in for its variables. */
export const interpolated = (text: string, chosen: ReadonlyMap<string, ReadonlyArray<string> | string>): string =>
  text
    .replaceAll(/\$__(?:range|rate_interval|interval)/g, "5m")
    .replaceAll(/\$\{(\w+)(?::(\w+))?\}|\$([A-Za-z_]\w*)/g, (all, braced, format, bare) => {
      const choice = chosen.get(braced ?? bare)
      return choice === undefined ? all : formatted(choice, format)
    })

/** A query with each choice of each of its variables, the others as they are at first. */
export const everyForm = (text: string, variables: ReadonlyArray<Variable>): ReadonlyArray<string> => {
  const first = new Map(variables.map((variable) => [variable.name, choices(variable)[0]!]))
  return [
    ...new Set(
      variables.flatMap((variable) =>
        choices(variable).map((choice) => interpolated(text, new Map([...first, [variable.name, choice]])))
      )
    )
  ]
}

/** Names of variables that a text asks for; Grafana's own begin with two underscores. */
export const asked = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/\$\{(\w+)(?::\w+)?\}|\$([A-Za-z_]\w*)/g)]
    .map(([, braced, bare]) => (braced ?? bare)!)
    .filter((name) => !name.startsWith("__"))
