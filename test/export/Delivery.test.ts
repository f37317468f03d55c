import { describe, expect, it } from "@effect/vitest"
import type { Outcome, Part, Sink, Source } from "../../src/export/Batch.ts"
import { Delivery, type DeliveryOptions } from "../../src/export/Delivery.ts"
import { Diagnostics } from "../../src/export/Diagnostics.ts"
import { fakeTiming } from "./FakeTiming.ts"
import { recordLog } from "./support.ts"

type Names = ReadonlyArray<string>

const ok: Outcome = { _tag: "Delivered", rejected: 0, message: "" }
const busy: Outcome = { _tag: "Retry", afterMillis: undefined, message: "HTTP 503", unreachable: false }
const refused: Outcome = { _tag: "Retry", afterMillis: undefined, message: "connect ECONNREFUSED", unreachable: true }

const part = (...names: Names): Part<Names> => ({ payload: names, count: names.length, bytes: names.length * 100 })

/** A delivery to a sink that a test answers for: by a function, at once, or by hand. */
const start = (
  answer: ((names: Names, sent: number) => Outcome) | "by hand",
  options: Partial<DeliveryOptions<Names>> = {}
) => {
  const timing = fakeTiming()
  const said = recordLog()
  const diagnostics = new Diagnostics(timing, said.log)
  const sent: Array<Names> = []
  const released: Array<Names> = []
  const open: Array<(outcome: Outcome) => void> = []
  let most = 0
  let running = 0
  const sink: Sink<Names> = {
    target: "http://collector/v1/traces",
    send: async (names) => {
      sent.push(names)
      most = Math.max(most, ++running)
      try {
        return answer === "by hand"
          ? await new Promise<Outcome>((resolve) => open.push(resolve))
          : answer(names, sent.length)
      } finally {
        running--
      }
    },
    split: (names) => {
      const half = names.length >> 1
      return [part(...names.slice(0, half)), part(...names.slice(half))]
    },
    nameOf: (names) => names[0]!,
    release: (names) => void released.push(names),
    close: () => open.forEach((resolve) => resolve({ ...busy, message: "aborted" }))
  }
  const delivery = new Delivery<Names>({
    sink,
    diagnostics,
    timing,
    concurrency: 3,
    timeoutMillis: 10_000,
    deadlineMillis: 30_000,
    maxSpans: 1_000,
    maxBytes: 100_000,
    retryMinMillis: 500,
    retryMaxMillis: 8_000,
    waitsIn: "memory",
    ...options
  })
  return { delivery, diagnostics, most: () => most, open, released, said, sent, timing }
}

