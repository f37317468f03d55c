import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "@effect/vitest"
import {
  account,
  type Account,
  type Life,
  readLog,
  readReceived,
  unaccountedOf
} from "../../../scripts/soak/account.ts"
import { Ids } from "../../../scripts/soak/ids.ts"
import { print, wrongWith } from "../../../scripts/soak/report.ts"

const folder = mkdtempSync(join(tmpdir(), "soak-test-"))
afterAll(() => rmSync(folder, { recursive: true }))

const id = (n: number): string => n.toString(16).padStart(16, "0")
const range = (from: number, to: number): ReadonlyArray<number> => Array.from({ length: to - from }, (_, i) => from + i)

let files = 0
/** A process that ended ten spans a tick, ids 0, 1, 2, …; `more` is the rest of its log. */
const life = (ticks: number, ending: Life["ending"], more = ""): Life => {
  const log = join(folder, `${files++}.log`)
  const lines = range(0, ticks).flatMap((tick) => [...range(tick * 10, tick * 10 + 10).map(id), `T ${tick}`])
  writeFileSync(log, `${lines.join("\n")}\n${more}`)
  return { log, ending }
}

const receivedBut = (count: number, ...lost: ReadonlyArray<number>): Ids => {
  const ids = new Ids()
  for (const n of range(0, count)) if (!lost.includes(n)) ids.add(id(n))
  return ids
}

const report = (...accounts: ReadonlyArray<Account>) => ({
  accounts,
  seconds: 1,
  endings: { killed: 1, end: 0, exit: 0, crash: 0, drain: 1 },
  outages: {},
  uncertain: 0,
  requests: 1,
  strange: 0,
  mostAgain: 512,
  left: undefined
})

describe("the books of the soak", () => {
  it("all there: nothing is wrong", () => {
    const books = account("spool", [life(5, "killed")], receivedBut(50))
    expect(books).toMatchObject({ sent: 50, received: 50, again: 0, lastTick: 0, missing: 0 })
    expect(wrongWith(report(books))).toEqual([])
  })

  it("a span that lacks in the midst is unaccounted for, however its process ended", () => {
    for (const ending of ["killed", "end", "exit", "crash"] as const) {
      const books = account("spool", [life(5, ending)], receivedBut(50, 23))
      expect(unaccountedOf(books), ending).toBe(1)
      expect(wrongWith(report(books)), ending).toEqual(["1 spans of spool are unaccounted for"])
    }
  })

  it("the last tick may lack of a process that was killed, of no other, and none before it", () => {
    expect(account("spool", [life(5, "killed")], receivedBut(40))).toMatchObject({ lastTick: 10, missing: 0 })
    expect(account("spool", [life(5, "killed")], receivedBut(50, 47))).toMatchObject({ lastTick: 1, missing: 0 })
    expect(account("spool", [life(5, "exit")], receivedBut(40))).toMatchObject({ lastTick: 0, missing: 10 })
    expect(account("spool", [life(5, "killed")], receivedBut(30))).toMatchObject({ lastTick: 10, missing: 10 })
  })

  it("with a slow disk the ticks before may lack with it, without a gap", () => {
    const slow = "L Warn OpenTelemetry export: the spool /x is on a slow disk, another thread writes it for a while\n"
    expect(account("spool", [life(5, "killed", slow)], receivedBut(25))).toMatchObject({
      lastTick: 10,
      slowDisk: 15,
      missing: 0
    })
    expect(account("spool", [life(5, "killed", slow)], receivedBut(50, 23))).toMatchObject({ slowDisk: 0, missing: 1 })
  })

  it("what was counted as lost may lack, and no more", () => {
    const counted = `S ${JSON.stringify({ dropped: { queue_full: 3, shutdown: 1 } })}\n`
    const four = account("memory", [life(5, "end", counted)], receivedBut(50, 1, 2, 3, 4))
    expect([four.missing, unaccountedOf(four)]).toEqual([4, 0])
    expect(unaccountedOf(account("memory", [life(5, "end", counted)], receivedBut(50, 1, 2, 3, 4, 5)))).toBe(1)
  })

  it("what arrives twice is counted, and more than a batch for each cause is wrong", () => {
    const ids = receivedBut(50)
    for (const n of [7, 7, 8]) ids.add(id(n))
    const books = account("spool", [life(5, "killed")], ids)
    expect(books).toMatchObject({ sent: 50, received: 50, again: 3 })
    expect(wrongWith(report(books))).toEqual([])
    expect(wrongWith({ ...report(books), mostAgain: 2 })).toEqual(["3 spans arrived again, more than 2"])
  })

  it("a torn log says nothing of what had not been said", () => {
    const whole = `${id(1)}\n${id(2)}\nT 0\n${id(3)}\n${id(4)}\nT 1\n`
    for (let length = 0; length <= whole.length; length++) {
      const { ticks } = readLog(whole.slice(0, length))
      expect(ticks).toEqual(
        [
          [id(1), id(2)],
          [id(3), id(4)]
        ].slice(0, whole.slice(0, length).split(/T \d\n/).length - 1)
      )
    }
  })

  it("reads the ids that a Collector wrote: of spans, not of their parents", async () => {
    const file = join(folder, "received.jsonl")
    const spans = range(0, 3).map((n) => ({ traceId: id(9) + id(9), spanId: id(n), parentSpanId: id(8), name: "x" }))
    writeFileSync(file, `${JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] })}\n`)
    const ids = await readReceived([file, file])
    expect([ids.length, ids.distinct(), ids.count(id(1)), ids.count(id(8))]).toEqual([6, 3, 2, 0])
  })

  it("prints a row for each group, and why spans were lost", () => {
    const counted = `S ${JSON.stringify({ dropped: { queue_full: 3 } })}\n`
    const lines: Array<string> = []
    print(report(account("memory", [life(5, "end", counted)], receivedBut(50, 1, 2))), (line) => lines.push(line))
    expect(lines.find((line) => line.startsWith("memory"))?.split(/ +/)).toEqual([
      "memory",
      "50",
      "48",
      "0",
      "0",
      "0",
      "3",
      "0"
    ])
    expect(lines).toContain("lost        memory: queue_full 3 (1 of them did arrive)")
  })
})
