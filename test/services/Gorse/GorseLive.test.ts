import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Gorse, type GorseError } from "../../../src/services/Gorse/Gorse.ts"
import * as GorseLive from "../../../src/services/Gorse/GorseLive.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"
import { answering, json, text } from "../answering.ts"
import { key, test } from "./support.ts"

describe("GorseLive on the wire", () => {
  const at = "2026-02-03T04:05:06.789Z"
  const wire: ReadonlyArray<
    readonly [
      title: string,
      call: (gorse: Gorse["Service"]) => Effect.Effect<unknown, GorseError>,
      request: string,
      body: unknown
    ]
  > = [
    [
      "insertUser",
      (gorse) => gorse.insertUser({ userId: "ada", labels: { city: "Oslo", tags: ["a"] }, comment: "c" }),
      "POST /api/user",
      { UserId: "ada", Labels: { city: "Oslo", tags: ["a"] }, Comment: "c" }
    ],
    [
      "insertItem",
      (gorse) =>
        gorse.insertItem({
          itemId: "s/1".replace("/", "-"),
          hidden: true,
          categories: ["rock"],
          timestamp: at,
          labels: 1
        }),
      "POST /api/item",
      { ItemId: "s-1", IsHidden: true, Categories: ["rock"], Timestamp: at, Labels: 1 }
    ],
    [
      "insertFeedback",
      (gorse) =>
        gorse.insertFeedback({
          feedback: [
            { feedbackType: "play", userId: "ada", itemId: "s", value: 2, timestamp: new Date(at), comment: "c" }
          ]
        }),
      "POST /api/feedback",
      [{ FeedbackType: "play", UserId: "ada", ItemId: "s", Value: 2, Timestamp: at, Comment: "c" }]
    ],
    [
      "insertFeedback, overwrite",
      (gorse) =>
        gorse.insertFeedback({
          overwrite: true,
          feedback: [{ feedbackType: "like", userId: "ada", itemId: "s", timestamp: Date.parse(at) }]
        }),
      "PUT /api/feedback",
      [{ FeedbackType: "like", UserId: "ada", ItemId: "s", Value: 0, Timestamp: at }]
    ],
    [
      "deleteFeedback",
      (gorse) => gorse.deleteFeedback({ userId: "a?b", itemId: "c#d" }),
      "DELETE /api/feedback/a%3Fb/c%23d",
      undefined
    ],
    [
      "deleteFeedback of a type",
      (gorse) => gorse.deleteFeedback({ userId: "ü", itemId: "1", feedbackType: "like" }),
      "DELETE /api/feedback/like/%C3%BC/1",
      undefined
    ],
    ["deleteUser", (gorse) => gorse.deleteUser({ userId: "a b%" }), "DELETE /api/user/a%20b%25", undefined],
    ["deleteItem", (gorse) => gorse.deleteItem({ itemId: "s" }), "DELETE /api/item/s", undefined]
  ]
  for (const [title, call, request, body] of wire) {
    test(title, json(200, { RowAffected: 3 }), (gorse, { received }) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* call(gorse), 3)
        const [one] = received as [(typeof received)[0]]
        assert.strictEqual(`${one.method} ${one.target}`, request)
        assert.deepStrictEqual(one.json, body)
        assert.strictEqual(one.headers["x-api-key"], key)
        if (body !== undefined) assert.strictEqual(one.headers["content-type"], "application/json")
      })
    )
  }

  const lists: ReadonlyArray<
    readonly [string, (gorse: Gorse["Service"]) => Effect.Effect<ReadonlyArray<unknown>, GorseError>, string]
  > = [
    ["getRecommend", (gorse) => gorse.getRecommend({ userId: "ada" }), "/api/recommend/ada?n=10"],
    [
      "getRecommend with everything",
      (gorse) =>
        gorse.getRecommend({
          userId: "ada",
          count: 3,
          offset: 6,
          categories: ["rock", "a&b"],
          writeBack: { feedbackType: "read", delay: "90 seconds" }
        }),
      "/api/recommend/ada?n=3&offset=6&category=rock&category=a%26b&write-back-type=read&write-back-delay=90000ms"
    ],
    [
      "getSimilarItems",
      (gorse) => gorse.getSimilarItems({ itemId: "s", unseenBy: "ada" }),
      "/api/item/s/neighbors/?n=10&user-id=ada"
    ],
    [
      "getSimilarItems by a recommender",
      (gorse) => gorse.getSimilarItems({ itemId: "s", recommender: "by tags" }),
      "/api/item-to-item/by%20tags/s?n=10"
    ],
    [
      "getSimilarUsers",
      (gorse) => gorse.getSimilarUsers({ userId: "ada", offset: 1 }),
      "/api/user/ada/neighbors/?n=10&offset=1"
    ],
    [
      "getSimilarUsers by a recommender",
      (gorse) => gorse.getSimilarUsers({ userId: "ada", recommender: "x" }),
      "/api/user-to-user/x/ada?n=10"
    ],
    ["getPopular", (gorse) => gorse.getPopular({ count: 2 }), "/api/non-personalized/weekly?n=2"],
    [
      "getPopular by a recommender",
      (gorse) => gorse.getPopular({ recommender: "all" }),
      "/api/non-personalized/all?n=10"
    ],
    ["getLatest", (gorse) => gorse.getLatest({ categories: ["rock"] }), "/api/latest?n=10&category=rock"]
  ]
  for (const [title, call, target] of lists) {
    test(
      title,
      json(200, [
        { Id: "a", Score: 1.5 },
        { Id: "b", Score: 1 }
      ]),
      (gorse, { received }) =>
        Effect.gen(function* () {
          const found = yield* call(gorse)
          assert.deepStrictEqual(
            found.map((one) => ({ ...(one as object) })),
            [
              { id: "a", score: Option.some(1.5) },
              { id: "b", score: Option.some(1) }
            ]
          )
          const [one] = received as [(typeof received)[0]]
          assert.strictEqual(`${one.method} ${one.target}`, `GET ${target}`)
          assert.strictEqual(one.headers["x-api-version"], target.startsWith("/api/recommend") ? "2" : undefined)
        }),
      { popular: "weekly" }
    )
  }

  test("a list that is null is empty, a server that gives no scores gives ids", json(200, null), (gorse, server) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* gorse.getSimilarItems({ itemId: "s" }), [])
      server.answer = json(200, ["a", "b"])
      const found = yield* gorse.getRecommend({ userId: "ada" })
      assert.deepStrictEqual(
        found.map(({ id, score }) => [id, score]),
        [
          ["a", Option.none()],
          ["b", Option.none()]
        ]
      )
    })
  )

  test("RowAffected 0 is no change, and no failure", json(200, { RowAffected: 0 }), (gorse) =>
    Effect.gen(function* () {
      assert.strictEqual(yield* gorse.deleteFeedback({ userId: "a", itemId: "b" }), 0)
      yield* TestTelemetry.expectTrace({ name: "gorse.delete_feedback", status: "unset" })
    })
  )

  const rows = json(200, { RowAffected: 1 })
  test(
    "insertUserItem: asks for both, inserts what is missing, then the feedback; one span, a child for each request",
    (received, response) => (received.method === "GET" ? text(404, "not found") : rows)(received, response),
    (gorse, { received }) =>
      Effect.gen(function* () {
        yield* gorse.insertUserItem({ userId: "ada", itemId: "s", feedbackType: "like" })
        assert.deepStrictEqual(received.map(({ method, target }) => `${method} ${target}`).toSorted(), [
          "GET /api/item/s",
          "GET /api/user/ada",
          "POST /api/feedback",
          "POST /api/item",
          "POST /api/user"
        ])
        assert.strictEqual(received.at(-1)!.target, "/api/feedback")
        const trace = yield* TestTelemetry.expectTrace({ name: "gorse.insert_user_item", status: "unset" })
        assert.deepStrictEqual(trace.children.map(({ name }) => name).toSorted(), [
          "GET",
          "GET",
          "POST",
          "POST",
          "POST"
        ])
        const parents = received.map(({ headers }) => String(headers["traceparent"]).split("-")[2]!)
        assert.deepStrictEqual(parents.toSorted(), trace.children.map(({ spanId }) => spanId).toSorted())
      })
  )

  test("insertUserItem: what is there is not touched, what is told is written", rows, (gorse, { received }) =>
    Effect.gen(function* () {
      yield* gorse.insertUserItem({ userId: "ada", itemId: "s", feedbackType: "like", item: { categories: ["rock"] } })
      assert.deepStrictEqual(received.map(({ method, target }) => `${method} ${target}`).toSorted(), [
        "GET /api/user/ada",
        "POST /api/feedback",
        "POST /api/item"
      ])
    })
  )

  test("the base URL may have a path and a slash at its end", rows, (_, server) =>
    Effect.gen(function* () {
      yield* Effect.flatMap(Gorse, (gorse) => gorse.deleteItem({ itemId: "a" })).pipe(
        Effect.provide(GorseLive.layer({ url: `${server.url}/gorse/` }))
      )
      assert.strictEqual(server.received[0]!.target, "/gorse/api/item/a")
      assert.strictEqual(server.received[0]!.headers["x-api-key"], undefined)
    })
  )

  test("a client of the application's own", rows, (_, server) =>
    Effect.gen(function* () {
      const layer = GorseLive.layerHttpClient({ url: server.url }).pipe(Layer.provide(FetchHttpClient.layer))
      yield* Effect.flatMap(Gorse, (gorse) => gorse.deleteItem({ itemId: "a" })).pipe(Effect.provide(layer))
      yield* TestTelemetry.expectTrace({ name: "gorse.delete_item", children: [{ name: "DELETE", children: [] }] })
    })
  )
})

