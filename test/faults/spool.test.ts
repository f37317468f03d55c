import { describe, expect, it } from "@effect/vitest"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { afterEach } from "vitest"
import type * as Pipeline from "../../src/export/Pipeline.ts"
import type { SpoolOptions } from "../../src/export/Spool.ts"
import { io } from "../../src/export/SpoolIo.ts"
import { fakeTiming } from "../export/FakeTiming.ts"
import { endSpans, makeEnded, namesOf } from "../export/support.ts"
import { hang, ok, refusing, slow, status } from "../support/OtlpReceiver.ts"
import { accountedFor, closeAfterEach, pipelineTo, receive, runChild, until } from "./support.ts"

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

const spooling = (
  receiver: { readonly url: string },
  directory: string,
  spool: Partial<SpoolOptions> = {},
  options: Partial<Pipeline.PipelineOptions> = {}
) => pipelineTo(receiver, { spool: { directory, ...spool }, ...options })

/** All files below a directory, by their path within it. */
const filesIn = (directory: string): Array<string> =>
  (fs.readdirSync(directory, { recursive: true, withFileTypes: true }) as Array<fs.Dirent>)
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)))
    .sort()

const segmentsIn = (directory: string): Array<string> => filesIn(directory).filter((file) => file.endsWith(".spans"))

const bytesIn = (directory: string): number =>
  filesIn(directory).reduce((sum, file) => sum + fs.statSync(path.join(directory, file)).size, 0)

const dead = { url: "http://127.0.0.1:9/v1/traces" }

