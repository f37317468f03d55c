import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import { protobuf } from "../../src/export/OtlpProtobuf.ts"
import * as OtlpSink from "../../src/export/OtlpSink.ts"
import * as Timing from "../../src/export/Timing.ts"
import { makeSpan } from "./support.ts"

describe("OtlpSink", () => {
  it("reads Retry-After as seconds and as a date, an hour at most", () => {
    const now = Date.parse("2026-01-01T00:00:00Z")
    const cases: ReadonlyArray<readonly [string, number | undefined]> = [
      ["0", 0],
      ["7", 7_000],
      [" 1.5 ", 1_500],
      ["999999999", 3_600_000],
      ["Thu, 01 Jan 2026 00:01:00 GMT", 60_000],
      ["Wed, 31 Dec 2025 23:59:00 GMT", undefined],
      ["Friday, 01-Jan-27 00:00:00 GMT", 3_600_000],
      ["soon", undefined],
      ["", undefined],
      ["-5", undefined],
      ["1, 2", undefined],
      ["0x10", undefined]
    ]
    for (const [header, millis] of cases)
      expect([header, OtlpSink.retryAfterMillis(header, now)]).toEqual([header, millis])
  })

  it("reads a date of Retry-After by the server's own clock", async () => {
    const server = createServer((request, response) => {
      request.resume()
      response.writeHead(503, { "Retry-After": "Fri, 01 Jan 2027 00:01:00 GMT", Date: "Fri, 01 Jan 2027 00:00:00 GMT" })
      response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as AddressInfo
    const sink = OtlpSink.make({ url: `http://127.0.0.1:${port}`, timing: Timing.make() })
    const resource = protobuf.resource({ attributes: {} })
    const outcome = await sink.send({ encoding: protobuf, resource, sections: [] }, 5_000)
    expect(outcome).toMatchObject({ _tag: "Retry", afterMillis: 60_000 })
    sink.close()
    server.close()
  })

  it("shows a URL without credentials, query and fragment", () => {
    expect(OtlpSink.publicUrl("https://user:pass@host:4318/v1/traces?key=secret#x")).toBe("https://host:4318/v1/traces")
  })

  it("cuts a request in two, across scopes, and loses no span", () => {
    const sink = OtlpSink.make({ url: "http://localhost:1", timing: Timing.make() })
    const sectionOf = (scope: string, ...names: ReadonlyArray<string>) => {
      const writer = protobuf.writer()
      for (const name of names) writer.write(makeSpan({ name }))
      return { scope: protobuf.scope({ name: scope }), count: names.length, spans: writer.take() }
    }
    const names = (request: OtlpSink.EncodedRequest): ReadonlyArray<string> =>
      request.sections.flatMap((section) => {
        const found: Array<string> = []
        let rest = section.spans
        while (rest.length > 0) {
          found.push(protobuf.nameOf(rest))
          rest = protobuf.split(rest, 1)[1]
        }
        expect(found.length).toBe(section.count)
        return found
      })
    const sections = [sectionOf("a", "a1", "a2", "a3"), sectionOf("b", "b1"), sectionOf("c", "c1", "c2")]
    const request = { encoding: protobuf, resource: protobuf.resource({ attributes: {} }), sections }
    const [left, right] = sink.split(request)
    expect([left.count, right.count]).toEqual([3, 3])
    expect([names(left.payload), names(right.payload)]).toEqual([
      ["a1", "a2", "a3"],
      ["b1", "c1", "c2"]
    ])
    const [one, two] = sink.split(left.payload)
    expect([names(one.payload), names(two.payload)]).toEqual([["a1"], ["a2", "a3"]])
    // Two share what the whole would give back.
    expect(sink.split({ ...request, release: () => {} }).map(({ payload }) => payload.release)).toEqual([
      undefined,
      undefined
    ])
    expect(sink.nameOf(two.payload)).toBe("a2")
    sink.close()
  })
})
