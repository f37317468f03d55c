import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { Jobs, type Job, worker } from "../../../scratchpad/app/Jobs.ts"
import * as Parts from "../../../scratchpad/app/Parts.ts"
import * as Correlation from "../../../src/propagation/Correlation.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"
import { eventually, expectTrace } from "../support.ts"

class Failed extends Data.TaggedError("Failed")<{ readonly message: string }> {}

const base = Jobs.layer.pipe(
  Layer.provideMerge(Parts.database),
  Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({}))),
  Layer.provideMerge(Logger.layer([])),
  Layer.provideMerge(TestTelemetry.layer())
)

const enqueue = (job: Job) =>
  Effect.gen(function* () {
    const jobs = yield* Jobs
    yield* jobs.enqueue(job)
    yield* jobs.wake
  }).pipe(Effect.withSpan("request"), Correlation.provide({ requestId: "req-1" }))

const statusOf = (postId: string) =>
  Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    const rows = yield* sql<{ status: string; attempts: number; error: string | null }>`
      SELECT status, attempts, error FROM jobs WHERE payload->>'post_id' = ${postId}`.pipe(
      Effect.withTracerEnabled(false)
    )
    return rows[0]!
  })

const isSettled = (postId: string, status: string) =>
  eventually(
    Effect.flatMap(statusOf(postId), (row) =>
      row.status === status ? Effect.succeed(row) : Effect.die(new Error(`it is ${row.status}`))
    )
  )

it.live(
  "a job that fails is tried again after a while, each attempt in a trace of its own",
  () => {
    const attempts: Array<string> = []
    const perform = worker({
      perform: ({ postId }) =>
        Effect.suspend(() => {
          attempts.push(postId)
          return postId === "p_never" || attempts.filter((id) => id === postId).length < 2
            ? Effect.fail(new Failed({ message: "the decoder is busy" }))
            : Effect.void
        }),
      giveUp: ({ postId }) => Effect.sync(() => void attempts.push(`${postId} is given up`))
    })
    return Effect.gen(function* () {
      yield* enqueue({ kind: "process_audio", postId: "p_once" })
      assert.deepInclude(yield* isSettled("p_once", "done"), { attempts: 2, error: null })
      assert.deepStrictEqual(attempts, ["p_once", "p_once"])
      const job = { name: "job.run process_audio", kind: "consumer", attributes: { "request.id": "req-1" } } as const
      yield* expectTrace({
        ...job,
        status: "error",
        statusMessage: "the decoder is busy",
        attributes: { ...job.attributes, "job.attempt": 1, "error.type": "Failed" },
        children: []
      })
      const again = yield* expectTrace({ ...job, status: "unset", attributes: { ...job.attributes, "job.attempt": 2 } })
      assert.lengthOf(again.links, 1, "both are linked to the request")
    }).pipe(Effect.provide(perform.pipe(Layer.provideMerge(base))))
  },
  60_000
)

it.live(
  "a job that fails three times is given up",
  () => {
    const given: Array<string> = []
    const perform = worker({
      perform: () => Effect.fail(new Failed({ message: "no" })),
      giveUp: ({ postId }) => Effect.sync(() => void given.push(postId))
    })
    return Effect.gen(function* () {
      yield* enqueue({ kind: "process_audio", postId: "p_never" })
      const settled = yield* isSettled("p_never", "failed")
      assert.strictEqual(settled.attempts, 3)
      assert.include(settled.error, "no")
      assert.deepStrictEqual(given, ["p_never"])
    }).pipe(Effect.provide(perform.pipe(Layer.provideMerge(base))))
  },
  60_000
)

it.live(
  "a job that is under way when the worker ends is done by the next one",
  () =>
    Effect.gen(function* () {
      const hanging = worker({ perform: () => Effect.never, giveUp: () => Effect.void })
      yield* Effect.gen(function* () {
        yield* enqueue({ kind: "process_audio", postId: "p_long" })
        yield* isSettled("p_long", "running")
      }).pipe(Effect.provide(hanging))
      assert.strictEqual((yield* statusOf("p_long")).status, "queued")
      const quick = worker({ perform: () => Effect.void, giveUp: () => Effect.void })
      const { attempts } = yield* isSettled("p_long", "done").pipe(Effect.provide(quick))
      assert.strictEqual(attempts, 2)
    }).pipe(Effect.provide(base)),
  60_000
)
