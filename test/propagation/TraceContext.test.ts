import { assert, describe, it } from "@effect/vitest"
import * as OtelTracer from "@effect/opentelemetry/OtelTracer"
import * as Context from "effect/Context"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import * as TraceContext from "../../src/propagation/TraceContext.ts"
import * as TraceState from "../../src/propagation/TraceState.ts"

const traceId = "0af7651916cd43dd8448eb211c80319c"
const spanId = "b7ad6b7169203331"

describe("the specification's examples", () => {
  // Trace Context level 2, sections 3.1 and 3.2.3.
  const examples: ReadonlyArray<readonly [header: string, traceId: string, spanId: string, flags: number]> = [
    ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", traceId, spanId, 1],
    ["00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01", traceId, "00f067aa0ba902b7", 1],
    ["00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01", traceId, "b9c7c989f97918e1", 1],
    [
      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
      "4bf92f3577b34da6a3ce929d0e0e4736",
      "00f067aa0ba902b7",
      1
    ],
    [
      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
      "4bf92f3577b34da6a3ce929d0e0e4736",
      "00f067aa0ba902b7",
      0
    ]
  ]
  it.each(examples)("%s", (header, traceId, spanId, traceFlags) => {
    const context = TraceContext.parse(header)
    assert.deepStrictEqual(context, { traceId, spanId, traceFlags, traceState: undefined })
    assert.strictEqual(TraceContext.formatTraceparent(context!), header)
  })
})

describe("flags", () => {
  it.each([
    ["00", 0, "00"],
    ["01", 1, "01"],
    ["02", 2, "02"],
    ["03", 3, "03"],
    // What level 2 does not define is sent as zero.
    ["04", 0, "00"],
    ["ff", 3, "03"]
  ] as const)("%s is read as %i and written as %s", (flags, expected, written) => {
    const context = TraceContext.parse(`00-${traceId}-${spanId}-${flags}`)!
    assert.strictEqual(context.traceFlags, expected)
    assert.isTrue(TraceContext.formatTraceparent(context).endsWith(`-${written}`))
  })
})

describe("a traceparent that restarts the trace", () => {
  it.each([
    ["an empty header", ""],
    ["white space", "  "],
    ["a trace id of zeros", `00-${"0".repeat(32)}-${spanId}-01`],
    ["a span id of zeros", `00-${traceId}-${"0".repeat(16)}-01`],
    ["a forbidden version", `ff-${traceId}-${spanId}-01`],
    ["a version of one digit", `0-${traceId}-${spanId}-01`],
    ["a version of three digits", `000-${traceId}-${spanId}-01`],
    ["a version in upper case", `CC-${traceId}-${spanId}-01`],
    ["a trace id in upper case", `00-${traceId.toUpperCase()}-${spanId}-01`],
    ["a short trace id", `00-${traceId.slice(1)}-${spanId}-01`],
    ["a long trace id", `00-${traceId}0-${spanId}-01`],
    ["a short span id", `00-${traceId}-${spanId.slice(1)}-01`],
    ["a long span id", `00-${traceId}-${spanId}0-01`],
    ["flags of one digit", `00-${traceId}-${spanId}-1`],
    ["flags of three digits", `00-${traceId}-${spanId}-001`],
    ["flags that are not hexadecimal", `00-${traceId}-${spanId}-0.`],
    ["more fields in version 00", `00-${traceId}-${spanId}-01-more`],
    ["a dash at the end in version 00", `00-${traceId}-${spanId}-01-`],
    ["a higher version that is too short", `cc-${traceId}-${spanId}-0`],
    ["a higher version that goes on without a dash", `cc-${traceId}-${spanId}-01.more`],
    ["a line break before the end", `00-${traceId}-${spanId}-01\n`],
    ["a no-break space, which HTTP knows not as white space", `\u00a000-${traceId}-${spanId}-01`],
    ["two headers that a server has joined", `00-${traceId}-${spanId}-01, 00-${traceId}-${spanId}-01`]
  ])("%s", (_, header) => {
    assert.isUndefined(TraceContext.parse(header))
  })

  it("takes its tracestate along", () => {
    assert.isUndefined(TraceContext.parse(undefined, "foo=1"))
    assert.isUndefined(TraceContext.parse("nonsense", "foo=1"))
  })

  it("is also one of two fields", () => {
    assert.isUndefined(TraceContext.parse([`00-${traceId}-${spanId}-01`, `00-${traceId}-${spanId}-01`]))
    assert.isUndefined(TraceContext.parse([]))
  })
})

describe("a traceparent that is accepted", () => {
  it.each([
    ["white space around it", ` \t00-${traceId}-${spanId}-01\t `, 1],
    ["a higher version", `cc-${traceId}-${spanId}-01`, 1],
    ["a higher version with more fields", `cc-${traceId}-${spanId}-01-what-the-future-brings`, 1],
    ["a higher version with a dash at its end", `01-${traceId}-${spanId}-03-`, 3],
    ["a higher version with unknown flags", `fe-${traceId}-${spanId}-f9`, 1]
  ] as const)("%s", (_, header, traceFlags) => {
    assert.deepStrictEqual(TraceContext.parse(header), { traceId, spanId, traceFlags, traceState: undefined })
  })

  it("and whose tracestate is invalid goes on without it", () => {
    assert.deepStrictEqual(TraceContext.parse(`00-${traceId}-${spanId}-01`, "FOO=1"), {
      traceId,
      spanId,
      traceFlags: 1,
      traceState: undefined
    })
  })
})

