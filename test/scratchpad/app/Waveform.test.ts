import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { makeRecording, waveformOf } from "../../../scratchpad/app/Waveform.ts"

const inPieces = (bytes: Uint8Array, size: number) => {
  const pieces: Array<Uint8Array> = []
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size))
  return Stream.fromIterable(pieces)
}
const whyNot = (bytes: Uint8Array) => Effect.map(Effect.flip(waveformOf(Stream.make(bytes))), ({ message }) => message)

describe("the waveform of a recording", () => {
  it.effect("is the same however its bytes arrive", () =>
    Effect.gen(function* () {
      const recording = makeRecording()
      const whole = yield* waveformOf(Stream.make(recording))
      assert.strictEqual(whole.durationSeconds, 2)
      assert.lengthOf(whole.peaks, 48)
      assert.isTrue(whole.peaks.every((peak) => peak > 0 && peak <= 1))
      for (const size of [1, 7, 44, 4096]) {
        assert.deepStrictEqual(yield* waveformOf(inPieces(recording, size)), whole)
      }
    })
  )

  it.effect("skips what else a header may hold", () =>
    Effect.gen(function* () {
      const recording = Buffer.from(makeRecording())
      // A chunk of odd length is padded.
      const list = Buffer.from("LIST\u0005\u0000\u0000\u0000words\u0000", "latin1")
      const more = Buffer.concat([recording.subarray(0, 36), list, recording.subarray(36)])
      assert.deepStrictEqual(yield* waveformOf(Stream.make(more)), yield* waveformOf(Stream.make(recording)))
    })
  )

  it.effect("says why there is none", () =>
    Effect.gen(function* () {
      const recording = Buffer.from(makeRecording())
      assert.include(yield* whyNot(Buffer.from("fLaC and so on, and on")), "it is not WAV")
      assert.include(yield* whyNot(recording.subarray(0, 40)), "it has no samples")
      assert.include(yield* whyNot(recording.subarray(0, 44)), "it has no samples")
      const eight = Buffer.from(recording)
      eight.writeUInt16LE(8, 34)
      assert.include(yield* whyNot(eight), "its samples have 8 bits, expected 16")
      const endless = Buffer.from(recording)
      endless.writeUInt32LE(0xffff_fff0, 16)
      assert.include(yield* whyNot(endless), "its header is too long")
    })
  )
})
