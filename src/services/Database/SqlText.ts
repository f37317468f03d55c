/**
 * Reads SQL text: its tokens, and the text as a span may show it.
 *
 * A span's `db.query.text` has placeholders where the statement has values: every literal (string, number, boolean, bit
 * string, dollar-quoted body) becomes `?`; comments go, since tools put trace ids and user names into them; runs of white
 * space become one blank. What is left is cut at 500 characters. Placeholders (`$1`, `?`) and names stay.
 *
 * This is a scanner, not a parser: it takes any text, never throws, and takes time in proportion to the text, of which it
 * reads the first 32,768 characters. Wherever it cannot tell where a literal ends, the rest counts as literal: what it
 * errs on is left out, not shown.
 *
 * **Example** (What a span shows of a statement)
 *
 * ```ts
 * import * as SqlText from "effect-telemetry/services/Database/SqlText"
 *
 * console.log(SqlText.sanitize("SELECT * FROM users WHERE email = 'ada@example.com' -- lookup"))
 * // SELECT * FROM users WHERE email = ?
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/semconv/db/database-spans/#sanitization-of-dbquerytext
 */
import { cut } from "../../operation/Attributes.ts"

/** The dialects that Effect's SQL clients speak. They differ in what quotes a name and what quotes a value. */
export type Dialect = "pg" | "sqlite" | "mysql" | "mssql" | "clickhouse"

/** The longest `db.query.text`, in characters, without what says that it was cut. */
export const maxTextLength = 500

/** What stands at the end of a `db.query.text` that was cut. */
export const truncated = "... (truncated)"

/** How much of a statement is read, in characters. */
export const maxScanned = 32_768

/** A word is a keyword or a bare name; a name is quoted; a value is a literal or a placeholder; a mark is anything else. */
export type TokenKind = "word" | "name" | "value" | "mark"

/** A piece of SQL text. */
export interface Token {
  readonly kind: TokenKind
  /** A word in upper case; the content of a quoted name; the character of a mark; nothing of a value. */
  readonly key: string
  /** A word or name as it was written, without quotes. */
  readonly text: string
}

/** What scanning gives. */
export interface Scanned {
  readonly tokens: ReadonlyArray<Token>
  /** The text without values and comments, cut. */
  readonly text: string
}

