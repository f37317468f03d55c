/**
 * What stands between the processes and the Collector, and can be away in the ways that servers and networks are. It counts the
 * requests that it handed on and whose answer did not come back: their spans may be sent again.
 */
import * as http from "node:http"
import type { AddressInfo, Socket } from "node:net"

/**
 * - `open`: hands on
 * - `refuse`: answers 503
 * - `hang`: never answers
 * - `swallow`: hands on, and never answers
 * - `reset`: cuts the connection once the request is there
 * - `closed`: nobody listens
 */
export type Mode = "open" | "refuse" | "hang" | "swallow" | "reset" | "closed"

export class Gate {
  mode: Mode = "open"
  /** Where to; 0: nowhere just now. */
  target = 0
  requests = 0
  /** Requests that were handed on, of which the sender cannot know what came. */
  uncertain = 0
  port = 0
  private server: http.Server | undefined
  private readonly sockets = new Set<Socket>()
  private readonly agent = new http.Agent({ keepAlive: true })

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  async set(mode: Mode): Promise<void> {
    this.mode = mode
    if (mode === "closed") await this.close()
    else await this.listen()
    // What hangs is let go when the outage is over.
    if (mode === "open") for (const socket of this.sockets) if (held.has(socket)) socket.destroy()
  }

  async listen(): Promise<void> {
    if (this.server !== undefined) return
    const server = http.createServer((request, response) => this.take(request, response))
    server.on("connection", (socket) => {
      this.sockets.add(socket)
      socket.on("close", () => this.sockets.delete(socket))
      socket.on("error", () => {})
    })
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject)
      server.listen(this.port, "127.0.0.1", resolve)
    })
    this.port = (server.address() as AddressInfo).port
    this.server = server
  }

  async close(): Promise<void> {
    const { server } = this
    this.server = undefined
    if (server === undefined) return
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    for (const socket of this.sockets) socket.destroy()
    await closed
  }

  private take(request: http.IncomingMessage, response: http.ServerResponse): void {
    const chunks: Array<Buffer> = []
    request.on("error", () => {})
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      this.requests++
      switch (this.mode) {
        case "refuse":
          response.writeHead(503).end()
          return
        case "hang":
          held.add(request.socket)
          return
        case "reset":
          request.socket.resetAndDestroy()
          return
        default:
          this.handOn(request, response, Buffer.concat(chunks), this.mode === "swallow")
      }
    })
  }

  private handOn(request: http.IncomingMessage, response: http.ServerResponse, body: Buffer, swallow: boolean): void {
    let isCertain = false
    // Counted until the answer has gone out, or until it is known that nobody took the request.
    this.uncertain++
    const certain = (): void => {
      if (!isCertain) this.uncertain--
      isCertain = true
    }
    if (swallow) held.add(request.socket)
    response.on("finish", certain)
    const onwards = http.request(
      {
        host: "127.0.0.1",
        port: this.target,
        agent: this.agent,
        method: "POST",
        path: request.url,
        headers: {
          "content-type": request.headers["content-type"],
          "content-length": body.length,
          ...(request.headers["content-encoding"] === undefined
            ? {}
            : { "content-encoding": request.headers["content-encoding"] })
        }
      },
      (answer) => {
        const parts: Array<Buffer> = []
        answer.on("data", (part: Buffer) => parts.push(part))
        answer.on("error", () => {})
        answer.on("end", () => {
          if (swallow || response.destroyed) return
          response.writeHead(answer.statusCode ?? 500, { "content-type": answer.headers["content-type"] ?? "" })
          response.end(Buffer.concat(parts))
        })
      }
    )
    onwards.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED") certain()
      else response.off("finish", certain)
      if (!response.destroyed && !swallow) response.writeHead(503).end()
    })
    onwards.end(body)
  }
}

const held = new WeakSet<Socket>()
