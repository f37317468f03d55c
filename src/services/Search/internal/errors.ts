/**
 * Typing errors: letters that are missing, too many, wrong or swapped.
 *
 * @internal
 */

/** How many typing errors a word may have: none up to 2 letters, one up to 5, else two. */
export const maxErrors = (word: string): number => (word.length < 3 ? 0 : word.length < 6 ? 1 : 2)

/** The typing errors (letters that are missing, too many, wrong or swapped) between two words. */
export const distance = (a: string, b: string): number => prefixDistances(a, b).at(-1)!

/** The typing errors between a word and each beginning of another one. */
const prefixDistances = (a: string, b: string): ReadonlyArray<number> => {
  let before: Array<number> = []
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let least = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, before[j - 2]! + 1)
      next.push(least)
    }
    before = row
    row = next
  }
  return row
}

/** Whether a text begins with what was typed: exactly, or with as many errors as its length allows. */
export const begins = (text: string, typed: string, fuzzy: boolean): boolean => {
  if (text.startsWith(typed)) return true
  const errors = maxErrors(typed)
  return fuzzy && errors > 0 && text[0] === typed[0] && Math.min(...prefixDistances(typed, text)) <= errors
}
