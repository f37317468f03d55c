/**
 * The cache in this process: for development and tests, with no server.
 *
 * It is a real cache: keys expire by Effect's clock, the least recently used give way when it is full, types are checked as
 * Redis checks them (`WRONGTYPE`), patterns are Redis's globs. What it is not is shared: every layer has its own.
 *
 * **Example** (A cache for a test)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Cache } from "effect-telemetry/Cache"
 * import * as CacheEmbedded from "effect-telemetry/CacheEmbedded"
 *
 * const program = Effect.gen(function* () {
 *   const cache = yield* Cache
 *   yield* cache.incr({ key: "plays" })
 *   return yield* cache.incr({ key: "plays" })
 * })
 * Effect.runPromise(program.pipe(Effect.provide(CacheEmbedded.layer()))).then(console.log)
 * ```
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { InvalidRequest, type Reason } from "../../operation/Reason.ts"
import { Cache, type CacheCalls, type CacheOptions, make } from "./Cache.ts"

/** How much the cache keeps. */
export interface CacheEmbeddedOptions extends CacheOptions {
  /** How many keys it holds before the least recently used give way. Default 10,000. */
  readonly maxKeys?: number | undefined
}

/** A cache in this process. */
export const layer = (options: CacheEmbeddedOptions = {}): Layer.Layer<Cache> =>
  Layer.effect(
    Cache,
    Effect.suspend(() => make(calls(options.maxKeys ?? 10_000), options))
  )

type Value = string | Map<string, string> | Array<string>

interface Entry {
  value: Value
  /** When it expires, in milliseconds since the epoch; infinity for never. */
  expiresAt: number
}

const wrongType = () =>
  new InvalidRequest({
    message: "WRONGTYPE Operation against a key holding the wrong kind of value",
    code: "WRONGTYPE"
  })

const notInteger = () => new InvalidRequest({ message: "ERR value is not an integer or out of range", code: "ERR" })

/** Keys with their expiry, in the order of their last use (a `Map` keeps the order of insertion). */
class Store {
  private readonly entries = new Map<string, Entry>()
  private readonly maxKeys: number
  now = 0

  constructor(maxKeys: number) {
    this.maxKeys = maxKeys
  }

  find(key: string): Entry | undefined {
    const entry = this.entries.get(key)
    if (entry === undefined) return undefined
    this.entries.delete(key)
    if (entry.expiresAt <= this.now) return undefined
    this.entries.set(key, entry)
    return entry
  }

  put(key: string, value: Value, expiresAt: number): void {
    this.entries.delete(key)
    this.entries.set(key, { value, expiresAt })
    if (this.entries.size > this.maxKeys) this.evict()
  }

  remove(key: string): boolean {
    const found = this.find(key) !== undefined
    this.entries.delete(key)
    return found
  }

  keys(matches: (key: string) => boolean): Array<string> {
    const found: Array<string> = []
    for (const [key, entry] of this.entries) {
      if (entry.expiresAt > this.now && matches(key)) found.push(key)
    }
    return found
  }

  private evict(): void {
    for (const [key, entry] of this.entries) {
      if (this.entries.size <= this.maxKeys) return
      if (entry.expiresAt <= this.now) this.entries.delete(key)
    }
    for (const key of this.entries.keys()) {
      if (this.entries.size <= this.maxKeys) return
      this.entries.delete(key)
    }
  }
}

