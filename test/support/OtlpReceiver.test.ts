import { afterEach, describe, expect, it } from "vitest"
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer"
import { gzipSync } from "node:zlib"
import { byRequest, ok, OtlpReceiver, status } from "./OtlpReceiver.ts"

const opened: Array<OtlpReceiver> = []
const open = async () => {
  const receiver = await OtlpReceiver.make()
  opened.push(receiver)
  return receiver
}
afterEach(async () => {
  await Promise.all(opened.splice(0).map((receiver) => receiver.close()))
})

const span = {
  name: "one",
  kind: 1,
  spanContext: () => ({ traceId: "0102030405060708090a0b0c0d0e0f10", spanId: "0102030405060708", traceFlags: 1 }),
  startTime: [1, 2],
  endTime: [3, 4],
  status: { code: 0 },
  attributes: { text: "a", whole: 3, part: 0.5 },
  links: [],
  events: [],
  duration: [2, 2],
  ended: true,
  resource: { attributes: { "service.name": "test" } },
  instrumentationScope: { name: "scope" },
  droppedAttributesCount: 0,
  droppedEventsCount: 0,
  droppedLinksCount: 0
} as never

describe("OtlpReceiver", () => {
  it("decodes what the official serializer wrote, plain and gzipped", async () => {
    const receiver = await open()
    const body = ProtobufTraceSerializer.serializeRequest([span]) as Uint8Array<ArrayBuffer>
    const headers = { "content-type": "application/x-protobuf" }
    await fetch(receiver.url, { method: "POST", headers, body })
    await fetch(receiver.url, {
      method: "POST",
      headers: { ...headers, "content-encoding": "gzip" },
      body: gzipSync(body)
    })
    expect(receiver.spans).toHaveLength(2)
    expect(receiver.spans[1]).toMatchObject({
      name: "one",
      kind: 2,
      traceId: "0102030405060708090a0b0c0d0e0f10",
      start: 1_000_000_002n,
      attributes: { text: "a", whole: 3n, part: 0.5 },
      resource: { "service.name": "test" },
      scopeName: "scope"
    })
  })

  it("answers as told, dies, and comes back on the same port", async () => {
    const receiver = await open()
    receiver.next(status(503, { retryAfter: 7 }))
    receiver.answer(byRequest((request) => (request.index === 1 ? ok : status(400))))
    const post = () => fetch(receiver.url, { method: "POST", body: "" })
    const refused = await post()
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "7"])
    expect((await post()).status).toBe(200)
    await receiver.die()
    await expect(post()).rejects.toThrow()
    await receiver.comeBack()
    expect((await post()).status).toBe(400)
    expect(receiver.requests.map((request) => request.answered)).toEqual([503, 200, 400])
  })
})
