import { assert, describe, it } from "@effect/vitest"
import * as Headers from "effect/http/Headers"
import * as Schema from "effect/Schema"
import * as Carrier from "../../src/propagation/Carrier.ts"
import * as Correlation from "../../src/propagation/Correlation.ts"
import * as Propagators from "../../src/propagation/Propagators.ts"

describe("values", () => {
  it.each([
    ["a record", { traceparent: "1" }],
    ["a record in another case", { TraceParent: "1" }],
    ["bytes, as Kafka has them", { TRACEPARENT: new TextEncoder().encode("1") }],
    ["a list", { traceparent: ["1"] }],
    ["Effect's headers", Headers.fromInput({ TraceParent: "1" })],
    ["the headers of the web", new globalThis.Headers({ TraceParent: "1" })],
    ["a map", new Map([["TraceParent", "1"]])],
    ["pairs, as Node's raw headers make them", [["TraceParent", "1"] as const]],
    ["a record without prototype", Object.assign(Object.create(null), { Traceparent: "1" })]
  ])("%s", (_, carrier) => {
    assert.deepStrictEqual(Carrier.values(carrier, "traceparent"), ["1"])
    assert.deepStrictEqual(Carrier.values(carrier, "tracestate"), [])
  })

  it("several values keep their order", () => {
    assert.deepStrictEqual(Carrier.values({ tracestate: ["a=1", "b=2"] }, "tracestate"), ["a=1", "b=2"])
    assert.deepStrictEqual(
      Carrier.values(
        [
          ["tracestate", "a=1"],
          ["TraceState", "b=2"]
        ],
        "tracestate"
      ),
      ["a=1", "b=2"]
    )
  })

  it("what is no text is not there, and a carrier that throws is empty", () => {
    assert.deepStrictEqual(Carrier.values({ traceparent: 1 }, "traceparent"), [])
    assert.deepStrictEqual(Carrier.values({ traceparent: null, Traceparent: {} }, "traceparent"), [])
    assert.deepStrictEqual(Carrier.values({}, "constructor"), [])
    assert.deepStrictEqual(Carrier.values(null as never, "traceparent"), [])
    const hostile = {
      get traceparent(): string {
        throw new Error("no")
      }
    }
    assert.deepStrictEqual(Carrier.values(hostile, "traceparent"), [])
  })
})

describe("replace", () => {
  it("takes old fields away, whatever their case, and leaves the rest", () => {
    const record = { TraceParent: "old", TRACESTATE: "old", other: "kept" }
    assert.deepStrictEqual(Carrier.replace(record, ["traceparent", "tracestate"], { traceparent: "new" }), {
      other: "kept",
      traceparent: "new"
    })
    assert.deepStrictEqual(record, { TraceParent: "old", TRACESTATE: "old", other: "kept" })
  })

  it("a key named __proto__ stays a key", () => {
    const result = Carrier.replace(JSON.parse(`{"__proto__":{"polluted":true}}`), [], {})
    assert.isTrue(Object.hasOwn(result, "__proto__"))
    assert.isUndefined((result as { readonly polluted?: unknown }).polluted)
  })
})

describe("the environment of a process", () => {
  it("names are in upper case", () => {
    const environment = Carrier.toEnvironment({ traceparent: "1", "x-b3-traceid": "2" })
    assert.deepStrictEqual(environment, { TRACEPARENT: "1", X_B3_TRACEID: "2" })
    assert.deepStrictEqual(
      Carrier.fromEnvironment({ ...environment, PATH: "/bin" }, ["traceparent", "tracestate", "x-b3-traceid"]),
      { traceparent: "1", "x-b3-traceid": "2" }
    )
  })

  it("all fields that are known are read where none are named", () => {
    const { b3, b3multi, baggage, fieldsOf, tracecontext } = Propagators
    const known = [
      ...fieldsOf([tracecontext, baggage, b3, b3multi]),
      Correlation.REQUEST_HEADER,
      Correlation.CORRELATION_HEADER
    ]
    assert.sameMembers([...Carrier.knownFields], known)
    const fields = Object.fromEntries(known.map((name, index) => [name, String(index)]))
    assert.deepStrictEqual(Carrier.fromEnvironment({ ...Carrier.toEnvironment(fields), PATH: "/bin" }), fields)
  })

  it.prop(
    "fields come back",
    {
      fields: Schema.Record(Schema.String.check(Schema.isPattern(/^[a-z]([a-z0-9-]{0,10}[a-z0-9])?$/)), Schema.String)
    },
    ({ fields }) => {
      assert.deepStrictEqual(Carrier.fromEnvironment(Carrier.toEnvironment(fields), Object.keys(fields)), fields)
    }
  )
})
