/** The headers that carry a trace, held against the grammars of their specifications, read here in another way than there. */
import assert from "node:assert/strict"
import * as B3 from "../../../src/propagation/B3.ts"
import * as Baggage from "../../../src/propagation/Baggage.ts"
import * as TraceContext from "../../../src/propagation/TraceContext.ts"
import * as TraceState from "../../../src/propagation/TraceState.ts"
import { anything, type Choices, digits, hex, letters, lower, printable } from "../Choices.ts"
import { target } from "../Target.ts"

const id = (choices: Choices, length: number): string => {
  if (choices.once(12)) return "0".repeat(length)
  const piece = Array.from({ length: 4 }, () => choices.pick([...hex])).join("")
  return piece.repeat(length / 4)
}

const isHex = (text: string, length: number): boolean =>
  text.length === length && [...text].every((character) => hex.includes(character))

const isZero = (text: string): boolean => [...text].every((character) => character === "0")

const withoutBlanks = (text: string): string => {
  let out = text
  while (out.startsWith(" ") || out.startsWith("\t")) out = out.slice(1)
  while (out.endsWith(" ") || out.endsWith("\t")) out = out.slice(0, -1)
  return out
}

// ---------------------------------------------------------------------------------------------------------------------

const headerOf = (choices: Choices): string => {
  const version = choices.pick(["00", "01", "fe", "ff", "0", "0G"])
  const parts = [version, id(choices, 32), id(choices, 16), choices.pick(["01", "00", "03", "ff", "1", "zz"])]
  if (choices.once(4)) parts.push(choices.text(8, printable))
  return choices.mutated(parts.join("-"))
}

/** Level 2, section 3.2, read field by field. */
const expectedParent = (header: string): { readonly traceId: string; readonly spanId: string } | undefined => {
  const text = withoutBlanks(header)
  const [version = "", traceId = "", spanId = "", flags = "", ...rest] = text.split("-")
  if (!isHex(version, 2) || version === "ff") return undefined
  if (!isHex(traceId, 32) || isZero(traceId) || !isHex(spanId, 16) || isZero(spanId) || !isHex(flags, 2))
    return undefined
  if (version === "00" && rest.length > 0) return undefined
  return { traceId, spanId }
}

export const traceparent = target({
  name: "traceparent",
  claim: "what is read is what the grammar says, and what is written is read again",
  make: (choices) => choices.oneOf(headerOf, (choices) => choices.text(80), headerOf),
  check: (header) => {
    const read = TraceContext.parseTraceparent(header)
    const expected = expectedParent(header)
    assert.deepEqual(read && { traceId: read.traceId, spanId: read.spanId }, expected)
    if (read === undefined) return
    assert.equal(read.traceFlags & ~3, 0)
    const written = TraceContext.formatTraceparent(read)
    assert.equal(written.length, 55)
    assert.deepEqual(TraceContext.parseTraceparent(written), read)
    assert.deepEqual(TraceContext.parse([header]), { ...read, traceState: undefined })
    assert.equal(TraceContext.parse([header, header]), undefined)
  }
})

// ---------------------------------------------------------------------------------------------------------------------

const keyStart = lower + digits
const keyRest = `${keyStart}_-*/@`

const memberOf = (choices: Choices): string => {
  const key = choices.pick([...keyStart]) + choices.text(300, keyRest)
  const value = choices.text(300, printable.replace(/[,=]/g, ""))
  return choices.mutated(`${key}=${value}`)
}

/** As many members as there may be, or some more. */
const manyMembers = (choices: Choices): string =>
  Array.from({ length: choices.between(28, 36) }, (_, i) => `k${i}=${"v".repeat(choices.pick([1, 12, 130]))}`).join(",")

const stateOf = (choices: Choices): string =>
  choices
    .list(
      40,
      (choices) =>
        choices.pick(["", " ", "\t"]) +
        choices.oneOf(
          memberOf,
          memberOf,
          () => "a=1",
          () => ""
        )
    )
    .join(",")

