/**
 * What came of a soak, for people, and what is wrong with it.
 */
import { type Account, countedOf, unaccountedOf } from "./account.ts"
import type { Report } from "./run.ts"

const row = (cells: ReadonlyArray<string>): string =>
  cells.map((cell, i) => (i === 0 ? cell.padEnd(10) : cell.padStart(12))).join(" ")

const listed = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ")

export const print = (report: Report, write: (line: string) => void): void => {
  const { accounts } = report
  write("")
  write(row(["spans", "sent", "received", "twice", "last tick", "slow disk", "counted lost", "unaccounted"]))
  for (const account of accounts) {
    const { again, lastTick, name, received, sent, slowDisk } = account
    write(
      row([
        name,
        ...[sent, received, again, lastTick, slowDisk, countedOf(account), unaccountedOf(account)].map(String)
      ])
    )
  }
  const sent = accounts.reduce((sum, account) => sum + account.sent, 0)
  write("")
  write(`rate        ${Math.round(sent / report.seconds)} spans/s for ${report.seconds.toFixed(1)} s`)
  write(`processes   ${listed(report.endings)}`)
  write(`outages     ${listed(report.outages)}; ${report.uncertain} of ${report.requests} requests without an answer`)
  write(
    `sent twice  at most ${report.mostAgain}: a batch for each process with a spool that ended, and each request without an answer`
  )
  for (const account of accounts) {
    if (countedOf(account) > 0) write(`lost        ${account.name}: ${listed(account.counted)}${excess(account)}`)
  }
  write("")
}

/** A span may be counted as lost and have arrived: where the answer that said so did not. */
const excess = (account: Account): string => {
  const arrived = countedOf(account) - account.missing
  return arrived > 0 ? ` (${arrived} of them did arrive)` : ""
}

export const wrongWith = (report: Report): ReadonlyArray<string> => {
  const again = report.accounts.reduce((sum, account) => sum + account.again, 0)
  return [
    ...report.accounts.flatMap((account) =>
      unaccountedOf(account) > 0 ? [`${unaccountedOf(account)} spans of ${account.name} are unaccounted for`] : []
    ),
    ...report.accounts.flatMap(({ name, sent }) => (sent === 0 ? [`${name} sent nothing`] : [])),
    ...(report.strange > 0 ? [`${report.strange} spans arrived that nobody had sent`] : []),
    ...(again > report.mostAgain ? [`${again} spans arrived again, more than ${report.mostAgain}`] : []),
    ...(report.left === undefined ? [] : [report.left])
  ]
}
