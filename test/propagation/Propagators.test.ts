import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Baggage from "../../src/propagation/Baggage.ts"
import * as Carrier from "../../src/propagation/Carrier.ts"
import * as Propagators from "../../src/propagation/Propagators.ts"
import * as TraceContext from "../../src/propagation/TraceContext.ts"
import * as TestTelemetry from "../../src/testing/TestTelemetry.ts"

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
const spanId = "00f067aa0ba902b7"
const traceparent = `00-${traceId}-${spanId}-03`
const b3 = `${traceId}-${spanId}-1`

const all = Result.getOrThrow(Propagators.fromNames(["tracecontext", "baggage", "b3", "b3multi"]))
const remote = TraceContext.toExternalSpan(TraceContext.parse(traceparent, "rojo=1,congo=2")!)
const baggage = Baggage.parse("a=1;p,b=x%20y")

describe("OTEL_PROPAGATORS", () => {
  it("finds formats by name", () => {
    const names = (list: ReadonlyArray<string>) =>
      Result.getOrThrow(Propagators.fromNames(list)).map((propagator) => propagator.name)
    assert.deepStrictEqual(names(["tracecontext", "baggage"]), ["tracecontext", "baggage"])
    assert.deepStrictEqual(names(["b3multi", "b3", "b3multi"]), ["b3multi", "b3"])
    assert.deepStrictEqual(names(["none"]), [])
    assert.deepStrictEqual(names(["tracecontext", "none"]), [])
  })

  it.each(["jaeger", "TraceContext", "", "constructor"])("%j is unknown", (name) => {
    const result = Propagators.fromNames(["tracecontext", name])
    assert.isTrue(Result.isFailure(result))
    if (Result.isFailure(result)) {
      assert.strictEqual(
        result.failure.message,
        `Unknown propagator ${JSON.stringify(name)}: accepted are tracecontext, baggage, b3, b3multi and none`
      )
    }
  })

  it.effect("defaults to Trace Context and Baggage: b3 is neither read nor written", () =>
    Effect.gen(function* () {
      const propagators = yield* Propagators.CurrentPropagators
      assert.deepStrictEqual(
        propagators.map((propagator) => propagator.name),
        ["tracecontext", "baggage"]
      )
      assert.isUndefined((yield* Propagators.extract({ b3 })).span)
      assert.deepStrictEqual(Object.keys(Propagators.injectWith(propagators, { span: remote, baggage })).sort(), [
        "baggage",
        "traceparent",
        "tracestate"
      ])
    })
  )
})

