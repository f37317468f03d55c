/** Rows with their figures: as a document, and as a table. */
import type { Figures } from "./cases.ts"
import type { Row } from "./rows.ts"
import { median, ratios, spread } from "./statistics.ts"

/** A row of the document that `--json` prints. Figures are medians; `null` is what there is not. */
export interface Result {
  readonly name: string
  readonly ours: number | null
  readonly peer: number | null
  readonly peerName: string | null
  readonly ratio: number | null
  /** The least and the greatest of the rounds, of what the goal is about. */
  readonly low: number | null
  readonly high: number | null
  readonly goal: number | null
}

/** What a case came to, round by round and turn by turn; nothing where its process failed. */
export type Rounds = ReadonlyMap<string, ReadonlyArray<ReadonlyArray<Figures>>>

export const resultOf = (row: Row, rounds: Rounds): Result => {
  const figures = (name: string | undefined): ReadonlyArray<ReadonlyArray<number>> =>
    (name === undefined ? undefined : rounds.get(name))?.map((turns) => turns.map((turn) => turn[row.figure]!)) ?? []
  const ours = figures(row.ours.name)
  const peer = figures(row.peer?.name)
  const alone = ours.length === 0 ? undefined : spread(ours.map(median))
  const ratio = ours.length === 0 || peer.length === 0 ? undefined : ratios(ours, peer)
  const about = row.of === "ratio" ? ratio : alone
  return {
    name: row.name,
    ours: rounded(alone?.median),
    peer: rounded(peer.length === 0 ? undefined : median(peer.map(median))),
    peerName: row.peerName ?? null,
    ratio: rounded(ratio?.median),
    low: rounded(about?.low),
    high: rounded(about?.high),
    goal: row.goal ?? null
  }
}

const rounded = (number: number | undefined): number | null =>
  number === undefined ? null : Number(number.toPrecision(4))

/** Whether the goal is reached; `undefined` where there is none, or no figure. */
export const reached = (row: Row, result: Result): boolean | undefined => {
  const figure = row.of === "ratio" ? result.ratio : result.ours
  if (result.goal === null || figure === null) return undefined
  return row.better === "lower" ? figure <= result.goal : figure >= result.goal
}

/** A spread wider than this share of its middle is noise. */
const noisy = 0.3

export const table = (rows: ReadonlyArray<Row>, results: ReadonlyArray<Result>): string => {
  const lines = rows.map((row, i) => cellsOf(row, results[i]!))
  const head = ["row", "ours", "peer", "", "unit", "ratio", "low to high", "goal", "reached"]
  const widths = head.map((title, column) => Math.max(title.length, ...lines.map((line) => line[column]!.length)))
  const draw = (cells: ReadonlyArray<string>): string =>
    `| ${cells.map((cell, i) => (isNumber[i] === true ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join(" | ")} |`
  const rule = `|${widths.map((width, i) => (isNumber[i] === true ? `${"-".repeat(width + 1)}:` : "-".repeat(width + 2))).join("|")}|`
  return [draw(head), rule, ...lines.map(draw)].join("\n")
}

const isNumber = [false, true, true, false, false, true, false, true, false]

const cellsOf = (row: Row, result: Result): ReadonlyArray<string> => {
  const { goal, high, low, ours, peer, peerName, ratio } = result
  const middle = row.of === "ratio" ? ratio : ours
  const isNoisy = middle !== null && middle > 0 && (high! - low!) / middle > noisy
  return [
    result.name,
    number(ours),
    number(peer),
    peerName ?? "",
    row.unit,
    number(ratio),
    low === null ? "" : `${number(low)} to ${number(high)}${isNoisy ? " (noisy)" : ""}`,
    goal === null ? "" : `${row.better === "lower" ? "≤" : "≥"} ${goal}`,
    goal === null ? "" : ({ true: "yes", false: "no" }[String(reached(row, result))] ?? "failed")
  ]
}

const number = (value: number | null): string =>
  value === null
    ? ""
    : Math.abs(value) >= 100
      ? Math.round(value).toLocaleString("en")
      : String(Number(value.toPrecision(3)))
