/**
 * Background jobs: a table as queue, and a worker in this process.
 *
 * A job is written in the transaction of what it belongs to, together with what it needs in order to remember its request
 * (`Correlation.capture`). The worker runs it in a trace of its own that is linked to the request's, with the same user and
 * the same ids (`Correlation.continueJob`). Looking for work is not traced: an idle worker makes no traces.
 */
import { PgClient } from "@effect/sql-pg"
import { Cause, Context, Effect, Exit, Layer, Queue, References, Schema } from "effect"
import type { SqlError } from "effect/sql"
import * as Correlation from "effect-telemetry/propagation/Correlation"
import { rowsOf } from "./Data/rows.ts"

/** What there is to do. */
export const Job = Schema.Struct({ kind: Schema.Literals(["process_audio"]), postId: Schema.String })
export type Job = typeof Job.Type

/** How often a job is tried before it is given up. */
const maxAttempts = 3

export class Jobs extends Context.Service<
  Jobs,
  {
    /** Writes a job. To be called in the transaction of what it belongs to. */
    readonly enqueue: (job: Job) => Effect.Effect<void, SqlError.SqlError>
    /** Tells the worker that there is work: once the transaction is committed. */
    readonly wake: Effect.Effect<void>
    /** Waits for that; at most a second, since jobs may be due again, and other processes may have left work. */
    readonly awaken: Effect.Effect<void>
  }
>()("app/Jobs") {
  static readonly layer = Layer.effect(
    Jobs,
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const calls = yield* Queue.sliding<void>(1)
      return Jobs.of({
        enqueue: (job) =>
          Effect.gen(function* () {
            const trace = yield* Correlation.capture
            yield* sql`INSERT INTO jobs ${sql.insert({ kind: job.kind, payload: sql.json(job), trace: sql.json(trace) })}`
          }).pipe(Effect.withSpan(`job.enqueue ${job.kind}`, { kind: "producer" }, { captureStackTrace: false })),
        wake: Queue.offer(calls, undefined),
        awaken: Queue.take(calls).pipe(Effect.timeoutOption("1 second"))
      })
    })
  )
}

/** A job that was taken. */
const Taken = Schema.Struct({
  id: Schema.Union([Schema.BigInt, Schema.String, Schema.Int]),
  payload: Job,
  trace: Schema.Record(Schema.String, Schema.String),
  attempts: Schema.Int
})
const taken = rowsOf(Taken)

/**
 * Runs jobs one after the other, each in the trace that it remembers. A job that fails is tried again after a while;
 * `giveUp` is told where that was in vain.
 */
export const worker = <E, R, E2, R2>(options: {
  readonly perform: (job: Job) => Effect.Effect<void, E, R>
  readonly giveUp: (job: Job) => Effect.Effect<void, E2, R2>
}) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const { awaken } = yield* Jobs
      const traced = yield* References.TracerEnabled

      // A job that has been running for minutes was left behind by a process that ended.
      const take = taken(sql`UPDATE jobs SET status = 'running', attempts = attempts + 1, started_at = now()
        WHERE id = (
          SELECT id FROM jobs WHERE run_after <= now() AND
            (status = 'queued' OR (status = 'running' AND started_at < now() - interval '5 minutes'))
          ORDER BY run_after, id LIMIT 1 FOR UPDATE SKIP LOCKED
        ) RETURNING id, payload, trace, attempts`)

      const settle = (id: typeof Taken.Type.id, status: "done" | "failed" | "queued", error?: string) =>
        sql`UPDATE jobs SET status = ${status}, error = ${error ?? null},
          run_after = now() + attempts * interval '1 second' WHERE id = ${id}`

      const run = Effect.fnUntraced(function* (job: typeof Taken.Type) {
        const failed = (cause: Cause.Cause<E>) =>
          job.attempts < maxAttempts
            ? Effect.logWarning(`job ${job.id} (${job.payload.kind}) failed and will be tried again`, cause)
            : Effect.andThen(
                Effect.logError(`job ${job.id} (${job.payload.kind}) is given up`, cause),
                options.giveUp(job.payload)
              )
        const exit = yield* options.perform(job.payload).pipe(
          Effect.tapCause((cause) => (Cause.hasInterruptsOnly(cause) ? Effect.void : failed(cause))),
          Correlation.continueJob(`job.run ${job.payload.kind}`, job.trace, {
            attributes: { "job.attempt": job.attempts }
          }),
          Effect.withTracerEnabled(traced),
          Effect.onInterrupt(() => Effect.ignore(settle(job.id, "queued"))),
          Effect.exit
        )
        if (Exit.isSuccess(exit)) return yield* settle(job.id, "done")
        yield* settle(job.id, job.attempts < maxAttempts ? "queued" : "failed", Cause.pretty(exit.cause))
      })

      yield* Effect.gen(function* () {
        const [job] = yield* take
        if (job === undefined) yield* awaken
        else yield* run(job)
      }).pipe(
        // The database is away, or what it holds is no job: the next round may be better.
        Effect.catchCause((cause) =>
          Cause.hasInterruptsOnly(cause)
            ? Effect.failCause(cause)
            : Effect.andThen(Effect.logWarning("looking for jobs failed", cause), awaken)
        ),
        Effect.withTracerEnabled(false),
        Effect.forever,
        Effect.forkScoped
      )
    })
  )
