import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { compare, type ExpectedSpan } from "../../src/testing/ExpectedTrace.ts"
import { differencesOf, drawComparison } from "../../src/testing/internal/drawComparison.ts"
import { type TestNode, trees } from "../../src/testing/TestSpan.ts"
import type { SpanData } from "../../src/tracer/SpanData.ts"
import { id, makeSpan } from "../export/support.ts"

interface Sketch extends Partial<SpanData> {
  readonly name: string
  readonly attributes?: Readonly<Record<string, any>>
  readonly children?: ReadonlyArray<Sketch | string>
}

/** A tree of spans, each child starting a millisecond after the last. */
const tree = (sketch: Sketch): TestNode => {
  const spans: Array<SpanData> = []
  const add = (of: Sketch | string, parent: string | undefined): void => {
    const { attributes = {}, children = [], ...data } = typeof of === "string" ? { name: of } : of
    const span = makeSpan({
      spanId: id(16, spans.length + 1),
      parentSpanId: parent,
      startNanos: spans.length * 1e6,
      endNanos: (spans.length + 100) * 1e6,
      attributeKeys: Object.keys(attributes),
      attributeValues: Object.values(attributes),
      ...data
    })
    spans.push(span)
    for (const child of children) add(child, span.spanId)
  }
  add(sketch, undefined)
  return trees(spans)[0]!
}

const holds = (expected: ExpectedSpan, actual: Sketch): boolean => compare(expected, tree(actual)).cost === 0

const event = (name: string, attributes: Readonly<Record<string, any>> = {}) => ({
  name,
  seconds: 1,
  nanos: 0,
  attributeKeys: Object.keys(attributes),
  attributeValues: Object.values(attributes),
  droppedAttributesCount: 0
})

describe("ExpectedTrace.compare", () => {
  it("checks what is written and nothing else", () => {
    const actual: Sketch = { name: "GET /a", kindCode: 1, statusCode: 2, attributes: { a: 1, b: "x" }, children: ["c"] }
    assert.isTrue(holds({}, actual))
    assert.isTrue(holds({ name: "GET /a" }, actual))
    assert.isTrue(holds({ name: /^GET/, kind: "server", status: "error", attributes: { a: 1 } }, actual))
    assert.isFalse(holds({ name: "GET /b" }, actual))
    assert.isFalse(holds({ kind: "client" }, actual))
    assert.isFalse(holds({ status: "unset" }, actual))
    assert.isFalse(holds({ attributes: { a: 2 } }, actual))
    assert.isFalse(holds({ statusMessage: "no" }, actual))
  })

  it("takes values, arrays, regular expressions and predicates; undefined is absence", () => {
    const actual = { name: "s", attributes: { n: 3, list: ["a", "b"], text: "post p-12", nan: Number.NaN } }
    const all = {
      n: (value: number) => value > 2,
      list: ["a", "b"],
      text: /p-\d+/,
      nan: Number.NaN,
      gone: undefined,
      toString: undefined
    }
    assert.isTrue(holds({ attributes: all }, actual))
    for (const wrong of [
      { n: "3" },
      { n: (value: number) => value > 3 },
      { list: ["a"] },
      { text: /q/ },
      { text: undefined },
      { gone: /./ },
      { gone: (value: string) => value.startsWith("a") }
    ]) {
      assert.isFalse(holds({ attributes: wrong }, actual), JSON.stringify(Object.keys(wrong)))
    }
    const global = /p/g
    assert.isTrue(holds({ attributes: { text: global } }, actual))
    assert.isTrue(holds({ attributes: { text: global } }, actual))
  })

  it("takes children in the order of their starts, all of them", () => {
    const actual = { name: "r", children: ["a", "b", "c"] }
    assert.isTrue(holds({ children: ["a", "b", "c"] }, actual))
    assert.isFalse(holds({ children: ["a", "c", "b"] }, actual))
    assert.isFalse(holds({ children: ["a", "b"] }, actual))
    assert.isFalse(holds({ children: ["a", "b", "c", "d"] }, actual))
    assert.isFalse(holds({ children: [] }, actual))
    assert.isTrue(holds({ children: [] }, { name: "r" }))
  })

  it("takes others in between, or any order, where asked", () => {
    const actual = { name: "r", children: ["a", "b", "c"] }
    assert.isTrue(holds({ children: ["a", "c"], otherChildren: true }, actual))
    assert.isFalse(holds({ children: ["c", "a"], otherChildren: true }, actual))
    assert.isTrue(holds({ children: ["c", "a", "b"], unordered: true }, actual))
    assert.isFalse(holds({ children: ["c", "a"], unordered: true }, actual))
    assert.isTrue(holds({ children: ["c", "a"], unordered: true, otherChildren: true }, actual))
  })

  it("finds the assignment of ambiguous children where there is one", () => {
    const actual = {
      name: "r",
      children: [
        { name: "db.select", attributes: { table: "users" } },
        { name: "db.select", attributes: { table: "posts" } }
      ]
    }
    const any = { name: "db.select" }
    const users = { name: /db/, attributes: { table: "users" } }
    assert.isTrue(holds({ children: [any, users], unordered: true }, actual))
    assert.isTrue(holds({ children: [users, any] }, actual))
    assert.isFalse(holds({ children: [any, users] }, actual))
  })

  it("finds events in their order among others, and links", () => {
    const actual: Sketch = {
      name: "s",
      events: [event("log"), event("retry", { "retry.attempt": 1 }), event("retry", { "retry.attempt": 2 })],
      linkData: [
        {
          traceId: id(32, 9),
          spanId: id(16, 9),
          traceFlags: 1,
          traceState: undefined,
          isRemote: false,
          attributeKeys: ["a"],
          attributeValues: [1],
          droppedAttributesCount: 0
        }
      ]
    }
    assert.isTrue(holds({ events: ["retry", { name: "retry", attributes: { "retry.attempt": 2 } }] }, actual))
    assert.isFalse(holds({ events: ["retry", "log"] }, actual))
    assert.isFalse(holds({ events: [{ name: "retry", attributes: { "retry.attempt": 3 } }] }, actual))
    assert.isFalse(holds({ events: [] }, actual))
    assert.isTrue(holds({ links: [{ traceId: id(32, 9), attributes: { a: 1 } }] }, actual))
    assert.isFalse(holds({ links: [{ traceId: id(32, 8) }] }, actual))
    assert.isFalse(holds({ links: [] }, actual))
    assert.isTrue(holds({ events: [], links: [] }, { name: "s" }))
  })

  it("takes durations", () => {
    const actual = { name: "s", startNanos: 0, endNanos: 250e6 }
    assert.isTrue(holds({ duration: "250 millis" }, actual))
    assert.isTrue(holds({ duration: (millis) => millis < 300 }, actual))
    assert.isFalse(holds({ duration: "1 second" }, actual))
  })

  const Names = Schema.Array(Schema.Literals(["a", "b", "c"]))
  it.prop("agrees with what order and membership mean, whatever the names", [Names, Names], ([expected, actual]) => {
    const of = (options: Partial<ExpectedSpan>): boolean =>
      holds({ children: expected, ...options }, { name: "r", children: actual })
    const isSubsequence = (): boolean => {
      let at = 0
      for (const name of actual) if (name === expected[at]) at++
      return at === expected.length
    }
    const counts = (names: ReadonlyArray<string>, name: string) => names.filter((other) => other === name).length
    const isSubset = ["a", "b", "c"].every((name) => counts(expected, name) <= counts(actual, name))
    assert.strictEqual(of({}), expected.join() === actual.join())
    assert.strictEqual(of({ otherChildren: true }), isSubsequence())
    assert.strictEqual(of({ unordered: true }), expected.toSorted().join() === actual.toSorted().join())
    assert.strictEqual(of({ unordered: true, otherChildren: true }), isSubset)
    return true
  })
})