const isDigit = (code: number): boolean => code >= 48 && code <= 57
const isWordStart = (code: number): boolean =>
  (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95 || code >= 128
const isWordPart = (code: number): boolean => isWordStart(code) || isDigit(code) || code === 36
const isSpace = (code: number): boolean => code === 32 || (code >= 9 && code <= 13) || code === 160 || code === 0xfeff

const valueToken: Token = { kind: "value", key: "", text: "" }
const literalPrefixes = new Set(["E", "B", "X", "N"])

/** Scans a statement (or several). */
export const scan = (sql: string, dialect: Dialect = "pg"): Scanned => {
  const end = Math.min(sql.length, maxScanned)
  const mysql = dialect === "mysql"
  const backslashes = mysql || dialect === "clickhouse"
  const bracketNames = dialect === "mssql" || dialect === "sqlite"
  const tokens: Array<Token> = []
  let text = ""
  let gap = false
  let at = 0

  /** Appends to the text, as long as anything of it will be shown. */
  const write = (piece: string): void => {
    if (text.length > maxTextLength) return
    text += gap && text.length > 0 ? " " + piece : piece
    gap = false
  }
  const value = (shown: string): void => {
    tokens.push(valueToken)
    write(shown)
  }
  /** The place behind a quoted piece whose opening quote is at `from`; a doubled quote is part of it. */
  const closing = (from: number, quote: number, escapes: boolean): number => {
    let i = from + 1
    while (i < end) {
      const code = sql.charCodeAt(i)
      if (code === 92 && escapes) i += 2
      else if (code !== quote) i++
      else if (sql.charCodeAt(i + 1) === quote) i += 2
      else return i + 1
    }
    return end
  }
  const quotedName = (quote: number): void => {
    const from = at
    at = closing(at, quote, false)
    const raw = sql.slice(from, at)
    const mark = String.fromCharCode(quote)
    const inner = sql.slice(from + 1, raw.length > 1 && raw.endsWith(mark) ? at - 1 : at).replaceAll(mark + mark, mark)
    tokens.push({ kind: "name", key: inner, text: inner })
    write(raw)
  }
  const word = (): void => {
    const from = at
    while (at < end && isWordPart(sql.charCodeAt(at))) at++
    const written = sql.slice(from, at)
    const key = written.toUpperCase()
    if (at < end && sql.charCodeAt(at) === 39 && literalPrefixes.has(key)) {
      at = closing(at, 39, key === "E" || backslashes)
      return value("?")
    }
    if (key === "U" && sql.charCodeAt(at) === 38) {
      const quote = sql.charCodeAt(at + 1)
      if (quote === 39 && at + 1 < end) {
        at = closing(at + 1, 39, false)
        return value("?")
      }
    }
    if ((key === "TRUE" || key === "FALSE") && !isTruthTest(tokens)) return value("?")
    tokens.push({ kind: "word", key, text: written })
    write(written)
  }
  const number = (): void => {
    at++
    while (at < end) {
      const code = sql.charCodeAt(at)
      if (isWordPart(code) || code === 46) at++
      else if ((code === 43 || code === 45) && (sql.charCodeAt(at - 1) | 32) === 101 && isDigit(sql.charCodeAt(at + 1)))
        at++
      else break
    }
    value("?")
  }
  const dollar = (): void => {
    let i = at + 1
    if (isDigit(sql.charCodeAt(i))) {
      while (i < end && isDigit(sql.charCodeAt(i))) i++
      const placeholder = sql.slice(at, i)
      at = i
      return value(placeholder)
    }
    while (i < end && isWordPart(sql.charCodeAt(i)) && sql.charCodeAt(i) !== 36) i++
    if (i < end && sql.charCodeAt(i) === 36) {
      const tag = sql.slice(at, i + 1)
      const close = sql.indexOf(tag, i + 1)
      at = close < 0 ? end : Math.min(end, close + tag.length)
      return value("?")
    }
    mark()
  }
  const mark = (): void => {
    const character = sql[at]!
    tokens.push({ kind: "mark", key: character, text: character })
    write(character)
    at++
  }

  const bracketName = (): void => {
    const close = sql.indexOf("]", at)
    const stop = close < 0 ? end : Math.min(end, close + 1)
    const inner = sql.slice(at + 1, close < 0 ? stop : stop - 1)
    tokens.push({ kind: "name", key: inner, text: inner })
    write(sql.slice(at, stop))
    at = stop
  }

  while (at < end) {
    const code = sql.charCodeAt(at)
    const next = at + 1 < end ? sql.charCodeAt(at + 1) : 0
    if (isSpace(code)) {
      gap = true
      at++
    } else if ((code === 45 && next === 45) || (code === 35 && mysql)) {
      gap = true
      const line = sql.indexOf("\n", at)
      at = line < 0 ? end : line
    } else if (code === 47 && next === 42) {
      gap = true
      at = afterComment(sql, at, end)
    } else if (code === 39 || (code === 34 && mysql)) {
      at = closing(at, code, backslashes)
      value("?")
    } else if (code === 34 || code === 96) {
      quotedName(code)
    } else if (code === 91 && bracketNames) {
      bracketName()
    } else if (isDigit(code) || (code === 46 && isDigit(next) && !followsName(sql, at))) {
      number()
    } else if (code === 36) {
      dollar()
    } else if (code === 63 && isDigit(next)) {
      const from = at++
      while (at < end && isDigit(sql.charCodeAt(at))) at++
      value(sql.slice(from, at))
    } else if (isWordStart(code)) {
      word()
    } else {
      mark()
    }
  }

  const cutHere = text.length > maxTextLength || sql.length > end
  return { tokens, text: cutHere ? cut(text, maxTextLength) + truncated : text }
}

/** The text of a statement as a span shows it. */
export const sanitize = (sql: string, dialect: Dialect = "pg"): string => scan(sql, dialect).text

/** `IS TRUE`, `IS NOT FALSE`: a test, not a value. */
const isTruthTest = (tokens: ReadonlyArray<Token>): boolean => {
  const last = tokens.at(-1)
  return last?.key === "IS" || (last?.key === "NOT" && tokens.at(-2)?.key === "IS")
}

/** Whether the point at this place qualifies a name (`t.1` of a mistyped statement) rather than begins a number. */
const followsName = (sql: string, at: number): boolean => {
  if (at === 0) return false
  const code = sql.charCodeAt(at - 1)
  return isWordPart(code) || code === 34 || code === 96 || code === 93
}

/** The place behind a block comment, which PostgreSQL nests. */
const afterComment = (sql: string, from: number, end: number): number => {
  let depth = 1
  let i = from + 2
  while (i < end && depth > 0) {
    const code = sql.charCodeAt(i)
    const next = sql.charCodeAt(i + 1)
    if (code === 42 && next === 47) {
      depth--
      i += 2
    } else if (code === 47 && next === 42) {
      depth++
      i += 2
    } else {
      i++
    }
  }
  return Math.min(i, end)
}
