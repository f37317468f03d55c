import { describe, expect, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { longTurnMillis, PacedWriter, turnBytes } from "../../src/export/PacedWriter.ts"

/** Turns that a test makes itself. */
const turns = () => {
  let now = 0
  const waiting: Array<() => void> = []
  return {
    now: () => now,
    soon: (run: () => void) => void waiting.push(run),
    /** Runs the next turn, which comes so much later. */
    turn: (millis = 1) => {
      now += millis
      waiting.shift()!()
    },
    waiting: () => waiting.length
  }
}

/** A stream that keeps what is written to it. */
class Recorder {
  destroyed = false
  ended = false
  failed: Error | undefined
  readonly chunks: Array<Uint8Array> = []
  get length() {
    return this.chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  }
  write(chunk: Uint8Array) {
    this.chunks.push(chunk)
    return true
  }
  end() {
    this.ended = true
  }
  destroy(error?: Error) {
    this.failed = error
  }
}

describe("PacedWriter", () => {
  it("writes a small body at once", () => {
    const timing = turns()
    const stream = new Recorder()
    new PacedWriter(timing).write(stream, [new Uint8Array(10), new Uint8Array(20)])
    expect([stream.length, stream.ended]).toEqual([30, true])
  })

  it("writes a large body a piece a turn, and the next one after it", () => {
    const timing = turns()
    const writer = new PacedWriter(timing)
    const [first, second] = [new Recorder(), new Recorder()]
    writer.write(first, [new Uint8Array(10), new Uint8Array(2 * turnBytes)])
    writer.write(second, [new Uint8Array(5)])
    const seen = () => [first.length, first.ended, second.length, second.ended]
    expect(seen()).toEqual([turnBytes, false, 0, false])
    timing.turn()
    expect(seen()).toEqual([2 * turnBytes, false, 0, false])
    timing.turn()
    expect(seen()).toEqual([2 * turnBytes + 10, true, 0, false])
    timing.turn()
    expect(seen()).toEqual([2 * turnBytes + 10, true, 5, true])
    // Nothing to do: no more turns.
    timing.turn()
    expect(timing.waiting()).toBe(0)
  })

  it("does not hold a body back where the application makes long turns", () => {
    const timing = turns()
    const stream = new Recorder()
    new PacedWriter(timing).write(stream, [new Uint8Array(100 * turnBytes)])
    expect(stream.length).toBe(turnBytes)
    timing.turn(longTurnMillis)
    expect([stream.length, stream.ended]).toEqual([100 * turnBytes, true])
  })

  it("leaves a stream that has been destroyed, and goes on with the next", () => {
    const timing = turns()
    const writer = new PacedWriter(timing)
    const [first, second] = [new Recorder(), new Recorder()]
    writer.write(first, [new Uint8Array(2 * turnBytes)])
    writer.write(second, [new Uint8Array(5)])
    first.destroyed = true
    timing.turn()
    timing.turn()
    expect([first.length, first.ended, second.length, second.ended]).toEqual([turnBytes, false, 5, true])
  })

  it("a stream that throws is destroyed, and nobody else notices", () => {
    const timing = turns()
    const writer = new PacedWriter(timing)
    const [first, second] = [new Recorder(), new Recorder()]
    const fault = new Error("no")
    first.write = () => {
      throw fault
    }
    writer.write(first, [new Uint8Array(5)])
    writer.write(second, [new Uint8Array(5)])
    timing.turn()
    expect([first.failed, second.length, second.ended]).toEqual([fault, 5, true])
  })

  const Length = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 * turnBytes }))

  it.prop("writes what it was given, however it is cut", { lengths: Schema.Array(Length) }, ({ lengths }) => {
    const pieces = lengths.map((length, i) => Buffer.alloc(length, i + 1))
    const timing = turns()
    const stream = new Recorder()
    new PacedWriter(timing).write(stream, pieces)
    while (timing.waiting() > 0) timing.turn()
    expect(Buffer.concat(stream.chunks).equals(Buffer.concat(pieces))).toBe(true)
    expect(stream.ended).toBe(true)
  })
})
