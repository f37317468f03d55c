/**
 * What a test expects of a trace, as nested data, and the comparison of it with what happened.
 *
 * What is written is checked, what is left out is not: `{ name: "db.insert" }` takes any kind, any status, any attributes
 * and any children.
 *
 * **Details**
 *
 * - `attributes`: those given, whatever others there are. `undefined` says that there is no such attribute.
 * - `children`: exactly those given, in the order of their starts; `[]` says that there are none. `unordered` takes any
 *   order, `otherChildren` takes others in between.
 * - `events` and `links`: those given, among others; events in the order given. `[]` says that there are none.
 * - A value may be a regular expression (tested on the value as text) or a predicate.
 *
 * **Example** (Comparing trees without a tracer)
 *
 * ```ts
 * import { compare } from "effect-telemetry/testing/ExpectedTrace"
 * import { trees } from "effect-telemetry/testing/TestSpan"
 *
 * if (trees([]).some((node) => compare({ name: "GET /", children: [] }, node).cost > 0)) throw new Error("unexpected")
 * ```
 */
import * as Duration from "effect/Duration"
import type * as Tracer from "effect/Tracer"
import { isDeepStrictEqual } from "node:util"
import type { AttributeValue } from "../tracer/SpanData.ts"
import { showExpected, showValue } from "./internal/show.ts"
import type { Attributes, TestEvent, TestLink, TestNode } from "./TestSpan.ts"

/** A value as it is, a regular expression for it, or a predicate on it. */
export type Expected<A> = A | RegExp | ((value: any) => boolean)

/** Attributes by key. `undefined`: there is none of that key. */
export type ExpectedAttributes = Readonly<Record<string, Expected<AttributeValue> | undefined>>

/** An event: its name, or its name and attributes. */
export type ExpectedEvent =
  string | { readonly name: Expected<string>; readonly attributes?: ExpectedAttributes | undefined }

/** A link to a span. */
export interface ExpectedLink {
  readonly traceId?: Expected<string> | undefined
  readonly spanId?: Expected<string> | undefined
  readonly attributes?: ExpectedAttributes | undefined
}

/** What is expected of a span and of what is below it. */
export interface ExpectedSpan {
  /** Anything that is left out is not checked. */
  readonly name?: Expected<string> | undefined
  readonly kind?: Tracer.SpanKind | undefined
  readonly status?: "unset" | "ok" | "error" | undefined
  readonly statusMessage?: Expected<string> | undefined
  readonly attributes?: ExpectedAttributes | undefined
  readonly events?: ReadonlyArray<ExpectedEvent> | undefined
  readonly links?: ReadonlyArray<ExpectedLink> | undefined
  /** Exact under `TestClock`. A predicate gets milliseconds. */
  readonly duration?: Duration.Input | ((millis: number) => boolean) | undefined
  /** All children in the order of their starts; a text is a name. Left out: not checked. */
  readonly children?: ReadonlyArray<ExpectedSpan | string> | undefined
  /** Children may start in any order. Default `false`. */
  readonly unordered?: boolean | undefined
  /** There may be children that are not listed. Default `false`. */
  readonly otherChildren?: boolean | undefined
}

/** One thing that was looked at. */
export interface Check {
  readonly what: string
  readonly ok: boolean
  readonly expected: string
  readonly actual: string
  /** Stands in the line of the span itself: name, kind, status. */
  readonly inline: boolean
}

/** An expected tree and the actual one that stands for it. */
export interface Pair {
  readonly _tag: "Pair"
  readonly expected: ExpectedSpan
  readonly actual: TestNode
  readonly checks: ReadonlyArray<Check>
  /** `undefined`: children are not checked. */
  readonly children: ReadonlyArray<Comparison> | undefined
  /** How much differs; 0: it is as expected. */
  readonly cost: number
}

