/**
 * Values that no one foresees: as attributes, in events and links, as failures. None of them harms the program, the span that
 * holds it or the spans beside it, and each arrives as a stable value.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Otel from "@opentelemetry/api"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Tracer from "effect/Tracer"
import { withSpan } from "../../src/tracer/withSpan.ts"
import { leaving } from "./support.ts"
import { any, hostileProxy, nested, throws, values } from "./values.ts"

const keys: ReadonlyArray<string> = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "0",
  "a\ud800",
  "\u0000",
  " ",
  "k".repeat(1_000_000),
  "🎧".repeat(200)
]

const prototypes = (): unknown => ({
  object: Reflect.ownKeys(Object.prototype),
  array: Reflect.ownKeys(Array.prototype),
  function: Reflect.ownKeys(Function.prototype),
  map: Reflect.ownKeys(Map.prototype),
  empty: Object.keys({})
})

describe("values", () => {
  it.live("as attributes: each becomes what the table says, and none harms another", () =>
    Effect.gen(function* () {
      const before = prototypes()
      const named = Object.entries(values).map(([key, [make]]) => [key, make] as const)
      const results: Array<unknown> = []
      const program = Effect.gen(function* () {
        for (const [key, make] of named) {
          const result = yield* Effect.succeed(`result of ${key}`).pipe(
            withSpan(key, { attributes: { before: 1, value: make(), after: 2 } })
          )
          results.push(result)
        }
        // All of them on one span, and beside attributes that were fine.
        yield* Effect.void.pipe(
          withSpan("all", {
            attributes: Object.fromEntries(named.map(([key, make]) => [`at ${key}`, make()]))
          })
        )
      })
      const left = yield* leaving(program)
      assert.deepStrictEqual(
        results,
        named.map(([key]) => `result of ${key}`)
      )
      assert.deepStrictEqual(prototypes(), before)
      const byName = new Map(left.spans.map((span) => [span.name, span]))
      for (const [key, [, read]] of Object.entries(values)) {
        const span = byName.get(key)!
        assert.deepInclude(span.attributes, { before: 1n, after: 2n }, key)
        if (read === any) assert.isDefined(span.attributes["value"], key)
        else assert.deepStrictEqual(span.attributes["value"], read, key)
        // The global object has a clock in it.
        if (key === "global object") continue
        const together = byName.get("all")!.attributes[`at ${key}`]
        assert.deepStrictEqual(together, span.attributes["value"], `${key}, among others`)
      }
      // A million elements and twenty megabytes are not sent.
      assert.isBelow(left.ways["protobuf"]!.length, 500_000)
    }).pipe(Effect.scoped)
  )

  it.live("as attributes of OpenTelemetry's API, of events and of links", () =>
    Effect.gen(function* () {
      const remote = Tracer.externalSpan({ traceId: "a".repeat(32), spanId: "b".repeat(16), sampled: true })
      const named = Object.entries(values).map(([key, [make]]) => [key, make] as const)
      const program = Effect.gen(function* () {
        for (const [key, make] of named) {
          yield* Effect.sync(() => {
            const span = Otel.trace.getTracer("library").startSpan(`otel ${key}`)
            span.setAttribute("value", make() as never)
            span.setAttributes({ other: make() as never, after: 1 })
            span.addEvent("event", { value: make() as never, after: 1 })
            span.addLink({ context: span.spanContext(), attributes: { value: make() as never, after: 1 } })
            span.recordException(make() as never)
            span.setStatus({ code: 2, message: make() as never })
            span.updateName(`otel ${key}`)
            span.end()
          })
          yield* Effect.flatMap(Effect.currentSpan, (span) =>
            Effect.sync(() => span.event("event", 0n, { value: make(), after: 1 }))
          ).pipe(
            Effect.withSpan(`effect ${key}`, { links: [{ span: remote, attributes: { value: make(), after: 1 } }] })
          )
        }
      })
      const left = yield* leaving(program)
      const byName = new Map(left.spans.map((span) => [span.name, span]))
      for (const [key, [, read]] of Object.entries(values)) {
        for (const name of [`otel ${key}`, `effect ${key}`]) {
          const span = byName.get(name)
          assert.isDefined(span, name)
          const event = span!.events.find((event) => event.name === "event")!
          assert.deepInclude(event.attributes, { after: 1n }, name)
          assert.deepInclude(span!.links[0]!.attributes, { after: 1n }, name)
          if (read === any) continue
          assert.deepStrictEqual(event.attributes["value"], read, name)
          assert.deepStrictEqual(span!.links[0]!.attributes["value"], read, name)
        }
      }
    }).pipe(Effect.scoped)
  )

  it.live("as failures and defects: the program sees its own, and the span is an error", () =>
    Effect.gen(function* () {
      const outcomes: Array<boolean> = []
      const failures = Object.entries(values).map(([key, [make]]) => [key, make] as const)
      const program = Effect.gen(function* () {
        for (const [key, make] of failures) {
          const value = make()
          const failed = yield* Effect.exit(Effect.fail(value).pipe(Effect.withSpan(`fail ${key}`)))
          const died = yield* Effect.exit(Effect.die(value).pipe(Effect.withSpan(`die ${key}`)))
          outcomes.push(
            Exit.isFailure(failed) && Object.is(Cause.squash(failed.cause), value),
            Exit.isFailure(died) && Object.is(Cause.squash(died.cause), value)
          )
        }
      })
      const left = yield* leaving(program)
      assert.isTrue(outcomes.every(Boolean))
      assert.strictEqual(outcomes.length, failures.length * 2)
      const byName = new Map(left.spans.map((span) => [span.name, span]))
      for (const [key] of failures) {
        for (const name of [`fail ${key}`, `die ${key}`]) {
          const span = byName.get(name)!
          assert.strictEqual(span.statusCode, 2, name)
          assert.isString(span.attributes["error.type"], name)
          assert.strictEqual(span.events.filter((event) => event.name === "exception").length, 1, name)
        }
      }
    }).pipe(Effect.scoped)
  )

  it.live("errors that cannot be read are failures like any other", () =>
    Effect.gen(function* () {
      const unreadable = (property: string): Error => Object.defineProperty(new Error("x"), property, { get: throws })
      const errors: ReadonlyArray<Error> = [
        ...["name", "message", "stack", "cause", "_tag", "reason", "constructor", "toString"].map(unreadable),
        Object.assign(new Error("x"), { name: 5, _tag: {}, reason: { _tag: Symbol("s") }, stack: ["no"] }),
        Object.assign(new Error("x"), { name: "n".repeat(1_000_000), _tag: "t".repeat(1_000_000) }),
        Object.assign(new Error("m".repeat(10_000_000)), { stack: "s".repeat(10_000_000) }),
        new AggregateError(
          Array.from({ length: 100_000 }, () => new Error("one of many")),
          "many"
        ),
        nested(10_000, (cause) => new Error("deep", { cause })) as Error
      ]
      let seen = 0
      const program = Effect.forEach(
        errors,
        (error, i) =>
          Effect.exit(Effect.fail(error).pipe(Effect.withSpan(`error ${i}`))).pipe(
            Effect.map((exit) => {
              if (Exit.isFailure(exit) && Cause.squash(exit.cause) === error) seen++
            })
          ),
        { discard: true }
      )
      const left = yield* leaving(program)
      assert.strictEqual(seen, errors.length)
      assert.deepStrictEqual(
        left.spans.map((span) => [span.name, span.statusCode]),
        errors.map((_, i) => [`error ${i}`, 2])
      )
      for (const span of left.spans) {
        assert.isAtMost(span.statusMessage.length, 8192)
        assert.isAtMost(String(span.attributes["error.type"]).length, 8192)
      }
    }).pipe(Effect.scoped)
  )

  it.live("keys of any kind are keys like any other, and change no prototype", () =>
    Effect.gen(function* () {
      const before = prototypes()
      const record = (): Record<string, unknown> => {
        const made: Record<string, unknown> = {}
        for (const key of keys) {
          Object.defineProperty(made, key, { value: "v", enumerable: true, configurable: true, writable: true })
        }
        return made
      }
      const program = Effect.gen(function* () {
        const span = yield* Effect.currentSpan
        for (const key of keys) span.attribute(key, "v")
        span.event("event", 0n, record())
        yield* Effect.log("log").pipe(Effect.annotateLogs(record()))
        yield* Effect.void.pipe(withSpan("record", { attributes: record() }))
        yield* Effect.void.pipe(
          withSpan("nested", { attributes: { value: record(), pairs: new Map(Object.entries(record())) } })
        )
      }).pipe(Effect.withSpan("keys"))
      const left = yield* leaving(program)
      assert.deepStrictEqual(prototypes(), before)
      const expected = keys.map((key) => {
        const whole = key.toWellFormed().slice(0, 256)
        return whole.isWellFormed() ? whole : whole.slice(0, -1)
      })
      for (const name of ["keys", "record"]) {
        const span = left.spans.find((span) => span.name === name)!
        assert.sameMembers([...span.attributeKeys], expected, name)
      }
      const event = left.spans.find((span) => span.name === "keys")!.events[0]!
      assert.sameMembers(Object.keys(event.attributes), expected)
    }).pipe(Effect.scoped)
  )

  it.live("names of any kind", () =>
    Effect.gen(function* () {
      const names = ["", "\ud800", "a\u0000\u001b[31m", "n".repeat(1_000_000), "__proto__"]
      const odd = [5, null, undefined, {}, Symbol("s"), hostileProxy()]
      const results = yield* Effect.sync((): Array<unknown> => [])
      const program = Effect.forEach(
        [...names, ...(odd as unknown as ReadonlyArray<string>)],
        (name) =>
          Effect.exit(Effect.succeed(1).pipe(withSpan(name))).pipe(Effect.map((exit) => void results.push(exit))),
        { discard: true }
      )
      const left = yield* leaving(program)
      assert.isTrue(results.slice(0, names.length).every((exit) => Exit.isSuccess(exit as Exit.Exit<unknown>)))
      assert.isAtLeast(left.spans.length, names.length)
      assert.isTrue(left.spans.every((span) => span.name.length <= 8192 && span.name.isWellFormed()))
      // What stands in a terminal does not steer it.
      // oxlint-disable-next-line no-control-regex -- that is what is looked for
      assert.notMatch(left.ways["console tree"]!.toString(), /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
    }).pipe(Effect.scoped)
  )
})
