/**
 * What the conformance suite of W3C Trace Context demands (levels 1 and 2, strict), test by test: a server of this library
 * is sent headers, calls other servers with a client of this library, and what it calls them with is looked at.
 */
import { assert, describe, layer } from "@effect/vitest"
import { NodeHttpServer } from "@effect/platform-node"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Client from "effect/http/HttpClient"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Server from "effect/http/HttpServer"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import { createServer } from "node:http"
import * as HttpClient from "../../src/http/HttpClient.ts"
import * as HttpServer from "../../src/http/HttpServer.ts"
import * as TraceContext from "../../src/propagation/TraceContext.ts"
import * as TestTelemetry from "../../src/testing/TestTelemetry.ts"
import { makeRecorder, rawRequest, type Recorder } from "./wire.ts"

const TRACE = "1af7651916cd43dd8448eb211c80319c"
const PARENT = "c7ad6b7169203331"
const parent = (flags = "01") => `traceparent: 00-${TRACE}-${PARENT}-${flags}`
const state = (...values: ReadonlyArray<string>) => [parent("00"), ...values.map((value) => `tracestate: ${value}`)]

class Harness extends Context.Service<Harness, { readonly recorder: Recorder; readonly port: number }>()(
  "test/http/conformance/Harness"
) {}

/** The service under test: calls the recorder as often as it is asked to. */
const live = Layer.effect(
  Harness,
  Effect.gen(function* () {
    const recorder = yield* makeRecorder
    const routes = HttpRouter.add(
      "GET",
      "/call",
      Effect.gen(function* () {
        const request = yield* HttpServerRequest
        const times = Number(new URL(request.url, "http://x").searchParams.get("times"))
        yield* Effect.forEach(Array.from({ length: times }), () => Client.get(recorder.url), { discard: true })
        return HttpServerResponse.empty()
      }).pipe(Effect.orDie)
    )
    const context = yield* Layer.build(
      HttpRouter.serve(routes, { disableListenLog: true, disableLogger: true }).pipe(
        Layer.provide(HttpClient.layer),
        Layer.provide(FetchHttpClient.layer),
        Layer.provideMerge(HttpServer.layer),
        Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
      )
    )
    const address = Context.get(context, Server.HttpServer).address
    return { recorder, port: "port" in address ? address.port : 0 }
  })
).pipe(Layer.provide(TestTelemetry.layer()))

/** Sends headers and reads the traces that the service calls others with. */
const call = (headerLines: ReadonlyArray<string>, times = 1) =>
  Effect.gen(function* () {
    const { port, recorder } = yield* Harness
    const before = recorder.received.length
    const response = yield* rawRequest(port, `/call?times=${times}`, headerLines)
    assert.strictEqual(response.status, 204)
    const calls = recorder.received.slice(before)
    assert.strictEqual(calls.length, times)
    return calls.map(({ headers }) => {
      const values = (name: string) => headers.filter(([key]) => key === name).map(([, value]) => value)
      const traceparent = values("traceparent")
      assert.strictEqual(traceparent.length, 1, "exactly one traceparent goes out")
      const context = TraceContext.parse(traceparent[0]!)
      assert.isDefined(context, `a valid traceparent goes out, not ${traceparent[0]}`)
      assert.strictEqual(traceparent[0]!.length, 55)
      assert.isTrue(values("tracestate").length <= 1, "at most one tracestate goes out")
      assert.deepStrictEqual(values("b3"), [])
      return { ...context!, traceState: values("tracestate")[0] }
    })
  })

type Expected = "restarts" | { readonly tracestate: string | undefined | ReadonlyArray<string> }

const restarts: Expected = "restarts"
const goesOn: Expected = { tracestate: undefined }
const carries = (...tracestate: ReadonlyArray<string>): Expected => ({ tracestate })

type Case = readonly [
  name: string,
  requests: ReadonlyArray<readonly [headers: ReadonlyArray<string>, expected: Expected]>
]

const member = (length: number, name: string) => name.repeat(length)
const members = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => `v${from + i}=${from + i}`).join(",")
const lower = "abcdefghijklmnopqrstuvwxyz0123456789_-*/"
const printable = Array.from({ length: 0x7e - 0x20 + 1 }, (_, i) => String.fromCharCode(0x20 + i))
  .filter((character) => character !== "," && character !== "=")
  .join("")
const traceparents = (values: ReadonlyArray<string>, expected: Expected) =>
  values.map((value) => [[`traceparent: ${value}`], expected] as const)

