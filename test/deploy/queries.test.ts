import { assert, describe, it } from "@effect/vitest"
import { all, isTraceql, type Language, queriesOf } from "./documents.ts"
import * as Logql from "./logql.ts"
import * as Prometheus from "./prometheus.ts"
import * as Traceql from "./traceql.ts"

const problemsOf: Readonly<Record<Language, (query: string) => ReadonlyArray<string>>> = {
  traceql: Traceql.problemsOf,
  promql: Prometheus.problemsOf,
  logql: Logql.problemsOf
}

describe("queries of pages and configuration", () => {
  const queries = all()

  it("there are some of every kind", () => {
    const kinds = Map.groupBy(queries, ({ language }) => language)
    assert.isAbove(kinds.get("traceql")?.filter(({ refused }) => !refused).length ?? 0, 20)
    assert.isAbove(kinds.get("traceql")?.filter(({ refused }) => refused).length ?? 0, 2)
    assert.isAbove(kinds.get("logql")?.length ?? 0, 0)
  })

  it("are what their servers take, and ask for names that there are", () => {
    const wrong = queries
      .filter(({ refused }) => !refused)
      .flatMap(({ language, origin, text }) => problemsOf[language](text).map((problem) => `${origin}: ${problem}`))
    assert.deepStrictEqual(wrong, [])
  })

  it("are refused where the page says so", () => {
    const accepted = queries
      .filter(({ language, refused, text }) => refused && problemsOf[language](text).length === 0)
      .map(({ origin, text }) => `${origin}: ${text}`)
    assert.deepStrictEqual(accepted, [])
  })
})

describe("finding queries", () => {
  it("tells TraceQL from objects of JavaScript", () => {
    for (const code of ["{ status = error }", "{ span.user.id = `u` } | rate()", "{ span:status = error }", "{ !(a) }"])
      assert.isTrue(isTraceql(code), code)
    for (const code of [
      "{ captureStackTrace: false }",
      "{ user, id }",
      "{ userId }",
      "{ ...options }",
      "{ readonly id: string }",
      '{ "span.user.id": 1 }',
      "{ }",
      "{span}",
      '{service_name="a"}'
    ])
      assert.isFalse(isTraceql(code), code)
  })

  it("reads blocks, lines between empty lines, and cells of tables", () => {
    const page = [
      "Say `{ status = error }`, not ``{ user.id = `u` }``.",
      "",
      "```traceql",
      "{ kind = server }",
      "  | rate()",
      "",
      "// another",
      "{ duration > 1s }",
      "```",
      "",
      "| a | b |",
      "| `{ kind = server } \\| rate()` | `{ a: 1 }` |",
      "",
      "```ts",
      "const a = `{ status }`",
      "```",
      "",
      "```traceql refused",
      '{ status="error" }',
      "```"
    ].join("\n")
    assert.deepStrictEqual(
      queriesOf("page.md", page).map(({ origin, refused, text }) => [origin, text, refused]),
      [
        ["page.md:1", "{ status = error }", false],
        ["page.md:1", "{ user.id = `u` }", false],
        ["page.md:4", "{ kind = server }\n  | rate()", false],
        ["page.md:7", "// another\n{ duration > 1s }", false],
        ["page.md:12", "{ kind = server } | rate()", false],
        ["page.md:19", '{ status="error" }', true]
      ]
    )
  })

  it("reads PromQL and LogQL", () => {
    assert.deepStrictEqual(Prometheus.problemsOf("sum(rate(otel_sdk_span_started_total[5m]))"), [])
    assert.deepStrictEqual(Prometheus.problemsOf("otel_sdk_span_started_total{"), ['cannot be read at "arted_total{"'])
    assert.deepStrictEqual(Prometheus.problemsOf("otel_sdk_span_started"), ["no metric: otel_sdk_span_started"])
    assert.deepStrictEqual(Prometheus.problemsOf('otel_sdk_span_live{reason="a"}'), ["no label: reason"])
    assert.deepStrictEqual(Logql.problemsOf('{service_name="shop"} | trace_id = "a"'), [])
    assert.deepStrictEqual(Logql.problemsOf('{service_name="shop"} | traceID = "a"'), ["no label: traceID"])
    assert.isAbove(Logql.problemsOf('{service_name="shop" | trace_id').length, 0)
  })
})
