/**
 * Versions against ranges, as `package.json` writes them: `^4.1.0`, `~1.2`, `>=1.9.0 <2.0.0`, `0.5.14`, `a || b`.
 *
 * @internal
 */

type Version = readonly [number, number, number]

const parse = (text: string): Version | undefined => {
  const match = /^[v=]*(\d+)(?:\.(\d+|x|\*))?(?:\.(\d+|x|\*))?(?:[-+].*)?$/.exec(text.trim())
  if (match === null) return undefined
  const part = (value: string | undefined): number => (value === undefined || /[x*]/.test(value) ? 0 : Number(value))
  return [Number(match[1]), part(match[2]), part(match[3])]
}

const compare = (a: Version, b: Version): number => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]

const ceilingOfCaret = ([major, minor, patch]: Version): Version =>
  major > 0 ? [major + 1, 0, 0] : minor > 0 ? [0, minor + 1, 0] : [0, 0, patch + 1]

const holds = (version: Version, comparator: string): boolean | undefined => {
  const match = /^(\^|~|>=|<=|>|<|=)?(.+)$/.exec(comparator)
  const limit = parse(match?.[2] ?? "")
  if (limit === undefined) return comparator === "*" || comparator === "" ? true : undefined
  const order = compare(version, limit)
  switch (match?.[1]) {
    case "^":
      return order >= 0 && compare(version, ceilingOfCaret(limit)) < 0
    case "~":
      return order >= 0 && compare(version, [limit[0], limit[1] + 1, 0]) < 0
    case ">=":
      return order >= 0
    case "<=":
      return order <= 0
    case ">":
      return order > 0
    case "<":
      return order < 0
    default: {
      const parts = match![2]!.split(".").filter((part) => !/[x*]/.test(part)).length
      return version.slice(0, parts).every((number, at) => number === limit[at])
    }
  }
}

/** Whether a version is in a range. A range that is not understood (a tag, a URL) holds: nothing can be said against it. */
export const satisfies = (version: string, range: string): boolean => {
  const parsed = parse(version)
  if (parsed === undefined) return true
  return range.split("||").some((alternative) =>
    alternative
      .trim()
      .replace(/(\^|~|>=|<=|>|<|=)\s+/g, "$1")
      .split(/\s+/)
      .every((comparator) => holds(parsed, comparator) ?? true)
  )
}
