/**
 * The end of a span that is kept: what it holds is converted, limited and redacted, in place.
 *
 * @internal
 */
import * as Exit from "effect/Exit"
import type * as Tracer from "effect/Tracer"
import * as AttributeValue from "./AttributeValue.ts"
import { cut, MaximumKeyLength } from "./Limits.ts"
import { CLOSED, type KeyClass, ODD, ODD_SECRET, REDACTED, SECRET } from "./Redaction.ts"
import type { TelemetrySpan } from "./Span.ts"
import * as SpanContext from "./SpanContext.ts"
import type { AttributeValue as Value, EventData, LinkData } from "./SpanData.ts"
import * as SpanFailure from "./SpanFailure.ts"
import type { SharedAttributes, Snapshot } from "./TraceAttributes.ts"

/** The properties of a record, without those whose getters throw. */
export const readable = (record: Readonly<Record<string, unknown>>): Array<readonly [key: string, value: unknown]> =>
  keysOf(record).flatMap((key) => {
    const value = valueOf(record, key)
    return value === undefined ? [] : [[key, value] as const]
  })

/** Sets the attributes of a record, one at a time: those whose getters throw are left out. */
export const putEach = (span: TelemetrySpan, record: Readonly<Record<string, unknown>>): void => {
  for (const [key, value] of readable(record)) span.put(key, value)
}

/** Sets those attributes of a record that the span does not have. */
export const putMissing = (span: TelemetrySpan, make: () => Readonly<Record<string, unknown>>): void => {
  let record: Readonly<Record<string, unknown>>
  try {
    record = make()
    const prototype: unknown = Object.getPrototypeOf(record)
    if (span.attributeKeys.length === 0 && (prototype === Object.prototype || prototype === null)) {
      span.putAll(record)
      return
    }
  } catch {
    return
  }
  for (const key of keysOf(record)) {
    if (span.attributeKeys.includes(key)) continue
    const value = valueOf(record, key)
    if (value !== undefined) span.put(key, value)
  }
}

const keysOf = (record: Readonly<Record<string, unknown>>): ReadonlyArray<string> => {
  try {
    return Object.keys(record)
  } catch {
    return []
  }
}

const valueOf = (record: Readonly<Record<string, unknown>>, key: string): unknown => {
  try {
    return record[key]
  } catch {
    return undefined
  }
}

/** The name of an event, which code without types may have made anything of. */
const nameOf = (name: string, rules: AttributeValue.Rules): string =>
  AttributeValue.text(typeof name === "string" ? name : AttributeValue.printed(name), rules)

/** Names of spans that were searched and may leave the process as they are: `GET /users/:id`. They are few, as names should be. */
const cleanNames = new WeakMap<AttributeValue.Rules, Set<string>>()
const rememberedNames = 1024
const rememberedLength = 128

const spanNameOf = (name: string, rules: AttributeValue.Rules): string => {
  if (typeof name === "string" && AttributeValue.isClean(name, rules)) return name
  let clean = cleanNames.get(rules)
  if (clean === undefined) cleanNames.set(rules, (clean = new Set()))
  if (clean.has(name)) return name
  const shown = nameOf(name, rules)
  if (shown === name && name.length <= rememberedLength) {
    if (clean.size >= rememberedNames) clean.clear()
    clean.add(name)
  }
  return shown
}

/** A key as it may leave the process. */
const repaired = (name: string): string => cut(name.toWellFormed(), MaximumKeyLength)

/** One attribute's value as it leaves the process. `undefined`: the attribute is left out. */
const convert = (name: string, keyClass: KeyClass, value: unknown, rules: AttributeValue.Rules): Value | undefined => {
  if (keyClass === SECRET) return value === undefined ? undefined : REDACTED
  const { redactor } = rules
  const converted =
    keyClass === CLOSED && typeof value === "string" && value.length <= rules.limits.valueLength
      ? value.toWellFormed()
      : AttributeValue.convert(value, rules)
  return redactor.redact === undefined || converted === undefined ? converted : redact(name, converted, rules)
}

