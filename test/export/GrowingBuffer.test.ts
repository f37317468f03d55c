import { describe, expect, it } from "@effect/vitest"
import { GrowingBuffer } from "../../src/export/GrowingBuffer.ts"

const bytes = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)

const full = 63 * 1024

describe("GrowingBuffer", () => {
  it("gives what was appended, and is empty then", () => {
    const buffer = new GrowingBuffer()
    for (const length of [1, 100, full, 1_000_000]) {
      buffer.append(bytes(length, 1))
      buffer.append(bytes(length, 2))
      expect(buffer.length).toBe(length * 2)
      expect(Buffer.from(buffer.take()).equals(Buffer.concat([bytes(length, 1), bytes(length, 2)]))).toBe(true)
      expect(buffer.length).toBe(0)
    }
  })

  it("writes to what it gave only when that was given back", () => {
    const buffer = new GrowingBuffer()
    const next = (value: number): Uint8Array => {
      buffer.append(bytes(full, value))
      return buffer.take()
    }
    const taken = [1, 2, 3, 4, 5, 6].map(next)
    taken.forEach((one, i) => expect(Buffer.from(one).equals(bytes(full, i + 1))).toBe(true))
    buffer.giveBack(taken[0]!)
    const second = next(7)
    const again = next(8)
    expect([second, again].filter((one) => one.buffer === taken[0]!.buffer)).toHaveLength(1)
    taken.slice(1).forEach((one, i) => expect(Buffer.from(one).equals(bytes(full, i + 2))).toBe(true))
  })

  it("what is given back twice, or was never taken, is not used twice", () => {
    const buffer = new GrowingBuffer()
    buffer.append(bytes(full, 1))
    const one = buffer.take()
    buffer.giveBack(one)
    buffer.giveBack(one)
    buffer.giveBack(one.subarray(0, 10))
    buffer.giveBack(bytes(full, 9))
    const others = [2, 3, 4, 5].map((value) => {
      buffer.append(bytes(full, value))
      return buffer.take()
    })
    expect(new Set(others.map(({ buffer }) => buffer)).size).toBe(4)
    others.forEach((other, i) => expect(Buffer.from(other).equals(bytes(full, i + 2))).toBe(true))
  })

  const megabyte = 1024 * 1024
  /** Fills so many buffers, and tells how many of them lie in memory that is known. */
  const fill = (buffer: GrowingBuffer, count: number, known: Set<ArrayBufferLike>) => {
    const taken = Array.from({ length: count }, () => {
      buffer.append(bytes(megabyte, 1))
      return buffer.take()
    })
    const used = taken.filter((one) => known.has(one.buffer)).length
    for (const one of taken) known.add(one.buffer)
    return { taken, used, giveBack: () => taken.forEach((one) => buffer.giveBack(one)) }
  }

  it("uses all again that waited, as long as they are needed", () => {
    const buffer = new GrowingBuffer()
    const known = new Set<ArrayBufferLike>()
    fill(buffer, 20, known).giveBack()
    for (let i = 0; i < 20; i++) {
      const { giveBack, used } = fill(buffer, 20, known)
      expect(used).toBeGreaterThanOrEqual(i === 0 ? 19 : 20)
      giveBack()
    }
  })

  it.each([
    [
      "a while of few that wait",
      (buffer: GrowingBuffer, known: Set<ArrayBufferLike>) => {
        for (let i = 0; i < 300; i++) fill(buffer, 1, known).giveBack()
      }
    ],
    [
      "some that go before they are full",
      (buffer: GrowingBuffer) => {
        for (let i = 0; i < 2; i++) {
          buffer.append(bytes(10, 1))
          buffer.take()
        }
      }
    ]
  ])("holds on to a few megabytes after %s", (_, quiet) => {
    const buffer = new GrowingBuffer()
    const known = new Set<ArrayBufferLike>()
    fill(buffer, 20, known).giveBack()
    quiet(buffer, known)
    expect(fill(buffer, 20, known).used).toBeLessThanOrEqual(6)
  })

  it("what had to grow beyond some megabytes is not used again", () => {
    const buffer = new GrowingBuffer()
    buffer.append(bytes(20 * megabyte, 1))
    const huge = buffer.take()
    buffer.giveBack(huge)
    buffer.append(bytes(20 * megabyte, 1))
    expect(buffer.take().buffer).not.toBe(huge.buffer)
  })
})
