import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Baggage from "../../src/propagation/Baggage.ts"

const of = (entries: Readonly<Record<string, string>>): Baggage.Baggage =>
  new Map(Object.entries(entries).map(([key, value]) => [key, { value, properties: [] }]))
const plain = (baggage: Baggage.Baggage) => Object.fromEntries([...baggage].map(([key, entry]) => [key, entry.value]))

describe("the specification's examples", () => {
  // W3C Baggage, sections 3.3.1 and 3.4.
  it("three members with properties", () => {
    const baggage = Baggage.parse(
      "key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue"
    )
    assert.deepStrictEqual(
      [...baggage],
      [
        [
          "key1",
          {
            value: "value1",
            properties: [
              { key: "property1", value: undefined },
              { key: "property2", value: undefined }
            ]
          }
        ],
        ["key2", { value: "value2", properties: [] }],
        ["key3", { value: "value3", properties: [{ key: "propertyKey", value: "propertyValue" }] }]
      ]
    )
    assert.strictEqual(
      Baggage.format(baggage),
      "key1=value1;property1;property2,key2=value2,key3=value3;propertyKey=propertyValue"
    )
  })

  it.each([
    ["one header", ["userId=alice,serverNode=DF%2028,isProduction=false"], "alice"],
    ["percent-encoding", ["userId=Am%C3%A9lie,serverNode=DF%2028,isProduction=false"], "Amélie"],
    ["two headers", ["userId=alice", "serverNode=DF%2028,isProduction=false"], "alice"],
    ["white space", ["userId =   alice", "serverNode = DF%2028, isProduction = false"], "alice"]
  ])("%s", (_, headers, userId) => {
    assert.deepStrictEqual(plain(Baggage.parse(headers)), { userId, serverNode: "DF 28", isProduction: "false" })
  })

  it("what has to be encoded is", () => {
    assert.strictEqual(
      Baggage.format(of({ userId: "Amélie", serverNode: "DF 28", isProduction: "false" })),
      "userId=Am%C3%A9lie,serverNode=DF%2028,isProduction=false"
    )
  })
})

describe("reading", () => {
  it.each([
    ["tabs and spaces everywhere", "a \t = \t 1 \t ; \t p \t = \t 2 \t , \t b=3", { a: "1", b: "3" }],
    ["an equals sign in a value", "a=b=c", { a: "b=c" }],
    ["an empty value", "a=,b=2", { a: "", b: "2" }],
    ["a percent sign that encodes nothing", "a=100%,b=%zz", { a: "100%", b: "%zz" }],
    ["bytes that are no UTF-8", "a=%ff%41,b=%c3", { a: "\ufffdA", b: "\ufffd" }],
    ["two members of one name: the last stays", "a=1,b=2,a=3", { a: "3", b: "2" }],
    ["names in their own case", "A=1,a=2", { A: "1", a: "2" }],
    ["a bad member among good ones", 'a=1,b,=2,c d=3,e=\u00e9,f="x",g=4', { a: "1", g: "4" }],
    ["a bad property, which takes its member along", "a=1;p q,b=2", { b: "2" }],
    ["the names of a prototype", "__proto__=1,constructor=2", { ["__proto__"]: "1", constructor: "2" }],
    ["nothing", " , ,", {}]
  ])("%s", (_, header, expected) => {
    assert.deepStrictEqual(plain(Baggage.parse(header)), expected)
  })

  it("a property without a value is not decoded", () => {
    assert.deepStrictEqual(Baggage.parse("a=1;p%20q").get("a")?.properties, [{ key: "p%20q", value: undefined }])
  })
})