/** The comparison of an expected tree with an actual one. */
export type Comparison =
  | Pair
  | {
      readonly _tag: "Missing"
      readonly expected: ExpectedSpan
      /** It is there, but started before or after another place in the order. */
      readonly elsewhere: boolean
      readonly cost: number
    }
  | { readonly _tag: "Extra"; readonly actual: TestNode; readonly elsewhere: boolean; readonly cost: number }

const matches = (expected: Expected<unknown> | undefined, actual: unknown): boolean => {
  if (typeof expected === "function") {
    try {
      return expected(actual) === true
    } catch {
      // `(value) => value.startsWith("a")` where there is no value: it does not match.
      return false
    }
  }
  if (expected instanceof RegExp) {
    // A regular expression with the flag g or y remembers where it stopped.
    expected.lastIndex = 0
    return actual !== undefined && expected.test(String(actual))
  }
  return isDeepStrictEqual(expected, actual)
}

const check = (what: string, expected: Expected<unknown> | undefined, actual: unknown, inline = false): Check => ({
  what,
  ok: matches(expected, actual),
  expected: expected === undefined ? "(none)" : showExpected(expected),
  actual: showValue(actual),
  inline
})

const attributeChecks = (expected: ExpectedAttributes | undefined, actual: Attributes): Array<Check> =>
  Object.entries(expected ?? {}).map(([key, value]) =>
    check(key, value, Object.hasOwn(actual, key) ? actual[key] : undefined)
  )

const attributesMatch = (expected: ExpectedAttributes | undefined, actual: Attributes): boolean =>
  attributeChecks(expected, actual).every(({ ok }) => ok)

const eventMatches = (expected: ExpectedEvent, actual: TestEvent): boolean =>
  typeof expected === "string"
    ? expected === actual.name
    : matches(expected.name, actual.name) && attributesMatch(expected.attributes, actual.attributes)

const showAttributes = (attributes: Readonly<Record<string, unknown>> | undefined): string => {
  const entries = Object.entries(attributes ?? {})
  return entries.length === 0
    ? ""
    : ` { ${entries.map(([key, value]) => `${key}: ${showExpected(value)}`).join(", ")} }`
}

const showEvent = (event: ExpectedEvent | TestEvent): string =>
  typeof event === "string"
    ? event
    : `${typeof event.name === "string" ? event.name : showExpected(event.name)}${showAttributes(event.attributes)}`

const eventChecks = (
  expected: ReadonlyArray<ExpectedEvent> | undefined,
  actual: ReadonlyArray<TestEvent>
): Array<Check> => {
  if (expected === undefined) return []
  if (expected.length === 0) {
    const names = actual.map(showEvent).join(", ")
    return [{ what: "events", ok: actual.length === 0, expected: "(none)", actual: names || "(none)", inline: false }]
  }
  let from = 0
  return expected.map((event) => {
    const at = actual.findIndex((candidate, index) => index >= from && eventMatches(event, candidate))
    const what = "event"
    if (at >= 0) {
      from = at + 1
      return { what, ok: true, expected: showEvent(event), actual: showEvent(actual[at]!), inline: false }
    }
    const named = typeof event === "string" ? undefined : actual.find(({ name }) => matches(event.name, name))
    const seen = named === undefined ? `(not among: ${actual.map(({ name }) => name).join(", ") || "none"})` : ""
    return { what, ok: false, expected: showEvent(event), actual: named ? showEvent(named) : seen, inline: false }
  })
}

const linkMatches = (expected: ExpectedLink, actual: TestLink): boolean =>
  (expected.traceId === undefined || matches(expected.traceId, actual.traceId)) &&
  (expected.spanId === undefined || matches(expected.spanId, actual.spanId)) &&
  attributesMatch(expected.attributes, actual.attributes)

const showLink = (link: ExpectedLink): string =>
  [
    link.traceId === undefined ? "" : `trace ${showExpected(link.traceId)}`,
    link.spanId === undefined ? "" : `span ${showExpected(link.spanId)}`
  ]
    .filter((part) => part !== "")
    .join(" ") + showAttributes(link.attributes)

