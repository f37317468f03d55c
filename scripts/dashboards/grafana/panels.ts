/**
 * Panels. What is drawn the same way everywhere is said here once.
 */
import { type JsonObject, loki, tempo, uidOf } from "./json.ts"
import { logql, namedByGroup, search } from "./queries.ts"

/** A panel, before it has a number and a place. */
export interface Panel {
  readonly type: string
  readonly title: string
  readonly description: string
  readonly datasource: JsonObject
  readonly targets: ReadonlyArray<JsonObject>
  readonly fieldConfig: JsonObject
  readonly options: JsonObject
  readonly transformations?: ReadonlyArray<JsonObject> | undefined
  readonly width: number
  readonly height: number
}

/** From where on a value is worrying, and from where on it is bad; the other way round where `bad` is the smaller. */
export interface Limits {
  readonly warn: number
  readonly bad: number
}

const thresholds = (limits: Limits | undefined): JsonObject => {
  if (limits === undefined) return { mode: "absolute", steps: [{ color: "text", value: null }] }
  const { bad, warn } = limits
  const steps: ReadonlyArray<readonly [string, number | null]> =
    bad > warn
      ? [
          ["green", null],
          ["orange", warn],
          ["red", bad]
        ]
      : [
          ["red", null],
          ["orange", bad],
          ["green", warn]
        ]
  return { mode: "absolute", steps: steps.map(([color, value]) => ({ color, value })) }
}

interface Common {
  readonly title: string
  readonly description: string
  readonly targets: ReadonlyArray<JsonObject>
  readonly unit: string
  readonly width?: number
}

const sourceOf = ({ targets }: Common): JsonObject => (targets[0]?.["datasource"] as JsonObject | undefined) ?? tempo

/** One number. `none`: what is shown where there is nothing to count. */
export const stat = (
  options: Common & { readonly limits?: Limits; readonly none?: string; readonly calc?: string; readonly max?: number }
): Panel => ({
  type: "stat",
  title: options.title,
  description: options.description,
  datasource: sourceOf(options),
  targets: options.targets,
  fieldConfig: {
    defaults: {
      unit: options.unit,
      color: { mode: "thresholds" },
      thresholds: thresholds(options.limits),
      noValue: options.none ?? "no data",
      ...(options.max === undefined ? {} : { min: 0, max: options.max })
    },
    overrides: []
  },
  options: {
    colorMode: "value",
    graphMode: "none",
    justifyMode: "auto",
    orientation: "auto",
    percentChangeColorMode: "standard",
    reduceOptions: { calcs: [options.calc ?? "lastNotNull"], fields: "", values: false },
    showPercentChange: false,
    textMode: "value",
    wideLayout: true
  },
  width: options.width ?? 6,
  height: 4
})

/** A link on a series or a cell. */
export interface Link {
  readonly title: string
  readonly url: string
}

const linksOf = (links: ReadonlyArray<Link> | undefined): ReadonlyArray<JsonObject> =>
  (links ?? []).map(({ title, url }) => ({ title, url, targetBlank: false }))

/** To the trace finder: the traces of which an attribute has the series' name as its value. */
export const findTraces = (attribute: string, outcome = "true"): Link => ({
  title: "Find traces of ${__series.name}",
  url: `/d/${uidOf("finder")}?var-by=${attribute}&var-value=\${__series.name:percentencode}&var-outcome=${encodeURIComponent(outcome)}&\${service:queryparam}&\${__url_time_range}`
})

/** Another name or color for a series. */
export interface Renamed {
  readonly series: string
  readonly name?: string
  readonly color?: string
}

const overridesOf = (renamed: ReadonlyArray<Renamed> | undefined): ReadonlyArray<JsonObject> =>
  (renamed ?? []).map(({ color, name, series }) => ({
    matcher: { id: "byName", options: series },
    properties: [
      ...(name === undefined ? [] : [{ id: "displayName", value: name }]),
      ...(color === undefined ? [] : [{ id: "color", value: { mode: "fixed", fixedColor: color } }])
    ]
  }))

/** The names of a query's quantiles. */
export const quantiles: ReadonlyArray<Renamed> = [
  { series: "0.5", name: "p50", color: "green" },
  { series: "0.95", name: "p95", color: "orange" },
  { series: "0.99", name: "p99", color: "red" }
]

/**
 * Curves over time. `as`: lines; bars of amounts that add up; or bars of which each is the whole, so that shares can be read
 * off. `grouped`: see `namedByGroup`.
 */
export const curves = (
  options: Common & {
    readonly as?: "lines" | "bars" | "shares"
    readonly grouped?: boolean
    readonly renamed?: ReadonlyArray<Renamed>
    readonly links?: ReadonlyArray<Link>
    readonly max?: number
  }
): Panel => {
  const stacking = stackings[options.as ?? "lines"]
  return {
    type: "timeseries",
    title: options.title,
    description: options.description,
    datasource: sourceOf(options),
    targets: options.targets,
    fieldConfig: {
      defaults: {
        unit: options.unit,
        color: { mode: "palette-classic" },
        min: 0,
        ...(options.max === undefined ? {} : { max: options.max }),
        links: linksOf(options.links),
        custom: {
          drawStyle: stacking === "none" ? "line" : "bars",
          fillOpacity: stacking === "none" ? 8 : 60,
          lineWidth: 1,
          lineInterpolation: "linear",
          showPoints: "auto",
          pointSize: 4,
          spanNulls: false,
          stacking: { mode: stacking, group: "A" }
        }
      },
      overrides: overridesOf(options.renamed)
    },
    options: {
      // A table beside narrow curves leaves no room for them.
      legend: {
        ...((options.width ?? 12) < 12
          ? { displayMode: "list", placement: "bottom", calcs: [] }
          : { displayMode: "table", placement: "right", calcs: ["mean", "max"], sortBy: "Max", sortDesc: true }),
        showLegend: true
      },
      tooltip: { mode: "multi", sort: "desc", hideZeros: true }
    },
    ...(options.grouped === true ? { transformations: namedByGroup } : {}),
    width: options.width ?? 12,
    height: 8
  }
}

