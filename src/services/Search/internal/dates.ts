/**
 * Dates as the engines read them: `strict_date_optional_time||epoch_millis`, and date math.
 *
 * @internal
 *
 * @see https://www.elastic.co/docs/reference/elasticsearch/rest-apis/common-options#date-math
 */

const pattern =
  /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2})(?::(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?)?(Z|[+-]\d{2}(?::?\d{2})?)?)?)?$/

/** Whether a new field with this text becomes a date: a number alone does not. */
export const looksLikeDate = (text: string): boolean => !/^\d+$/.test(text) && parseIso(text, false) !== undefined

const parseIso = (text: string, up: boolean): number | undefined => {
  const found = pattern.exec(text)
  if (found === null) return undefined
  const [, year, month, day, hour, minute, second, fraction, zone] = found
  const millis = fraction === undefined ? undefined : Number(fraction.padEnd(3, "0").slice(0, 3))
  const monthIndex = month === undefined ? 0 : Number(month) - 1
  const lastDay = new Date(utc(Number(year), monthIndex + 1, 0, 0, 0, 0, 0)).getUTCDate()
  const parts = [
    day === undefined ? 1 : Number(day),
    hour === undefined ? (up ? 23 : 0) : Number(hour),
    minute === undefined ? (up ? 59 : 0) : Number(minute),
    second === undefined ? (up ? 59 : 0) : Number(second),
    millis ?? (up ? 999 : 0)
  ] as const
  const [d, h, m, s] = parts
  if (monthIndex > 11 || monthIndex < 0 || d < 1 || d > lastDay || h > 23 || m > 59 || s > 59) return undefined
  return utc(Number(year), monthIndex, ...parts) - offsetOf(zone)
}

/** As `Date.UTC`, which takes the years 0 to 99 for others. */
const utc = (
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
  milli: number
): number => new Date(Date.UTC(2000, 0, 1, hour, minute, second, milli)).setUTCFullYear(year, month, day)

const offsetOf = (zone: string | undefined): number => {
  if (zone === undefined || zone === "Z") return 0
  const digits = zone.replace(":", "")
  const minutes = Number(digits.slice(1, 3)) * 60 + Number(digits.slice(3, 5) || 0)
  return (digits.startsWith("-") ? -minutes : minutes) * 60_000
}

/**
 * Milliseconds since the epoch. `up` takes a time that is left open as the end of its day, hour or minute and not as the
 * beginning, as the bounds `gt` and `lte` do; a month or a day that is left open is the first in any case.
 */
export const parse = (value: unknown, up: boolean, now: number): number | undefined => {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? undefined : value.getTime()
  if (typeof value === "number") return Number.isFinite(value) ? Math.trunc(value) : undefined
  if (typeof value !== "string") return undefined
  const math = /^(?:(now)|(.+)\|\|)(.*)$/.exec(value)
  if (math !== null) {
    const start = math[1] === undefined ? parse(math[2], false, now) : now
    return start === undefined ? undefined : calculate(start, math[3]!, up)
  }
  return parseIso(value, up) ?? (/^-?\d+$/.test(value) ? Number(value) : undefined)
}

const calculate = (start: number, math: string, up: boolean): number | undefined => {
  let rest = math
  let at = new Date(start)
  while (rest !== "") {
    const step = /^([+-])(\d*)([yMwdhHms])|^\/([yMwdhHms])/.exec(rest)
    if (step === null) return undefined
    rest = rest.slice(step[0].length)
    if (step[4] === undefined) at = add(at, Number(step[2] || 1) * (step[1] === "-" ? -1 : 1), step[3]!)
    else {
      at = floor(at, step[4])
      if (up) at = new Date(add(at, 1, step[4]).getTime() - 1)
    }
  }
  return at.getTime()
}

const millisOf: Readonly<Record<string, number>> = {
  w: 604_800_000,
  d: 86_400_000,
  h: 3_600_000,
  H: 3_600_000,
  m: 60_000,
  s: 1000
}

const add = (date: Date, count: number, unit: string): Date => {
  if (unit !== "y" && unit !== "M") return new Date(date.getTime() + count * millisOf[unit]!)
  const months = unit === "y" ? count * 12 : count
  const moved = new Date(date)
  moved.setUTCDate(1)
  moved.setUTCMonth(moved.getUTCMonth() + months)
  const lastDay = new Date(Date.UTC(moved.getUTCFullYear(), moved.getUTCMonth() + 1, 0)).getUTCDate()
  moved.setUTCDate(Math.min(date.getUTCDate(), lastDay))
  return moved
}

const floor = (date: Date, unit: string): Date => {
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()]
  switch (unit) {
    case "y":
      return new Date(Date.UTC(year, 0))
    case "M":
      return new Date(Date.UTC(year, month))
    case "w":
      return new Date(Date.UTC(year, month, day - ((date.getUTCDay() + 6) % 7)))
    case "d":
      return new Date(Date.UTC(year, month, day))
    default:
      return new Date(Math.floor(date.getTime() / millisOf[unit]!) * millisOf[unit]!)
  }
}
