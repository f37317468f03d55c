import { context } from "@opentelemetry/api"
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks"
import { isTracingSuppressed } from "@opentelemetry/core"
import { afterEach, describe, expect, it } from "@effect/vitest"
import * as diagnosticsChannel from "node:diagnostics_channel"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { HttpTransport, type HttpTransportOptions } from "../../src/export/HttpTransport.ts"
import { encodeSpans } from "../../src/export/OtlpEncoder.ts"
import { protobuf } from "../../src/export/OtlpProtobuf.ts"
import * as Timing from "../../src/export/Timing.ts"
import * as certificates from "../support/certificates.ts"
import {
  closingAfter,
  endless,
  hang,
  notHttp,
  OtlpReceiver,
  type OtlpReceiverOptions,
  reset,
  slow,
  status
} from "../support/OtlpReceiver.ts"
import { makeSpan } from "./support.ts"

const closing: Array<() => unknown> = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

const receive = async (options?: OtlpReceiverOptions) => {
  const receiver = await OtlpReceiver.make(options)
  closing.push(() => receiver.close())
  return receiver
}

const transportTo = (url: string, options: Partial<HttpTransportOptions> = {}) => {
  const transport = new HttpTransport({ url, timing: Timing.make(), ...options })
  closing.push(() => transport.close())
  return transport
}

const body = (name: string): Array<Uint8Array> => [
  encodeSpans(protobuf, { resource: { attributes: {} }, scope: { name: "s" }, spans: [makeSpan({ name })] })
]
const post = (transport: HttpTransport, name = "a", timeoutMillis = 5_000) =>
  transport.send(body(name), "application/x-protobuf", timeoutMillis)

