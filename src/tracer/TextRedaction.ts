/**
 * Finds secrets inside of texts and replaces them. Each search starts only where a character stands that its shape needs,
 * and each takes time linear in the text.
 *
 * @internal
 */
import * as SecretNames from "./SecretNames.ts"

/** Names as the application's rules judge them, and what else to mask. */
export interface TextRules {
  readonly isSecretKey: (key: string) => boolean
  readonly isSecretParameter: (name: string) => boolean
  readonly maskEmails: boolean
  readonly maskCardNumbers: boolean
}

/** What stands for the secret part of a text. */
const replacement = "REDACTED"

const quotes = /["'`]/

/** The text without its secrets; the very same text where there are none. */
export const scrub = (text: string, rules: TextRules): string => {
  if (text.length < 4) return text
  let out = text
  // The order matters: what a parameter or a property holds may itself hold a URL.
  if (out.includes(":")) {
    if (out.includes("@")) out = userInfo(out)
    if (out.includes('"')) out = properties(out, rules)
    out = headers(out)
  }
  if (out.includes("=") || (out.includes(":") && quotes.test(out))) out = parameters(out, rules)
  if (out.includes("earer ") || out.includes("asic ") || out.includes("EARER ")) out = credentials(out)
  if (out.includes("eyJ")) out = webTokens(out)
  if (rules.maskEmails && out.includes("@")) out = emails(out)
  if (rules.maskCardNumbers) out = cardNumbers(out)
  return out
}

/** A slash, a question mark, a number sign; white space; what quotes a URL and may not stand in one. */
const endsAuthority = (code: number): boolean =>
  code === 47 || code === 63 || code === 35 || code <= 32 || code === 34 || code === 60 || code === 62

/** `scheme://user:password@host`: whatever stands before the last `@` of the authority. */
const userInfo = (text: string): string => {
  let out = ""
  let copied = 0
  for (let at = text.indexOf("://"); at >= 0; at = text.indexOf("://", at + 3)) {
    const start = at + 3
    let last = -1
    let colon = false
    let end = start
    for (; end < text.length; end++) {
      const code = text.charCodeAt(end)
      if (code === 64) last = end
      else if (code === 58 && last < 0) colon = true
      else if (endsAuthority(code)) break
    }
    if (last >= 0) {
      out += text.slice(copied, start) + (colon ? `${replacement}:${replacement}` : replacement)
      copied = last
    }
  }
  return copied === 0 ? text : out + text.slice(copied)
}

// A name after something that separates. Names are short, so that the search takes time linear in the text.
// `password = 'x'` and `{ password: 'x' }` are found where the value stands in quotes.
const parameterName = /(^|[?&;,\s"'`{([<>|]|%3F|%26)([\w.\-%[\]]{1,128})(?:=|\s{0,4}[=:]\s{0,4}(?=["'`]))/gi
const urlValue = /"[^"]*"|`[^`]*`|'[^']*'(?=[&#\s"<>`]|$)|["']?[^&#\s"<>`]*/y
const plainValue = /"[^"]*"|'[^']*'|`[^`]*`|["']?[^&;,\s"'`<>|})]*/y

const parameters = (text: string, rules: TextRules): string => {
  let out = ""
  let copied = 0
  parameterName.lastIndex = 0
  for (let match = parameterName.exec(text); match !== null; match = parameterName.exec(text)) {
    const [, before, name] = match as unknown as [string, string, string]
    const inUrl = before === "" || before === "?" || before === "&" || before[0] === "%"
    const plain = name.includes("%") ? decode(name) : name
    if (!(inUrl ? rules.isSecretParameter(plain) : rules.isSecretKey(plain))) continue
    const start = parameterName.lastIndex
    const value = inUrl ? urlValue : plainValue
    value.lastIndex = start
    const found = value.exec(text)?.[0] ?? ""
    const quote = found.length > 1 && quotes.test(found[0]!) && found.endsWith(found[0]!) ? found[0] : ""
    const redacted = `${quote}${replacement}${quote}`
    if (found === "" || found === redacted) continue
    out += text.slice(copied, start) + redacted
    copied = start + found.length
    parameterName.lastIndex = copied
  }
  return copied === 0 ? text : out + text.slice(copied)
}

const decode = (name: string): string => {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

// The name of a property of JSON. Backslashes before its quotes: the JSON stands inside of JSON, perhaps several times.
const propertyName = /(?<!\\)(\\{0,15})"([^"\\]{1,128})\1"\s{0,8}:\s{0,8}/g
const simpleValue = /[^\s,}\]"\\{[]*/y

const properties = (text: string, rules: TextRules): string => {
  let out = ""
  let copied = 0
  propertyName.lastIndex = 0
  for (let match = propertyName.exec(text); match !== null; match = propertyName.exec(text)) {
    const [, escape, name] = match as unknown as [string, string, string]
    if (!rules.isSecretKey(name)) continue
    const start = propertyName.lastIndex
    const end = endOfValue(text, start, escape.length)
    const value = text.slice(start, end)
    const redacted = `${escape}"${replacement}${escape}"`
    if (value === "" || value === "null" || value === redacted || value === `${escape}"[${replacement}]${escape}"`)
      continue
    out += text.slice(copied, start) + redacted
    copied = end
    propertyName.lastIndex = end
  }
  return copied === 0 ? text : out + text.slice(copied)
}

const endOfValue = (text: string, start: number, escapes: number): number => {
  if (text[start + escapes] === '"' && text.startsWith("\\".repeat(escapes), start)) {
    return endOfQuoted(text, start + escapes + 1, escapes)
  }
  if (text[start] === "{" || text[start] === "[") return endOfBrackets(text, start)
  simpleValue.lastIndex = start
  return start + (simpleValue.exec(text)?.[0].length ?? 0)
}

/** Behind the quote that ends a string: one with as many backslashes before it as the one that began it. */
const endOfQuoted = (text: string, start: number, escapes: number): number => {
  let run = 0
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 92) run++
    else {
      // Each level of nesting doubles the backslashes: more of them than its own escape a quote of the string's.
      if (code === 34 && run % ((escapes + 1) * 2) === escapes) return i + 1
      run = 0
    }
  }
  return text.length
}

const endOfBrackets = (text: string, start: number): number => {
  let depth = 0
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 123 || code === 91) depth++
    else if ((code === 125 || code === 93) && --depth === 0) return i + 1
  }
  return text.length
}

const headerNames =
  "(?:proxy-)?authorization|(?:set-)?cookie|x-api-key|api-key|apikey|x-auth-token|x-amz-security-token"
const header = new RegExp(
  `\\b(${headerNames})(["']?\\s{0,8}:\\s{0,8}["'[]{0,2})(?!["'\\s]|REDACTED)([^\\r\\n"']+)`,
  "gi"
)

const headers = (text: string): string => text.replace(header, `$1$2${replacement}`)

const credential = /\b(bearer|basic)(\s{1,8})([\w.~+/-]{8,}={0,2})/gi

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
  code === 45

const domain = /^[a-z0-9-]+(?:\.[a-z0-9-]+)+/i

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
