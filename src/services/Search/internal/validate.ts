/**
 * What no layer lets through to its engine.
 *
 * @internal
 */
import { InvalidRequest } from "../../../operation/Reason.ts"
import type { SearchInput } from "../SearchTypes.ts"

const shown = (text: string): string => JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text)

/** The name of one index: a wildcard or a list would write to, or remove, more than was meant. */
export const checkIndex = (index: string): InvalidRequest | undefined =>
  /^(?![-_+])(?!\.{1,2}$)[^\\/*?"<>| ,#:]+$/.test(index) &&
  index === index.toLowerCase() &&
  index.isWellFormed() &&
  Buffer.byteLength(index) <= 255
    ? undefined
    : new InvalidRequest({
        message: `the index ${shown(index)} is not accepted: it has to be one name in lower case, without \\ / * ? " < > | , # : and space, not beginning with - _ or +, of at most 255 bytes`
      })

/** What a search looks in: names and wildcards. */
export const checkIndices = (index: string): InvalidRequest | undefined =>
  index !== "" && index.isWellFormed() && !/[\\/?"<>| #]/.test(index)
    ? undefined
    : new InvalidRequest({ message: `the index ${shown(index)} is not accepted: names of indices, with * and commas` })

/** The id of a document. */
export const checkId = (id: string | undefined): InvalidRequest | undefined =>
  id === undefined || (id !== "" && id.isWellFormed() && Buffer.byteLength(id) <= 512)
    ? undefined
    : new InvalidRequest({ message: `the id ${shown(id)} is not accepted: it has to have 1 to 512 bytes` })

/** Numbers of a search. */
export const checkWindow = ({ from = 0, size = 10 }: SearchInput): InvalidRequest | undefined => {
  for (const [name, value] of Object.entries({ from, size })) {
    if (!Number.isSafeInteger(value) || value < 0) {
      return new InvalidRequest({ message: `${name} is ${value}: an integer from 0 on is accepted` })
    }
  }
  return from + size > 10_000
    ? new InvalidRequest({
        message: `from + size is ${from + size}: at most 10000 is accepted; further pages by "after" or "scan"`
      })
    : undefined
}
