/**
 * Random UUIDs (version 4), cut from a pool of them that is filled at once: a server makes two for each request.
 *
 * @internal
 *
 * @see https://www.rfc-editor.org/rfc/rfc9562#section-5.4
 */
import { randomBytes } from "../tracer/RandomBytes.ts"

/** Made at once. An id keeps the text of its whole pool alive: less than five kilobytes. */
const poolSize = 128
const textLength = 36
const byteLength = 16

const characters = Buffer.allocUnsafeSlow(poolSize * textLength)
let pool = ""
let position = 0

const digits = Buffer.from("0123456789abcdef")
const DASH = 0x2d

const fill = (): void => {
  const bytes = randomBytes(poolSize * byteLength)
  let to = 0
  for (let from = 0; from < bytes.length; from += byteLength) {
    // Version and variant (section 4).
    bytes[from + 6] = (bytes[from + 6]! & 0x0f) | 0x40
    bytes[from + 8] = (bytes[from + 8]! & 0x3f) | 0x80
    for (let i = 0; i < byteLength; i++) {
      if (i === 4 || i === 6 || i === 8 || i === 10) characters[to++] = DASH
      const byte = bytes[from + i]!
      characters[to++] = digits[byte >> 4]!
      characters[to++] = digits[byte & 0x0f]!
    }
  }
  pool = characters.toString("latin1")
  position = 0
}

/** Makes a UUID, in lower case. */
export const uuid = (): string => {
  if (position === pool.length) fill()
  const start = position
  position += textLength
  return pool.substring(start, position)
}
