/** Values that no one foresees, and what a backend reads of them. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

const cycle = (): unknown => {
  const value: Record<string, unknown> = { name: "a" }
  value["self"] = value
  return value
}

export const nested = (depth: number, wrap: (inner: unknown) => unknown): unknown => {
  let value: unknown = "bottom"
  for (let i = 0; i < depth; i++) value = wrap(value)
  return value
}

export const throws = (): never => {
  throw new Error("from a getter")
}

export const hostileProxy = (): object =>
  new Proxy(
    {},
    {
      get: throws,
      has: throws,
      ownKeys: throws,
      getPrototypeOf: throws,
      getOwnPropertyDescriptor: throws
    }
  )

const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

const detached = (): Uint8Array => {
  const bytes = new Uint8Array(8)
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  return bytes
}

class Account {
  #balance = 5
  owner = "ada"
  get balance(): number {
    return this.#balance
  }
}

class Endless {
  toJSON(): unknown {
    return { again: new Endless() }
  }
}

const listWithGetter = (): ReadonlyArray<unknown> => Object.defineProperty(["a", "b"], 1, { get: throws })

const sparse = (): ReadonlyArray<unknown> => {
  const list: Array<unknown> = []
  list[4_294_967_294] = "last"
  return list
}

/** Any value: only that it is there is asserted. */
export const any = Symbol("any")

/** What is set, made anew each time, and what a backend reads: `undefined` where the attribute is left out. */
export const values: Readonly<Record<string, readonly [make: () => unknown, read: unknown]>> = {
  text: [() => "a", "a"],
  "empty text": [() => "", ""],
  "lone surrogates": [() => "a\ud800b\udc00", "a\ufffdb\ufffd"],
  "null characters": [() => "a\u0000b", "a\u0000b"],
  "a huge text": [() => "é".repeat(10_000_000), "é".repeat(8192)],
  "a huge text of pairs": [() => `a${"🎧".repeat(5_000_000)}`, `a${"🎧".repeat(4095)}`],
  integer: [() => 1, 1n],
  "minus zero": [() => -0, any],
  "not a number": [() => NaN, "NaN"],
  infinity: [() => Infinity, "Infinity"],
  "minus infinity": [() => -Infinity, "-Infinity"],
  "the largest number": [() => Number.MAX_VALUE, Number.MAX_VALUE],
  bigint: [() => 2n ** 70n, String(2n ** 70n)],
  null: [() => null, "null"],
  undefined: [() => undefined, undefined],
  symbol: [() => Symbol("s"), "Symbol(s)"],
  function: [() => Math.max, "[Function: max]"],
  "function whose name throws": [() => Object.defineProperty(() => {}, "name", { get: throws }), any],
  date: [() => new Date(0), "1970-01-01T00:00:00.000Z"],
  "invalid date": [() => new Date(NaN), "Invalid Date"],
  error: [() => new TypeError("no"), "TypeError: no"],
  "error whose message throws": [
    () => Object.defineProperty(new Error("x"), "message", { get: throws }),
    "[Unreadable]"
  ],
  "error with itself as cause": [
    () => {
      const error = new Error("round")
      error.cause = error
      return error
    },
    "Error: round"
  ],
  cycle: [cycle, '{"name":"a","self":"[Circular]"}'],
  "cycle of a list": [
    () => {
      const list: Array<unknown> = []
      list.push(list)
      return list
    },
    any
  ],
  "cycle of a map": [
    () => {
      const map = new Map<string, unknown>()
      map.set("self", map)
      return map
    },
    '{"self":"[Circular]"}'
  ],
  "getter that throws": [
    () => ({
      a: 1,
      get b() {
        return throws()
      },
      c: 2
    }),
    '{"a":1,"b":"[Throws]","c":2}'
  ],
  "getter that throws, in a list": [listWithGetter, "[Unreadable]"],
  "proxy that throws at everything": [hostileProxy, "[Unreadable]"],
  "proxy that was revoked": [revoked, "[Unreadable]"],
  "object without prototype": [() => Object.assign(Object.create(null), { a: 1 }), '{"a":1}'],
  "class instance": [() => new Account(), '{"owner":"ada"}'],
  "keys named __proto__ and constructor": [
    () => JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'),
    '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'
  ],
  "toJSON that throws": [() => ({ toJSON: throws }), any],
  "toJSON without end": [() => new Endless(), any],
  "toString that throws": [() => ({ toString: throws, [Symbol.toPrimitive]: throws }), any],
  "deep object": [() => nested(100_000, (a) => ({ a })), `${'{"a":'.repeat(8)}"[...]"${"}".repeat(8)}`],
  "deep list": [() => nested(100_000, (a) => [a]), any],
  "wide object": [() => Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, i])), any],
  "long list": [
    () => Array.from({ length: 1_000_000 }, (_, i) => i),
    Array.from({ length: 1024 }, (_, i) => BigInt(i))
  ],
  "sparse list": [sparse, any],
  "mixed list": [
    () => [1, "a", true, null, { b: 1 }, [2], NaN],
    ["1", "a", "true", undefined, '{"b":1}', "[2]", "NaN"]
  ],
  "list with gaps": [() => ["a", null, undefined, "b"], ["a", undefined, undefined, "b"]],
  "list of numbers that are none": [() => [1, NaN], ["1", "NaN"]],
  set: [() => new Set(["a", "b"]), ["a", "b"]],
  map: [
    () =>
      new Map<unknown, unknown>([
        ["a", 1],
        [{ b: 1 }, 2],
        [Symbol("c"), 3]
      ]),
    any
  ],
  "typed array": [() => new Float64Array([1, 0.5]), [1n, 0.5]],
  "big typed array": [() => new BigInt64Array([1n]), ["1"]],
  bytes: [() => new Uint8Array([1, 2, 255]), "AQL/"],
  "many bytes": [() => new Uint8Array(20_000_000), "A".repeat(8192)],
  "array buffer": [() => new Uint8Array([1]).buffer, "AQ=="],
  "detached array": [detached, any],
  "shared array buffer": [() => new SharedArrayBuffer(1), "AA=="],
  option: [() => Option.some(1), 1n],
  "no option": [() => Option.none(), undefined],
  duration: [() => Duration.seconds(2), 2000n],
  url: [() => new URL("https://h/a"), "https://h/a"],
  "regular expression": [() => /a/g, "/a/g"],
  promise: [() => Promise.resolve(1), "[Promise]"],
  "weak map": [() => new WeakMap(), "[Weak]"],
  generator: [
    () =>
      (function* () {
        for (;;) yield 1
      })(),
    any
  ],
  arguments: [
    (...args: ReadonlyArray<unknown>) =>
      (function () {
        // oxlint-disable-next-line prefer-rest-params -- the object itself is the value
        return arguments
      })(...(args as [])),
    any
  ],
  effect: [() => Effect.void, any],
  "global object": [() => globalThis, any]
}