describe("reading and writing", () => {
  const multi = { "x-b3-traceid": traceId, "x-b3-spanid": spanId, "x-b3-sampled": "1" }

  it("writes what every format has", () => {
    assert.deepStrictEqual(Propagators.injectWith(all, { span: remote, baggage }), {
      traceparent,
      tracestate: "rojo=1,congo=2",
      baggage: "a=1;p,b=x%20y",
      b3,
      ...multi
    })
    assert.deepStrictEqual(Propagators.injectWith(all, {}), {})
  })

  it("reads back what it wrote, from any carrier in any case", () => {
    const fields = Propagators.injectWith(all, { span: remote, baggage })
    const upper = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name.toUpperCase(), value]))
    for (const carrier of [fields, upper, new Map(Object.entries(upper)), new Headers(upper), Object.entries(fields)]) {
      const extracted = Propagators.extractWith(all, carrier)
      assert.deepStrictEqual(TraceContext.fromSpan(extracted.span), TraceContext.fromSpan(remote))
      assert.deepStrictEqual(extracted.baggage, baggage)
    }
  })

  it("b3 reads either of its forms, the single header first", () => {
    const [single] = Result.getOrThrow(Propagators.fromNames(["b3"]))
    assert.strictEqual(Propagators.extractWith([single!], multi).span?.traceId, traceId)
    const other = { ...multi, "x-b3-traceid": "1".repeat(32) }
    assert.strictEqual(Propagators.extractWith([single!], { ...other, b3 }).span?.traceId, traceId)
    assert.strictEqual(Propagators.extractWith([single!], { ...other, b3: "0" }).span?.traceId, "1".repeat(32))
    assert.isUndefined(Propagators.extractWith([single!], { b3: [b3, b3] }).span)
  })

  it("the first format that names a parent is believed", () => {
    const carrier = { traceparent, b3: `${"1".repeat(32)}-${spanId}-1` }
    assert.strictEqual(Propagators.extractWith(all, carrier).span?.traceId, traceId)
    assert.strictEqual(Propagators.extractWith(all.toReversed(), carrier).span?.traceId, "1".repeat(32))
    assert.strictEqual(
      Propagators.extractWith(all, { ...carrier, traceparent: "broken" }).span?.traceId,
      "1".repeat(32)
    )
  })

  it("a format of one's own takes part, and one that throws does no harm", () => {
    const fail = () => {
      throw new Error("no")
    }
    const broken: Propagators.Propagator = {
      name: "broken",
      fields: [],
      extractSpan: fail,
      extractBaggage: fail,
      inject: fail
    }
    const own: Propagators.Propagator = {
      name: "own",
      fields: ["x-trace"],
      extractSpan: (carrier) => {
        const context = TraceContext.parse(Carrier.values(carrier, "x-trace"))
        return context === undefined ? undefined : TraceContext.toExternalSpan(context)
      },
      inject: (sent, fields) => {
        const context = TraceContext.fromSpan(sent.span)
        if (context !== undefined) fields["x-trace"] = TraceContext.formatTraceparent(context)
      }
    }
    const both = [broken, own]
    assert.deepStrictEqual(Propagators.injectWith(both, { span: remote, baggage }), { "x-trace": traceparent })
    assert.strictEqual(Propagators.extractWith(both, { "X-Trace": traceparent }).span?.spanId, spanId)
    assert.deepStrictEqual(Propagators.fieldsOf(both), ["x-trace"])
  })

  it.effect("writes over a carrier and leaves no field of an older hop", () =>
    Effect.gen(function* () {
      const written = yield* Propagators.injectInto({
        TraceParent: "old",
        TraceState: "old=1",
        BAGGAGE: "old=1",
        id: 7
      }).pipe(Effect.withSpan("publish"), Effect.provide(TestTelemetry.layer()))
      assert.match(String(written["traceparent"]), /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$/)
      assert.deepStrictEqual(Object.keys(written).sort(), ["id", "traceparent"])
    })
  )

  it.effect("a span that nobody sees is not sent, but the remote one above it is", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Propagators.inject.pipe(Effect.withSpan("nobody sees")), {})
      const sent = yield* Propagators.inject.pipe(Effect.withSpan("nobody sees"), Effect.withParentSpan(remote))
      assert.strictEqual(sent["traceparent"], traceparent)
    })
  )

  it.effect("a child process continues the trace", () =>
    Effect.gen(function* () {
      const environment = yield* Propagators.inject.pipe(
        Effect.map(Carrier.toEnvironment),
        Effect.withParentSpan(remote),
        Baggage.withEntries({ tenant: "t 1" })
      )
      assert.deepStrictEqual(environment, {
        TRACEPARENT: traceparent,
        TRACESTATE: "rojo=1,congo=2",
        BAGGAGE: "tenant=t%201"
      })
      const fields = Carrier.fromEnvironment(environment, Propagators.fieldsOf(all))
      assert.strictEqual((yield* Propagators.extract(fields)).span?.spanId, spanId)
    })
  )
})

describe("properties", () => {
  const fields = Propagators.fieldsOf(all)
  const bytes = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })))

  it.prop(
    "whatever a carrier holds, reading it never throws, and what is read is written so that it is read the same",
    {
      texts: Schema.Array(bytes).check(Schema.isMaxLength(8)),
      flags: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })),
      valid: Schema.Boolean
    },
    ({ flags, texts, valid }) => {
      const carrier: Record<string, unknown> = {}
      texts.forEach((text, i) => {
        carrier[fields[i % fields.length]!.toUpperCase()] =
          i % 3 === 0 ? [String.fromCharCode(...text)] : String.fromCharCode(...text)
      })
      if (valid) carrier["Traceparent"] = `00-${traceId}-${spanId}-${flags.toString(16).padStart(2, "0")}`
      const once = Propagators.extractWith(all, carrier)
      const twice = Propagators.extractWith(all, Propagators.injectWith(all, once))
      assert.deepStrictEqual(TraceContext.fromSpan(twice.span), TraceContext.fromSpan(once.span))
      assert.deepStrictEqual(twice.baggage, once.baggage)
    }
  )
})
