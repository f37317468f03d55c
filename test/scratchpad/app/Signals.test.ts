/** The lines and metrics of the reference backend, as a collector gets them. */
import { assert, describe, it } from "vitest"
import { instance } from "../../../scratchpad/app/Signals.ts"
import * as SignalsReceiver from "../../support/SignalsReceiver.ts"
import { endAfterEach, start } from "../command.ts"

endAfterEach()

describe("npm start, asked for logs and metrics", () => {
  it("sends a line for each request, in its trace, and what the telemetry counts", { timeout: 120_000 }, async () => {
    const receiver = await SignalsReceiver.make()
    try {
      const command = start("scratchpad/app/main.ts", ["--once"], {
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
        OTEL_LOGS_EXPORTER: "otlp",
        OTEL_METRICS_EXPORTER: "otlp",
        OTEL_ENVIRONMENT: "test",
        FAULTS: "s3=down"
      })
      assert.deepStrictEqual(await command.ended, { code: 0, signal: null }, command.stdout() + command.stderr())

      const spans = receiver.spans()
      const requests = spans.filter(({ kind }) => kind === 2)
      const lines = receiver.logs().filter(({ body }) => /^[A-Z]+ \/\S* \d{3}$/.test(body.stringValue))
      assert.lengthOf(requests, 13)
      assert.sameMembers(
        lines.map(({ spanId, traceId }) => `${traceId} ${spanId}`),
        requests.map(({ spanId, traceId }) => `${traceId} ${spanId}`)
      )
      const failed = lines.find(({ body }) => body.stringValue.endsWith("/audio 503"))
      assert.strictEqual(failed.severityText, "Error")
      assert.strictEqual(SignalsReceiver.attributesOf(failed)["exception.type"], "StorageError")
      const span = requests.find(({ spanId }) => spanId === failed.spanId)
      assert.strictEqual(
        SignalsReceiver.attributesOf(failed)["trace.correlation_id"],
        SignalsReceiver.attributesOf(span)["trace.correlation_id"]
      )

      const metrics = receiver.metrics()
      const last = (name: string) =>
        metrics
          .filter((metric) => metric.name === name)
          .at(-1)
          .sum.dataPoints.reduce((sum: number, { asDouble = 0 }) => sum + asDouble, 0)
      assert.isAtLeast(last("otel.sdk.span.started"), spans.length)
      assert.strictEqual(last("otel.sdk.exporter.span.exported"), spans.length, "the very last ones too")
      for (const { resource } of [...spans, ...lines, ...metrics]) {
        assert.strictEqual(resource["service.name"], "social-audio")
        assert.strictEqual(resource["deployment.environment.name"], "test")
        assert.strictEqual(resource["service.instance.id"], spans[0].resource["service.instance.id"])
      }
    } finally {
      await receiver.close()
    }
  })
})

describe("the process' name", () => {
  it("is its own, or what the environment says", () => {
    assert.match(instance({})["service.instance.id"]!, /^[0-9a-f-]{36}$/)
    assert.notDeepEqual(instance({}), instance({}))
    assert.deepStrictEqual(instance({ OTEL_RESOURCE_ATTRIBUTES: "a=b, service.instance.id = one" }), {})
  })
})
