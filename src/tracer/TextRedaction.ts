/**
 * Finds secrets inside of texts and replaces them. Each search starts only where a character stands that its shape needs,
 * and each takes time linear in the text.
 *
 * @internal
 */
import { headerPairs, namedSecrets, replacement } from "./NamedSecrets.ts"
import * as SecretNames from "./SecretNames.ts"

/** Names as the application's rules judge them, and what else to mask. */
export interface TextRules {
  readonly isSecretKey: (key: string) => boolean
  readonly isSecretParameter: (name: string) => boolean
  readonly maskEmails: boolean
  readonly maskCardNumbers: boolean
}

/** The text without its secrets; the very same text where there are none. */
export const scrub = (text: string, rules: TextRules): string => scrubbed(text, rules, 0)

const scrubbed = (text: string, rules: TextRules, depth: number): string => {
  if (text.length < 4) return text
  let out = text
  // The order matters: what a parameter or a property holds may itself hold a URL.
  const colon = out.includes(":")
  if (out.includes("@") && (colon || out.includes("//"))) out = bareUserInfo(userInfo(out))
  if (out.includes("--")) {
    if (out.includes(" KEY-----")) out = privateKeys(out)
    out = options(out, rules)
  }
  if (colon || out.includes("=")) out = namedSecrets(out, rules)
  if (out.includes(",") && (out.includes('"') || out.includes("'")) && hasHeaderName.test(out)) out = headerPairs(out)
  if (out.includes("earer") || out.includes("asic") || out.includes("EARER") || out.includes("ASIC")) {
    out = credentials(out)
  }
  if (out.includes("eyJ")) out = webTokens(out)
  if (out.includes("</")) out = elements(out, rules)
  if (depth < maximumEncodings && out.includes("%")) out = encoded(out, rules, depth)
  if (rules.maskEmails && out.includes("@")) out = emails(out)
  if (rules.maskCardNumbers) out = cardNumbers(out)
  return out
}

