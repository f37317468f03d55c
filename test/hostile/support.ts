/**
 * What tests of leaks and floods have in common: a program run with every way out of the process open at once, and a search
 * for a text in all that went out.
 */
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inspect } from "node:util"
import * as ConsoleExporter from "../../src/export/ConsoleExporter.ts"
import * as Pipeline from "../../src/export/Pipeline.ts"
import * as Telemetry from "../../src/Telemetry.ts"
import { decodeProtobuf, type ReceivedSpan } from "../support/OtlpDecode.ts"

/** All that left the process, by the way that it took. */
export interface Left {
  readonly ways: Readonly<Record<string, Buffer>>
  /** The spans, as a backend reads them. */
  readonly spans: ReadonlyArray<ReceivedSpan>
  /** The lines that the telemetry itself logged, as JSON, logfmt and text. */
  readonly lines: ReadonlyArray<string>
}

/** A collector that keeps the bytes it is sent. */
interface ByteCollector {
  readonly url: string
  readonly bodies: Array<Buffer>
}

/** Starts one. `status` and `body` are what it answers. */
export const byteCollector = (
  answer: { readonly status: number; readonly body: string } = { status: 200, body: "" }
): Effect.Effect<ByteCollector, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<ByteCollector & { readonly server: Http.Server }>((resume) => {
        const bodies: Array<Buffer> = []
        const server = Http.createServer((request, response) => {
          const chunks: Array<Buffer> = []
          request.on("data", (chunk: Buffer) => chunks.push(chunk))
          request.on("end", () => {
            bodies.push(Buffer.concat(chunks))
            const contentType = answer.body.startsWith("{") ? "application/json" : "text/plain"
            response.writeHead(answer.status, { "content-type": contentType }).end(answer.body)
          })
        })
        server.listen(0, "127.0.0.1", () => {
          const { port } = server.address() as AddressInfo
          resume(Effect.succeed({ server, bodies, url: `http://127.0.0.1:${port}/v1/traces` }))
        })
      }),
      ({ server }) =>
        Effect.callback<void>((resume) => {
          server.closeAllConnections()
          server.close(() => resume(Effect.void))
        })
    ),
    ({ bodies, url }) => ({ bodies, url })
  )

const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "hostile-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
)

const bytesBelow = (directory: string): Buffer =>
  Buffer.concat(
    readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name)))
  )

const scope = { name: "hostile" }
const resource = { attributes: { "service.name": "hostile" } }

/** Loggers that keep each line in several forms, where the telemetry writes them. */
export const lineKeeper = (lines: Array<string>): Layer.Layer<never> =>
  Logger.layer([
    Logger.make((options) => {
      lines.push(
        Logger.formatJson.log(options),
        Logger.formatLogFmt.log(options),
        Logger.formatSimple.log(options),
        inspect(Logger.formatStructured.log(options), { depth: null })
      )
    })
  ])

/**
 * Runs a program with tracing on, and gives all that left. The ways out: OTLP as protobuf and as JSON, the spool on disk, an
 * OpenTelemetry processor and exporter, the tree on the console, the telemetry's own log lines, its configuration and status.
 * What the program logs becomes events of its spans and nothing else.
 */
