/**
 * One index in this process: its documents with their versions, found by full text, filters and order.
 *
 * @internal
 */
import { randomBytes } from "node:crypto"
import { Conflict, InvalidRequest, NotFound } from "../../../operation/Reason.ts"
import type { TextQuery } from "../SearchQuery.ts"
import type * as Types from "../SearchTypes.ts"
import { coerce, type IndexedDocument, type Mapping } from "./Mapping.ts"
import { TextIndex, words } from "./TextIndex.ts"

/** A document. It is never changed: a write puts another one in its place. */
export interface EmbeddedDocument extends IndexedDocument {
  readonly index: string
  readonly id: string
  /** Its JSON, so that nobody who holds the document changes it. */
  readonly json: string
  readonly seqNo: number
}

/** What a document scores for a text, and the words by which it matched, by their fields. */
export interface TextMatch {
  score: number
  readonly matched: Map<string, Set<string>>
}

type Matches = Map<string, TextMatch>

/** Documents of one index. */
export class EmbeddedIndex {
  readonly name: string
  readonly mapping: Mapping
  private readonly byId: Map<string, EmbeddedDocument>
  private readonly texts = new Map<string, TextIndex>()
  private seqNo = 0

  constructor(name: string, mapping: Mapping, documents = new Map<string, EmbeddedDocument>()) {
    this.name = name
    this.mapping = mapping
    this.byId = documents
  }

  /** The index as it is now. */
  snapshot(): EmbeddedIndex {
    return new EmbeddedIndex(this.name, this.mapping.copy(), new Map(this.byId))
  }

  documents(): IterableIterator<EmbeddedDocument> {
    return this.byId.values()
  }

  get(id: string): EmbeddedDocument | undefined {
    return this.byId.get(id)
  }

  write(
    given: string | undefined,
    document: object,
    options: { readonly create?: boolean | undefined; readonly ifVersion?: Types.Version | undefined } = {}
  ): Types.Written {
    const id = given ?? randomBytes(15).toString("base64url")
    const before = this.byId.get(id)
    if (options.create === true && before !== undefined) throw conflict(id, "document already exists")
    this.checkVersion(id, before, options.ifVersion)
    const json = jsonOf(document)
    const source: unknown = JSON.parse(json)
    if (typeof source !== "object" || source === null || Array.isArray(source)) {
      throw new InvalidRequest({ message: "a document has to be an object in JSON", status: 400 })
    }
    const indexed = this.mapping.index(source as Types.Source)
    if (before !== undefined) this.forget(before)
    const written: EmbeddedDocument = { index: this.name, id, json, seqNo: this.seqNo++, ...indexed }
    this.byId.set(id, written)
    for (const [path, texts] of this.texts) {
      const values = written.values.get(path)
      if (values !== undefined) texts.add(id, values as ReadonlyArray<string>)
    }
    return this.written(written, before === undefined ? "created" : "updated")
  }

  update(input: Pick<Types.UpdateInput, "id" | "document" | "upsert" | "ifVersion">): Types.Written {
    const before = this.byId.get(input.id)
    this.checkVersion(input.id, before, input.ifVersion)
    if (before === undefined) {
      if (input.upsert === true) return this.write(input.id, input.document)
      throw new NotFound({
        message: `document_missing_exception: [${input.id}]: document missing`,
        code: "document_missing_exception",
        status: 404
      })
    }
    const old: unknown = JSON.parse(before.json)
    const merged = merge(old, JSON.parse(jsonOf(input.document)))
    return JSON.stringify(merged) === JSON.stringify(old)
      ? this.written(before, "noop")
      : this.write(input.id, merged as object)
  }

  remove(id: string, ifVersion?: Types.Version): Types.Written {
    const before = this.byId.get(id)
    this.checkVersion(id, before, ifVersion)
    if (before === undefined) {
      return { index: this.name, id, outcome: "not_found", version: { seqNo: this.seqNo++, primaryTerm: 1 } }
    }
    this.forget(before)
    return this.written({ ...before, seqNo: this.seqNo++ }, "deleted")
  }

  private forget({ id }: EmbeddedDocument): void {
    this.byId.delete(id)
    for (const texts of this.texts.values()) texts.remove(id)
  }

  private written({ id, seqNo }: EmbeddedDocument, outcome: Types.Outcome): Types.Written {
    return { index: this.name, id, outcome, version: { seqNo, primaryTerm: 1 } }
  }