/** Leaves spans in a directory, as a process does whose collector is away when it ends. */
const leave = async (directory: string, names: ReadonlyArray<string>, spool: Partial<SpoolOptions> = {}) => {
  const pipeline = spooling(dead, directory, spool)
  for (const name of names) {
    endSpans(pipeline.receiver, name)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await pipeline.shutdown(200)
  expect(pipeline.status()).toMatchObject({ droppedTotal: 0, spooled: names.length })
}

describe("Spool", () => {
  it("costs nothing that stays while the collector is well", async () => {
    const directory = newDirectory()
    const receiver = await receive()
    const pipeline = spooling(receiver, directory)
    endSpans(pipeline.receiver, ...namesOf("s", 1_000))
    await receiver.spansReceived(1_000)
    await until(() => pipeline.status().spooled === 0, "the spool to be empty")
    await pipeline.shutdown(2_000)
    expect(filesIn(directory)).toEqual([])
    expect(fs.readdirSync(directory)).toEqual([])
    expect(receiver.spans).toHaveLength(1_000)
    expect(pipeline.said.lines).toEqual([])
  })

  it("a shutdown in an outage keeps everything for the next process, in order, under its own resource", async () => {
    const directory = newDirectory()
    const names = namesOf("s", 1_500)
    await leave(directory, names)
    const receiver = await receive()
    const options = { resource: { attributes: { "service.name": "next" } }, maxExportBatchSize: 500 }
    const next = spooling(receiver, directory, {}, options)
    endSpans(next.receiver, "own")
    expect(await next.flush(10_000)).toMatchObject({ complete: true, waiting: 0 })
    expect(receiver.spanNames().filter((name) => name !== "own")).toEqual(names)
    expect(receiver.spans.find((span) => span.name === "own")!.resource["service.name"]).toBe("next")
    expect(receiver.spans.find((span) => span.name === "s-0")!.resource["service.name"]).toBe("test")
    expect(Math.max(...receiver.requests.map((request) => request.traces!.spans.length))).toBeLessThanOrEqual(500)
    expect(next.status()).toMatchObject({ recovered: 1_500, exported: 1_501, spooled: 0, droppedTotal: 0 })
    await next.shutdown(2_000)
    expect(fs.readdirSync(directory)).toEqual([])
  })

  it("a shutdown in an outage does not wait for it, and says what is kept", async () => {
    const directory = newDirectory()
    const pipeline = spooling(dead, directory)
    endSpans(pipeline.receiver, "a")
    const start = performance.now()
    expect(await pipeline.shutdown(30_000)).toMatchObject({ complete: false, dropped: 0, waiting: 0 })
    expect(performance.now() - start).toBeLessThan(10_000)
    expect(pipeline.said.lines.at(-1)).toMatchObject({
      level: "info",
      message: "OpenTelemetry export: shut down with 0 spans lost, 1 spans are kept in the spool for the next process"
    })
  })

  it("spans in JSON are sent as JSON, whatever the next process speaks", async () => {
    const directory = newDirectory()
    const first = spooling(dead, directory, {}, { protocol: "http/json" })
    endSpans(first.receiver, "json")
    await first.shutdown(200)
    const receiver = await receive()
    const next = spooling(receiver, directory)
    await next.flush(5_000)
    expect(receiver.requests.map((request) => [request.encoding, request.traces?.spans[0]?.name])).toEqual([
      ["json", "json"]
    ])
  })

  it("SIGKILL at any moment loses at most one tick", async () => {
    const directory = newDirectory()
    const said: Array<number> = []
    for (let i = 0; i < 4; i++) {
      const child = runChild("spooling.ts", [dead.url, directory, `killed${i}`, "hang"])
      const limit = 200 + i * 333
      await until(() => Number(child.output().trim().split("\n").at(-1)) >= limit, "spans")
      child.process.kill("SIGKILL")
      await child.exit
      said.push(Number(child.output().trim().split("\n").at(-1)))
    }
    const receiver = await receive()
    const next = spooling(receiver, directory)
    await next.flush(10_000)
    const names = new Set(receiver.spanNames())
    for (const [i, count] of said.entries()) {
      // 20 a tick, and the count was said before the tick that it belongs to.
      for (const name of namesOf(`killed${i}`, count - 20)) expect(names).toContain(name)
    }
    expect(next.status().dropped.spool_corrupt ?? 0).toBeLessThanOrEqual(4 * 20)
    await next.shutdown(2_000)
    expect(segmentsIn(directory)).toEqual([])
  })

  it("SIGKILL while the collector takes spans: only what was in flight is sent twice", async () => {
    const directory = newDirectory()
    const receiver = await receive()
    receiver.answer(slow(5))
    const child = runChild("spooling.ts", [receiver.url, directory, "killed", "hang"])
    await receiver.spansReceived(2_000)
    child.process.kill("SIGKILL")
    await child.exit
    const count = Number(child.output().trim().split("\n").at(-1))
    const next = spooling(receiver, directory)
    await next.flush(10_000)
    const names = new Set(receiver.spanNames())
    for (const name of namesOf("killed", count - 20)) expect(names).toContain(name)
    expect(receiver.spans.length - names.size).toBeLessThanOrEqual(512)
  })

  it("process.exit and a crash lose nothing", async () => {
    for (const [ending, code, names] of [
      ["exit", 3, namesOf("p", 700)],
      ["crash", 1, [...namesOf("p", 700), "p-last"]]
    ] as const) {
      const directory = newDirectory()
      const child = runChild("spooling.ts", [dead.url, directory, "p", ending, "700"])
      expect(await child.exit).toEqual({ code, signal: null })
      const receiver = await receive()
      const next = spooling(receiver, directory)
      await next.flush(10_000)
      expect(receiver.spanNames()).toEqual(names)
    }
  })

  it("several processes share a directory: the living keep their spans, those of the dead are sent once", async () => {
    const directory = newDirectory()
    const receiver = await receive()
    receiver.answer(refusing("living-0", 503))
    const living = runChild("spooling.ts", [receiver.url, directory, "living", "stay", "10"])
    await living.says("ready")
    const gone = runChild("spooling.ts", [dead.url, directory, "dead", "exit", "50"])
    await gone.exit
    const drains = ["a", "b", "c"].map((name) => runChild("spooling.ts", [receiver.url, directory, name, "drain", "5"]))
    for (const drain of drains) expect(await drain.exit, drain.output()).toEqual({ code: 0, signal: null })
    expect(living.process.exitCode).toBe(null)
    const names = receiver.spanNames().sort()
    expect(names).toEqual([...namesOf("a", 5), ...namesOf("b", 5), ...namesOf("c", 5), ...namesOf("dead", 50)].sort())
    living.process.kill("SIGKILL")
    await living.exit
    receiver.answer(ok)
    const next = spooling(receiver, directory)
    await next.flush(10_000)
    expect(receiver.spanNames().filter((name) => name.startsWith("living"))).toEqual(namesOf("living", 10))
  })

  it("a torn or damaged file never stops a start: the rest is sent, the part is put aside and counted", async () => {
    const template = newDirectory()
    await leave(template, ["first", "second", "third"])
    const [segment] = segmentsIn(template)
    const whole = fs.readFileSync(path.join(template, segment!))
    const receiver = await receive()
    for (let length = 0; length <= whole.length; length += 23) {
      const directory = newDirectory()
      fs.mkdirSync(path.join(directory, "0-1-0"))
      fs.writeFileSync(path.join(directory, "0-1-0", "00000001.spans"), whole.subarray(0, length))
      const before = receiver.spans.length
      const next = spooling(receiver, directory)
      await next.flush(5_000)
      const got = receiver.spanNames().slice(before)
      expect(got).toEqual(["first", "second", "third"].slice(0, got.length))
      await next.shutdown(1_000)
      expect(segmentsIn(directory)).toEqual([])
      expect(next.status().spooled).toBe(0)
      if ((next.status().dropped.spool_corrupt ?? 0) > 0) {
        expect(filesIn(directory)).toEqual([expect.stringMatching(/^quarantine\/.*\.corrupt$/)])
      }
    }
    // In the middle: the records on both sides of it are sent.
    const directory = newDirectory()
    whole[whole.indexOf("second")]! ^= 1
    fs.mkdirSync(path.join(directory, "0-1-0"))
    fs.writeFileSync(path.join(directory, "0-1-0", "00000001.spans"), whole)
    const before = receiver.spans.length
    const next = spooling(receiver, directory)
    await next.flush(5_000)
    expect(receiver.spanNames().slice(before)).toEqual(["first", "third"])
    expect(next.status()).toMatchObject({ dropped: { spool_corrupt: 1 }, recovered: 2 })
    expect(next.said.lines[0]).toMatchObject({ message: expect.stringContaining("is damaged, it is put aside") })
  })

  it("files of another version, and what is no file of its own, are left alone or put aside", async () => {
    const directory = newDirectory()
    await leave(directory, ["a"])
    const [segment] = segmentsIn(directory)
    const bytes = fs.readFileSync(path.join(directory, segment!))
    bytes[7] = 2
    fs.writeFileSync(path.join(directory, segment!), bytes)
    fs.writeFileSync(path.join(directory, "notes.txt"), "mine")
    fs.mkdirSync(path.join(directory, "a folder"))
    const receiver = await receive()
    const next = spooling(receiver, directory)
    endSpans(next.receiver, "b")
    await next.flush(5_000)
    expect(receiver.spanNames()).toEqual(["b"])
    expect(next.said.messages()).toEqual([expect.stringContaining("files of version 2 of its format")])
    expect(filesIn(directory)).toContain("notes.txt")
    const aside = filesIn(directory).filter((file) => file.endsWith(".version2"))
    expect(aside).toHaveLength(1)
    expect(fs.readFileSync(path.join(directory, aside[0]!))).toEqual(bytes)
  })

  it("a poison batch is put aside, and the others are sent", async () => {
    const directory = newDirectory()
    const receiver = await receive()
    receiver.answer(refusing("poison", 400))
    const pipeline = spooling(receiver, directory)
    for (const name of ["a", "b", "poison", "c"]) {
      endSpans(pipeline.receiver, name)
      await pipeline.flush(5_000)
    }
    expect(receiver.spanNames()).toEqual(["a", "b", "c"])
    await pipeline.shutdown(2_000)
    expect(filesIn(directory)).toEqual([expect.stringMatching(/^quarantine\/.*\.refused$/)])
    // It is not sent again by anybody, but is a segment that can be.
    const requests = receiver.requests.length
    const next = spooling(receiver, directory)
    await next.flush(5_000)
    expect(receiver.requests).toHaveLength(requests)
    fs.mkdirSync(path.join(directory, "0-1-0"))
    fs.renameSync(
      path.join(
        directory,
        filesIn(directory).find((file) => file.endsWith(".refused"))!
      ),
      path.join(directory, "0-1-0", "00000001.spans")
    )
    receiver.answer(ok)
    const again = spooling(receiver, directory)
    await again.flush(5_000)
    expect(receiver.spanNames()).toEqual(["a", "b", "c", "poison"])
  })

  it("shrinks again: segments are removed once they are sent", async () => {
    const directory = newDirectory()
    const receiver = await receive()
    receiver.answer(hang)
    const pipeline = spooling(
      receiver,
      directory,
      { segmentBytes: 200_000 },
      { timeoutMillis: 200, maxQueueBytes: 500_000 }
    )
    const text = "x".repeat(1_000)
    for (let i = 0; i < 5_000; i++) {
      pipeline.receiver.ended(makeEnded({ name: `s${i}`, attributeKeys: ["text"], attributeValues: [text] }))
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await until(() => bytesIn(directory) > 5_000_000, "5 MB on disk")
    expect(segmentsIn(directory).length).toBeGreaterThan(5)
    expect(pipeline.status().queuedBytes).toBeLessThan(1_500_000)
    receiver.answer(ok)
    await until(() => pipeline.status().spooled === 0, "the spool to be sent")
    await until(() => bytesIn(directory) < 300_000, "the files to be removed")
    expect(receiver.spanIds().size).toBe(5_000)
    expect(pipeline.status()).toMatchObject({ exported: 5_000, droppedTotal: 0 })
    expect(filesIn(directory).filter((file) => file.startsWith("quarantine"))).toEqual([])
  })

  it("when it is full the oldest give way, counted, with their times", async () => {
    const directory = newDirectory()
    const pipeline = spooling(dead, directory, { maxBytes: 400_000 }, { maxExportBatchSize: 20 })
    const text = "x".repeat(1_000)
    for (let i = 0; i < 1_000; i++) {
      pipeline.receiver.ended(makeEnded({ name: `s${i}`, attributeKeys: ["text"], attributeValues: [text] }))
      if (i % 20 === 19) await new Promise((resolve) => setImmediate(resolve))
    }
    await until(() => pipeline.status().queued === 0 || pipeline.status().spooled > 0, "spans on disk")
    await pipeline.shutdown(500)
    expect(bytesIn(directory)).toBeLessThanOrEqual(400_000 + 2_000)
    const { dropped, spooled } = pipeline.status()
    expect(Object.keys(dropped)).toEqual(["spool_full"])
    expect(dropped.spool_full! + spooled).toBe(1_000)
    const line = pipeline.said.lines.find((line) => line.message.includes("its oldest spans are dropped"))!
    expect(Date.parse(String(line.fields["from"]))).toBeGreaterThan(Date.now() - 60_000)
    const receiver = await receive()
    const next = spooling(receiver, directory)
    await next.flush(10_000)
    expect(receiver.spanNames()).toEqual(Array.from({ length: spooled }, (_, i) => `s${1_000 - spooled + i}`))
  })

  it("a full disk: the oldest spans give way, and where that is not enough spans wait in memory", async () => {
    const directory = newDirectory()
    let room = 60_000
    const full = Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" })
    const small: SpoolOptions["io"] = {
      ...io,
      write: async (fd, bytes, position) => {
        if (bytes.length > room) {
          // What a disk does: it takes what it can.
          await io.write(fd, bytes.subarray(0, room), position)
          throw full
        }
        room -= bytes.length
        return io.write(fd, bytes, position)
      },
      writeSync: (fd, bytes, position) => {
        if (bytes.length > room) {
          io.writeSync(fd, bytes.subarray(0, room), position)
          throw full
        }
        room -= bytes.length
        io.writeSync(fd, bytes, position)
      },
      remove: async (file) => {
        // Deleting needs no space, and gives some back.
        const { size } = fs.statSync(file)
        await io.remove(file)
        if (file.endsWith(".spans")) room += size
      }
    }
    const receiver = await receive()
    receiver.answer(status(503))
    const pipeline = spooling(receiver, directory, { io: small, segmentBytes: 10_000 }, { maxExportBatchSize: 20 })
    for (let i = 0; i < 1_000; i++) {
      endSpans(pipeline.receiver, `s${i}`)
      if (i % 20 === 19) await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await receiver.requestsReceived(1)
    receiver.answer(ok)
    await pipeline.flush(20_000)
    const { dropped, exported } = pipeline.status()
    expect(exported + (dropped.spool_full ?? 0)).toBe(1_000)
    expect(Object.keys(dropped).filter((reason) => reason !== "spool_full")).toEqual([])
    expect(receiver.spanIds().size).toBe(exported)
    // With no room at all, memory holds them.
    room = 0
    endSpans(pipeline.receiver, ...namesOf("t", 100))
    await pipeline.flush(20_000)
    expect(receiver.spanNames().filter((name) => name.startsWith("t"))).toEqual(namesOf("t", 100))
  })

  it("a disk that is full at the start: what was left behind is sent, not given up for what is new", async () => {
    const directory = newDirectory()
    await leave(directory, namesOf("old", 50))
    const full = Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" })
    const none: SpoolOptions["io"] = {
      ...io,
      write: async (fd, bytes, position) => {
        // What a disk does: it takes what it can.
        await io.write(fd, bytes.subarray(0, 10), position)
        throw full
      },
      writeSync: (fd, bytes, position) => {
        io.writeSync(fd, bytes.subarray(0, 10), position)
        throw full
      }
    }
    const receiver = await receive()
    const pipeline = spooling(receiver, directory, { io: none })
    endSpans(pipeline.receiver, ...namesOf("new", 50))
    await receiver.spansReceived(100)
    expect(new Set(receiver.spanNames())).toEqual(new Set([...namesOf("old", 50), ...namesOf("new", 50)]))
    await pipeline.shutdown(1_000)
    expect(pipeline.status()).toMatchObject({ recovered: 50, exported: 100, droppedTotal: 0 })
  })

  it("half a record, which a full disk has taken, is not left for the next process as damage", async () => {
    const directory = newDirectory()
    let written = 0
    const full = Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" })
    const refuse = (bytes: Uint8Array): boolean => (written += bytes.length) > 4_000
    const small: SpoolOptions["io"] = {
      ...io,
      write: async (fd, bytes, position) => {
        if (!refuse(bytes)) return io.write(fd, bytes, position)
        await io.write(fd, bytes.subarray(0, 40), position)
        throw full
      },
      writeSync: (fd, bytes, position) => {
        if (!refuse(bytes)) return io.writeSync(fd, bytes, position)
        io.writeSync(fd, bytes.subarray(0, 40), position)
        throw full
      }
    }
    const first = spooling(dead, directory, { io: small })
    for (let i = 0; i < 60; i++) {
      endSpans(first.receiver, `s${i}`)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await first.shutdown(200)
    const { dropped, spooled } = first.status()
    expect(spooled).toBeGreaterThan(0)
    expect(spooled + (dropped.shutdown ?? 0)).toBe(60)
    const receiver = await receive()
    const next = spooling(receiver, directory)
    await next.flush(10_000)
    // A batch of which a part could not be written counts as lost, and that part arrives all the same.
    expect(receiver.spanIds().size).toBeGreaterThanOrEqual(spooled)
    expect(next.status()).toMatchObject({ recovered: receiver.spanIds().size, dropped: {} })
  })

  it.each(["EROFS", "EACCES", "ENOTDIR"])(
    "a directory that cannot be used (%s): one warning, and memory",
    async (code) => {
      const directory = newDirectory()
      const refuse = () => {
        throw Object.assign(new Error(`${code}: not here`), { code })
      }
      const receiver = await receive()
      const pipeline = spooling(receiver, directory, {
        io: { ...io, openSync: refuse, makeFolderSync: refuse, makeDirectory: refuse, rename: refuse }
      })
      for (let i = 0; i < 3; i++) {
        endSpans(pipeline.receiver, `s${i}`)
        await pipeline.flush(5_000)
      }
      expect(receiver.spanNames()).toEqual(["s0", "s1", "s2"])
      expect(pipeline.said.messages()).toEqual([
        `OpenTelemetry export: the spool ${directory} cannot be used, spans wait in memory only: ${code}: not here`
      ])
      expect(pipeline.status()).toMatchObject({ exported: 3, droppedTotal: 0, spooled: 0 })
    }
  )

  it.each(["/proc/spool", "/proc/a/b/spool", "/dev/null/spool"])(
    "a directory where no folder can be made (%s): one warning, and memory",
    async (directory) => {
      const receiver = await receive()
      const pipeline = spooling(receiver, directory)
      endSpans(pipeline.receiver, "s")
      await pipeline.flush(5_000)
      expect(receiver.spanNames()).toEqual(["s"])
      expect(pipeline.said.messages()).toEqual([
        expect.stringMatching(/^OpenTelemetry export: the spool .* cannot be used, spans wait in memory only: E[A-Z]+/)
      ])
      await expect(io.makeDirectory(directory)).rejects.toMatchObject({ code: expect.stringMatching(/^E[A-Z]+/) })
    }
  )

  it("makes folders below folders that are not there, readable by their owner alone", async () => {
    const directory = newDirectory()
    const receiver = await receive()
    const pipeline = spooling(receiver, path.join(directory, "a", "b"))
    receiver.answer(hang)
    endSpans(pipeline.receiver, "s")
    await until(() => pipeline.status().spooled === 1, "the span to be written")
    await Promise.all([1, 2].map(() => io.makeDirectory(path.join(directory, "c", "d"))))
    for (const made of ["a", "a/b", "c", "c/d"]) {
      expect(fs.statSync(path.join(directory, made)).mode & 0o777).toBe(0o700)
    }
    receiver.answer(ok)
  })

  it("a slow disk is left to another thread, and the application does not wait for it", async () => {
    const directory = newDirectory()
    const timing = fakeTiming()
    const receiver = await receive()
    let atOnce = 0
    const pipeline = spooling(
      receiver,
      directory,
      {
        io: {
          ...io,
          writeSync: (fd, bytes, position) => {
            atOnce++
            timing.advance(25)
            io.writeSync(fd, bytes, position)
          }
        }
      },
      { timing, scheduleDelayMillis: 60_000 }
    )
    for (let i = 0; i < 10; i++) {
      endSpans(pipeline.receiver, `s${i}`)
      await timing.settle()
      timing.advance(5)
    }
    expect(atOnce).toBe(1)
    expect(pipeline.said.messages()).toEqual([expect.stringContaining("is on a slow disk")])
    await pipeline.flush(5_000)
    expect(receiver.spanNames()).toEqual(Array.from({ length: 10 }, (_, i) => `s${i}`))
    // After a while it is tried again.
    timing.advance(60_000)
    let later = 0
    await until(() => {
      endSpans(pipeline.receiver, `later ${later++}`)
      return atOnce > 1
    }, "an append at once")
    expect(atOnce).toBe(2)
    await pipeline.flush(5_000)
    expect(pipeline.status()).toMatchObject({ exported: 10 + later, droppedTotal: 0, spooled: 0 })
  })

  it("a path that is a file is no directory: one warning, and memory", async () => {
    const file = path.join(newDirectory(), "file")
    fs.writeFileSync(file, "mine")
    const receiver = await receive()
    const pipeline = spooling(receiver, file)
    endSpans(pipeline.receiver, "a")
    await pipeline.flush(5_000)
    expect(receiver.spanNames()).toEqual(["a"])
    expect(pipeline.said.lines).toHaveLength(1)
    expect(fs.readFileSync(file, "utf8")).toBe("mine")
  })

  it("a directory that is removed in use is begun anew, and nothing that is in memory is lost", async () => {
    const directory = newDirectory()
    const timing = fakeTiming()
    const receiver = await receive()
    receiver.answer(status(503))
    const pipeline = spooling(receiver, directory, {}, { timing })
    endSpans(pipeline.receiver, ...namesOf("before", 10))
    timing.advance(20)
    await until(() => pipeline.status().reachable === false, "the outage")
    await until(() => segmentsIn(directory).length === 1, "the segment")
    fs.rmSync(directory, { recursive: true })
    timing.advance(5_000)
    await until(() => pipeline.said.messages().some((line) => line.includes("begun anew")), "the removal to be noticed")
    endSpans(pipeline.receiver, ...namesOf("after", 10))
    await timing.settle()
    timing.advance(20)
    await until(() => fs.existsSync(directory) && segmentsIn(directory).length === 1, "the new segment")
    receiver.answer(ok)
    await until(() => {
      // In small steps: a request in flight has a time-out by this clock too.
      timing.advance(20)
      return pipeline.status().exported === 20
    }, "all spans")
    expect(new Set(receiver.spanNames())).toEqual(new Set([...namesOf("before", 10), ...namesOf("after", 10)]))
    expect(pipeline.status().droppedTotal).toBe(0)
  })

  it("a heartbeat that stands still is waited for, whatever the wall clock does", async () => {
    const directory = newDirectory()
    await leave(directory, ["foreign"])
    const folder = path.join(directory, fs.readdirSync(directory)[0]!)
    // The owner is of another machine, and its heartbeat seems to be years old.
    fs.writeFileSync(path.join(folder, "owner.json"), JSON.stringify({ pid: 1, host: "elsewhere", start: "1" }))
    fs.utimesSync(path.join(folder, "owner.json"), 1, 1)
    const timing = fakeTiming()
    const receiver = await receive()
    const pipeline = spooling(receiver, directory, {}, { timing })
    const after = async (millis: number) => {
      timing.advance(millis)
      // Files are looked at by threads that no fake clock moves.
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 2))
    }
    await after(0)
    for (let i = 0; i < 6; i++) await after(5_000)
    expect(receiver.spans).toHaveLength(0)
    for (let i = 0; i < 12; i++) await after(5_000)
    await receiver.spansReceived(1)
    expect(receiver.spanNames()).toEqual(["foreign"])
    await pipeline.shutdown(0)
  })

  it("accounts for every span", async () => {
    const directory = newDirectory()
    const receiver = await receive()
    const pipeline = spooling(receiver, directory, { maxBytes: 100_000 })
    for (let round = 0; round < 6; round++) {
      receiver.answer(round % 2 === 0 ? status(503) : ok)
      endSpans(pipeline.receiver, ...namesOf(`r${round}`, 400))
      await new Promise((resolve) => setTimeout(resolve, 60))
    }
    await pipeline.flush(5_000)
    const state = pipeline.status()
    expect(accountedFor(state)).toBe(2_400)
    expect(receiver.spanIds().size).toBe(state.exported)
  })
})
