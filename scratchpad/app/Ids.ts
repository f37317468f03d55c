/** Ids of what is new. */
import { randomInt } from "node:crypto"

const letters = "0123456789abcdefghjkmnpqrstvwxyz"

/** An id with the prefix of its kind: `p_7zq4k2m9x0vd`. */
export const newId = (prefix: string): string =>
  `${prefix}_${Array.from({ length: 12 }, () => letters[randomInt(letters.length)]).join("")}`
