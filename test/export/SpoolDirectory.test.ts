import { describe, expect, it } from "@effect/vitest"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { afterEach } from "vitest"
import * as SpoolDirectory from "../../src/export/SpoolDirectory.ts"
import { closeAfterEach, pipelineTo, receive } from "../faults/support.ts"
import { ok, status } from "../support/OtlpReceiver.ts"
import { endSpans, namesOf } from "./support.ts"

const directories: Array<string> = []
afterEach(() => {
  for (const directory of directories.splice(0)) fs.rmSync(directory, { recursive: true, force: true })
})
closeAfterEach()

const newDirectory = (): string => {
  const directory = fs.mkdtempSync(path.join(tmpdir(), "spool-"))
  directories.push(directory)
  return directory
}

const leave = async (directory: string, ...names: ReadonlyArray<string>) => {
  const pipeline = pipelineTo({ url: "http://127.0.0.1:9/v1/traces" }, { spool: { directory } })
  endSpans(pipeline.receiver, ...names)
  await pipeline.shutdown(200)
}

describe("SpoolDirectory", () => {
  it("lists what is there, of the living and the dead", async () => {
    const directory = newDirectory()
    const before = Date.now()
    await leave(directory, ...namesOf("dead", 7))
    const living = pipelineTo(await receive(), { spool: { directory }, scheduleDelayMillis: 60_000 })
    const receiver = await receive()
    receiver.answer(status(503))
    endSpans(living.receiver, "living")
    await new Promise((resolve) => setImmediate(resolve))
    fs.writeFileSync(path.join(directory, "notes.txt"), "mine")
    fs.mkdirSync(path.join(directory, "mine"))
    const contents = await SpoolDirectory.list(directory)
    expect(contents.owners.filter((owner) => owner.isAlive)).toHaveLength(1)
    expect(contents.refused).toMatchObject({ files: 0, spans: 0 })
    expect(contents.spans).toBeGreaterThanOrEqual(1)
    expect(contents.oldest).toBeGreaterThanOrEqual(before)
    expect(contents.newest).toBeLessThanOrEqual(Date.now())
  })

  it("a directory that does not exist is empty", async () => {
    const contents = await SpoolDirectory.list(path.join(newDirectory(), "none"))
    expect(contents).toMatchObject({ owners: [], files: 0, spans: 0 })
    expect(await SpoolDirectory.clear(path.join(newDirectory(), "none"))).toMatchObject({ files: 0 })
  })

  it("clears what the dead have left, and never the living", async () => {
    const directory = newDirectory()
    await leave(directory, "a", "b")
    expect(await SpoolDirectory.clear(directory)).toMatchObject({ files: 1, spans: 2 })
    expect(fs.readdirSync(directory)).toEqual([])
    const receiver = await receive()
    receiver.answer(status(503))
    const living = pipelineTo(receiver, { spool: { directory } })
    endSpans(living.receiver, "living")
    await receiver.requestsReceived(1)
    expect(await SpoolDirectory.clear(directory, { quarantine: true })).toMatchObject({ files: 0 })
    receiver.answer(ok)
    await receiver.spansReceived(1)
  })

  it("gives what was refused another chance, or removes it", async () => {
    const directory = newDirectory()
    const receiver = await receive()
    receiver.answer(status(400))
    const pipeline = pipelineTo(receiver, { spool: { directory } })
    endSpans(pipeline.receiver, "a", "b")
    await pipeline.flush(5_000)
    await pipeline.shutdown(1_000)
    expect((await SpoolDirectory.list(directory)).refused).toMatchObject({ files: 1, spans: 2 })
    expect(await SpoolDirectory.requeue(directory)).toMatchObject({ files: 1, spans: 2 })
    expect(await SpoolDirectory.list(directory)).toMatchObject({ spans: 2, refused: { files: 0 } })
    receiver.answer(ok)
    const next = pipelineTo(receiver, { spool: { directory } })
    await next.flush(5_000)
    expect(receiver.spanNames()).toEqual(["a", "b"])
    await next.shutdown(1_000)
    receiver.answer(status(400))
    const again = pipelineTo(receiver, { spool: { directory } })
    endSpans(again.receiver, "c")
    await again.flush(5_000)
    await again.shutdown(1_000)
    expect(await SpoolDirectory.clear(directory, { quarantine: true })).toMatchObject({ files: 1, spans: 1 })
    expect(fs.readdirSync(directory)).toEqual([])
  })
})
