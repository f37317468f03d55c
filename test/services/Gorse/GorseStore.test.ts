import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { GorseStore } from "../../../src/services/Gorse/GorseStore.ts"

const users = ["ada", "bob", "cleo"] as const
const items = ["1", "2", "3", "4"] as const
const types = ["like", "play"] as const
const Key = { type: Schema.Literals(types), userId: Schema.Literals(users), itemId: Schema.Literals(items) }
const shared = (a: ReadonlySet<string>, b: ReadonlySet<string>): number => [...a].filter((one) => b.has(one)).length

const Step = Schema.Union([
  Schema.Struct({ do: Schema.Literal("insert"), ...Key }),
  Schema.Struct({ do: Schema.Literal("delete"), ...Key }),
  Schema.Struct({ do: Schema.Literal("delete of all types"), ...Key }),
  Schema.Struct({ do: Schema.Literal("delete user"), ...Key }),
  Schema.Struct({ do: Schema.Literal("delete item"), ...Key })
])

describe("GorseStore", () => {
  it.prop("concludes from what there is, whatever happened before", { steps: Schema.Array(Step) }, ({ steps }) => {
    const store = new GorseStore()
    for (const id of users) store.users.add(id)
    for (const id of items) store.insertItem({ id, hidden: false, categories: new Set(), timestamp: Number(id) * 1000 })
    let deeds: Array<{ readonly type: string; readonly userId: string; readonly itemId: string }> = []
    const remove = (gone: (deed: (typeof deeds)[0]) => boolean): number => {
      const before = deeds.length
      deeds = deeds.filter((deed) => !gone(deed))
      return before - deeds.length
    }
    for (const { do: what, ...key } of steps) {
      const { itemId, type, userId } = key
      const same = (deed: (typeof deeds)[0]) => deed.userId === userId && deed.itemId === itemId
      if (what === "insert") {
        remove((deed) => same(deed) && deed.type === type)
        deeds.push(key)
        store.insertDeed({ ...key, value: 1, timestamp: 0 }, false)
      } else if (what === "delete") {
        assert.strictEqual(
          store.deleteDeeds(key),
          remove((deed) => same(deed) && deed.type === type)
        )
      } else if (what === "delete of all types") {
        assert.strictEqual(store.deleteDeeds({ userId, itemId }), remove(same))
      } else if (what === "delete user") {
        assert.strictEqual(
          store.deleteDeeds({ userId }),
          remove((deed) => deed.userId === userId)
        )
      } else {
        assert.strictEqual(
          store.deleteDeeds({ itemId }),
          remove((deed) => deed.itemId === itemId)
        )
      }
    }
    const all = { categories: [], unseenBy: undefined, count: 100, offset: 0 }
    const usersOf = (itemId: string) =>
      new Set(deeds.filter((deed) => deed.itemId === itemId).map((deed) => deed.userId))
    const popular = items.map((id) => [id, usersOf(id).size] as const).filter(([, size]) => size > 0)
    assert.deepStrictEqual(Object.fromEntries(store.popular(all, 1)), Object.fromEntries(popular))
    for (const id of items) {
      const alike = items
        .filter((other) => other !== id && shared(usersOf(other), usersOf(id)) > 0)
        .map((other) => {
          return [other, shared(usersOf(other), usersOf(id)) / Math.sqrt(usersOf(id).size * usersOf(other).size)]
        })
      assert.deepStrictEqual(Object.fromEntries(store.similarItems(id, all, 1)), Object.fromEntries(alike))
    }
    for (const userId of users) {
      const own = new Set(deeds.filter((deed) => deed.userId === userId).map((deed) => deed.itemId))
      assert.deepStrictEqual([...store.seen(userId, 1)].toSorted(), [...own].toSorted())
      const recommended = store.recommend(userId, all, 1).map(([id]) => id)
      assert.deepStrictEqual(
        recommended.toSorted(),
        items.filter((id) => !own.has(id))
      )
    }
  })
})