describe("the picture of a comparison", () => {
  const expected: ExpectedSpan = {
    name: "POST /posts",
    kind: "server",
    status: "error",
    attributes: { "user.id": "u1" },
    children: [
      {
        name: "feed.create_post",
        children: [
          { name: "db.insert", attributes: { "db.response.returned_rows": (rows: number) => rows > 0 } },
          { name: "cache.delete", children: ["PING"] },
          "es.index"
        ]
      }
    ]
  }
  const actual: Sketch = {
    name: "POST /posts",
    kindCode: 1,
    attributes: { "user.id": "u2" },
    children: [
      {
        name: "feed.create_post",
        children: [
          { name: "db.insert", attributes: { "db.response.returned_rows": 0 } },
          { name: "es.index", children: ["PUT"] },
          "gorse.insert_user_item"
        ]
      }
    ]
  }

  it("draws both trees side by side, marks the differences and lists them", () => {
    assert.deepStrictEqual(drawComparison(compare(expected, tree(actual))).split("\n"), [
      "  EXPECTED                                                  ACTUAL",
      "  POST /posts  server  error                              ≠ POST /posts  server  unset",
      '  │  user.id: "u1"                                        ≠ │  user.id: "u2"',
      "  └─ feed.create_post                                       └─ feed.create_post",
      "     ├─ db.insert                                              ├─ db.insert",
      "     │     db.response.returned_rows: (rows) => rows > 0  ≠    │     db.response.returned_rows: 0",
      "     ├─ cache.delete                                      -    │",
      "     │  └─ PING                                           -    │",
      "     └─ es.index                                               ├─ es.index",
      "                                                               │  └─ (1 span, not checked)",
      "                                                          +    └─ gorse.insert_user_item  internal  unset",
      "",
      '  1. POST /posts: status: expected "error", was "unset"',
      '  2. POST /posts: user.id: expected "u1", was "u2"',
      "  3. POST /posts > feed.create_post > db.insert: db.response.returned_rows: expected (rows) => rows > 0, was 0",
      "  4. POST /posts > feed.create_post > cache.delete: expected, but there is no such span",
      "  5. POST /posts > feed.create_post > gorse.insert_user_item: not expected"
    ])
  })

  it("says that only the order differs", () => {
    const comparison = compare({ name: "r", children: ["b", "a"] }, tree({ name: "r", children: ["a", "b"] }))
    assert.deepStrictEqual(differencesOf(comparison), [
      "r > a: started at another place in the order (`unordered: true` takes any)"
    ])
  })

  it("cuts what is long and what is many, and writes control characters out", () => {
    const long = "x".repeat(5000)
    const children = Array.from({ length: 100 }, (_, i) => `c${i}\u001b[2J`)
    const text = drawComparison(
      compare({ name: "r", attributes: { a: long, b: "\u001b[2J" }, children }, tree({ name: "r" }))
    )
    assert.isBelow(Math.max(...text.split("\n").map((line) => line.length)), 800)
    assert.include(text, "… and 82 more")
    assert.notInclude(text, "\u001b")
  })
})
