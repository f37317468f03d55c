/**
 * A dashboard: its panels in their places, its variables, and the links to the others.
 */
import { type JsonObject, type Slug, uidOf } from "./json.ts"
import type { Panel } from "./panels.ts"

/** The version of the schema that is written: Grafana 12 and later. */
const schemaVersion = 42

/** Panels under a heading. */
export interface Section {
  /** No heading for the first. */
  readonly title?: string | undefined
  readonly collapsed?: boolean | undefined
  readonly panels: ReadonlyArray<Panel>
}

/** Columns of Grafana's grid. */
const columns = 24

/** Gives panels numbers and places: from left to right, from top to bottom, as wide and as high as they ask for. */
const laidOut = (sections: ReadonlyArray<Section>): ReadonlyArray<JsonObject> => {
  const placed: Array<JsonObject> = []
  let id = 0
  let y = 0
  for (const { collapsed = false, panels, title } of sections) {
    let row: JsonObject | undefined
    if (title !== undefined) {
      row = { id: ++id, type: "row", title, collapsed, gridPos: { x: 0, y, w: columns, h: 1 } }
      y += 1
    }
    let x = 0
    let height = 0
    let top = y
    const inside = panels.map(({ height: h, width: w, ...panel }): JsonObject => {
      if (x + w > columns) {
        x = 0
        top += height
        height = 0
      }
      const gridPos = { x, y: top, w, h }
      x += w
      height = Math.max(height, h)
      return { id: ++id, gridPos, ...(panel as unknown as JsonObject) }
    })
    // A row that is closed holds its panels, and takes no room for them.
    if (row !== undefined) placed.push({ ...row, panels: collapsed ? inside : [] })
    if (!collapsed) placed.push(...inside)
    y = collapsed ? y : top + height
  }
  return placed
}

/** The tag by which the dashboards find each other. */
const tag = "effect-telemetry"

/** A dashboard. */
export const dashboard = (options: {
  readonly slug: Slug
  readonly title: string
  readonly description: string
  readonly variables: ReadonlyArray<JsonObject>
  readonly sections: ReadonlyArray<Section>
  readonly refresh?: string
  /** Whether the others link to it; one that shows nothing by itself is not. Default `true`. */
  readonly listed?: boolean
}): JsonObject => ({
  uid: uidOf(options.slug),
  title: options.title,
  description: options.description,
  tags: options.listed === false ? [] : [tag],
  schemaVersion,
  version: 1,
  editable: true,
  graphTooltip: 1,
  fiscalYearStartMonth: 0,
  liveNow: false,
  preload: false,
  refresh: options.refresh ?? "1m",
  timezone: "browser",
  weekStart: "",
  time: { from: "now-1h", to: "now" },
  timepicker: {},
  annotations: {
    list: [
      {
        builtIn: 1,
        datasource: { type: "grafana", uid: "-- Grafana --" },
        enable: true,
        hide: true,
        iconColor: "rgba(0, 211, 255, 1)",
        name: "Annotations & Alerts",
        type: "dashboard"
      }
    ]
  },
  links: [
    {
      type: "dashboards",
      title: "effect-telemetry",
      tags: [tag],
      asDropdown: false,
      includeVars: true,
      keepTime: true,
      targetBlank: false,
      icon: "external link",
      tooltip: "",
      url: ""
    }
  ],
  templating: { list: options.variables },
  panels: laidOut(options.sections)
})
