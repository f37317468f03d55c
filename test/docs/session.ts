/**
 * A page as its reader works through it: a folder of one's own, into which files of the page are written, and in which its
 * commands are run one after the other, with a collector that takes what it is sent.
 */
import { spawn } from "node:child_process"
import { symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { environment, folder, link, node, root, unusedPort } from "../cli/support.ts"
import { type Block, commandsOf } from "./blocks.ts"
import { difference, linesOf } from "./compare.ts"
import { servers } from "./servers.ts"

/** What a page calls the folder, and the port of its own server. */
const shownFolder = "/app"
const shownPort = "3000"

/** Variables before a command, and the command's words; single quotes keep spaces. */
export const parse = (
  command: string
): { readonly given: Readonly<Record<string, string>>; readonly words: ReadonlyArray<string> } => {
  const words = (command.match(/(?:'[^']*'|[^\s'])+/g) ?? []).map((word) => word.replaceAll("'", ""))
  const from = words.findIndex((word) => !/^[A-Z_]+=/.test(word))
  const pairs = words.slice(0, from).map((word) => {
    const at = word.indexOf("=")
    return [word.slice(0, at), word.slice(at + 1)]
  })
  return { given: Object.fromEntries(pairs), words: words.slice(from) }
}

/** How a command that a page shows is run here. */
const argumentsOf = (words: ReadonlyArray<string>, cwd: string): ReadonlyArray<string> | undefined => {
  const [first, ...rest] = words[0] === "npx" ? words.slice(1) : words
  if (first === "node") return ["--conditions=source", ...rest]
  if (first === "effect-telemetry")
    return ["--conditions=source", join(cwd, "node_modules/effect-telemetry/src/cli/main.ts"), ...rest]
  if (first !== "npm") return undefined
  const options = rest.includes("--") ? rest.slice(rest.indexOf("--") + 1) : []
  if (rest[0] === "start") return ["--conditions=source", join(root, "scratchpad/app/main.ts"), ...options]
  if (rest[0] === "run" && rest[1] === "pattern") {
    return ["--conditions=source", join(root, "scratchpad/patterns/run.ts"), ...options]
  }
  return undefined
}

interface Running {
  readonly printed: () => string
  readonly ended: Promise<void>
}

const start = (args: ReadonlyArray<string>, cwd: string, env: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.sync((): Running & { readonly kill: () => void } => {
      const child = spawn(node, args, { cwd, env: environment(env), stdio: ["ignore", "pipe", "pipe"] })
      let printed = ""
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => (printed += text))
      }
      return {
        printed: () => printed,
        ended: new Promise((resolve) => child.on("close", () => resolve())),
        kill: () => void child.kill("SIGKILL")
      }
    }),
    (running) => Effect.sync(running.kill)
  )

const curl = async (words: ReadonlyArray<string>): Promise<string> => {
  const headers: Record<string, string> = {}
  let url = ""
  for (let i = 1; i < words.length; i++) {
    if (words[i] === "-H") {
      const [name, ...value] = words[++i]!.split(":")
      headers[name!] = value.join(":").trim()
    } else url = words[i]!
  }
  return (await fetch(url, { headers })).text()
}

const patience = 45_000

