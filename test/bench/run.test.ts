import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { countSpans } from "../../bench/internal/count-spans.ts"
import { type Result, resultOf } from "../../bench/internal/report.ts"
import { rows } from "../../bench/internal/rows.ts"
import { ratios, spread } from "../../bench/internal/statistics.ts"
import { encodeSpans } from "../../src/export/OtlpEncoder.ts"
import { json } from "../../src/export/OtlpJson.ts"
import { protobuf } from "../../src/export/OtlpProtobuf.ts"
import { makeSpan } from "../export/support.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

const bench = (...args: ReadonlyArray<string>) =>
  spawnSync(process.execPath, ["--conditions=source", "bench/run.ts", ...args], { cwd: root, encoding: "utf8" })

const row = (name: string) => {
  const found = rows.find((row) => row.name === name)
  assert.ok(found, name)
  return found
}

describe("bench", () => {
  it("has a row for every figure that was promised, with its goal", () => {
    const goals = Object.fromEntries(rows.map(({ better, goal, name, of }) => [name, [of, better, goal]]))
    assert.deepInclude(goals, {
      "cpu.sampled.raw-otel": ["ratio", "lower", 1],
      "cpu.nointerop.raw-otel": ["ratio", "lower", 0.8],
      "cpu.sampled.dd-trace": ["ratio", "lower", 1],
      "cpu.sampled.stock": ["ratio", "lower", 0.3],
      "cpu.withspan.raw-otel": ["ratio", "lower", 1.4],
      "cpu.tenth.floor": ["ratio", "lower", 0.8],
      "cpu.off.bare": ["ratio", "lower", 1.05],
      "http.sampled": ["ratio", "higher", 0.7],
      "http.tenth": ["ratio", "higher", 0.9],
      "http.off": ["ratio", "higher", 0.99],
      "million.lost": ["ours", "lower", 0],
      "million.rss": ["ours", "lower", 100],
      "burst.lost": ["ours", "lower", 0],
      "startup.ms": ["ours", "lower", 150],
      "spool.cpu": ["ratio", "lower", 1.3],
      "tail.cpu": ["ratio", "lower", 1.5]
    })
    assert.strictEqual(new Set(rows.map(({ name }) => name)).size, rows.length)
  })

  it("prints one JSON document and nothing else, a row for each that was asked for", { timeout: 240_000 }, () => {
    const names = ["cpu.sampled.dd-trace", "http.off", "million.lost", "burst.lost", "startup.ms", "size.effect"]
    const { status, stderr, stdout } = bench("--json", "--quick", "--only", names.join(","))
    assert.strictEqual(status, 0, stderr)
    const document = JSON.parse(stdout) as { readonly rows: ReadonlyArray<Result> }
    assert.deepStrictEqual(Object.keys(document), ["rows"])
    const found = new Map(document.rows.map((row) => [row.name, row]))
    for (const name of names) {
      const result = found.get(name)
      assert.ok(result, name)
      assert.deepStrictEqual(Object.keys(result), ["name", "ours", "peer", "peerName", "ratio", "low", "high", "goal"])
      assert.isNumber(result.ours, name)
      if (result.peerName !== null) assert.isNumber(result.peer, name)
    }
    assert.strictEqual(found.get("million.lost")!.ours, 0)
    assert.strictEqual(found.get("burst.lost")!.ours, 0)
    assert.notInclude(stderr, "spans arrived")
  })

  it("refuses a row that there is not, and says which there are", () => {
    const { status, stderr, stdout } = bench("--only", "cpu.nonsense")
    assert.strictEqual(status, 2)
    assert.strictEqual(stdout, "")
    assert.include(stderr, "cpu.nonsense")
    assert.include(stderr, "cpu.off.bare")
  })
})

describe("figures", () => {
  it("are medians, and ratios are paired by turn", () => {
    assert.deepStrictEqual(spread([3, 1, 2]), { median: 2, low: 1, high: 3 })
    assert.deepStrictEqual(spread([4, 1, 2, 3]), { median: 2.5, low: 1, high: 4 })
    // Rounds in which everything took ten times as long change no ratio, nor do turns.
    assert.deepStrictEqual(ratios([[1], [10], [3]], [[2], [20], [4]]), { median: 0.5, low: 0.5, high: 0.75 })
    assert.deepStrictEqual(ratios([[1, 10, 3]], [[2, 20, 4]]), { median: 0.5, low: 0.5, high: 0.5 })
    // Of a peer with fewer turns, those that there are.
    assert.deepStrictEqual(ratios([[1, 10, 3]], [[2]]), { median: 0.5, low: 0.5, high: 0.5 })
    assert.strictEqual(ratios([[0], [0]], [[0], [1]]), undefined)
  })

  it("have the spread of what their goal is about", () => {
    const { ours, peer } = row("cpu.sampled.dd-trace")
    const rounds = new Map([
      [ours.name, [[{ micros: 6 }], [{ micros: 8 }]]],
      [peer!.name, [[{ micros: 6 }], [{ micros: 10 }]]]
    ])
    assert.deepStrictEqual(resultOf(row("cpu.sampled.dd-trace"), rounds), {
      name: "cpu.sampled.dd-trace",
      ours: 7,
      peer: 8,
      peerName: "dd-trace",
      ratio: 0.9,
      low: 0.8,
      high: 1,
      goal: 1
    })
    const startup = row("startup.ms")
    const started = new Map([
      [startup.ours.name, [[{ milliseconds: 90 }], [{ milliseconds: 110 }]]],
      [startup.peer!.name, [[{ milliseconds: 200 }], [{ milliseconds: 200 }]]]
    ])
    const { high, low, ratio } = resultOf(startup, started)
    assert.deepStrictEqual({ high, low, ratio }, { high: 110, low: 90, ratio: 0.5 })
  })

  it("are null where a process failed", () => {
    const { goal, name, ...figures } = resultOf(row("cpu.off.bare"), new Map())
    assert.deepStrictEqual([name, goal], ["cpu.off.bare", 1.05])
    assert.deepStrictEqual(figures, {
      ours: null,
      peer: null,
      peerName: "no span in the code",
      ratio: null,
      low: null,
      high: null
    })
  })
})

describe("the sink", () => {
  it("counts the spans of a request without decoding it", () => {
    for (const encoding of [protobuf, json]) {
      const request = encodeSpans(encoding, {
        resource: { attributes: { "service.name": "test" }, schemaUrl: "https://example.com/schema" },
        scope: { name: "test", version: "1" },
        spans: Array.from({ length: 7 }, (_, i) => makeSpan({ name: `span ${i}`, parentSpanId: "00000000000000ff" }))
      })
      assert.strictEqual(countSpans(Buffer.from(request), encoding.contentType), 7)
    }
    const trace = Buffer.from("\u0092\u0082\u00a7span_id\u0001\u00a9parent_id\u0000\u0081\u00a7span_id\u0002", "latin1")
    assert.strictEqual(countSpans(trace, "application/msgpack"), 2)
  })
})