export const leaving = <A, E>(
  program: Effect.Effect<A, E, Telemetry.Telemetry | Scope.Scope>,
  options: Telemetry.Options & { readonly flushMillis?: number | undefined } = {}
): Effect.Effect<Left, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { flushMillis = 10_000 } = options
    const protobuf = yield* byteCollector()
    const json = yield* byteCollector()
    const directory = yield* temporaryDirectory
    const lines: Array<string> = []
    const log = (level: string, message: string, fields: object): void =>
      void lines.push(`${level} ${message} ${JSON.stringify(fields)}`)
    const jsonPipeline = Pipeline.make({ endpoint: json.url, resource, scope, protocol: "http/json", log })
    // Nobody listens there: what it is given stays on disk.
    const spooling = Pipeline.make({
      endpoint: "http://127.0.0.1:1/v1/traces",
      resource,
      scope,
      spool: { directory, maxBytes: 64e6 },
      log
    })
    let printed = ""
    const console = ConsoleExporter.make({
      output: {
        write: (text) => {
          printed += text
        }
      },
      render: { attributes: "all", width: 240, color: false }
    })
    const exporter = new InMemorySpanExporter()
    const otel: Array<string> = []
    const TelemetryLive = Telemetry.layer({
      enabled: true,
      serviceName: "hostile",
      endpoint: protobuf.url.replace("/v1/traces", ""),
      flushOnSignals: false,
      receivers: [jsonPipeline.receiver, spooling.receiver, console],
      spanProcessors: [new SimpleSpanProcessor(exporter)],
      ...options
    })
    let status = ""
    yield* Effect.gen(function* () {
      const telemetry = yield* Telemetry.Telemetry
      yield* Effect.exit(Effect.scoped(program)).pipe(Effect.provide(Logger.layer([Logger.tracerLogger])))
      yield* Effect.promise(() => jsonPipeline.flush(10_000))
      yield* telemetry.flush(flushMillis)
      for (const span of exporter.getFinishedSpans()) {
        const { attributes, events, links, name, status, resource } = span
        const read = { attributes, events, links, name, status, resource: resource.attributes }
        otel.push(inspect(read, { depth: null, maxStringLength: null, maxArrayLength: null, breakLength: Infinity }))
      }
      status = `${inspect(yield* telemetry.status)} ${inspect(telemetry.config, { depth: null })} ${JSON.stringify(telemetry.config)}`
    }).pipe(Effect.provide(TelemetryLive.pipe(Layer.provide(lineKeeper(lines)))), Effect.orDie)
    yield* Effect.promise(() => jsonPipeline.shutdown(10_000))
    yield* Effect.promise(() => spooling.shutdown(2_000))
    console.close()
    return {
      ways: {
        protobuf: Buffer.concat(protobuf.bodies),
        json: Buffer.concat(json.bodies),
        spool: bytesBelow(directory),
        "OpenTelemetry exporter": Buffer.from(otel.join("\n")),
        "console tree": Buffer.from(printed),
        "log lines": Buffer.from(lines.join("\n")),
        "status and configuration": Buffer.from(status)
      },
      spans: protobuf.bodies.flatMap((body) => decodeProtobuf(body).spans),
      lines
    }
  })

/** The forms in which a text may have left: as it is, percent-encoded, in base 64 at any position, in hexadecimal digits. */
const formsOf = (text: string): ReadonlyArray<string> => {
  const bytes = Buffer.from(text)
  const shifted = [0, 1, 2].map((shift) => {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString("base64")
      .replace(/=+$/, "")
    // The first and the last characters depend on what stands beside the text.
    return encoded.slice(shift === 0 ? 0 : shift + 1, -1)
  })
  return [text, encodeURIComponent(text), bytes.toString("hex"), ...shifted]
}

/** The ways by which a text left; none is what a test wants. */
export const waysOf = (left: Left, text: string): ReadonlyArray<string> => {
  const forms = formsOf(text)
  return Object.entries(left.ways)
    .filter(([, bytes]) => forms.some((form) => bytes.includes(form)))
    .map(([way]) => way)
}

/** A secret on its way in: what it is called, its text, and the program that lets it in. */
export interface Planted {
  readonly door: string
  readonly secret: string
  readonly program: Effect.Effect<unknown, unknown, Telemetry.Telemetry | Scope.Scope>
}

let planted = 0

/** A secret that looks like no other text, and no two alike. */
export const secret = (): string => `Zq${(++planted).toString(36).padStart(3, "0")}kWx7Jm2Vt9`

/** Makes a secret and the program that lets it in. */
export const plant = (door: string, program: (secret: string) => Planted["program"]): Planted => {
  const text = secret()
  return { door, secret: text, program: program(text) }
}

/** Runs all of them in one process' life, and gives the doors through which a secret came out again, and where. */
export const leaks = (
  doors: ReadonlyArray<Planted>,
  options?: Telemetry.Options
): Effect.Effect<{ readonly leaks: ReadonlyArray<string>; readonly left: Left }, never, Scope.Scope> =>
  Effect.map(
    leaving(
      Effect.forEach(doors, ({ program }) => Effect.exit(program), { discard: true }),
      options
    ),
    (left) => ({
      left,
      leaks: doors.flatMap(({ door, secret }) => {
        const ways = waysOf(left, secret)
        return ways.length === 0 ? [] : [`${door}: ${ways.join(", ")}`]
      })
    })
  )
