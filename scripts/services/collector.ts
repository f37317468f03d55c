/**
 * The OpenTelemetry Collector: writes what it receives into a file, and hands traces on to Jaeger when that runs too.
 */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { goBuild } from "./go.ts"
import { answers, freePort } from "./ports.ts"
import { launch } from "./processes.ts"
import type { Server } from "./Server.ts"

const version = "0.161.0"

const config = (name: string) => ["--config", join(import.meta.dirname, "config", name)]

/** The path of the program, built if it is not there yet. */
export const collectorProgram = goBuild({
  name: "collector",
  notice: `OpenTelemetry Collector ${version} from its Go modules: some two minutes, once`,
  module: join(import.meta.dirname, "collector"),
  target: "."
})

export const collector: Server = {
  name: "collector",
  lane: "go",
  after: ["jaeger"],
  install: Effect.gen(function* () {
    const program = yield* collectorProgram
    return {
      description: `OpenTelemetry Collector ${version}`,
      start: ({ environment, folder }) =>
        Effect.gen(function* () {
          const port = yield* freePort
          const file = join(folder, "received.jsonl")
          const toJaeger =
            environment["TEST_JAEGER_OTLP_ENDPOINT"] === undefined ? [] : config("collector-to-jaeger.yaml")
          const { pid } = yield* launch(
            "OpenTelemetry Collector",
            program,
            [...config("collector.yaml"), ...toJaeger],
            {
              cwd: folder,
              log: join(folder, "collector.log"),
              env: { ...environment, OTLP_HTTP_PORT: String(port), COLLECTOR_FILE: file },
              ready: answers(`http://127.0.0.1:${port}/v1/traces`, {
                method: "POST",
                headers: { "content-type": "application/json" },
                body: "{}"
              })
            }
          )
          const url = `http://127.0.0.1:${port}`
          return {
            pid,
            url,
            environment: { TEST_OTLP_ENDPOINT: url, TEST_COLLECTOR_FILE: file, TEST_COLLECTOR_BINARY: program }
          }
        })
    }
  })
}