describe("GorseLive, configuration", () => {
  const build = (environment: Record<string, string>) =>
    Layer.build(GorseLive.layerConfig()).pipe(
      Effect.scoped,
      Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(environment)),
      Effect.exit
    )

  it.live("reads where Gorse is, and the key", () =>
    Effect.gen(function* () {
      const server = yield* answering(json(200, []))
      yield* Effect.flatMap(Gorse, (gorse) => gorse.getLatest({})).pipe(
        Effect.provide(GorseLive.layerConfig()),
        Effect.provideService(
          ConfigProvider.ConfigProvider,
          ConfigProvider.fromUnknown({ GORSE_URL: server.url, GORSE_API_KEY: key })
        )
      )
      assert.strictEqual(server.received[0]!.headers["x-api-key"], key)
    }).pipe(Effect.scoped)
  )

  it.effect("both have defaults; empty is unset", () =>
    Effect.gen(function* () {
      assert(Exit.isSuccess(yield* build({})))
      assert(Exit.isSuccess(yield* build({ GORSE_URL: "", GORSE_API_KEY: "" })))
    })
  )

  for (const [url, message] of [
    [
      "localhost:8088",
      "GORSE_URL: not a URL of HTTP; expected http://host:port or https://host:port, with or without a path"
    ],
    ["//hunter2@gorse", "GORSE_URL: not a URL; expected http://host:port or https://host:port, with or without a path"],
    ["http://ada:hunter2@gorse", "GORSE_URL: a URL with credentials; expected"],
    ["http://gorse?key=hunter2", "GORSE_URL: a URL with a query or a fragment; expected"]
  ] as const) {
    it.effect(`${JSON.stringify(url)} is named, and no secret is`, () =>
      Effect.gen(function* () {
        const exit = yield* build({ GORSE_URL: url, GORSE_API_KEY: key })
        assert(Exit.isFailure(exit))
        assert.include(String(exit.cause), message)
        assert.include(String(exit.cause), "GorseConfigError")
        assert.notInclude(String(exit.cause) + JSON.stringify(exit.cause), "hunter2")
      })
    )
  }

  it.effect("a key that no header may have is named, not shown", () =>
    Effect.gen(function* () {
      const exit = yield* build({ GORSE_API_KEY: "hunter2\n" })
      assert(Exit.isFailure(exit))
      assert.include(String(exit.cause), "GORSE_API_KEY has white space")
      assert.notInclude(String(exit.cause) + JSON.stringify(exit.cause), "hunter2")
    })
  )
})