const calls = (maxKeys: number): CacheCalls => {
  const store = new Store(maxKeys)
  /** Runs a command at the clock's time; what it throws is the reason of its failure. */
  const run = <A>(command: () => A): Effect.Effect<A, Reason> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      store.now = now
      return Effect.fromResult(Result.try({ try: command, catch: (reason) => reason as Reason }))
    })
  const expiry = (ttl: Duration.Input | undefined) =>
    ttl === undefined ? Infinity : store.now + Math.max(1, Duration.toMillis(Duration.fromInputUnsafe(ttl)))
  const text = (key: string): string | undefined => {
    const value = store.find(key)?.value
    if (value !== undefined && typeof value !== "string") throw wrongType()
    return value
  }
  const hash = (key: string): Map<string, string> | undefined => {
    const value = store.find(key)?.value
    if (value !== undefined && !(value instanceof Map)) throw wrongType()
    return value
  }
  const list = (key: string): Array<string> | undefined => {
    const value = store.find(key)?.value
    if (value !== undefined && !Array.isArray(value)) throw wrongType()
    return value
  }
  const add = (key: string, by: number): number => {
    const before = text(key) ?? "0"
    const after = Number(before) + by
    if (!/^-?\d+$/.test(before) || !Number.isSafeInteger(after)) throw notInteger()
    store.put(key, String(after), store.find(key)?.expiresAt ?? Infinity)
    return after
  }
  return {
    get: ({ key }) => run(() => Option.fromUndefinedOr(text(key))),
    set: ({ key, ttl, value }) => run(() => store.put(key, value, expiry(ttl))),
    delete: ({ keys }) => run(() => keys.filter((key) => store.remove(key)).length),
    exists: ({ key }) => run(() => store.find(key) !== undefined),
    ttl: ({ key }) =>
      run(() => {
        const entry = store.find(key)
        if (entry === undefined) return Option.none()
        return Option.some(
          entry.expiresAt === Infinity ? Duration.infinity : Duration.millis(entry.expiresAt - store.now)
        )
      }),
    expire: ({ key, ttl }) =>
      run(() => {
        const entry = store.find(key)
        if (entry === undefined) return false
        entry.expiresAt = expiry(ttl)
        return true
      }),
    incr: ({ by, key }) => run(() => add(key, by ?? 1)),
    decr: ({ by, key }) => run(() => add(key, -(by ?? 1))),
    mget: ({ keys }) =>
      run(() =>
        keys.map((key) => {
          const value = store.find(key)?.value
          return typeof value === "string" ? Option.some(value) : Option.none()
        })
      ),
    keys: ({ pattern }) =>
      Effect.map(
        run(() => store.keys(glob(pattern))),
        Stream.fromIterable
      ),
    hget: ({ field, key }) => run(() => Option.fromUndefinedOr(hash(key)?.get(field))),
    hset: ({ fields, key }) =>
      run(() => {
        const names = Object.keys(fields)
        if (names.length === 0) throw new InvalidRequest({ message: "hset needs at least one field" })
        const found = hash(key) ?? new Map<string, string>()
        const before = found.size
        for (const name of names) found.set(name, fields[name]!)
        store.put(key, found, store.find(key)?.expiresAt ?? Infinity)
        return found.size - before
      }),
    hgetall: ({ key }) => run(() => Object.fromEntries(hash(key) ?? [])),
    lpush: ({ key, values }) =>
      run(() => {
        if (values.length === 0) throw new InvalidRequest({ message: "lpush needs at least one value" })
        const found = list(key) ?? []
        for (const value of values) found.unshift(value)
        store.put(key, found, store.find(key)?.expiresAt ?? Infinity)
        return found.length
      }),
    rpop: ({ key }) =>
      run(() => {
        const found = list(key)
        const value = Option.fromUndefinedOr(found?.pop())
        if (found?.length === 0) store.remove(key)
        return value
      }),
    lrange: ({ key, start, stop }) =>
      run(() => {
        const found = list(key) ?? []
        const from = start < 0 ? Math.max(0, found.length + start) : start
        const to = stop < 0 ? found.length + stop : stop
        return found.slice(from, to + 1)
      }),
    ping: () => Effect.void
  }
}

/**
 * A Redis glob as a predicate: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, `\x`. Matches without backtracking over more than the last
 * star, so that no pattern takes more than pattern times key steps.
 *
 * @internal
 */
export const glob = (pattern: string): ((key: string) => boolean) => {
  type Token = { readonly star: true } | { readonly star: false; readonly test: (char: string) => boolean }
  const tokens: Array<Token> = []
  const chars = [...pattern]
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i]!
    if (char === "*") {
      if (tokens.at(-1)?.star !== true) tokens.push({ star: true })
    } else if (char === "?") {
      tokens.push({ star: false, test: () => true })
    } else if (char === "[" && chars.indexOf("]", i + 2) > 0) {
      const end = chars.indexOf("]", i + 2)
      tokens.push({ star: false, test: charClass(chars.slice(i + 1, end)) })
      i = end
    } else {
      const literal = char === "\\" && i + 1 < chars.length ? chars[++i]! : char
      tokens.push({ star: false, test: (other) => other === literal })
    }
  }
  return (key) => {
    const input = [...key]
    let token = 0
    let star = -1
    let retry = 0
    for (let at = 0; at < input.length;) {
      const current = tokens[token]
      if (current?.star === true) {
        star = token++
        retry = at
      } else if (current !== undefined && current.test(input[at]!)) {
        token++
        at++
      } else if (star >= 0) {
        token = star + 1
        at = ++retry
      } else {
        return false
      }
    }
    while (tokens[token]?.star === true) token++
    return token === tokens.length
  }
}

const charClass = (chars: ReadonlyArray<string>): ((char: string) => boolean) => {
  const negated = chars[0] === "^"
  const members = negated ? chars.slice(1) : chars
  const tests: Array<(char: string) => boolean> = []
  for (let i = 0; i < members.length; i++) {
    const from = members[i]!
    if (members[i + 1] === "-" && members[i + 2] !== undefined) {
      const to = members[i + 2]!
      tests.push((char) => char >= from && char <= to)
      i += 2
    } else {
      tests.push((char) => char === from)
    }
  }
  return (char) => tests.some((test) => test(char)) !== negated
}
