/**
 * What `docker compose` reads its files with, without Docker: a program that the tests run, no server.
 */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { goBuild } from "./go.ts"
import type { Server } from "./Server.ts"

const version = "2.16.2"

export const compose: Server = {
  name: "compose",
  lane: "go",
  install: Effect.gen(function* () {
    const program = yield* goBuild({
      name: "compose",
      notice: `compose-go ${version} from its Go modules: some fifteen seconds, once`,
      module: join(import.meta.dirname, "compose"),
      target: "."
    })
    return {
      description: `compose-go ${version}`,
      start: () => Effect.succeed({ pid: undefined, url: program, environment: { TEST_COMPOSE_BINARY: program } })
    }
  })
}
