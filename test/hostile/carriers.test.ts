/** Carriers that are not HTTP: messages, job rows, environments. They come from strangers too. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as HttpServer from "../../src/http/HttpServer.ts"
import * as Baggage from "../../src/propagation/Baggage.ts"
import * as Carrier from "../../src/propagation/Carrier.ts"
import * as Correlation from "../../src/propagation/Correlation.ts"
import * as Propagators from "../../src/propagation/Propagators.ts"
import * as TestTelemetry from "../../src/testing/TestTelemetry.ts"
import { get } from "../http/serving.ts"

const traceId = "a".repeat(32)
const traceparent = `00-${traceId}-${"b".repeat(16)}-01`

const throws = (): never => {
  throw new Error("from a getter")
}

const carriers: Readonly<Record<string, unknown>> = {
  null: null,
  undefined,
  number: 5,
  text: "traceparent",
  function: () => traceparent,
  list: [traceparent],
  "list of lists": [["traceparent"], [], [null, 1], "traceparent"],
  "getter that throws": Object.defineProperty({}, "traceparent", { get: throws, enumerable: true }),
  "proxy that throws": new Proxy({}, { get: throws, ownKeys: throws, has: throws, getOwnPropertyDescriptor: throws }),
  "iterator that throws": { [Symbol.iterator]: throws },
  "value that is no text": { traceparent: 5, tracestate: {}, baggage: Symbol("s"), "x-correlation-id": null },
  "value of a prototype": Object.create({ traceparent }) as object,
  "value of a parsed __proto__": JSON.parse(`{"__proto__":{"traceparent":"${traceparent}"}}`) as object,
  "deep list of values": { traceparent: Array.from({ length: 20 }).reduce<unknown>((inner) => [inner], "x") },
  "bytes that are no UTF-8": { traceparent: new Uint8Array([0xff, 0xfe]), baggage: new Uint8Array(1_000_000) },
  "many names": Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, "v"]))
}

describe("carriers", () => {
  for (const [name, carrier] of Object.entries(carriers)) {
    it.effect(`${name}: a job runs, in a trace of its own`, () =>
      Effect.gen(function* () {
        const given = carrier as Carrier.Carrier
        assert.deepStrictEqual(yield* Propagators.extract(given), { span: undefined, baggage: Baggage.empty })
        const ids = yield* Correlation.current.pipe(Correlation.continueJob("job", given))
        assert.match(ids.correlationId!, /^[0-9a-f-]{36}$/)
        assert.match(ids.requestId!, /^[0-9a-f-]{36}$/)
        const span = yield* TestTelemetry.expectSpan("job")
        assert.deepStrictEqual(span.data.linkData, [])
        assert.notStrictEqual(span.traceId, traceId)
      }).pipe(Effect.provide(TestTelemetry.layer()))
    )
  }

  it.effect("of a hundred thousand messages: a batch has as many links as a span may have", () =>
    Effect.gen(function* () {
      const messages = Array.from({ length: 100_000 }, (_, i) => ({
        traceparent: `00-${(i + 1).toString(16).padStart(32, "0")}-${"b".repeat(16)}-01`
      }))
      const links = yield* Correlation.linksTo(messages)
      yield* Effect.void.pipe(Correlation.continueJob("batch", {}, { links }))
      const span = yield* TestTelemetry.expectSpan("batch")
      assert.strictEqual(span.data.linkData.length, 128)
      assert.strictEqual(span.data.droppedLinksCount, 100_000 - 128)
    }).pipe(Effect.provide(TestTelemetry.layer()))
  )

  it("keep a name like __proto__ as what it is", () => {
    const record = JSON.parse('{"__proto__":"a","TRACEPARENT":"old"}') as Record<string, string>
    const replaced = Carrier.replace(record, ["traceparent"], { traceparent })
    assert.deepStrictEqual(Object.entries(replaced), [
      ["__proto__", "a"],
      ["traceparent", traceparent]
    ])
    assert.strictEqual(Object.getPrototypeOf(replaced), Object.prototype)
  })
})

describe("a handler of the web, which has no limit of headers", () => {
  it.live("reads no more of them than the formats allow", () =>
    Effect.gen(function* () {
      const seen = Effect.gen(function* () {
        const baggage = yield* Baggage.CurrentBaggage
        const sent = yield* Propagators.inject
        return HttpServerResponse.jsonUnsafe({
          size: baggage.size,
          sent: sent["traceparent"],
          ids: yield* Correlation.current
        })
      })
      const layer = Layer.mergeAll(get("/*", seen), HttpServer.layerStockOff).pipe(
        Layer.provideMerge(TestTelemetry.layer())
      )
      const { dispose, handler } = HttpRouter.toWebHandler(layer as never, {
        disableLogger: true,
        middleware: HttpServer.middleware as never
      })
      const members = Array.from({ length: 10_000 }, (_, i) => `k${i}=${i}`).join(",")
      const megabyte = "x".repeat(1_000_000)
      const response = yield* Effect.promise(() =>
        (handler as (request: Request) => Promise<Response>)(
          new Request("http://h/", {
            headers: {
              traceparent,
              baggage: members,
              tracestate: megabyte,
              "x-correlation-id": megabyte,
              "user-agent": megabyte,
              "x-other": megabyte
            }
          })
        )
      )
      const { ids, sent, size } = (yield* Effect.promise(() => response.json())) as {
        readonly ids: Correlation.Ids
        readonly sent: string
        readonly size: number
      }
      assert.strictEqual(size, Baggage.MAX_MEMBERS)
      assert.include(sent, traceId)
      assert.isAtMost(ids.correlationId!.length, 128)
      yield* Effect.promise(() => dispose())
    })
  )
})
