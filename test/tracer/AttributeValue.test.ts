import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { convert, toJson } from "../../src/tracer/AttributeValue.ts"
import * as Limits from "../../src/tracer/Limits.ts"
import * as Redaction from "../../src/tracer/Redaction.ts"

const rules = { limits: Limits.defaults, redactor: Redaction.defaults }

const cycle: Record<string, unknown> = { name: "loop" }
cycle["self"] = cycle

class Point {
  readonly x = 1
  readonly y = 2
  get sum(): number {
    return this.x + this.y
  }
}

class Tagged extends Data.TaggedError("Tagged")<{ readonly id: number }> {}

const throwing = {
  get bad(): string {
    throw new Error("no")
  },
  good: 1
}

const proto = JSON.parse('{"__proto__":{"a":1},"b":2}') as object

const table: ReadonlyArray<readonly [string, unknown, unknown]> = [
  ["text", "text", "text"],
  ["empty text", "", ""],
  ["number", 1.5, 1.5],
  ["zero below zero", -0, -0],
  ["boolean", false, false],
  ["NaN", NaN, "NaN"],
  ["Infinity", Infinity, "Infinity"],
  ["-Infinity", -Infinity, "-Infinity"],
  ["bigint", 12345678901234567890n, "12345678901234567890"],
  ["small bigint", 1n, "1"],
  ["null", null, "null"],
  ["undefined", undefined, undefined],
  ["symbol", Symbol("s"), "Symbol(s)"],
  ["function", function named() {}, "[Function: named]"],
  ["arrow", (() => () => {})(), "[Function: anonymous]"],
  ["date", new Date(0), "1970-01-01T00:00:00.000Z"],
  ["invalid date", new Date(NaN), "Invalid Date"],
  ["error", new TypeError("wrong"), "TypeError: wrong"],
  ["tagged error", new Tagged({ id: 1 }), "Tagged: "],
  ["regular expression", /a+/g, "/a+/g"],
  ["URL", new URL("https://user:pass@host/path?token=1&a=2"), "https://REDACTED:REDACTED@host/path?token=REDACTED&a=2"],
  ["boxed text", Object("boxed"), "boxed"],
  ["array of texts", ["a", "b"], ["a", "b"]],
  ["array of numbers", [1, 2.5], [1, 2.5]],
  ["array of booleans", [true, false], [true, false]],
  ["array with gaps", ["a", null, undefined, "b"], ["a", null, undefined, "b"]],
  ["empty array", [], []],
  ["mixed array", [1, "a", true, null, 2n], ["1", "a", "true", null, "2"]],
  ["array with NaN", [1, NaN], ["1", "NaN"]],
  ["array of objects", [{ a: 1 }, [2]], ['{"a":1}', "[2]"]],
  ["array of dates", [new Date(0)], ["1970-01-01T00:00:00.000Z"]],
  ["set", new Set([1, 2]), [1, 2]],
  ["mixed set", new Set<unknown>([1, "a"]), ["1", "a"]],
  [
    "map",
    new Map<unknown, unknown>([
      ["a", 1],
      ["b", { c: 2 }],
      [3, 4]
    ]),
    '{"a":1,"b":{"c":2},"3":4}'
  ],
  ["typed array", new Float64Array([1, 2.5]), [1, 2.5]],
  ["typed array of bigints", new BigInt64Array([1n, -2n]), ["1", "-2"]],
  ["bytes", new Uint8Array([1, 2, 255]), "AQL/"],
  ["buffer", Buffer.from("hello"), "aGVsbG8="],
  ["array buffer", new Uint8Array([1, 2, 255]).buffer, "AQL/"],
  ["data view", new DataView(new Uint8Array([1, 2, 255]).buffer), "AQL/"],
  ["object", { a: 1, b: "x", c: [1, "y"], d: null, e: undefined }, '{"a":1,"b":"x","c":[1,"y"],"d":null}'],
  [
    "nested kinds",
    { a: new Date(0), b: 1n, c: NaN, d: Option.some(1), e: Option.none() },
    '{"a":"1970-01-01T00:00:00.000Z","b":"1","c":"NaN","d":1}'
  ],
  ["object without prototype", Object.assign(Object.create(null) as object, { a: 1 }), '{"a":1}'],
  ["class instance", new Point(), '{"x":1,"y":2}'],
  ["toJSON that gives a primitive", { toJSON: () => "own" }, "own"],
  ["toJSON that gives an object", { toJSON: () => ({ own: 1 }) }, '{"own":1}'],
  [
    "toJSON that throws",
    {
      toJSON() {
        throw new Error("no")
      }
    },
    "[Throws]"
  ],
  [
    "toJSON without end",
    {
      toJSON(this: object) {
        return { ...this }
      }
    },
    '"[...]"'
  ],
  ["cycle", cycle, '{"name":"loop","self":"[Circular]"}'],
  ["getter that throws", throwing, '{"bad":"[Throws]","good":1}'],
  ["a key named __proto__", proto, '{"__proto__":{"a":1},"b":2}'],
  [
    "secret keys",
    { password: "x", nested: { apiKey: "y", ok: 1 } },
    '{"password":"[REDACTED]","nested":{"apiKey":"[REDACTED]","ok":1}}'
  ],
  ["secret keys of a map", new Map([["token", "x"]]), '{"token":"[REDACTED]"}'],
  [
    "headers",
    new Headers({ authorization: "Bearer x", accept: "text/html" }),
    '{"accept":"text/html","authorization":"[REDACTED]"}'
  ],
  ["search parameters", new URLSearchParams("a=1&token=x"), '{"a":"1","token":"[REDACTED]"}'],
  ["redacted", Redacted.make("secret"), "[REDACTED]"],
  ["redacted inside", { a: Redacted.make("secret") }, '{"a":"[REDACTED]"}'],
  ["redacted in an array", [Redacted.make("secret"), 1], ["[REDACTED]", "1"]],
  ["some", Option.some("x"), "x"],
  ["some of an object", Option.some({ a: 1 }), '{"a":1}'],
  ["none", Option.none(), undefined],
  ["duration", Duration.seconds(1.5), 1500],
  ["infinite duration", Duration.infinity, "Infinity"],
  ["DateTime", DateTime.makeUnsafe(0), "1970-01-01T00:00:00.000Z"],
  ["promise", Promise.resolve(1), "[Promise]"],
  ["weak map", new WeakMap(), "[Weak]"],
  ["lone surrogate", "a\ud800b", "a\ufffdb"],
  ["lone surrogate in a key", { "\ud800": 1 }, '{"\ufffd":1}'],
  ["pair of surrogates", "😀", "😀"]
]

