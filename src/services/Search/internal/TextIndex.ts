/**
 * Full text in this process, on MiniSearch: words with BM25, typing errors and beginnings of words.
 *
 * @internal
 */
import type MiniSearchType from "minisearch"
import { optionalPeer } from "../../optionalPeer.ts"
import { distance, maxErrors } from "./errors.ts"

const { default: MiniSearch } = await optionalPeer("SearchEmbedded", "minisearch", () => import("minisearch"))

const segmenter = new Intl.Segmenter("en", { granularity: "word" })

/** A word of a text and where it stands. */
export interface Word {
  readonly text: string
  readonly start: number
  readonly end: number
}

/** The words of a text: by the word boundaries of Unicode (UAX #29), in lower case. */
export const words = (text: string): ReadonlyArray<Word> => {
  const found: Array<Word> = []
  for (const { index, isWordLike, segment } of segmenter.segment(text)) {
    if (isWordLike === true) found.push({ text: segment.toLowerCase(), start: index, end: index + segment.length })
  }
  return found
}

/** What a document scores for a word, and by which of its own words. */
export interface WordMatch {
  readonly score: number
  readonly matched: ReadonlyArray<string>
}

/** The words of one field of all documents. */
export class TextIndex {
  private readonly texts = new Map<string, string>()
  private readonly engine: MiniSearchType<{ readonly id: string; readonly text: string }> = new MiniSearch({
    fields: ["text"],
    tokenize: (text) => words(text).map((word) => word.text),
    processTerm: (term) => term,
    // A document is taken out with its text, which leaves nothing to be cleaned up later.
    autoVacuum: false
  })

  add(id: string, texts: ReadonlyArray<string>): void {
    const text = texts.join("\n")
    this.texts.set(id, text)
    this.engine.add({ id, text })
  }

  remove(id: string): void {
    const text = this.texts.get(id)
    if (text === undefined) return
    this.texts.delete(id)
    this.engine.remove({ id, text })
  }

  /** The documents that have a word: as it is, as a beginning, or with typing errors. */
  search(word: string, how: "exact" | "prefix" | "fuzzy"): ReadonlyMap<string, WordMatch> {
    if (how !== "fuzzy" || maxErrors(word) === 0) return this.words(word, { prefix: how === "prefix" })
    const found = new Map<string, WordMatch>()
    for (const [other, errors] of this.similar(word)) {
      // The nearer, the better.
      const weight = 1 - errors / Math.min(word.length, other.length)
      for (const [id, { score }] of this.words(other, {})) {
        const before = found.get(id)
        found.set(id, {
          score: Math.max(before?.score ?? 0, score * weight),
          matched: [...(before?.matched ?? []), other]
        })
      }
    }
    return found
  }

  private words(word: string, options: { readonly prefix?: boolean; readonly fuzzy?: number }): Map<string, WordMatch> {
    const found = this.engine.search(word, { tokenize: (text) => [text], processTerm: (term) => term, ...options })
    return new Map(found.map(({ id, score, terms }) => [id as string, { score, matched: terms }]))
  }

  /** Words with as many errors as the length of a word allows. To the engine, letters that are swapped are two of them. */
  private similar(word: string): ReadonlyMap<string, number> {
    const most = maxErrors(word)
    const similar = new Map<string, number>()
    for (const { matched } of this.words(word, { fuzzy: most * 2 }).values()) {
      for (const other of matched) {
        const errors = distance(word, other)
        if (errors <= most) similar.set(other, errors)
      }
    }
    return similar
  }
}
