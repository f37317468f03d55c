import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { StreamIOStore } from "../../../src/services/StreamIO/StreamIOStore.ts"

const people = ["ada", "bob", "cleo"] as const
const Person = Schema.Literals(people)
const Step = Schema.Union([
  Schema.Struct({ do: Schema.Literal("post"), by: Person, id: Schema.Literals(["1", "2", "3", "4"]) }),
  Schema.Struct({ do: Schema.Literal("delete"), id: Schema.Literals(["1", "2", "3", "4"]) }),
  Schema.Struct({ do: Schema.Literal("follow"), by: Person, of: Person }),
  Schema.Struct({ do: Schema.Literal("unfollow"), by: Person, of: Person })
])

describe("StreamIOStore", () => {
  it.prop(
    "a timeline has what those posted whom one follows, whatever happened before",
    { steps: Schema.Array(Step) },
    ({ steps }) => {
      const store = new StreamIOStore(100)
      const posts = new Map<string, string>()
      const follows = new Set<string>()
      for (const id of people) store.upsertUser({ id, name: undefined, image: undefined, role: "user", custom: {} })
      for (const step of steps) {
        store.now++
        switch (step.do) {
          case "post":
            posts.set(step.id, step.by)
            store.createActivity(
              {
                id: step.id,
                type: "post",
                userId: step.by,
                text: undefined,
                feedIds: [`user:${step.by}`],
                custom: {},
                isPrivate: false
              },
              []
            )
            break
          case "delete":
            assert.strictEqual(store.deleteActivity(step.id), posts.delete(step.id))
            break
          case "follow": {
            const pair = `${step.by} ${step.of}`
            const { created } = store.follow({
              userId: step.by,
              targetId: step.of,
              feedId: `timeline:${step.by}`,
              targetFeedId: `user:${step.of}`,
              copyLimit: Infinity,
              notify: false
            })
            assert.strictEqual(created, !follows.has(pair))
            follows.add(pair)
            break
          }
          case "unfollow":
            assert.strictEqual(
              store.unfollow(`timeline:${step.by}`, `user:${step.of}`, false),
              follows.delete(`${step.by} ${step.of}`)
            )
        }
      }
      for (const reader of people) {
        const expected = [...posts].filter(([, by]) => follows.has(`${reader} ${by}`)).map(([id]) => id)
        const found = store.activitiesOf(`timeline:${reader}`, reader).map(({ id }) => id)
        assert.deepStrictEqual(found.toSorted(), expected.toSorted())
        const own = [...posts].filter(([, by]) => by === reader).map(([id]) => id)
        assert.deepStrictEqual(
          store
            .activitiesOf(`user:${reader}`, reader)
            .map(({ id }) => id)
            .toSorted(),
          own.toSorted()
        )
      }
    }
  )
})