describe("HttpTransport", () => {
  it("posts with the right headers, and tells the status", async () => {
    const receiver = await receive()
    const transport = transportTo(`${receiver.url}?tenant=a`, {
      headers: { Authorization: "Bearer x", "X-Scope": "y z" },
      userAgent: "shop/1"
    })
    expect(await post(transport)).toMatchObject({ _tag: "Answered", status: 200 })
    expect(receiver.requests[0]).toMatchObject({
      method: "POST",
      path: "/v1/traces?tenant=a",
      headers: {
        authorization: "Bearer x",
        "x-scope": "y z",
        "content-type": "application/x-protobuf",
        "user-agent": expect.stringMatching(/^shop\/1 OTel-OTLP-Exporter-JavaScript\//)
      }
    })
    expect(receiver.spanNames()).toEqual(["a"])
  })

  it("uses one connection again and again", async () => {
    const receiver = await receive()
    const transport = transportTo(receiver.url)
    for (let i = 0; i < 5; i++) await post(transport, String(i))
    expect([receiver.spans.length, receiver.connections]).toEqual([5, 1])
  })

  it("says whether all of a request had left when it was answered", async () => {
    const receiver = await receive()
    expect(await post(transportTo(receiver.url))).toMatchObject({ status: 200, isSent: true })
    // One that answers at once, and reads nothing.
    const server = createServer((_, response) => void response.end()).listen(0, "127.0.0.1")
    closing.push(() => server.closeAllConnections())
    await once(server, "listening")
    const transport = transportTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    const large = [new Uint8Array(64 * 1024 * 1024)]
    expect(await transport.send(large, "application/x-protobuf", 5_000)).toMatchObject({ status: 200, isSent: false })
    server.close()
  })

  it("a URL whose credentials cannot be read is no request", async () => {
    const answer = await post(transportTo("http://us%er:secret@127.0.0.1:1/v1/traces"))
    expect(answer).toMatchObject({ _tag: "Failed", code: "INVALID" })
    expect(JSON.stringify(answer)).not.toContain("secret")
  })

  it("compresses every request", async () => {
    const receiver = await receive()
    const transport = transportTo(receiver.url, { compression: "gzip" })
    for (const name of ["a", "b", "c"]) await post(transport, name.repeat(1000))
    expect(receiver.spanNames().map((name) => name[0])).toEqual(["a", "b", "c"])
    for (const request of receiver.requests) {
      expect(request.headers["content-encoding"]).toBe("gzip")
      expect(request.wireBytes).toBeLessThan(request.bytes / 4)
    }
  })

  it("replaces connections that died while they were idle, at once and unnoticed", async () => {
    const receiver = await receive()
    receiver.answer(closingAfter())
    const transport = transportTo(receiver.url)
    for (let i = 0; i < 10; i++) {
      expect(await post(transport, String(i))).toMatchObject({ _tag: "Answered", status: 200 })
      // Sometimes before, sometimes after the connection is closed.
      await new Promise((resolve) => setTimeout(resolve, i))
    }
    expect(receiver.spanIds().size).toBe(10)
  })

  it("says that nobody listens", async () => {
    const receiver = await receive()
    await receiver.die()
    expect(await post(transportTo(receiver.url))).toMatchObject({ _tag: "Failed", code: "ECONNREFUSED" })
  })

  it.each([
    ["hangs", hang, "TIMEOUT"],
    ["is too slow", slow(2_000), "TIMEOUT"],
    ["resets the connection", reset, "ECONNRESET"],
    ["speaks no HTTP", notHttp, /^HPE_/]
  ])("says that a server %s, and the next request starts clean", async (_, answer, code) => {
    const receiver = await receive()
    const transport = transportTo(receiver.url)
    receiver.next(answer)
    expect(await post(transport, "a", 200)).toMatchObject({
      _tag: "Failed",
      code: typeof code === "string" ? code : expect.stringMatching(code)
    })
    expect(await post(transport, "b")).toMatchObject({ _tag: "Answered", status: 200 })
    expect(receiver.spanNames()).toContain("b")
  })

  it("takes the status of a server that never ends its answer", async () => {
    const receiver = await receive()
    receiver.answer(endless)
    expect(await post(transportTo(receiver.url), "a", 200)).toMatchObject({ _tag: "Answered", status: 200 })
  })

  it("reads no more than it needs of a long answer", async () => {
    const receiver = await receive()
    receiver.answer(status(400, { body: "x".repeat(10_000_000) }))
    const answer = await post(transportTo(receiver.url))
    expect(answer).toMatchObject({ _tag: "Answered", status: 400 })
    expect((answer as { body: Uint8Array }).body.length).toBeLessThanOrEqual(64 * 1024)
  })

  it("a header that HTTP does not allow is no request, and its value is not told", async () => {
    const transport = transportTo("http://127.0.0.1:1/v1/traces", { headers: { authorization: "secret\nvalue" } })
    const answer = await post(transport)
    expect(answer).toMatchObject({ _tag: "Failed", code: "INVALID" })
    expect(JSON.stringify(answer)).not.toContain("secret")
  })

  it("reaches an IPv6 address", async ({ skip }) => {
    const receiver = await receive({ host: "::1" }).catch(() => undefined)
    if (receiver === undefined) return skip("this machine has no IPv6")
    expect(receiver.url).toContain("[::1]")
    expect(await post(transportTo(receiver.url))).toMatchObject({ _tag: "Answered", status: 200 })
  })

  describe("over TLS", () => {
    it("trusts the CA that it is given, and no other", async () => {
      const receiver = await receive({ tls: certificates.server })
      expect(await post(transportTo(receiver.url, { tls: { ca: certificates.ca } }))).toMatchObject({ status: 200 })
      expect(await post(transportTo(receiver.url, { tls: { ca: Buffer.from(certificates.ca) } }))).toMatchObject({
        status: 200
      })
      expect(await post(transportTo(receiver.url))).toMatchObject({ _tag: "Failed" })
    })

    it("shows a client certificate", async () => {
      const receiver = await receive({
        tls: { ...certificates.server, ca: certificates.ca, requestCert: true, rejectUnauthorized: true }
      })
      const tls = { ca: certificates.ca, ...certificates.client }
      expect(await post(transportTo(receiver.url, { tls }))).toMatchObject({ status: 200 })
      expect(await post(transportTo(receiver.url, { tls: { ca: certificates.ca } }))).toMatchObject({ _tag: "Failed" })
    })

    it("a certificate that cannot be read is no request", async () => {
      const transport = transportTo("https://127.0.0.1:1/v1/traces", { tls: { ca: certificates.ca, key: "nonsense" } })
      expect(await post(transport)).toMatchObject({ _tag: "Failed" })
    })
  })

  it("closing ends what is running", async () => {
    const receiver = await receive()
    receiver.answer(hang)
    const transport = transportTo(receiver.url)
    const running = post(transport)
    await receiver.requestsReceived(1)
    transport.close()
    expect(await running).toMatchObject({ _tag: "Failed", code: "ABORTED" })
    expect(await post(transport)).toMatchObject({ _tag: "Failed", code: "ABORTED" })
  })

  it("asks instrumentations to leave its requests alone", async () => {
    const manager = new AsyncLocalStorageContextManager().enable()
    context.setGlobalContextManager(manager)
    const suppressed: Array<boolean> = []
    const created = () => void suppressed.push(isTracingSuppressed(context.active()))
    diagnosticsChannel.subscribe("http.client.request.start", created)
    try {
      const receiver = await receive()
      await post(transportTo(receiver.url))
      expect(suppressed).toEqual([true])
    } finally {
      diagnosticsChannel.unsubscribe("http.client.request.start", created)
      context.disable()
    }
  })
})
