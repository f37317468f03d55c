import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as TraceAttributes from "../../src/tracer/TraceAttributes.ts"
import { withSpan } from "../../src/tracer/withSpan.ts"
import { attributesOf, collect } from "./support.ts"

const spanned = (name: string, attributes?: Record<string, unknown>) =>
  Effect.void.pipe(withSpan(name, attributes === undefined ? undefined : { attributes }))

/** Spans of one request, sealed one after the other. */
const request = (
  held: Record<string, unknown>,
  spans: ReadonlyArray<Effect.Effect<unknown>>,
  options?: Parameters<typeof collect>[1]
) => collect(TraceAttributes.provide(Effect.all(spans), TraceAttributes.make(held)), options)

describe("what a request holds", () => {
  it.effect("is on every span, after its own attributes", () =>
    Effect.gen(function* () {
      const { span } = yield* request({ "request.id": "r", "user.id": "u" }, [
        spanned("none"),
        spanned("some", { a: 1 }),
        spanned("again", { a: 2 })
      ])
      assert.deepStrictEqual(span("none").attributeKeys, ["request.id", "user.id"])
      assert.deepStrictEqual(span("some").attributeKeys, ["a", "request.id", "user.id"])
      assert.deepStrictEqual(span("again").attributeValues, [2, "r", "u"])
    })
  )

  it.effect("gives way to the span's own, also where that is nothing in the end", () =>
    Effect.gen(function* () {
      const { span } = yield* request({ "request.id": "r", "user.id": "u" }, [
        spanned("own", { "user.id": "own" }),
        spanned("nothing", { "user.id": Option.none() }),
        spanned("neither")
      ])
      assert.deepStrictEqual(attributesOf(span("own")), { "user.id": "own", "request.id": "r" })
      assert.deepStrictEqual(attributesOf(span("nothing")), { "request.id": "r" })
      assert.deepStrictEqual(attributesOf(span("neither")), { "request.id": "r", "user.id": "u" })
    })
  )

  it.effect("is redacted and converted for the second span as for the first", () =>
    Effect.gen(function* () {
      const held = {
        password: "p",
        note: "Bearer abcdef123456",
        "": "no name",
        many: "x".repeat(9000),
        none: Option.none()
      }
      const { span } = yield* request(held, [spanned("first", { a: 1 }), spanned("second", { a: 1 })])
      const first = attributesOf(span("first"))
      assert.deepStrictEqual(Object.keys(first), ["a", "password", "note", "many"])
      assert.deepStrictEqual(first["password"], "[REDACTED]")
      assert.notInclude(first["note"], "abcdef")
      assert.strictEqual((first["many"] as string).length, 8192)
      assert.deepStrictEqual(attributesOf(span("second")), first)
    })
  )

  it.effect("is read when a span is sealed, where it is an object", () =>
    Effect.gen(function* () {
      const object = { n: 1 }
      const { span } = yield* request({ object }, [
        spanned("first"),
        Effect.sync(() => void (object.n = 2)),
        spanned("second")
      ])
      assert.deepStrictEqual(
        [attributesOf(span("first")), attributesOf(span("second"))],
        [{ object: '{"n":1}' }, { object: '{"n":2}' }]
      )
    })
  )

  it.effect("takes the place of others where a span is full", () =>
    Effect.gen(function* () {
      const { span } = yield* request({ "request.id": "r", "user.id": "u" }, [spanned("full", { a: 1, b: 2, c: 3 })], {
        limits: { attributeCount: 3 }
      })
      assert.deepStrictEqual(attributesOf(span("full")), { a: 1, "request.id": "r", "user.id": "u" })
      assert.strictEqual(span("full").droppedAttributesCount, 2)
    })
  )

  it.effect("follows the rules of each tracer, where several see one request", () =>
    Effect.gen(function* () {
      const holder = TraceAttributes.make({ "shop.voucher": "v" })
      const shown = (redaction: NonNullable<Parameters<typeof collect>[1]>["redaction"]) =>
        Effect.map(collect(TraceAttributes.provide(spanned("work"), holder), { redaction }), ({ span }) =>
          attributesOf(span("work"))
        )
      assert.deepStrictEqual(yield* shown({ keys: ["shop.voucher"] }), { "shop.voucher": "[REDACTED]" })
      assert.deepStrictEqual(yield* shown(undefined), { "shop.voucher": "v" })
      assert.deepStrictEqual(yield* shown({ keys: ["shop.voucher"] }), { "shop.voucher": "[REDACTED]" })
    })
  )
})

describe("a span's name", () => {
  it.effect("loses its secrets every time", () =>
    Effect.gen(function* () {
      const secret = "GET https://ada:s3cret@example.com/"
      const { spans } = yield* collect(
        Effect.all([spanned(secret), spanned(secret), spanned("GET /a b"), spanned("GET /a b")])
      )
      const names = spans.map((span) => span.name)
      assert.strictEqual(names[0], names[1])
      assert.notInclude(names[0], "s3cret")
      assert.deepStrictEqual(names.slice(2), ["GET /a b", "GET /a b"])
    })
  )
})

describe("attributes made for a span that is kept", () => {
  it.effect("are those that can be read, and none where making them throws", () =>
    Effect.gen(function* () {
      class Made {
        own = 1
        get inherited() {
          return 2
        }
      }
      const { span } = yield* collect(
        Effect.all([
          Effect.void.pipe(
            withSpan("getter", {
              attributes: () => ({
                a: 1,
                get b(): number {
                  throw new Error("no")
                },
                c: undefined,
                d: 4
              })
            })
          ),
          Effect.void.pipe(
            withSpan("throws", {
              attributes: () => {
                throw new Error("no")
              }
            })
          ),
          Effect.void.pipe(withSpan("class", { attributes: () => new Made() as never })),
          Effect.void.pipe(withSpan("null", { attributes: () => null as never }))
        ])
      )
      assert.deepStrictEqual(attributesOf(span("getter")), { a: 1, d: 4 })
      assert.deepStrictEqual(attributesOf(span("throws")), {})
      assert.deepStrictEqual(attributesOf(span("class")), { own: 1 })
      assert.deepStrictEqual(attributesOf(span("null")), {})
    })
  )
})