/** Level 2, section 3.3.1, without its limits. `undefined`: the whole list is invalid. */
const expectedMembers = (header: string): Array<readonly [string, string]> | undefined => {
  const members = new Map<string, string>()
  let count = 0
  for (const part of header.split(",").map(withoutBlanks)) {
    if (part === "") continue
    const equals = part.indexOf("=")
    const key = equals < 0 ? "" : part.slice(0, equals)
    const value = part.slice(equals + 1)
    const isKey =
      key.length >= 1 && key.length <= 256 && keyStart.includes(key[0]!) && [...key].every((c) => keyRest.includes(c))
    const isValue =
      value.length >= 1 &&
      value.length <= 256 &&
      !value.endsWith(" ") &&
      [...value].every((c) => c >= " " && c <= "~" && c !== "," && c !== "=")
    if (!isKey || !isValue || ++count > 32) return undefined
    if (!members.has(key)) members.set(key, value)
  }
  return [...members]
}

export const tracestate = target({
  name: "tracestate",
  claim: "valid lists are carried on within their limits, all others are dropped whole",
  make: (choices) => ({
    headers: choices.list(4, (choices) => choices.oneOf(stateOf, manyMembers, (choices) => choices.text(60))),
    set: [choices.mutated("key"), choices.mutated("value")] as const
  }),
  check: ({ headers, set }) => {
    const state = TraceState.parse(headers)
    const expected = expectedMembers(headers.join(","))
    if (expected === undefined || expected.length === 0) return assert.equal(state, undefined)
    const text = expected.map(([key, value]) => `${key}=${value}`).join(",")
    const written = state?.serialize() ?? ""
    assert.ok(written.length <= 512)
    if (text.length <= 512) assert.equal(written, text)
    else {
      // Whole members are left, in their order.
      const kept = written === "" ? [] : written.split(",")
      const all = text.split(",")
      assert.deepEqual(
        kept,
        all.filter((member) => kept.includes(member))
      )
    }
    if (state === undefined) return
    assert.equal(TraceState.parse(written)?.serialize(), written)
    const changed = state.set(...set)
    const again = TraceState.parse(changed.serialize())
    assert.equal(again?.serialize(), changed.serialize())
    assert.ok(changed.members.length <= 32)
    assert.equal(changed.unset(set[0]).get(set[0]), undefined)
    for (const [key, value] of state.members) assert.equal(state.get(key), value)
  }
})

// ---------------------------------------------------------------------------------------------------------------------

const token = `${letters}!#$%&'*+-.^_\`|~`

const nameOf = (choices: Choices): string => choices.mutated(choices.pick(["a", "user.id", "__proto__", "k-1"]), token)

const entryOf = (choices: Choices): readonly [string, Baggage.Entry] => [
  nameOf(choices),
  {
    value: choices.text(40, anything).repeat(choices.once(6) ? choices.pick([20, 400]) : 1),
    properties: choices.list(2, (choices) => ({
      key: nameOf(choices),
      value: choices.oneOf<string | undefined>(
        () => undefined,
        (choices) => choices.text(8, anything)
      )
    }))
  }
]

const memberText = (choices: Choices): string =>
  choices.mutated(`${nameOf(choices)}=${choices.text(30, `${printable}%20%C3%A9%ff`)}`)

export const baggage = target({
  name: "baggage",
  claim: "any header is read within its limits, and what is written is read again as it was",
  make: (choices) => ({
    header: choices.oneOf(
      (choices) => choices.list(200, memberText).join(choices.pick([",", " , ", ",,"])),
      (choices) => choices.text(120)
    ),
    entries: choices.list(220, entryOf)
  }),
  check: ({ entries, header }) => {
    const read = Baggage.parse(header)
    assert.ok(read.size <= Baggage.MAX_MEMBERS)
    for (const [key, { properties, value }] of read) {
      assert.ok(key !== "" && [...key].every((character) => token.includes(character)))
      assert.ok(value.isWellFormed() && properties.every((property) => property.value?.isWellFormed() ?? true))
    }
    roundTrip(read)
    roundTrip(new Map(entries))
  }
})

const wellFormed = (entry: Baggage.Entry): Baggage.Entry => ({
  value: entry.value.toWellFormed(),
  properties: entry.properties.map(({ key, value }) => ({ key, value: value?.toWellFormed() }))
})

