/**
 * Reads one statement: its operation, and what each of its verbs acts on. Internal to `QuerySummary`.
 *
 * @internal
 */
import {
  type Part,
  addTable,
  addTarget,
  isMark,
  isWord,
  makePart,
  queryVerbs,
  readName,
  readQuery
} from "./SqlQuery.ts"
import type { Token } from "./SqlText.ts"

/** A statement as far as a span tells it. */
export interface Statement {
  readonly operation: string | undefined
  readonly parts: ReadonlyArray<Part>
  /** Whether it returns rows, even if none. */
  readonly returnsRows: boolean
}

/** Verbs that say all there is to say, and those whose object is read below. */
const plainVerbs = new Set([
  "BEGIN",
  "COMMIT",
  "END",
  "ROLLBACK",
  "ABORT",
  "SAVEPOINT",
  "SET",
  "SHOW",
  "RESET",
  "DISCARD",
  "LISTEN",
  "NOTIFY",
  "UNLISTEN",
  "DO",
  "DEALLOCATE",
  "CLOSE",
  "CHECKPOINT",
  "LOAD",
  "GRANT",
  "REVOKE",
  "COMMENT",
  "SECURITY",
  "REASSIGN",
  "IMPORT",
  "USE",
  "PRAGMA",
  "ATTACH",
  "DETACH",
  "DESCRIBE",
  "KILL",
  "OPTIMIZE",
  "FETCH",
  "MOVE"
])

const rowVerbs = new Set(["SELECT", "VALUES", "TABLE", "SHOW", "EXPLAIN", "FETCH", "PRAGMA", "DESCRIBE"])

const unknown: Statement = { operation: undefined, parts: [], returnsRows: false }

/** Reads one statement. */
export const readStatement = (tokens: ReadonlyArray<Token>): Statement => {
  const at = behindParentheses(tokens, 0)
  const first = tokens[at]
  if (first?.kind !== "word") return unknown
  if (queryVerbs.has(first.key)) {
    const { operation, parts, returning } = readQuery(tokens, 0)
    return { operation, parts, returnsRows: returning || (operation !== undefined && rowVerbs.has(operation)) }
  }
  const parts = at === 0 ? readCommand(tokens, at, first.key) : undefined
  return parts === undefined
    ? unknown
    : { operation: parts[0]!.operation, parts, returnsRows: rowVerbs.has(parts[0]!.operation) }
}

const behindParentheses = (tokens: ReadonlyArray<Token>, from: number): number => {
  let at = from
  while (isMark(tokens[at], "(")) at++
  return at
}

const readCommand = (tokens: ReadonlyArray<Token>, at: number, verb: string): ReadonlyArray<Part> | undefined => {
  switch (verb) {
    case "CREATE":
    case "ALTER":
    case "DROP":
    case "REFRESH":
      return readDefinition(tokens, at, verb)
    case "EXPLAIN":
      return [makePart(verb), ...explained(tokens, skipOptions(tokens, at + 1))]
    case "COPY": {
      const part = makePart(verb)
      if (isMark(tokens[at + 1], "(")) return [part, ...innerQuery(tokens, at + 1)]
      addNames(part, tokens, at + 1, true)
      return [part]
    }
    case "TRUNCATE":
    case "LOCK":
    case "VACUUM":
    case "ANALYZE":
    case "ANALYSE":
    case "CLUSTER": {
      const part = makePart(verb)
      addNames(part, tokens, skipOptions(tokens, at + 1), true)
      return [part]
    }
    case "REINDEX": {
      const part = makePart(verb)
      const table = isWord(tokens[skipOptions(tokens, at + 1) - 1], "TABLE")
      addNames(part, tokens, skipOptions(tokens, at + 1), table)
      return [part]
    }
    case "DECLARE":
    case "PREPARE": {
      if (isWord(tokens[at + 1], "TRANSACTION")) return [makePart("PREPARE TRANSACTION")]
      const opens = verb === "DECLARE" ? "FOR" : "AS"
      const inner = tokens.findIndex((token, i) => i > at && isWord(token, opens))
      return [makePart(verb), ...(inner < 0 ? [] : innerQuery(tokens, inner + 1))]
    }
    case "CALL":
    case "EXEC":
    case "EXECUTE": {
      const part = makePart(verb)
      const name = readName(tokens, at + 1)
      if (name !== undefined) addTarget(part, name.shown)
      return [part]
    }
    case "START":
      return isWord(tokens[at + 1], "TRANSACTION") ? [makePart("START TRANSACTION")] : undefined
    case "RELEASE":
      return [makePart("RELEASE SAVEPOINT")]
    case "COMMIT":
    case "ROLLBACK":
      return [makePart(isWord(tokens[at + 1], "PREPARED") ? verb + " PREPARED" : verb)]
  }
  return plainVerbs.has(verb) ? [makePart(verb)] : undefined
}