const linkChecks = (
  expected: ReadonlyArray<ExpectedLink> | undefined,
  actual: ReadonlyArray<TestLink>
): Array<Check> => {
  if (expected === undefined) return []
  const all = actual.map(showLink).join(", ") || "(none)"
  if (expected.length === 0) {
    return [{ what: "links", ok: actual.length === 0, expected: "(none)", actual: all, inline: false }]
  }
  return expected.map((link) => {
    const found = actual.find((candidate) => linkMatches(link, candidate))
    return {
      what: "link",
      ok: found !== undefined,
      expected: showLink(link),
      actual: found === undefined ? all : showLink(found),
      inline: false
    }
  })
}

const durationChecks = (expected: ExpectedSpan["duration"], actual: number): Array<Check> => {
  if (expected === undefined) return []
  if (typeof expected === "function") {
    const ok = matches(expected, actual)
    return [{ what: "duration", ok, expected: showExpected(expected), actual: `${actual} ms`, inline: false }]
  }
  const millis = Duration.toMillis(Duration.fromInputUnsafe(expected))
  return [{ what: "duration", ok: millis === actual, expected: `${millis} ms`, actual: `${actual} ms`, inline: false }]
}

const checksOf = (expected: ExpectedSpan, actual: TestNode): Array<Check> => {
  const checks: Array<Check> = []
  if (expected.name !== undefined) checks.push(check("name", expected.name, actual.name, true))
  if (expected.kind !== undefined) checks.push(check("kind", expected.kind, actual.kind, true))
  if (expected.status !== undefined) checks.push(check("status", expected.status, actual.status, true))
  if (expected.statusMessage !== undefined) {
    checks.push(check("statusMessage", expected.statusMessage, actual.statusMessage))
  }
  return checks.concat(
    attributeChecks(expected.attributes, actual.attributes),
    eventChecks(expected.events, actual.events),
    linkChecks(expected.links, actual.links),
    durationChecks(expected.duration, actual.duration)
  )
}

/** The text is a name. */
export const normalize = (expected: ExpectedSpan | string): ExpectedSpan =>
  typeof expected === "string" ? { name: expected } : expected

/** Heavier than anything else that may differ: spans of different names are never taken for one another. */
const otherName = 1000

/** Compares a tree with what is expected of it. */
export const compare = (expected: ExpectedSpan, actual: TestNode): Pair => {
  const checks = checksOf(expected, actual)
  const children = expected.children === undefined ? undefined : compareChildren(expected, actual.children)
  let cost = 0
  for (const { ok, what } of checks) if (!ok) cost += what === "name" ? otherName : 1
  for (const child of children ?? []) cost += child.cost
  return { _tag: "Pair", expected, actual, checks, children, cost }
}

/** What it costs that a child is not there. */
const missingCost = 20
/** A child of the right name is the child that was meant, however much of it differs. */
const maxPairCost = missingCost - 1

const sameName = (expected: ExpectedSpan, actual: TestNode): boolean =>
  expected.name === undefined || matches(expected.name, actual.name)