/** Works through the blocks of a page that have files, commands, and what a command that stays prints later. */
export const follow = (blocks: ReadonlyArray<Block>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const cwd = yield* folder
    link(cwd, ["effect", "@opentelemetry/api", "@effect/platform-node"])
    symlinkSync(root, join(cwd, "node_modules/effect-telemetry"))
    writeFileSync(join(cwd, "package.json"), JSON.stringify({ name: "audio-api", type: "module" }))
    const ports: Record<string, number> = { takes: yield* servers["takes"]!, none: yield* unusedPort }
    const own = String(yield* unusedPort)
    const toReal = (text: string, collector: number): string =>
      text.replaceAll("localhost:4318", `localhost:${collector}`).replaceAll(shownPort, own)
    const toShown = (text: string, collector: number): string =>
      text
        .replaceAll(`localhost:${collector}`, "localhost:4318")
        .replaceAll(`127.0.0.1:${collector}`, "127.0.0.1:4318")
        .replaceAll(`localhost port ${collector}`, "localhost port 4318")
        .replaceAll(own, shownPort)
        .replaceAll(cwd, shownFolder)

    let staying: { readonly running: Running; seen: ReadonlyArray<string> } | undefined
    /** Waits until what stays has printed this, after what it has been seen to print. */
    const prints = (origin: string, shown: ReadonlyArray<string>) =>
      Effect.promise(async () => {
        assert(staying !== undefined, `${origin}: no command stays`)
        const until = Date.now() + patience
        for (;;) {
          const all = [...staying.seen, ...shown]
          const printed: ReadonlyArray<string> = linesOf(toShown(staying.running.printed(), ports["takes"]!)).filter(
            (line) => line !== ""
          )
          const wrong = difference(
            all.filter((line) => line !== ""),
            printed
          )
          if (wrong === "") {
            staying.seen = all
            return
          }
          if (Date.now() > until) assert.fail(`${origin}: ${wrong}\n\n${printed.join("\n")}`)
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
      })

    for (const block of blocks) {
      const file = /^file: (\S+)$/.exec(block.note)?.[1]
      if (file !== undefined) {
        writeFileSync(join(cwd, file), toReal(block.lines.join("\n"), ports["takes"]!))
        continue
      }
      if (block.info === "text" && block.note === "then") {
        yield* prints(block.origin, block.lines)
        continue
      }
      if (block.info !== "console") continue
      const collector = ports[/^collector: (\w+)$/.exec(block.note)?.[1] ?? "takes"]!
      for (const { command, output } of commandsOf(block)) {
        const { given, words } = parse(toReal(command, collector))
        if (words[0] === "curl") {
          const answer = yield* Effect.promise(() => curl(words))
          assert.strictEqual(difference(output, linesOf(answer)), "", `${block.origin}: ${answer}`)
          continue
        }
        const args = argumentsOf(words, cwd)
        assert(args !== undefined, `${block.origin}: "${command}" is no command that is run here`)
        const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://localhost:${collector}`, ...given }
        // The demo prints its traces itself; where it is told of a collector it says so.
        const running = yield* start(args, cwd, words[0] === "npm" ? { PORT: "0", ...given } : env)
        if (block.note === "stays") {
          staying = { running, seen: [] }
          yield* prints(block.origin, output)
          continue
        }
        yield* Effect.promise(() => running.ended)
        let text = toShown(running.printed(), collector)
        if (given["OTEL_EXPORTER_OTLP_ENDPOINT"] === undefined) text = asDefault(text)
        // Lines without text are how a program breathes: a page may do so elsewhere.
        const lines = linesOf(text).filter((line) => line !== "")
        const shown = output.filter((line) => line !== "")
        assert.strictEqual(difference(shown, lines), "", `${block.origin}: ${command}\n\n${text}`)
      }
    }
  })

/** The endpoint is named by a variable here and left to its default in the page: says the latter. */
export const asDefault = (text: string): string =>
  text
    .replace(/(\d+) variables set \((.*)OTEL_EXPORTER_OTLP_ENDPOINT(.*)\)/, (_, count, before, after) => {
      const names = `${before}${after}`.replace(", , ", ", ").replace(/^, |, $/g, "")
      return `${count - 1} variable${count === "2" ? "" : "s"} set (${names})`
    })
    .replace(/( {2}http:\/\/localhost:4318\/v1\/traces +)OTEL_EXPORTER_OTLP_ENDPOINT/, "$1default")
    .replace("/v1/traces, by OTEL_EXPORTER_OTLP_ENDPOINT", "/v1/traces, the default")
