import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { stripVTControlCharacters } from "node:util"
import { fromReadableSpan } from "../../src/export/ForeignSpan.ts"
import { cells, cut, formatNanos, wrap } from "../../src/export/internal/terminal.ts"
import * as TraceTree from "../../src/export/TraceTree.ts"
import type { AttributeValue, EventData, SpanData } from "../../src/tracer/SpanData.ts"
import { AnySpan, id, makeSpan, readable, spanOf } from "./support.ts"

const attributes = (record: Readonly<Record<string, AttributeValue>>) => ({
  attributeKeys: Object.keys(record),
  attributeValues: Object.values(record)
})

const event = (name: string, millis: number, record: Readonly<Record<string, AttributeValue>> = {}): EventData => ({
  name,
  seconds: 1000,
  nanos: millis * 1e6,
  ...attributes(record),
  droppedAttributesCount: 0
})

/** A span of the test's trace: ids are small numbers, times milliseconds. */
const span = (
  name: string,
  own: number,
  parent: number | undefined,
  from: number,
  to: number,
  more: Partial<SpanData> = {}
): SpanData =>
  makeSpan({
    name,
    spanId: id(16, own),
    parentSpanId: parent === undefined ? undefined : id(16, parent),
    startSeconds: 1000,
    startNanos: from * 1e6,
    endSeconds: 1000,
    endNanos: to * 1e6,
    ...more
  })

const request = {
  "user.id": "u_42",
  "request.id": "req-7",
  "trace.correlation_id": "corr-9"
}
const exception = (millis: number, type: string, message: string) =>
  event("exception", millis, { "exception.type": type, "exception.message": message })

const createPost: ReadonlyArray<SpanData> = [
  span("db.insert", 3, 2, 2, 5, {
    kindCode: 2,
    ...attributes({
      "db.system.name": "postgresql",
      "db.query.summary": "INSERT posts",
      "db.query.text": "INSERT INTO posts VALUES ($1)",
      "db.response.returned_rows": 1,
      "server.address": "localhost",
      ...request
    })
  }),
  span("PUT", 5, 4, 30, 49, {
    kindCode: 2,
    ...attributes({
      "http.request.method": "PUT",
      "url.full": "http://127.0.0.1:9000/audio/take-1.wav",
      "http.response.status_code": 200,
      ...request
    })
  }),
  span("s3.put_object", 4, 2, 10, 50, {
    kindCode: 2,
    ...attributes({ "external.service": "s3", "external.operation": "put_object", "s3.bucket": "audio", ...request }),
    events: [
      event("retry", 20, {
        "retry.attempt": 1,
        "retry.delay_ms": 10,
        "error.type": "Unavailable",
        "error.message": "read ECONNRESET"
      })
    ]
  }),
  span("cache.get", 6, 2, 51, 51, { kindCode: 2, ...attributes({ "cache.hit": false, ...request }) }),
  span("es.index", 7, 2, 60, 99, {
    kindCode: 2,
    statusCode: 2,
    ...attributes({ "es.index": "posts", "error.type": "Unavailable", ...request }),
    events: [exception(99, "SearchError", "connect ECONNREFUSED\n    127.0.0.1:9200")]
  }),
  span("feed.create_post", 2, 1, 1, 99, {
    statusCode: 2,
    ...attributes({ "post.id": "p_9", "error.type": "Unavailable", ...request }),
    events: [exception(99, "SearchError", "connect ECONNREFUSED\n    127.0.0.1:9200")]
  }),
  span("POST /posts", 1, undefined, 0, 100, {
    kindCode: 1,
    statusCode: 2,
    ...attributes({
      "http.request.method": "POST",
      "http.route": "/posts",
      "url.path": "/posts",
      "http.response.status_code": 503,
      "error.type": "503",
      ...request
    })
  })
]

const lines = (text: string): Array<string> => text.split("\n").map((line) => line.trimEnd())

