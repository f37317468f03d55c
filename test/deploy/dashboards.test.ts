import { assert, describe, it } from "@effect/vitest"
import * as Catalogue from "../../src/catalogue/Catalogue.ts"
import { spanNames } from "../../src/services/Database/DatabaseAttributes.ts"
import {
  asked,
  byUid,
  dashboards,
  drawn,
  everyForm,
  files,
  type Link,
  named,
  type Panel,
  panelsOf,
  targetsOf,
  type Variable
} from "./grafana.ts"
import * as Logql from "./logql.ts"
import * as Prometheus from "./prometheus.ts"
import * as Traceql from "./traceql.ts"

const linksOf = ({ fieldConfig }: Panel): ReadonlyArray<Link> => [
  ...(fieldConfig?.defaults.links ?? []),
  ...(fieldConfig?.overrides ?? []).flatMap(({ properties }) =>
    properties.flatMap(({ id, value }) => (id === "links" ? (value as ReadonlyArray<Link>) : []))
  )
]

// -----------------------------------------------------------------------------

describe("the dashboards", () => {
  it("are those that the issue asks for, each with a uid of its own", () => {
    assert.deepStrictEqual(
      dashboards.map(({ uid }) => uid),
      files.map((file) => `effect-telemetry-${file.replace(".json", "")}`)
    )
    assert.deepStrictEqual(files, [
      "cache.json",
      "database.json",
      "events.json",
      "finder.json",
      "requests.json",
      "services.json",
      "telemetry.json",
      "trace.json"
    ])
  })

  for (const dashboard of dashboards) {
    describe(dashboard.title, () => {
      const variables = dashboard.templating.list

      it("numbers its panels, and lays them out without overlap", () => {
        const panels = panelsOf(dashboard)
        assert.strictEqual(new Set(panels.map(({ id }) => id)).size, panels.length)
        for (const group of [dashboard.panels, ...dashboard.panels.map((panel) => panel.panels ?? [])]) {
          const taken = new Set<string>()
          for (const { gridPos, title } of group) {
            assert.isAtLeast(gridPos.x, 0, title)
            assert.isAtMost(gridPos.x + gridPos.w, 24, title)
            for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
              for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
                assert.isFalse(taken.has(`${x},${y}`), `${title} lies on another panel`)
                taken.add(`${x},${y}`)
              }
          }
        }
      })

      it("says what each panel means, in which unit, from which source", () => {
        const sources = ["tempo", "loki", "prometheus", "__expr__"]
        assert.isAbove(dashboard.description.length, 20)
        for (const variable of variables) assert.isAbove(variable.description.length, 10, variable.name)
        for (const panel of drawn(dashboard)) {
          assert.isAbove(panel.description?.length ?? 0, 5, panel.title)
          assert.include(sources, panel.datasource?.uid, panel.title)
          for (const { datasource } of panel.targets ?? []) assert.include(sources, datasource.uid, panel.title)
          if (["stat", "timeseries", "bargauge"].includes(panel.type))
            assert.isString(panel.fieldConfig?.defaults.unit, panel.title)
        }
      })

      it("asks for no variable that it does not have, and has none that nobody asks for", () => {
        const names = new Set(variables.map(({ name }) => name))
        assert.strictEqual(names.size, variables.length)
        const texts = drawn(dashboard).flatMap((panel) => [
          ...(panel.targets ?? []).flatMap(({ expr = "", query = "" }) => [expr, query]),
          ...linksOf(panel).map(({ url }) => url)
        ])
        const used = new Set([...texts, ...variables.map(({ query }) => JSON.stringify(query))].flatMap(asked))
        assert.deepStrictEqual([...used].sort(), [...names].sort())
      })

      it("asks Tempo what it takes, whatever is chosen", () => {
        const queries = targetsOf(dashboard).filter(([, { query }]) => query !== undefined)
        const wrong = queries.flatMap(([{ title, type }, { query }]) =>
          everyForm(query!, variables.length === 0 ? [] : variables).flatMap((form) =>
            type === "traces"
              ? /^[0-9a-f]{32}$/.test(form)
                ? []
                : [`${title}: ${form} is no trace id`]
              : Traceql.problemsOf(form).map((problem) => `${title}: ${form}: ${problem}`)
          )
        )
        assert.deepStrictEqual(wrong, [])
        for (const [{ title }, { metricsQueryType, query }] of queries)
          assert.strictEqual(/\| (?:rate|\w+_over_time)\(/.test(query!), metricsQueryType !== undefined, title)
      })

      it("asks Prometheus and Loki what they take", () => {
        const wrong = targetsOf(dashboard)
          .filter(([, { expr }]) => expr !== undefined)
          .flatMap(([{ title }, { datasource, expr }]) =>
            everyForm(expr!, variables).flatMap((form) =>
              (datasource.uid === "loki" ? Logql : Prometheus)
                .problemsOf(form)
                .map((problem) => `${title}: ${form}: ${problem}`)
            )
          )
        assert.deepStrictEqual(wrong, [])
      })

      it("calculates with what it has asked for", () => {
        for (const panel of drawn(dashboard)) {
          const targets = panel.targets ?? []
          const ids = targets.map(({ refId }) => refId)
          assert.strictEqual(new Set(ids).size, ids.length, panel.title)
          for (const { datasource, expression } of targets) {
            if (datasource.uid !== "__expr__") continue
            for (const id of expression!.match(/\b[A-Z]\b/g) ?? []) assert.include(ids, id, panel.title)
            // Curves have exemplars with them, which Grafana's expressions refuse.
            for (const target of targets) assert.notStrictEqual(target.metricsQueryType, "range", panel.title)
          }
        }
      })

      it("names series by one attribute", () => {
        for (const [{ title, transformations, type }, { query = "" }] of targetsOf(dashboard)) {
          const by = /\bby \(([^)]*)\)/.exec(query)?.[1]
          if (by === undefined) continue
          assert.notInclude(by, ",", title)
          // A quantile, and what is calculated, are part of the name until it is cut out.
          if (query.includes("quantile_over_time") || type === "bargauge")
            assert.deepStrictEqual(
              transformations?.map(({ id }) => id),
              ["renameByRegex"],
              title
            )
        }
      })

      it("links to dashboards, variables and choices that there are", () => {
        for (const panel of drawn(dashboard)) {
          for (const { url } of linksOf(panel)) {
            const [, uid, search] = /^\/d\/([\w-]+)\?(.*)$/.exec(url) ?? []
            const target = byUid.get(uid!)
            assert.isDefined(target, `${panel.title}: ${url}`)
            for (const part of search!.split("&")) {
              const [, name, value] = /^var-(\w+)=(.*)$/.exec(part) ?? []
              if (name === undefined) {
                assert.include(["${service:queryparam}", "${__url_time_range}"], part, panel.title)
                continue
              }
              const variable: Variable | undefined = target!.templating.list.find((one) => one.name === name)
              assert.isDefined(variable, `${panel.title}: ${url}`)
              if (!value!.startsWith("${"))
                assert.include(
                  variable!.options.map((option) => option.value),
                  decodeURIComponent(value!),
                  panel.title
                )
            }
          }
        }
      })
    })
  }
})

