import { describe, expect, it } from "@effect/vitest"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import {
  type Answer,
  closingAfter,
  garbage,
  hang,
  notHttp,
  ok,
  reset,
  slow,
  status,
  tooLargeAbove
} from "../support/OtlpReceiver.ts"
import { makeEnded } from "../export/support.ts"
import { accountedFor, closeAfterEach, pipelineTo, receive, until } from "./support.ts"

closeAfterEach()

/** A collector in all of its moods; none of them refuses for good. */
const moods: ReadonlyArray<Answer> = [
  ok,
  ok,
  slow(20),
  status(503),
  status(429, { retryAfter: 0 }),
  status(502, { body: "<html>" }),
  reset,
  hang,
  notHttp,
  garbage,
  closingAfter(),
  closingAfter(status(504)),
  tooLargeAbove(20_000)
]

/** Numbers that are the same in every run. */
const randomOf = (seed: number) => {
  let state = seed
  return (n: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
}

describe("Accounting", () => {
  it.each([
    ["memory", 1],
    ["memory", 2],
    ["spool", 3],
    ["spool", 4]
  ])("every span arrives or is counted, whatever the collector's mood (%s, %i)", async (hold, seed) => {
    const random = randomOf(seed)
    const directory = fs.mkdtempSync(path.join(tmpdir(), "spool-"))
    const receiver = await receive()
    const pipeline = pipelineTo(receiver, {
      timeoutMillis: 100,
      retryMinMillis: 10,
      retryMaxMillis: 60,
      maxExportBatchSize: 50,
      maxConcurrentExports: 3,
      ...(hold === "spool" ? { spool: { directory, segmentBytes: 20_000 }, maxQueueBytes: 20_000 } : {})
    })
    const names = new Set<string>()
    for (let turn = 0; turn < 60; turn++) {
      receiver.answer(moods[random(moods.length)]!)
      if (random(12) === 0) await receiver.die()
      for (let i = random(60); i > 0; i--) {
        const name = `s${names.size}`
        names.add(name)
        pipeline.receiver.ended(
          makeEnded({ name, attributeKeys: ["text"], attributeValues: ["x".repeat(random(400))] })
        )
      }
      await new Promise((resolve) => setTimeout(resolve, random(25)))
      await receiver.comeBack()
      const state = pipeline.status()
      // Where a spool holds batches that memory does not, they are counted there.
      if (hold === "memory") expect(accountedFor(state)).toBe(names.size)
    }
    receiver.answer(ok)
    await until(() => pipeline.status().exported === names.size, "all spans to be taken")
    expect(pipeline.status()).toMatchObject({ droppedTotal: 0, queued: 0, inFlight: 0, spooled: 0, queuedBytes: 0 })
    expect(new Set(receiver.spanNames())).toEqual(names)
    await pipeline.shutdown(2_000)
    expect(fs.readdirSync(directory)).toEqual([])
    fs.rmSync(directory, { recursive: true, force: true })
  })
})