/** The parts of a query inside of another statement; none where no query stands there. */
const innerQuery = (tokens: ReadonlyArray<Token>, at: number): ReadonlyArray<Part> => {
  const first = tokens[behindParentheses(tokens, at)]
  return first?.kind === "word" && queryVerbs.has(first.key) ? readQuery(tokens, at).parts : []
}

const explainable = new Set(["CREATE", "REFRESH", "EXECUTE", "DECLARE"])

/** The parts of what `EXPLAIN` explains. */
const explained = (tokens: ReadonlyArray<Token>, at: number): ReadonlyArray<Part> => {
  const first = tokens[at]
  return first?.kind === "word" && explainable.has(first.key)
    ? (readCommand(tokens, at, first.key) ?? [])
    : innerQuery(tokens, at)
}

const optionWords = new Set([
  "ANALYZE",
  "ANALYSE",
  "VERBOSE",
  "FULL",
  "FREEZE",
  "TABLE",
  "ONLY",
  "CONCURRENTLY",
  "INDEX",
  "SCHEMA",
  "DATABASE",
  "SYSTEM",
  "EXTENDED",
  "QUERY",
  "PLAN"
])

/** The place behind options, in parentheses (`(ANALYZE, BUFFERS)`) or bare. */
const skipOptions = (tokens: ReadonlyArray<Token>, from: number): number => {
  let at = from
  if (isMark(tokens[at], "(") && !(tokens[at + 1]?.kind === "word" && queryVerbs.has(tokens[at + 1]!.key))) {
    while (at < tokens.length && !isMark(tokens[at], ")")) at++
    at++
  }
  while (tokens[at]?.kind === "word" && optionWords.has(tokens[at]!.key)) at++
  return at
}

/** Adds the names of a list (`a, b.c, ONLY d`). */
const addNames = (part: Part, tokens: ReadonlyArray<Token>, from: number, tables: boolean): void => {
  let at = from
  for (;;) {
    while (isWord(tokens[at], "ONLY")) at++
    const name = readName(tokens, at)
    if (name === undefined) return
    if (tables) addTable(part, name)
    else addTarget(part, name.shown)
    at = name.next
    if (isMark(tokens[at], "*")) at++
    if (!isMark(tokens[at], ",")) return
    at++
  }
}

/** Words between `CREATE` and what is created. */
const modifiers = new Set([
  "OR",
  "REPLACE",
  "TEMP",
  "TEMPORARY",
  "GLOBAL",
  "LOCAL",
  "UNLOGGED",
  "UNIQUE",
  "RECURSIVE",
  "CONSTRAINT",
  "TRUSTED",
  "PROCEDURAL",
  "CLUSTERED",
  "NONCLUSTERED",
  "FULLTEXT",
  "SPATIAL",
  "VIRTUAL"
])

