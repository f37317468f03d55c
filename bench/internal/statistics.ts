/** Medians, and ratios that are paired by turn: what disturbs a turn disturbs both of its figures. */
export const median = (numbers: ReadonlyArray<number>): number => {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
}

export const spread = (numbers: ReadonlyArray<number>): Spread => ({
  median: median(numbers),
  low: Math.min(...numbers),
  high: Math.max(...numbers)
})

/** Of rounds, each of them turns. `undefined` where there is nothing to divide by. */
export const ratios = (
  ours: ReadonlyArray<ReadonlyArray<number>>,
  peer: ReadonlyArray<ReadonlyArray<number>>
): Spread | undefined => {
  const paired = ours.map((turns, round) =>
    median(turns.flatMap((number, turn) => (turn < peer[round]!.length ? [number / peer[round]![turn]!] : [])))
  )
  return paired.every(Number.isFinite) ? spread(paired) : undefined
}
