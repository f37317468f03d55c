/**
 * A client library that an application installs only if it uses it.
 *
 * @internal
 */

/**
 * Loads a package for a module of ours. Where it is missing, the error says which module needs which package, and how to get
 * it; whatever else is wrong with it is passed on as it is.
 */
export const optionalPeer = async <A>(module: string, name: string, load: () => Promise<A>): Promise<A> => {
  try {
    return await load()
  } catch (cause) {
    const { code, message } = cause as { readonly code?: unknown; readonly message?: unknown }
    const missing =
      (code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND") && String(message).includes(`'${name}'`)
    if (!missing) throw cause
    throw new Error(
      `effect-telemetry/${module} needs the package "${name}", which is not installed: npm install ${name}`,
      { cause }
    )
  }
}
