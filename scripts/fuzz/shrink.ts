/** Makes a tape that fails simpler, as long as it fails. */

/** How a shrink went. */
export interface Shrunk {
  readonly tape: ReadonlyArray<number>
  readonly tries: number
}

/**
 * Takes pieces out of the tape, the longest first, then makes its numbers smaller, until nothing helps or the tries are used
 * up. `fails` says whether a tape still fails, and gives the tape that was really used, which may be shorter.
 */
export const shrink = async (
  tape: ReadonlyArray<number>,
  fails: (tape: ReadonlyArray<number>) => Promise<ReadonlyArray<number> | undefined>,
  mostTries = 2000
): Promise<Shrunk> => {
  let best = tape
  let tries = 0
  const attempt = async (candidate: ReadonlyArray<number>): Promise<boolean> => {
    if (tries >= mostTries) return false
    tries++
    const used = await fails(candidate)
    if (used === undefined || !isSimpler(used, best)) return false
    best = used
    return true
  }
  for (;;) {
    const before = best
    for (let size = best.length; size >= 1; size = Math.floor(size / 2)) {
      for (let at = best.length - size; at >= 0; at -= size) {
        await attempt([...best.slice(0, at), ...best.slice(at + size)])
      }
    }
    for (let at = 0; at < best.length; at++) {
      if (best[at] === 0 || (await attempt(best.with(at, 0)))) continue
      // The smallest number that still fails, by halves.
      let low = 0
      while (at < best.length && low + 1 < best[at]!) {
        const middle = low + Math.floor((best[at]! - low) / 2)
        if (!(await attempt(best.with(at, middle)))) low = middle
      }
    }
    if (best === before || tries >= mostTries) return { tape: best, tries }
  }
}

/** Shorter, or as long and smaller at the first place where they differ. */
const isSimpler = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): boolean => {
  if (a.length !== b.length) return a.length < b.length
  const at = a.findIndex((value, i) => value !== b[i])
  return at >= 0 && a[at]! < b[at]!
}
