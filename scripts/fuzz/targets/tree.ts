/** The trees on the console: spans of strangers must not steer the terminal. */
import assert from "node:assert/strict"
import * as TraceTree from "../../../src/export/TraceTree.ts"
import { cells } from "../../../src/export/internal/terminal.ts"
import { target } from "../Target.ts"
import { spanOf } from "./spans.ts"

// oxlint-disable-next-line no-control-regex -- the colours
const colours = /\u001b\[\d{1,2}m/g
// oxlint-disable-next-line no-control-regex -- all that a terminal obeys, but the end of a line
const obeyed = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]/u

export const tree = target({
  name: "tree",
  claim: "any spans are drawn, once each, in lines that fit, without a character that a terminal obeys",
  make: (choices) => ({
    spans: choices.list(12, spanOf),
    color: choices.once(2),
    ascii: choices.once(2),
    width: choices.pick([110, 40, 80, 240]),
    attributes: choices.pick(["selected", "all"] as const),
    maxSpans: choices.pick([undefined, 3])
  }),
  check: ({ ascii, attributes, color, maxSpans, spans, width }) => {
    const text = TraceTree.render(spans, { ascii, attributes, color, maxSpans, width })
    const plain = color ? text.replace(colours, "") : text
    assert.doesNotMatch(plain, obeyed)
    if (ascii) assert.match(plain, /^[\n\u0020-\u007e]*$/)
    for (const line of plain.split("\n")) assert.ok(cells(line) <= width, `${cells(line)} cells: ${line}`)
    assert.equal(TraceTree.render(spans, { ascii, attributes, color, maxSpans, width }), text)
    const traces = TraceTree.fromSpans(spans)
    const count = (nodes: ReadonlyArray<TraceTree.TraceNode>): number =>
      nodes.reduce((sum, node) => sum + 1 + count(node.children), 0)
    for (const trace of traces) assert.equal(count(trace.roots), trace.spanCount)
    assert.equal(text === "", spans.length === 0)
  }
})
