/**
 * The books: every span that ended, by its id, against what the Collector wrote.
 *
 * A span that did not arrive is accounted for where
 *
 * - it belongs to the last tick of a process that was killed: the spool writes at the end of a tick;
 * - or it belongs to the ticks in a row before that, and the spool of that process had said that its disk was slow, so that another
 *   thread was writing;
 * - or the pipeline counted it as lost. Counters have no ids: of those that are left, at most as many as were counted.
 */
import { createReadStream, readFileSync } from "node:fs"
import { createInterface } from "node:readline"
import { Ids } from "./ids.ts"

/** A process that worked, and how it ended. */
export interface Life {
  readonly log: string
  readonly ending: "killed" | "end" | "exit" | "crash" | "drain"
}

/** A group of processes whose spans may be in the same spool. */
export interface Account {
  readonly name: string
  sent: number
  /** Of those sent, how many arrived. */
  received: number
  /** How many arrived a second time or more. */
  again: number
  lastTick: number
  slowDisk: number
  /** By reason, as the pipelines counted. */
  readonly counted: Record<string, number>
  /** Neither received nor excused. */
  missing: number
}

export const countedOf = (account: Account): number => Object.values(account.counted).reduce((sum, n) => sum + n, 0)

export const unaccountedOf = (account: Account): number => Math.max(0, account.missing - countedOf(account))

/** The ids of what Collectors wrote. */
export const readReceived = async (files: ReadonlyArray<string>): Promise<Ids> => {
  const ids = new Ids()
  for (const file of files) {
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      for (const [, id] of line.matchAll(/"spanId":"([0-9a-f]{16})"/g)) ids.add(id!)
    }
  }
  return ids
}

interface Log {
  /** Ids, tick by tick. */
  readonly ticks: ReadonlyArray<ReadonlyArray<string>>
  readonly isSlow: boolean
  readonly dropped: Readonly<Record<string, number>>
}

/** A log is torn where its process was killed: what has no end of line was never said. */
export const readLog = (text: string): Log => {
  const lines = text.split("\n")
  lines.pop()
  const ticks: Array<Array<string>> = []
  let tick: Array<string> = []
  let isSlow = false
  let dropped: Readonly<Record<string, number>> = {}
  for (const line of lines) {
    if (/^[0-9a-f]{16}$/.test(line)) tick.push(line)
    else if (line.startsWith("T ")) {
      ticks.push(tick)
      tick = []
    } else if (line.startsWith("S ")) dropped = (JSON.parse(line.slice(2)) as Log).dropped
    else if (line.startsWith("L ") && line.includes("is on a slow disk")) isSlow = true
  }
  // Written in part: none of these spans has ended.
  return { ticks, isSlow, dropped }
}

export const account = (name: string, lives: ReadonlyArray<Life>, received: Ids): Account => {
  const result: Account = {
    name,
    sent: 0,
    received: 0,
    again: 0,
    lastTick: 0,
    slowDisk: 0,
    counted: {},
    missing: 0
  }
  for (const life of lives) {
    const { dropped, isSlow, ticks } = readLog(readFileSync(life.log, "utf8"))
    for (const [reason, count] of Object.entries(dropped))
      result.counted[reason] = (result.counted[reason] ?? 0) + count
    // From the last tick backwards: what may lack is at the end, and in one piece.
    let mayLack = life.ending === "killed"
    for (let i = ticks.length - 1; i >= 0; i--) {
      let lacking = 0
      for (const id of ticks[i]!) {
        const times = received.count(id)
        if (times === 0) lacking++
        else {
          result.received++
          result.again += times - 1
        }
      }
      result.sent += ticks[i]!.length
      if (lacking > 0 && mayLack && i === ticks.length - 1) result.lastTick += lacking
      else if (lacking > 0 && mayLack && isSlow) result.slowDisk += lacking
      else result.missing += lacking
      // It is written in order: before what arrived, nothing may lack.
      if (lacking === 0) mayLack = false
    }
  }
  return result
}
