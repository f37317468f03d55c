/**
 * Locations in the code, taken from stacks that are short and rendered only when somebody reads them.
 *
 * @internal
 */

const holder = Error as { stackTraceLimit?: number | undefined }

/** In hardened environments the limit cannot be set, and setting it would throw. */
const canSet = ((): boolean => {
  const property = Object.getOwnPropertyDescriptor(Error, "stackTraceLimit")
  if (property === undefined) return Object.isExtensible(Error)
  return "writable" in property ? property.writable === true : property.set !== undefined
})()

export const limit = (): number | undefined => holder.stackTraceLimit

export const setLimit = (value: number | undefined): void => {
  if (canSet) holder.stackTraceLimit = value
}

/** A line of an error's stack, rendered at most once. */
export const line = (error: Error, index: number): (() => string | undefined) => {
  let known: string | undefined
  return () => (known ??= error.stack?.split("\n")[index]?.trim())
}
