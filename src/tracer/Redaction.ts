/**
 * What must not leave the process in a span: by default credentials of every kind, by option personal data too.
 *
 * **Details**
 *
 * - A value under a key that looks like a secret (`SecretNames`) becomes `[REDACTED]`, at any depth of an object.
 * - In every text: user and password of a URL, secret query parameters (S3 and other signatures too), `Authorization`,
 *   `Cookie` and API-key headers, bearer and basic credentials, JSON Web Tokens, secret properties of JSON. Only the secret
 *   part is replaced, by `REDACTED`.
 * - A `Redacted` is `[REDACTED]` whatever its key.
 * - `keys` and `parameters` add names; `allow` takes names back; `redact` sees each attribute last and may replace or drop it.
 *
 * **Gotchas**
 *
 * Free text is searched for the shapes above; a secret that looks like any other word cannot be found in it. Put it into a
 * `Redacted`, or under a key that says what it is.
 *
 * **Example** (Masking e-mail addresses, and a key of one's own)
 *
 * ```ts
 * import * as Redaction from "effect-telemetry/tracer/Redaction"
 *
 * const redactor = Redaction.make({ maskEmails: true, keys: ["shop.voucher"] })
 * console.log(redactor.text("mail from ada@example.com")) // mail from [EMAIL]
 * console.log(redactor.isSecretKey("shop.voucher")) // true
 * ```
 */
import { MaximumKeyLength } from "./Limits.ts"
import type { AttributeValue } from "./SpanData.ts"
import * as SecretNames from "./SecretNames.ts"
import { scrub } from "./TextRedaction.ts"

/** What stands for a value that was under a secret key. */
export const REDACTED = "[REDACTED]"

/** How to redact, beyond the defaults. */
export interface RedactionOptions {
  /** More keys whose values are secrets: exact names (any case), or patterns. */
  readonly keys?: ReadonlyArray<string | RegExp> | undefined
  /** More query parameters whose values are secrets. */
  readonly parameters?: ReadonlyArray<string> | undefined
  /** Keys and parameters that are no secrets although they look like it. */
  readonly allow?: ReadonlyArray<string | RegExp> | undefined
  /** Sees every attribute after the rules above. What it returns takes the value's place; `undefined` drops it. */
  readonly redact?: ((key: string, value: AttributeValue) => AttributeValue | undefined) | undefined
  /** Replaces e-mail addresses in texts by `[EMAIL]`. Default false. */
  readonly maskEmails?: boolean | undefined
  /** Replaces numbers of payment cards (13 to 19 digits with a valid check digit) in texts by `[CARD]`. Default false. */
  readonly maskCardNumbers?: boolean | undefined
}

/** What a key says of its value. */
export type KeyClass = 0 | 1 | 2 | 3 | 4
/** Its texts are searched. */
export const PLAIN = 0
/** It is a secret. */
export const SECRET = 1
/** It comes from a short closed list. */
export const CLOSED = 2
/** The key itself has to be repaired first: it is too long, or holds half a character. */
export const ODD = 3
/** The same, and it is a secret. */
export const ODD_SECRET = 4

const isOdd = (key: string): boolean => key.length > MaximumKeyLength || !key.isWellFormed()

/** Rules made ready. */
export interface Redactor {
  /** What a key says of its value. Remembered for 4,096 keys. */
  readonly keyClass: (key: string) => KeyClass
  /** Whether a key names a secret, by the defaults or by `RedactionOptions.keys`. */
  readonly isSecretKey: (key: string) => boolean
  /** Whether a text without `:`, `=`, `@`, space and `J` is never changed: then such texts need no closer look. */
  readonly needsMark: boolean
  /** A text without the secrets in it. Never throws; takes time linear in its length. */
  readonly text: (text: string) => string
  /** The application's own rule, `RedactionOptions.redact`; where it throws, the value is redacted. */
  readonly redact: ((key: string, value: AttributeValue) => AttributeValue | undefined) | undefined
}

const rememberedKeys = 4096

const matcher = (names: ReadonlyArray<string | RegExp> | undefined): ((name: string) => boolean) | undefined => {
  if (names === undefined || names.length === 0) return undefined
  const exact = new Set<string>()
  const patterns: Array<RegExp> = []
  for (const name of names) {
    if (typeof name === "string") exact.add(name.toLowerCase())
    // A pattern with the flag `g` or `y` remembers where it was: a copy without them does not.
    else patterns.push(new RegExp(name.source, name.flags.replace(/[gy]/g, "")))
  }
  return (name) => exact.has(name.toLowerCase()) || patterns.some((pattern) => pattern.test(name))
}

/** Makes rules ready. */
export const make = (options: RedactionOptions = {}): Redactor => {
  const more = matcher(options.keys)
  const allowed = matcher(options.allow)
  const moreParameters = matcher(options.parameters)
  const judge = (key: string): KeyClass => {
    if (more?.(key) === true) return SECRET
    if (allowed?.(key) === true) return PLAIN
    if (SecretNames.closed.has(key)) return CLOSED
    return SecretNames.isSecret(key) ? SECRET : PLAIN
  }
  const remembered = new Map<string, KeyClass>()
  const keyClass = (key: string): KeyClass => {
    let known = remembered.get(key)
    if (known === undefined) {
      known = judge(key)
      if (isOdd(key)) return known === SECRET ? ODD_SECRET : ODD
      if (remembered.size >= rememberedKeys) remembered.clear()
      // A copy: a piece of a text keeps all of the text alive.
      remembered.set(Buffer.from(key).toString(), known)
    }
    return known
  }
  const isSecretKey = (key: string): boolean => {
    const known = keyClass(key)
    return known === SECRET || known === ODD_SECRET
  }
  const isSecretParameter = (name: string): boolean =>
    more?.(name) === true ||
    moreParameters?.(name) === true ||
    (allowed?.(name) !== true && SecretNames.isSecretParameter(name))
  const rules = {
    isSecretKey,
    isSecretParameter,
    maskEmails: options.maskEmails === true,
    maskCardNumbers: options.maskCardNumbers === true
  }
  return {
    keyClass,
    isSecretKey,
    needsMark: !rules.maskCardNumbers,
    text: (text) => scrub(text, rules),
    redact: options.redact
  }
}

/** The rules where nobody says otherwise. */
export const defaults: Redactor = make()

/** No rules at all, for the tests of an application: everything is shown. */
export const none: Redactor = {
  keyClass: (key) => (isOdd(key) ? ODD : PLAIN),
  isSecretKey: () => false,
  needsMark: true,
  text: (text) => text,
  redact: undefined
}
