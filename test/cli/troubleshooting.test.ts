/**
 * Every output that the guide shows is what the command prints: each block is run, with the server and the files that the comment
 * before it names, and compared apart from what differs by machine and moment. A line with an ellipsis stands for any lines.
 */
import { readFileSync } from "node:fs"
import * as http2 from "node:http2"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { endSpans, namesOf } from "../export/support.ts"
import { pipelineTo } from "../faults/support.ts"
import * as Receiver from "../support/OtlpReceiver.ts"
import { project, root, run, serve, unusedPort } from "./support.ts"

interface Block {
  readonly line: number
  readonly conditions: string
  /** A command each, with what it prints. */
  readonly commands: ReadonlyArray<{ readonly command: string; readonly output: ReadonlyArray<string> }>
}

const blocks: ReadonlyArray<Block> = (() => {
  const lines = readFileSync(`${root}docs/troubleshooting.md`, "utf8").split("\n")
  const found: Array<Block> = []
  lines.forEach((text, at) => {
    if (text !== "```console") return
    const end = lines.indexOf("```", at)
    const commands: Array<{ command: string; output: Array<string> }> = []
    for (const line of lines.slice(at + 1, end)) {
      if (line.startsWith("$ ")) commands.push({ command: line.slice(2), output: [] })
      else commands.at(-1)!.output.push(line)
    }
    found.push({ line: at + 1, conditions: /<!-- (.*) -->/.exec(lines[at - 2] ?? "")?.[1] ?? "", commands })
  })
  return found
})()

type Port = Effect.Effect<number, never, Scope.Scope>

const answering = (answer: Receiver.Answer): Port =>
  Effect.map(Receiver.scoped(), (receiver) => {
    receiver.answer(answer)
    return receiver.port
  })

const servers: Readonly<Record<string, Port>> = {
  takes: answering(
    Receiver.byRequest(({ path }) =>
      path === "/v1/traces"
        ? Receiver.ok
        : ({ response }) => {
            response.writeHead(404).end()
          }
    )
  ),
  none: unusedPort,
  hangs: answering(Receiver.hang),
  unauthorized: Effect.map(
    serve((request, response) => {
      request.resume()
      response.writeHead(401).end()
    }),
    ({ port }) => port
  ),
  html: Effect.map(
    serve((request, response) => {
      request.resume()
      response.writeHead(200, { "content-type": "text/html" }).end("<html><title>Sign in</title></html>")
    }),
    ({ port }) => port
  ),
  jaeger: answering(Receiver.ok),
  grpc: Effect.map(
    Effect.acquireRelease(
      Effect.callback<http2.Http2Server>((resume) => {
        const server = http2.createServer()
        server.on("sessionError", () => {})
        server.on("session", (session) => session.on("error", () => {}))
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.sync(() => server.close())
    ),
    (server) => (server.address() as AddressInfo).port
  )
}

const files: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "no layer": { "src/main.ts": `import { withSpan } from "effect-telemetry/Telemetry"\nprocess.exit(0)\n` },
  cache: { "src/cache.ts": `import * as CacheLive from "effect-telemetry/CacheLive"\n` },
  database: { "src/db.ts": `import { PgClient } from "@effect/sql-pg"\n` }
}

/** What differs by machine and moment, made the same on both sides. */
const level = (line: string): string =>
  line
    .replace(/\b[0-9a-f]{32}\b/g, "<trace>")
    .replace(/\bin \d+ ms/g, "in <n> ms")
    .replace(/^(ok {7}name: localhost is ).*/, "$1<addresses>")
    .replace(/(accepts, at )[^ ]+,/, "$1<address>,")
    .replace("; in a container localhost is the container itself: use the name of the collector's service", "")
    .replace(/nobody knows this name \(ENOTFOUND\)|the name cannot be looked up now \(EAI_AGAIN\)/, "<unknown>")
    .replace(/Node\.js \d+\.\d+\.\d+/, "Node.js <version>")
    .replace(/(effect|api) \d+\.\d+\.\d+/g, "$1 <version>")
    // A port may have another number of digits, and columns another width.
    .replace(/ {2,}/g, "  ")

const matches = (shown: ReadonlyArray<string>, printed: ReadonlyArray<string>): string => {
  let at = 0
  let isLoose = false
  for (const line of shown) {
    if (line === "…") {
      isLoose = true
      continue
    }
    const found = isLoose ? printed.indexOf(line, at) : printed[at] === line ? at : -1
    if (found === -1) return `missing: ${line}`
    at = found + 1
    isLoose = false
  }
  return isLoose || at === printed.length ? "" : `not shown: ${printed[at]}`
}

describe("the outputs of docs/troubleshooting.md", () => {
  it("there are some, and each names its server", () => {
    assert.isAbove(blocks.length, 15)
    for (const { conditions, line } of blocks) assert.match(conditions, /^server: /, `line ${line}`)
  })

  for (const { commands, conditions, line } of blocks) {
    it.live(`line ${line}: ${commands[0]!.command}`, () =>
      Effect.gen(function* () {
        const [, server = "", , subject, value = ""] = /^server: (\w+)(, (\w+): (.*))?$/.exec(conditions) ?? []
        const port = yield* servers[server]!
        const query =
          server === "jaeger" ? (yield* serve((_, response) => void response.writeHead(404).end())).port : 16686
        const cwd = yield* project(subject === "files" ? files[value]! : {})
        if (subject === "spool") {
          yield* Effect.promise(async () => {
            const pipeline = pipelineTo(
              { url: "http://127.0.0.1:9/v1/traces" },
              { spool: { directory: `${cwd}/spool` } }
            )
            endSpans(pipeline.receiver, ...namesOf("left", Number.parseInt(value, 10)))
            await pipeline.shutdown(200)
          })
        }
        const toReal = (text: string): string =>
          text
            .replaceAll("localhost:4318", `localhost:${port}`)
            .replaceAll(":16686", `:${query}`)
            .replaceAll("/app", cwd)
        const toShown = (text: string): string =>
          text
            .replaceAll(`localhost:${port}`, "localhost:4318")
            .replaceAll(`localhost port ${port}`, "localhost port 4318")
            .replaceAll(`:${query}`, ":16686")
            .replaceAll(cwd, "/app")
        for (const { command, output } of commands) {
          const words = command.split(" ")
          const split = words.indexOf("effect-telemetry")
          const given = Object.fromEntries(
            words.slice(0, split).map((word) => {
              const at = word.indexOf("=")
              return [word.slice(0, at), toReal(word.slice(at + 1))]
            })
          )
          // What the guide leaves to its default has a port here.
          const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://localhost:${port}`, ...given }
          const { stderr, stdout } = yield* run(words.slice(split + 1).map(toReal), { env, cwd })
          let text = toShown(stdout)
          if (given["OTEL_EXPORTER_OTLP_ENDPOINT"] === undefined) {
            text = text
              .replace("2 variables set (OTEL_ENABLED, OTEL_EXPORTER_OTLP_ENDPOINT)", "1 variable set (OTEL_ENABLED)")
              .replace(/( {2}http:\/\/localhost:4318\/v1\/traces +)OTEL_EXPORTER_OTLP_ENDPOINT/, "$1default")
              .replace("/v1/traces, by OTEL_EXPORTER_OTLP_ENDPOINT", "/v1/traces, the default")
          }
          const printed = text.trimEnd().split("\n").map(level)
          assert.strictEqual(matches(output.map(level), printed), "", `${text}${stderr}`)
        }
      }).pipe(Effect.scoped)
    )
  }
})
