/**
 * Draws an expected tree and an actual one side by side, and lists what differs.
 *
 * @internal
 */
import { cells, clean, cut, padEnd } from "../../export/internal/terminal.ts"
import { type Check, type Comparison, type ExpectedSpan, normalize } from "../ExpectedTrace.ts"
import type { TestNode } from "../TestSpan.ts"
import { showExpected } from "./show.ts"

interface Row {
  readonly left: string
  readonly mark: " " | "≠" | "-" | "+"
  readonly right: string
}

const maxColumn = 64
const maxDifferences = 20

const nameOf = (name: ExpectedSpan["name"]): string =>
  name === undefined ? "(any name)" : typeof name === "string" ? clean(name, false) : showExpected(name)

/** The line of a span: its name, and of kind and status what is expected of them. */
const headOf = (checks: ReadonlyArray<Check>, side: "expected" | "actual", name: string): string =>
  [
    name,
    ...checks.filter(({ inline, what }) => inline && what !== "name").map((of) => of[side].replaceAll('"', ""))
  ].join("  ")

const countBelow = (node: TestNode): number => {
  let count = 0
  const stack = [...node.children]
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    count++
    for (const child of next.children) stack.push(child)
  }
  return count
}

const spans = (count: number): string => `${count} ${count === 1 ? "span" : "spans"}`

const actualHead = (node: TestNode): string => {
  const below = countBelow(node)
  return `${clean(node.name, false)}  ${node.kind}  ${node.status}${below > 0 ? `  (${spans(below)} below)` : ""}`
}

/** Guides of one side: of the row itself, and of the rows below it. */
interface Guide {
  readonly at: string
  readonly below: string
}

const child = (guide: Guide, isLast: boolean): Guide => ({
  at: guide.below + (isLast ? "└─ " : "├─ "),
  below: guide.below + (isLast ? "   " : "│  ")
})

const rowsOf = (comparison: Comparison, left: Guide, right: Guide, out: Array<Row>): void => {
  switch (comparison._tag) {
    case "Missing":
      out.push({ left: left.at + nameOf(comparison.expected.name), mark: "-", right: right.below })
      const below = comparison.expected.children ?? []
      below.forEach((of, index) => {
        const guide = child(left, index === below.length - 1)
        const at = { at: right.below, below: right.below }
        rowsOf({ _tag: "Missing", expected: normalize(of), elsewhere: false, cost: 0 }, guide, at, out)
      })
      return
    case "Extra": {
      const mark = comparison.cost > 0 ? "+" : " "
      out.push({ left: left.below, mark, right: right.at + actualHead(comparison.actual) })
      return
    }
    case "Pair": {
      const { actual, checks, children, expected } = comparison
      const inlineOk = checks.every(({ inline, ok }) => ok || !inline)
      out.push({
        left: left.at + headOf(checks, "expected", nameOf(expected.name)),
        mark: inlineOk ? " " : "≠",
        right: right.at + headOf(checks, "actual", clean(actual.name, false))
      })
      const has = (side: "left" | "right") =>
        (children ?? []).some(({ _tag }) => _tag === "Pair" || (side === "left") === (_tag === "Missing"))
      const leftBelow = left.below + (has("left") ? "│  " : "   ")
      const unchecked = children === undefined && actual.children.length > 0
      const rightBelow = right.below + (has("right") || unchecked ? "│  " : "   ")
      for (const { actual: was, expected: wanted, inline, ok, what } of checks) {
        if (inline) continue
        out.push({
          left: `${leftBelow}${clean(what, false)}: ${wanted}`,
          mark: ok ? " " : "≠",
          right: `${rightBelow}${clean(what, false)}: ${was}`
        })
      }
      if (unchecked) {
        out.push({ left: left.below, mark: " ", right: `${right.below}└─ (${spans(countBelow(actual))}, not checked)` })
      }
      const list = children ?? []
      const lastLeft = list.findLastIndex(({ _tag }) => _tag !== "Extra")
      const lastRight = list.findLastIndex(({ _tag }) => _tag !== "Missing")
      list.forEach((below, index) => {
        // Where a side has nothing here, only the guide to what follows goes through.
        const through = (guide: Guide, last: number): Guide => ({
          at: guide.below,
          below: guide.below + (index < last ? "│" : "")
        })
        const ofLeft = below._tag === "Extra" ? through(left, lastLeft) : child(left, index === lastLeft)
        const ofRight = below._tag === "Missing" ? through(right, lastRight) : child(right, index === lastRight)
        rowsOf(below, ofLeft, ofRight, out)
      })
    }
  }
}

/** What differs, one line each, with the path to the span. @internal */
export const differencesOf = (comparison: Comparison, path: ReadonlyArray<string> = []): Array<string> => {
  const at = (name: string): string => [...path, name].join(" > ")
  switch (comparison._tag) {
    case "Missing": {
      const why = comparison.elsewhere
        ? "started at another place in the order (`unordered: true` takes any)"
        : "expected, but there is no such span"
      return [`${at(nameOf(comparison.expected.name))}: ${why}`]
    }
    case "Extra":
      return comparison.cost === 0 || comparison.elsewhere
        ? []
        : [`${at(clean(comparison.actual.name, false))}: not expected`]
    case "Pair": {
      const name = clean(comparison.actual.name, false)
      const here = comparison.checks
        .filter(({ ok }) => !ok)
        .map((of) => `${at(name)}: ${clean(of.what, false)}: expected ${of.expected}, was ${of.actual}`)
      return here.concat((comparison.children ?? []).flatMap((below) => differencesOf(below, [...path, name])))
    }
  }
}

/** The two trees and the list of differences. @internal */
export const drawComparison = (comparison: Comparison): string => {
  const rows: Array<Row> = []
  rowsOf(comparison, { at: "", below: "" }, { at: "", below: "" }, rows)
  const width = Math.min(maxColumn, Math.max(...rows.map(({ left }) => cells(left)), 8))
  const line = ({ left, mark, right }: { left: string; mark: string; right: string }): string =>
    `  ${padEnd(cut(left, width, "…"), width)}  ${mark} ${cut(right, maxColumn, "…")}`.trimEnd()
  const differences = differencesOf(comparison)
  const shown = differences.slice(0, maxDifferences).map((text, index) => `  ${index + 1}. ${text}`)
  if (differences.length > maxDifferences) shown.push(`  … and ${differences.length - maxDifferences} more`)
  return [line({ left: "EXPECTED", mark: " ", right: "ACTUAL" }), ...rows.map(line), "", ...shown].join("\n")
}