const hasHeaderName = /(?:authorization|cookie|api-key)\\{0,15}["']\s{0,8},/i

const SLASH = 47
const AT = 64
/** White space, and what quotes a URL and may not stand in one. */
const endsText = (code: number): boolean => code <= 32 || code === 34 || code === 60 || code === 62
const endsAuthority = (code: number): boolean => code === SLASH || code === 63 || code === 35 || endsText(code)

/** `scheme://user:password@host`, `//user:password@host`: whatever stands before the last `@` of the authority. */
const userInfo = (text: string): string => {
  let out = ""
  let copied = 0
  for (let at = text.indexOf("//"); at >= 0; at = text.indexOf("//", at + 2)) {
    const start = at + 2
    const hasScheme = at > 0 && text.charCodeAt(at - 1) === 58
    let last = -1
    let colon = -1
    let end = start
    for (; end < text.length; end++) {
      const code = text.charCodeAt(end)
      if (code === AT) last = end
      else if (code === 58 && last < 0 && colon < 0) colon = end
      else if (endsAuthority(code)) break
    }
    // What follows a colon and is no port is a password, with a character that a URL would have encoded.
    if (last < 0 && colon >= 0 && hasScheme && !/^(?:\d{0,5}$|\d{1,5}[^\d])/.test(text.slice(colon + 1, end + 1))) {
      while (end < text.length && !endsText(text.charCodeAt(end))) {
        if (text.charCodeAt(end) === AT) last = end
        end++
      }
    }
    if (last >= 0 && (hasScheme || colon >= 0)) {
      out += text.slice(copied, start) + (colon >= 0 ? `${replacement}:${replacement}` : replacement)
      copied = last
    }
    at = Math.max(at, end - 2)
  }
  return copied === 0 ? text : out + text.slice(copied)
}

const bareCredentials =
  /(^|[\s"'`(=,])([\w.+%-]{1,64}):([^\s"'`@/<>]{1,128})@(?=(?:[\w-]{1,63}\.){0,8}[\w-]{1,63}:\d{2,5}(?!\w|\.\w))/g

/** `user:password@host:5432`. */
const bareUserInfo = (text: string): string =>
  text.includes(":") && text.includes("@")
    ? text.replace(bareCredentials, (_all, before: string) => `${before}${replacement}:${replacement}@`)
    : text

const privateKey = /-----BEGIN ([A-Z0-9 ]{0,40}PRIVATE KEY)-----[^]*?(?:-----END \1-----|$)/g

const privateKeys = (text: string): string =>
  text.replace(privateKey, (_all, kind: string) => `-----BEGIN ${kind}-----${replacement}-----END ${kind}-----`)

const element = /<([\w:.-]{1,128})>([^<]+)(?=<\/)/g

const elements = (text: string, rules: TextRules): string =>
  text.replace(element, (all, name: string) => (rules.isSecretKey(name) ? `<${name}>${replacement}` : all))

const option = /(^|\s)(--[a-z][\w.-]{0,63})([ \t]{1,8})([^\s-]\S*)/gi

/** `--password value` of a command line. */
const options = (text: string, rules: TextRules): string =>
  text.replace(option, (all, before: string, name: string, space: string) =>
    rules.isSecretKey(name) ? `${before}${name}${space}${replacement}` : all
  )

const maximumEncodings = 3
const piece = /[^\s"'<>&=?#,;]+/g
const separator = /%(?:25)*(?:3[AD]|40)/i
const escapes = /(?:%[0-9a-f]{2})+/gi

/** A URL, or parts of one, as the value of a parameter: searched as what it stands for. */
const encoded = (text: string, rules: TextRules, depth: number): string =>
  text.replace(piece, (all) => {
    if (!separator.test(all)) return all
    const plain = all.replace(escapes, decode)
    const clean = scrubbed(plain, rules, depth + 1)
    return clean === plain ? all : encodeURIComponent(clean.toWellFormed())
  })

const decode = (name: string): string => {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

const credential = /\b(bearer|basic)(\s{1,8})([\w.~+/-]{8,}={0,2})(?![\w=])/gi

/** A word of a sentence is no credential: those have digits, capitals inside, or the padding of base 64. */
const credentials = (text: string): string =>
  text.replace(credential, (all: string, scheme: string, space: string, value: string) =>
    value !== replacement && /[\d=+/~.]|[a-z][A-Z]/.test(value) ? `${scheme}${space}${replacement}` : all
  )

const webToken = /\beyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?/g

const webTokens = (text: string): string => text.replace(webToken, replacement)

const isMailCharacter = (code: number): boolean =>
  (code >= 48 && code <= 57) ||
  (code >= 65 && code <= 90) ||
  (code >= 97 && code <= 122) ||
  code === 46 ||
  code === 95 ||
  code === 37 ||
  code === 43 ||
  code === 45 ||
  code === 39 ||
  (code >= 0xc0 && code <= 0x52f)

const domain = /^[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+/u

// By hand: a pattern that looks for the part before the @ starts anew at each of its characters.
const emails = (text: string): string => {
  let out = ""
  let copied = 0
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) {
    let start = at
    while (start > copied && isMailCharacter(text.charCodeAt(start - 1))) start--
    if (start === at) continue
    const match = domain.exec(text.slice(at + 1, at + 256))
    if (match === null) continue
    out += `${text.slice(copied, start)}[EMAIL]`
    copied = at + 1 + match[0].length
  }
  return copied === 0 ? text : out + text.slice(copied)
}

const cardNumber = /(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d])/g

const cardNumbers = (text: string): string => text.replace(cardNumber, (all) => (hasCheckDigit(all) ? "[CARD]" : all))

/** ISO/IEC 7812-1, annex B. */
const hasCheckDigit = (text: string): boolean => {
  let sum = 0
  let double = false
  for (let i = text.length - 1; i >= 0; i--) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) continue
    const value = double ? digit * 2 : digit
    sum += value > 9 ? value - 9 : value
    double = !double
  }
  return sum % 10 === 0
}

/** The rules of text alone, for who has no others. */
export const defaultRules: TextRules = {
  isSecretKey: SecretNames.isSecret,
  isSecretParameter: SecretNames.isSecretParameter,
  maskEmails: false,
  maskCardNumbers: false
}