  private checkVersion(id: string, found: EmbeddedDocument | undefined, wanted: Types.Version | undefined): void {
    if (wanted === undefined) return
    if (found === undefined) throw conflict(id, `required seqNo [${wanted.seqNo}], but no document was found`)
    if (found.seqNo !== wanted.seqNo || wanted.primaryTerm !== 1) {
      throw conflict(id, `required seqNo [${wanted.seqNo}], current document has seqNo [${found.seqNo}]`)
    }
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Full text
  // -------------------------------------------------------------------------------------------------------------------

  /** The words of a field, gathered when they are asked for first and kept up to date from then on. */
  private textIndex(path: string): TextIndex {
    let texts = this.texts.get(path)
    if (texts === undefined) {
      texts = new TextIndex()
      for (const document of this.byId.values()) {
        const values = document.values.get(path)
        if (values !== undefined) texts.add(document.id, values as ReadonlyArray<string>)
      }
      this.texts.set(path, texts)
    }
    return texts
  }

  /** The documents that match a text, with what they score. */
  match(query: TextQuery): Matches {
    const boosts = new Map<string, number>()
    for (const [pattern, boost] of boostsOf(query)) {
      for (const path of pattern.includes("*") ? this.mapping.matching([pattern]) : [pattern]) boosts.set(path, boost)
    }
    const searched = words(query.query).map((word) => word.text)
    const texts = [...boosts].filter(([path]) => this.mapping.typeOf(path) === "text")
    const oneField = query.fuzzy === true || query.prefix === true
    const matches: Matches =
      query.match === "all" && !oneField
        ? this.inAnyField(texts, searched, query)
        : best(texts.map(([path, boost]) => this.inField(path, boost, searched, query)))
    for (const [path, boost] of boosts) this.matchExactly(path, boost, query.query, matches)
    return matches
  }

  /** What documents score by one field. */
  private inField(path: string, boost: number, searched: ReadonlyArray<string>, query: TextQuery): Matches {
    const perWord = searched.map((word, at) => {
      const matches: Matches = new Map()
      const how =
        query.prefix === true && at === searched.length - 1 ? "prefix" : query.fuzzy === true ? "fuzzy" : "exact"
      for (const [id, { matched, score }] of this.textIndex(path).search(word, how)) {
        matches.set(id, { score: score * boost, matched: new Map([[path, new Set(matched)]]) })
      }
      return matches
    })
    return sum(perWord, query.match === "all")
  }

  /** Every word in whichever field. */
  private inAnyField(
    fields: ReadonlyArray<readonly [string, number]>,
    searched: ReadonlyArray<string>,
    query: TextQuery
  ): Matches {
    return sum(
      searched.map((word) => best(fields.map(([path, boost]) => this.inField(path, boost, [word], query)))),
      true
    )
  }

  /** Fields that are no texts match as a whole. */
  private matchExactly(path: string, boost: number, text: string, matches: Matches): void {
    const type = this.mapping.typeOf(path)
    if (type === undefined || type === "text" || type === "completion" || type === "date") return
    const wanted = coerce(type, text, false, 0)
    if (wanted === undefined) return
    for (const { id, values } of this.byId.values()) {
      if (values.get(path)?.includes(wanted) !== true) continue
      const match = matches.get(id) ?? { score: 0, matched: new Map() }
      match.score = Math.max(match.score, boost)
      matches.set(id, match)
    }
  }

  /** How many documents have each word of a field. */
  vocabulary(path: string): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (const { values } of this.byId.values()) {
      const found = new Set((values.get(path) ?? []).flatMap((value) => words(String(value)).map((word) => word.text)))
      for (const word of found) counts.set(word, (counts.get(word) ?? 0) + 1)
    }
    return counts
  }
}

const boostsOf = ({ fields }: TextQuery): ReadonlyArray<readonly [string, number]> => {
  if (fields === undefined) return [["*", 1]]
  if (!Array.isArray(fields)) return Object.entries(fields as Readonly<Record<string, number>>)
  return (fields as ReadonlyArray<string>).map((field) => {
    const [path, boost] = field.split("^")
    return [path!, boost === undefined ? 1 : Number(boost)]
  })
}

const mergeMatched = (into: TextMatch, from: TextMatch): void => {
  for (const [path, matched] of from.matched) {
    into.matched.set(path, new Set([...(into.matched.get(path) ?? []), ...matched]))
  }
}

const combine = (parts: ReadonlyArray<Matches>, scores: (a: number, b: number) => number): Matches => {
  const combined: Matches = new Map()
  for (const part of parts) {
    for (const [id, match] of part) {
      const before = combined.get(id)
      if (before === undefined) combined.set(id, { score: match.score, matched: new Map(match.matched) })
      else {
        before.score = scores(before.score, match.score)
        mergeMatched(before, match)
      }
    }
  }
  return combined
}

/** What matches in any part, by the best of them. */
const best = (parts: ReadonlyArray<Matches>): Matches => combine(parts, Math.max)

/** What matches in any part, or in all of them, by all together. */
const sum = (parts: ReadonlyArray<Matches>, all: boolean): Matches => {
  const combined = combine(parts, (a, b) => a + b)
  if (all) {
    for (const id of combined.keys()) if (!parts.every((part) => part.has(id))) combined.delete(id)
  }
  return combined
}

/** A text with the words that matched in `<em>`. */
export const highlight = (text: string, matched: ReadonlySet<string>): string => {
  let marked = ""
  let from = 0
  for (const { end, start, text: word } of words(text)) {
    if (!matched.has(word)) continue
    marked += `${text.slice(from, start)}<em>${text.slice(start, end)}</em>`
    from = end
  }
  return marked + text.slice(from)
}

const conflict = (id: string, problem: string): Conflict =>
  new Conflict({
    message: `version_conflict_engine_exception: [${id}]: version conflict, ${problem}`,
    code: "version_conflict_engine_exception",
    status: 409
  })

const jsonOf = (document: object): string => {
  try {
    return JSON.stringify(document)
  } catch (cause) {
    throw new InvalidRequest({ message: "a document cannot be written as JSON", cause })
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Objects are merged, everything else is replaced. */
const merge = (below: unknown, above: unknown): unknown => {
  if (!isObject(below) || !isObject(above)) return above
  const merged = new Map(Object.entries(below))
  for (const [key, value] of Object.entries(above)) {
    merged.set(key, merged.has(key) ? merge(merged.get(key), value) : value)
  }
  // Not by assignment, which would take a field named `__proto__` for something else.
  return Object.fromEntries(merged)
}
