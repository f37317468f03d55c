/** Collectors and proxies that break HTTP itself, told by what they put on the wire. */
import { describe, expect, it } from "@effect/vitest"
import dns from "node:dns"
import { createServer, type AddressInfo, type Server, type Socket } from "node:net"
import { afterEach, vi } from "vitest"
import { endSpans } from "../export/support.ts"
import { closeAfterEach, pipelineTo, until } from "./support.ts"

closeAfterEach()

const opened: Array<() => void> = []
afterEach(() => {
  vi.restoreAllMocks()
  for (const close of opened.splice(0)) close()
})

type Answer = (socket: Socket) => void

const text =
  (bytes: string): Answer =>
  (socket) =>
    void socket.write(bytes)
const last =
  (bytes: string): Answer =>
  (socket) =>
    void socket.end(bytes)

const ok = text("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
const head = (status: string, ...lines: ReadonlyArray<string>) => `HTTP/1.1 ${[status, ...lines].join("\r\n")}\r\n\r\n`

/** A server that answers the first request, and then all others, with bytes. */
const serving = async (first: Answer, then: Answer = ok) => {
  const sockets = new Set<Socket>()
  let requests = 0
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on("error", () => {}).on("close", () => sockets.delete(socket))
    let waiting = Buffer.alloc(0)
    socket.on("data", (chunk) => {
      waiting = Buffer.concat([waiting, chunk])
      for (;;) {
        const end = waiting.indexOf("\r\n\r\n")
        const length = Number(/content-length: (\d+)/i.exec(waiting.toString("latin1"))?.[1] ?? 0)
        if (end < 0 || waiting.length < end + 4 + length) return
        waiting = waiting.subarray(end + 4 + length)
        ;(requests++ === 0 ? first : then)(socket)
      }
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  opened.push(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/v1/traces`, port, requests: () => requests }
}

const large = (status: string): Answer => {
  const chunk = "x".repeat(1 << 20)
  return (socket) => {
    socket.write(head(status, `content-length: ${64 << 20}`))
    let left = 64
    const next = (): void => void (left-- > 0 && socket.writable && socket.write(chunk, next))
    next()
  }
}

const slowly =
  (bytes: string): Answer =>
  (socket) => {
    let at = 0
    const timer = setInterval(
      () => (at < bytes.length && socket.writable ? socket.write(bytes[at++]!) : clearInterval(timer)),
      2
    )
  }

describe("what is a 200 all the same", () => {
  it.each<[string, Answer]>([
    ["HTTP/1.0, whose body ends with the connection", last("HTTP/1.0 200 OK\r\n\r\n")],
    ["chunks that are none", text(`${head("200 OK", "transfer-encoding: chunked")}ZZZ\r\nnot a chunk\r\n`)],
    ["a connection that is closed in the middle of the body", last(`${head("200 OK", "content-length: 100")}abc`)],
    ["a body without a use, of 64 MB", large("200 OK")],
    ["HTML", text(`${head("200 OK", "content-type: text/html", "content-length: 6")}<html>`)],
    [
      "100 and 103 before it",
      text(head("100 Continue") + head("103 Early Hints") + head("200 OK", "content-length: 0"))
    ],
    ["204", text(head("204 No Content"))],
    ["one byte after the other", slowly(head("200 OK", "content-length: 0"))],
    ["an answer too many", text(head("200 OK", "content-length: 0").repeat(2))]
  ])("%s", async (_, answer) => {
    const server = await serving(answer, answer)
    const pipeline = pipelineTo(server)
    endSpans(pipeline.receiver, "a")
    await until(() => pipeline.status().exported === 1, "the first span")
    endSpans(pipeline.receiver, "b")
    await until(() => pipeline.status().exported === 2, "the second span")
    expect(server.requests()).toBe(2)
    expect(pipeline.said.lines).toEqual([])
  })
})

describe("what is tried again", () => {
  it.each<[string, Answer]>([
    ["HTTP/1.0 503", last("HTTP/1.0 503 Busy\r\n\r\nbusy")],
    ["no HTTP at all", last("hello")],
    ["a 503 with chunks that are none", text(`${head("503 Busy", "transfer-encoding: chunked")}ZZZ\r\n`)],
    ["a 503 that is closed in the middle of its body", last(`${head("503 Busy", "content-length: 100")}abc`)],
    ["a 503 of 64 MB", large("503 Busy")],
    ["headers of 100 kB", text(head("200 OK", ...Array.from({ length: 100 }, () => `x-a: ${"b".repeat(1_000)}`)))],
    ["headers that contradict each other", text(head("200 OK", "content-length: 5", "transfer-encoding: chunked"))],
    ["a connection that ends within the status line", last("HTTP/1.1 20")],
    ["another protocol", text(`${head("101 Switching Protocols", "upgrade: websocket", "connection: upgrade")}xx`)]
  ])("%s", async (_, answer) => {
    const server = await serving(answer)
    const pipeline = pipelineTo(server, { timeoutMillis: 300 })
    endSpans(pipeline.receiver, "a")
    await until(() => pipeline.status().exported === 1, "the span")
    expect(server.requests()).toBe(2)
    expect(pipeline.status()).toMatchObject({ droppedTotal: 0, reachable: true })
    expect(pipeline.said.messages()).toEqual([
      expect.stringContaining("takes no spans"),
      expect.stringContaining("takes spans again")
    ])
  })

  it("a name that is not resolved at first", async () => {
    const server = await serving(ok)
    let isBroken = true
    const lookup = dns.lookup as unknown as (
      host: string,
      options: object,
      callback: (...args: Array<unknown>) => void
    ) => void
    vi.spyOn(dns, "lookup").mockImplementation(((host: string, options: { all?: boolean }, callback: any) => {
      if (host !== "collector.test") return lookup(host, options, callback)
      if (isBroken) callback(Object.assign(new Error("getaddrinfo EAI_AGAIN collector.test"), { code: "EAI_AGAIN" }))
      else if (options.all === true) callback(null, [{ address: "127.0.0.1", family: 4 }])
      else callback(null, "127.0.0.1", 4)
    }) as never)
    const pipeline = pipelineTo({ url: `http://collector.test:${server.port}/v1/traces` })
    endSpans(pipeline.receiver, "a")
    await until(() => pipeline.status().reachable === false, "the name not to be resolved")
    expect(server.requests()).toBe(0)
    isBroken = false
    await until(() => pipeline.status().exported === 1, "the span")
    expect(pipeline.said.messages()[0]).toContain("getaddrinfo EAI_AGAIN collector.test")
  })
})

describe("what is for good", () => {
  it.each(["301", "302", "307", "308"])("a redirect (%s) is not followed, and said to be none", async (status) => {
    const server = await serving(text(head(`${status} Moved`, "location: /v1/traces", "content-length: 0")))
    const pipeline = pipelineTo(server)
    endSpans(pipeline.receiver, "a")
    await until(() => pipeline.status().droppedTotal === 1, "the refusal")
    endSpans(pipeline.receiver, "b")
    await until(() => pipeline.status().exported === 1, "the next span")
    expect(server.requests()).toBe(2)
    expect(pipeline.said.messages()).toEqual([expect.stringContaining(`HTTP ${status} (redirects are not followed)`)])
  })
})