/** Things that are named by two or three words. */
const compounds: ReadonlyMap<string, ReadonlyArray<string>> = new Map(
  Object.entries({
    MATERIALIZED: ["VIEW"],
    FOREIGN: ["TABLE", "DATA WRAPPER"],
    EVENT: ["TRIGGER"],
    ACCESS: ["METHOD"],
    TEXT: ["SEARCH CONFIGURATION", "SEARCH DICTIONARY", "SEARCH PARSER", "SEARCH TEMPLATE"],
    OPERATOR: ["CLASS", "FAMILY"],
    USER: ["MAPPING"],
    LARGE: ["OBJECT"],
    DEFAULT: ["PRIVILEGES"]
  })
)

const things = new Set([
  "TABLE",
  "INDEX",
  "VIEW",
  "SEQUENCE",
  "SCHEMA",
  "DATABASE",
  "FUNCTION",
  "PROCEDURE",
  "ROUTINE",
  "AGGREGATE",
  "TRIGGER",
  "EXTENSION",
  "TYPE",
  "DOMAIN",
  "ROLE",
  "USER",
  "GROUP",
  "POLICY",
  "RULE",
  "PUBLICATION",
  "SUBSCRIPTION",
  "SERVER",
  "TABLESPACE",
  "LANGUAGE",
  "CAST",
  "COLLATION",
  "CONVERSION",
  "OPERATOR",
  "STATISTICS",
  "TRANSFORM",
  "SYSTEM",
  "OWNED"
])

const tableThings = new Set(["TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE"])
const onTable = new Set(["INDEX", "TRIGGER", "POLICY"])
/** Things of which the target is not named: a name would say nothing, or too much. */
const unnamed = new Set(["CAST", "OPERATOR", "SYSTEM", "OWNED", "DEFAULT PRIVILEGES", "USER MAPPING", "TRANSFORM"])

const readDefinition = (tokens: ReadonlyArray<Token>, from: number, verb: string): ReadonlyArray<Part> => {
  let at = from + 1
  while (tokens[at]?.kind === "word" && modifiers.has(tokens[at]!.key)) at++
  const thing = readThing(tokens, at)
  if (thing === undefined) return [makePart(verb)]
  const part = makePart(`${verb} ${thing.name}`)
  at = thing.next
  while (tokens[at]?.kind === "word" && ["CONCURRENTLY", "IF", "NOT", "EXISTS", "ONLY"].includes(tokens[at]!.key)) at++
  if (onTable.has(thing.name) && (verb === "CREATE" || thing.name !== "INDEX")) {
    const on = tokens.findIndex((token, i) => i >= at && isWord(token, "ON"))
    if (on >= 0) {
      const name = readName(tokens, isWord(tokens[on + 1], "ONLY") ? on + 2 : on + 1)
      if (name !== undefined) addTable(part, name)
      return [part]
    }
  }
  if (unnamed.has(thing.name)) return [part]
  addNames(part, tokens, at, tableThings.has(thing.name))
  return verb === "CREATE" && tableThings.has(thing.name) ? [part, ...definingQuery(tokens, at)] : [part]
}

const readThing = (
  tokens: ReadonlyArray<Token>,
  at: number
): { readonly name: string; readonly next: number } | undefined => {
  const first = tokens[at]
  if (first?.kind !== "word") return undefined
  for (const rest of compounds.get(first.key) ?? []) {
    const words = rest.split(" ")
    if (words.every((word, i) => isWord(tokens[at + 1 + i], word))) {
      return { name: `${first.key} ${rest}`, next: at + 1 + words.length }
    }
  }
  return things.has(first.key) ? { name: first.key, next: at + 1 } : undefined
}

/** The parts of the query behind `CREATE TABLE … AS`. */
const definingQuery = (tokens: ReadonlyArray<Token>, from: number): ReadonlyArray<Part> => {
  let depth = 0
  for (let i = from; i < tokens.length; i++) {
    if (isMark(tokens[i], "(")) depth++
    else if (isMark(tokens[i], ")")) depth--
    else if (depth === 0 && isWord(tokens[i], "AS")) {
      const query = innerQuery(tokens, i + 1)
      if (query.length > 0) return query
    }
  }
  return []
}
