/** Any JavaScript value that an application might set. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { Choices } from "../Choices.ts"
import { textOf } from "./spans.ts"

const throws = (): never => {
  throw new Error("from a getter")
}

/** Keys that say that their value is a secret. */
export const secretKeys = [
  "password",
  "db.password",
  "apiKey",
  "Authorization",
  "x-api-key",
  "client_secret",
  "setCookie"
]

export const plainKeys = ["a", "b", "user", "__proto__", "constructor", "toJSON", "length", "0", "", "cache.key"]

const simple: ReadonlyArray<(choices: Choices) => unknown> = [
  (choices) => choices.below(1000),
  textOf,
  (choices) => choices.pick([NaN, Infinity, -Infinity, -0, 0.5, 1e300]),
  (choices) => choices.pick([true, false, null, undefined]),
  (choices) => BigInt(choices.below(1000)) ** BigInt(choices.below(20)),
  (choices) => choices.pick([Symbol("s"), Symbol.iterator, Symbol()]),
  (choices) => choices.pick<unknown>([() => 1, Math.max, class A {}, async () => {}]),
  (choices) => new Date(choices.pick([0, NaN, 8.64e15])),
  (choices) => new Error(textOf(choices)),
  (choices) => Buffer.from(choices.bytes(20)),
  (choices) => new Float64Array(choices.list(5, (choices) => choices.pick([1, 0.5, NaN]))),
  (choices) => new BigInt64Array(choices.list(3, (choices) => BigInt(choices.below(9)))),
  () => Object.defineProperty({ a: 1 }, "b", { get: throws, enumerable: true }),
  () => ({ toJSON: throws, toString: throws }),
  () => new Proxy({}, { get: throws, ownKeys: throws, getPrototypeOf: throws }),
  () => new Map([[{}, 1]]),
  () => new URL("https://h/a"),
  () => /a/g,
  () => new WeakMap(),
  () => Promise.resolve(),
  () => Duration.seconds(1),
  () => Option.none(),
  () => Object.create(null) as unknown,
  () =>
    new (class {
      #a = 1
      b = 2
      get c() {
        return this.#a
      }
    })()
]

/** A value, a few levels deep, with itself somewhere inside now and then. */
export const valueOf = (choices: Choices, secret?: string, depth = 0): unknown => {
  const inner = (choices: Choices): unknown => valueOf(choices, secret, depth + 1)
  const hidden = (text: string): unknown => (choices.once(2) ? text : { deep: [text] })
  if (depth > 5 || choices.once(2)) {
    if (secret !== undefined && choices.once(3)) return Redacted.make(secret)
    return choices.pick(simple)(choices)
  }
  return choices.oneOf<unknown>(
    (choices) => {
      const object: Record<string, unknown> = {}
      const put = (key: string, value: unknown): void => {
        Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
      }
      for (const [key, value] of choices.list(4, (choices) => [choices.pick(plainKeys), inner(choices)] as const))
        put(key, value)
      if (secret !== undefined && choices.once(2)) put(choices.pick(secretKeys), hidden(secret))
      if (choices.once(6)) put("self", object)
      return object
    },
    (choices) => {
      const list = choices.list(5, inner)
      if (choices.once(6)) list.push(list)
      return list
    },
    (choices) => new Set(choices.list(4, inner)),
    (choices) => {
      const map = new Map<unknown, unknown>(
        choices.list(3, (choices) => [choices.pick<unknown>([...plainKeys, 5, {}]), inner(choices)])
      )
      if (secret !== undefined && choices.once(2)) map.set(choices.pick(secretKeys), hidden(secret))
      return map
    },
    (choices) => Option.some(inner(choices)),
    (choices) => {
      const value = inner(choices)
      return { toJSON: () => value }
    },
    (choices) => new Error("outer", { cause: inner(choices) })
  )
}