describe("every kind has its encoding", () => {
  it.each(table)("%s", (_, value, expected) => {
    assert.deepStrictEqual(convert(value) as unknown, expected)
  })

  it("effects, causes and errors with causes are texts", () => {
    for (const value of [Effect.void, Cause.fail("x"), new Error("a", { cause: cycle })]) {
      assert.isString(convert(value))
    }
  })

  it("proxies that refuse everything are unreadable", () => {
    const refuse = () => {
      throw new Error("no")
    }
    const proxy = new Proxy(
      {},
      { get: refuse, ownKeys: refuse, getPrototypeOf: refuse, has: refuse, getOwnPropertyDescriptor: refuse }
    )
    assert.strictEqual(convert(proxy), "[Unreadable]")
    assert.strictEqual(convert({ inner: proxy, a: 1 }), '{"inner":"[Unreadable]","a":1}')
    assert.deepStrictEqual(convert([proxy, 1]) as unknown, ["[Unreadable]", "1"])
    const { proxy: revoked, revoke } = Proxy.revocable([], {})
    revoke()
    assert.strictEqual(convert(revoked), "[Unreadable]")
  })
})

const isValue = (value: unknown): boolean =>
  value === undefined ||
  typeof value === "boolean" ||
  (typeof value === "number" && Number.isFinite(value)) ||
  (typeof value === "string" && value.isWellFormed()) ||
  (Array.isArray(value) &&
    new Set(value.filter((element) => element !== null && element !== undefined).map((element) => typeof element))
      .size <= 1 &&
    value.every((element) => element === null || (!Array.isArray(element) && isValue(element))))

describe("whatever it is", () => {
  it.prop("the result is one that every receiver takes", [Schema.Unknown], ([value]) => isValue(convert(value)), {
    arbitrary: { runs: 1000 }
  })
  it.prop("nested in an object too", [Schema.Array(Schema.Unknown)], ([values]) =>
    isValue(convert({ values, map: new Map([[values, values]]) }))
  )
  it.prop("JSON is JSON", [Schema.Unknown], ([value]) => {
    JSON.parse(toJson(value, rules))
  })
})

describe("bounds", () => {
  const small = { limits: Limits.make({ valueLength: 10, arrayLength: 3 }), redactor: Redaction.defaults }

  it("a long text is cut between two characters", () => {
    assert.strictEqual(convert("12345678901", small), "1234567890")
    assert.strictEqual(convert("123456789😀", small), "123456789")
    assert.strictEqual(convert("12345678😀x", small), "12345678😀")
    assert.deepStrictEqual(convert(["12345678901", "a"], small) as unknown, ["1234567890", "a"])
  })

  it("a secret that the cut would split is found first", () => {
    assert.strictEqual(
      convert("a https://user:verylongpassword@host", { ...small, limits: Limits.make({ valueLength: 22 }) }),
      "a https://REDACTED:RED"
    )
  })

  it("long arrays, sets and typed arrays are cut", () => {
    assert.deepStrictEqual(convert([1, 2, 3, 4], small) as unknown, [1, 2, 3])
    assert.deepStrictEqual(convert(new Set([1, 2, 3, 4]), small) as unknown, [1, 2, 3])
    assert.deepStrictEqual(convert(new Uint16Array([1, 2, 3, 4]), small) as unknown, [1, 2, 3])
  })

  it("an endless iterable ends", () => {
    const endless = {
      *[Symbol.iterator]() {
        for (;;) yield 1
      }
    }
    assert.isString(convert(endless))
    class EndlessSet extends Set<number> {
      override *[Symbol.iterator](): SetIterator<number> {
        for (;;) yield 1
      }
    }
    assert.deepStrictEqual(convert(new EndlessSet(), small) as unknown, [1, 1, 1])
    assert.isString(convert({ set: new EndlessSet() }))
  })

  it("huge, wide and deep values take bounded time", () => {
    const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, i]))
    let deep: unknown = 1
    for (let i = 0; i < 100_000; i++) deep = { deep }
    const graph: Array<unknown> = []
    for (let i = 0; i < 30; i++) graph.push({ a: graph[i - 1], b: graph[i - 1] })
    const start = performance.now()
    for (const value of [
      wide,
      deep,
      graph,
      "x".repeat(20_000_000),
      Buffer.alloc(50_000_000),
      new Map(Object.entries(wide)),
      [wide, wide, graph]
    ]) {
      const converted = convert(value)
      assert.isAtMost(JSON.stringify(converted).length, 8192 * 40)
    }
    // Without bounds the graph alone has a thousand million nodes.
    assert.isBelow(performance.now() - start, 5000)
  })
})