describe("Delivery", () => {
  it("sends in order and counts", async () => {
    const { delivery, diagnostics, sent, timing } = start(() => ok)
    delivery.add(part("a", "b"))
    delivery.add(part("c"))
    await timing.settle()
    expect(sent).toEqual([["a", "b"], ["c"]])
    expect([diagnostics.exported, delivery.isEmpty, delivery.queuedBytes, timing.timers()]).toEqual([3, true, 0, 0])
  })

  it("keeps what cannot be sent now, probes with one batch, and then sends the rest at once", async () => {
    let away = true
    const { delivery, diagnostics, sent, timing } = start(() => (away ? busy : ok))
    for (const name of ["a", "b", "c", "d"]) delivery.add(part(name))
    await timing.settle()
    expect(sent).toEqual([["a"]])
    timing.advance(374)
    await timing.settle()
    expect(sent).toHaveLength(1)
    timing.advance(1) // half of 500 and half of the other half, by chance
    await timing.settle()
    expect(sent).toHaveLength(2)
    away = false
    timing.advance(750)
    await timing.settle()
    expect(sent.slice(2).flat().sort()).toEqual(["a", "b", "c", "d"])
    expect([diagnostics.exported, diagnostics.droppedTotal]).toEqual([4, 0])
  })

  it("sends several at a time once the collector has answered", async () => {
    const { delivery, most, open, timing } = start("by hand")
    for (const name of ["a", "b", "c", "d", "e", "f"]) delivery.add(part(name))
    await timing.settle()
    expect(most()).toBe(1)
    open.shift()!(ok)
    await timing.settle()
    expect(most()).toBe(3)
  })

  it("waits longer after each failure, up to the longest wait", async () => {
    const { delivery, sent, timing } = start(() => busy)
    delivery.add(part("a"))
    await timing.settle()
    const waits: Array<number> = []
    for (let i = 0; i < 7; i++) {
      const before = sent.length
      let waited = 0
      while (sent.length === before && waited < 20_000) {
        timing.advance(125)
        waited += 125
        await timing.settle()
      }
      waits.push(waited)
    }
    expect(waits).toEqual([375, 750, 1500, 3000, 6000, 6000, 6000])
  })

  it("waits as long as the server says", async () => {
    const { delivery, sent, timing } = start((_, sent) => (sent === 1 ? { ...busy, afterMillis: 60_000 } : ok))
    delivery.add(part("a"))
    await timing.settle()
    timing.advance(59_999)
    await timing.settle()
    expect(sent).toHaveLength(1)
    timing.advance(1)
    await timing.settle()
    expect(sent).toHaveLength(2)
  })

  it("says a dead collector once, then once a minute, then that it is back", async () => {
    let away = true
    const { delivery, said, timing } = start(() => (away ? refused : ok))
    delivery.add(part("a"))
    await timing.settle()
    expect(said.messages()).toEqual([
      "OpenTelemetry export: http://collector/v1/traces takes no spans: connect ECONNREFUSED. They wait in memory until it does"
    ])
    for (let i = 0; i < 150; i++) {
      timing.advance(1_000)
      await timing.settle()
    }
    expect(said.lines).toHaveLength(3)
    expect(said.lines[2]).toMatchObject({ level: "warn", fields: { waiting: 1 } })
    away = false
    timing.advance(10_000)
    await timing.settle()
    expect(said.lines).toHaveLength(4)
    expect(said.lines[3]).toMatchObject({ level: "info", message: expect.stringContaining("takes spans again") })
  })

  it("a collector that comes and goes all the time is told of three times a minute", async () => {
    const { delivery, said, timing } = start((_, sent) => (sent % 2 === 1 ? busy : ok))
    for (let second = 0; second < 59; second++) {
      delivery.add(part(`s${second}`))
      timing.advance(1_000)
      await timing.settle()
    }
    const away = expect.stringContaining("takes no spans: HTTP 503")
    const back = expect.stringContaining("takes spans again")
    expect(said.messages()).toEqual([away, back, away, back, away, back])
  })

  it("says a message of a server once, whatever ids and numbers stand in it", async () => {
    const { delivery, said, timing } = start((_, sent) => ({
      _tag: "Delivered",
      rejected: 1,
      message: `trace ${sent.toString(16).padStart(32, "4bf92f3577")} has ${sent * 700} spans`
    }))
    for (let i = 0; i < 20; i++) {
      delivery.add(part("a", "b"))
      await timing.settle()
    }
    expect(said.lines).toHaveLength(1)
  })

  it("does not let one bad batch harm another: it is cut until the bad span is alone", async () => {
    const { delivery, diagnostics, sent, timing } = start((names) => (names.includes("bad") ? busy : ok))
    delivery.add(part("a", "b", "bad", "c"))
    delivery.add(part("d"))
    delivery.add(part("e"))
    for (let i = 0; i < 60; i++) {
      timing.advance(1_000)
      await timing.settle()
    }
    expect(diagnostics.exported).toBe(5)
    expect(delivery.waitingSpans).toBe(1)
    expect(delivery.parkedSpans).toBe(1)
    const tries = sent.length
    for (let i = 0; i < 59; i++) {
      timing.advance(1_000)
      await timing.settle()
    }
    expect(sent.length - tries).toBeLessThanOrEqual(1)
    delivery.add(part("f"))
    await timing.settle()
    expect(diagnostics.exported).toBe(6)
  })

  it("a refusal for good costs its own batch", async () => {
    const { delivery, diagnostics, said, timing } = start((names) =>
      names.includes("bad") ? { _tag: "Refused", message: "HTTP 400", mayTakeParts: true } : ok
    )
    for (const name of ["a", "bad", "b", "bad", "c"]) delivery.add(part(name))
    await timing.settle()
    expect([diagnostics.exported, diagnostics.dropped.get("refused")]).toEqual([3, 2])
    expect(said.messages()).toEqual([
      "OpenTelemetry export: http://collector/v1/traces refused spans for good: HTTP 400"
    ])
  })

  it("a large batch that is refused for good is cut down to 512 spans, before it is given up", async () => {
    const { delivery, diagnostics, said, sent, timing } = start(
      (names) => (names.includes("bad") ? { _tag: "Refused", message: "HTTP 400", mayTakeParts: true } : ok),
      { concurrency: 1, maxSpans: Infinity, maxBytes: Infinity }
    )
    const names = Array.from({ length: 2_000 }, (_, i) => (i === 700 ? "bad" : String(i)))
    delivery.add(part(...names))
    delivery.add(part("after"))
    await timing.settle()
    expect(sent.map((names) => names.length)).toEqual([2_000, 1_000, 500, 500, 1_000, 1])
    expect([diagnostics.exported, diagnostics.dropped.get("refused")]).toEqual([1_501, 500])
    expect(said.lines).toHaveLength(1)
  })

  it("a large batch that is not answered in time, as over a slow line, is sent in parts", async () => {
    const silent: Outcome = { ...busy, message: "no answer within 10000 ms", mayTakeParts: true }
    const { delivery, diagnostics, sent, timing } = start((names) => (names.length > 600 ? silent : ok), {
      maxSpans: Infinity,
      maxBytes: Infinity
    })
    delivery.add(part(...Array.from({ length: 2_000 }, (_, i) => String(i))))
    for (let i = 0; i < 10; i++) {
      await timing.settle()
      timing.advance(1_000)
    }
    expect(sent.map((names) => names.length)).toEqual([2_000, 1_000, 500, 500, 1_000, 500, 500])
    expect([diagnostics.exported, diagnostics.droppedTotal]).toEqual([2_000, 0])
    expect(sent.filter((names) => names.length === 500).flatMap((names) => names)).toEqual(sent[0])

    const never = start(() => silent, { maxSpans: Infinity, maxBytes: Infinity })
    never.delivery.add(part(...Array.from({ length: 1_200 }, (_, i) => String(i))))
    for (let i = 0; i < 200; i++) {
      await never.timing.settle()
      never.timing.advance(1_000)
    }
    expect(Math.min(...never.sent.map((names) => names.length))).toBe(300)
    expect(never.delivery.waitingSpans).toBe(1_200)
  })

  it("halves what is too large, in order, and drops and names what is too large alone", async () => {
    const tooLarge: Array<number> = []
    const { delivery, diagnostics, said, sent, timing } = start(
      (names) => (names.length > 2 || names.includes("huge") ? { _tag: "TooLarge", message: "HTTP 413" } : ok),
      { concurrency: 1, tooLarge: (bytes) => tooLarge.push(bytes) }
    )
    delivery.add(part("a", "b", "c", "huge", "d", "e"))
    delivery.add(part("f"))
    await timing.settle()
    await timing.settle()
    expect(sent.filter((names) => names.length <= 2 && !names.includes("huge")).flat()).toEqual([..."abcdef"])
    expect([diagnostics.exported, diagnostics.dropped.get("too_large")]).toEqual([6, 1])
    expect(said.messages()).toEqual([expect.stringContaining('the span "huge" alone is too large')])
    expect(tooLarge[0]).toBe(600)
  })

  it("counts the spans that a server rejected, and says its message once", async () => {
    const { delivery, diagnostics, said, timing } = start((names) => ({
      _tag: "Delivered",
      rejected: names.length > 1 ? 1 : 99,
      message: "no such tenant"
    }))
    delivery.add(part("a", "b", "c"))
    delivery.add(part("d"))
    await timing.settle()
    expect([diagnostics.exported, diagnostics.dropped.get("rejected")]).toEqual([2, 2])
    expect(said.lines).toHaveLength(1)
    expect(said.lines[0]).toMatchObject({
      message: expect.stringContaining('"no such tenant"'),
      fields: { rejected: 1 }
    })
  })

  it("lets the oldest give way when memory is full, by spans and by bytes, and counts them", async () => {
    for (const limit of [{ maxSpans: 3 }, { maxBytes: 300 }]) {
      const { delivery, diagnostics, open, sent, timing } = start("by hand", { ...limit, concurrency: 1 })
      for (const name of ["a", "b", "c", "d", "e", "f"]) delivery.add(part(name))
      expect(delivery.queuedBytes).toBeLessThanOrEqual(400)
      while (open.length > 0 || !delivery.isEmpty) {
        open.shift()?.(ok)
        await timing.settle()
      }
      const dropped = diagnostics.dropped.get("queue_full")!
      expect(diagnostics.exported + dropped).toBe(6)
      expect(sent.flat().slice(-2)).toEqual(["e", "f"])
      expect(dropped).toBeGreaterThan(0)
    }
  })

  it("takes back the memory of what gives way, but not of what was tried: a socket may still read that", async () => {
    const { delivery, released, timing } = start(() => busy, { maxSpans: 3 })
    delivery.add(part("tried"))
    await timing.settle()
    for (const name of ["a", "b", "c", "d", "e"]) delivery.add(part(name))
    expect(delivery.queuedSpans).toBe(3)
    expect(released).toEqual([["a"], ["b"]])
  })

  it("keeps a batch that alone is larger than memory may be", async () => {
    const { delivery, diagnostics, timing } = start(() => ok, { maxBytes: 10 })
    delivery.add(part("a", "b"))
    await timing.settle()
    expect(diagnostics.exported).toBe(2)
  })

  it("a flush waits for what is in flight and what waits, also when it has to be tried again", async () => {
    const { delivery, open, timing } = start("by hand")
    delivery.add(part("a"))
    delivery.add(part("b"))
    let complete: boolean | undefined
    void delivery.flush(5_000).then((value) => (complete = value))
    open.shift()!(busy)
    await timing.settle()
    expect(complete).toBe(undefined)
    timing.advance(1_000)
    await timing.settle()
    open.shift()!(ok)
    await timing.settle()
    open.shift()!(ok)
    await timing.settle()
    expect(complete).toBe(true)
  })

  it("a flush does not wait for what came after it", async () => {
    const { delivery, open, timing } = start("by hand")
    delivery.add(part("a"))
    let complete: boolean | undefined
    void delivery.flush(5_000).then((value) => (complete = value))
    delivery.add(part("b"))
    open.shift()!(ok)
    await timing.settle()
    expect(complete).toBe(true)
  })

  it("a flush has its own limit, whatever the server asks, and tries at once where it does not ask", async () => {
    const { delivery, sent, timing } = start((names) => (names[0] === "a" ? { ...busy, afterMillis: 60_000 } : busy))
    delivery.add(part("a"))
    await timing.settle()
    let complete: boolean | undefined
    void delivery.flush(2_000).then((value) => (complete = value))
    timing.advance(1_999)
    await timing.settle()
    expect([complete, sent.length]).toEqual([undefined, 1])
    timing.advance(1)
    await timing.settle()
    expect([complete, delivery.waitingSpans]).toEqual([false, 1])

    const other = start(() => busy)
    other.delivery.add(part("b"))
    await other.timing.settle()
    void other.delivery.flush(2_000)
    await other.timing.settle()
    expect(other.sent).toHaveLength(2)
  })

  it("stopping counts what is left", async () => {
    const { delivery, diagnostics, open, timing } = start("by hand", { concurrency: 1 })
    delivery.add(part("a"))
    delivery.add(part("b", "c"))
    let complete: boolean | undefined
    void delivery.flush(1_000).then((value) => (complete = value))
    expect(delivery.stop()).toBe(3)
    await timing.settle()
    expect([complete, diagnostics.dropped.get("shutdown"), timing.timers()]).toEqual([false, 3, 0])
    expect(open.length).toBe(1)
    expect(delivery.stop()).toBe(0)
  })

  it("a sink that breaks its promise costs nothing", async () => {
    let calls = 0
    const { delivery, diagnostics, timing } = start(() => {
      if (calls++ === 0) throw new Error("broken")
      return ok
    })
    delivery.add(part("a"))
    await timing.settle()
    timing.advance(1_000)
    await timing.settle()
    expect([diagnostics.exported, diagnostics.droppedTotal]).toEqual([1, 0])
  })

  describe("with a source", () => {
    const stored = (...names: Names) => {
      const log: Array<string> = []
      const source: Source<Names> = {
        origin: names,
        isLoadable: true,
        isKept: true,
        load: async () => {
          log.push("load")
          return names[0] === "gone" ? undefined : names
        },
        quarantine: (part) => void log.push(`quarantine ${part.payload.join()}`),
        settled: () => void log.push("settled")
      }
      return { log, source }
    }

    it("memory is left, and the batch is read back when its turn has come", async () => {
      const { delivery, diagnostics, open, released, sent, timing } = start("by hand", {
        concurrency: 1,
        maxBytes: 150
      })
      delivery.add(part("a"), stored("a").source)
      const b = stored("b")
      delivery.add(part("b"), b.source)
      expect([delivery.queuedBytes, released]).toEqual([100, [["b"]]])
      open.shift()!(ok)
      await timing.settle()
      open.shift()!(ok)
      await timing.settle()
      expect([sent, b.log]).toEqual([
        [["a"], ["b"]],
        ["load", "settled"]
      ])
      expect([diagnostics.exported, diagnostics.droppedTotal]).toEqual([2, 0])
    })

    it("parts of a batch settle it together, and only what was refused is put aside", async () => {
      const { delivery, timing } = start(
        (names) =>
          names.length > 1
            ? { _tag: "TooLarge", message: "HTTP 413" }
            : names[0] === "bad"
              ? { _tag: "Refused", message: "HTTP 400", mayTakeParts: true }
              : ok,
        { concurrency: 1 }
      )
      const { log, source } = stored("a", "bad", "b")
      delivery.add(part("a", "bad", "b"), source)
      await timing.settle()
      expect(log).toEqual(["quarantine bad", "settled"])
    })

    it("a part of a batch leaves memory too, and is read back as it was", async () => {
      const { delivery, diagnostics, open, sent, timing } = start("by hand", { concurrency: 1, maxBytes: 450 })
      const whole = stored("a", "b", "c", "d")
      delivery.add(part("a", "b", "c", "d"), whole.source)
      open.shift()!({ _tag: "TooLarge", message: "HTTP 413" })
      await timing.settle()
      delivery.add(part("e"))
      while (open.length > 0) {
        open.shift()!(ok)
        await timing.settle()
      }
      expect(sent.slice(1)).toEqual([["a", "b"], ["c", "d"], ["e"]])
      expect(whole.log).toEqual(["load", "settled"])
      expect([diagnostics.exported, diagnostics.droppedTotal]).toEqual([5, 0])
    })

    it("what is given up is forgotten by its origin, in parts too", async () => {
      const { delivery, open, timing } = start("by hand", { concurrency: 1 })
      const whole = stored("a", "b", "c", "d")
      delivery.add(part("a", "b", "c", "d"), whole.source)
      delivery.add(part("e"))
      open.shift()!({ _tag: "TooLarge", message: "HTTP 413" })
      await timing.settle()
      expect(delivery.waitingSpans).toBe(5)
      // The first half is being sent.
      expect(delivery.forget(whole.source.origin, "spool_full")).toBe(2)
      expect(delivery.waitingSpans).toBe(3)
    })

    it("what is gone is counted", async () => {
      const { delivery, diagnostics, timing } = start(() => ok)
      delivery.addStored(7, 700, stored("gone").source)
      await timing.settle()
      expect([diagnostics.dropped.get("spool_lost"), diagnostics.exported, delivery.isEmpty]).toEqual([7, 0, true])
    })
  })
})
