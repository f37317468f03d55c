/**
 * versitygw: S3 over a folder.
 */
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { goInstall } from "./go.ts"
import { answers, freePort } from "./ports.ts"
import { launch } from "./processes.ts"
import type { Server } from "./Server.ts"

const version = "1.8.0"

export const versitygw: Server = {
  name: "versitygw",
  lane: "go",
  install: Effect.gen(function* () {
    const program = yield* goInstall({
      name: "versitygw",
      notice: `versitygw ${version} from its Go module: some minute, once`,
      program: `github.com/versity/versitygw/cmd/versitygw@v${version}`
    })
    return {
      description: `versitygw ${version}`,
      start: ({ folder }) =>
        Effect.gen(function* () {
          const port = yield* freePort
          const objects = join(folder, "objects")
          mkdirSync(objects)
          const accessKey = `test${randomBytes(8).toString("hex")}`
          const secretKey = randomBytes(20).toString("hex")
          const options = ["--port", `127.0.0.1:${port}`, "--region", "us-east-1", "--quiet", "--health", "/health"]
          const { pid } = yield* launch("versitygw", program, [...options, "posix", objects], {
            cwd: folder,
            log: join(folder, "versitygw.log"),
            env: { ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey },
            ready: answers(`http://127.0.0.1:${port}/health`)
          })
          const url = `http://127.0.0.1:${port}`
          return {
            pid,
            url,
            environment: { TEST_S3_ENDPOINT: url, TEST_S3_ACCESS_KEY: accessKey, TEST_S3_SECRET_KEY: secretKey }
          }
        })
    }
  })
}