/** How long a text is when all that has to be is percent-encoded. */
const encodedLength = (text: string): number =>
  [...text.toWellFormed()].reduce(
    (sum, character) => sum + (/[!#$&-+\--:<-[\]-~]/.test(character) ? 1 : Buffer.byteLength(character) * 3),
    0
  )

const memberLength = ([key, { properties, value }]: readonly [string, Baggage.Entry]): number =>
  properties
    .filter((property) => Baggage.isKey(property.key))
    .reduce(
      (sum, { key, value }) => sum + key.length + 1 + (value === undefined ? 0 : encodedLength(value) + 1),
      key.length + 1 + encodedLength(value)
    )

const roundTrip = (given: Baggage.Baggage): void => {
  const written = Baggage.format(given)
  const sendable = [...given].filter(([key]) => Baggage.isKey(key))
  if (written === undefined) {
    return assert.ok(sendable.every((member) => memberLength(member) > Baggage.MAX_BYTES))
  }
  assert.match(written, /^[\x21-\x7e]+$/)
  assert.ok(written.length <= Baggage.MAX_BYTES)
  const again = Baggage.parse(written)
  assert.ok(again.size <= Baggage.MAX_MEMBERS)
  for (const [key, entry] of again) {
    const expected = wellFormed(given.get(key)!)
    const properties = expected.properties.filter((property) => Baggage.isKey(property.key))
    assert.deepEqual(entry, { value: expected.value, properties })
  }
  // All of it goes out where there is room for all of it.
  const whole = sendable.reduce((sum, member) => sum + memberLength(member) + 1, -1)
  if (sendable.length <= Baggage.MAX_MEMBERS && whole <= Baggage.MAX_BYTES) {
    assert.equal(written.length, whole)
    assert.deepEqual(
      [...again.keys()],
      sendable.map(([key]) => key)
    )
  }
  assert.equal(Baggage.format(again), written)
}

// ---------------------------------------------------------------------------------------------------------------------

const b3Of = (choices: Choices): string => {
  const parts = [id(choices, choices.pick([32, 16, 8])), id(choices, 16)]
  if (choices.once(2)) parts.push(choices.pick(["1", "0", "d", "D", "true", ""]))
  if (choices.once(4)) parts.push(id(choices, 16))
  return choices.mutated(choices.once(4) ? parts.join("-").toUpperCase() : parts.join("-"))
}

const expectedB3 = (header: string): { readonly traceId: string; readonly spanId: string } | undefined => {
  const parts = withoutBlanks(header).split("-")
  const [traceId = "", spanId = "", state] = parts.map((part, i) => (i < 2 ? part.toLowerCase() : part))
  if (header.length > 128 || parts.length < 2 || parts.length > 4) return undefined
  if (state !== undefined && !["0", "1", "d"].includes(state)) return undefined
  if (!(isHex(traceId, 16) || isHex(traceId, 32)) || isZero(traceId) || !isHex(spanId, 16) || isZero(spanId))
    return undefined
  return { traceId: traceId.padStart(32, "0"), spanId }
}

export const b3 = target({
  name: "b3",
  claim: "both forms are read as they are defined, and written so that they are read again",
  make: (choices) => ({
    single: choices.oneOf(b3Of, (choices) => choices.text(60)),
    fields: {
      traceId: choices.mutated(id(choices, choices.pick([32, 16]))),
      spanId: choices.mutated(id(choices, 16)),
      sampled: choices.pick([undefined, "1", "0", "true", "false", "x"]),
      flags: choices.pick([undefined, "1", "0"])
    }
  }),
  check: ({ fields, single }) => {
    const one = B3.parse(single)
    assert.deepEqual(one && { traceId: one.traceId, spanId: one.spanId }, expectedB3(single))
    for (const read of [one, B3.parseMulti(fields)]) {
      if (read === undefined) continue
      assert.ok(isHex(read.traceId, 32) && isHex(read.spanId, 16))
      assert.deepEqual(B3.parse(B3.format(read)), read)
      const {
        "x-b3-flags": flags,
        "x-b3-sampled": sampled,
        "x-b3-spanid": spanId,
        "x-b3-traceid": traceId
      } = B3.formatMulti(read)
      assert.deepEqual(B3.parseMulti({ traceId: traceId!, spanId: spanId!, sampled, flags }), read)
    }
  }
})
