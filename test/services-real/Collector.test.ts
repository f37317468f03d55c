import { readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Telemetry from "../../src/Telemetry.ts"
import { decodeJson, type ReceivedSpan } from "../support/OtlpDecode.ts"
import { realServer } from "./support.ts"

class Broken extends Data.TaggedError("Broken")<{ readonly message: string }> {}

realServer("TEST_OTLP_ENDPOINT", "TEST_COLLECTOR_FILE")(
  "OpenTelemetry Collector",
  ({ TEST_COLLECTOR_FILE, TEST_OTLP_ENDPOINT }) => {
    /** What the Collector wrote of a service, once it is all there: it writes a moment after it answered. */
    const written = (service: string, count: number) =>
      Effect.gen(function* () {
        for (let i = 0; i < 200; i++) {
          const spans: Array<ReceivedSpan> = readFileSync(TEST_COLLECTOR_FILE, "utf8")
            .split("\n")
            .filter((line) => line.includes(service))
            .flatMap((line) => decodeJson(Buffer.from(line)).spans)
            .filter((span) => span.resource["service.name"] === service)
          if (spans.length >= count) return spans
          yield* Effect.sleep("50 millis")
        }
        return yield* Effect.die(new Error(`the Collector did not write ${count} spans of ${service}`))
      })

    const program = Effect.gen(function* () {
      yield* Effect.annotateCurrentSpan({ odd: NaN, big: 12345678901234567890n, list: ["a", "b"], when: new Date(0) })
      yield* Effect.fail(new Broken({ message: "on purpose" })).pipe(
        Effect.withSpan("child", { kind: "client" }),
        Effect.ignore
      )
    }).pipe(Effect.withSpan("parent", { kind: "server", attributes: { "http.route": "/posts/:id" } }))

    for (const protocol of ["http/protobuf", "http/json"] as const) {
      for (const compression of ["none", "gzip"] as const) {
        it.live(`takes what is sent as ${protocol}, ${compression}, and writes what was meant`, () =>
          Effect.gen(function* () {
            const service = `collector-${protocol.slice(5)}-${compression}-${process.pid}`
            yield* Effect.gen(function* () {
              yield* program
              const flushed = yield* Telemetry.flush()
              assert.deepStrictEqual(flushed, { complete: true, exported: 2, dropped: 0, waiting: 0 })
            }).pipe(
              Effect.provide(
                Telemetry.layer({
                  enabled: true,
                  serviceName: service,
                  endpoint: TEST_OTLP_ENDPOINT,
                  protocol,
                  compression,
                  flushOnSignals: false
                })
              )
            )
            const spans = yield* written(service, 2)
            const parent = spans.find((span) => span.name === "parent")!
            const child = spans.find((span) => span.name === "child")!
            assert.strictEqual(child.parentSpanId, parent.spanId)
            assert.strictEqual(child.traceId, parent.traceId)
            assert.deepInclude(parent.attributes, { "http.route": "/posts/:id", odd: "NaN", list: ["a", "b"] })
            assert.deepStrictEqual([parent.statusCode, child.statusCode], [0, 2])
            assert.strictEqual(child.attributes["error.type"], "Broken")
            assert.strictEqual(child.events[0]!.name, "exception")
            assert.isTrue(parent.start <= child.start && child.end <= parent.end)
          })
        )
      }
    }

    it.live("takes a burst of 10,000 spans at the end of a process' life", () =>
      Effect.gen(function* () {
        const service = `collector-burst-${process.pid}`
        yield* Effect.forEach(Array.from({ length: 10_000 }), () => Effect.void.pipe(Effect.withSpan("burst")), {
          discard: true
        }).pipe(
          Effect.provide(
            Telemetry.layer({
              enabled: true,
              serviceName: service,
              endpoint: TEST_OTLP_ENDPOINT,
              shutdownTimeout: "20 seconds",
              flushOnSignals: false
            })
          )
        )
        const spans = yield* written(service, 10_000)
        assert.strictEqual(new Set(spans.map((span) => span.spanId)).size, 10_000)
      })
    )
  }
)
