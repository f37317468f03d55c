import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { refuse } from "../../../src/services/Gorse/GorseInput.ts"

describe("ids", () => {
  it.prop(
    "an id that is accepted is one segment of a path, also for a server that decodes the path first",
    { id: Schema.String },
    ({ id }) => {
      if (refuse({ userId: id }) !== undefined) return
      const { hash, pathname, search } = new URL(`https://gorse.test/api/user/${encodeURIComponent(id)}/neighbors/`)
      assert.deepStrictEqual([hash, search], ["", ""])
      assert.deepStrictEqual(decodeURIComponent(pathname).split("/"), ["", "api", "user", id, "neighbors", ""])
    }
  )

  it("what is a step in a path, blank or broken is refused", () => {
    for (const id of ["", " ", "/", "a/b", ".", "..", "\udfff", 7, null]) {
      assert.strictEqual(refuse({ itemId: id })?._tag, "InvalidRequest", JSON.stringify(id))
    }
  })
})

describe("labels", () => {
  it("are those that Gorse takes", () => {
    for (const labels of ["a", 1, [], ["a", "b"], [1, 2], { a: "b", c: { d: [1] } }]) {
      assert.strictEqual(refuse({ userId: "a", labels }), undefined, JSON.stringify(labels))
    }
    for (const labels of [true, null, NaN, ["a", 1], [[1]], { a: true }, { a: ["x", null] }, () => 1]) {
      assert.strictEqual(refuse({ userId: "a", labels })?._tag, "InvalidRequest", String(labels))
    }
  })
})
