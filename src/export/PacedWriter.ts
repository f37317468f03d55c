/**
 * Writes the bodies of requests a piece a turn of the event loop, one body after the other: to copy a megabyte of spans, or the
 * four that a slow collector has made wait, into a socket at once would hold up every request that the application handles
 * meanwhile.
 *
 * @internal
 */
import type { Writable } from "node:stream"
import type { Timing } from "./Timing.ts"

/** Bytes that are written in a turn. */
export const turnBytes = 64 * 1024
/** A turn that takes so long is held up by others: then what is left of a body is written, so that it arrives in time. */
export const longTurnMillis = 20

/** What bodies are written to: a request of `node:http`. */
interface Stream extends Pick<Writable, "destroyed"> {
  readonly write: (piece: Uint8Array) => unknown
  readonly end: () => unknown
  readonly destroy: (error: Error) => unknown
}

interface Body {
  readonly stream: Stream
  readonly pieces: Array<Uint8Array>
}

export class PacedWriter {
  private readonly timing: Pick<Timing, "now" | "soon">
  private readonly bodies: Array<Body> = []
  private isTurning = false
  private turnedAt = 0

  constructor(timing: Pick<Timing, "now" | "soon">) {
    this.timing = timing
  }

  /** Writes a body, and ends the stream. The pieces must not change until the stream has finished. */
  write(stream: Stream, pieces: ReadonlyArray<Uint8Array>): void {
    this.bodies.push({ stream, pieces: [...pieces] })
    if (this.isTurning) return
    this.isTurning = true
    this.turnedAt = this.timing.now()
    this.turn()
  }

  private readonly turn = (): void => {
    const body = this.bodies[0]
    if (body === undefined) {
      this.isTurning = false
      return
    }
    const now = this.timing.now()
    const isDone = writeSome(body, now - this.turnedAt < longTurnMillis ? turnBytes : Infinity)
    this.turnedAt = now
    if (isDone) this.bodies.shift()
    this.timing.soon(this.turn)
  }
}

/** Whether nothing is left to write. Never throws: there is nobody above but the event loop. */
const writeSome = ({ pieces, stream }: Body, bytes: number): boolean => {
  if (stream.destroyed) return true
  try {
    let room = bytes
    for (let piece = pieces[0]; piece !== undefined && room > 0; piece = pieces[0]) {
      const some = piece.subarray(0, room)
      stream.write(some)
      if (some.length === piece.length) pieces.shift()
      else pieces[0] = piece.subarray(some.length)
      room -= some.length
    }
    if (pieces.length > 0) return false
    stream.end()
  } catch (error) {
    stream.destroy(error as Error)
  }
  return true
}