describe("TraceTree.render", () => {
  it("draws a request: tree, durations, bars, status, attributes, retries and the reason of the failure, once", () => {
    assert.deepStrictEqual(lines(TraceTree.render(createPost, { width: 100 })), [
      "trace 00000000000000000000000000000abc  7 spans  100 ms  3 errors  1 retry",
      "  user.id=u_42  request.id=req-7  trace.correlation_id=corr-9",
      "",
      "✗ POST /posts            100 ms  ━━━━━━━━━━━━━━━━━━━━━━━━━━  503",
      "✗ └─ feed.create_post   98.0 ms  ━━━━━━━━━━━━━━━━━━━━━━━━━━  post.id=p_9",
      "     ├─ db.insert       3.00 ms  ╺╸                          INSERT posts  1 row",
      "     ├─ s3.put_object   40.0 ms    ╺━━━━━━━━━━               s3.bucket=audio",
      "     │  │  ↻ retry 1   +20.0 ms       ◆                      in 10.0 ms",
      "     │  │                                                    Unavailable: read ECONNRESET",
      "     │  └─ PUT          19.0 ms         ╺━━━━━               200",
      "     │                                                       http://127.0.0.1:9…0/audio/take-1.wav",
      "     ├─ cache.get          0 ms               ╸              cache.hit=false",
      "✗    └─ es.index        39.0 ms                 ╺━━━━━━━━━━  es.index=posts",
      "           ✗ Unavailable: connect ECONNREFUSED 127.0.0.1:9200 (SearchError)",
      ""
    ])
  })

  it("is the same text whatever the order in which spans arrive", () => {
    const drawn = TraceTree.render(createPost)
    assert.strictEqual(TraceTree.render(createPost.toReversed()), drawn)
    assert.strictEqual(TraceTree.render([...createPost.slice(3), ...createPost.slice(0, 3)]), drawn)
  })

  it("draws spans of an OpenTelemetry SDK as its own", () => {
    assert.strictEqual(
      TraceTree.render(createPost.map((own) => fromReadableSpan(readable(own)))),
      TraceTree.render(createPost)
    )
  })

  it("colours only where asked: failures red, and the same text without the colours", () => {
    const colored = TraceTree.render(createPost, { color: true })
    assert.strictEqual(stripVTControlCharacters(colored), TraceTree.render(createPost))
    assert.include(colored, "\u001b[31m✗ Unavailable: connect ECONNREFUSED 127.0.0.1:9200 (SearchError)\u001b[39m")
    assert.notInclude(TraceTree.render(createPost), "\u001b")
  })

  it("writes nothing but ASCII where asked", () => {
    const text = TraceTree.render(
      [
        span("größe", 1, undefined, 0, 0.01, {
          statusCode: 2,
          statusMessage: "日本",
          events: [event("retry", 0, {}), event("😀", 0)]
        })
      ],
      { ascii: true }
    )
    assert.match(text, /^[\n -~]*$/)
    assert.include(text, "gr\\u{f6}\\u{df}e")
    assert.include(text, "10.0 us")
  })

  it("shows context that differs from the header's on the span", () => {
    const text = TraceTree.render([
      span("GET /a", 1, undefined, 0, 2, attributes({ "user.id": "u1" })),
      span("social.follow_user", 2, 1, 0, 1, attributes({ "user.id": "u2" }))
    ])
    assert.include(text, "  user.id=u1")
    assert.match(text, /social\.follow_user .*user\.id=u2/)
    assert.notMatch(text, /GET \/a .*user\.id/)
  })

  it("shows all attributes, or those chosen", () => {
    const all = TraceTree.render(createPost, { attributes: "all" })
    assert.include(all, "db.system.name=postgresql")
    assert.include(all, "server.address=localhost")
    const chosen = TraceTree.render(createPost, { attributes: (key) => key === "db.system.name" })
    assert.include(chosen, "db.system.name=postgresql")
    assert.notInclude(chosen, "INSERT posts")
  })

  it("says what is missing of an incomplete trace, and where", () => {
    const text = lines(TraceTree.render(createPost.filter((own) => own.spanId !== id(16, 2))))
    assert.include(text[0], "incomplete: 1 parent not received")
    const at = text.findIndex((line) => line.includes("(parent 0000000000000002 not received)"))
    assert.isAbove(at, 0)
    assert.include(text[at + 1], "├─ db.insert")
    assert.include(text.join("\n"), "└─ es.index")
  })

  it("names the remote parent of a trace that began elsewhere, and does not call it incomplete", () => {
    const text = TraceTree.render([span("GET /a", 1, 77, 0, 1, { parentIsRemote: true })])
    assert.include(text, "remote parent=000000000000004d")
    assert.notInclude(text, "incomplete")
  })

  it("hangs a span under its remote parent where that is here too", () => {
    const text = TraceTree.render([
      span("GET", 1, undefined, 0, 3, { kindCode: 2 }),
      span("GET /a", 2, 1, 1, 2, { parentIsRemote: true, kindCode: 1 })
    ])
    assert.include(text, "└─ GET /a")
    assert.notInclude(text, "remote parent")
  })

  it("shows links, handled failures, interruption, logs and what limits dropped", () => {
    const text = TraceTree.render([
      span("job.run", 1, undefined, 0, 10, {
        ...attributes({ "effect.fiber.interrupted": true }),
        events: [
          exception(1, "NotFound", "no such post"),
          event("a log line that is far too long to stand in the column of names", 2, { "effect.fiberId": 4 })
        ],
        linkData: [
          {
            traceId: "0af7651916cd43dd8448eb211c80319c",
            spanId: "00f067aa0ba902b7",
            traceFlags: 1,
            traceState: undefined,
            isRemote: true,
            ...attributes({ "link.kind": "enqueued" }),
            droppedAttributesCount: 0
          }
        ],
        droppedAttributesCount: 3,
        droppedEventsCount: 1
      })
    ])
    assert.match(text, /⊘ job\.run .*interrupted/)
    assert.include(text, "! NotFound: no such post (handled)")
    assert.include(text, "a log line that is far too long")
    assert.notInclude(text, "effect.fiberId")
    assert.include(text, "→ link to trace 0af7651916cd43dd8448eb211c80319c span 00f067aa0ba902b7 link.kind=enqueued")
    assert.include(text, "dropped by limits: 3 attributes, 1 event")
  })

  it("draws several traces, and nothing for nothing", () => {
    const text = TraceTree.render([
      span("one", 1, undefined, 0, 1),
      span("two", 2, undefined, 0, 1, { traceId: id(32, 2) })
    ])
    assert.strictEqual(text.split("trace 0").length, 3)
    assert.strictEqual(TraceTree.render([]), "")
  })

  it("counts what it leaves out: spans, events, links", () => {
    const many = Array.from({ length: 50 }, (_, i) => span(`child ${i}`, i + 2, 1, i, i + 1))
    const noisy = span("root", 1, undefined, 0, 60, {
      events: Array.from({ length: 25 }, (_, i) => event(`tick ${i}`, i))
    })
    const text = TraceTree.render([noisy, ...many], { maxSpans: 11, maxEvents: 5 })
    assert.include(text, "… 20 more events")
    assert.include(text, "… 40 more spans")
    assert.include(text, "child 9 ")
    assert.notInclude(text, "child 10")
  })

  it("cannot be steered by names and values", () => {
    const evil = "\u001b[2J\u001b]0;owned\u0007\r\n\u202e\u009b31m\u2028"
    const text = TraceTree.render([
      span(`a${evil}`, 1, undefined, 0, 1, {
        statusCode: 2,
        statusMessage: evil,
        traceState: evil,
        ...attributes({ [evil]: evil, "user.id": evil }),
        events: [event(evil, 0, { [evil]: evil }), event("retry", 0, { "error.message": evil, "error.type": evil })]
      })
    ])
    assert.notMatch(text.replaceAll("\n", ""), /[\p{Cc}\u2028\u2029\u202a-\u202e]/u)
    assert.include(text, "\\u{1b}[2J")
  })

  it("never loops on parents in a circle", () => {
    const text = TraceTree.render([
      span("self", 1, 1, 0, 1),
      span("a", 2, 3, 1, 2),
      span("b", 3, 4, 1, 2),
      span("c", 4, 2, 1, 2),
      span("tail", 5, 4, 1, 2)
    ])
    for (const name of ["self", "a", "b", "c", "tail"]) {
      assert.strictEqual(lines(text).filter((line) => new RegExp(`(^| )${name} +\\d`).test(line)).length, 1, name)
    }
    assert.include(text, "parents in a circle, opened here:")
  })

  it("draws a span that was delivered twice once", () => {
    assert.include(TraceTree.render([...createPost, ...createPost]), "7 spans")
  })

  it("draws 10,000 spans, wide or in one chain", () => {
    const count = 10_000
    const wide = [
      span("root", 1, undefined, 0, 999),
      ...Array.from({ length: count - 1 }, (_, i) => span("child", i + 2, 1, 1, 2))
    ]
    const deep = Array.from({ length: count }, (_, i) => span("link", i + 1, i === 0 ? undefined : i, 0, 1))
    for (const spans of [wide, deep, deep.toReversed()]) {
      const text = lines(TraceTree.render(spans, { width: 100 }))
      assert.strictEqual(text.filter((line) => / (child|link|root) /.test(line)).length, count)
      assert.isTrue(text.every((line) => line.length <= 100))
    }
    assert.include(TraceTree.render(deep), "⋯ 9999 link")
  })

  it.prop(
    "keeps to its width, shows every span once and no control character, whatever the spans",
    [
      Schema.Array(Schema.Tuple([AnySpan, Schema.Int, Schema.Int])),
      Schema.Literals([40, 80, 110, 240]),
      Schema.Boolean
    ],
    ([generated, width, ascii]) => {
      // Ids from a small pool, so that parents are present, missing and in circles.
      const spans = generated.map(([any, own, parent]) => ({
        ...spanOf(any),
        traceId: id(32, 1),
        spanId: id(16, Math.abs(own) % 9),
        parentSpanId: parent % 5 === 0 ? undefined : id(16, Math.abs(parent) % 12)
      }))
      const [trace] = TraceTree.fromSpans(spans)
      const seen: Array<SpanData> = []
      const collect = (node: TraceTree.TraceNode): void => {
        seen.push(node.span)
        node.children.forEach(collect)
      }
      trace?.roots.forEach(collect)
      assert.strictEqual(seen.length, trace?.spanCount ?? 0)
      assert.strictEqual(new Set(seen).size, seen.length)

      for (const attributes of ["selected", "all"] as const) {
        const text = TraceTree.render(spans, { width, ascii, attributes })
        for (const line of text.split("\n")) assert.isAtMost(cells(line), width)
        assert.notMatch(text.replaceAll("\n", ""), /\p{Cc}/u)
        if (ascii) assert.match(text, /^[\n -~]*$/)
      }
      return true
    }
  )
})

