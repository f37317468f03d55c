import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { trace } from "@opentelemetry/api"
import { currentOtelSpan } from "@effect/opentelemetry/OtelTracer"
import { InMemorySpanExporter, SimpleSpanProcessor, AlwaysOffSampler } from "@opentelemetry/sdk-trace-base"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Telemetry from "../src/Telemetry.ts"
import * as TraceLogger from "../src/tracer/TraceLogger.ts"
import * as OtlpReceiver from "./support/OtlpReceiver.ts"

class Broken extends Data.TaggedError("Broken")<{ readonly message: string }> {}

const receiver = Effect.acquireRelease(
  Effect.promise(() => OtlpReceiver.OtlpReceiver.make()),
  (made) => Effect.promise(() => made.close())
)

const environment = (variables: Record<string, string>) =>
  Layer.succeed(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(variables))

/** The layer of an environment, and the log lines that it writes. */
const live = (variables: Record<string, string>, lines: Array<string> = [], options: Telemetry.Options = {}) =>
  Telemetry.layer({ flushOnSignals: false, ...options }).pipe(
    Layer.provide(environment(variables)),
    Layer.provide(
      Logger.layer([
        Logger.make(({ message }) => {
          lines.push(...(Array.isArray(message) ? message : [message]).map(String))
        })
      ])
    )
  )