describe("what the dashboards repeat of the catalogue", () => {
  const values = (slug: string, name: string): ReadonlyArray<string> =>
    named(slug)
      .templating.list.find((variable) => variable.name === name)!
      .options.map(({ value }) => value)
      .filter((value) => value !== "$__all")

  it("every service has a row, every operation can be chosen", () => {
    const rows = named("services").panels.filter(({ type }) => type === "row")
    for (const { prefix, service } of Catalogue.services) {
      const row = rows.find(({ title }) => title.startsWith(`${service}:`))
      assert.isDefined(row, service)
      assert.include(row!.title, `${prefix}.*`)
      assert.isAbove(row!.panels!.length, 3)
      for (const { query } of row!.panels!.flatMap(({ targets }) => targets ?? []))
        assert.include(query, `span.external.service = "${service}"`)
    }
    assert.deepStrictEqual(
      values("services", "external"),
      Catalogue.services.map(({ service }) => service)
    )
    assert.deepStrictEqual(
      values("services", "operation"),
      Catalogue.spans.filter(({ service }) => service !== undefined).map(({ name }) => name)
    )
    assert.deepStrictEqual(values("database", "operation"), spanNames)
    assert.deepStrictEqual(
      values("cache", "operation"),
      Catalogue.spans.filter(({ service }) => service === "cache").map(({ name }) => name)
    )
  })

  it("every event is among the events", () => {
    const queries = targetsOf(named("events")).flatMap(
      ([, { query = "" }]) => /name =~ "([^"]+)"/.exec(query)?.[1] ?? []
    )
    const pattern = new RegExp(`^(?:${queries.sort((a, b) => b.length - a.length)[0]})$`)
    for (const { group, name } of Catalogue.spans)
      assert.strictEqual(pattern.test(name.replaceAll(/\{[\w.]+\}/g, "some")), group === "event", name)
  })

  it("the hit ratio is of operations that say whether they hit", () => {
    const query = targetsOf(named("cache")).find(([{ title }]) => title === "Hit ratio")![1].query!
    for (const name of /name =~ "([^"]+)"/.exec(query)![1]!.replaceAll("[.]", ".").split("|"))
      assert.isTrue(
        Catalogue.spans.find((span) => span.name === name)?.attributes.some(({ key }) => key === "cache.hit"),
        name
      )
  })

  it("the finder looks by what every span of a request carries, by errors, and by everything that others link with", () => {
    const by = values("finder", "by")
    for (const { key } of Catalogue.common.filter(({ type }) => type === "string")) assert.include(by, `span.${key}`)
  })
})
