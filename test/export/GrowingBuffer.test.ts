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

  it("holds on to a few megabytes at most, whatever went through it", () => {
    const buffer = new GrowingBuffer()
    const taken = Array.from({ length: 20 }, () => {
      buffer.append(bytes(1024 * 1024, 1))
      return buffer.take()
    })
    const memory = new Set(taken.map(({ buffer }) => buffer))
    for (const one of taken) buffer.giveBack(one)
    const used = Array.from({ length: 20 }, () => {
      buffer.append(bytes(1024 * 1024, 1))
      return buffer.take()
    })
    expect(used.filter((one) => memory.has(one.buffer)).length).toBeLessThanOrEqual(5)
    buffer.append(bytes(20 * 1024 * 1024, 1))
    const huge = buffer.take()
    buffer.giveBack(huge)
    buffer.append(bytes(20 * 1024 * 1024, 1))
    expect(buffer.take().buffer).not.toBe(huge.buffer)
  })
})
