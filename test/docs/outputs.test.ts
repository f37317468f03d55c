/**
 * Every output of a command that a page shows is what the command prints, apart from what differs by machine and moment. A line
 * with an ellipsis stands for any lines.
 *
 * A block of the console whose comment names a server is run by itself, in an application of its own. All others of a page are
 * run one after the other in one folder, as its reader would.
 */
import { globSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { endSpans, namesOf } from "../export/support.ts"
import { pipelineTo } from "../faults/support.ts"
import { project, root, run, serve } from "../cli/support.ts"
import { type Block, blocksOf, commandsOf } from "./blocks.ts"
import { difference, linesOf } from "./compare.ts"
import { servers } from "./servers.ts"
import { asDefault, follow, parse } from "./session.ts"

const pages = [...globSync("*.md", { cwd: root }), ...globSync("docs/**/*.md", { cwd: root })].sort()

const isAlone = (block: Block): boolean => block.info === "console" && block.note.startsWith("server: ")

const files: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "no layer": { "src/main.ts": `import { withSpan } from "effect-telemetry/Telemetry"\nprocess.exit(0)\n` },
  cache: { "src/cache.ts": `import * as CacheLive from "effect-telemetry/CacheLive"\n` },
  database: { "src/db.ts": `import { PgClient } from "@effect/sql-pg"\n` }
}

const alone = (block: Block) =>
  Effect.gen(function* () {
    const [, server = "", , subject, value = ""] = /^server: (\w+)(, (\w+): (.*))?$/.exec(block.note) ?? []
    assert(servers[server] !== undefined, `${block.origin}: there is no server "${server}"`)
    const port = yield* servers[server]
    const query = server === "jaeger" ? (yield* serve((_, response) => void response.writeHead(404).end())).port : 16686
    const cwd = yield* project(subject === "files" ? files[value]! : {})
    if (subject === "spool") {
      yield* Effect.promise(async () => {
        const pipeline = pipelineTo({ url: "http://127.0.0.1:9/v1/traces" }, { spool: { directory: `${cwd}/spool` } })
        endSpans(pipeline.receiver, ...namesOf("left", Number.parseInt(value, 10)))
        await pipeline.shutdown(200)
      })
    }
    const toReal = (text: string): string =>
      text.replaceAll("localhost:4318", `localhost:${port}`).replaceAll(":16686", `:${query}`).replaceAll("/app", cwd)
    const toShown = (text: string): string =>
      text
        .replaceAll(`localhost:${port}`, "localhost:4318")
        .replaceAll(`localhost port ${port}`, "localhost port 4318")
        .replaceAll(`:${query}`, ":16686")
        .replaceAll(cwd, "/app")
    for (const { command, output } of commandsOf(block)) {
      const { given, words } = parse(toReal(command))
      const args = words.slice(words.indexOf("effect-telemetry") + 1)
      // What the page leaves to its default has a port here.
      const { stderr, stdout } = yield* run(args, {
        env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://localhost:${port}`, ...given },
        cwd
      })
      const text = toShown(stdout)
      const printed = linesOf(given["OTEL_EXPORTER_OTLP_ENDPOINT"] === undefined ? asDefault(text) : text)
      assert.strictEqual(difference(output, printed), "", `${text}${stderr}`)
    }
  }).pipe(Effect.scoped)

describe("outputs that pages show", () => {
  it("there are some", () => {
    assert.isAbove(pages.flatMap(blocksOf).filter(isAlone).length, 15)
  })

  for (const page of pages) {
    const blocks = blocksOf(page)
    if (!blocks.some(({ info }) => info === "console")) continue
    describe(page, () => {
      for (const block of blocks.filter(isAlone)) {
        it.live(`${block.origin}: ${commandsOf(block)[0]!.command}`, () => alone(block))
      }
      const session = blocks.filter((block) => !isAlone(block))
      if (!session.some(({ info }) => info === "console")) return
      it.live("its commands one after the other", () => Effect.scoped(follow(session)), 180_000)
    })
  }
})
