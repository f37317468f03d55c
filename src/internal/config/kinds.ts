/**
 * The kinds of value that a setting can have: how each is read from a variable's text and from an option in code, and in
 * which words its acceptance is told.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Path from "node:path"
import type { ResourceAttributeValue } from "../../TelemetryConfig.ts"
import * as Endpoint from "./endpoint.ts"
import * as Text from "./text.ts"

/** Why a value is not accepted. */
export interface Refusal {
  /** What is wrong in particular. Never holds anything secret. */
  readonly detail?: string | undefined
  /** The part of the value to blame, where the whole would say less. Never holds anything secret. */
  readonly culprit?: string | undefined
}

/** A kind of value. */
export interface Kind<A> {
  /** What is accepted, to be read after "expected". */
  readonly accepted: string
  /** The same for an option in code, where it differs. */
  readonly acceptedInCode?: string | undefined
  /** How a refused text may be shown. */
  readonly mask?: ((text: string) => string) | undefined
  readonly fromText: (text: string) => Result.Result<A, Refusal>
  readonly fromCode: (value: unknown) => Result.Result<A, Refusal>
}

/** What stands in the place of a secret. */
export const redacted = "<redacted>"

const orRefuse = <A>(value: A | undefined, refusal: Refusal = {}): Result.Result<A, Refusal> =>
  value === undefined ? Result.fail(refusal) : Result.succeed(value)

/** The longest that a timer of Node.js can wait: 24.8 days. The specification lets it stand for "no limit". */
export const longestMillis = 2_147_483_647

/** A switch. */
export const boolean: Kind<boolean> = {
  accepted: `one of ${Text.booleanWords.join(", ")}`,
  acceptedInCode: "true or false",
  fromText: (text) => orRefuse(Text.parseBoolean(text)),
  fromCode: (value) => orRefuse(typeof value === "boolean" ? value : undefined)
}

/** Any text but none. */
export const text: Kind<string> = {
  accepted: "text",
  acceptedInCode: "text that is not empty",
  fromText: Result.succeed,
  fromCode: (value) => orRefuse(typeof value === "string" && value.trim() !== "" ? value.trim() : undefined)
}

/** A path, made absolute, since the working directory can change before the path is used. */
export const path: Kind<string> = {
  accepted: "a path",
  fromText: (value) => resolvedPath(value),
  fromCode: (value) => (typeof value === "string" && value.trim() !== "" ? resolvedPath(value) : Result.fail({}))
}

const resolvedPath = (value: string): Result.Result<string, Refusal> => {
  if (value.includes("\0")) return Result.fail({ detail: "it holds a null character" })
  try {
    return Result.succeed(Path.resolve(value))
  } catch {
    return Result.fail({ detail: "it is relative and the working directory is gone" })
  }
}

/** An integer within bounds. */
export const integer = (minimum: number): Kind<number> => ({
  accepted: `an integer from ${minimum} to ${longestMillis}`,
  fromText: (value) => orRefuse(Text.parseInteger(value, minimum, longestMillis)),
  fromCode: (value) =>
    orRefuse(
      typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= longestMillis
        ? value
        : undefined
    )
})

/** A share. */
export const ratio: Kind<number> = {
  accepted: "a number from 0 to 1",
  fromText: (value) => orRefuse(Text.parseRatio(value)),
  fromCode: (value) => orRefuse(typeof value === "number" && value >= 0 && value <= 1 ? value : undefined)
}

const durationFromCode = (value: unknown): Duration.Duration | undefined => {
  if (Number.isNaN(value)) return undefined
  const duration = (typeof value === "string" ? Text.parseDuration(value) : undefined) ?? fromInput(value)
  return duration === undefined || Duration.isNegative(duration) ? undefined : duration
}

const fromInput = (value: unknown): Duration.Duration | undefined =>
  Predicate.isNullish(value) ? undefined : Option.getOrUndefined(Duration.fromInput(value as Duration.Input))

