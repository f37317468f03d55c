/**
 * OpenSearch from Maven Central's jars. A server for tests: without security.
 */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { jvmFlags, mavenBuild } from "./java.ts"
import { answers, freePort } from "./ports.ts"
import { launch } from "./processes.ts"
import type { Server } from "./Server.ts"

const version = "2.19.6"

export const opensearch: Server = {
  name: "opensearch",
  lane: "other",
  install: Effect.gen(function* () {
    const { home, java, jdk } = yield* mavenBuild({
      name: "opensearch",
      notice: `OpenSearch ${version} from Maven Central: some 70 MB, once`,
      project: join(import.meta.dirname, "opensearch"),
      properties: { "opensearch.version": version },
      oldestJdk: 17
    })
    return {
      description: `OpenSearch ${version} on Java ${jdk.major}`,
      start: ({ folder }) =>
        Effect.gen(function* () {
          const port = yield* freePort
          const url = `http://127.0.0.1:${port}`
          const { pid } = yield* launch(
            "OpenSearch",
            java,
            [...jvmFlags, "-cp", join(home, "lib", "*"), "services.OpenSearchNode", String(port), folder],
            {
              cwd: folder,
              log: join(folder, "opensearch.log"),
              ready: answers(`${url}/_cluster/health?wait_for_status=yellow&timeout=1s`)
            }
          )
          return { pid, url, environment: { TEST_OPENSEARCH_URL: url } }
        })
    }
  })
}