describe("Telemetry", () => {
  it.live("sends spans over OTLP, with the resource of the environment, when its scope closes", () =>
    Effect.gen(function* () {
      const collector = yield* receiver
      const lines: Array<string> = []
      yield* Effect.void.pipe(
        Effect.withSpan("child"),
        Effect.withSpan("parent", { kind: "server", attributes: { "http.route": "/x" } }),
        Effect.provide(
          live(
            {
              OTEL_ENABLED: "true",
              OTEL_SERVICE_NAME: "audio",
              OTEL_ENVIRONMENT: "test",
              OTEL_RESOURCE_ATTRIBUTES: "team=feed%20and%20search",
              OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
              OTEL_EXPORTER_OTLP_HEADERS: "x-api-key=s%20ecret"
            },
            lines
          )
        )
      )
      assert.deepStrictEqual(collector.spanNames().sort(), ["child", "parent"])
      const [child, parent] = [...collector.spans].sort((a, b) => a.name.localeCompare(b.name))
      assert.strictEqual(child!.parentSpanId, parent!.spanId)
      assert.strictEqual(child!.traceId, parent!.traceId)
      assert.deepInclude(parent!.resource, {
        "service.name": "audio",
        "deployment.environment.name": "test",
        team: "feed and search",
        "telemetry.sdk.language": "nodejs"
      })
      assert.strictEqual(collector.requests[0]!.headers["x-api-key"], "s ecret")
      assert.deepStrictEqual(lines, [
        `OpenTelemetry tracing enabled: service audio, endpoint ${collector.url}, sampler parentbased_always_on`
      ])
    }).pipe(Effect.scoped)
  )

  it.live("is off unless asked for: no spans, one line with the reason, effects run as ever", () =>
    Effect.gen(function* () {
      const collector = yield* receiver
      const lines: Array<string> = []
      const result = yield* Effect.gen(function* () {
        yield* Effect.void.pipe(Effect.withSpan("unseen"))
        return yield* Telemetry.flush()
      }).pipe(Effect.provide(live({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint }, lines)))
      assert.deepStrictEqual(result, { complete: true, exported: 0, dropped: 0, waiting: 0 })
      assert.strictEqual(collector.requests.length, 0)
      assert.strictEqual(lines.length, 1)
      assert.match(lines[0]!, /^OpenTelemetry tracing disabled: .*OTEL_ENABLED/)
    }).pipe(Effect.scoped)
  )

  it.effect("a bad setting fails the layer and names variable, value and what is accepted", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Layer.build(live({ OTEL_ENABLED: "maybe", OTEL_TRACE_SAMPLER_RATE: "2" })))
      assert.strictEqual(error._tag, "TelemetryConfigError")
      assert.include(error.message, "OTEL_ENABLED")
      assert.include(error.message, "maybe")
      assert.include(error.message, "OTEL_TRACE_SAMPLER_RATE")
    }).pipe(Effect.scoped)
  )

  it.live("code goes before the environment", () =>
    Effect.gen(function* () {
      const collector = yield* receiver
      yield* Effect.void.pipe(
        Effect.withSpan("kept"),
        Effect.provide(
          live({ OTEL_ENABLED: "false", OTEL_SERVICE_NAME: "environment" }, [], {
            enabled: true,
            serviceName: "code",
            endpoint: collector.endpoint
          })
        )
      )
      assert.strictEqual(collector.spans[0]!.resource["service.name"], "code")
    }).pipe(Effect.scoped)
  )

  it.live("any OpenTelemetry processor and exporter sees our spans as its own", () =>
    Effect.gen(function* () {
      const beside = new InMemorySpanExporter()
      const instead = new InMemorySpanExporter()
      const seen: Array<string> = []
      const lines: Array<string> = []
      yield* Effect.gen(function* () {
        yield* Effect.fail(new Broken({ message: "no" })).pipe(Effect.withSpan("work"), Effect.ignore)
        yield* Telemetry.flush()
        seen.push(...instead.getFinishedSpans().map((span) => span.name))
        seen.push(
          ...beside.getFinishedSpans().map((span) => `${span.name} ${span.status.code} ${span.events[0]!.name}`)
        )
      }).pipe(
        Effect.provide(
          live({ OTEL_SERVICE_NAME: "audio" }, lines, {
            enabled: true,
            exporter: instead,
            spanProcessors: [new SimpleSpanProcessor(beside)]
          })
        )
      )
      assert.deepStrictEqual(seen, ["work", "work 2 exception"])
      assert.deepStrictEqual(lines, [
        "OpenTelemetry tracing enabled: service audio, exporter InMemorySpanExporter, sampler parentbased_always_on"
      ])
    })
  )

  it.live("any OpenTelemetry sampler decides", () =>
    Effect.gen(function* () {
      const exporter = new InMemorySpanExporter()
      yield* Effect.void.pipe(
        Effect.withSpan("dropped"),
        Effect.andThen(Telemetry.flush()),
        Effect.andThen(Effect.sync(() => assert.strictEqual(exporter.getFinishedSpans().length, 0))),
        Effect.provide(live({}, [], { enabled: true, exporter, sampler: new AlwaysOffSampler() }))
      )
    })
  )

  it.live("spans of libraries that speak OpenTelemetry are part of the same trace", () =>
    Effect.gen(function* () {
      const collector = yield* receiver
      yield* Effect.gen(function* () {
        yield* Effect.sync(() =>
          trace.getTracer("some-library", "1.2.3").startActiveSpan("theirs", (span) => {
            Effect.runSync(Effect.void.pipe(Effect.withSpan("not ours: no tracer here")))
            span.end()
          })
        )
        const otel = yield* currentOtelSpan
        otel.setAttribute("set.by", "OtelTracer")
      }).pipe(Effect.withSpan("ours"), Effect.provide(live({}, [], { enabled: true, endpoint: collector.endpoint })))
      const theirs = collector.spans.find((span) => span.name === "theirs")!
      const ours = collector.spans.find((span) => span.name === "ours")!
      assert.strictEqual(theirs.parentSpanId, ours.spanId)
      assert.deepStrictEqual([theirs.scopeName, theirs.scopeVersion], ["some-library", "1.2.3"])
      assert.strictEqual(ours.attributes["set.by"], "OtelTracer")
      assert.strictEqual(trace.getActiveSpan(), undefined)
    }).pipe(Effect.scoped)
  )

  it.live("flush waits for what is in flight, and within its own limit for no longer", () =>
    Effect.gen(function* () {
      const collector = yield* receiver
      collector.next(OtlpReceiver.slow(150))
      yield* Effect.gen(function* () {
        yield* Effect.void.pipe(Effect.withSpan("slowly"))
        const waited = yield* Telemetry.flush("5 seconds")
        assert.deepStrictEqual(waited, { complete: true, exported: 1, dropped: 0, waiting: 0 })
        collector.answer(OtlpReceiver.status(429, { retryAfter: 60 }))
        yield* Effect.void.pipe(Effect.withSpan("asked to wait"))
        const gaveUp = yield* Telemetry.flush("200 millis")
        assert.deepStrictEqual(gaveUp, { complete: false, exported: 0, dropped: 0, waiting: 1 })
        assert.deepInclude(yield* Telemetry.status, { started: 2, ended: 2, exported: 1, queued: 1 })
      }).pipe(
        Effect.provide(live({}, [], { enabled: true, endpoint: collector.endpoint, shutdownTimeout: "100 millis" }))
      )
    }).pipe(Effect.scoped)
  )

  it.live("a dead collector costs one line, and the closing line counts what was lost", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      yield* Effect.gen(function* () {
        for (let i = 0; i < 3; i++) {
          yield* Effect.void.pipe(Effect.withSpan("lost"))
          yield* Telemetry.flush("50 millis")
        }
      }).pipe(
        Effect.provide(live({}, lines, { enabled: true, endpoint: "http://127.0.0.1:1", shutdownTimeout: "50 millis" }))
      )
      assert.strictEqual(lines.length, 3, lines.join("\n"))
      assert.match(lines[1]!, /ECONNREFUSED/)
      assert.match(lines[2]!, /3 spans lost/)
    })
  )

  it.live("keeps whole local traces with an error although head sampling said no, and says why", () =>
    Effect.gen(function* () {
      const collector = yield* receiver
      yield* Effect.gen(function* () {
        yield* Effect.void.pipe(Effect.withSpan("fine child"), Effect.withSpan("fine"))
        yield* Effect.fail(new Broken({ message: "no" })).pipe(
          Effect.withSpan("failing child"),
          Effect.ignore,
          Effect.withSpan("failing")
        )
      }).pipe(
        Effect.provide(live({ OTEL_TRACE_SAMPLER_RATE: "0" }, [], { enabled: true, endpoint: collector.endpoint }))
      )
      assert.deepStrictEqual(collector.spanNames().sort(), ["failing", "failing child"])
      assert.deepStrictEqual(
        collector.spans.map((span) => span.attributes["sampling.reason"]),
        ["error", "error"]
      )
    }).pipe(Effect.scoped)
  )
})