/**
 * A number of milliseconds, as the specification writes durations and timeouts.
 *
 * A timeout of 0 means no limit; it becomes the longest wait of a timer, so that no reader has to know.
 */
export const millis = (zero: "is zero" | "means no limit"): Kind<Duration.Duration> => {
  const bounded = (duration: Duration.Duration | undefined): Result.Result<Duration.Duration, Refusal> => {
    if (duration === undefined) return Result.fail({})
    const value = Duration.toMillis(duration)
    const noLimit = zero === "means no limit" && (value === 0 || value === Infinity)
    return noLimit || value <= longestMillis
      ? Result.succeed(noLimit ? Duration.millis(longestMillis) : duration)
      : Result.fail({})
  }
  const suffix = zero === "means no limit" ? "; 0 means no limit" : ""
  return {
    accepted: `milliseconds, an integer from 0 to ${longestMillis}${suffix}`,
    acceptedInCode: `a duration from 0 to ${longestMillis} milliseconds${suffix}`,
    fromText: (value) => {
      const parsed = Text.parseInteger(value, 0, longestMillis)
      return bounded(parsed === undefined ? undefined : Duration.millis(parsed))
    },
    fromCode: (value) => bounded(durationFromCode(value))
  }
}

/** A duration with its units. */
export const duration: Kind<Duration.Duration> = {
  accepted: "a duration with its unit, such as 500ms, 2s, 1.5s or 1m30s",
  acceptedInCode: "a finite duration that is not negative",
  fromText: (value) => orRefuse(Text.parseDuration(value)),
  fromCode: (value) => {
    const parsed = durationFromCode(value)
    return orRefuse(parsed !== undefined && Duration.isFinite(parsed) ? parsed : undefined)
  }
}

/** A number of bytes, at least one. */
export const size: Kind<number> = {
  accepted: "a size such as 256MB, 1GiB or 1048576 (bytes)",
  fromText: (value) => orRefuse(Text.parseSize(value)),
  fromCode: (value) =>
    orRefuse(
      typeof value === "string"
        ? Text.parseSize(value.trim())
        : typeof value === "number" || typeof value === "bigint"
          ? Text.parseSize(String(value))
          : undefined
    )
}

/** One word of a few; in a variable in any case. */
export const oneOf = <const Word extends string>(words: ReadonlyArray<Word>): Kind<Word> => {
  const find = (value: string): Word | undefined => words.find((word) => word === value)
  return {
    accepted: `one of ${words.join(", ")}`,
    fromText: (value) => orRefuse(find(value.toLowerCase())),
    fromCode: (value) => orRefuse(typeof value === "string" ? find(value) : undefined)
  }
}

/** A list of words of which `known` decides; each at most once. */
export const listOf = (accepted: string, check: (words: ReadonlyArray<string>) => Refusal | undefined) => {
  const checked = (words: ReadonlyArray<string>): Result.Result<ReadonlyArray<string>, Refusal> => {
    const unique = [...new Set(words.map((word) => word.trim().toLowerCase()))].filter((word) => word !== "")
    const refusal = check(unique)
    return refusal === undefined ? Result.succeed(unique) : Result.fail(refusal)
  }
  const kind: Kind<ReadonlyArray<string>> = {
    accepted,
    fromText: (value) => {
      const words = Text.parseList(value)
      return Text.isBadEntry(words) ? Result.fail(entryRefusal(words)) : checked(words)
    },
    fromCode: (value) =>
      Array.isArray(value) && value.every(Predicate.isString)
        ? checked(value)
        : Result.fail({ detail: "it is no list" })
  }
  return kind
}

const entryRefusal = (entry: Text.BadEntry): Refusal => ({
  culprit: JSON.stringify(entry.entry),
  detail: `entry ${entry.position} ${entry.why}`
})