const compareChildren = (parent: ExpectedSpan, actual: ReadonlyArray<TestNode>): Array<Comparison> => {
  const expected = (parent.children ?? []).map(normalize)
  const extraCost = parent.otherChildren === true ? 0 : missingCost
  const memo = new Map<number, Pair>()
  const pair = (e: number, a: number): Pair => {
    const key = e * actual.length + a
    const known = memo.get(key)
    if (known !== undefined) return known
    const made = compare(expected[e]!, actual[a]!)
    memo.set(key, made)
    return made
  }
  const canPair = (e: number, a: number): boolean => sameName(expected[e]!, actual[a]!)
  const partners = parent.unordered === true ? inAnyOrder : inOrder
  const partnerOf = partners(
    expected.length,
    actual.length,
    canPair,
    (e, a) => Math.min(pair(e, a).cost, maxPairCost),
    extraCost
  )
  const taken = new Map<number, number>()
  partnerOf.forEach((a, e) => {
    if (a !== undefined) taken.set(a, e)
  })
  const missing = expected.map((_, e) => e).filter((e) => partnerOf[e] === undefined)
  const free = actual.map((_, a) => a).filter((a) => !taken.has(a))
  const elsewhere = (e: number, a: number): boolean => canPair(e, a) && pair(e, a).cost === 0

  const out: Array<Comparison> = []
  const missingBefore = (e: number): void => {
    while (missing.length > 0 && missing[0]! < e) {
      const gone = missing.shift()!
      const moved = free.some((a) => elsewhere(gone, a))
      out.push({ _tag: "Missing", expected: expected[gone]!, elsewhere: moved, cost: missingCost })
    }
  }
  const lost = [...missing]
  actual.forEach((node, a) => {
    const e = taken.get(a)
    if (e === undefined) {
      const moved = lost.some((gone) => elsewhere(gone, a))
      out.push({ _tag: "Extra", actual: node, elsewhere: moved, cost: extraCost })
    } else {
      if (parent.unordered !== true) missingBefore(e)
      out.push(pair(e, a))
    }
  })
  missingBefore(expected.length)
  return out
}

type Partners = (
  expected: number,
  actual: number,
  canPair: (e: number, a: number) => boolean,
  cost: (e: number, a: number) => number,
  extraCost: number
) => Array<number | undefined>

/** The cheapest alignment of two lists (edit distance without replacement of what cannot be paired). */
const inOrder: Partners = (expected, actual, canPair, cost, extraCost) => {
  const width = actual + 1
  const best = new Float64Array((expected + 1) * width)
  for (let e = expected; e >= 0; e--) {
    for (let a = actual; a >= 0; a--) {
      if (e === expected && a === actual) continue
      let least = Infinity
      if (e < expected) least = Math.min(least, best[(e + 1) * width + a]! + missingCost)
      if (a < actual) least = Math.min(least, best[e * width + a + 1]! + extraCost)
      if (e < expected && a < actual && canPair(e, a)) {
        least = Math.min(least, best[(e + 1) * width + a + 1]! + cost(e, a))
      }
      best[e * width + a] = least
    }
  }
  const partner: Array<number | undefined> = Array.from({ length: expected }, () => undefined)
  let e = 0
  let a = 0
  while (e < expected && a < actual) {
    const here = best[e * width + a]!
    if (canPair(e, a) && here === best[(e + 1) * width + a + 1]! + cost(e, a)) {
      partner[e++] = a++
    } else if (here === best[e * width + a + 1]! + extraCost) {
      a++
    } else {
      e++
    }
  }
  return partner
}

/** As many as can be paired without a difference; the others with the nearest that is left. */
const inAnyOrder: Partners = (expected, actual, canPair, cost) => {
  const ownerOf: Array<number | undefined> = Array.from({ length: actual }, () => undefined)
  const augment = (e: number, seen: Set<number>): boolean => {
    for (let a = 0; a < actual; a++) {
      if (seen.has(a) || !canPair(e, a) || cost(e, a) > 0) continue
      seen.add(a)
      const owner = ownerOf[a]
      if (owner === undefined || augment(owner, seen)) {
        ownerOf[a] = e
        return true
      }
    }
    return false
  }
  const partner: Array<number | undefined> = Array.from({ length: expected }, () => undefined)
  for (let e = 0; e < expected; e++) augment(e, new Set())
  ownerOf.forEach((e, a) => {
    if (e !== undefined) partner[e] = a
  })
  for (let e = 0; e < expected; e++) {
    if (partner[e] !== undefined) continue
    let nearest: number | undefined
    for (let a = 0; a < actual; a++) {
      if (ownerOf[a] !== undefined || !canPair(e, a)) continue
      if (nearest === undefined || cost(e, a) < cost(e, nearest)) nearest = a
    }
    if (nearest === undefined) continue
    partner[e] = nearest
    ownerOf[nearest] = e
  }
  return partner
}
