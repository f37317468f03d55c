import { describe, expect, it } from "@effect/vitest"
import { Diagnostics } from "../../src/export/Diagnostics.ts"
import { isActive, Tail, type TailOptions } from "../../src/export/Tail.ts"
import type { EndedSpan } from "../../src/tracer/SpanReceiver.ts"
import { fakeTiming } from "./FakeTiming.ts"
import { makeEnded, makeLocalTrace, recordLog } from "./support.ts"

const start = (options: TailOptions = {}) => {
  const timing = fakeTiming()
  const said = recordLog()
  const diagnostics = new Diagnostics(timing, said.log)
  const kept: Array<string> = []
  const tail = new Tail(options, diagnostics, timing, (span: EndedSpan, reason) => kept.push(`${span.name} ${reason}`))
  /** A local trace whose spans end as a test says. */
  const trace = (open = 0) => {
    const localTrace = makeLocalTrace()
    localTrace.openSpans = open
    const end = (span: Parameters<typeof makeEnded>[0], isLocalRoot: boolean) => {
      localTrace.openSpans--
      if (isLocalRoot) localTrace.rootEnded = true
      tail.offer(makeEnded({ sampled: false, isLocalRoot, localTrace, ...span }))
    }
    return {
      child: (name: string, span: Parameters<typeof makeEnded>[0] = {}) => end({ name, ...span }, false),
      root: (name: string, span: Parameters<typeof makeEnded>[0] = {}) => end({ name, ...span }, true),
      localTrace
    }
  }
  return { diagnostics, kept, said, tail, timing, trace }
}

const failed = { statusCode: 2 } as const