describe("limits", () => {
  const members = (count: number) => of(Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, "v"])))

  it("64 members and 8,192 bytes, which the specification asks for, are carried on", () => {
    assert.strictEqual(Baggage.parse(Baggage.format(members(64))!).size, 64)
    const header = Baggage.format(of({ a: "0123456789".repeat(819) }))!
    assert.strictEqual(header.length, 8192)
    assert.strictEqual(Baggage.format(Baggage.parse(header)), header)
    assert.strictEqual(Baggage.parse([header.slice(0, 4000), "b=1"]).size, 2)
  })

  it("members go whole or not at all", () => {
    assert.isUndefined(Baggage.format(of({ a: "0".repeat(8191) })))
    assert.strictEqual(Baggage.format(of({ a: "0".repeat(8191), b: "1" })), "b=1")
    assert.strictEqual(Baggage.parse(`b=1,a=${"0".repeat(9000)},c=2`).size, 1)
    assert.strictEqual(Baggage.format(members(10_000))?.split(",").length, 180)
  })

  it("10,000 members and a megabyte are read in bounded work", () => {
    assert.strictEqual(Baggage.parse("a=1,".repeat(250_000)).size, 1)
    assert.strictEqual(
      Baggage.parse(Array.from({ length: 10_000 }, (_, i) => `k${i}=v`).join(",")).size,
      Baggage.MAX_MEMBERS
    )
    assert.strictEqual(Baggage.parse("x".repeat(1_000_000)).size, 0)
  })
})

describe("changing", () => {
  it("set, get, remove", () => {
    const baggage = Result.getOrThrow(Baggage.set(Baggage.empty, "a", "1", [{ key: "p", value: "x y" }]))
    assert.strictEqual(Baggage.get(baggage, "a"), "1")
    assert.strictEqual(Baggage.format(baggage), "a=1;p=x%20y")
    assert.strictEqual(Baggage.remove(baggage, "a").size, 0)
    assert.strictEqual(Baggage.remove(baggage, "b"), baggage)
  })

  it.each(["", "a b", "a,b", "é", "a=b"])("a name that can't be sent (%j) is a typed failure", (key) => {
    const result = Baggage.set(Baggage.empty, key, "1")
    assert.isTrue(Result.isFailure(result))
    if (Result.isFailure(result)) {
      assert.strictEqual(result.failure._tag, "BaggageKeyError")
      assert.include(result.failure.message, JSON.stringify(key))
      assert.include(result.failure.message, "use letters")
    }
    assert.isTrue(Result.isFailure(Baggage.set(Baggage.empty, "a", "1", [{ key, value: undefined }])))
  })

  it.effect("withEntries adds to the baggage of an effect and of what it starts", () =>
    Effect.gen(function* () {
      const seen = yield* Baggage.CurrentBaggage.pipe(
        Effect.map(plain),
        Baggage.withEntries({ inner: "2" }),
        Baggage.withEntries({ outer: "1" })
      )
      assert.deepStrictEqual(seen, { outer: "1", inner: "2" })
      assert.strictEqual((yield* Baggage.CurrentBaggage).size, 0)
      const error = yield* Effect.flip(Baggage.withEntries({ "no good": "1" })(Effect.void))
      assert.strictEqual(error._tag, "BaggageKeyError")
    })
  )
})

describe("properties", () => {
  const Key = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,12}$/))
  const Properties = Schema.Array(Schema.Struct({ key: Key, value: Schema.UndefinedOr(Schema.String) })).check(
    Schema.isMaxLength(2)
  )
  const Entries = Schema.Array(Schema.Tuple([Key, Schema.String, Properties])).check(Schema.isMaxLength(5))

  it.prop("what is written is read back, with its properties", { entries: Entries }, ({ entries }) => {
    const baggage: Baggage.Baggage = new Map(
      entries.map(([key, value, properties]) => [
        key,
        {
          value: value.toWellFormed(),
          properties: properties.map((p) => ({ key: p.key, value: p.value?.toWellFormed() }))
        }
      ])
    )
    const header = Baggage.format(baggage)
    assert.isTrue((header ?? "").length <= Baggage.MAX_BYTES)
    if (header !== undefined && [...baggage].length === header.split(",").length) {
      assert.deepStrictEqual(Baggage.parse(header), baggage)
    }
  })

  it.prop(
    "arbitrary bytes never throw, and what was read is written so that it is read the same",
    { bytes: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))) },
    ({ bytes }) => {
      const baggage = Baggage.parse(String.fromCharCode(...bytes))
      assert.deepStrictEqual(Baggage.parse(Baggage.format(baggage) ?? ""), baggage)
    }
  )
})
