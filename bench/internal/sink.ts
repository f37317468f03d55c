/**
 * A collector in a process of its own, that answers and counts: OTLP over HTTP in protobuf and JSON, and the protocol of
 * dd-trace's agent. It reads no more of a body than it needs to count its spans.
 *
 * `GET /sink` gives the counts; `POST /sink?mode=…` sets them to zero and chooses how it answers: `healthy`, `slow` (after
 * half a second), `hanging` (never).
 */
import { createServer, type ServerResponse } from "node:http"
import { countSpans } from "./count-spans.ts"

const slowMillis = 500

let mode = "healthy"
let spans = 0
let requests = 0
let bytes = 0

const answer = (response: ServerResponse, contentType: string): void => {
  response.writeHead(200, { "content-type": contentType })
  response.end(contentType === "application/x-protobuf" ? undefined : "{}")
}

const server = createServer((request, response) => {
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk))
  request.on("end", () => {
    if (request.url!.startsWith("/sink")) {
      if (request.method === "POST") {
        mode = new URL(request.url!, "http://localhost").searchParams.get("mode") ?? "healthy"
        spans = requests = bytes = 0
      }
      response.end(JSON.stringify({ spans, requests, bytes }))
      return
    }
    if (mode === "hanging") return
    const contentType = request.headers["content-type"] ?? ""
    const body = Buffer.concat(chunks)
    spans += countSpans(body, contentType)
    requests++
    bytes += body.length
    if (mode === "slow") setTimeout(() => answer(response, contentType), slowMillis)
    else answer(response, contentType)
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, "127.0.0.1", () => process.send!({ port: (server.address() as { readonly port: number }).port }))
process.on("disconnect", () => process.exit())