describe("Tail", () => {
  it("is active where there is a reason to keep anything", () => {
    expect(
      [undefined, {}, { keepErrors: false }, { keepErrors: false, keepSlowerThanMillis: 1 }].map(isActive)
    ).toEqual([false, true, false, true])
    expect(isActive({ keepErrors: false, rules: [{ name: "x", keep: () => true }] })).toBe(true)
  })

  it("keeps the whole local trace when any of its spans failed, and drops the others", () => {
    const { diagnostics, kept, tail, trace } = start()
    const bad = trace(3)
    const good = trace(2)
    bad.child("bad 1")
    good.child("good 1")
    bad.child("bad 2", failed)
    expect([kept, tail.heldSpans]).toEqual([[], 3])
    bad.root("bad root")
    good.root("good root")
    expect(kept).toEqual(["bad 1 error", "bad 2 error", "bad root error"])
    expect(tail.heldSpans).toBe(0)
    expect(diagnostics.snapshot({} as never)).toMatchObject({ keptByRule: { error: 3 }, notKept: 2, late: 0 })
  })

  it("keeps what was slow, by its root", () => {
    const { kept, trace } = start({ keepSlowerThanMillis: 500 })
    const fast = trace(2)
    fast.child("a", { durationMillis: 900 })
    fast.root("fast", { durationMillis: 499.9 })
    const slow = trace(1)
    slow.root("slow", { durationMillis: 500 })
    expect(kept).toEqual(["slow slow"])
  })

  it("asks rules in order; one that throws says no", () => {
    const { diagnostics, kept, said, trace } = start({
      keepErrors: false,
      rules: [
        {
          name: "broken",
          keep: () => {
            throw new Error("a bug")
          }
        },
        { name: "checkout", keep: ({ root, spans }) => root?.name === "POST /checkout" && spans.length === 2 },
        { name: "never", keep: () => false }
      ]
    })
    const one = trace(2)
    one.child("db.insert", failed)
    one.root("POST /checkout")
    trace(1).root("GET /")
    expect(kept).toEqual(["db.insert rule:checkout", "POST /checkout rule:checkout"])
    expect(diagnostics.lastError?.message).toContain('sampling rule "broken": a bug')
    expect(said.lines).toHaveLength(1)
  })

  it("keeps nothing alive of a local trace that is only a root", () => {
    const { kept, tail, trace } = start()
    const alone = trace(1)
    alone.root("fine")
    const failing = trace(1)
    failing.root("failing", failed)
    expect([kept, tail.heldSpans]).toEqual([["failing error"], 0])
  })

  describe("the first decision stands", () => {
    it("for children that end after a trace was kept", () => {
      const { diagnostics, kept, trace } = start()
      const one = trace(2)
      one.root("root", failed)
      one.child("late")
      expect([kept, diagnostics.late]).toEqual([["root error", "late error"], 1])
    })

    it("for children that end after a trace was dropped, even if they fail", () => {
      const { diagnostics, kept, timing, trace } = start()
      const one = trace(2)
      one.root("root")
      timing.advance(1_000)
      one.child("late", failed)
      expect([kept, diagnostics.late, diagnostics.notKept]).toEqual([[], 1, 2])
    })
  })

  describe("with children open when the root ends", () => {
    it("waits for the last of them, no longer", () => {
      const { kept, tail, timing, trace } = start()
      const one = trace(3)
      one.root("root")
      one.child("a")
      expect([kept, tail.heldSpans]).toEqual([[], 2])
      one.child("b", failed)
      expect([kept, tail.heldSpans]).toEqual([["root error", "a error", "b error"], 0])
      timing.advance(5_000)
      expect(kept).toHaveLength(3)
    })

    it("decides as soon as the answer is yes", () => {
      const { kept, trace } = start()
      const one = trace(3)
      one.root("root")
      one.child("a", failed)
      expect(kept).toEqual(["root error", "a error"])
    })

    it("waits for a limited time", () => {
      const { diagnostics, kept, tail, timing, trace } = start({ graceMillis: 300 })
      const one = trace(2)
      one.root("one")
      timing.advance(200)
      const two = trace(2)
      two.root("two")
      timing.advance(100)
      expect([tail.heldSpans, diagnostics.notKept]).toEqual([1, 1])
      timing.advance(200)
      expect([tail.heldSpans, diagnostics.notKept, kept, timing.timers()]).toEqual([0, 2, [], 0])
    })
  })

  describe("under pressure", () => {
    it("decides the oldest by what is known of it: errors stay", () => {
      const { diagnostics, kept, said, tail, trace } = start({ maxSpans: 3 })
      const bad = trace(10)
      bad.child("bad", failed)
      const good = [trace(10), trace(10)]
      good.forEach((one, i) => one.child(`good ${i}`))
      expect(kept).toEqual([])
      const last = trace(10)
      last.child("last") // capacity + 1
      expect([kept, tail.heldSpans, diagnostics.decidedEarly]).toEqual([["bad error"], 3, 1])
      last.child("last again")
      expect([kept, tail.heldSpans, diagnostics.decidedEarly, diagnostics.notKept]).toEqual([["bad error"], 3, 2, 1])
      bad.root("bad root")
      good[0]!.root("good root", failed)
      expect(kept).toEqual(["bad error", "bad root error"])
      expect(said.lines).toHaveLength(1)
    })

    it("counts bytes too", () => {
      const { diagnostics, tail, trace } = start({ maxBytes: 10_000 })
      for (let i = 0; i < 20; i++) {
        trace(5).child(`s${i}`, { attributeKeys: ["text"], attributeValues: ["x".repeat(2_000)] })
      }
      expect(tail.heldSpans).toBeLessThanOrEqual(4)
      expect(diagnostics.decidedEarly).toBe(20 - tail.heldSpans)
    })
  })

  it("shutting down decides all", () => {
    const { diagnostics, kept, tail, timing, trace } = start()
    trace(2).child("fine")
    const waiting = trace(2)
    waiting.root("waiting")
    trace(2).child("failing", failed)
    tail.decideAll()
    expect([kept, tail.heldSpans, diagnostics.notKept, timing.timers()]).toEqual([["failing error"], 0, 2, 0])
  })

  it("accounts for every span, whatever ends when", () => {
    // Many random schedules: each span is kept, not kept, or held, and a trace never has two answers.
    let seed = 7
    const random = (n: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
      return seed % n
    }
    for (let run = 0; run < 50; run++) {
      const { diagnostics, kept, tail, timing, trace } = start({ maxSpans: 8, graceMillis: 50 })
      let ended = 0
      let running: Array<{ one: ReturnType<typeof trace>; left: number; id: string }> = []
      for (let step = 0; step < 200; step++) {
        if (running.length < 6) {
          const size = 1 + random(4)
          running.push({ one: trace(size), left: size, id: `t${run}.${step}` })
        }
        const chosen = running[random(running.length)]!
        const span = random(10) === 0 ? failed : {}
        const isRoot = !chosen.one.localTrace.rootEnded && (chosen.left === 1 || random(3) === 0)
        if (isRoot) chosen.one.root(chosen.id, span)
        else chosen.one.child(chosen.id, span)
        chosen.left--
        ended++
        if (random(5) === 0) timing.advance(random(60))
        running = running.filter((one) => one.left > 0)
        expect(kept.length + diagnostics.notKept + tail.heldSpans).toBe(ended)
        expect(tail.heldSpans).toBeLessThanOrEqual(8)
      }
      tail.decideAll()
      expect(kept.length + diagnostics.notKept).toBe(ended)
    }
  })
})