const hex = (length: number) =>
  Schema.String.check(Schema.isPattern(new RegExp(`^[0-9a-f]{${length}}$`)), Schema.isMinLength(length))
const Bytes = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })))
const text = (bytes: ReadonlyArray<number>) => String.fromCharCode(...bytes)

describe("properties", () => {
  it.prop("what is written is read back", { traceId: hex(32), spanId: hex(16), flags: hex(1) }, (input) => {
    const context = {
      traceId: input.traceId,
      spanId: input.spanId,
      traceFlags: parseInt(input.flags, 16) & 3,
      traceState: undefined
    }
    const read = TraceContext.parse(TraceContext.formatTraceparent(context))
    const valid = TraceContext.isTraceId(context.traceId) && TraceContext.isSpanId(context.spanId)
    assert.deepStrictEqual(read, valid ? context : undefined)
  })

  it.prop("arbitrary bytes never throw, and give nothing that is not valid", { bytes: Bytes, more: Bytes }, (input) => {
    const context = TraceContext.parse(text(input.bytes), text(input.more))
    if (context !== undefined) assert.isTrue(TraceContext.isTraceId(context.traceId))
  })

  it.prop(
    "one character changed in a header never gives another trace id",
    { at: Schema.Int, to: Schema.String },
    (input) => {
      const header = `00-${traceId}-${spanId}-01`
      const at = Math.abs(input.at) % header.length
      const context = TraceContext.parse(header.slice(0, at) + input.to + header.slice(at + 1))
      if (context !== undefined) {
        assert.match(TraceContext.formatTraceparent(context), /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$/)
      }
    }
  )
})

const make = (options: { readonly parent?: Tracer.AnySpan; readonly sampled?: boolean }): Tracer.Span =>
  new Tracer.NativeSpan({
    name: "test",
    parent: Option.fromUndefinedOr(options.parent),
    annotations: Context.empty(),
    links: [],
    startTime: 0n,
    kind: "internal",
    sampled: options.sampled ?? true
  })

describe("spans", () => {
  const context = { traceId, spanId, traceFlags: 3, traceState: "rojo=1,congo=2" }

  it("a remote parent keeps flags and tracestate", () => {
    const span = TraceContext.toExternalSpan(context)
    assert.strictEqual(Context.getOrUndefined(span.annotations, OtelTracer.OtelTraceFlags), 3)
    assert.strictEqual(
      Context.getOrUndefined(span.annotations, OtelTracer.OtelTraceState)?.serialize(),
      "rojo=1,congo=2"
    )
    assert.isTrue(span.sampled)
    assert.deepStrictEqual(TraceContext.fromSpan(span), context)
  })

  it("a flag of zero stays zero both ways", () => {
    const span = TraceContext.toExternalSpan({ ...context, traceFlags: 0 })
    assert.isFalse(span.sampled)
    assert.strictEqual(TraceContext.fromSpan(span)?.traceFlags, 0)
  })

  it("an external span without annotations is known by its sampled bit", () => {
    assert.strictEqual(TraceContext.fromSpan(Tracer.externalSpan({ traceId, spanId }))?.traceFlags, 1)
    assert.strictEqual(TraceContext.fromSpan(Tracer.externalSpan({ traceId, spanId, sampled: false }))?.traceFlags, 0)
  })

  it("our own spans are asked for flags and tracestate", () => {
    const span = Object.assign(make({}), { traceFlags: 2, traceStateObject: TraceState.parse("a=b") })
    const sent = TraceContext.fromSpan(span)
    assert.strictEqual(sent?.traceFlags, 2)
    assert.strictEqual(sent?.traceState, "a=b")
  })

  it("spans of another tracer inherit the random flag and tracestate of the remote parent", () => {
    const child = make({ parent: make({ parent: TraceContext.toExternalSpan(context) }), sampled: false })
    assert.deepStrictEqual(TraceContext.fromSpan(child), {
      traceId,
      spanId: child.spanId,
      traceFlags: 2,
      traceState: "rojo=1,congo=2"
    })
  })

  it("a disabled span sends its nearest ancestor that is not", () => {
    const parent = make({})
    const disabled: Tracer.Span = Object.assign(make({ parent }), {
      annotations: Context.make(Tracer.DisablePropagation, true)
    })
    assert.strictEqual(TraceContext.fromSpan(disabled)?.spanId, parent.spanId)
    assert.isUndefined(
      TraceContext.fromSpan(Object.assign(make({}), { annotations: Context.make(Tracer.DisablePropagation, true) }))
    )
  })

  it("ids that are none are not sent, short ones are padded", () => {
    assert.isUndefined(TraceContext.fromSpan(Tracer.externalSpan({ traceId: "trace", spanId: "span" })))
    assert.strictEqual(
      TraceContext.fromSpan(Tracer.externalSpan({ traceId: "53ce929d0e0e4736", spanId }))?.traceId,
      "000000000000000053ce929d0e0e4736"
    )
    assert.isUndefined(TraceContext.fromSpan(undefined))
  })
})
