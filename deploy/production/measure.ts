/**
 * What the sizing notes calculate with: spans and bytes that the reference backend sends for a request, measured.
 *
 *   node --conditions=source deploy/production/measure.ts
 *
 * It starts the backend on its embedded parts, sends it its demo's requests over and over, and counts what arrives.
 */
import { spawn } from "node:child_process"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { gunzipSync } from "node:zlib"
import { steps } from "../../scratchpad/app/Command/Demo.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const rounds = 200
/** Those that need nothing of an answer before. */
const requests = steps.filter(({ audio, path }) => audio === undefined && typeof path === "string")

const totals = { exports: 0, plain: 0, gzip: 0 }
const server = createServer((request, response) => {
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk))
  request.on("end", () => {
    const body = Buffer.concat(chunks)
    totals.exports++
    totals.plain += request.headers["content-encoding"] === "gzip" ? gunzipSync(body).byteLength : body.byteLength
    totals.gzip += body.byteLength
    response.writeHead(200, { "content-type": "application/x-protobuf" }).end()
  })
})
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))

const child = spawn(process.execPath, ["--conditions=source", "scratchpad/app/main.ts"], {
  cwd: root,
  env: {
    PATH: process.env["PATH"],
    PORT: "0",
    FAULTS: "",
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    OTEL_EXPORTER_OTLP_COMPRESSION: "gzip"
  },
  stdio: ["ignore", "pipe", "inherit"]
})
let said = ""
const base = await new Promise<string>((resolve) =>
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text
    const address = /Serving on (\S+)\. /.exec(said)?.[1]
    if (address !== undefined) resolve(address)
  })
)

// What the demo itself sent is not counted: it is gone once the longest wait for a batch is over.
await new Promise((resolve) => setTimeout(resolve, 6000))
Object.assign(totals, { exports: 0, plain: 0, gzip: 0 })
said = ""
for (let round = 0; round < rounds; round++) {
  for (const { json, method, path, user } of requests) {
    const response = await fetch(`${base}${path as string}`, {
      method,
      headers: {
        ...(user === undefined ? {} : { "x-user-id": user }),
        ...(json === undefined ? {} : { "content-type": "application/json" })
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) })
    })
    await response.arrayBuffer()
  }
}
child.kill("SIGTERM")
await new Promise((resolve) => child.once("close", resolve))
server.close()

// The terminal says of each trace how many spans it has.
const traces = [...said.matchAll(/^trace [0-9a-f]{32} {2}(\d+) spans?/gm)].map(([, count]) => Number(count))
const spans = traces.reduce((sum, count) => sum + count, 0)
process.stdout.write(`${traces.length} requests, ${spans} spans: ${(spans / traces.length).toFixed(1)} a request
OTLP: ${Math.round(totals.plain / spans)} bytes a span, ${Math.round(totals.gzip / spans)} compressed (gzip), in ${totals.exports} exports
`)
