import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { existsSync } from "node:fs"
import { endSpans, namesOf } from "../export/support.ts"
import { pipelineTo } from "../faults/support.ts"
import * as Receiver from "../support/OtlpReceiver.ts"
import { folder, run } from "./support.ts"

/** Leaves spans in a directory, as a process does that could not send them. */
const leave = (directory: string, ...names: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const pipeline = pipelineTo({ url: "http://127.0.0.1:9/v1/traces" }, { spool: { directory } })
    endSpans(pipeline.receiver, ...names)
    await pipeline.shutdown(200)
  })

/** Leaves a batch that a collector has refused. */
const refuse = (directory: string, receiver: Receiver.OtlpReceiver, ...names: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    receiver.next(Receiver.status(400))
    const pipeline = pipelineTo({ url: receiver.url }, { spool: { directory } })
    endSpans(pipeline.receiver, ...names)
    await pipeline.flush(5_000)
    await pipeline.shutdown(1_000)
  })

const json = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>) =>
  Effect.map(run(["spool", ...args, "--json"], { env }), ({ code, stderr, stdout }) => ({
    code,
    report: JSON.parse(stdout === "" ? `{"stderr":${JSON.stringify(stderr)}}` : stdout) as Record<string, unknown>
  }))

describe("spool", () => {
  it.effect("none is configured, none is there: said, and nothing is made", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* run(["spool", "list"])
      assert.strictEqual(code, 1)
      assert.strictEqual(
        stderr,
        "effect-telemetry: no spool is configured: set OTEL_SPOOL_DIRECTORY, or give --directory\n"
      )
      const at = yield* folder
      const none = yield* run(["spool", "list", "--directory", `${at}/none`])
      assert.deepStrictEqual(none, { code: 0, stdout: `${at}/none: 0 spans in 0 files, 0 B\n`, stderr: "" })
      assert.isFalse(existsSync(`${at}/none`))
    }).pipe(Effect.scoped)
  )

  it.effect("list, then send: what was left behind arrives, and is gone", () =>
    Effect.gen(function* () {
      const at = yield* folder
      const receiver = yield* Receiver.scoped()
      const env = { OTEL_SPOOL_DIRECTORY: at, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint }
      yield* leave(at, ...namesOf("left", 7))
      const listed = yield* run(["spool", "list"], { env })
      assert.match(listed.stdout, /: 7 spans in 1 file, [\d.]+ k?B, from \d{4}-\d\d-\d\dT/)
      assert.include(listed.stdout, "left behind: 7 spans in 1 file")
      const { code, report } = yield* json(["list"], env)
      assert.strictEqual(code, 0)
      assert.deepInclude(report, { directory: at, spans: 7, files: 1 })
      const sent = yield* run(["spool", "send"], { env })
      assert.deepStrictEqual(sent, { code: 0, stdout: "sent 7 spans, refused 0, left 0\n", stderr: "" })
      assert.strictEqual(receiver.spanIds().size, 7)
      assert.include((yield* run(["spool", "list"], { env })).stdout, ": 0 spans in 0 files")
      assert.strictEqual((yield* run(["spool", "send"], { env })).stdout, "nothing waits that is nobody's\n")
    }).pipe(Effect.scoped)
  )

  it.effect("send to a collector that is not there: nothing is lost, exit code 1", () =>
    Effect.gen(function* () {
      const at = yield* folder
      const env = { OTEL_SPOOL_DIRECTORY: at, OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" }
      yield* leave(at, "a", "b")
      const sent = yield* run(["spool", "send", "--timeout", "1"], { env })
      assert.strictEqual(sent.code, 1)
      assert.strictEqual(sent.stdout, "sent 0 spans, refused 0, left 2\n")
      assert.include(sent.stderr, "ECONNREFUSED")
      assert.include((yield* run(["spool", "list"], { env })).stdout, "2 spans in 1 file")
    }).pipe(Effect.scoped)
  )

  it.effect("what was refused is listed, and sent once more where that is asked for", () =>
    Effect.gen(function* () {
      const at = yield* folder
      const receiver = yield* Receiver.scoped()
      const env = { OTEL_SPOOL_DIRECTORY: at, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint }
      yield* refuse(at, receiver, "a", "b", "c")
      assert.include((yield* run(["spool", "list"], { env })).stdout, "refused by the collector: 3 spans in 1 file")
      const { code, report } = yield* json(["send", "--refused"], env)
      assert.deepStrictEqual({ code, sent: report["sent"] }, { code: 0, sent: 3 })
      assert.strictEqual(receiver.spanIds().size, 3)
    }).pipe(Effect.scoped)
  )

  it.effect("clear asks first, and does not touch what runs", () =>
    Effect.gen(function* () {
      const at = yield* folder
      const receiver = yield* Receiver.scoped()
      const env = { OTEL_SPOOL_DIRECTORY: at }
      yield* leave(at, "a", "b")
      yield* refuse(at, receiver, "c")
      const living = pipelineTo({ url: "http://127.0.0.1:9/v1/traces" }, { spool: { directory: at } })
      yield* Effect.addFinalizer(() => Effect.promise(() => living.shutdown(200)))
      endSpans(living.receiver, "living")
      yield* Effect.promise(() => living.flush(300))
      const before = yield* json(["list"], env)
      const asked = yield* run(["spool", "clear", "--quarantine"], { env })
      assert.strictEqual(asked.code, 1)
      assert.match(asked.stdout, /^would remove \d spans? in \d files?, .*Again with --yes to do it\n$/)
      assert.deepStrictEqual(yield* json(["list"], env), before)
      const cleared = yield* run(["spool", "clear", "--quarantine", "--yes"], { env })
      assert.strictEqual(cleared.code, 0)
      assert.match(cleared.stdout, /^removed \d spans? in \d files?, /)
      const after = yield* json(["list"], env)
      const alive = (after.report["owners"] as ReadonlyArray<{ readonly isAlive: boolean }>).map(
        ({ isAlive }) => isAlive
      )
      assert.deepStrictEqual(alive, [true])
    }).pipe(Effect.scoped)
  )
})