describe("logs", () => {
  const logged = (layer: (lines: Array<string>) => Layer.Layer<Telemetry.Telemetry, unknown>) =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const ids = yield* Effect.gen(function* () {
        yield* Effect.log("inside").pipe(Effect.annotateLogs({ trace_id: "forged", user: "u1" }))
        const span = yield* Effect.currentSpan
        return [span.traceId, span.spanId] as const
      }).pipe(Effect.withSpan("work"), Effect.provide(layer(lines)))
      return { lines, ids }
    })

  const capturing = (lines: Array<string>) =>
    Logger.layer([Logger.map(Logger.formatJson, (line) => void lines.push(line))])

  it.live("a line inside of a span carries trace_id and span_id; active ids win over an annotation of that name", () =>
    Effect.gen(function* () {
      const { ids, lines } = yield* logged((lines) =>
        Telemetry.layer({ enabled: true, exporter: "none", flushOnSignals: false }).pipe(
          Layer.provide(capturing(lines))
        )
      )
      const line = JSON.parse(lines.find((candidate) => candidate.includes("inside"))!)
      assert.deepInclude(line.annotations, { trace_id: ids[0], span_id: ids[1], user: "u1" })
    })
  )

  it.effect("a logger of one's own can be given them", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = TraceLogger.withTraceIds(Logger.map(Logger.formatLogFmt, (line) => void lines.push(line)))
      yield* Effect.log("outside").pipe(Effect.provide(Logger.layer([logger])))
      assert.notInclude(lines[0]!, "trace_id")
      assert.strictEqual(TraceLogger.withTraceIds(logger), logger)
    })
  )

  it.live("pretty lines carry them too", () =>
    Effect.gen(function* () {
      const { code, output } = yield* Effect.promise(() =>
        child(["--input-type=module", "-e", pretty], {}, () => undefined)
      )
      assert.strictEqual(code, 0, output)
      assert.match(output, /INFO .*inside/)
      assert.match(output, /trace_id: '?[0-9a-f]{32}/)
    })
  )
})

