/**
 * Jaeger: takes traces by OTLP and answers queries, so that a test reads back what a person would see.
 */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { goBuild } from "./go.ts"
import { answers, freePort } from "./ports.ts"
import { launch } from "./processes.ts"
import type { Server } from "./Server.ts"

const version = "1.76.0"

export const jaeger: Server = {
  name: "jaeger",
  lane: "go",
  install: Effect.gen(function* () {
    const program = yield* goBuild({
      name: "jaeger",
      notice: `Jaeger ${version} from its Go module: some three minutes, once`,
      module: join(import.meta.dirname, "jaeger"),
      target: "github.com/jaegertracing/jaeger/cmd/jaeger"
    })
    return {
      description: `Jaeger ${version}`,
      start: ({ folder }) =>
        Effect.gen(function* () {
          const query = yield* freePort
          const grpc = yield* freePort
          const otlp = yield* freePort
          const { pid } = yield* launch(
            "Jaeger",
            program,
            ["--config", join(import.meta.dirname, "config", "jaeger.yaml")],
            {
              cwd: folder,
              log: join(folder, "jaeger.log"),
              env: { JAEGER_QUERY_PORT: String(query), JAEGER_GRPC_PORT: String(grpc), OTLP_HTTP_PORT: String(otlp) },
              ready: answers(`http://127.0.0.1:${query}/api/services`)
            }
          )
          const url = `http://127.0.0.1:${query}`
          return {
            pid,
            url,
            environment: { TEST_JAEGER_QUERY_URL: url, TEST_JAEGER_OTLP_ENDPOINT: `http://127.0.0.1:${otlp}` }
          }
        })
    }
  })
}
