/**
 * Reads a query: the verbs in it, in the order of the text, and the tables of each. Internal to `QuerySummary`.
 *
 * One pass over the tokens with a stack of parentheses, so that neither depth nor length of a statement matters.
 *
 * @internal
 */
import type { Token } from "./SqlText.ts"

/** A verb and what it acts on. */
export interface Part {
  readonly operation: string
  /** Tables, as `db.collection.name` writes them. */
  readonly tables: Array<string>
  /** Tables and other things (procedures, schemas), as `db.query.summary` writes them. */
  readonly targets: Array<string>
}

/** A part without targets. */
export const makePart = (operation: string): Part => ({ operation, tables: [], targets: [] })

/** A name that may be qualified, and the place behind it. */
export interface QualifiedName {
  /** As a collection is named. */
  readonly name: string
  /** As a summary names it: quoted where it could not be told from what follows. */
  readonly shown: string
  readonly next: number
}

/** Whether a token is this keyword; a quoted name never is. */
export const isWord = (token: Token | undefined, key: string): boolean => token?.kind === "word" && token.key === key

/** Whether a token is this character. */
export const isMark = (token: Token | undefined, key: string): boolean => token?.kind === "mark" && token.key === key

const isName = (token: Token | undefined): token is Token =>
  token !== undefined && (token.kind === "word" || token.kind === "name")

/** Reads a qualified name (`public."Posts"`) at a place; `undefined` where none stands there. */
export const readName = (tokens: ReadonlyArray<Token>, at: number): QualifiedName | undefined => {
  const first = tokens[at]
  if (!isName(first)) return undefined
  let name = first.text
  let shown = show(first)
  let next = at + 1
  while (isMark(tokens[next], ".") && isName(tokens[next + 1])) {
    const part = tokens[next + 1]!
    name += "." + part.text
    shown += "." + show(part)
    next += 2
  }
  return { name, shown, next }
}

const plainName = /^[\p{L}_][\p{L}\p{N}_$]*$/u

const show = (token: Token): string =>
  token.kind === "word" || plainName.test(token.text) ? token.text : `"${token.text}"`

/** More targets than this say nothing that a summary has room for. */
const maxTargets = 40

/** Adds a table to a part, once. */
export const addTable = (part: Part, name: QualifiedName): void => {
  if (!part.tables.includes(name.name) && part.tables.length < maxTargets) part.tables.push(name.name)
  addTarget(part, name.shown)
}

/** Adds a target that is no table to a part, once. */
export const addTarget = (part: Part, shown: string): void => {
  if (!part.targets.includes(shown) && part.targets.length < maxTargets) part.targets.push(shown)
}

/** What reading a query gives. */
export interface Query {
  /** The verb of the query proper, not of what a `WITH` clause defines. */
  readonly operation: string | undefined
  readonly parts: ReadonlyArray<Part>
  /** Whether the query proper has a `RETURNING` clause. */
  readonly returning: boolean
}

/** What is between two parentheses, or around them all. */
interface Level {
  /** Whether clauses mean something here: in an expression or a call (`EXTRACT(DAY FROM t)`), they do not. */
  readonly query: boolean
  /** Whether it is, or is in, what a `WITH` clause defines. */
  readonly defining: boolean
  /** Whether a verb may come now. */
  start: boolean
  /** The verb whose clauses these are. */
  part: Part | undefined
  /** What the next name is: an item of a list of tables, a table to be written, or nothing of interest. */
  expects: "item" | "target" | undefined
  /** Whether a comma leads to another table. */
  list: boolean
  /** Where a `WITH` clause has come to. */
  with: "name" | "definition" | "between" | undefined
  /** Whether the `USING` that names tables has been. */
  used: boolean
}

const makeLevel = (query: boolean, defining: boolean): Level => ({
  query,
  defining,
  start: query,
  part: undefined,
  expects: undefined,
  list: false,
  with: undefined,
  used: false
})

/** Verbs that lead a query. */
export const queryVerbs: ReadonlySet<string> = new Set([
  "SELECT",
  "INSERT",
  "UPDATE",
  "DELETE",
  "MERGE",
  "REPLACE",
  "VALUES",
  "TABLE",
  "WITH"
])
const leading: ReadonlySet<string> = new Set([...queryVerbs].filter((word) => word !== "SELECT" && word !== "WITH"))
const opensQuery: ReadonlySet<string> = new Set([...queryVerbs].filter((word) => word !== "REPLACE"))
const endsTables = new Set([
  "WHERE",
  "GROUP",
  "ORDER",
  "HAVING",
  "LIMIT",
  "OFFSET",
  "FETCH",
  "FOR",
  "SET",
  "RETURNING",
  "WINDOW",
  "DEFAULT",
  "QUALIFY",
  "PREWHERE",
  "WHEN"
])
const reserved = new Set([
  ...endsTables,
  "SELECT",
  "VALUES",
  "ON",
  "USING",
  "UNION",
  "INTERSECT",
  "EXCEPT",
  "AS",
  "LEFT",
  "RIGHT",
  "INNER",
  "OUTER",
  "CROSS",
  "NATURAL",
  "FULL",
  "JOIN",
  "WITH",
  "NULL"
])
/** Words between a clause and its table. */
const skipped = new Set(["ONLY", "LATERAL", "LOW_PRIORITY", "IGNORE", "OVERWRITE", "TEMP", "TEMPORARY", "UNLOGGED"])

