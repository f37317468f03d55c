import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { TestClock } from "effect/testing"
import * as RedisWatch from "../../../src/services/Cache/RedisWatch.ts"

describe("RedisWatch", () => {
  const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" })

  const watching = Effect.gen(function* () {
    const lines: Array<string> = []
    const logger = Logger.make(({ fiber, message }) => {
      lines.push([String(message), ...Object.values(fiber.getRef(References.CurrentLogAnnotations))].join(" | "))
    })
    const watch = yield* RedisWatch.make("redis:6379").pipe(Effect.provide(Logger.layer([logger])))
    return { watch, lines: Effect.sync(() => lines.splice(0)) }
  })

  const away = "Redis is away: the cache answers as unavailable until it connects | redis:6379 | ECONNREFUSED"

  it.effect("one line when it is lost, one a minute, one when it is back", () =>
    Effect.gen(function* () {
      const { lines, watch } = yield* watching
      watch.ready()
      assert.deepStrictEqual(yield* lines, [], "a connection that never was lost is no news")
      for (let second = 0; second < 150; second++) {
        watch.lost(refused)
        yield* TestClock.adjust("1 second")
      }
      watch.ready()
      assert.deepStrictEqual(yield* lines, [
        away,
        "Redis is still away, for 1m now | redis:6379 | ECONNREFUSED | 61",
        "Redis is still away, for 2m now | redis:6379 | ECONNREFUSED | 121",
        "Redis is back: the cache is connected | redis:6379 | 2m 30s"
      ])
    })
  )

  it.effect("one that comes and goes all the time is told of three times a minute", () =>
    Effect.gen(function* () {
      const { lines, watch } = yield* watching
      for (let second = 0; second < 59; second++) {
        watch.lost(refused)
        watch.ready()
        yield* TestClock.adjust("1 second")
      }
      assert.lengthOf(yield* lines, 6)
      watch.lost(refused)
      yield* TestClock.adjust("2 seconds")
      watch.lost(refused)
      watch.lost(refused)
      assert.deepStrictEqual(yield* lines, [`${away} | 2`])
    })
  )

  it.effect("says the kind of the failure, never its text", () =>
    Effect.gen(function* () {
      const { lines, watch } = yield* watching
      watch.lost(new TypeError("AUTH hunter2"))
      assert.include(String(yield* lines), "TypeError")
      assert.notInclude(String(yield* lines), "hunter2")
    })
  )
})
