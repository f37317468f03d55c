/**
 * The peaks of a recording, for the picture of it that a player draws; read from a stream, whatever its length, in constant
 * memory. Reads WAV with 16-bit samples, which is what recorders write.
 */
import { Data, Effect, Stream } from "effect"

/** The peaks of a recording, 0 to 1, from its beginning to its end. */
export interface Waveform {
  readonly durationSeconds: number
  readonly peaks: ReadonlyArray<number>
}

/** The recording is not one that can be read. */
export class UnreadableAudio extends Data.TaggedError("UnreadableAudio")<{ readonly message: string }> {}

/** How many peaks a picture has. */
const points = 48

interface Format {
  readonly channels: number
  readonly sampleRate: number
  readonly bitsPerSample: number
}

/** Reads a stream bit by bit: the header first, then samples. */
class WavReader {
  readonly #peaks = Array.from({ length: points }, () => 0)
  #pending: Buffer = Buffer.alloc(0)
  #format: Format | undefined
  /** Bytes of samples, and how many of them were read. */
  #total: number | undefined
  #read = 0
  #started = false

  add(bytes: Uint8Array): void {
    this.#pending = Buffer.concat([this.#pending, bytes])
    while (this.#total === undefined && this.#header());
    if (this.#total !== undefined) this.#samples(this.#total)
  }

  /** One chunk of the header; whether there was a whole one. */
  #header(): boolean {
    const buffer = this.#pending
    if (!this.#started) {
      if (buffer.length < 12) return false
      if (buffer.toString("latin1", 0, 4) !== "RIFF" || buffer.toString("latin1", 8, 12) !== "WAVE")
        throw unreadable("it is not WAV")
      this.#started = true
      this.#pending = buffer.subarray(12)
      return true
    }
    if (buffer.length < 8) return false
    const name = buffer.toString("latin1", 0, 4)
    const size = buffer.readUInt32LE(4)
    if (name === "data") {
      this.#total = size
      this.#pending = buffer.subarray(8)
      return false
    }
    // Chunks begin at even places.
    const length = 8 + size + (size % 2)
    if (length > 1_000_000) throw unreadable("its header is too long")
    if (buffer.length < length) return false
    if (name === "fmt ") {
      this.#format = {
        channels: buffer.readUInt16LE(10),
        sampleRate: buffer.readUInt32LE(12),
        bitsPerSample: buffer.readUInt16LE(22)
      }
    }
    this.#pending = buffer.subarray(length)
    return true
  }

  #samples(total: number): void {
    const { bitsPerSample } = this.#checkedFormat()
    if (bitsPerSample !== 16) throw unreadable(`its samples have ${bitsPerSample} bits, expected 16`)
    const buffer = this.#pending
    const whole = Math.min(buffer.length - (buffer.length % 2), Math.max(0, total - this.#read))
    for (let at = 0; at < whole; at += 2) {
      const point = Math.min(points - 1, Math.floor(((this.#read + at) / total) * points))
      const level = Math.abs(buffer.readInt16LE(at)) / 32_768
      if (level > this.#peaks[point]!) this.#peaks[point] = level
    }
    this.#read += whole
    this.#pending = buffer.subarray(whole)
  }

  #checkedFormat(): Format {
    if (this.#format === undefined) throw unreadable("its samples come before their format")
    return this.#format
  }

  end(): Waveform {
    if (this.#total === undefined || this.#read === 0) throw unreadable("it has no samples")
    const { channels, sampleRate } = this.#checkedFormat()
    return {
      durationSeconds: this.#read / (2 * channels * sampleRate),
      peaks: this.#peaks.map((peak) => Math.round(peak * 1000) / 1000)
    }
  }
}

const unreadable = (why: string) => new UnreadableAudio({ message: `the recording cannot be read: ${why}` })

/** The waveform of a recording. */
export const waveformOf = <E, R>(
  audio: Stream.Stream<Uint8Array, E, R>
): Effect.Effect<Waveform, E | UnreadableAudio, R> =>
  Effect.suspend(() => {
    const reader = new WavReader()
    const attempt = <A>(read: () => A) => Effect.try({ try: read, catch: (error) => error as UnreadableAudio })
    return Stream.runForEach(audio, (bytes) => attempt(() => reader.add(bytes))).pipe(
      Effect.andThen(attempt(() => reader.end()))
    )
  })

/** A short recording: a chord that dies away, twice. */
export const makeRecording = (): Uint8Array => {
  const seconds = 2
  const sampleRate = 8000
  const samples = seconds * sampleRate
  const buffer = Buffer.alloc(44 + samples * 2)
  buffer.write("RIFF", 0, "latin1")
  buffer.writeUInt32LE(36 + samples * 2, 4)
  buffer.write("WAVEfmt ", 8, "latin1")
  buffer.writeUInt32LE(16, 16)
  buffer.writeUInt16LE(1, 20)
  buffer.writeUInt16LE(1, 22)
  buffer.writeUInt32LE(sampleRate, 24)
  buffer.writeUInt32LE(sampleRate * 2, 28)
  buffer.writeUInt16LE(2, 32)
  buffer.writeUInt16LE(16, 34)
  buffer.write("data", 36, "latin1")
  buffer.writeUInt32LE(samples * 2, 40)
  for (let at = 0; at < samples; at++) {
    const time = at / sampleRate
    const chord = [220, 277.18, 329.63].reduce((sum, hertz) => sum + Math.sin(2 * Math.PI * hertz * time), 0) / 3
    buffer.writeInt16LE(Math.round(28_000 * chord * Math.exp(-3 * (time % (seconds / 2)))), 44 + at * 2)
  }
  return new Uint8Array(buffer)
}