/** Reads the query that begins at a place. */
export const readQuery = (tokens: ReadonlyArray<Token>, from: number): Query => {
  const parts: Array<Part> = []
  const defined = new Set<string>()
  const stack: Array<Level> = []
  let current = makeLevel(true, false)
  let operation: string | undefined
  let returning = false

  const begin = (verb: string): void => {
    current.part = makePart(verb)
    current.start = false
    current.expects = verb === "UPDATE" || verb === "TABLE" ? "target" : undefined
    current.list = false
    current.with = undefined
    current.used = false
    // A list of values is an operation of its own only where nothing else is.
    if (verb !== "VALUES" || stack.length === 0) parts.push(current.part)
    if (!current.defining) operation ??= verb
  }

  const onMark = (at: number, character: string): void => {
    if (character === "(") {
      const opened = openLevel(tokens, at, current)
      current.expects = undefined
      stack.push(current)
      current = opened
    } else if (character === ")" && stack.length > 0) {
      current = stack.pop()!
      if (current.with === "definition" && !isWord(tokens[at + 1], "AS")) current.with = "between"
      else if (current.with === undefined) current.start = false
    } else if (character === ",") {
      if (current.with === "between") current.with = "name"
      else if (current.list) current.expects = "item"
    }
  }

  /** Takes the name that was expected; gives the place of its last token. */
  const onName = (at: number): number => {
    const token = tokens[at]!
    if (token.kind === "word") {
      if (skipped.has(token.key) || (token.key === "TABLE" && current.expects === "target")) return at
      if (token.key === "ROWS" && isWord(tokens[at + 1], "FROM")) {
        current.expects = undefined
        return at + 1
      }
    }
    const name = readName(tokens, at)!
    const isCall = current.expects === "item" && isMark(tokens[name.next], "(")
    const isDefined = name.next === at + 1 && defined.has(folded(token))
    if (!isCall && !isDefined && current.part !== undefined) addTable(current.part, name)
    current.expects = undefined
    return name.next - 1
  }

  const onWord = (at: number, key: string): void => {
    switch (key) {
      case "SELECT":
        return begin(key)
      case "WITH":
        if (current.start || definesNames(tokens, at)) current.with = "name"
        return
      case "FROM":
        if (current.part === undefined || isDistinctFrom(tokens, at)) return
        current.expects = "item"
        current.list = true
        return
      case "JOIN":
      case "STRAIGHT_JOIN":
        current.expects = "item"
        return
      case "INTO":
        current.expects = "target"
        current.list = false
        return
      case "USING":
        if (current.used || (current.part?.operation !== "DELETE" && current.part?.operation !== "MERGE")) return
        current.used = true
        current.expects = "item"
        current.list = true
        return
      case "ON":
        current.expects = undefined
        return
      case "UNION":
      case "INTERSECT":
      case "EXCEPT":
        current.start = true
        current.list = false
        current.expects = undefined
        return
    }
    if (leading.has(key) && (current.start || current.with === "between")) return begin(key)
    if (endsTables.has(key)) {
      current.expects = undefined
      current.list = false
      if (key === "RETURNING" && stack.length === 0) returning = true
    }
  }

  for (let at = from; at < tokens.length; at++) {
    const token = tokens[at]!
    if (token.kind === "mark") {
      onMark(at, token.key)
    } else if (token.kind === "value") {
      current.expects = undefined
    } else if (current.with === "name") {
      if (isWord(token, "RECURSIVE")) continue
      defined.add(folded(token))
      current.with = "definition"
    } else if (current.expects !== undefined && !(token.kind === "word" && reserved.has(token.key))) {
      at = onName(at)
    } else if (token.kind === "word" && current.query) {
      onWord(at, token.key)
    }
  }
  return { operation, parts, returning }
}

/** The level behind an opening parenthesis. */
const openLevel = (tokens: ReadonlyArray<Token>, at: number, around: Level): Level => {
  const next = tokens[at + 1]
  const defines =
    around.with === "definition" && (isWord(tokens[at - 1], "AS") || isWord(tokens[at - 1], "MATERIALIZED"))
  const defining = around.defining || defines
  if (defines || (next?.kind === "word" && opensQuery.has(next.key))) return makeLevel(true, defining)
  if (around.query && around.expects === "item") {
    // A group of joined tables, or a parenthesis around one.
    const group = makeLevel(true, defining)
    group.part = around.part
    group.start = false
    group.expects = "item"
    return group
  }
  // A parenthesis where a verb may come opens what may hold one: `((SELECT …) UNION …) EXCEPT …`.
  return makeLevel(around.query && around.start && around.with !== "definition", defining)
}

/** PostgreSQL folds bare names to lower case. */
const folded = (token: Token): string => (token.kind === "word" ? token.text.toLowerCase() : token.text)

/** `WITH name AS (` or `WITH name (column) AS (` in mid-statement, not `WITH TIME ZONE` and its like. */
const definesNames = (tokens: ReadonlyArray<Token>, at: number): boolean => {
  const name = isWord(tokens[at + 1], "RECURSIVE") ? at + 2 : at + 1
  if (tokens[name] === undefined || isWord(tokens[name], "ORDINALITY")) return false
  return isWord(tokens[name + 1], "AS") || isMark(tokens[name + 1], "(")
}

/** `IS DISTINCT FROM` and `IS NOT DISTINCT FROM` compare. */
const isDistinctFrom = (tokens: ReadonlyArray<Token>, at: number): boolean =>
  isWord(tokens[at - 1], "DISTINCT") && (isWord(tokens[at - 2], "IS") || isWord(tokens[at - 2], "NOT"))
