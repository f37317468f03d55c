/** What the exporter sends to its collector, and what it is configured with, is in no line, error or status of the telemetry. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { generateKeyPairSync } from "node:crypto"
import { inspect } from "node:util"
import * as TelemetryConfig from "../../src/TelemetryConfig.ts"
import { byteCollector, leaving, secret, waysOf } from "./support.ts"

const answers: Readonly<Record<string, (secret: string) => { readonly status: number; readonly body: string }>> = {
  "a refusal": (s) => ({ status: 401, body: `unknown key ${s}` }),
  "a refusal in JSON": (s) => ({ status: 403, body: JSON.stringify({ code: 16, message: `bad token "${s}"` }) }),
  "a refusal that is cut off within it": (s) => ({ status: 401, body: `${"x".repeat(290)} ${s}` }),
  "an outage": (s) => ({ status: 503, body: `no room for ${s}` }),
  "a warning": (s) => ({
    status: 200,
    body: JSON.stringify({ partialSuccess: { rejectedSpans: 1, errorMessage: `over quota: ${s}` } })
  })
}

describe("a collector that repeats what it was sent", () => {
  for (const [name, answer] of Object.entries(answers)) {
    it.live(name, () =>
      Effect.gen(function* () {
        for (const header of ["x-api-key", "authorization"]) {
          const hidden = secret()
          const collector = yield* byteCollector(answer(hidden))
          const left = yield* leaving(Effect.void.pipe(Effect.withSpan("work")), {
            headers: { [header]: Redacted.make(header === "authorization" ? `Bearer ${hidden}` : hidden) },
            tracesEndpoint: collector.url,
            shutdownTimeout: "300 millis",
            flushMillis: 300
          })
          assert.deepStrictEqual(waysOf(left, hidden), [])
          assert.deepStrictEqual(waysOf(left, hidden.slice(0, 8)), [])
          assert.isAbove(left.lines.filter((line) => line.includes("OpenTelemetry export")).length, 0)
        }
      }).pipe(Effect.scoped)
    )
  }
})

const privateKey = generateKeyPairSync("ec", { namedCurve: "P-256" })
  .privateKey.export({ format: "pem", type: "pkcs8" })
  .toString()

const hidden = "Zq9kV7xHidden"

const environments: Readonly<Record<string, readonly [Record<string, string>, secret: string]>> = {
  "a key in the place of its file's path": [
    { OTEL_EXPORTER_OTLP_CLIENT_KEY: privateKey, OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: "/none" },
    privateKey.split("\n")[1]!.slice(0, 24)
  ],
  "a URL in the place of a rate": [{ OTEL_TRACE_SAMPLER_RATE: `https://ada:${hidden}@h` }, hidden],
  "headers in the place of a switch": [{ OTEL_ENABLED: `authorization=Bearer ${hidden}` }, hidden],
  "an attribute of the resource": [{ OTEL_RESOURCE_ATTRIBUTES: `api.key=${hidden},a=https://ada:${hidden}@h` }, hidden],
  "an attribute of the resource that cannot be read": [{ OTEL_RESOURCE_ATTRIBUTES: `api.key=${hidden}%zz` }, hidden]
}

describe("the configuration", () => {
  for (const [name, [environment, secret]] of Object.entries(environments)) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const loaded = yield* Effect.exit(
          TelemetryConfig.load({ enabled: "OTEL_ENABLED" in environment ? undefined : true })
        )
        const shown = [inspect(loaded, { depth: null }), JSON.stringify(loaded)]
        if (loaded._tag === "Success") {
          shown.push(JSON.stringify(TelemetryConfig.effective(loaded.value)), TelemetryConfig.describe(loaded.value))
        } else shown.push(Cause.pretty(loaded.cause))
        for (const text of shown) assert.notInclude(text, secret)
      }).pipe(Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env: environment })))
    )
  }

  it.live("attributes of the resource are not sent either", () =>
    Effect.gen(function* () {
      const hidden = secret()
      const left = yield* leaving(Effect.void.pipe(Effect.withSpan("work")), {
        resourceAttributes: {
          "api.key": hidden,
          url: `https://ada:${hidden}@h`,
          list: [`token=${hidden}`],
          team: "feed"
        }
      })
      assert.deepStrictEqual(waysOf(left, hidden), [])
      assert.strictEqual(left.spans[0]!.resource["team"], "feed")
    }).pipe(Effect.scoped)
  )
})
