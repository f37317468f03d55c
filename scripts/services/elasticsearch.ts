/**
 * Elasticsearch from Maven Central's jars. A server for tests: without security, and without the parts of the distribution that are
 * not published (scaled_float, search_as_you_type, painless, update and delete by query, the analyzers of languages).
 */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { jvmFlags, mavenBuild } from "./java.ts"
import { answers, freePort } from "./ports.ts"
import { launch } from "./processes.ts"
import type { Server } from "./Server.ts"

const version = "9.5.3"

/** What the node reads of each folder under modules/ and plugins/. */
const descriptor = (properties: Readonly<Record<string, string>>) =>
  Object.entries({ version, "java.version": "21", "elasticsearch.version": version, ...properties })
    .map(([name, value]) => `${name}=${value}\n`)
    .join("")

export const elasticsearch: Server = {
  name: "elasticsearch",
  lane: "other",
  install: Effect.gen(function* () {
    const { home, java, jdk } = yield* mavenBuild({
      name: "elasticsearch",
      notice: `Elasticsearch ${version} from Maven Central: some 80 MB, once`,
      project: join(import.meta.dirname, "elasticsearch"),
      properties: { "elasticsearch.version": version },
      oldestJdk: 21,
      files: {
        "modules/transport-netty4/plugin-descriptor.properties": descriptor({
          name: "transport-netty4",
          description: "HTTP and transport",
          classname: "org.elasticsearch.transport.netty4.Netty4Plugin",
          modulename: "org.elasticsearch.transport.netty4"
        }),
        "plugins/root/plugin-descriptor.properties": descriptor({
          name: "root",
          description: "GET /",
          classname: "services.RootPlugin"
        })
      }
    })
    return {
      description: `Elasticsearch ${version} on Java ${jdk.major}`,
      start: ({ folder }) =>
        Effect.gen(function* () {
          const port = yield* freePort
          const url = `http://127.0.0.1:${port}`
          const path = ["--module-path", join(home, "lib"), "--add-modules", "ALL-MODULE-PATH"]
          const { pid } = yield* launch(
            "Elasticsearch",
            java,
            [
              ...jvmFlags,
              ...path,
              "-cp",
              join(home, "node.jar"),
              "services.ElasticsearchNode",
              home,
              String(port),
              folder
            ],
            {
              cwd: folder,
              log: join(folder, "elasticsearch.log"),
              ready: answers(`${url}/_cluster/health?wait_for_status=yellow&timeout=1s`)
            }
          )
          return { pid, url, environment: { TEST_ELASTICSEARCH_URL: url } }
        })
    }
  })
}
