/** What the dashboards ask is in the traces of the reference backend: names that are right, and never written, are of no use. */
import { assert, beforeAll, describe, it } from "vitest"
import { endAfterEach, start } from "../scratchpad/command.ts"
import { OtlpReceiver } from "../support/OtlpReceiver.ts"
import { Spans } from "./evaluate.ts"
import { choices, dashboards, interpolated, targetsOf } from "./grafana.ts"

endAfterEach()

/** Services that are away, that have to be asked again, and that refuse. */
const faults = "stream=down,es.search=down,cache.get=fail:3,s3.put_object=fail:1,gorse=limited:2s"

/** What the reference backend does not do, neither by itself nor with those faults. */
const never = [
  // Statements all succeed, and no feed is empty.
  /db\[\.\].*status = error/,
  /span\.feed\.item_count = 0/,
  // Everything is kept.
  /span\.sampling\.reason/,
  // It works on one document and one object at a time, and asks for all shards.
  /span\.es\.bulk_size/,
  /"s3" && span\.result\.item_count/,
  /span\.result\.partial = true/,
  // A retry saves the upload.
  /"s3" && status = error/,
  // It tells nobody.
  /span\.notification\.sent/
]

describe("what the dashboards ask", () => {
  let spans: Spans

  beforeAll(async () => {
    const receiver = await OtlpReceiver.make()
    try {
      await Promise.all(
        [{}, { FAULTS: faults }].map(
          (environment) =>
            start("scratchpad/app/main.ts", ["--once"], {
              OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
              ...environment
            }).ended
        )
      )
      spans = new Spans(receiver.spans)
    } finally {
      await receiver.close()
    }
  }, 240_000)

  it("there are spans of every kind", () => {
    assert.isAbove(spans.all.length, 100)
    for (const kind of [1, 3, 2]) assert.isTrue(spans.all.some((span) => span.kind === kind))
  })

  for (const dashboard of dashboards) {
    it(`${dashboard.title}: is there, but for what never happens here`, () => {
      // One in which something fails, after it was tried again, and the database has to do instead.
      const trace = spans.all.find((span) => span.name === "es.search" && span.statusCode === 2)!
      const typed: Readonly<Record<string, string>> = {
        trace: trace.traceId,
        correlation: String(trace.attributes["trace.correlation_id"]),
        slower: "1ms"
      }
      const first = new Map(
        dashboard.templating.list.map((variable) => [variable.name, typed[variable.name] ?? choices(variable)[0]!])
      )
      const missing: Array<string> = []
      const present: Array<string> = []
      for (const [{ title, type }, { query }] of targetsOf(dashboard)) {
        if (query === undefined || type === "traces") continue
        const asked = interpolated(query, first)
        const found = spans.find(asked)
        if (never.some((pattern) => pattern.test(asked))) {
          if (found.size > 0) present.push(`${title}: ${asked}`)
          continue
        }
        if (found.size === 0) missing.push(`${title}: no span for ${asked}`)
        // What is grouped by, and what is added up, is on those spans.
        const fields = [
          ...(/\bby \((.+?)\)/.exec(asked)?.[1]?.split(", ") ?? []),
          ...(/_over_time\(([^,)]+)/.exec(asked)?.slice(1) ?? [])
        ]
        for (const field of fields)
          if (found.size > 0 && ![...found].some((span) => spans.value(span, field) !== undefined))
            missing.push(`${title}: ${field} is on none of the spans of ${asked}`)
      }
      assert.deepStrictEqual(missing, [])
      assert.deepStrictEqual(present, [], "happens after all")
    })
  }
})