const cases: ReadonlyArray<Case> = [
  ["neither header", [[[], restarts]]],
  ["traceparent alone", [[[parent()], goesOn]]],
  ["traceparent twice", [[[parent(), `traceparent: 00-2${TRACE.slice(1)}-${PARENT}-01`], restarts]]],
  [
    "traceparent under another name",
    [
      [[`trace-parent: 00-${TRACE}-${PARENT}-01`], restarts],
      [[`trace.parent: 00-${TRACE}-${PARENT}-01`], restarts]
    ]
  ],
  [
    "traceparent in any case of letters",
    ["TraceParent", "TrAcEpArEnT", "TRACEPARENT"].map(
      (name) => [[`${name}: 00-${TRACE}-${PARENT}-01`], goesOn] as const
    )
  ],
  [
    "version 00 with more behind it",
    traceparents([`00-${TRACE}-${PARENT}-01.`, `00-${TRACE}-${PARENT}-01-more`], restarts)
  ],
  [
    "version cc",
    [
      ...traceparents([`cc-${TRACE}-${PARENT}-01`, `cc-${TRACE}-${PARENT}-01-what-comes-next`], goesOn),
      ...traceparents([`cc-${TRACE}-${PARENT}-01.what-comes-next`], restarts)
    ]
  ],
  ["version ff", traceparents([`ff-${TRACE}-${PARENT}-01`], restarts)],
  [
    "a version that is not hexadecimal",
    traceparents([`.0-${TRACE}-${PARENT}-01`, `0.-${TRACE}-${PARENT}-01`], restarts)
  ],
  ["a version that is too long", traceparents([`000-${TRACE}-${PARENT}-01`, `0000-${TRACE}-${PARENT}-01`], restarts)],
  ["a version that is too short", traceparents([`0-${TRACE}-${PARENT}-01`], restarts)],
  ["a trace id of zeros", traceparents([`00-${"0".repeat(32)}-${PARENT}-01`], restarts)],
  [
    "a trace id that is not hexadecimal",
    traceparents([`00-.${TRACE.slice(1)}-${PARENT}-01`, `00-${TRACE.slice(1)}.-${PARENT}-01`], restarts)
  ],
  ["a trace id that is too long", traceparents([`00-${TRACE}3-${PARENT}-01`], restarts)],
  ["a trace id that is too short", traceparents([`00-${TRACE.slice(1)}-${PARENT}-01`], restarts)],
  ["a parent id of zeros", traceparents([`00-${TRACE}-${"0".repeat(16)}-01`], restarts)],
  [
    "a parent id that is not hexadecimal",
    traceparents([`00-${TRACE}-.${PARENT.slice(1)}-01`, `00-${TRACE}-${PARENT.slice(1)}.-01`], restarts)
  ],
  ["a parent id that is too long", traceparents([`00-${TRACE}-${PARENT}7-01`], restarts)],
  ["a parent id that is too short", traceparents([`00-${TRACE}-${PARENT.slice(1)}-01`], restarts)],
  ["flags that are not hexadecimal", traceparents([`00-${TRACE}-${PARENT}-.0`, `00-${TRACE}-${PARENT}-0.`], restarts)],
  ["flags that are too long", traceparents([`00-${TRACE}-${PARENT}-001`], restarts)],
  ["flags that are too short", traceparents([`00-${TRACE}-${PARENT}-1`], restarts)],
  [
    "white space around traceparent",
    [" ", "\t", "\t "].flatMap((space) =>
      traceparents(
        [
          `${space}00-${TRACE}-${PARENT}-01`,
          `00-${TRACE}-${PARENT}-01${space}`,
          `${space}00-${TRACE}-${PARENT}-01${space}`
        ],
        goesOn
      )
    )
  ],
  [
    "tracestate without traceparent",
    [
      [["tracestate: a=1"], restarts],
      [["tracestate: a=1,b=2"], restarts]
    ]
  ],
  ["both headers", [[state("a=1,b=2"), carries("a=1,b=2")]]],
  [
    "tracestate under another name",
    [
      [[parent(), "trace-state: a=1"], goesOn],
      [[parent(), "trace.state: a=1"], goesOn]
    ]
  ],
  [
    "tracestate in any case of letters",
    ["TraceState", "TrAcEsTaTe", "TRACESTATE"].map((name) => [[parent(), `${name}: a=1`], carries("a=1")] as const)
  ],
  [
    "empty tracestate headers",
    [
      [state(""), goesOn],
      [state("a=1", ""), carries("a=1")],
      [state("", "a=1"), carries("a=1")]
    ]
  ],
  [
    "several tracestate headers, in their order",
    [[state("a=1,b=2", "c=1,d=2", "e=3"), carries("a=1,b=2,c=1,d=2,e=3")]]
  ],
  [
    "a key that comes twice",
    [
      [state("a=1,a=1"), carries("a=1")],
      [state("a=1,a=2"), carries("a=1")],
      [state("a=1", "a=1"), carries("a=1")],
      [state("a=1", "a=2"), carries("a=1")]
    ]
  ],
  [
    "all characters that are allowed",
    [
      [state(`${lower}=${printable}`), carries(`${lower}=${printable}`)],
      [state(`${lower}@a-z0-9_-*/=${printable}`), carries(`${lower}@a-z0-9_-*/=${printable}`)]
    ]
  ],
  [
    "white space around members",
    [
      [state("a=1 \t , \t b=2, \t c=3"), carries("a=1,b=2,c=3")],
      [state("a=1\t \t,\t \tb=2,\t \tc=3"), carries("a=1,b=2,c=3")],
      ...[" a=1", "\ta=1", "a=1 ", "a=1\t", "\t a=1 \t"].map((value) => [state(value), carries("a=1")] as const)
    ]
  ],
  ["a key that is not allowed", ["a =1", "A=1", "a.b=1"].map((value) => [state(value), goesOn] as const)],
  [
    "at signs in keys",
    [
      [state("a@=1,b=2"), carries("a@=1,b=2")],
      [state("@a=1,b=2"), goesOn],
      [state("a@@b=1,b=2"), carries("a@@b=1,b=2")],
      [state("a@b@c=1,b=2"), carries("a@b@c=1,b=2")]
    ]
  ],
  [
    "32 and 33 members",
    [
      [state(members(1, 10), members(11, 20), members(21, 32)), carries(members(1, 32))],
      [state(members(1, 10), members(11, 20), members(21, 33)), goesOn]
    ]
  ],
  [
    "the length of keys",
    [
      [state("a=1", `${member(256, "z")}=1`), carries(`a=1,${member(256, "z")}=1`)],
      [state("a=1", `${member(257, "z")}=1`), goesOn],
      [
        state("a=1", `${member(241, "t")}@${member(14, "v")}=1`),
        carries(`a=1,${member(241, "t")}@${member(14, "v")}=1`)
      ],
      [state("a=1", `${member(242, "t")}@v=1`), carries(`a=1,${member(242, "t")}@v=1`)],
      [state("a=1", `t@${member(15, "v")}=1`), carries(`a=1,t@${member(15, "v")}=1`)]
    ]
  ],
  [
    "a value that is not allowed",
    [
      [state("a=b=c"), goesOn],
      [state("a=,b=3"), goesOn]
    ]
  ]
]