const stackings = { lines: "none", bars: "normal", shares: "percent" } as const

/** A bar for each of several numbers. */
export const gauges = (options: Common & { readonly limits?: Limits; readonly max?: number }): Panel => ({
  type: "bargauge",
  title: options.title,
  description: options.description,
  datasource: sourceOf(options),
  targets: options.targets,
  fieldConfig: {
    defaults: {
      unit: options.unit,
      color: { mode: "thresholds" },
      thresholds: thresholds(options.limits),
      min: 0,
      ...(options.max === undefined ? {} : { max: options.max })
    },
    overrides: []
  },
  options: {
    displayMode: "basic",
    maxVizHeight: 24,
    minVizHeight: 12,
    minVizWidth: 8,
    namePlacement: "left",
    orientation: "horizontal",
    reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
    showUnfilled: true,
    sizing: "auto",
    valueMode: "color"
  },
  transformations: namedByGroup,
  width: options.width ?? 12,
  height: 8
})

/** How a distribution moves. */
export const heatmap = (options: Common): Panel => ({
  type: "heatmap",
  title: options.title,
  description: options.description,
  datasource: sourceOf(options),
  targets: options.targets,
  fieldConfig: { defaults: { custom: { scaleDistribution: { type: "linear" } } }, overrides: [] },
  options: {
    calculate: false,
    cellGap: 1,
    color: { mode: "scheme", scheme: "Oranges", fill: "dark-orange", exponent: 0.5, steps: 64, reverse: false },
    exemplars: { color: "rgba(255,0,255,0.7)" },
    filterValues: { le: 1e-9 },
    legend: { show: true },
    rowsFrame: { layout: "auto" },
    showValue: "never",
    tooltip: { mode: "single", yHistogram: true, showColorScale: false },
    yAxis: { axisPlacement: "left", unit: options.unit, reverse: false }
  },
  width: options.width ?? 12,
  height: 8
})

/** A column of a search's answer. */
export interface Column {
  /** The attribute's name without its scope, as Tempo answers it. */
  readonly field: string
  readonly name: string
  readonly unit?: string
  readonly width?: number
  readonly links?: ReadonlyArray<Link>
}

const properties = ({ links, name, unit, width }: Column): ReadonlyArray<JsonObject> => [
  { id: "displayName", value: name },
  ...(unit === undefined ? [] : [{ id: "unit", value: unit }]),
  ...(width === undefined ? [] : [{ id: "custom.width", value: width }]),
  ...(links === undefined ? [] : [{ id: "links", value: linksOf(links) }])
]

/** The page of a trace: its spans, errors, statements and logs. `field`: the column that has its id. */
export const openTrace = (field: "traceID" | "traceIdHidden"): Link => ({
  title: "This trace, with its logs",
  url: `/d/${uidOf("trace")}?var-trace=\${__data.fields.${field}}&\${__url_time_range}`
})

/** What a search finds. The name of the trace leads to the trace's page, its id (or the span's) to Explore. */
export const found = (
  options: Omit<Common, "targets" | "unit"> & {
    readonly query: string
    readonly as: "spans" | "traces"
    readonly columns?: ReadonlyArray<Column>
    readonly limit?: number
    readonly height?: number
  }
): Panel => ({
  type: "table",
  title: options.title,
  description: options.description,
  datasource: tempo,
  targets: [search(options.query, options.as, options.limit)],
  fieldConfig: {
    defaults: { custom: { align: "auto", cellOptions: { type: "auto" }, filterable: true, inspect: false } },
    overrides: [
      {
        field: "traceName",
        name: "Trace",
        links: [openTrace(options.as === "spans" ? "traceIdHidden" : "traceID")]
      },
      ...(options.columns ?? [])
    ].map((column) => ({ matcher: { id: "byName", options: column.field }, properties: properties(column) }))
  },
  options: { showHeader: true, cellHeight: "sm", frameIndex: 0 },
  width: options.width ?? 24,
  height: options.height ?? 8
})

/** Lines of logs. */
export const logs = (options: Omit<Common, "targets" | "unit"> & { readonly query: string }): Panel => ({
  type: "logs",
  title: options.title,
  description: options.description,
  datasource: loki,
  targets: [logql(options.query)],
  fieldConfig: { defaults: {}, overrides: [] },
  options: {
    dedupStrategy: "none",
    enableLogDetails: true,
    prettifyLogMessage: false,
    showCommonLabels: false,
    showLabels: false,
    showLogContextToggle: false,
    showTime: true,
    sortOrder: "Ascending",
    wrapLogMessage: true
  },
  width: options.width ?? 24,
  height: 10
})

/** A trace, drawn. */
export const traceView = (options: Omit<Common, "targets" | "unit"> & { readonly id: string }): Panel => ({
  type: "traces",
  title: options.title,
  description: options.description,
  datasource: tempo,
  targets: [{ refId: "A", datasource: tempo, queryType: "traceql", query: options.id, filters: [] }],
  fieldConfig: { defaults: {}, overrides: [] },
  options: {},
  width: options.width ?? 24,
  height: 20
})