const pretty = `
import * as Effect from "effect/Effect"
import * as Telemetry from "effect-telemetry/Telemetry"
await Effect.runPromise(Effect.log("inside").pipe(Effect.withSpan("work"), Effect.provide(Telemetry.layer({ enabled: true, exporter: "none", logs: "pretty" }))))
`

const program = fileURLToPath(new URL("./children/telemetry.ts", import.meta.url))
const repository = fileURLToPath(new URL("..", import.meta.url))

/** Runs a process to its end; what `onOutput` gives is sent to it as a signal. */
const child = (
  args: ReadonlyArray<string>,
  variables: Record<string, string>,
  onOutput: (output: string) => NodeJS.Signals | undefined
): Promise<{ readonly code: number | null; readonly signal: string | null; readonly output: string }> =>
  new Promise((resolve) => {
    const running = spawn(process.execPath, ["--conditions=source", ...args], {
      cwd: repository,
      env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0", ...variables },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let output = ""
    let sent = false
    const read = (data: unknown) => {
      output += String(data)
      const signal = sent ? undefined : onOutput(output)
      if (signal !== undefined) {
        sent = true
        running.kill(signal)
      }
    }
    running.stdout.on("data", read)
    running.stderr.on("data", read)
    running.on("close", (code, signal) => resolve({ code, signal, output }))
  })

describe("as a process", () => {
  const whenReady = (signal: NodeJS.Signals) => (output: string) => (output.includes("ready\n") ? signal : undefined)

  it.live("switched off there is no timer, no socket, no listener", () =>
    Effect.gen(function* () {
      const { code, output } = yield* Effect.promise(() => child([program, "idle"], {}, () => undefined))
      assert.strictEqual(code, 0, output)
      assert.include(output, "resources []")
      assert.include(output, "listeners 0")
    })
  )

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it.live(`${signal} flushes, and the process ends as it would have without us`, () =>
      Effect.gen(function* () {
        const collector = yield* receiver
        const ended = yield* Effect.promise(() =>
          child([program, "signal"], { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint }, whenReady(signal))
        )
        assert.strictEqual(ended.signal, signal, ended.output)
        assert.deepStrictEqual(collector.spanNames(), ["before the signal"])
      }).pipe(Effect.scoped)
    )

    it.live(`${signal} under runMain flushes once, with the spans that the interruption ends`, () =>
      Effect.gen(function* () {
        const collector = yield* receiver
        const ended = yield* Effect.promise(() =>
          child([program, "main"], { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint }, whenReady(signal))
        )
        assert.isNull(ended.signal, ended.output)
        assert.deepStrictEqual(collector.spanNames(), ["before the signal"])
      }).pipe(Effect.scoped)
    )
  }

  it.live("a signal while the collector is away: what was lost is said before the process ends", () =>
    Effect.gen(function* () {
      const ended = yield* Effect.promise(() =>
        child([program, "signal", "200"], { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" }, whenReady("SIGTERM"))
      )
      assert.strictEqual(ended.signal, "SIGTERM", ended.output)
      assert.include(ended.output, "shut down with 1 spans lost (1 of them were still waiting)")
    })
  )

  it.live("a long queue at the end is sent whole: nothing throws, nothing rejects, nothing is lost", () =>
    Effect.gen(function* () {
      const collector = yield* receiver
      collector.answer(OtlpReceiver.slow(20))
      const ended = yield* Effect.promise(() =>
        child(
          ["--unhandled-rejections=strict", program, "burst", "10000"],
          { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint },
          () => undefined
        )
      )
      assert.strictEqual(ended.code, 0, ended.output)
      assert.include(ended.output, "done")
      assert.strictEqual(collector.spanIds().size, 10_000)
    }).pipe(Effect.scoped)
  )
})
