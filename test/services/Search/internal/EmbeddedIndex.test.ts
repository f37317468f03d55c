import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { EmbeddedIndex, highlight } from "../../../../src/services/Search/internal/EmbeddedIndex.ts"
import { Mapping } from "../../../../src/services/Search/internal/Mapping.ts"
import * as matching from "../../../../src/services/Search/internal/matching.ts"
import { words } from "../../../../src/services/Search/internal/TextIndex.ts"

const Vocabulary = Schema.Literals(["jazz", "blues", "rain", "summer"])
const Step = Schema.Struct({
  id: Schema.Literals(["a", "b", "c", "d"]),
  action: Schema.Literals(["write", "remove", "search"]),
  text: Schema.Array(Vocabulary).check(Schema.isMaxLength(4)),
  plays: Schema.NullOr(Schema.Int.check(Schema.isBetween({ minimum: -3, maximum: 3 })))
})

describe("an index in this process", () => {
  it.prop("whatever was written and removed, it finds what is there", { steps: Schema.Array(Step) }, ({ steps }) => {
    const index = new EmbeddedIndex("posts", new Mapping({ text: "text", plays: "integer" }))
    const there = new Map<string, { readonly text: string; readonly plays: number | null }>()
    for (const { action, id, plays, text } of steps) {
      if (action === "write") {
        const document = { text: text.join(" "), plays }
        assert.strictEqual(index.write(id, document).outcome, there.has(id) ? "updated" : "created")
        there.set(id, document)
      } else if (action === "remove") {
        assert.strictEqual(index.remove(id).outcome, there.has(id) ? "deleted" : "not_found")
        there.delete(id)
      } else {
        const query = text.join(" ")
        const wanted = (every: boolean) =>
          [...there]
            .filter(([, { text: own }]) => {
              const has = (word: string) => own.split(" ").includes(word)
              return text.length > 0 && (every ? text.every(has) : text.some(has))
            })
            .map(([id]) => id)
            .sort()
        assert.deepStrictEqual([...index.match({ query }).keys()].sort(), wanted(false))
        assert.deepStrictEqual([...index.match({ query, match: "all" }).keys()].sort(), wanted(true))
        assert.deepStrictEqual([...index.match({ query, match: "all", fuzzy: true }).keys()].sort(), wanted(true))
      }
    }
    const ordered = (field: string, descending: boolean) => {
      const order = matching.order([{ field, order: descending ? "desc" : "asc" }], index.mapping)
      return [...index.documents()]
        .map((document) => order.valuesOf(document, 1, 0))
        .sort((a, b) => order.compare(a, b))
        .map(([value]) => value)
    }
    const plays = [...there.values()].map((document) => document.plays)
    const known = plays.filter((value) => value !== null).sort((a, b) => a - b)
    const missing = plays.filter((value) => value === null)
    assert.deepStrictEqual(ordered("plays", false), [...known, ...missing])
    assert.deepStrictEqual(ordered("plays", true), [...known.toReversed(), ...missing])
  })

  it("a document cannot be changed from outside; a field may have any name", () => {
    const index = new EmbeddedIndex("posts", new Mapping())
    const document = { title: "One", inner: { list: [1] } }
    index.write("1", document)
    document.inner.list.push(2)
    assert.deepStrictEqual(JSON.parse(index.get("1")!.json), { title: "One", inner: { list: [1] } })
    index.update({ id: "1", document: JSON.parse('{"__proto__":{"polluted":true},"constructor":"x"}') as object })
    assert.strictEqual(({} as { polluted?: boolean }).polluted, undefined)
    assert.include(index.get("1")!.json, '"__proto__":{"polluted":true}')
  })

  it("a write that is refused leaves everything as it was", () => {
    const index = new EmbeddedIndex("posts", new Mapping({ plays: "integer" }))
    index.write("1", { plays: 1, title: "jazz" })
    assert.throws(() => index.write("1", { plays: "many", brandNew: true, title: "blues" }))
    assert.strictEqual(index.mapping.typeOf("brandNew"), undefined)
    assert.deepStrictEqual([...index.match({ query: "jazz" }).keys()], ["1"])
    assert.strictEqual(index.match({ query: "blues" }).size, 0)
  })

  it.prop("a text that is highlighted is the text, with marks around words", { text: Schema.String }, ({ text }) => {
    const found = new Set(words(text).map((word) => word.text))
    const marked = highlight(text, found)
    if (!text.includes("<em>") && !text.includes("</em>")) {
      assert.strictEqual(marked.replaceAll("<em>", "").replaceAll("</em>", ""), text)
      assert.strictEqual(marked.split("<em>").length - 1, words(text).length)
    }
    assert.strictEqual(highlight(text, new Set()), text)
  })
})