layer(live)("W3C Trace Context, levels 1 and 2, strict", (it) => {
  describe("one call", () => {
    for (const [name, requests] of cases) {
      it.effect(name, () =>
        Effect.forEach(
          requests,
          ([headers, expected]) =>
            Effect.map(call(headers), ([sent]) => {
              assert.notStrictEqual(sent!.spanId, PARENT)
              if (expected === "restarts") {
                assert.notStrictEqual(sent!.traceId, TRACE)
                assert.notInclude(TRACE, sent!.traceId)
                assert.isUndefined(sent!.traceState)
              } else {
                assert.strictEqual(sent!.traceId, TRACE)
                const tracestate = Array.isArray(expected.tracestate) ? expected.tracestate[0] : expected.tracestate
                assert.strictEqual(sent!.traceState, tracestate)
              }
            }),
          { discard: true }
        )
      )
    }
  })

  const ids = (calls: ReadonlyArray<TraceContext.TraceContext>, of: "traceId" | "spanId") =>
    new Set(calls.map((context) => context[of]))

  describe("three calls", () => {
    it.effect("of a request with a traceparent are of its trace, each by itself", () =>
      Effect.map(call([parent()], 3), (calls) => {
        assert.deepStrictEqual([...ids(calls, "traceId")], [TRACE])
        assert.strictEqual(ids(calls, "spanId").size, 3)
      })
    )

    it.effect("of a request without one are each by itself", () =>
      Effect.map(call([], 3), (calls) => {
        assert.strictEqual(ids(calls, "traceId").size, 1)
        assert.strictEqual(ids(calls, "spanId").size, 3)
      })
    )

    it.effect("of a request with an invalid one are of a new trace, each by itself", () =>
      Effect.map(call([`traceparent: 00-${"0".repeat(32)}-${PARENT}-01`], 3), (calls) => {
        assert.isFalse(ids(calls, "traceId").has("0".repeat(32)))
        assert.strictEqual(ids(calls, "spanId").size, 3)
      })
    )
  })

  describe("level 2", () => {
    it.effect("the random flag goes on, set or not", () =>
      Effect.gen(function* () {
        for (const [flags, random] of [
          ["02", TraceContext.RANDOM],
          ["03", TraceContext.RANDOM],
          ["00", 0],
          ["01", 0]
        ] as const) {
          const [sent] = yield* call([parent(flags)])
          assert.strictEqual(sent!.traceId, TRACE)
          assert.notStrictEqual(sent!.spanId, PARENT)
          assert.strictEqual(sent!.traceFlags & TraceContext.RANDOM, random, flags)
          assert.strictEqual(sent!.traceFlags & TraceContext.SAMPLED, Number(flags) & TraceContext.SAMPLED, flags)
        }
      })
    )

    it.effect("flags that it does not define are cleared", () =>
      Effect.map(call([parent("fd")]), ([sent]) => assert.strictEqual(sent!.traceFlags, 1))
    )
  })
})