describe("TraceTree.terminalOptions", () => {
  const terminal = { isTTY: true, columns: 132 }
  const pipe = {}
  it("is coloured and as wide as the terminal on a terminal, plain elsewhere", () => {
    assert.deepStrictEqual(TraceTree.terminalOptions(terminal, {}), { color: true, ascii: false, width: 132 })
    assert.deepStrictEqual(TraceTree.terminalOptions(pipe, {}), {
      color: false,
      ascii: false,
      width: TraceTree.defaultWidth
    })
  })
  it("honours NO_COLOR and FORCE_COLOR", () => {
    assert.isFalse(TraceTree.terminalOptions(terminal, { NO_COLOR: "1" }).color)
    assert.isTrue(TraceTree.terminalOptions(terminal, { NO_COLOR: "" }).color)
    assert.isTrue(TraceTree.terminalOptions(pipe, { FORCE_COLOR: "1" }).color)
    assert.isTrue(TraceTree.terminalOptions(pipe, { FORCE_COLOR: "", NO_COLOR: "1" }).color)
    assert.isFalse(TraceTree.terminalOptions(terminal, { FORCE_COLOR: "0" }).color)
  })
  it("is ASCII where the terminal or the locale has no more", () => {
    assert.deepStrictEqual(TraceTree.terminalOptions(terminal, { TERM: "dumb" }), {
      color: false,
      ascii: true,
      width: 132
    })
    assert.isTrue(TraceTree.terminalOptions(pipe, { LC_ALL: "C", LANG: "en_US.UTF-8" }).ascii)
    assert.isFalse(TraceTree.terminalOptions(pipe, { LANG: "C.utf8" }).ascii)
  })
})

describe("text in cells", () => {
  it("measures and cuts wide, combined and joined characters", () => {
    assert.strictEqual(cells("日本"), 4)
    assert.strictEqual(cells("e\u0301"), 1)
    assert.strictEqual(cells("👩‍👩‍👧‍👦"), 2)
    assert.strictEqual(cut("日本語", 5, "…"), "日本…")
    assert.strictEqual(cut("abc", 3, "…"), "abc")
  })
  it("wraps at spaces and cuts what does not fit", () => {
    assert.deepStrictEqual(wrap("one two three four", 9, 2, "…"), ["one two", "three fo…"])
    assert.deepStrictEqual(wrap("", 9, 2, "…"), [""])
  })
  it("writes durations with their unit", () => {
    const written = [0, 5, 999.6, 12_345, 999_600, 1_234_567, 999_600_000, 3_420_000_000, 59_999_000_000, 125e9, 7300e9]
    assert.deepStrictEqual(
      written.map((nanos) => formatNanos(nanos, false)),
      ["0 ms", "5 ns", "1.00 µs", "12.3 µs", "1.00 ms", "1.23 ms", "1.00 s", "3.42 s", "1m 00s", "2m 05s", "2h 02m"]
    )
  })
})
