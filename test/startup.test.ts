import { OtelTraceFlags, OtelTraceState } from "@effect/opentelemetry/OtelTracer"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import * as Logger from "effect/Logger"
import * as Environment from "../src/internal/config/environment.ts"
import * as Carrier from "../src/propagation/Carrier.ts"
import * as SpanContext from "../src/tracer/SpanContext.ts"
import * as TraceLogger from "../src/tracer/TraceLogger.ts"
import { run } from "./docs/snippets.ts"

/** The modules that are loaded until the layer of a module is ready, as `effect/Layer`, `@opentelemetry/api`, `src/Telemetry`. */
const modulesOf = async (
  layer: string,
  environment: Readonly<Record<string, string>>
): Promise<ReadonlyArray<string>> => {
  const { code, output } = await run([
    "--conditions=source",
    "--input-type=module",
    "-e",
    `
import { registerHooks } from "node:module"
const modules = new Set()
registerHooks({
  resolve: (specifier, context, next) => {
    const resolved = next(specifier, context)
    modules.add(resolved.url)
    return resolved
  }
})
Object.assign(process.env, ${JSON.stringify(environment)})
const { Telemetry, TelemetryLive, layer } = await import("effect-telemetry/Telemetry")
const Effect = await import("effect/Effect")
const Layer = await import("effect/Layer")
const Scope = await import("effect/Scope")
await Effect.runPromise(Layer.buildWithScope(${layer}, Scope.makeUnsafe()))
console.log("modules " + JSON.stringify([...modules]))
process.exit(0)
`
  ])
  assert.strictEqual(code, 0, output)
  const urls: ReadonlyArray<string> = JSON.parse(/^modules (.*)$/m.exec(output)![1]!)
  return urls.map((url) =>
    url
      .replace(/^.*\/node_modules\//, "")
      .replace(/^file:.*\/src\//, "src/")
      .replace(/^(effect|@effect\/\w+)\/dist\//, "$1/")
      .replace(/\.[jt]s$/, "")
  )
}

const traced = { OTEL_ENABLED: "true", OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" }

/** What starting does not need; each brings more along than all that is ours. */
const heavy =
  /^effect\/(Schema|Config|ConfigProvider|FileSystem|Stream|Channel|Logger|DateTime|http\/|sql\/|persistence\/|crypto\/)|^@effect\/|^@opentelemetry\/(otlp|exporter|sdk|resources|core)|^node:(https?|net|tls|child_process|worker_threads)$/

describe("starting", () => {
  it("loads of Effect and of OpenTelemetry what a tracer needs", async () => {
    const modules = await modulesOf("TelemetryLive", traced)
    assert.isTrue(modules.includes("effect/Layer"))
    assert.isTrue(modules.includes("src/tracer/Tracer"))
    assert.deepStrictEqual(
      modules.filter((name) => heavy.test(name)),
      []
    )
    const ofEffect = modules.filter((name) => name.startsWith("effect/"))
    assert.isAtMost(ofEffect.length, 80, "each further module of Effect's is half a millisecond of every start")
  })

  it("loads no more where tracing is off", async () => {
    const modules = await modulesOf("TelemetryLive", {})
    assert.deepStrictEqual(
      modules.filter((name) => heavy.test(name)),
      []
    )
  })

  it("loads Effect's loggers where they are asked for", async () => {
    const modules = await modulesOf(`layer({ logs: "json" })`, traced)
    assert.isTrue(modules.includes("effect/Logger"))
  })
})

describe("what is named instead of imported is what Effect has", () => {
  it("the provider of the configuration", () => {
    assert.strictEqual(Environment.CurrentProvider.key, ConfigProvider.ConfigProvider.key)
    const given = ConfigProvider.fromEnv({ env: { OTEL_SERVICE_NAME: "given" } })
    const read = Effect.provideService(Environment.read, ConfigProvider.ConfigProvider, given)
    assert.deepStrictEqual([...Effect.runSync(read)], [["OTEL_SERVICE_NAME", { text: "given" }]])
  })

  it.effect.each(["OTEL_STARTUP_TEST", "OTEL_STARTUP_TEST_EMPTY", "OTEL_STARTUP_TEST_UNSET"])(
    "its default finds %s",
    Effect.fnUntraced(function* (name) {
      process.env["OTEL_STARTUP_TEST"] = " a value "
      process.env["OTEL_STARTUP_TEST_EMPTY"] = ""
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          delete process.env["OTEL_STARTUP_TEST"]
          delete process.env["OTEL_STARTUP_TEST_EMPTY"]
        })
      )
      const theirs = yield* ConfigProvider.fromEnv().load([name])
      const ours = yield* Environment.CurrentProvider.defaultValue().load([name])
      assert.strictEqual(ours?.value === "" ? undefined : ours?.value, theirs?.value)
    })
  )

  it("the logger that writes lines into spans", () => {
    assert.strictEqual(TraceLogger.tracerLogger, Logger.tracerLogger)
  })

  it("a logger with ids is one of Effect's loggers", () => {
    const logger = TraceLogger.withTraceIds(Logger.formatJson)
    assert.isTrue(Logger.isLogger(logger))
    assert.strictEqual(
      logger.pipe((self) => self),
      logger
    )
    assert.strictEqual(TraceLogger.withTraceIds(logger), logger)
  })

  it("the annotations of @effect/opentelemetry", () => {
    assert.strictEqual(SpanContext.OtelTraceFlags.key, OtelTraceFlags.key)
    assert.strictEqual(SpanContext.OtelTraceState.key, OtelTraceState.key)
  })

  it("the headers", () => {
    assert.strictEqual(Carrier.headersBrand, Headers.TypeId)
  })
})
