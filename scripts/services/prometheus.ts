/**
 * Prometheus, with the configuration of `deploy/` but for what it scrapes: takes metrics over OTLP, answers PromQL.
 */
import * as Effect from "effect/Effect"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { goBuild } from "./go.ts"
import { answers, freePort } from "./ports.ts"
import { launch } from "./processes.ts"
import type { Server } from "./Server.ts"

/** To Go it is 0.315.0. */
const version = "3.15.0"

export const prometheus: Server = {
  name: "prometheus",
  lane: "go",
  install: Effect.gen(function* () {
    const program = yield* goBuild({
      name: "prometheus",
      notice: `Prometheus ${version} from its Go module: some two minutes, once`,
      module: join(import.meta.dirname, "prometheus"),
      target: "github.com/prometheus/prometheus/cmd/prometheus",
      // Nobody is discovered here: what asks clouds and clusters who is there is half of the build.
      tags: ["remove_all_sd"]
    })
    return {
      description: `Prometheus ${version}`,
      start: ({ folder }) =>
        Effect.gen(function* () {
          const port = yield* freePort
          const deployed = readFileSync(join(import.meta.dirname, "../../deploy/prometheus.yaml"), "utf8")
          const config = join(folder, "prometheus.yaml")
          writeFileSync(config, deployed.slice(0, deployed.indexOf("scrape_configs:")))
          const { pid } = yield* launch(
            "Prometheus",
            program,
            [
              `--config.file=${config}`,
              `--storage.tsdb.path=${join(folder, "data")}`,
              `--web.listen-address=127.0.0.1:${port}`,
              "--web.enable-otlp-receiver"
            ],
            {
              cwd: folder,
              log: join(folder, "prometheus.log"),
              env: {},
              ready: answers(`http://127.0.0.1:${port}/-/ready`)
            }
          )
          const url = `http://127.0.0.1:${port}`
          return { pid, url, environment: { TEST_PROMETHEUS_URL: url } }
        })
    }
  })
}
