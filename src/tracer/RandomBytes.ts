/**
 * Random bytes, of which a few kilobytes are asked of the system at a time: a few bytes would cost as much.
 *
 * @internal
 */
import { randomFillSync } from "node:crypto"

const pool = Buffer.allocUnsafeSlow(16_384)
let position = pool.length

/** So many bytes that nobody else gets, 16,384 at most. They have to be used at once: the pool is filled anew in place. */
export const randomBytes = (count: number): Buffer => {
  if (position + count > pool.length) {
    randomFillSync(pool)
    position = 0
  }
  position += count
  return pool.subarray(position - count, position)
}