/** An endpoint. */
export const endpoint = (form: "base" | "traces"): Kind<Endpoint.ParsedEndpoint> => {
  const fromText = (value: string): Result.Result<Endpoint.ParsedEndpoint, Refusal> => {
    const parsed = Endpoint.parseEndpoint(value, form)
    return typeof parsed === "string" ? Result.fail({ detail: parsed }) : Result.succeed(parsed)
  }
  return {
    accepted: "an http or https URL, or host:port",
    mask: Endpoint.maskUrl,
    fromText,
    fromCode: (value) => {
      const plain = Redacted.isRedacted(value) ? Redacted.value(value) : value
      if (plain instanceof URL) return fromText(plain.href)
      return typeof plain === "string" ? fromText(plain.trim()) : Result.fail({})
    }
  }
}

const headerName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const headerValue = /^[\t\u0020-\u007e\u0080-\u00ff]*$/

/** Headers by name in lower case. Nothing of a value, nor of a name that is none, is ever said. */
export type Headers = Readonly<Record<string, Redacted.Redacted<string>>>

const headersOf = (
  pairs: Iterable<{ readonly key: string; readonly value: string; readonly position: number }>
): Result.Result<Headers, Refusal> => {
  // A map first: `__proto__` is a legal name of a header, and assigning it would not make one.
  const headers = new Map<string, Redacted.Redacted<string>>()
  for (const { key, value, position } of pairs) {
    if (!headerName.test(key)) return Result.fail({ detail: `the name in entry ${position} is not a header name` })
    if (!headerValue.test(value)) {
      return Result.fail({ detail: `the value of ${key} has characters that a header cannot hold` })
    }
    headers.set(key.toLowerCase(), Redacted.make(value.trim()))
  }
  return Result.succeed(Object.fromEntries(headers))
}

/** Header names and values. */
export const headers: Kind<Headers> = {
  accepted: "name=value,name=value, percent-encoded, with names and values that HTTP allows",
  acceptedInCode: "a record of header names to text or Redacted text that HTTP allows",
  mask: () => redacted,
  fromText: (value) => {
    const pairs = Text.parsePairs(value)
    return Text.isBadEntry(pairs) ? Result.fail({ detail: `entry ${pairs.position} ${pairs.why}` }) : headersOf(pairs)
  },
  fromCode: (value) => {
    if (!Predicate.isObject(value) || Redacted.isRedacted(value)) return Result.fail({ detail: "it is no record" })
    const pairs: Array<Text.Pair> = []
    for (const [key, given] of Object.entries(value)) {
      const plain: unknown = Redacted.isRedacted(given) ? Redacted.value(given) : given
      const position = pairs.length + 1
      if (typeof plain !== "string") return Result.fail({ detail: `the value of entry ${position} is not text` })
      pairs.push({ key, value: plain, position })
    }
    return headersOf(pairs)
  }
}

/** Attributes of the resource. */
export type ResourceAttributes = Readonly<Record<string, ResourceAttributeValue>>

const isPrimitive = (value: unknown): boolean =>
  typeof value === "string" || typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value))

const isAttributeValue = (value: unknown): boolean =>
  Array.isArray(value)
    ? value.every((item) => isPrimitive(item) && typeof item === typeof value[0])
    : isPrimitive(value)

/** The resource's attributes; in code a value may be `undefined`, which leaves its attribute out. */
export const resourceAttributes: Kind<ResourceAttributes> = {
  accepted: "key=value,key=value, percent-encoded",
  acceptedInCode: "a record of keys to text, finite numbers, booleans or arrays of one of these",
  fromText: (value) => {
    const pairs = Text.parsePairs(value)
    return Text.isBadEntry(pairs)
      ? Result.fail(entryRefusal(pairs))
      : Result.succeed(Object.fromEntries(pairs.map(({ key, value }) => [key, value])))
  },
  fromCode: (value) => {
    if (!Predicate.isObject(value)) return Result.fail({ detail: "it is no record" })
    const given = Object.entries(value).filter(([, item]) => item !== undefined)
    const wrong = given.find(([key, item]) => key === "" || !isAttributeValue(item))
    return wrong === undefined
      ? Result.succeed(Object.fromEntries(given) as ResourceAttributes)
      : Result.fail({ detail: `the attribute ${JSON.stringify(wrong[0])} has another value` })
  }
}
