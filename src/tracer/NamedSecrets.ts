/**
 * Finds the secrets of a text that stand behind a name: parameters of a URL, properties of JSON and of what Node.js prints of
 * objects, headers, words of a configuration. Each search starts at a `=` or `:`; it looks back for a name (128 characters at
 * most), and forward for the value only where the name is a secret's, from whose end it goes on: so all of it takes time linear
 * in the text.
 *
 * @internal
 */
import type { TextRules } from "./TextRedaction.ts"

/** What stands for the secret part of a text. */
export const replacement = "REDACTED"

const COLON = 58
const EQUALS = 61
const QUOTE = 34
const APOSTROPHE = 39
const BACKTICK = 96
const BACKSLASH = 92
const maximumName = 128
const maximumSpace = 8

const pair = /(\\{0,15}["'])(?:(?:proxy-)?authorization|(?:set-)?cookie|x-api-key)\1\s{0,8},\s{0,8}(\\{0,15}["'])/gi

/** Headers as pairs (`["cookie", "a=b"]`), as Node.js keeps raw ones. A name alone, as of a column, is none. */
export const headerPairs = (text: string): string => {
  let out = ""
  let copied = 0
  pair.lastIndex = 0
  for (let match = pair.exec(text); match !== null; match = pair.exec(text)) {
    const from = match.index + match[0].length
    const to = closing(text, from, match[2]!)
    pair.lastIndex = to
    if (!/[\s=\d]/.test(text.slice(from, to))) continue
    out += text.slice(copied, from) + replacement
    copied = to
  }
  return copied === 0 ? text : out + text.slice(copied)
}

/** The text with `REDACTED` in the place of each value under a name that is a secret's. */
export const namedSecrets = (text: string, rules: TextRules): string => {
  let out = ""
  let copied = 0
  let colon = text.indexOf(":")
  let equals = text.indexOf("=")
  while (colon >= 0 || equals >= 0) {
    const at = colon < 0 || (equals >= 0 && equals < colon) ? equals : colon
    const found = secretBehind(text, at, rules)
    if (found !== undefined) {
      out += text.slice(copied, found.from) + found.shown
      copied = found.to
    }
    const next = Math.max(at + 1, copied)
    if (colon >= 0 && colon < next) colon = text.indexOf(":", next)
    if (equals >= 0 && equals < next) equals = text.indexOf("=", next)
  }
  return copied === 0 ? text : out + text.slice(copied)
}

interface Found {
  readonly from: number
  readonly to: number
  readonly shown: string
}

interface Name {
  readonly text: string
  /** The quote around it, with the backslashes before it; empty where there is none. */
  readonly quote: string
  /** The character before it, or before its quote; 0 at the start of the text. */
  readonly before: number
  /** White space between it and what separates it from the value. */
  readonly spaced: boolean
}

const secretBehind = (text: string, at: number, rules: TextRules): Found | undefined => {
  const code = text.charCodeAt(at)
  const next = text.charCodeAt(at + 1)
  // `::`, `==`, and the `://` of a URL separate no name from a value.
  if (next === code || (code === COLON && next === 47 && text.charCodeAt(at + 2) === 47)) return undefined
  // The numbers of a time, or of a place in a file: a stack has them in every line.
  if (code === COLON && isDigit(next) && isDigit(text.charCodeAt(at - 1))) return undefined
  const name = nameBefore(text, at)
  if (name === undefined) return undefined
  const isParameter = code === EQUALS && name.quote === "" && !name.spaced && beginsParameter(name.before)
  if (!isSecret(name.text, isParameter, rules)) return undefined
  const width = (code === EQUALS && next === 62) || (code === COLON && next === EQUALS) ? 2 : 1
  const start = skipSpace(text, at + width)
  const spaced = name.spaced || start > at + width
  const quoted = quoteAt(text, start)
  if (quoted !== "") {
    // In a URL a quote is a character like any other, unless two of them stand around the value.
    const inUrl = isParameter && name.before !== 0 && !isWhole(text, start, quoted)
    if (inUrl) return bare(text, start, endBy(text, start + quoted.length, afterParameter), "")
    return quotedValue(text, start, quoted)
  }
  const first = text.charCodeAt(start)
  if (first === 91 || first === 123) return isPlaceholder(text, start) ? undefined : structure(text, start, name.quote)
  const isOfHeader = header.test(name.text) && (code === COLON || scheme.test(text.slice(start, start + 32)))
  if (isOfHeader) return bare(text, start, endOfHeader(text, start, name), name.quote)
  if (isParameter) return spaced ? undefined : bare(text, start, endBy(text, start, afterParameter), name.quote)
  return word(text, start, name, code === EQUALS ? spaced : true)
}

// ---------------------------------------------------------------------------------------------------------------------
// Names
// ---------------------------------------------------------------------------------------------------------------------

const isDigit = (code: number): boolean => code >= 48 && code <= 57

const isNameCharacter = (code: number): boolean =>
  (code >= 97 && code <= 122) ||
  (code >= 65 && code <= 90) ||
  isDigit(code) ||
  code === 95 ||
  code === 45 ||
  code === 46 ||
  code === 37 ||
  code === 91 ||
  code === 93

const isWordCharacter = (code: number): boolean =>
  isDigit(code) || (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95

const isSpace = (code: number): boolean => code === 32 || (code >= 9 && code <= 13)

const skipSpace = (text: string, from: number): number => {
  let at = from
  while (at - from < maximumSpace && isSpace(text.charCodeAt(at))) at++
  return at
}

const nameBefore = (text: string, at: number): Name | undefined => {
  let end = at
  while (at - end < maximumSpace && (text.charCodeAt(end - 1) === 32 || text.charCodeAt(end - 1) === 9)) end--
  const spaced = end < at
  // `headers["authorization"] = …`
  if (text.charCodeAt(end - 1) === 93 && isQuote(text.charCodeAt(end - 2))) end--
  const last = text.charCodeAt(end - 1)
  if (isQuote(last)) {
    let from = end - 1
    while (from > 0 && end - from < 64 && text.charCodeAt(from - 1) === BACKSLASH) from--
    const quote = text.slice(from, end)
    const opening = text.lastIndexOf(text[end - 1]!, from - 1)
    if (opening < 0 || opening < from - maximumName || opening + 1 >= from) return undefined
    return { text: text.slice(opening + 1, from), quote, before: text.charCodeAt(opening - 1) || 0, spaced }
  }
  let start = end
  while (start > 0 && end - start < maximumName && isNameCharacter(text.charCodeAt(start - 1))) start--
  if (start === end) return undefined
  return { text: text.slice(start, end), quote: "", before: start === 0 ? 0 : text.charCodeAt(start - 1), spaced }
}

const isQuote = (code: number): boolean => code === QUOTE || code === APOSTROPHE || code === BACKTICK

/** Nothing, `?`, `&` or `#`. */
const beginsParameter = (before: number): boolean => before === 0 || before === 63 || before === 38 || before === 35

const isSecret = (name: string, isParameter: boolean, rules: TextRules): boolean => {
  const plain = name.includes("%") ? decoded(name) : name
  return isParameter ? rules.isSecretParameter(plain) : rules.isSecretKey(plain)
}

const decoded = (name: string): string => {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

/** Headers whose values hold blanks, commas and semicolons. */
const header = /(?:^|[-.])(?:authorization|(?:set-)?cookie)$/i

const certain =
  /(?:pass(?:word|wd|phrase|code)s?|passwort|pwd|secret|(?:api|access|account|encryption|private|secret|shared|signing|subscription)[-_. ]?key)$/i

// ---------------------------------------------------------------------------------------------------------------------
// Values
// ---------------------------------------------------------------------------------------------------------------------

/** The quote at a place, with the backslashes before it; empty where there is none. */
const quoteAt = (text: string, at: number): string => {
  let end = at
  while (end - at < 64 && text.charCodeAt(end) === BACKSLASH) end++
  return isQuote(text.charCodeAt(end)) ? text.slice(at, end + 1) : ""
}

/**
 * The place of the closing quote of a string whose content starts at `from`; the end of the text where it was cut off. Within
 * JSON within JSON a quote is behind 1, 3, 7 … backslashes, and one of the content behind more of them.
 */
const closing = (text: string, from: number, quote: string): number => {
  const mark = quote[quote.length - 1]!
  const depth = quote.length - 1
  for (let at = text.indexOf(mark, from); at >= 0; at = text.indexOf(mark, at + 1)) {
    let run = 0
    while (at - run > from && text.charCodeAt(at - run - 1) === BACKSLASH) run++
    if (run % (2 * (depth + 1)) === depth) return at - depth
  }
  return text.length
}

/** Whether a parameter's value is all that stands between two quotes. */
const isWhole = (text: string, at: number, quote: string): boolean => {
  const end = closing(text, at + quote.length, quote) + quote.length
  return end === text.length || (end < text.length && /[&#\s"<>`),;]/.test(text[end]!))
}

const quotedValue = (text: string, at: number, quote: string): Found | undefined => {
  const from = at + quote.length
  let to = closing(text, from, quote)
  if (to === from || isPlaceholder(text, from)) return undefined
  // What Node.js prints of a text of several lines: 'first\n' + 'second'
  for (;;) {
    const plus = /^["'`]\s{0,80}\+\s{0,80}["'`]/.exec(text.slice(to, to + 200))
    if (plus === null) break
    to = closing(text, to + plus[0].length, quote)
  }
  // A quote right before a word opens rather than closes: one before it was never closed.
  while (isWordCharacter(text.charCodeAt(to + quote.length))) to = closing(text, to + quote.length, quote)
  return { from, to, shown: replacement }
}

/** A list or an object, to its closing bracket. */
const structure = (text: string, from: number, quote: string): Found => {
  let depth = 0
  let at = from
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 91 || code === 123) depth++
    else if (code === 93 || code === 125) {
      if (--depth === 0) {
        at++
        break
      }
    } else if (isQuote(code) || code === BACKSLASH) {
      const opened = quoteAt(text, at)
      if (opened !== "") at = closing(text, at + opened.length, opened) + opened.length - 1
    }
  }
  return { from, to: Math.min(at, text.length), shown: quote + replacement + quote }
}

/** What is no secret: nothing, or what stands for one already. */
const nothing = /^(?:null|undefined|REDACTED|\[redacted\]|<redacted[^>]{0,40}>|%5BREDACTED%5D|\*{3,})/i

const isPlaceholder = (text: string, at: number): boolean => nothing.test(text.slice(at, at + 64))

const bare = (text: string, from: number, to: number, quote: string): Found | undefined =>
  to === from || isPlaceholder(text, from) ? undefined : { from, to, shown: quote + replacement + quote }

const afterParameter = /[&#\s"<>`\\]/g

const endBy = (text: string, from: number, what: RegExp): number => {
  what.lastIndex = from
  return what.exec(text)?.index ?? text.length
}

/** To the end of the line, or of the string that the header stands in; quoted parameters (`username="ada"`) are part of it. */
const endOfHeader = (text: string, from: number, name: Name): number => {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 10 || code === 13) return at
    if (!isQuote(code)) continue
    if (code === name.before || text.charCodeAt(at - 1) !== EQUALS) {
      return text.charCodeAt(at - 1) === BACKSLASH ? at - 1 : at
    }
    at = closing(text, at + 1, text[at]!)
  }
  return text.length
}

const afterWord = /[&;,\s"'`<>|)}\]]/g

const schemeLength = (text: string, at: number): number => scheme.exec(text.slice(at, at + 32))?.[0].length ?? 0

/** A word that is itself a name goes with its value: `a: b: c`, `a: b="c"`. */
const endOfWord = (text: string, from: number): number => {
  let end = endBy(text, from, afterWord)
  for (;;) {
    const last = text.charCodeAt(end - 1)
    if (end === from || end >= text.length) return end
    if (last === EQUALS && isQuote(text.charCodeAt(end))) return behindQuoted(text, end)
    if (last !== COLON) return end
    const next = skipSpace(text, end)
    if (isQuote(text.charCodeAt(next))) return behindQuoted(text, next)
    const longer = endBy(text, next + schemeLength(text, next), afterWord)
    if (longer <= next) return end
    end = longer
  }
}

const behindQuoted = (text: string, at: number): number => Math.min(text.length, closing(text, at + 1, text[at]!) + 1)

const scheme = /^(?:bearer|basic|digest|token|apikey|negotiate|aws4-hmac-sha256)[ \t]+/i
const placeholder = /^(?:\?|\$\d|:[a-z_]|@[a-z_]|%s|\$\{)/i
const path = /^[a-z_][\w$]*(?:\.[a-z_][\w$]*)+$/i

/**
 * One word, with the scheme of a credential before it. Where white space stands between, as in a sentence or in SQL, it has to
 * look like a secret, or the name has to say for certain that it is one.
 */
const word = (text: string, from: number, name: Name, doubtful: boolean): Found | undefined => {
  const before = schemeLength(text, from)
  const to = endOfWord(text, from + before)
  const value = text.slice(from, Math.min(to, from + 256))
  if (doubtful && name.quote === "") {
    if (placeholder.test(value) || path.test(value)) return undefined
    const looks = before > 0 || (value.length >= 8 && /[\d=+/~]|[a-z][A-Z]/.test(value))
    if (!looks && !(certain.test(name.text) && !name.spaced)) return undefined
  }
  return bare(text, from, to, name.quote)
}