/** What the application's own rule makes of a value. */
const redact = (name: string, converted: Value, rules: AttributeValue.Rules): Value | undefined => {
  try {
    const replaced = rules.redactor.redact!(name, converted)
    return replaced === converted || replaced === undefined ? replaced : AttributeValue.convert(replaced, rules)
  } catch {
    // A rule that fails must not let pass what it was there to stop.
    return REDACTED
  }
}

interface Attributes {
  readonly keys: Array<string>
  readonly values: Array<Value>
  readonly dropped: number
}

const none: Attributes = { keys: [], values: [], dropped: 0 }

const convertRecord = (
  record: Readonly<Record<string, unknown>> | undefined,
  limit: number,
  rules: AttributeValue.Rules
): Attributes => {
  if (record === undefined) return none
  const keys: Array<string> = []
  const values: Array<Value> = []
  let dropped = 0
  const names = keysOf(record)
  for (let i = 0; i < names.length; i++) {
    if (keys.length >= limit) {
      dropped = names.length - i
      break
    }
    const given = names[i]!
    const { name, keyClass } = judged(given, rules)
    const value = convert(name, keyClass, valueOf(record, given), rules)
    if (value === undefined || name === "") continue
    keys.push(name)
    values.push(value)
  }
  return { keys, values, dropped }
}

const judged = (given: string, rules: AttributeValue.Rules): { readonly name: string; readonly keyClass: KeyClass } => {
  const keyClass = rules.redactor.keyClass(given)
  if (keyClass < ODD) return { name: given, keyClass }
  const name = repaired(given)
  return { name, keyClass: keyClass === ODD_SECRET ? SECRET : rules.redactor.keyClass(name) }
}

const attributes = (span: TelemetrySpan, rules: AttributeValue.Rules): void => {
  const { redactor } = rules
  const keys = span.attributeKeys
  const values = span.attributeValues
  let kept = 0
  for (let i = 0; i < keys.length; i++) {
    let name = keys[i]!
    let keyClass = redactor.keyClass(name)
    if (keyClass >= ODD) {
      name = repaired(name)
      keyClass = keyClass === ODD_SECRET ? SECRET : redactor.keyClass(name)
      keys[i] = name
    }
    const given = values[i]
    const value = convert(name, keyClass, given, rules)
    if (value === undefined || name === "") continue
    if (kept !== i) keys[kept] = name
    if (kept !== i || value !== given) values[kept] = value
    kept++
  }
  if (kept < keys.length) {
    keys.length = kept
    values.length = kept
  }
}

/** The attributes of a request as they leave the process: made once for all spans that carry them. */
const shared = (snapshot: Snapshot, rules: AttributeValue.Rules): SharedAttributes => {
  const known = snapshot.shared
  if (known !== undefined && known.rules === rules) return known
  const keys: Array<string> = []
  const values: Array<Value> = []
  let complete = true
  for (let i = 0; i < snapshot.keys.length; i++) {
    const { keyClass, name } = judged(snapshot.keys[i]!, rules)
    const given = snapshot.values[i]
    const value = convert(name, keyClass, given, rules)
    // An object may be another one by the time the next span is sealed.
    if (value === undefined || name !== snapshot.keys[i] || typeof given === "object") complete = false
    keys.push(name)
    values.push(value!)
  }
  return (snapshot.shared = { rules, complete, keys, values })
}

/** Whether two lists have nothing in common. */
const areDisjoint = (some: ReadonlyArray<string>, others: ReadonlyArray<string>): boolean => {
  for (let i = 0; i < others.length; i++) if (some.includes(others[i]!)) return false
  return true
}

/** Drops attributes of the span's own where others would be the ones that the limit drops. */
const makeRoom = (span: TelemetrySpan, count: number, rules: AttributeValue.Rules): void => {
  while (span.attributeKeys.length > 0 && span.attributeKeys.length + count > rules.limits.attributeCount) {
    span.attributeKeys.pop()
    span.attributeValues.pop()
    span.droppedAttributesCount++
  }
}

