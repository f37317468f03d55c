import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { refuse, splitFeed } from "../../../src/services/StreamIO/StreamIOInput.ts"

describe("ids", () => {
  it.prop(
    "an id that is accepted is one segment of a path, and comes out as it went in",
    { id: Schema.String },
    ({ id }) => {
      if (refuse({ activityId: id }, false) !== undefined) return
      const { hash, pathname, search } = new URL(`https://stream.test/activities/${encodeURIComponent(id)}/reactions`)
      assert.deepStrictEqual([hash, search], ["", ""])
      assert.deepStrictEqual(pathname.split("/").map(decodeURIComponent), ["", "activities", id, "reactions"])
    }
  )

  it.prop("a feed's id that is accepted has a group and an id", { feedId: Schema.String }, ({ feedId }) => {
    const candidate = feedId.includes(":") ? feedId : `${feedId}:${feedId}`
    if (refuse({ feedId: candidate }, false) !== undefined) return
    const [group, id] = splitFeed(candidate)
    assert.strictEqual(`${group}:${id}`, candidate)
    assert(group !== "" && id !== "" && !id.includes(":"))
  })

  it("what is a step in a path, blank, broken or long is refused", () => {
    for (const id of ["", " ", "\u3000", ".", "..", "a\u0000", "\ud800", "x".repeat(256), 7, null]) {
      assert.strictEqual(refuse({ activityId: id }, false)?._tag, "InvalidRequest", JSON.stringify(id))
    }
    for (const id of ["...", ".a", "a b", "%2e", "é".repeat(255)]) {
      assert.strictEqual(refuse({ activityId: id }, false), undefined, id)
    }
  })
})
