/** Ids of what is new. */
import { randomUUID } from "node:crypto"

/** An id with the prefix of its kind: `p_8f14e45f-ceea-467a`. */
export const newId = (prefix: string): string => `${prefix}_${randomUUID().slice(0, 18)}`