/** Attributes of the span's own, those of its request that it has not itself, and some more. */
const allAttributes = (
  span: TelemetrySpan,
  inherited: Snapshot | undefined,
  more: Readonly<Record<string, unknown>> | undefined,
  rules: AttributeValue.Rules
): void => {
  if (inherited !== undefined && more === undefined) {
    const { complete, keys, values } = shared(inherited, rules)
    const { length } = span.attributeKeys
    if (complete && length + keys.length <= rules.limits.attributeCount && areDisjoint(span.attributeKeys, keys)) {
      attributes(span, rules)
      // `concat` takes five times as long.
      span.attributeKeys = [...span.attributeKeys, ...keys]
      span.attributeValues = [...span.attributeValues, ...values]
      return
    }
  }
  const own = new Set(span.attributeKeys)
  const added: Array<readonly [name: string, value: unknown]> = []
  inherited?.keys.forEach((name, i) => {
    if (!own.has(name)) added.push([name, inherited.values[i]])
  })
  if (more !== undefined) for (const name of keysOf(more)) added.push([name, valueOf(more, name)])
  makeRoom(span, added.length, rules)
  for (const [name, value] of added) span.put(name, value)
  attributes(span, rules)
}

const events = (span: TelemetrySpan): void => {
  const { rules } = span.core
  const out: Array<EventData> = []
  for (const event of span.rawEvents ?? []) {
    const converted = convertRecord(event.attributes, rules.limits.attributeCountPerEvent, rules)
    out.push({
      name: nameOf(event.name, rules),
      seconds: event.seconds,
      nanos: event.nanos,
      attributeKeys: converted.keys,
      attributeValues: converted.values,
      droppedAttributesCount: converted.dropped
    })
  }
  span.rawEvents = undefined
  span.events = out
}

const exceptionEvents = (span: TelemetrySpan, exit: Exit.Failure<unknown, unknown>): void => {
  const { described, left } = SpanFailure.exceptions(exit.cause)
  for (const exception of described) {
    span.pushEvent("exception", span.endSeconds, span.endNanos, {
      "exception.type": exception.type,
      "exception.message": exception.message,
      "exception.stacktrace": exception.stacktrace
    })
  }
  span.droppedEventsCount += left
}

const links = (span: TelemetrySpan): void => {
  const { limits } = span.core.rules
  const out: Array<LinkData> = []
  for (const link of span.links) {
    if (out.length >= limits.linkCount) {
      span.droppedLinksCount++
      continue
    }
    const converted = linkOf(link, span)
    if (converted !== undefined) out.push(converted)
  }
  span.linkData = out
}

const linkOf = (link: Tracer.SpanLink, span: TelemetrySpan): LinkData | undefined => {
  const { rules } = span.core
  const target = SpanContext.propagated(link.span)
  if (target === undefined) return undefined
  const converted = convertRecord(link.attributes, rules.limits.attributeCountPerLink, rules)
  return {
    traceId: target.traceId,
    spanId: target.spanId,
    traceFlags: SpanContext.flagsOf(target),
    traceState: SpanContext.traceStateOf(target)?.serialize(),
    isRemote: SpanContext.isRemote(target),
    attributeKeys: converted.keys,
    attributeValues: converted.values,
    droppedAttributesCount: converted.dropped
  }
}

/** Makes `SpanData` of a span. */
export const seal = (span: TelemetrySpan, more: Readonly<Record<string, unknown>> | undefined): void => {
  span.sealed = true
  const { rules } = span.core
  span.resolveAttributes()
  const { inherited } = span
  span.inherited = undefined
  allAttributes(span, inherited, more, rules)
  span.name = spanNameOf(span.name, rules)
  const { exit } = span
  if (exit !== undefined) {
    if (exit._tag === "Success") span.exit = Exit.void
    else if (!SpanFailure.isInterruption(exit.cause)) exceptionEvents(span, exit)
  }
  if (span.rawEvents !== undefined) events(span)
  if (span.links.length > 0) links(span)
  if (span.statusMessage !== undefined) span.statusMessage = AttributeValue.text(span.statusMessage, rules)
}
