/** Reading and writing carriers of every kind: all formats together, and the ids of a request. */
import assert from "node:assert/strict"
import { validateHeaderName, validateHeaderValue } from "node:http"
import * as Effect from "effect/Effect"
import * as Tracer from "effect/Tracer"
import * as Baggage from "../../../src/propagation/Baggage.ts"
import * as Carrier from "../../../src/propagation/Carrier.ts"
import * as Correlation from "../../../src/propagation/Correlation.ts"
import * as Propagators from "../../../src/propagation/Propagators.ts"
import * as TraceContext from "../../../src/propagation/TraceContext.ts"
import { type Choices, hex, printable } from "../Choices.ts"
import { target } from "../Target.ts"

const { b3, b3multi, baggage, tracecontext } = Propagators
const sets: ReadonlyArray<ReadonlyArray<Propagators.Propagator>> = [
  [tracecontext, baggage],
  [b3],
  [b3multi, baggage],
  [b3, tracecontext, b3multi, baggage],
  []
]

const names = [
  "traceparent",
  "tracestate",
  "baggage",
  "b3",
  "x-b3-traceid",
  "x-b3-spanid",
  "x-b3-sampled",
  "x-b3-flags",
  "x-correlation-id",
  "x-request-id",
  "__proto__",
  "x-other"
]

const inSomeCase = (choices: Choices, name: string): string =>
  choices.once(3) ? name.toUpperCase() : choices.once(3) ? name.replace(/[a-z]/, (first) => first.toUpperCase()) : name

const ids = (choices: Choices): string => choices.pick([...hex]).repeat(32)

const plausible = (choices: Choices, name: string): string => {
  const traceId = ids(choices)
  const spanId = ids(choices).slice(0, 16)
  switch (name) {
    case "traceparent":
      return choices.mutated(`00-${traceId}-${spanId}-0${choices.below(4)}`)
    case "tracestate":
      return choices.mutated("a=1,b=2")
    case "baggage":
      return choices.mutated("user.id=u%C3%A9,a=1;p=2")
    case "b3":
      return choices.mutated(`${traceId}-${spanId}-${choices.pick(["0", "1", "d"])}`)
    case "x-b3-traceid":
      return choices.mutated(traceId)
    case "x-b3-spanid":
      return choices.mutated(spanId)
    default:
      return choices.text(140, printable)
  }
}

const valueOf = (choices: Choices, name: string): unknown =>
  choices.oneOf<unknown>(
    (choices) => plausible(choices, name),
    (choices) => plausible(choices, name),
    (choices) => choices.text(40),
    (choices) => Buffer.from(plausible(choices, name)),
    (choices) => choices.list(3, (choices) => plausible(choices, name)),
    (choices) => choices.pick([null, undefined, 5, {}, Symbol("s")])
  )

const pairOf = (choices: Choices): readonly [string, unknown] => {
  const name = choices.pick(names)
  return [inSomeCase(choices, name), valueOf(choices, name)]
}

const asRecord = (pairs: ReadonlyArray<readonly [string, unknown]>): Record<string, unknown> => {
  const record: Record<string, unknown> = {}
  for (const [key, value] of pairs) {
    Object.defineProperty(record, key, { value, enumerable: true, configurable: true, writable: true })
  }
  return record
}

export const carriers = target({
  name: "carriers",
  claim: "any carrier is read without harm, and what is written over it replaces what is there and is read again",
  make: (choices) => ({
    pairs: choices.list(12, pairOf),
    kind: choices.pick(["record", "pairs", "map"]),
    set: choices.below(sets.length),
    trusted: choices.once(2)
  }),
  check: ({ kind, pairs, set, trusted }) => {
    const propagators = sets[set]!
    const record = asRecord(pairs)
    const carrier = kind === "record" ? record : kind === "pairs" ? pairs : new Map(pairs)
    const read = Propagators.extractWith(propagators, carrier)
    const accepted = Correlation.accept(carrier, read.baggage, trusted)
    for (const [name, value] of Object.entries(Correlation.idHeaders(accepted))) {
      validateHeaderName(name)
      validateHeaderValue(name, value)
    }
    assert.ok(accepted.correlationId!.length <= 128 && accepted.requestId!.length <= 128)
    if (!trusted) assert.deepEqual(Object.keys(accepted).sort(), ["correlationId", "requestId"])
    const sent = Propagators.injectWith(propagators, read)
    for (const [name, value] of Object.entries(sent)) {
      validateHeaderName(name)
      validateHeaderValue(name, value)
    }
    const replaced = Carrier.replace(record, Propagators.fieldsOf(propagators), sent)
    const lower = Object.keys(replaced).map((name) => name.toLowerCase())
    for (const field of Propagators.fieldsOf(propagators)) {
      assert.ok(lower.filter((name) => name === field).length <= 1, `${field} stands there twice`)
    }
    assert.equal(Object.getPrototypeOf(replaced), Object.prototype)
    const again = Propagators.extractWith(propagators, replaced)
    assert.deepEqual(idsOf(again.span), idsOf(read.span))
    if (propagators.includes(baggage)) assert.equal(Baggage.format(again.baggage), Baggage.format(read.baggage))
    const environment = Carrier.toEnvironment(sent)
    assert.deepEqual(Carrier.fromEnvironment(environment, Object.keys(sent)), sent)
    // What runs under the parent that was read sends it on.
    const program = Effect.map(Effect.currentParentSpan, (span) => TraceContext.fromSpan(span)?.traceId)
    if (read.span !== undefined) {
      assert.equal(Effect.runSync(Effect.orDie(Effect.withParentSpan(program, read.span))), read.span.traceId)
    }
  }
})

const idsOf = (span: Tracer.ExternalSpan | undefined) => span && [span.traceId, span.spanId, span.sampled]
